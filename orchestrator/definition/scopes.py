"""Which names expressions may start from, by the place where they stand."""

ROOTS = ("inputs", "steps", "run", "item", "index")
"""In steps and outputs; `item` and `index` inside `for_each` only."""

IN_REQUEST = (*ROOTS, "callback")
"""In the parameters of `core/http`: `callback.url` besides."""

IN_ANSWER = ("response", "callback")
"""In `result` and `artifacts` of `core/http`: what came back."""

IN_HOOK = ("body", "query", "headers")
"""In a webhook trigger: the request that came."""

IN_RUN_TRIGGER = ("run",)
"""In a run trigger: the run that ended."""

IN_GROUP = ("inputs", "run")
"""In the name of a concurrency group: what is known before the first step."""

IN_TEST = ("inputs", "outputs", "steps", "run")
"""In what the test of a workflow expects: the run when it has ended."""

EVERY_ROOT = tuple(dict.fromkeys((*IN_REQUEST, *IN_ANSWER, *IN_HOOK, *IN_TEST)))

STATUS_FUNCTIONS = ("success", "failure", "always", "cancelled")
"""What the `if` of a step may call."""

CALLBACK_MARK = "orchestrator-callback-url.invalid"
"""
What `callback.url` is until the request is sent: whoever sends it puts the job's own address in its place.

It has no character that JSON, HTML or a URL would write differently, and the name of no host that can exist.
"""
