"""
YAML as plain JSON values, with the place of every key and value.

YAML 1.2, core schema: `on`, `yes` and dates are text. Made straight from the
parser's events, so that depth and size are bounded before anything is built.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from orchestrator.wording import quoted

BYTES_MAX = 256 * 1024
DEPTH_MAX = 32
"""Of maps and lists in each other; what the parser itself takes is not bounded by anything but time."""

Path = tuple[str | int, ...]
"""From the top to a value: keys and indices."""


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where something is in a file; both count from 1."""

    line: int = 1
    column: int = 1


class Unreadable(ValueError):
    """The text is not the YAML that a definition is written in."""

    def __init__(self, message: str, place: Place, hint: str | None = None) -> None:
        super().__init__(message)
        self.message, self.place, self.hint = message, place, hint


@dataclass(frozen=True, slots=True)
class _Scalar:
    start: int
    end: int
    place: Place
    style: str | None


@dataclass(slots=True)
class Document:
    """
    A file as plain JSON values, and where everything in it was written.

    *data* is None for an empty file. A document without text (one that was not
    written by a person) has every place at the top.
    """

    data: Any
    text: str = ""
    flaws: list[tuple[str, Place, str | None]] = field(default_factory=list)
    """What is wrong but does not keep the rest from being read: (message, place, hint)."""
    _keys: dict[Path, Place] = field(default_factory=dict)
    _values: dict[Path, Place] = field(default_factory=dict)
    _scalars: dict[Path, _Scalar] = field(default_factory=dict)

    def value(self, path: Path) -> Place:
        """Return where the value at *path* starts, or the nearest thing around it that was written."""
        while path and path not in self._values:
            path = path[:-1]
            if path in self._keys:
                return self._keys[path]
        return self._values.get(path, Place())

    def holds(self, path: Path) -> bool:
        """Return whether there is a value at *path* itself."""
        return path in self._values

    def key(self, path: Path) -> Place:
        """Return where the key of *path* is; for an item of a list, the item."""
        return self._keys.get(path) or self.value(path)

    def inside(self, path: Path, offset: int) -> Place:
        """Return the place of the character *offset* of the text at *path*, as near as the file shows it."""
        written, value = self._scalars.get(path), _at(self.data, path)
        if written is None or not isinstance(value, str):
            return self.value(path)
        raw = self.text[written.start : written.end]
        if value and value in raw:
            return _place(self.text, written.start + raw.index(value) + offset)
        # Escapes, folding and indentation move characters: look for what stands at the offset.
        snippet = value[offset : offset + 24].split("\n")[0]
        found = _nth(raw, snippet, value.count(snippet, 0, offset)) if snippet else -1
        return _place(self.text, written.start + found) if found >= 0 else written.place

    def after(self, path: Path) -> str:
        """Return what follows the text at *path* on its last line."""
        scalar = self._scalars.get(path)
        return self.text[scalar.end :].split("\n", 1)[0] if scalar else ""

    def text_at(self, path: Path) -> str:
        """Return the text at *path*, or nothing where there is none."""
        value = _at(self.data, path)
        return value if isinstance(value, str) else ""

    def is_plain(self, path: Path) -> bool:
        """Whether the text at *path* was written without quotes."""
        scalar = self._scalars.get(path)
        return scalar is not None and scalar.style is None


def _at(data: Any, path: Path) -> Any:
    for part in path:
        data = data[part]
    return data


def _nth(text: str, part: str, n: int) -> int:
    """Return where *part* stands in *text* after *n* others, or -1."""
    at = text.find(part)
    while n and at >= 0:
        at, n = text.find(part, at + len(part)), n - 1
    return at


def _place(text: str, index: int) -> Place:
    start = text.rfind("\n", 0, index) + 1
    return Place(text.count("\n", 0, start) + 1, index - start + 1)


# Each file is read for what others may know of it, and then for itself.
@lru_cache(maxsize=32)
def read(text: str) -> Document:
    """Return the document that *text* is. Errors: Unreadable, for what makes it no document at all."""
    if len(text.encode("utf-8", "surrogatepass")) > BYTES_MAX:
        raise Unreadable(f"the file is larger than {BYTES_MAX // 1024} KB", Place())
    reader = _Reader(text)
    try:
        reader.read()
    except MarkedYAMLError as error:
        raise _syntax_error(error, text) from None
    except YAMLError as error:
        position = getattr(error, "position", 0)
        raise Unreadable(f"no valid YAML: {_first_line(error)}", _place(text, position)) from None
    except RecursionError:
        raise Unreadable(f"maps and lists are nested more than {DEPTH_MAX} deep", Place()) from None
    return reader.document


def _first_line(error: YAMLError) -> str:
    return str(getattr(error, "reason", error)).split("\n")[0]


QUOTE_THIS = "quote this value: '${{ … }}'"


def _syntax_error(error: MarkedYAMLError, text: str) -> Unreadable:
    mark = error.problem_mark or error.context_mark
    place = Place(mark.line + 1, mark.column + 1) if mark else Place()
    problem = (error.problem or "it cannot be read").replace("'\\t'", "tab")
    context = f" ({error.context})" if error.context else ""
    lines = text.split("\n")
    here = lines[place.line - 1] if place.line <= len(lines) else ""
    hint = None
    if "${{" in here:
        hint = QUOTE_THIS
    elif "\t" in here:
        hint = "indent with spaces"
    elif "mapping values are not allowed" in problem:
        hint = "a text that holds ': ' has to be in quotes"
    elif "block end" in problem or "block mapping" in context:
        hint = "look at the indentation: keys of one map begin in the same column"
    return Unreadable(f"no valid YAML: {problem}{context}", place, hint)


# --- from events to values -------------------------------------------------------------------

_NULL = re.compile(r"~|null|Null|NULL|")
_TRUE = re.compile(r"true|True|TRUE")
_FALSE = re.compile(r"false|False|FALSE")
_INTEGER = re.compile(r"[-+]?[0-9]{1,400}")
_OCTAL = re.compile(r"0o[0-7]{1,400}")
_HEXADECIMAL = re.compile(r"0x[0-9a-fA-F]{1,400}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NO_NUMBER = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")

_TAGS = {
    "tag:yaml.org,2002:str": (str,),
    "tag:yaml.org,2002:int": (int,),
    "tag:yaml.org,2002:float": (float, int),
    "tag:yaml.org,2002:bool": (bool,),
    "tag:yaml.org,2002:null": (type(None),),
}


def scalar(text: str) -> Any:
    """Return the value of a plain scalar. Source: YAML 1.2.2, 10.3.2. Errors: ValueError."""
    if _NULL.fullmatch(text):
        return None
    if _TRUE.fullmatch(text) or _FALSE.fullmatch(text):
        return text[0] in "tT"
    if _NO_NUMBER.fullmatch(text):
        raise ValueError(f"{text} is no number that JSON knows")
    if _INTEGER.fullmatch(text):
        return _whole(int(text))
    if _OCTAL.fullmatch(text) or _HEXADECIMAL.fullmatch(text):
        return _whole(int(text, 0))
    if _FLOAT.fullmatch(text):
        return _finite(float(text))
    return text


def _whole(number: int) -> int:
    if not -(2**63) <= number < 2**64:
        raise ValueError("the whole number is too large (over 64 bits): quote it if it is an id")
    return number


def _finite(number: float) -> float:
    if number in (float("inf"), float("-inf")):
        raise ValueError("the number is too large")
    return number


class _Reader:
    """Builds the document from the parser's events."""

    def __init__(self, text: str) -> None:
        self.document = Document(None, text)
        self._events: Iterator[Event] = YAML(typ="rt", pure=True).parse(text)

    def read(self) -> None:
        documents = 0
        for event in self._events:
            if isinstance(event, DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise Unreadable("one workflow a file: a second document starts here", _start(event))
                self.document.data = self._value(next(self._events), (), 0)
            elif isinstance(event, StreamEndEvent):
                return

    def _value(self, event: Event, path: Path, depth: int) -> Any:
        self.document._values[path] = _start(event)
        if depth > DEPTH_MAX:
            raise Unreadable(f"maps and lists are nested more than {DEPTH_MAX} deep", _start(event))
        if isinstance(event, AliasEvent):
            self._flaw("aliases (*name) are not supported", event, "write the value out")
            return None
        if isinstance(event, MappingStartEvent):
            return self._mapping(event, path, depth)
        if isinstance(event, SequenceStartEvent):
            return self._sequence(event, path, depth)
        assert isinstance(event, ScalarEvent)
        return self._scalar(event, path)

    def _mapping(self, event: MappingStartEvent, path: Path, depth: int) -> dict[str, Any]:
        self._check_tag(event)
        mapping: dict[str, Any] = {}
        while not isinstance(start := next(self._events), MappingEndEvent):
            key = self._key(start, path, depth)
            if key in mapping:
                first = self.document._keys[(*path, key)]
                self._flaw(f"the key {quoted(key)} is here twice (first in line {first.line})", start, None)
                # Read under a name of its own, so that the places of the first stay.
                self._value(next(self._events), (*path, key, "(again)"), depth + 1)
                continue
            self.document._keys[(*path, key)] = _start(start)
            mapping[key] = self._value(next(self._events), (*path, key), depth + 1)
        return mapping

    def _key(self, event: Event, path: Path, depth: int) -> str:
        if isinstance(event, ScalarEvent) and isinstance(event.value, str):
            if "${{" in event.value:
                self._flaw("a key cannot hold an expression", event, None)
            if event.value == "<<" and event.style is None:
                self._flaw("merge keys (<<) are not supported", event, "write the keys out")
            return self._sound(event.value, event)
        self._value(event, (*path, "(key)"), depth + 1)
        self._flaw("a key has to be a text", event, QUOTE_THIS if self._has_expression(event) else None)
        return "(key)"

    def _has_expression(self, event: Event) -> bool:
        start = event.start_mark
        return "${{" in self.document.text.split("\n")[start.line] if start else False

    def _sequence(self, event: SequenceStartEvent, path: Path, depth: int) -> list[Any]:
        self._check_tag(event)
        items: list[Any] = []
        while not isinstance(start := next(self._events), SequenceEndEvent):
            items.append(self._value(start, (*path, len(items)), depth + 1))
        return items

    def _scalar(self, event: ScalarEvent, path: Path) -> Any:
        text, plain = str(event.value), event.style is None
        start, end = event.start_mark, event.end_mark
        self.document._scalars[path] = _Scalar(start.index, end.index, _start(event), event.style)
        if start.index == end.index and plain and path in self.document._keys:
            # What is empty starts wherever the next thing does.
            self.document._values[path] = self.document._keys[path]
        if event.ctag is not None and str(event.ctag) == "!":
            plain = False
        try:
            value = scalar(text) if plain else text
        except ValueError as error:
            self._flaw(str(error), event, None)
            return None
        return self._tagged(value, text, event)

    def _tagged(self, value: Any, text: str, event: ScalarEvent) -> Any:
        tag = str(event.ctag) if event.ctag is not None else "!"
        if tag.endswith(":str") and tag in _TAGS:
            value = text
        elif tag != "!" and not isinstance(value, _TAGS.get(tag, ())):
            self._flaw_of_tag(tag, event)
        return self._sound(value, event) if isinstance(value, str) else value

    def _check_tag(self, event: NodeEvent) -> None:
        tag = getattr(event, "ctag", None)
        if tag is not None and str(tag) not in ("!", "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"):
            self._flaw_of_tag(str(tag), event)

    def _flaw_of_tag(self, tag: str, event: Event) -> None:
        hint = "quote this value: an unquoted ! starts a tag; in expressions write `not` instead"
        self._flaw(f"tags such as {quoted(tag)} are not supported", event, hint)

    def _sound(self, text: str, event: Event) -> str:
        try:
            text.encode()
        except UnicodeEncodeError:
            self._flaw("the text holds half of a character (a lone surrogate)", event, None)
            return ""
        return text

    def _flaw(self, message: str, event: Event, hint: str | None) -> None:
        self.document.flaws.append((message, _start(event), hint))


def _start(event: Event) -> Place:
    mark = event.start_mark
    return Place(mark.line + 1, mark.column + 1) if mark else Place()
