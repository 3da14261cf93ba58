"""
An event loop in which waiting takes no time: sockets, threads and the database are real, the clock is not.

When no socket has news and no thread is at work, nothing can happen before the next timer, and the
loop's clock jumps to it. So an hour of backoff passes at once, and a slow machine is a slow machine
and not a time-out. Nobody outside of this machine is asked: there, time would pass.
"""

import asyncio
import os
import random
import selectors
import socket
import time
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

import aiosqlite

from orchestrator.times import SECOND

_LOOPBACK = ("127.", "::1", "localhost")


UNWINDING_S = 20.0
"""How many real seconds what is given up has to end in good order."""


class TookTooLong(Exception):
    """Real time ran out."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """
    A loop whose `time()` begins at 0. *patience_s*: how many real seconds it may run.

    *names*: hosts that exist here alone, and the port of loopback that each stands for.
    """

    def __init__(self, patience_s: float) -> None:
        self.now = 0.0
        self.main: asyncio.Task[None] | None = None
        self.gave_up = False
        self.names: dict[str, int] = {}
        self.threads_at_work = 0
        self._end = time.monotonic() + patience_s
        super().__init__(_Selector(self))

    def time(self) -> float:
        """Return virtual seconds since the loop was made."""
        return self.now

    def left_s(self) -> float:
        """
        Return how many real seconds are left; with the last of them the main task is cancelled, if it is set.

        Errors:  TookTooLong where that has not helped.
        """
        left = self._end - time.monotonic()
        if left > 0:
            return left
        if self.main is None:
            return UNWINDING_S
        if self.gave_up:
            raise TookTooLong("it does not even end when it is told to")
        self.gave_up, self._end = True, time.monotonic() + UNWINDING_S
        self.main.cancel()
        return UNWINDING_S

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:  # type: ignore[override]
        future = super().run_in_executor(executor, func, *args)
        self.threads_at_work += 1
        future.add_done_callback(self._thread_is_done)
        return future

    def _thread_is_done(self, _: object) -> None:
        self.threads_at_work -= 1

    async def getaddrinfo(self, host: Any, port: Any, **options: Any) -> Any:
        if host in self.names:
            return await super().getaddrinfo("127.0.0.1", self.names[host], **options)
        if not str(host).startswith(_LOOPBACK):
            raise socket.gaierror(socket.EAI_NONAME, f"a test asks nobody outside, and {host} is outside")
        return await super().getaddrinfo(host, port, **options)

    async def sock_connect(self, sock: Any, address: Any) -> None:
        if not str(address[0]).startswith(_LOOPBACK):
            raise ConnectionRefusedError(f"a test asks nobody outside, and {address[0]} is outside")
        await super().sock_connect(sock, address)


class _Selector(selectors.DefaultSelector):
    """Tells the loop's clock to jump where another selector would wait."""

    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> Any:
        left_s = self._loop.left_s()
        if self._loop.gave_up and timeout is None:
            timeout = 0.0  # What was cancelled is about to run.
        found = super().select(0)
        if found or (timeout is not None and timeout <= 0):
            return found
        if self._loop.threads_at_work:
            return super().select(0.05)
        # What was just sent to ourselves may need another moment in the kernel.
        for _ in range(2):
            os.sched_yield()
            if found := super().select(0):
                return found
        if timeout is None:
            return super().select(left_s)
        self._loop.now += timeout
        return []


class VirtualClock:
    """The time of a loop and randomness from *seed*: for servers and simulators alike. *start*: seconds."""

    def __init__(self, loop: VirtualLoop, seed: int, start: float) -> None:
        self._loop, self._start = loop, start
        self._dice = random.Random(seed)

    def now(self) -> int:
        return round(self.seconds() * SECOND)

    def entropy(self) -> bytes:
        return self._dice.randbytes(16)

    def seconds(self) -> float:
        """Return the seconds since the epoch."""
        return self._start + self._loop.time()


@contextmanager
def databases_counted() -> Iterator[None]:
    """Let virtual loops know when a thread of a database is at work, for as long as the block lasts."""
    execute, connect = aiosqlite.Connection._execute, aiosqlite.Connection._connect

    async def counted_execute(self: Any, *args: Any, **kwargs: Any) -> Any:
        return await _counted(execute(self, *args, **kwargs))  # type: ignore[no-untyped-call]

    async def counted_connect(self: Any) -> Any:
        return await _counted(connect(self))

    # The library has no place to ask; the store itself goes through `_execute` as well.
    setattr(aiosqlite.Connection, "_execute", counted_execute)  # noqa: B010
    setattr(aiosqlite.Connection, "_connect", counted_connect)  # noqa: B010
    try:
        yield
    finally:
        setattr(aiosqlite.Connection, "_execute", execute)  # noqa: B010
        setattr(aiosqlite.Connection, "_connect", connect)  # noqa: B010


async def _counted(work: Coroutine[Any, Any, Any]) -> Any:
    loop = asyncio.get_running_loop()
    if not isinstance(loop, VirtualLoop):
        return await work
    loop.threads_at_work += 1
    try:
        return await work
    finally:
        loop.threads_at_work -= 1
