"""
What Pizi's answers mean.

Tolerant on purpose: the document leaves open which status a success has and what
an error looks like, so any 2xx counts, everything is looked up leniently, and
what cannot be read is said to be so, never raised.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import orjson

from orchestrator.errors import ErrorClass, Failure
from orchestrator.providers.base import (
    Accepted,
    Callback,
    CallbackMeaning,
    Done,
    Failed,
    Hint,
    Rejected,
    Reply,
    ResultFile,
    Retry,
    SubmitOutcome,
    Unauthorized,
    Unclear,
    Unreadable,
)
from orchestrator.providers.pizi.params import MARK, is_uuid

_MEANINGS = {
    400: "missing or invalid parameter",
    401: "invalid API key",
    402: "insufficient credits",
    404: "resource not found",
    415: "unsupported image format, only JPG and PNG are allowed",
    429: "rate limit exceeded",
}
"""The document's own table, for answers that do not explain themselves."""

_TEXT_MAX = 500
_RETRY_AFTER_MAX_S = 86_400.0


def parsed(body: bytes) -> Any:
    """Return the JSON value of *body*, or None where it is none."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None


def is_success(reply: Reply) -> bool:
    """Whether the HTTP status says success; the document names none, so any 2xx does."""
    return 200 <= reply.status < 300


def data_of(reply: Reply) -> Any:
    """Return `data` of an envelope that does not deny success, or None where there is none."""
    body = parsed(reply.body) if is_success(reply) else None
    return body.get("data") if isinstance(body, dict) and body.get("success") is not False else None


def text_of(value: Any) -> str | None:
    """Return *value* as a short text for people, or None where it is no text or number."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    return str(value).strip()[:_TEXT_MAX] or None


def failure(cls: ErrorClass, reply: Reply) -> Failure:
    """Return the failure that *reply* describes, with Pizi's own code and message where it has any."""
    body = parsed(reply.body)
    told = body if isinstance(body, dict) else {}
    error = told.get("error")
    inner = error if isinstance(error, dict) else {}
    message = text_of(told.get("message")) or text_of(inner.get("message")) or text_of(error)
    code = text_of(told.get("code")) or text_of(inner.get("code"))
    said = message or _MEANINGS.get(reply.status, "no explanation")
    return Failure(cls, f"Pizi answered {reply.status}: {said}", code)


def retry_after_s(reply: Reply) -> float | None:
    """Return the seconds of Retry-After, at most a day. A date needs a clock and is left to the backoff."""
    value = reply.headers.get("retry-after", "").strip()
    if not re.fullmatch(r"[0-9]{1,12}", value):
        return None
    return min(float(value), _RETRY_AFTER_MAX_S)


def credits_left(reply: Reply) -> float | None:
    """Return the balance that a response header shows."""
    value = reply.headers.get("x-credits-remaining", "").strip()
    return float(value) if re.fullmatch(r"-?[0-9]{1,15}(?:\.[0-9]{1,15})?", value) else None


def refusal(reply: Reply) -> SubmitOutcome | None:
    """Return what a 4xx means for the request it answers; None for every other status."""
    match reply.status:
        case 401:
            return Unauthorized(failure("unauthorized", reply))
        case 402:
            return Rejected(failure("insufficient_credits", reply), True, retry_after_s(reply))
        case 429:
            return Rejected(failure("rate_limited", reply), True, retry_after_s(reply))
        case status if 400 <= status < 500:
            return Failed(failure("invalid_request", reply))
    return None


def read_submit(reply: Reply) -> SubmitOutcome:
    """
    Say what the answer to a request that may have started a task means.

    Only a 2xx that says success and names the task is an acceptance, only a 4xx is a
    refusal. Everything else leaves open whether there is a task now.
    """
    if refused := refusal(reply):
        return refused
    body, data = parsed(reply.body), data_of(reply)
    task_id = data.get("taskUuid") if isinstance(data, dict) and body.get("success") is True else None
    if isinstance(task_id, str) and is_uuid(task_id):
        return Accepted(task_id)
    if is_success(reply):
        return Unclear(f"Pizi answered {reply.status} without the id of a task")
    return Unclear(failure("provider_error", reply).message)


def unreadable(reply: Reply) -> Failed:
    """Return the failure of a request at once that was not answered as documented; it may be repeated."""
    if is_success(reply):
        return Failed(
            Failure("provider_error", f"Pizi answered {reply.status} with nothing that can be read")
        )
    return Failed(failure("provider_error", reply))


def read_object(reply: Reply) -> SubmitOutcome:
    """Say what the answer to a request for one thing means."""
    data = data_of(reply)
    return Done(output=data) if isinstance(data, dict) else refusal(reply) or unreadable(reply)


def read_list(reply: Reply) -> list[Any] | SubmitOutcome:
    """Return the items of a list, or what the answer means instead."""
    data = data_of(reply)
    return data if isinstance(data, list) else refusal(reply) or unreadable(reply)


def read_deletion(reply: Reply) -> SubmitOutcome:
    """Say what the answer to a deletion means. Its envelope holds no data, so the status has to do."""
    body = parsed(reply.body)
    denied = isinstance(body, dict) and body.get("success") is False
    if is_success(reply) and not denied:
        return Done(output={"deleted": True})
    return refusal(reply) or unreadable(reply)


def look_again(reply: Reply) -> Retry | Unauthorized:
    """
    Say what an answer to a look means that tells nothing about the task.

    Whatever it is, it does not end a task that was paid for: its deadline does.
    """
    if reply.status == 401:
        return Unauthorized(failure("unauthorized", reply))
    if is_success(reply):
        return Retry(f"Pizi answered {reply.status} with nothing that can be read")
    return Retry(failure("provider_error", reply).message, retry_after_s(reply))


@dataclass(frozen=True, slots=True)
class State:
    """What a task or a thing says of itself; *status* in lower case, empty where it says nothing."""

    status: str
    type: str
    mark: str | None
    fields: dict[str, Any]


def read_state(reply: Reply) -> State | None:
    """Return the state that an answer holds, or None where it holds none."""
    data = data_of(reply)
    if not isinstance(data, dict):
        return None
    metadata = data.get("metadata")
    mark = metadata.get(MARK) if isinstance(metadata, dict) else None
    return State(
        status=(text_of(data.get("status")) or "").casefold(),
        type=(text_of(data.get("type")) or "").casefold(),
        mark=mark if isinstance(mark, str) else None,
        fields=data,
    )


def resource_id(resource_url: Any) -> str | None:
    """
    Return the id at the end of a `resourceUrl`, or None where there is none.

    It is relative in tasks and absolute, with another prefix, in callbacks; only its end is used.
    """
    try:
        last = (
            urlsplit(resource_url).path.rstrip("/").rsplit("/", 1)[-1]
            if isinstance(resource_url, str)
            else ""
        )
    except ValueError:
        return None
    return last if is_uuid(last) else None


def result_files(value: Any) -> tuple[ResultFile, ...]:
    """Return the files that `mediaUrl` (one URL) or `result` (a list of them) names, in order."""
    entries = value if isinstance(value, list) else [value]
    return tuple(
        ResultFile(entry)
        for entry in entries
        if isinstance(entry, str) and entry.startswith(("http://", "https://"))
    )


def marked(items: list[Any], job: str) -> str | None:
    """Return the id of the first of *items* whose metadata carries exactly the mark of *job*."""
    for item in items:
        fields: Mapping[str, Any] = item if isinstance(item, dict) else {}
        metadata = fields.get("metadata")
        if isinstance(metadata, dict) and metadata.get(MARK) == job and is_uuid(fields.get("uuid")):
            return str(fields["uuid"])
    return None


def read_callback(callback: Callback) -> CallbackMeaning:
    """Say what a delivery means: at most that something happened to a task. Its URL is not even looked at."""
    if callback.method.upper() != "POST":
        return Unreadable(f"Pizi calls back with POST, not {callback.method[:20]}")
    body = parsed(callback.body)
    if not isinstance(body, dict):
        return Unreadable("the body is no JSON object")
    task_id = body.get("taskUuid")
    if not is_uuid(task_id):
        return Unreadable("the body has no taskUuid that is a UUID")
    return Hint(task_id=str(task_id))
