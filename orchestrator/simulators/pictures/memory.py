"""Remembers what was drawn: hundreds of tasks at once ask for the same few pictures again and again."""

from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from functools import wraps
from hashlib import blake2b
from threading import Lock
from typing import Any, ParamSpec, TypeVar

import orjson

KEPT_BYTES = 128 * 1024 * 1024
"""All that is remembered."""

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
    """The least recently used goes first. Who asks for what is being drawn waits for it."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._drawn: OrderedDict[Any, Future[Any]] = OrderedDict()
        self._bytes = 0

    def get(self, key: Any, draw: Callable[[], Any]) -> Any:
        with self._lock:
            known = self._drawn.get(key)
            if known is None:
                self._drawn[key] = drawing = Future[Any]()
            else:
                self._drawn.move_to_end(key)
        if known is not None:
            return known.result()
        try:
            drawing.set_result(draw())
        except BaseException as error:
            with self._lock:
                del self._drawn[key]
            drawing.set_exception(error)
            raise
        self._make_room(_weight(drawing.result()))
        return drawing.result()

    def _make_room(self, bytes_more: int) -> None:
        with self._lock:
            self._bytes += bytes_more
            for key in [k for k, drawing in self._drawn.items() if drawing.done()]:
                if self._bytes <= KEPT_BYTES:
                    return
                self._bytes -= _weight(self._drawn.pop(key).result())


_memory = _Memory()


def _frozen(value: Any) -> Any:
    """Return something small that can be a key: a digest for bytes, canonical JSON for the rest."""
    if isinstance(value, bytes):
        return blake2b(value, digest_size=16).digest()
    if isinstance(value, tuple):
        return tuple(map(_frozen, value))
    if isinstance(value, dict):
        return tuple((name, _frozen(inner)) for name, inner in sorted(value.items()))
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS, default=dict)


def _weight(value: Any) -> int:
    return len(value) if isinstance(value, bytes) else 64
