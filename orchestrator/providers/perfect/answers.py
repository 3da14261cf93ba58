"""
What Perfect's answers mean. No function here raises, whatever the provider sends.

Two fields are called `status`: a number around the answer (the envelope), and a
word inside the answer to a check. The page describes successes only; what a
refusal looks like (`error`, `error_code`) is known from public clients.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from orchestrator.errors import ErrorClass, Failure
from orchestrator.providers.base import (
    TASK_LOST,
    Accepted,
    CheckOutcome,
    Done,
    Failed,
    Login,
    Pending,
    Rejected,
    Reply,
    ResultFile,
    Retry,
    SubmitOutcome,
    Unauthorized,
    Unclear,
)
from orchestrator.providers.replies import TEXT_MAX, address_of, object_of, parsed, retry_after_s

Refusal = Failed | Rejected | Unauthorized
"""Why something that costs nothing did not work."""

FIRST_POLL_S = 1.0
"""From the run's answer to the first poll: well within the ten seconds, and the task is known by then."""

# Two hours, says the provider; the rest is for clocks and requests under way.
_TOKEN_VALID_S = 110 * 60.0

_CODE = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_TOKEN_CODES = frozenset({"InvalidAccessToken", "InvalidApiKey"})
_CREDITS_CODE = "CreditInsufficiency"
_GONE_CODES = frozenset({"InvalidTaskId", "TaskTimeout"})
_UPLOADS = frozenset({"PUT", "POST"})
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")

TASK_ERRORS: Mapping[str, str] = {
    "exceed_max_filesize": "the input file is too large",
    "invalid_parameter": "a parameter has a value that the engine does not take",
    "error_download_image": "the engine could not fetch the image (an upload lives for one day)",
    "error_download_mask": "the engine could not fetch the mask (an upload lives for one day)",
    "error_decode_image": "the image cannot be decoded",
    "error_decode_mask": "the mask cannot be decoded",
    "error_nsfw_content_detected": "the image was held to be indecent",
    "error_no_face": "no face was found in the image",
    "error_pose": "no pose could be made out in the image",
    "error_face_parsing": "the parts of the face could not be told apart",
    "error_inference": "the engine failed; another attempt may succeed",
    "exceed_nsfw_retry_limits": "what was generated kept being held to be indecent",
    "error_upload": "the engine could not store the result; another attempt may succeed",
    "error_multiple_people": "there is more than one person in the image",
    "error_no_shoulder": "the shoulders cannot be seen in the image",
    "error_large_face_angle": "the face is turned too far to the side",
    "unknown_internal_error": "the engine failed without a reason; another attempt may succeed",
}
"""The documented codes of a task that failed, in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """Where to send the bytes of a file, and the id it has once they have arrived."""

    file_id: str
    method: str
    url: str
    headers: Mapping[str, str]


# --- the envelope ----------------------------------------------------------------------------


def _objects(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value.strip() else None


def _number(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _body(reply: Reply) -> dict[str, Any]:
    return object_of(parsed(reply.body))


def _is_success(status: int) -> bool:
    return 200 <= status < 300


def _status(reply: Reply, body: Mapping[str, Any]) -> int:
    """Return the HTTP status, or the envelope's where it complains inside a 2xx."""
    enveloped = _number(body.get("status"))
    if _is_success(reply.status) and enveloped is not None and enveloped >= 400:
        return enveloped
    return reply.status


def _complaint(body: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """Return the (code, text) of an error body, each where there is one."""
    code, text = _text(body.get("error_code")), _text(body.get("error"))
    if code is None and text is not None and _CODE.fullmatch(text):
        code, text = text, None
    if code is not None and not _CODE.fullmatch(code):
        code, text = None, text or code
    return code, text[:TEXT_MAX] if text else None


def _failure(cls: ErrorClass, status: int, body: Mapping[str, Any]) -> Failure:
    code, text = _complaint(body)
    said = ": ".join(part for part in (code, text) if part)
    return Failure(cls, f"Perfect answered {status}" + (f": {said}" if said else ""), code)


def _lacks_credits(status: int, body: Mapping[str, Any]) -> bool:
    # Public clients see this code in a 400; the documented way would be a 402.
    return status == 402 or _complaint(body)[0] == _CREDITS_CODE


def _is_unauthorized(status: int, body: Mapping[str, Any]) -> bool:
    # A 403 concerns the account as a whole, so it is treated like a key that has been withdrawn.
    return status in (401, 403) or _complaint(body)[0] in _TOKEN_CODES


def _refusal(status: int, reply: Reply, body: Mapping[str, Any]) -> Rejected | Unauthorized:
    """Say what a 4xx means."""
    if _lacks_credits(status, body):
        return Rejected(_failure("insufficient_credits", status, body), wait=True)
    if _is_unauthorized(status, body):
        return Unauthorized(_failure("unauthorized", status, body))
    if status == 429:
        failure = _failure("rate_limited", status, body)
        return Rejected(failure, wait=True, retry_after_s=retry_after_s(reply))
    return Rejected(_failure("invalid_request", status, body))


def _broken(status: int, reply: Reply, body: Mapping[str, Any], what: str) -> Refusal:
    """Say why a request that costs nothing gave no *what*."""
    if 400 <= status < 500 and status != 408:
        return _refusal(status, reply, body)
    if _is_success(status):
        return Failed(Failure("provider_error", f"the answer holds no {what}"))
    return Failed(_failure("provider_error", status, body))


# --- what costs nothing ----------------------------------------------------------------------


def read_login(reply: Reply) -> Login | Failed | Retry:
    """Read the access token."""
    body = _body(reply)
    status = _status(reply, body)
    token = _text(object_of(body.get("result")).get("access_token"))
    if _is_success(status) and token is not None and token.isascii() and token.isprintable():
        return Login(token, _TOKEN_VALID_S)
    if status == 429:
        return Retry("the login was refused for now: too many requests", retry_after_s(reply))
    if 400 <= status < 500 and status != 408:
        return Failed(_failure("unauthorized", status, body))
    return Retry(f"the login's answer ({status}) holds no access token")


def read_slot(reply: Reply) -> Slot | Refusal:
    """Read where the bytes of a file go: to the first of the upload requests that the answer lists."""
    body = _body(reply)
    status = _status(reply, body)
    if _is_success(status):
        for file in _objects(object_of(body.get("result")).get("files"))[:1]:
            for request in _objects(file.get("requests"))[:1]:
                slot = _slot(_text(file.get("file_id")), request)
                if slot is not None:
                    return slot
    return _broken(status, reply, body, "upload address")


def _slot(file_id: str | None, request: Mapping[str, Any]) -> Slot | None:
    method, url = _text(request.get("method")), address_of(request.get("url"))
    headers = _headers(request.get("headers"))
    if file_id is None or url is None or headers is None or method is None or method.upper() not in _UPLOADS:
        return None
    return Slot(file_id=file_id, method=method.upper(), url=url, headers=headers)


def _headers(value: Any) -> dict[str, str] | None:
    """Return headers exactly as given (a length may be a number), or None where they cannot be sent so."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        return None
    headers = {}
    for name, content in value.items():
        text = content if isinstance(content, str) else str(content) if _number(content) is not None else None
        if text is None or not text.isprintable() or not _HEADER_NAME.fullmatch(name):
            return None
        headers[name] = text
    return headers


def read_upload(reply: Reply) -> Failed | None:
    """Read the storage's answer to the bytes; None means that they have arrived."""
    if _is_success(reply.status):
        return None
    # It speaks for itself only: a 403 says that the address expired, not that our credentials are bad.
    return Failed(Failure("provider_error", f"the upload was refused with {reply.status}"))


def read_page(reply: Reply, *names: str) -> Done | Refusal:
    """Read one page of a list, which stands under the first of *names* that there is."""
    body = _body(reply)
    status = _status(reply, body)
    result = object_of(body.get("result"))
    listed = next((result[name] for name in names if isinstance(result.get(name), list)), None)
    if not _is_success(status) or listed is None:
        return _broken(status, reply, body, "list")
    output: dict[str, Any] = {"items": _objects(listed)}
    token = result.get("next_token")
    following = _text(token) or (None if _number(token) is None else str(token))
    if following is not None:
        output["next"] = following
    return Done(output=output)


# --- the run ---------------------------------------------------------------------------------


def read_run(reply: Reply) -> SubmitOutcome:
    """
    Read the answer to the request that spends.

    Only a plain 4xx proves that nothing was accepted. An answer that lacks a task
    id may be the provider's way to ignore a request number it has seen before.
    """
    body = _body(reply)
    if _is_success(reply.status):
        task_id = _text(object_of(body.get("result")).get("task_id"))
        if task_id is not None:
            return Accepted(task_id, poll_s=FIRST_POLL_S)
        said = _failure("uncertain", _status(reply, body), body).message
        return Unclear(f"the answer holds no task id ({said})")
    # 408 and 409 may be said of a request that was, or had been, accepted.
    if 400 <= reply.status < 500 and reply.status not in (408, 409):
        return _refusal(reply.status, reply, body)
    return Unclear(_failure("uncertain", reply.status, body).message)


# --- the check -------------------------------------------------------------------------------


def read_check(reply: Reply) -> CheckOutcome:
    """Read how a task stands."""
    body = _body(reply)
    result = object_of(body.get("result"))
    state = _text(result.get("status"))
    if _is_success(reply.status) and state == "success":
        return _success(result)
    status = _status(reply, body)
    if not _is_success(status):
        return _no_state(status, reply, body)
    if state is None:
        return Retry("the answer to a poll holds no status")
    if state == "error":
        return Failed(_task_failure(result.get("error")))
    # A word that the page does not know is no verdict either: the task is kept alive.
    return Pending(progress=state[:TEXT_MAX], poll_s=_poll_s(result.get("polling_interval")))


def _no_state(status: int, reply: Reply, body: Mapping[str, Any]) -> CheckOutcome:
    if _complaint(body)[0] in _GONE_CODES:
        return _lost(status, body)
    if status >= 500 or status in (408, 425, 429) or status < 400:
        return Retry(_failure("provider_error", status, body).message, retry_after_s(reply))
    if _lacks_credits(status, body):
        return Failed(_failure("insufficient_credits", status, body))
    if _is_unauthorized(status, body):
        return Unauthorized(_failure("unauthorized", status, body))
    # All that a poll says is the task's id, so whatever else is complained about is that.
    return _lost(status, body)


def _lost(status: int, body: Mapping[str, Any]) -> Failed:
    said = _failure("provider_error", status, body).message
    return Failed(
        Failure("provider_error", f"the provider does not know the task any more ({said})", TASK_LOST)
    )


def retried_with_upload(outcome: CheckOutcome) -> CheckOutcome:
    """Let what failed because the provider could not get at a file be tried again: nothing was charged."""
    gone = ("error_download_image", "error_download_mask")
    if isinstance(outcome, Failed) and outcome.failure.code in gone:
        return Failed(replace(outcome.failure, cls="provider_error"))
    return outcome


def is_lost(outcome: CheckOutcome) -> bool:
    """Whether the provider says that there is no such task."""
    return (
        isinstance(outcome, Failed)
        and outcome.failure.cls == "provider_error"
        and outcome.failure.code == TASK_LOST
    )


def _poll_s(interval_ms: Any) -> float | None:
    wanted = _number(interval_ms)
    return wanted / 1000 if wanted is not None and wanted > 0 else None


def _task_failure(error: Any) -> Failure:
    text = _text(error)
    if text is None:
        return Failure("task_failed", "the task failed without a reason")
    if not _CODE.fullmatch(text):
        return Failure("task_failed", text[:TEXT_MAX])
    return Failure("task_failed", TASK_ERRORS.get(text, f"the task failed: {text}"), text)


def _success(result: Mapping[str, Any]) -> Done | Retry:
    """
    Return the pictures of all actions in one list (there is one action), each with its file.

    What else stands beside an action's pictures (`custom_info` of aging, make-up
    recommendations under a name nobody documents) is handed on as it is.
    """
    pictures: list[dict[str, Any]] = []
    beside: dict[str, Any] = {}
    is_readable = False
    for action in _objects(result.get("results")):
        # The page has lost its indentation: the object may as well stand one level higher.
        info = object_of(action.get("custom_info", result.get("custom_info")))
        is_readable |= bool(_pictures(action.get("data")))
        pictures += _pictures(action.get("data"), without=_number(info.get("age_idx")))
        extras = {name: value for name, value in action.items() if name not in ("id", "data")}
        beside = ({"custom_info": info} if info else {}) | extras | beside
    if not is_readable:
        return Retry("the task has succeeded, but the answer holds no file")
    files = tuple(ResultFile(picture["url"]) for picture in pictures)
    return Done(output=beside | {"results": pictures}, files=files)


def _pictures(data: Any, without: int | None = None) -> list[dict[str, Any]]:
    """Return what can be downloaded, less the entry *without*: the upload, which `aging` lists too."""
    entries = enumerate(data if isinstance(data, list) else [])
    return [
        entry
        for index, entry in entries
        if index != without and isinstance(entry, dict) and address_of(entry.get("url"))
    ]
