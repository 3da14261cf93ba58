"""
What Pizi's answers mean.

Tolerant on purpose: the document leaves open which status a success has and what
an error looks like, so any 2xx counts, everything is looked up leniently, and
what cannot be read is said to be so, never raised.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from orchestrator.providers.base import (
    Accepted,
    Callback,
    CallbackMeaning,
    Done,
    Hint,
    Reply,
    ResultFile,
    SubmitOutcome,
    Unreadable,
)
from orchestrator.providers.identifiers import is_uuid
from orchestrator.providers.pizi.params import MARK
from orchestrator.providers.replies import address_of, amount_of, files_at, is_success, parsed, text_of
from orchestrator.providers.statuses import Statuses

STATUSES = Statuses(
    "Pizi",
    {
        400: "missing or invalid parameter",
        401: "invalid API key",
        402: "insufficient credits",
        404: "resource not found",
        415: "unsupported image format, only JPG and PNG are allowed",
        429: "rate limit exceeded",
    },
)


def data_of(reply: Reply) -> Any:
    """Return `data` of an envelope that does not deny success, or None where there is none."""
    body = parsed(reply.body) if is_success(reply) else None
    return body.get("data") if isinstance(body, dict) and body.get("success") is not False else None


def credits_left(reply: Reply) -> float | None:
    """Return the balance that a response header shows."""
    return amount_of(reply.headers.get("x-credits-remaining"))


def read_submit(reply: Reply) -> SubmitOutcome:
    """
    Say what the answer to a request that may have started a task means.

    Only a 2xx that says success and names the task is an acceptance, only a 4xx is a
    refusal. Everything else leaves open whether there is a task now.
    """
    if refused := STATUSES.refusal(reply):
        return refused
    body, data = parsed(reply.body), data_of(reply)
    task_id = data.get("taskUuid") if isinstance(data, dict) and body.get("success") is True else None
    if isinstance(task_id, str) and is_uuid(task_id):
        return Accepted(task_id)
    return STATUSES.unclear(reply, "the id of a task")


def read_object(reply: Reply) -> SubmitOutcome:
    """Say what the answer to a request for one thing means."""
    data = data_of(reply)
    return STATUSES.at_once(reply, data if isinstance(data, dict) else None)


def read_list(reply: Reply) -> list[Any] | SubmitOutcome:
    """Return the items of a list, or what the answer means instead."""
    data = data_of(reply)
    return data if isinstance(data, list) else STATUSES.refusal(reply) or STATUSES.unreadable(reply)


def read_deletion(reply: Reply) -> SubmitOutcome:
    """Say what the answer to a deletion means. Its envelope holds no data, so the status has to do."""
    body = parsed(reply.body)
    denied = isinstance(body, dict) and body.get("success") is False
    if is_success(reply) and not denied:
        return Done(output={"deleted": True})
    return STATUSES.refusal(reply) or STATUSES.unreadable(reply)


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
    return files_at(*map(address_of, entries))


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
