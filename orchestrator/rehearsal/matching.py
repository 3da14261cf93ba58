"""
Compares what came with what was expected, and says where they differ.

A value is expected as it stands: texts, numbers, lists item by item, and of objects the fields that
are named. An object whose keys are all matchers is a question instead:

    matches: '^[0-9a-f-]+$'    a text with such a part        count: 3       so many items
    contains: face             a text or a list with it in it  one_of: [a, b] one of these values
    at_least: 1, at_most: 3    a number, from and to           file: image/*  a file of such a kind
    any: true                  anything but null               equals: {…}    exactly this, field by field
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any


@dataclass(frozen=True, slots=True)
class Difference:
    """Where something is not as it was expected. *expected* and *found* are texts for people."""

    at: str
    expected: str
    found: str

    def to_json(self) -> dict[str, str]:
        """Return it for machines."""
        return {"at": self.at, "expected": self.expected, "found": self.found}


def is_matcher(expected: Any) -> bool:
    """Return whether *expected* asks a question rather than being a value."""
    return isinstance(expected, Mapping) and bool(expected) and expected.keys() <= MATCHERS.keys()


def complaint(expected: Any) -> str | None:
    """Say what is wrong with the question that *expected* asks, or nothing."""
    for name, wanted in expected.items() if is_matcher(expected) else ():
        kinds, words = _WANTED[name]
        if not isinstance(wanted, kinds) or (isinstance(wanted, bool) and bool not in kinds):
            return f"'{name}' takes {words}"
        if name == "matches":
            try:
                re.compile(str(wanted))
            except re.error as error:
                return f"'matches' is no regular expression: {error}"
    return None


def differences(expected: Any, found: Any, at: str) -> Iterator[Difference]:
    """Yield everything in which *found* is not as *expected*."""
    if is_matcher(expected):
        for name, wanted in expected.items():
            if not MATCHERS[name](wanted, found):
                yield Difference(at, f"{name}: {text_of(wanted)}", _shown(name, found))
    elif isinstance(expected, Mapping) and isinstance(found, Mapping):
        for key, wanted in expected.items():
            if key in found:
                yield from differences(wanted, found[key], f"{at}.{key}")
            else:
                yield Difference(f"{at}.{key}", text_of(wanted), "nothing")
    elif isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        for index, (wanted, came) in enumerate(zip(expected, found, strict=True)):
            yield from differences(wanted, came, f"{at}[{index}]")
    elif not is_same(expected, found):
        yield Difference(at, text_of(expected), text_of(found))


def is_same(one: Any, other: Any) -> bool:
    """Return whether two JSON values are equal; true is not 1."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(is_same, one, other))
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(is_same(one[key], other[key]) for key in one)
    return bool(one == other)


def text_of(value: Any, length: int = 160) -> str:
    """Return *value* on one line, cut where it is long; a file in words."""
    if isinstance(value, str):
        text = value
    elif isinstance(value, Mapping) and "media_type" in value:
        text = f"a file, {value['media_type']} {value.get('width') or '?'} × {value.get('height') or '?'}"
    elif isinstance(value, list):
        text = f"[{', '.join(text_of(item) for item in value)}]"
    else:
        text = f"{value:g}" if isinstance(value, float) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= length else f"{text[: length - 1]}…"


def _shown(name: str, found: Any) -> str:
    if name == "count" and isinstance(found, list | Mapping | str):
        return f"{len(found)}: {text_of(found)}"
    return text_of(found)


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _contains(wanted: Any, found: Any) -> bool:
    if isinstance(found, str):
        return isinstance(wanted, str) and wanted in found
    if isinstance(found, list):
        return any(not list(differences(wanted, item, "")) for item in found)
    return isinstance(found, Mapping) and wanted in found


def _file(wanted: str, found: Any) -> bool:
    return isinstance(found, Mapping) and fnmatchcase(str(found.get("media_type", "")), wanted)


def _one_of(wanted: list[Any], found: Any) -> bool:
    return any(not list(differences(each, found, "")) for each in wanted)


MATCHERS: Mapping[str, Callable[[Any, Any], bool]] = {
    "matches": lambda wanted, found: isinstance(found, str) and re.search(wanted, found) is not None,
    "contains": _contains,
    "count": lambda wanted, found: isinstance(found, list | dict | str) and len(found) == wanted,
    "at_least": lambda wanted, found: _number(found) and found >= wanted,
    "at_most": lambda wanted, found: _number(found) and found <= wanted,
    "one_of": _one_of,
    "file": _file,
    "any": lambda wanted, found: (found is not None) is wanted,
    "equals": is_same,
}
"""What an object of expectations may ask, by the word for it."""

_WANTED: Mapping[str, tuple[tuple[type, ...], str]] = {
    "matches": ((str,), "a regular expression"),
    "contains": ((object,), "a value"),
    "count": ((int,), "a whole number"),
    "at_least": ((int, float), "a number"),
    "at_most": ((int, float), "a number"),
    "one_of": ((list,), "a list of values"),
    "file": ((str,), "a kind of file, such as image/png or image/*"),
    "any": ((bool,), "true, or false for null"),
    "equals": ((object,), "a value"),
}
