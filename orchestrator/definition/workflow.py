"""A workflow as the engine reads it: every text parsed, every duration in seconds, every reference known."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from orchestrator.errors import ErrorClass, InputProblem

Scope = Mapping[str, Any]
"""
What an expression sees: `inputs`, `steps`, `run`, and inside `for_each` also `item` and `index`.

Shape: {"inputs": {...}, "steps": {id: {"output", "artifacts", "status", "error"}},
        "run": {"id", "labels", "created_at"}, "item": ..., "index": int}
"""

OnUncertain = Literal["fail", "wait", "resubmit"]

EndStatus = Literal["succeeded", "failed", "cancelled"]
"""How a run can end."""

CORE = "core"
"""What stands before the slash of an operation of ours (`core/sleep`); no connection may be called so."""


LookUp = tuple[str | int | None, ...]
"""What an expression looks up, such as ("steps", "model", "output", "items", 0); None is a computed index."""


class Value(Protocol):
    """A value that may hold `${{ … }}` anywhere inside it."""

    @property
    def steps(self) -> frozenset[str]:
        """The ids of the steps that it reads."""
        ...

    @property
    def looks_up(self) -> frozenset["LookUp"]:
        """Everything that it looks up."""
        ...

    def evaluate(self, scope: Scope) -> Any:
        """Return the plain JSON value. Errors: InvalidValue, with the expression and what was wrong."""
        ...


class Condition(Protocol):
    """The `if` of a step."""

    @property
    def steps(self) -> frozenset[str]:
        """The ids of the steps that it reads."""
        ...

    @property
    def looks_up(self) -> frozenset["LookUp"]:
        """Everything that it looks up."""
        ...

    @property
    def asks_status(self) -> bool:
        """Whether it calls a status function; if not, success() is required besides."""
        ...

    def holds(self, scope: Scope, status: Mapping[str, Callable[[], bool]]) -> bool:
        """Return whether the step runs; *status* answers the status functions. Errors: InvalidValue."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """When a failed attempt is followed by another. Durations in seconds."""

    attempts: int = 3
    backoff_s: float = 5.0
    max_backoff_s: float = 120.0
    on: frozenset[ErrorClass] = frozenset({"provider_error", "network"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """
    A node of the workflow.

    *needs*: every step that must have ended first, inferred and explicit, direct ones only.
    *condition*: None means `success()`.
    *timeout_s*: None means the operation's own default.
    *deferred*: parameters that are evaluated when the answer is there, over what came
    (`result` and `artifacts` of `core/http`, over `response` and `callback`); they are not in *params*.
    """

    id: str
    connection: str
    operation: str
    params: Value
    needs: frozenset[str] = frozenset()
    condition: Condition | None = None
    for_each: Value | None = None
    max_parallel: int = 100
    retry: Retry = Retry()
    timeout_s: float | None = None
    continue_on_error: bool = False
    fail_fast: bool = False
    on_uncertain: OnUncertain = "fail"
    deferred: Mapping[str, Value] = field(default_factory=dict)

    @property
    def reads(self) -> frozenset[str]:
        """The ids of the steps whose results its expressions read."""
        return frozenset(str(path[1]) for path in self.looks_up if path[0] == "steps")

    @property
    def looks_up(self) -> frozenset[LookUp]:
        """Everything that its expressions look up."""
        paths = self.params.looks_up
        if self.for_each is not None:
            paths |= self.for_each.looks_up
        if self.condition is not None:
            paths |= self.condition.looks_up
        return paths


@dataclass(frozen=True, slots=True, kw_only=True)
class Concurrency:
    """At most *limit* runs at a time of those for which *group* gives the same text; the rest wait."""

    group: Value
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """
    How the sender of a request proves who it is. *secret*: the name of one in `[secrets]`.

    standard   Standard Webhooks: `webhook-id`, `webhook-timestamp`, `webhook-signature`
    hmac       hex HMAC-SHA256 of the body in *header* (`X-Signature` by default), `sha256=` before it or not
    token      the secret itself in *header* (`Authorization: Bearer …` by default)
    """

    scheme: Literal["standard", "hmac", "token"]
    secret: str
    header: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookTrigger:
    """
    A request to `/hooks/<workflow>` starts a run.

    *dedupe* and *inputs* see `body` (JSON, the fields of a form, or text; null where there is none),
    `query` and `headers` (names in lower case). *dedupe* None: the `webhook-id` of Standard Webhooks
    where that was verified, else each request is an event of its own.
    """

    inputs: Mapping[str, Value]
    verify: Verification | None = None
    dedupe: Value | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleTrigger:
    """A run at each instant of *cron* in *timezone*; *missed*: what of those that passed unseen."""

    cron: str
    timezone: str = "UTC"
    missed: Literal["skip", "run_once"] = "skip"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunTrigger:
    """
    The end of another workflow's run, in one of *statuses*, starts a run.

    *inputs* see `run` (`id`, `workflow`, `status`, `inputs`, `outputs`, `labels`, `error`).
    """

    workflow: str
    statuses: frozenset[EndStatus] = frozenset({"succeeded"})
    inputs: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Triggers:
    """What starts runs of a workflow besides people."""

    webhook: WebhookTrigger | None = None
    schedules: Sequence[ScheduleTrigger] = ()
    runs: Sequence[RunTrigger] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Notify:
    """A URL that is told how a run ended, signed with the secret of that name in `[secrets]`."""

    url: str
    secret: str = "notify"
    statuses: frozenset[EndStatus] = frozenset({"succeeded", "failed", "cancelled"})

    def to_json(self) -> dict[str, Any]:
        """Return it as the log of a run keeps it."""
        return {"url": self.url, "secret": self.secret, "on": sorted(self.statuses)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Workflow:
    """
    One definition.

    *digest*: `sha256:…` over the canonical form (see `loader.canonical`), which is *source*:
    a run is pinned to it, and loading *source* again gives an equal workflow.
    *steps*: in an order in which every step comes after all it needs.
    *budget*: credits that one run may use, per connection.
    """

    name: str
    description: str
    digest: str
    source: str
    inputs: Mapping[str, Mapping[str, Any]]
    required: frozenset[str]
    steps: Mapping[str, Step]
    outputs: Mapping[str, Value] = field(default_factory=dict)
    timeout_s: float = 86_400.0
    budget: Mapping[str, float] = field(default_factory=dict)
    concurrency: Concurrency | None = None
    triggers: Triggers = Triggers()
    notify: Sequence[Notify] = ()

    def followers(self, step: str) -> Sequence[Step]:
        """Return the steps that need *step* directly."""
        return [s for s in self.steps.values() if step in s.needs]


CheckInputs = Callable[[Workflow, Mapping[str, Any]], tuple[dict[str, Any], list[InputProblem]]]
"""Fills in defaults and checks inputs against their JSON Schemas: (inputs, problems)."""
