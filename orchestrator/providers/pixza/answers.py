"""
What Pixza's answers mean.

Of the states only `completed` is documented, and most answers are not shown at all:
what is said to be complete and names its result is done, what is said to have failed
has, and everything else is still running, until the deadline.
"""

from typing import Any

from orchestrator.errors import Failure
from orchestrator.providers.base import (
    Accepted,
    Callback,
    CallbackMeaning,
    CheckOutcome,
    Done,
    Failed,
    Hint,
    Pending,
    Reply,
    Retry,
    SubmitOutcome,
    Unreadable,
)
from orchestrator.providers.identifiers import is_plain
from orchestrator.providers.pixza.params import Generate
from orchestrator.providers.replies import (
    address_of,
    amount_of,
    complaint,
    files_at,
    is_success,
    object_of,
    parsed,
    text_of,
)
from orchestrator.providers.statuses import Statuses

STATUSES = Statuses(
    "Pixza",
    {
        401: "missing or invalid API key",
        402: "the account has run out of credits",
        422: "invalid request parameters",
        429: "too many requests",
        500: "something went wrong on Pixza's end",
    },
)

IMAGE_LOOK_S = 2.0
OTHER_LOOK_S = 10.0
"""From one look at a generation to the next, at first: videos and 3D take longer than images."""

_COMPLETED = frozenset({"completed", "succeeded"})
_FAILED = frozenset({"failed", "error", "canceled", "cancelled"})
_BALANCES = ("credits_remaining", "credits", "balance", "remaining")


def look_s(params: Any) -> float:
    """Return how soon to look (again) at what *params* asked for, in seconds."""
    return IMAGE_LOOK_S if getattr(params, "type", None) == "image" else OTHER_LOOK_S


def generation_of(reply: Reply) -> dict[str, Any] | None:
    """Return the fields of the generation that *reply* shows, or None where it shows none."""
    body = object_of(parsed(reply.body)) if is_success(reply) else {}
    candidates = [body, object_of(body.get("generation")), object_of(body.get("data"))]
    named = [fields for fields in candidates if id_of(fields) is not None]
    stated = [fields for fields in reversed(candidates) if isinstance(fields.get("status"), str)]
    return next(iter(named + stated), None)


def id_of(fields: dict[str, Any]) -> str | None:
    """Return the id of a generation, or None where it has none that can be asked for."""
    id_ = fields.get("id")
    text = id_ if isinstance(id_, str) else text_of(id_)
    return text if is_plain(text) else None


def read_submit(params: Generate, reply: Reply) -> SubmitOutcome:
    """
    Say what the answer to the request that spends means; it may hold the result.

    Only a 2xx with an id is an acceptance, only a 4xx is a refusal.
    """
    if refused := STATUSES.refusal(reply):
        return refused
    fields = generation_of(reply)
    task_id = id_of(fields) if fields is not None else None
    if fields is None or task_id is None:
        return STATUSES.unclear(reply, "the id of a generation")
    outcome = _state(task_id, fields)
    if isinstance(outcome, Done):
        return outcome
    # One that has failed at once was accepted all the same, and may have been charged: it is not a refusal.
    return Accepted(task_id, 0.0 if isinstance(outcome, Failed) else look_s(params))


def read_check(task_id: str, params: Any, reply: Reply) -> CheckOutcome:
    """Say how a generation stands."""
    fields = generation_of(reply)
    if fields is None:
        return STATUSES.look_again(reply)
    told = id_of(fields)
    if told not in (None, task_id):
        return Retry(f"Pixza answered about generation {told}, not {task_id}")
    outcome = _state(task_id, fields)
    return Pending(outcome.progress, look_s(params)) if isinstance(outcome, Pending) else outcome


def _state(task_id: str, fields: dict[str, Any]) -> Done | Failed | Pending | Retry:
    status = (text_of(fields.get("status")) or "").casefold()
    if status in _FAILED:
        code, message = complaint(fields)
        return Failed(Failure("task_failed", message or "the generation failed; Pixza gives no reason", code))
    if status not in _COMPLETED:
        return Pending(status or None)
    url = address_of(fields.get("output_url"))
    if url is None:
        # Said to be complete, and paid for: its address may still follow, so it is not given up here.
        return Retry("no result is named yet")
    used = amount_of(fields.get("credits_used"))
    return Done(
        output={**fields, "id": task_id},
        files=files_at(url),
        credits=used if used is not None and used >= 0 else None,
        task_id=task_id,
    )


def read_generation(reply: Reply) -> SubmitOutcome:
    """Say what the answer to a request for one generation means."""
    fields = generation_of(reply)
    id_ = id_of(fields) if fields is not None else None
    return STATUSES.at_once(reply, None if fields is None or id_ is None else {**fields, "id": id_})


def items_of(reply: Reply, name: str) -> list[dict[str, Any]] | None:
    """
    Return the objects of a list, or None where there is none.

    It may stand bare or under one of several names; under another one where it is the only list.
    """
    body = parsed(reply.body) if is_success(reply) else None
    told = object_of(body)
    lists = [value for value in told.values() if isinstance(value, list)]
    only = lists[0] if len(lists) == 1 else None
    for candidate in (body, told.get(name), told.get("data"), told.get("items"), only):
        if isinstance(candidate, list):
            return [item for item in candidate if isinstance(item, dict)]
    return None


def read_list(name: str, reply: Reply) -> SubmitOutcome:
    """Say what the answer to a request for a list means."""
    items = items_of(reply, name)
    return STATUSES.at_once(reply, None if items is None else {"items": items})


def read_balance(reply: Reply) -> SubmitOutcome:
    """Say what the answer to the question for the balance means: one not recognised is unknown, never 0."""
    body = parsed(reply.body)
    if (bare := amount_of(body)) is not None:
        return STATUSES.at_once(reply, {"credits_remaining": bare})
    if not isinstance(body, dict):
        return STATUSES.at_once(reply, None)
    return STATUSES.at_once(reply, {**body, "credits_remaining": _balance(body)})


def credits_left(reply: Reply) -> float | None:
    """Return the balance that *reply* shows: as the answer to a question for it, or in a refusal."""
    # Asked of every answer, so most are told apart without reading them.
    if not any(b'"%s"' % name.encode() in reply.body for name in _BALANCES):
        return None
    body = object_of(parsed(reply.body))
    return None if "id" in body else _balance(body)


def _balance(body: dict[str, Any]) -> float | None:
    for holder in (body, *(object_of(body.get(name)) for name in ("data", "credits", "balance"))):
        for name in _BALANCES:
            if (amount := amount_of(holder.get(name))) is not None:
                return amount
    return None


def read_callback(callback: Callback) -> CallbackMeaning:
    """Say what a delivery means: at most that something happened. A result in it is not believed."""
    if callback.method.upper() != "POST":
        return Unreadable(f"Pixza calls back with POST, not {callback.method[:20]}")
    body = parsed(callback.body)
    if not isinstance(body, dict):
        return Unreadable("the body is no JSON object")
    told = id_of(body)
    return Unreadable("the body has no id of a generation") if told is None else Hint(told)
