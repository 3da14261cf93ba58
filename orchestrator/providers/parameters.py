"""What authors write and what they refer to: parameters, with all that is wrong with them, and outputs."""

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic_core import ErrorDetails, PydanticCustomError

from orchestrator import wording


class Params(BaseModel):
    """
    Base of every operation's parameters: what authors write, so unknown names are refused.

    Rules across fields go into `conflicts`, which also serves the check of a
    workflow file, where some values are expressions and not known yet.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())

    @classmethod
    def conflicts(cls, given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """
        Yield (field, message) for every rule across fields that *given* breaks.

        Shape:   *given* holds only the fields that were given and are known; a rule
                 that needs one that is missing must keep silent about it.
        """
        yield from ()

    @classmethod
    def presence(cls, there: Set[str], perhaps: Set[str]) -> Iterator[tuple[str, str]]:
        """
        Yield (field, message) for every rule about which fields come together that is broken.

        Shape:   *there* are given for certain, whatever is inside them; *perhaps* are
                 expressions, which may turn out to be null. A null is not given.
        """
        yield from ()

    @classmethod
    def needs(cls, given: Mapping[str, Any], there: Set[str]) -> Iterator[tuple[str, str]]:
        """
        Yield (field, message) for every field that a value demands and that is missing.

        Shape:   *given* as in `conflicts`; *there* are the fields that are given, or may be.
        """
        yield from ()

    @model_validator(mode="after")
    def _no_conflicts(self) -> Self:
        given = {name: getattr(self, name) for name in self.model_fields_set}
        there = {name for name, value in given.items() if value is not None}
        problems = [
            *self.conflicts(given),
            *self.presence(there, frozenset()),
            *self.needs(given, there),
        ]
        if problems:
            raise PydanticCustomError("conflict", "{text}", {"text": "; ".join(m for _, m in problems)})
        return self


class Output(BaseModel):
    """Base of every operation's output: what providers send, so unknown fields are kept."""

    model_config = ConfigDict(extra="allow", protected_namespaces=())


@dataclass(frozen=True, slots=True)
class ParamProblem:
    """
    One thing wrong with parameters: where (`attributes`, `age`) and what.

    *message* is a sentence, or goes on where the name of the parameter would stand (`must be …`).
    """

    path: tuple[str | int, ...]
    message: str
    hint: str | None = None

    def __str__(self) -> str:
        place = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in self.path).removeprefix(".")
        goes_on = self.message.startswith(("must ", "is "))
        hint = f" ({self.hint})" if self.hint else ""
        return f"{place}{' ' if goes_on else ': '}{self.message}{hint}" if place else f"{self.message}{hint}"


def check_params(
    model: type[BaseModel],
    values: Mapping[str, Any],
    *,
    is_unknown: Callable[[Any], bool] = lambda value: False,
) -> list[ParamProblem]:
    """
    Return everything wrong with *values*, which may hold values not known yet.

    A problem that only an unknown value could answer for is left out.
    """
    found: list[tuple[tuple[str | int, ...], ErrorDetails]] = []
    try:
        model.model_validate(dict(values))
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            absent = detail["type"] == "missing"
            path, hidden = _path_in(values, detail["loc"], is_unknown, absent=absent)
            # A required field that is absent is wrong whatever the unknown values turn out to be,
            # unless it is one form of several that misses it: the unknown value may fit another.
            # the model's own rules across fields are asked below, without what is unknown.
            asked_below = detail["type"] == "conflict" and not detail["loc"]
            excused = asked_below or _holds_unknown(detail["input"], is_unknown)
            # A name that does not exist is wrong whatever its value is.
            of_union = len(path) < len(detail["loc"])
            certain = detail["type"] == "missing" and not of_union
            if detail["type"] != "extra_forbidden" and (hidden or (excused and not certain)):
                continue
            found.append((path, detail))
    problems = _told(found)
    if issubclass(model, Params):
        known = {k: v for k, v in values.items() if not _holds_unknown(v, is_unknown)}
        perhaps = {k for k, v in values.items() if is_unknown(v)}
        there = {k for k, v in values.items() if v is not None} - perhaps
        across = [
            *model.conflicts(known),
            *model.presence(there, perhaps),
            *model.needs(known, there | perhaps),
        ]
        problems += [ParamProblem((name,), message) for name, message in across]
    return problems


def _told(found: Sequence[tuple[tuple[str | int, ...], ErrorDetails]]) -> list[ParamProblem]:
    """Return what pydantic found, once for each value that may have one of several forms."""
    by_path: dict[tuple[str | int, ...], list[ErrorDetails]] = {}
    for path, detail in found:
        by_path.setdefault(path, []).append(detail)
    problems: dict[ParamProblem, None] = {}
    for path, details in by_path.items():
        kinds = {wanted: None for one in details if (wanted := wording.wanted_kind(one["type"]))}
        # That it is another kind of value says less than what is wrong with it as the kind that it is.
        rest = [one for one in details if wording.wanted_kind(one["type"]) is None]
        if not rest and any(other[: len(path)] == path and len(other) > len(path) for other in by_path):
            # One of its forms fits so far that what is inside it could be looked at.
            continue
        if len(kinds) > 1 and not rest:
            given = wording.kind(details[0]["input"])
            problems[ParamProblem(path, f"must be {wording.either(list(kinds))}, not {given}")] = None
            continue
        for one in rest or details[:1]:
            said = wording.complaint(one["type"], one["msg"], one.get("ctx", {}), one["input"])
            problems[ParamProblem(path, *said)] = None
    return list(problems)


def _holds_unknown(value: Any, is_unknown: Callable[[Any], bool]) -> bool:
    if is_unknown(value):
        return True
    if isinstance(value, Mapping):
        return any(_holds_unknown(v, is_unknown) for v in value.values())
    if isinstance(value, list | tuple):
        return any(_holds_unknown(v, is_unknown) for v in value)
    return False


def _path_in(
    values: Any, loc: tuple[int | str, ...], is_unknown: Callable[[Any], bool], *, absent: bool
) -> tuple[tuple[str | int, ...], bool]:
    """
    Follow pydantic's *loc* through *values*, leaving out the names of union members it contains.

    *absent*: what its last part names is not there.
    """
    path: list[str | int] = []
    at = values
    for part in loc:
        if is_unknown(at):
            return tuple(path), True
        if isinstance(at, Mapping) and isinstance(part, str):
            if part in at:
                at = at[part]
                path.append(part)
            elif absent and part == loc[-1]:
                path.append(part)
        elif isinstance(at, list | tuple) and isinstance(part, int) and part < len(at):
            at = at[part]
            path.append(part)
    return tuple(path), is_unknown(at)
