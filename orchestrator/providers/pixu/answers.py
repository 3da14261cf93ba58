"""
What Pixu's answers and callbacks mean.

The document shows one field, `response`: an object with the uid of a model, or the uid of
a request as a bare text. It shows no error at all. So a bare text is a uid only where it looks
like one: a sentence or a word there is somebody explaining why there is none. Under the name of
a uid, and at the end of a callback URL, which only Pixu knows, it need not look so much like one.
"""

import re
from typing import Any
from urllib.parse import parse_qs

from orchestrator.providers.base import (
    Accepted,
    Callback,
    CallbackMeaning,
    Done,
    Meaningless,
    Reply,
    SubmitOutcome,
    Unreadable,
    Verdict,
)
from orchestrator.providers.identifiers import is_plain
from orchestrator.providers.pixu.params import CreateModel, CreateModelFromUrl
from orchestrator.providers.replies import TEXT_MAX, complaint, is_success, object_of, parsed
from orchestrator.providers.statuses import Statuses

STATUSES = Statuses(
    "Pixu",
    {
        400: "invalid request",
        401: "the key was refused",
        402: "out of credits",
        403: "the key was refused",
        404: "no such operation",
        415: "not JSON",
        422: "invalid request",
        429: "too many requests",
    },
    unauthorized=frozenset({401, 403}),
)

SLOT = "uid"
"""The query parameter of our callback URL that stands open at its end."""

# The document's own are upose_ and 32 hexadecimal digits, and 40 of these. No word that explains
# a refusal has a digit and sixteen letters.
_BARE_UID = re.compile(r"(?=[^0-9]*[0-9])[A-Za-z0-9_-]{16,200}")
_DIGIT = re.compile(r"[0-9]")


def is_uid(value: Any) -> bool:
    """Whether *value* can be the uid of a model or of a request, which no word like `failed` can."""
    return is_plain(value) and _DIGIT.search(value) is not None


def read_submit(reply: Reply) -> SubmitOutcome:
    """Say what the answer to the request that spends means: only a 2xx with a uid accepts it."""
    if refused := STATUSES.refusal(reply):
        return refused
    response = object_of(parsed(reply.body)).get("response")
    uid = response.get("modelUid") if isinstance(response, dict) else _bare(response)
    if is_success(reply) and is_uid(uid):
        return Accepted(str(uid))
    return STATUSES.unclear(reply, "a uid", _said(response))


def _bare(response: Any) -> str | None:
    return response if isinstance(response, str) and _BARE_UID.fullmatch(response) else None


def _said(response: Any) -> str | None:
    """Return what stands in the place of a uid, for a person to read."""
    return response.strip()[:TEXT_MAX] or None if isinstance(response, str) else complaint(response)[1]


def read_callback(callback: Callback, params: Any) -> CallbackMeaning:
    """
    Say what a delivery means: that the task is done. Pixu never says that one has failed.

    An empty slot has no meaning: links are tried out by all kinds of programs.
    """
    if callback.method.upper() != "GET":
        return Unreadable(f"Pixu calls back with GET, not {callback.method[:20]}")
    try:
        uids = parse_qs(callback.query, keep_blank_values=True, max_num_fields=20).get(SLOT, [""])
    except ValueError:
        return Unreadable("the query cannot be read")
    if set(uids) <= {""}:
        return Meaningless()
    uid = uids[0].strip()
    if len(uids) > 1 or not is_uid(uid):
        return Unreadable("what was appended to the URL is no uid")
    is_model = isinstance(params, CreateModel | CreateModelFromUrl)
    output = {"modelUid": uid} if is_model else {"request_uid": uid}
    return Verdict(uid, Done(output=output, task_id=uid))
