"""What a stranger answered or called back with, as expressions see it, however it is written."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from orchestrator.errors import InvalidValue
from orchestrator.outcomes import Callback, ResultFile
from orchestrator.providers.base import Reply
from orchestrator.providers.replies import address_of, parsed
from orchestrator.signatures import PROOF

FILES_MAX = 1_000
"""How many files one step may keep."""

_HIDDEN = frozenset({"set-cookie", "authorization", "proxy-authorization", PROOF})
_FORM = "application/x-www-form-urlencoded"
# Others are decoded as UTF-8: some of Python's codecs are no character sets, and some take for ever.
_CHARSET = re.compile(
    r"utf-?(8|16|32)|us-ascii|iso-8859-\d+|latin-?\d|windows-125\d|cp125\d|koi8-[ru]|big5|gb\w+|shift_jis|euc-\w+"
)
_TEXT = re.compile(r"text/.*|.*[/+](json|xml|javascript|x-www-form-urlencoded|yaml|x-ndjson)|")


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a request: its status (None where it was lost), headers and text."""

    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    text: str = ""

    @classmethod
    def of(cls, reply: Reply) -> "Answer":
        """Return what *reply* holds; what is no text, or was cut, has none."""
        text = "" if reply.cut else text_of(reply.body, reply.headers.get("content-type", ""))
        return cls(reply.status, _shown(reply.headers), text)

    def to_json(self) -> dict[str, Any]:
        """Return the answer as the log keeps it."""
        return {"status": self.status, "headers": dict(self.headers), "text": self.text}

    @classmethod
    def from_json(cls, data: Mapping[str, Any] | None) -> "Answer":
        """Return the answer that `to_json` wrote; None: it was lost."""
        return cls() if data is None else cls(data["status"], data["headers"], data["text"])

    def scope(self) -> dict[str, Any]:
        """Return it as expressions see it: `status`, `headers`, `json` and `text`."""
        json = parsed(self.text.encode()) if self.text else None
        return {"status": self.status, "headers": dict(self.headers), "json": json, "text": self.text}


@dataclass(frozen=True, slots=True)
class Heard:
    """What a callback says."""

    json: Any = None
    text: str = ""
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, callback: Callback) -> "Heard":
        """Return what *callback* holds: JSON, the fields of a form, or text."""
        text = text_of(callback.body, callback.content_type)
        is_form = _media_type(callback.content_type) == _FORM
        json = _fields(text) if is_form else parsed(text.encode()) if text else None
        return cls(json, text, _fields(callback.query), _shown(callback.headers))

    def scope(self) -> dict[str, Any]:
        """Return it as expressions see it: `json`, `text`, `query` and `headers`."""
        return {
            "json": self.json,
            "text": self.text,
            "query": dict(self.query),
            "headers": dict(self.headers),
        }


EMPTY = Heard()
"""No callback was waited for."""


def text_of(body: bytes, content_type: str) -> str:
    """Return the text that *body* is; empty where it is none."""
    media_type, charset = _media_type(content_type), _charset(content_type)
    if charset is not None or _TEXT.fullmatch(media_type):
        try:
            return body.decode(charset or "utf-8", "replace").replace("\0", "\ufffd")
        except LookupError:
            return body.decode("utf-8", "replace").replace("\0", "\ufffd")
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return ""
    return "" if "\0" in text else text


def files_of(value: Any) -> tuple[ResultFile, ...]:
    """
    Return the files at the addresses that *value* is: one, a list of them, or none.

    Errors:  InvalidValue for anything else.
    """
    addresses = [address for address in _flat(value) if address is not None]
    if len(addresses) > FILES_MAX:
        raise InvalidValue(f"artifacts: gives {len(addresses)} addresses; at most {FILES_MAX} are kept")
    for address in addresses:
        if address_of(address) is None:
            shown = repr(address)[:80] if isinstance(address, str) else type(address).__name__
            raise InvalidValue(f"artifacts: gives {shown}, which is no http(s) address")
    return tuple(ResultFile(address) for address in addresses)


def _flat(value: Any) -> list[Any]:
    if not isinstance(value, list):
        return [value]
    return [inner for item in value for inner in _flat(item)]


def _fields(text: str) -> dict[str, str]:
    """Return the fields of a query or a form; of one that comes repeatedly, the first."""
    return dict(reversed(parse_qsl(text, keep_blank_values=True)))


def _media_type(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def _charset(content_type: str) -> str | None:
    found = re.search(r";\s*charset=\"?([\w-]{1,40})", content_type, re.IGNORECASE)
    if found is None or not _CHARSET.fullmatch(found[1].lower()):
        return None
    return found[1].lower()


def _shown(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name not in _HIDDEN}
