"""
What a provider's answer holds, read leniently: nothing here raises, whatever was sent.

Documents leave much open (which status a success has, what an error looks like), so
every connector reads with these: what is there is taken, what is not is None.
"""

import re
from codecs import BOM_UTF8
from datetime import UTC, datetime
from math import isfinite
from typing import Any

import orjson

from orchestrator.providers.base import Reply, ResultFile

TEXT_MAX = 500
"""Longer texts of a provider are cut, in characters."""

_RETRY_AFTER_MAX_S = 86_400.0
_WEB_ADDRESS = re.compile(r"https?://[^\s/?#]\S*")
_AMOUNT = re.compile(r"-?[0-9]{1,15}(?:\.[0-9]{1,15})?")
_MACHINE_WORD = re.compile(r"[A-Za-z0-9.-]+(?:_[A-Za-z0-9.-]+)+")


def parsed(body: bytes) -> Any:
    """Return the JSON value of *body*, or None where it is none, or too deep to be kept."""
    try:
        # Some begin with the mark that others need to tell UTF-8.
        value = orjson.loads(body.removeprefix(BOM_UTF8))
        # What is nested too deeply to be written again could not be kept in the log either.
        orjson.dumps(value)
    except (orjson.JSONDecodeError, orjson.JSONEncodeError, RecursionError):
        return None
    return value


def object_of(value: Any) -> dict[str, Any]:
    """Return *value* where it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def is_success(reply: Reply) -> bool:
    """Whether the HTTP status says success; documents rarely say which 2xx it is, so any does."""
    return 200 <= reply.status < 300


def text_of(value: Any) -> str | None:
    """Return *value* as a short text for people, or None where it is no text or number."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    return str(value).strip()[:TEXT_MAX] or None


def number_of(value: Any) -> float | None:
    """Return *value* where it is a number, as JSON means it: neither a text nor true or false."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        return None
    return float(value)


def amount_of(value: Any) -> float | None:
    """Return *value* where it is a number, or a text that is nothing but one."""
    if isinstance(value, str) and _AMOUNT.fullmatch(value.strip()):
        return float(value)
    return number_of(value)


def seconds_of(value: Any) -> float | None:
    """Return a time in seconds since the epoch: text as RFC 3339, or a number of seconds or milliseconds."""
    number = number_of(value)
    if number is not None:
        return number / 1000 if number > 1e11 else number
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
        if moment is None:
            return None
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def address_of(value: Any) -> str | None:
    """Return *value* where it is an http(s) address that can be asked for."""
    is_address = isinstance(value, str) and value.isprintable() and _WEB_ADDRESS.fullmatch(value)
    return value if is_address else None


def files_at(*addresses: str | None) -> tuple[ResultFile, ...]:
    """Return the files at *addresses*, in their order."""
    return tuple(ResultFile(address) for address in addresses if address is not None)


def retry_after_s(reply: Reply) -> float | None:
    """Return the seconds of Retry-After, at most a day. Of a date the transport has made seconds."""
    value = reply.headers.get("retry-after", "").strip()
    if not re.fullmatch(r"[0-9]{1,12}", value):
        return None
    return min(float(value), _RETRY_AFTER_MAX_S)


def complaint(value: Any) -> tuple[str | None, str | None]:
    """
    Return the (code, message) of an error body, each where there is one.

    They stand beside each other, inside `error`, or `error` is itself one of them: a machine's
    word such as insufficient_credits is a code, and the message too where there is no other.
    """
    told = object_of(value)
    error = told.get("error")
    inner = object_of(error)
    code = text_of(told.get("code")) or text_of(inner.get("code"))
    message = text_of(told.get("message")) or text_of(inner.get("message"))
    if code is None and isinstance(error, str) and _MACHINE_WORD.fullmatch(error.strip()):
        code = text_of(error)
    return code, message or text_of(error)
