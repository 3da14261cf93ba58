"""
JSON values that are too large for the log: kept as artifacts, and known here by digest and size.

Pure code cannot read bytes. What it makes it has in memory; of what is no longer there it says so
(`NotLoaded`), and whoever can read gives it and has the same thing decided again. So whether a value is
in memory makes no difference to what is decided, and a log is folded without one of them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final

import orjson

from orchestrator.errors import InvalidValue

LARGE_BYTES = 256 * 1024
"""A value whose JSON is longer than this is not kept in the log."""

_ABSENT: Final = object()


class NotLoaded(Exception):
    """Something cannot be decided before *values* are in memory. No end of anything: load them, go on."""

    def __init__(self, values: Sequence["LargeValue"]) -> None:
        super().__init__(f"{len(values)} large values are not in memory")
        self.values = values


class Unavailable(InvalidValue):
    """A large value cannot be had: its artifact is not held any more, or is damaged."""


@dataclass(slots=True)
class LargeValue:
    """
    A value by the digest and the size in bytes of its JSON, the artifact that holds it.

    It may be in memory or not, and come and go: that takes no part in comparisons, nor in the log, which
    passes over names with a line before them.
    """

    digest: str
    size: int
    _value: Any = field(default=_ABSENT, compare=False, repr=False)
    _problem: str | None = field(default=None, compare=False, repr=False)

    @property
    def is_known(self) -> bool:
        """Whether it is in memory, or is known not to be had."""
        return self._value is not _ABSENT or self._problem is not None

    @property
    def problem(self) -> str | None:
        """Why it cannot be had, where somebody has tried."""
        return self._problem

    @property
    def value(self) -> Any:
        """The value itself. Errors: NotLoaded, Unavailable."""
        if self._value is not _ABSENT:
            return self._value
        if self._problem is not None:
            raise Unavailable(self._problem)
        raise NotLoaded([self])

    def give(self, value: Any) -> None:
        """Let it be in memory."""
        self._value, self._problem = value, None

    def refuse(self, problem: str) -> None:
        """Note why it cannot be had, until it is forgotten."""
        self._value, self._problem = _ABSENT, problem

    def forget(self) -> None:
        """Let it be in memory no more."""
        self._value, self._problem = _ABSENT, None


def lay_aside(value: dict[str, Any]) -> dict[str, Any] | LargeValue:
    """Return *value*, or what stands for it where it is too large for the log."""
    data = orjson.dumps(value)
    if len(data) <= LARGE_BYTES:
        return value
    return LargeValue(f"sha256:{sha256(data).hexdigest()}", len(data), value)


def split(value: dict[str, Any] | LargeValue | None) -> tuple[dict[str, Any] | None, LargeValue | None]:
    """Return *value* as events hold it: itself, or a reference in its place."""
    return (None, value) if isinstance(value, LargeValue) else (value, None)


def joined(value: dict[str, Any] | None, reference: Any) -> dict[str, Any] | LargeValue | None:
    """Return what an event holds as one value; *reference* is an object of JSON if the log had it."""
    return value if reference is None else referred(reference)


def referred(reference: Any) -> LargeValue:
    """Return the value that *reference* in an event stands for."""
    return reference if isinstance(reference, LargeValue) else LargeValue(**reference)


def opened(value: Any) -> Any:
    """Return *value* itself where it is a large one. Errors: NotLoaded, Unavailable."""
    return value.value if isinstance(value, LargeValue) else value


def need(values: Iterable[LargeValue]) -> None:
    """Ask for all of *values* at once. Errors: NotLoaded."""
    if missing := [value for value in values if not value.is_known]:
        raise NotLoaded(missing)
