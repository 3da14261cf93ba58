"""
What is asked of Pixza.

Its document knows no key, tag or name that would make a submit recognisable. What our
own callback URL would prove, should the list show it, is used first; without it, a lost
submit is the one recent generation that was asked for exactly as ours was, or it is
not found at all.
"""

from collections.abc import Hashable, Iterator
from typing import Any

from orchestrator import ids
from orchestrator.providers.base import (
    Accepts,
    Alike,
    CallbackUrl,
    CheckOutcome,
    Exchange,
    Found,
    Link,
    LookUpOutcome,
    Request,
    Submit,
    SubmitOutcome,
    Task,
    Unknown,
)
from orchestrator.providers.identifiers import at, is_plain
from orchestrator.providers.images import sendable
from orchestrator.providers.pixza import answers
from orchestrator.providers.pixza.models import DEFAULT_SIDE
from orchestrator.providers.pixza.params import Generate
from orchestrator.providers.replies import number_of, seconds_of

GENERATE = "/generate"
GENERATIONS = "/generations"

CLOCK_SKEW_S = 120.0
"""How much earlier than the job, by Pixza's clock, its generation may seem to have been made."""

_INPUT_IMAGE = Accepts(media_types=("image/jpeg", "image/png"), url=True)
_ECHOED = ("width", "height", "steps", "seed")


def generate(params: Generate, submit: Submit) -> Exchange[Request | SubmitOutcome]:
    """Make the exchange that ends with `POST /generate`."""
    body = params.model_dump(mode="json", exclude_none=True, exclude={"input_image"})
    if params.input_image is not None:
        body["input_image"] = yield from sendable(params.input_image, _INPUT_IMAGE, Link)
    return Request(method="POST", path=GENERATE, json=body | {"webhook_url": CallbackUrl()})


def check(task: Task) -> Exchange[CheckOutcome]:
    """Make the exchange that asks how *task* stands."""
    if not is_plain(task.task_id):
        return Unknown(f"{task.task_id or 'nothing'} is no id that Pixza could be asked for")
    task_id = str(task.task_id)
    reply = yield Request(method="GET", path=at(GENERATE, task_id))
    return answers.read_check(task_id, task.params, reply)


def look_up(task: Task) -> Exchange[LookUpOutcome]:
    """Make the exchange that searches what an uncertain submit made. Nothing found proves nothing."""
    reply = yield Request(method="GET", path=GENERATIONS)
    items = answers.items_of(reply, "generations")
    if items is None:
        return answers.STATUSES.look_again(reply)
    marked = set(_marked(items, task.job))
    if len(marked) == 1:
        return Found(task_id=marked.pop())
    alike = dict.fromkeys(_alike(items, task))
    return Alike(tuple(alike)) if alike and not marked else None


def _marked(items: list[dict[str, Any]], job: str) -> Iterator[str]:
    for fields in items:
        id_ = answers.id_of(fields)
        if id_ is not None and f"/{job}." in _webhook(fields):
            yield id_


def _alike(items: list[dict[str, Any]], task: Task) -> Iterator[str]:
    made_at = ids.made_at(task.job)
    for fields in items:
        id_, created_s = answers.id_of(fields), seconds_of(fields.get("created_at"))
        if id_ is None or created_s is None or made_at is None or _webhook(fields):
            continue
        if created_s >= made_at / 1_000_000 - CLOCK_SKEW_S and _is_as_asked(fields, task.params):
            yield id_


def _webhook(fields: dict[str, Any]) -> str:
    url = fields.get("webhook_url")
    return url if isinstance(url, str) else ""


def _is_as_asked(fields: dict[str, Any], params: Generate) -> bool:
    """Whether a generation shows the type, model and prompt that were asked for, and denies nothing else."""
    prompt = fields.get("prompt")
    if not isinstance(prompt, str) or prompt.strip() != params.prompt.strip():
        return False
    if fields.get("type") != params.type or fields.get("model") != params.model_name:
        return False
    return all(_agrees(fields.get(name), _asked(params, name)) for name in _ECHOED)


def likeness(params: Generate) -> Hashable:
    """Return what tells generations apart for sure; sizes, steps and seeds need not be shown."""
    return params.type, params.model_name, params.prompt.strip()


def _asked(params: Generate, name: str) -> int | None:
    asked: int | None = getattr(params, name)
    is_side = name in ("width", "height") and params.type == "image"
    return DEFAULT_SIDE if asked is None and is_side else asked


def _agrees(shown: Any, asked: int | None) -> bool:
    return shown is None or asked is None or number_of(shown) == asked
