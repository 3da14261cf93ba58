"""
The filters and tests of expressions: a closed set, each bounded in what it can make.

Where Jinja's own filter of that name would lose something silently, ours does not:
`default` replaces null too, `int` and `float` fail instead of giving 0, `unique`
and `sort` tell capitals apart, `round` without places gives a whole number.
"""

import functools
import inspect
import math
from collections.abc import Callable, Iterator
from typing import Any

import orjson
from jinja2 import Undefined

from orchestrator.definition.json_values import (
    WEIGHT_MAX,
    as_text,
    bound_length,
    bounded_list,
    bounded_number,
    checked,
    is_number,
    kind,
    weight,
)
from orchestrator.definition.lookup import Absent, follow
from orchestrator.wording import did_you_mean, quoted

FILTERS: dict[str, Callable[..., Any]] = {}
"""Filters by name."""

CONCATENATE = "~"
"""What `a ~ b` becomes; as a name nobody can write it after a `|`."""

_PLACES_MAX = 15
_NOT_GIVEN: Any = object()


def _filter(function: Callable[..., Any], name: str | None = None) -> Callable[..., Any]:
    """Register *function*: what it is given is present, plain and bounded, and what it gives is too."""

    @functools.wraps(function)
    def guarded(*args: Any, **named: Any) -> Any:
        for arg in [*args, *named.values()]:
            checked(arg)
        return checked(function(*args, **named))

    FILTERS[name or function.__name__.strip("_")] = guarded
    return guarded


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        hint = ": take its | keys or | values" if isinstance(value, dict) else ""
        raise ValueError(f"a list is needed, not {kind(value)}{hint}")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"a text is needed, not {kind(value)}")
    return value


def _number(value: Any) -> Any:
    if not is_number(value):
        raise ValueError(f"a number is needed, not {kind(value)}")
    return value


def _whole(value: Any, least: int, most: int) -> int:
    if not is_number(value) or not isinstance(value, int) or not least <= value <= most:
        raise ValueError(f"a whole number from {least} to {most} is needed, not {as_text(value)[:30]}")
    return value


def _attribute(item: Any, attribute: Any) -> Any:
    if attribute is None:
        return item
    return follow(item, as_text(attribute))


# --- any value -------------------------------------------------------------------------------


def default(value: Any, replacement: Any = "", also_empty: bool = False) -> Any:
    """Return *replacement* for what is missing or null; with `true` also for what is empty, 0 or false."""
    if isinstance(value, Undefined) or value is None or (also_empty and not value):
        return replacement
    return value


FILTERS["default"] = default


@_filter
def length(value: Any) -> int:
    if not isinstance(value, str | list | dict):
        raise ValueError(f"{kind(value)} has no length")
    return len(value)


@_filter
def string(value: Any) -> str:
    return as_text(value)


@_filter
def tojson(value: Any) -> str:
    return orjson.dumps(value).decode()


@_filter
def fromjson(value: Any) -> Any:
    try:
        return orjson.loads(_text(value))
    except orjson.JSONDecodeError as error:
        raise ValueError(f"the text is no JSON: {error.msg}") from error


def _convert(value: Any, to: Callable[[Any], Any], replacement: Any, name: str) -> Any:
    try:
        if isinstance(value, str | int | float) and len(str(value)) <= 400:
            return bounded_number(to(value))
    except (ValueError, OverflowError):
        pass
    if replacement is not _NOT_GIVEN:
        return replacement
    shown = quoted(value) if isinstance(value, str) else kind(value)
    raise ValueError(f"{shown} cannot be read as {name}")


@functools.partial(_filter, name="int")
def _int(value: Any, replacement: Any = None) -> Any:
    given = _NOT_GIVEN if replacement is None else replacement
    return _convert(value, lambda v: int(float(v)) if "." in str(v) else int(v), given, "a whole number")


@functools.partial(_filter, name="float")
def _float(value: Any, replacement: Any = None) -> Any:
    return _convert(value, float, _NOT_GIVEN if replacement is None else replacement, "a number")


# --- numbers ---------------------------------------------------------------------------------


@functools.partial(_filter, name="abs")
def _abs(value: Any) -> Any:
    return abs(_number(value))


@functools.partial(_filter, name="round")
def _round(value: Any, places: int = 0, method: str = "common") -> Any:
    _number(value), _whole(places, 0, _PLACES_MAX)
    rounding = {"common": None, "ceil": math.ceil, "floor": math.floor}
    if method not in rounding:
        raise ValueError(f"round knows common, ceil and floor, not {quoted(as_text(method))}")
    to_whole = rounding[method]
    if to_whole is None:
        # Halves go up, as everybody learnt it, not to the even neighbour.
        return round(value, places) if places else math.floor(value + 0.5)
    scaled = to_whole(value * 10**places)
    return scaled / 10**places if places else scaled


# --- texts -----------------------------------------------------------------------------------


@_filter
def lower(value: Any) -> str:
    return _text(value).lower()


@_filter
def upper(value: Any) -> str:
    return _text(value).upper()


@_filter
def trim(value: Any, characters: str | None = None) -> str:
    return _text(value).strip(characters)


@_filter
def replace(value: Any, old: str, new: str, count: int | None = None) -> str:
    text, old, new = _text(value), _text(old), _text(new)
    if not old:
        raise ValueError("replace needs a text to look for")
    times = text.count(old) if count is None else min(text.count(old), _whole(count, 0, 10**9))
    bound_length(len(text) + times * (len(new) - len(old)))
    return text.replace(old, new, times)


@_filter
def split(value: Any, separator: str | None = None) -> list[str]:
    """Return the parts between *separator*, or between white space."""
    text = _text(value)
    if separator is None:
        return text.split()
    if not _text(separator):
        raise ValueError("split needs a separator that is not empty")
    return text.split(separator)


# --- lists -----------------------------------------------------------------------------------


def _first_of(value: Any, at: int, name: str) -> Any:
    items = value if isinstance(value, str) else _list(value)
    return items[at] if items else Absent(hint=f"an empty {_noun(value)} has no {name} item")


def _noun(value: Any) -> str:
    return "text" if isinstance(value, str) else "list"


def first(value: Any) -> Any:
    """Return the first item; of an empty list something that is missing, so that a default can replace it."""
    return _first_of(value, 0, "first")


def last(value: Any) -> Any:
    """Return the last item; of an empty list as `first`."""
    return _first_of(value, -1, "last")


FILTERS |= {"first": first, "last": last}


@functools.partial(_filter, name="list")
def _as_list(value: Any) -> list[Any]:
    return [*value] if isinstance(value, str | dict) else _list(value)


@_filter
def keys(value: Any) -> list[str]:
    return list(_object(value))


@_filter
def values(value: Any) -> list[Any]:
    return list(_object(value).values())


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"an object is needed, not {kind(value)}")
    return value


@_filter
def flatten(value: Any) -> list[Any]:
    """Return the items of the lists in *value*, one level down; an item that is no list stays, null goes."""
    flat: list[Any] = []
    for item in _list(value):
        if isinstance(item, list):
            flat += item
        elif item is not None:
            flat.append(item)
        bounded_list(flat)
    return flat


@_filter
def reverse(value: Any) -> list[Any]:
    return _list(value)[::-1]


@_filter
def batch(value: Any, size: int) -> list[list[Any]]:
    """Return lists of *size* items each; the last may be shorter."""
    items, step = _list(value), _whole(size, 1, 1_000_000)
    return [items[at : at + step] for at in range(0, len(items), step)]


@_filter
def join(value: Any, separator: str = "", attribute: str | None = None) -> str:
    return _joined([_attribute(item, attribute) for item in _list(value)], _text(separator))


def _joined(items: list[Any], separator: str = "") -> str:
    texts: list[str] = []
    length = 0
    for item in items:
        texts.append(as_text(item))
        length += len(texts[-1]) + len(separator)
        bound_length(length - len(separator))
    return separator.join(texts)


@functools.partial(_filter, name=CONCATENATE)
def _concatenate(values: list[Any]) -> str:
    return _joined(values)


@_filter
def unique(value: Any, attribute: str | None = None) -> list[Any]:
    """Return each item once, in order; 1, 1.0 and true are different."""
    seen: dict[bytes, Any] = {}
    for item in _list(value):
        key = checked(_attribute(item, attribute))
        seen.setdefault(orjson.dumps(key, option=orjson.OPT_SORT_KEYS), item)
    return list(seen.values())


def _comparable(items: list[Any], attribute: str | None) -> Callable[[Any], Any]:
    """Return the sort key. Errors: ValueError unless all are numbers or all are texts."""
    found = {kind(_attribute(item, attribute)) for item in items}
    if len(found) > 1 or not found <= {"a number", "text"}:
        raise ValueError(f"only numbers or only texts can be ordered, not {' and '.join(sorted(found))}")
    return lambda item: _attribute(item, attribute)


@_filter
def sort(value: Any, reverse: bool = False, attribute: str | None = None) -> list[Any]:
    items = _list(value)
    return sorted(items, key=_comparable(items, attribute), reverse=bool(reverse))


@functools.partial(_filter, name="sum")
def _sum(value: Any, attribute: str | None = None, start: Any = 0) -> Any:
    return sum((_number(_attribute(item, attribute)) for item in _list(value)), _number(start))


def _extreme(value: Any, attribute: Any, choose: Callable[..., Any], name: str) -> Any:
    items = checked(_list(value))
    if not items:
        return Absent(hint=f"an empty list has no {name}")
    return choose(items, key=_comparable(items, attribute))


def _min(value: Any, attribute: str | None = None) -> Any:
    return _extreme(value, attribute, min, "smallest item")


def _max(value: Any, attribute: str | None = None) -> Any:
    return _extreme(value, attribute, max, "largest item")


FILTERS |= {"min": _min, "max": _max}


# --- filters that take filters and tests by name ---------------------------------------------


@functools.partial(_filter, name="map")
def _map(
    value: Any, name: str | None = None, *args: Any, attribute: str | None = None, default: Any = None
) -> Any:
    """Return each item's *attribute*, or what the filter called *name* makes of it."""
    if (name is None) == (attribute is None):
        raise ValueError("map takes the name of a filter, or attribute='…'")
    room, made = WEIGHT_MAX, []
    for item in _list(value):
        made.append(_mapped(item, name, args, attribute, default))
        room -= weight(made[-1])
        if room < 0:
            raise ValueError("the mapped list is too large")
    return made


def _mapped(item: Any, name: str | None, args: Any, attribute: str | None, replacement: Any) -> Any:
    if name is not None:
        return _known(FILTERS, name, "filter")(item, *args)
    found = follow(item, as_text(attribute))
    return replacement if isinstance(found, Undefined) and replacement is not None else found


def _known(table: dict[str, Callable[..., Any]], name: str, noun: str) -> Callable[..., Any]:
    function = table.get(_text(name))
    if function is None:
        raise ValueError(f"there is no {noun} {quoted(name)} ({did_you_mean(name, table)})")
    return function


def _chosen(items: list[Any], attribute: Any, test: str | None, args: Any) -> Iterator[bool]:
    for item in items:
        found = _attribute(item, attribute)
        if test is not None:
            yield bool(_known(TESTS, test, "test")(found, *args))
        else:
            # Selecting by a field that some items lack is what `selectattr` is for.
            yield not isinstance(found, Undefined) and bool(found)


def _sieve(value: Any, attribute: Any, test: str | None, args: Any, wanted: bool) -> list[Any]:
    items = _list(value)
    flags = _chosen(items, attribute, test, args)
    return [item for item, flag in zip(items, flags, strict=True) if flag is wanted]


@_filter
def select(value: Any, test: str | None = None, *args: Any) -> list[Any]:
    return _sieve(value, None, test, args, True)


@_filter
def reject(value: Any, test: str | None = None, *args: Any) -> list[Any]:
    return _sieve(value, None, test, args, False)


@_filter
def selectattr(value: Any, attribute: str, test: str | None = None, *args: Any) -> list[Any]:
    return _sieve(value, attribute, test, args, True)


@_filter
def rejectattr(value: Any, attribute: str, test: str | None = None, *args: Any) -> list[Any]:
    return _sieve(value, attribute, test, args, False)


# --- tests -----------------------------------------------------------------------------------


def _divisible(value: Any, by: Any) -> bool:
    return bool(_number(value) % _number(by) == 0)


def _contained(value: Any, holder: Any) -> bool:
    if isinstance(holder, str):
        return _text(value) in holder
    if not isinstance(holder, list | dict):
        raise ValueError(f"{kind(holder)} contains nothing")
    return value in holder


TESTS: dict[str, Callable[..., Any]] = {
    "defined": lambda value: not isinstance(value, Undefined),
    "undefined": lambda value: isinstance(value, Undefined),
    "none": lambda value: kind(value) == "null",
    "null": lambda value: kind(value) == "null",
    "true": lambda value: value is True,
    "false": lambda value: value is False,
    "boolean": lambda value: kind(value) == "true or false",
    "string": lambda value: kind(value) == "text",
    "number": lambda value: kind(value) == "a number",
    "integer": lambda value: kind(value) == "a number" and isinstance(value, int),
    "float": lambda value: kind(value) == "a number" and isinstance(value, float),
    "mapping": lambda value: kind(value) == "an object",
    "list": lambda value: kind(value) == "a list",
    "even": lambda value: _divisible(value, 2),
    "odd": lambda value: not _divisible(value, 2),
    "divisibleby": _divisible,
    "in": _contained,
    "eq": lambda value, other: value == other,
    "ne": lambda value, other: value != other,
    "lt": lambda value, other: value < other,
    "le": lambda value, other: value <= other,
    "gt": lambda value, other: value > other,
    "ge": lambda value, other: value >= other,
}
"""Tests by name, for `is` and for select, reject, selectattr, rejectattr."""

TESTS |= {sign: TESTS[n] for sign, n in {"==": "eq", "!=": "ne", "<": "lt", "<=": "le"}.items()}
TESTS |= {sign: TESTS[n] for sign, n in {">": "gt", ">=": "ge"}.items()}


def misuse(function: Callable[..., Any], args: int, named: list[str]) -> str | None:
    """Say what is wrong with giving a filter or test so many arguments besides its value, or nothing."""
    try:
        inspect.signature(function).bind(*[None] * (args + 1), **dict.fromkeys(named))
    except TypeError as error:
        return str(error)
    return None
