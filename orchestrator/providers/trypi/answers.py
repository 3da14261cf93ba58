"""
What Trypi's answers mean.

Every answer has an envelope whose `id` names the request, never the job: that one is
`data.job_id`. The document names one state and one error; other shapes that the service
is known to use are read where they are met, and what is unknown is still running.
"""

from dataclasses import replace
from typing import Any

from orchestrator.errors import Failure
from orchestrator.providers.base import (
    Accepted,
    CheckOutcome,
    Done,
    Failed,
    Pending,
    Reply,
    Retry,
    SubmitOutcome,
)
from orchestrator.providers.identifiers import is_uuid
from orchestrator.providers.replies import (
    address_of,
    complaint,
    files_at,
    is_success,
    object_of,
    parsed,
    text_of,
)
from orchestrator.providers.statuses import Statuses
from orchestrator.providers.trypi.params import (
    PAGE_SIZE,
    PROMPT_SURE,
    GenerateAvatar,
    ListAvatars,
    SaveAvatar,
)

STATUSES = Statuses(
    "Trypi",
    {
        400: "invalid request",
        401: "missing or invalid API key",
        402: "out of credits",
        404: "no such job or avatar",
        409: "conflict",
        413: "the request is too large",
        422: "invalid request",
        429: "too many requests",
        500: "the job could not be made",
        502: "the job could not be started",
    },
)

MISMATCH = "idempotency_key_mismatch"
"""The code of a key that was used before, with another body."""

LOOK_S = 2.0
"""From one poll to the next where the first was not held open, at first."""

_COMPLETED = frozenset({"completed", "succeeded"})
_FAILED = frozenset({"failed", "error", "canceled", "cancelled"})


def read_submit(params: GenerateAvatar, reply: Reply) -> SubmitOutcome:
    """
    Say what the answer to the request that spends, or to its repetition, means.

    Only a 2xx that names the job is an acceptance. A 409 is a refusal only where it says that
    the key was used with another body: any other may mean that the first copy is being worked on.
    """
    if reply.status == 409:
        return _conflict(reply)
    if refused := STATUSES.refusal(reply):
        return _hinted(refused, params, reply) if isinstance(refused, Failed) else refused
    job_id = object_of(_body(reply).get("data")).get("job_id") if is_success(reply) else None
    return Accepted(str(job_id), 0.0) if is_uuid(job_id) else STATUSES.unclear(reply, "the id of a job")


def _conflict(reply: Reply) -> SubmitOutcome:
    if MISMATCH.encode() not in reply.body:
        return STATUSES.unclear(reply, "the id of a job")
    said = STATUSES.failure("invalid_request", reply).message
    message = f"{said}; the job's key was used before, with another body" if MISMATCH not in said else said
    return Failed(Failure("invalid_request", message, MISMATCH))


def _hinted(refused: Failed, params: GenerateAvatar, reply: Reply) -> Failed:
    """Add what a refusal may be about: editions of the service differ on how long a prompt may be."""
    if reply.status not in (400, 422) or len(params.prompt) <= PROMPT_SURE:
        return refused
    hint = f"(the prompt has {len(params.prompt)} characters; more than {PROMPT_SURE} may not be taken)"
    return Failed(replace(refused.failure, message=f"{refused.failure.message} {hint}"))


def read_check(task_id: str, reply: Reply) -> CheckOutcome:
    """Say how a job stands."""
    body = _body(reply) if is_success(reply) else {}
    data = object_of(body.get("data"))
    status = (text_of(data.get("status")) or text_of(body.get("status")) or "").casefold()
    if not status:
        return STATUSES.look_again(reply)
    told = next((data[name] for name in ("job_id", "id") if is_uuid(data.get(name))), None)
    if told is not None and told.lower() != task_id.lower():
        return Retry(f"Trypi answered about job {told}, not {task_id}")
    if status in _FAILED:
        return Failed(_reason(data, body))
    return _image(task_id, data, body) if status in _COMPLETED else Pending(status, LOOK_S)


def _reason(data: dict[str, Any], body: dict[str, Any]) -> Failure:
    for told in (data, body):
        log = told.get("error_log")
        code, message = complaint(log if isinstance(log, dict) else told)
        if reason := text_of(log) or message:
            return Failure("task_failed", reason, code)
    return Failure("task_failed", "the job failed; Trypi gives no reason")


def _image(task_id: str, data: dict[str, Any], body: dict[str, Any]) -> Done | Retry:
    for holder in (data, body):
        for name in ("avatar", "payload", "job_result"):
            url = address_of(object_of(holder.get(name)).get("image_url"))
            if url is not None:
                avatar = object_of(holder.get("avatar"))
                output = {**avatar, "job_id": task_id, "image_url": url}
                return Done(output=output, files=files_at(url), task_id=task_id)
    # Completed, and paid for: its address may still follow, so it is not given up here.
    return Retry("no image is named yet")


def read_job(reply: Reply) -> SubmitOutcome:
    """
    Say what the answer to a request for one job means.

    How the job stands may be said in the envelope alone, as it is when the job is made.
    """
    body = _body(reply)
    data, status = body.get("data"), body.get("status")
    if isinstance(data, dict):
        told = {"status": status} if isinstance(status, str) else {}
        return STATUSES.at_once(reply, {**told, **data})
    return STATUSES.at_once(reply, body if isinstance(status, str) else None)


def read_avatar(reply: Reply) -> SubmitOutcome:
    """Say what the answer with one saved avatar means, in its envelope or without."""
    body = _body(reply)
    data = object_of(body.get("data"))
    # Without an envelope the avatar is the body; with one, the body's id is the request's.
    avatar = object_of(data.get("avatar")) or data or object_of(body.get("avatar"))
    avatar = avatar or (body if body.get("image_url") else {})
    return STATUSES.at_once(reply, avatar if text_of(avatar.get("id")) else None)


def avatars_of(reply: Reply) -> tuple[list[dict[str, Any]], bool | None] | None:
    """Return (avatars, whether there are more, where that is said) of a list, or None where there is none."""
    body = parsed(reply.body) if is_success(reply) else None
    told = object_of(body)
    for holder in (body, told, object_of(told.get("data"))):
        named = holder if isinstance(holder, dict) else {"data": holder}
        for name in ("data", "items", "avatars"):
            if isinstance(listed := named.get(name), list):
                more = named.get("has_more")
                avatars = [item for item in listed if isinstance(item, dict)]
                return avatars, more if isinstance(more, bool) else None
    return None


def read_page(params: ListAvatars, reply: Reply) -> SubmitOutcome:
    """Say what a page of avatars means: after a full one there may be another, unless it is denied."""
    found = avatars_of(reply)
    if found is None:
        return STATUSES.at_once(reply, None)
    avatars, more = found
    page: dict[str, Any] = {"items": avatars}
    is_full = len(avatars) >= (getattr(params, "limit", None) or PAGE_SIZE)
    if avatars and (is_full if more is None else more):
        page["next"] = (getattr(params, "offset", None) or 0) + len(avatars)
    return STATUSES.at_once(reply, page)


def saved_as(avatars: list[dict[str, Any]], params: SaveAvatar) -> dict[str, Any] | None:
    """Return the avatar that an earlier try to save *params* made, or None."""
    for avatar in avatars:
        is_labelled = params.label is None or avatar.get("label") == params.label
        job_id = avatar.get("job_id")
        if is_uuid(job_id) and str(job_id).lower() == params.job_id.lower() and is_labelled:
            return avatar
    return None


def _body(reply: Reply) -> dict[str, Any]:
    return object_of(parsed(reply.body))
