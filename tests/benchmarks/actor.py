"""
Processes that play a part in a benchmark, and are asked by the director what to do.

Each part has a process of its own with its own event loop, so that what is measured
does not share its time with what measures. All of them are set up alike, whether
they play the figure or the control.
"""

import asyncio
import gc
import multiprocessing
import traceback
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, suppress
from multiprocessing.connection import Connection
from time import process_time
from types import TracebackType
from typing import Any, Self

_SPAWN = multiprocessing.get_context("spawn")

_PROCESSOR = "processor time"

PATIENCE_S = 300.0
"""The longest that anything asked for may take."""

Part = Callable[..., AbstractAsyncContextManager[Any]]
"""Makes, for as long as its block lasts, the object whose methods are asked for. Importable by name."""


class Actor:
    """The director's end of one process. A context manager: the process lives inside it."""

    def __init__(self, part: Part, *arguments: Any) -> None:
        self._name = getattr(part, "__qualname__", repr(part))
        self._pipe, theirs = _SPAWN.Pipe()
        self._process = _SPAWN.Process(target=_live, args=(theirs, part, arguments), daemon=True)
        self._theirs = theirs

    @property
    def pid(self) -> int | None:
        """The process id, for whoever wants to look at it with a profiler."""
        return self._process.pid

    def __enter__(self) -> Self:
        self._process.start()
        # Ours is closed, so that the end of the process is the end of the pipe.
        self._theirs.close()
        self._answer()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process.is_alive():
            with suppress(OSError):
                self._pipe.send(None)
            self._process.join(10.0 if kind is None else 1.0)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()

    def ask(self, method: str, *arguments: Any) -> Any:
        """
        Have a method of the part run, and return what it returns.

        Errors:  RuntimeError with the traceback of the other process; TimeoutError.
        """
        self._pipe.send((method, arguments))
        return self._answer()

    def processor_s(self) -> float:
        """Return the processor time that the process has used, all its threads together, in seconds."""
        used: float = self.ask(_PROCESSOR)
        return used

    def _answer(self) -> Any:
        if not self._pipe.poll(PATIENCE_S):
            raise TimeoutError(f"{self._name} did not answer within {PATIENCE_S:.0f} s")
        try:
            is_good, value = self._pipe.recv()
        except EOFError:
            raise RuntimeError(f"{self._name} ended before it answered") from None
        if not is_good:
            raise RuntimeError(f"{self._name} failed:\n{value}")
        return value


def _live(pipe: Connection, part: Part, arguments: tuple[Any, ...]) -> None:
    try:
        asyncio.run(_play(pipe, part, arguments))
    except KeyboardInterrupt:
        # The director has been told too, and says so.
        return
    except Exception:
        pipe.send((False, traceback.format_exc()))


async def _play(pipe: Connection, part: Part, arguments: tuple[Any, ...]) -> None:
    async with part(*arguments) as player:
        _calm_garbage_collector()
        pipe.send((True, None))
        while (message := await _receive(pipe)) is not None:
            method, asked = message
            try:
                value = process_time() if method == _PROCESSOR else await getattr(player, method)(*asked)
            except Exception:
                pipe.send((False, traceback.format_exc()))
            else:
                pipe.send((True, value))


async def _receive(pipe: Connection) -> Any:
    loop = asyncio.get_running_loop()
    readable: asyncio.Future[None] = loop.create_future()
    loop.add_reader(pipe.fileno(), _set, readable)
    try:
        await readable
    finally:
        loop.remove_reader(pipe.fileno())
    try:
        return pipe.recv()
    except EOFError:
        return None


def _set(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _calm_garbage_collector() -> None:
    """Do what the server does once it has started, for figure and control alike."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
