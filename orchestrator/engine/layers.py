"""
A mapping that is cheap to copy, because a run of a thousand items is forked at every decision.

Two layers: a large one that copies share and nobody writes to, and a small one that
each copy has of its own. When the small one has grown, the copy that finds it so
merges both into a new large one. So a copy costs what was written lately, not what
there is, and reading costs one more look.
"""

from collections.abc import Iterator, MutableMapping
from typing import Any, Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")

_GONE: Any = object()
"""Stands in the small layer for a key that the large one still has."""

_ABSENT: Any = object()

_MERGED_AT = 48
"""How many entries the small layer may have when a copy is made; more are merged first."""


class Layers(MutableMapping[K, V], Generic[K, V]):
    """A dict in insertion order, in all but the cost of `fork`."""

    __slots__ = ("_large", "_length", "_small")

    def __init__(self) -> None:
        self._large: dict[K, V] = {}
        self._small: dict[K, V] = {}
        self._length = 0

    def fork(self) -> "Layers[K, V]":
        """Return a copy that may be written to, while this one stays as it is."""
        twin: Layers[K, V] = object.__new__(Layers)
        twin._length = self._length
        if len(self._small) <= _MERGED_AT:
            twin._large, twin._small = self._large, dict(self._small)
        else:
            twin._large, twin._small = self._merged(), {}
        return twin

    def _merged(self) -> dict[K, V]:
        merged = self._large | self._small
        for key in [key for key, value in self._small.items() if value is _GONE]:
            del merged[key]
        return merged

    def __getitem__(self, key: K) -> V:
        value: V = self._small.get(key, _ABSENT)
        if value is _ABSENT:
            return self._large[key]
        if value is _GONE:
            raise KeyError(key)
        return value

    def __contains__(self, key: object) -> bool:
        if key in self._small:
            return self._small[key] is not _GONE
        return key in self._large

    def __setitem__(self, key: K, value: V) -> None:
        if key not in self:
            self._length += 1
        self._small[key] = value

    def __delitem__(self, key: K) -> None:
        if key not in self:
            raise KeyError(key)
        self._length -= 1
        if key in self._large:
            self._small[key] = _GONE
        else:
            del self._small[key]

    def __iter__(self) -> Iterator[K]:
        small, large = self._small, self._large
        for key in large:
            if small.get(key) is not _GONE:
                yield key
        for key in small:
            if key not in large:
                yield key

    def __len__(self) -> int:
        return self._length

    def __repr__(self) -> str:
        return repr(dict(self.items()))
