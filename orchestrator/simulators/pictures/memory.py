"""Remembers what was drawn: hundreds of tasks at once ask for the same few pictures again and again."""

from collections import OrderedDict
from collections.abc import Callable
from functools import wraps
from threading import Lock
from typing import Any, ParamSpec, TypeVar

import orjson

KEPT_BYTES = 128 * 1024 * 1024
"""All that is remembered, arguments and results together."""

P = ParamSpec("P")
R = TypeVar("R")


def remembered(draw: Callable[P, R]) -> Callable[P, R]:
    """Return *draw*, a pure function, with a memory bounded in bytes, shared by all that are remembered."""

    @wraps(draw)
    def answer(*args: P.args, **kwargs: P.kwargs) -> R:
        key = (draw.__name__, _frozen(args), _frozen(kwargs))
        return _memory.get(key, lambda: draw(*args, **kwargs))  # type: ignore[no-any-return]

    return answer


class _Memory:
    """The least recently used goes first. Threads may draw the same picture twice at once; it is the same."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._kept: OrderedDict[Any, tuple[Any, int]] = OrderedDict()
        self._bytes = 0

    def get(self, key: Any, draw: Callable[[], Any]) -> Any:
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key][0]
        result = draw()
        size = _weight(key) + _weight(result)
        with self._lock:
            if key not in self._kept:
                self._kept[key] = (result, size)
                self._bytes += size
            while self._bytes > KEPT_BYTES:
                _, (_, freed) = self._kept.popitem(last=False)
                self._bytes -= freed
        return result


_memory = _Memory()


def _frozen(value: Any) -> Any:
    """Return something that can be a key: bytes as they are, the rest as canonical JSON."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, tuple):
        return tuple(map(_frozen, value))
    if isinstance(value, dict):
        return tuple((name, _frozen(inner)) for name, inner in sorted(value.items()))
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS, default=dict)


def _weight(value: Any) -> int:
    if isinstance(value, bytes):
        return len(value)
    return sum(map(_weight, value)) if isinstance(value, tuple) else 16
