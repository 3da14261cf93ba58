"""
Takes out of text whatever would let a reader act in our name.

By shape: callback tokens, signatures of links, authorization headers, passwords in URLs.
By value: every secret that `redact` was told of, in the spellings it may travel in.
By name:  fields that are called like a secret.
"""

import re
from base64 import b64encode
from collections.abc import Iterable, Mapping
from json import dumps
from typing import Any
from urllib.parse import quote, quote_plus

MASK = "[redacted]"
VALUE_LENGTH_MIN = 6
"""Characters. A shorter secret would blot out half of every line, and is none."""
TEXT_LENGTH_MAX = 8192
DEPTH_MAX = 8

_SHAPES = (
    # A token's tag, in a callback URL and wherever else a token stands; the job id is kept.
    (re.compile(r"(/callbacks/[^/\s?#]+/[^/\s?#.%]+)(?:\.|%2[Ee])[^/\s?#\"'<>]+"), rf"\1.{MASK}"),
    (re.compile(r"\b(job_[0-9a-z]{26})(?:\.|%2[Ee])[A-Za-z0-9_-]+"), rf"\1.{MASK}"),
    (re.compile(r"\b(sig=)[^&\s\"'#<>]+"), rf"\1{MASK}"),
    (re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{6,}"), rf"\1 {MASK}"),
    (
        re.compile(r"(?i)\b((?:x-api-key|authorization)[\"']?\s*[:=]\s*[\"']?)(?!bearer|basic)[^\s\"',}]+"),
        rf"\1{MASK}",
    ),
    (re.compile(r"(://)[^/\s@\"']+@"), rf"\1{MASK}@"),
)
_SECRET_FIELD = re.compile(
    r"(?i)(?:^|[_-])(?:authorization|api[_-]?key|secrets?|secret[_-]keys?|password|token|cookie|credentials?)$"
)
# What a terminal would obey instead of show. New lines and tabs are left: tracebacks have them.
_CONTROL = {code: f"\\x{code:02x}" for code in [*range(32), *range(127, 160)] if code not in (9, 10)}

_known: set[str] = set()
_values: re.Pattern[str] | None = None


def redact(secrets: Iterable[str]) -> None:
    """Never let any of *secrets* be seen from now on, beside those named before."""
    global _values
    for secret in secrets:
        if len(secret) >= VALUE_LENGTH_MIN:
            _known.update(_spellings(secret))
    longest_first = sorted(_known, key=len, reverse=True)
    _values = re.compile("|".join(map(re.escape, longest_first))) if _known else None


def scrub(text: str) -> str:
    """Return *text* without secrets, control characters and undue length."""
    if _values is not None:
        text = _values.sub(MASK, text)
    for shape, replacement in _SHAPES:
        text = shape.sub(replacement, text)
    if len(text) > TEXT_LENGTH_MAX:
        text = f"{text[:TEXT_LENGTH_MAX]}… ({len(text)} characters)"
    return text.translate(_CONTROL).encode("utf-8", "backslashreplace").decode()


def clean(value: Any, *, depth: int = 0) -> Any:
    """
    Return *value* as plain data that may be logged.

    Shape:   texts are scrubbed, bytes give way to their number, everything unknown
             becomes scrubbed text, so that no object can carry a secret past here.
    """
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, int):
        return value if -(2**63) <= value < 2**63 else str(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return f"<{len(value)} bytes>"
    if depth < DEPTH_MAX and isinstance(value, Mapping):
        return {scrub(str(key)): _field(str(key), item, depth) for key, item in value.items()}
    if depth < DEPTH_MAX and isinstance(value, list | tuple | set | frozenset):
        return [clean(item, depth=depth + 1) for item in value]
    return scrub(str(value))


def _field(name: str, value: Any, depth: int) -> Any:
    if _SECRET_FIELD.search(name) and value is not None:
        return MASK
    return clean(value, depth=depth + 1)


def _spellings(secret: str) -> set[str]:
    """Return *secret* as it looks in text, in a URL, in JSON, and as base64."""
    return {
        secret,
        quote(secret, safe=""),
        quote_plus(secret),
        dumps(secret)[1:-1],
        b64encode(secret.encode()).decode().rstrip("="),
    }
