"""
How we speak to people of names and values: what a misspelt name probably meant, what kind of value
something is, and what a model of pydantic's found wrong, in our own words.
"""

import re
from ast import literal_eval
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

_SHOWN_MAX = 12
_LONGEST = 100


def closest(given: str, known: Iterable[str]) -> str | None:
    """Return the known name that *given* is most like, or None when none is near."""
    names = {name.lower(): name for name in known}
    found = get_close_matches(given.lower()[:_LONGEST], names, n=1, cutoff=0.6)
    return names[found[0]] if found else None


def did_you_mean(given: str, known: Iterable[str]) -> str | None:
    """Return `did you mean 'x'?`, or else what there is, or None when there is nothing."""
    names = list(known)
    meant = closest(given, names)
    if meant is not None:
        return f"did you mean '{meant}'?"
    return f"there are: {listed(names)}" if names else None


def listed(names: Iterable[str]) -> str:
    """Return the names in one line, in their order; only the first of very many."""
    shown = list(names)
    rest = f", … ({len(shown) - _SHOWN_MAX} more)" if len(shown) > _SHOWN_MAX else ""
    return ", ".join(name[:_LONGEST] for name in shown[:_SHOWN_MAX]) + rest


def quoted(text: str) -> str:
    """Return *text* in single quotes on one line, shortened when long."""
    line = " ".join(text.split())
    return f"'{line[:_LONGEST]}…'" if len(line) > _LONGEST else f"'{line}'"


def either(names: Sequence[str]) -> str:
    """Return the names as a choice: `1, 3, 5 or 9`, or only the first of very many."""
    if len(names) > _SHOWN_MAX:
        return f"one of {listed(names)}"
    return " or ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def said(message: str, hint: str | None) -> str:
    """Return a message with its hint, where there is one, behind it."""
    return f"{message} ({hint})" if hint else message


def kind(value: Any) -> str:
    """Return what people call such a value."""
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case str():
            return "text"
        case list() | tuple():
            return "a list"
        case Mapping():
            return "an object"
    return f"a {type(value).__name__}"


def shown(value: Any) -> str:
    """Return *value* as a complaint shows it: short ones themselves, others by their kind."""
    if isinstance(value, str):
        return quoted(value) if value else "an empty text"
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    return str(value)[:_LONGEST] if isinstance(value, int | float) else kind(value)


# --- what a model found ----------------------------------------------------------------------

_KINDS = {
    "string_type": "text", "int_type": "a whole number", "int_parsing": "a whole number",
    "int_from_float": "a whole number", "float_type": "a number", "float_parsing": "a number",
    "bool_type": "true or false", "bool_parsing": "true or false", "list_type": "a list",
    "dict_type": "an object", "model_type": "an object", "model_attributes_type": "an object",
    "none_required": "null", "finite_number": "a finite number", "uuid_type": "a UUID",
    "uuid_parsing": "a UUID", "url_type": "a URL", "url_parsing": "a URL",
}  # fmt: skip
"""What a value has to be of which pydantic says that it is none, by the kind of its error."""

_PARSED = re.compile(r"(?:int|float|bool|uuid|url)_(?:parsing|from_float)|finite_number")


def wanted_kind(error: str) -> str | None:
    """Return what a value has to be that pydantic refused with this kind of error, if that is all of it."""
    return _KINDS.get(error)


def complaint(
    error: str, message: str, context: Mapping[str, Any], value: Any, *, show: bool = True
) -> tuple[str, str | None]:
    """
    Return what one error of pydantic's says, as words that follow the name of the value, and a hint.

    Shape:   its `type`, `msg`, `ctx` and `input`; without *show* the value is not repeated.
    """
    if error in _KINDS:
        given = shown(value) if _PARSED.fullmatch(error) else kind(value)
        return f"must be {_KINDS[error]}" + (f", not {given}" if show else ""), None
    if error in ("literal_error", "enum"):
        return _choice(str(context.get("expected", "")), value, show=show)
    if error in _BOUNDS:
        return _BOUNDS[error].format(**context) + (f", not {shown(value)}" if show else ""), None
    if error in _SIZES:
        return _size(error, context, value, show=show), None
    if error == "missing":
        return "is required", None
    if error == "extra_forbidden":
        return "there is no such field", None
    return message.removeprefix("Value error, ").removeprefix("Assertion failed, "), None


_BOUNDS = {
    "greater_than": "must be greater than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "multiple_of": "must be a multiple of {multiple_of}",
    "string_pattern_mismatch": "must have the form {pattern}",
}

_SIZES = {
    "string_too_short": ("at least", "min_length", "character"),
    "string_too_long": ("at most", "max_length", "character"),
    "too_short": ("at least", "min_length", "item"),
    "too_long": ("at most", "max_length", "item"),
}


def _size(error: str, context: Mapping[str, Any], value: Any, *, show: bool) -> str:
    bound, name, noun = _SIZES[error]
    limit = context[name]
    given = len(value) if isinstance(value, str) else context.get("actual_length", "more")
    return f"must have {bound} {limit} {noun}{'s' * (limit != 1)}" + (f", not {given}" if show else "")


_OPTION = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|[^\s,'\"]+")


def _choice(expected: str, value: Any, *, show: bool) -> tuple[str, str | None]:
    """Return the complaint for a value that is none of those that pydantic lists in a text."""
    options = [_option(found) for found in _OPTION.findall(expected) if found != "or"]
    message = f"must be {either(options)}" + (f", not {shown(value)}" if show else "")
    meant = closest(value, options) if show and isinstance(value, str) else None
    return message, f"did you mean '{meant}'?" if meant else None


def _option(text: str) -> str:
    try:
        return str(literal_eval(text))
    except (ValueError, SyntaxError):
        return text
