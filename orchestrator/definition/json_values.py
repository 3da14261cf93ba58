"""The values that expressions give: plain JSON, bounded in size, and how they look inside a text."""

from typing import Any

import orjson
from jinja2 import Undefined

from orchestrator import wording

TEXT_MAX = 1_000_000
"""Characters of one text."""

LIST_MAX = 20_000
"""Items of one list."""

WEIGHT_MAX = 4_000_000
"""Of a whole value: one for each character, `_EACH` for each value in it."""

DEPTH_MAX = 64
"""Of lists and objects in each other."""

INTEGER_MIN, INTEGER_MAX = -(2**63), 2**64 - 1
"""What JSON libraries agree on."""

_EACH = 8


def kind(value: Any) -> str:
    """Return what people call such a value."""
    if isinstance(value, Undefined):
        str(value)  # Raises, and says what is missing.
    return wording.kind(value)


def is_number(value: Any) -> bool:
    """Whether *value* is a number; true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def checked(value: Any) -> Any:
    """Return *value* as it is. Errors: ValueError when it is no plain JSON, or too large a one."""
    _weigh(value, WEIGHT_MAX, 0)
    return value


def weight(value: Any) -> int:
    """Return how large *value* is. Errors: as `checked`."""
    return WEIGHT_MAX - _weigh(value, WEIGHT_MAX, 0)


def _weigh(value: Any, left: int, depth: int) -> int:
    """Return what is left of the weight allowed. Shared parts count each time, as in the JSON they become."""
    left -= _EACH
    if isinstance(value, str):
        left -= len(bounded_text(value))
        if not value.isascii():
            value.encode()  # Half a surrogate pair has no place in JSON.
    elif isinstance(value, dict | list):
        if depth == DEPTH_MAX:
            raise ValueError(f"the value is nested more than {DEPTH_MAX} deep")
        for part in _parts(value):
            left = _weigh(part, left, depth + 1)
    elif is_number(value):
        bounded_number(value)
    elif value is not None and not isinstance(value, bool):
        raise ValueError(f"{kind(value)} is no value that a workflow can hold")
    if left < 0:
        raise ValueError(f"the value is too large (over {WEIGHT_MAX:,} characters in all)")
    return left


def _parts(value: dict[Any, Any] | list[Any]) -> list[Any]:
    if isinstance(value, list):
        return bounded_list(value)
    for key in value:
        if not isinstance(key, str):
            raise ValueError(f"the keys of an object are texts, not {kind(key)}")
    return [*value, *value.values()]


def bounded_text(text: str) -> str:
    """Return *text*. Errors: ValueError when it is too long."""
    bound_length(len(text))
    return text


def bound_length(length: int) -> None:
    """Refuse a text before it is made. Errors: ValueError."""
    if length > TEXT_MAX:
        raise ValueError(f"the text is too long ({length:,} characters, at most {TEXT_MAX:,})")


def bounded_list(items: list[Any]) -> list[Any]:
    """Return *items*. Errors: ValueError when there are too many."""
    if len(items) > LIST_MAX:
        raise ValueError(f"the list is too long (over {LIST_MAX:,} items)")
    return items


def bounded_number(number: Any) -> Any:
    """Return *number*. Errors: ValueError when JSON cannot hold it."""
    if isinstance(number, complex) or number != number or number in (float("inf"), float("-inf")):
        raise ValueError("the result is no number")
    if isinstance(number, int) and not INTEGER_MIN <= number <= INTEGER_MAX:
        raise ValueError("the whole number is too large (over 64 bits)")
    return number


def as_text(value: Any) -> str:
    """
    Return *value* as it stands inside a text: true, 1.5, lists and objects as JSON.

    Errors:  ValueError for null: a name or prompt with a hole in it is hardly ever what was meant.
    """
    if isinstance(value, str):
        return value
    if value is None:
        raise ValueError("it is null, which cannot stand in a text: give a value with | default('…')")
    return bounded_text(orjson.dumps(checked(value)).decode())
