"""
An event loop in virtual time: sockets, threads and databases are real, waiting is not.

When no socket has news and no thread is at work, nothing can happen before the
next timer, and the loop's clock jumps to it. Hours of grace and backoff pass in
milliseconds, and a slow machine is a slow machine and not a time-out.

The loop also knows to which life of a server its tasks and sockets belong (they
inherit it from whoever started them), so that a life can be ended abruptly: what
the system would do when a process dies, which is to close its sockets, and never
to run another line of it.
"""

import asyncio
import os
import selectors
import socket
import sqlite3
import time
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar, copy_context
from typing import Any
from weakref import WeakSet

import aiosqlite
import pytest

STALLED_S = 20.0
"""Real seconds without any news, timer or work, after which a simulation is stuck."""

LONGEST_S = 90.0
"""Real seconds after which a history that is still busy goes round in circles."""

ROUNDS = 20_000
"""How often all that belongs to a dead server is cancelled before that counts as a mistake."""


PATIENT_FOR = 1_000
"""How many rounds what unwinds may wait for others, all of whom were cancelled."""


class Life:
    """One server process, from its start to its crash or stop."""

    def __init__(self) -> None:
        self.is_dead = False
        self.tasks: WeakSet[asyncio.Task[Any]] = WeakSet()
        self.transports: list[asyncio.BaseTransport] = []
        self.listening: list[socket.socket] = []
        self.databases: list[aiosqlite.Connection] = []
        self.is_up = False
        self.writes = 0
        self.dies_after: int | None = None
        self.struck: Callable[[], object] = lambda: None

    def wrote(self) -> None:
        """Count a transaction of a server that is up; after a chosen one nothing more is written."""
        self.writes += self.is_up
        if self.is_up and self.writes == self.dies_after:
            self.is_dead = True
            self.struck()

    def begin(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run *work* as this life: all that it starts belongs to it."""
        context = copy_context()
        context.run(LIFE.set, self)
        return asyncio.get_running_loop().create_task(work, context=context)

    async def end(self, root: asyncio.Task[None]) -> None:
        """
        Die. Nothing more is sent, received or written; what a thread had begun to write it finishes.

        *root* unwinds, so that threads and files are given back, but nobody hears of it.
        """
        self.is_dead = True
        for transport in self.transports:
            _abort(transport)
        for listener in self.listening:
            _stop_listening(listener)
        for turn in range(ROUNDS):
            for task in [task for task in self.tasks if task is not root]:
                task.cancel()
            if turn % PATIENT_FOR == 0:
                root.cancel()
            await asyncio.sleep(0.001)
            if root.done():
                break
        assert root.done(), f"a dead server does not end: {[str(task) for task in self.tasks]}"
        await asyncio.gather(root, *self.tasks, return_exceptions=True)
        for listener in self.listening:
            listener.close()


LIFE: ContextVar[Life | None] = ContextVar("LIFE", default=None)
"""Which life the running task belongs to; None for the world around it."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop whose `time()` begins at 0 and passes only when nothing else is to be done."""

    def __init__(self) -> None:
        self.now = 0.0
        self.turns = 0
        self.threads_at_work = 0
        self.disk_is_full = False
        self._alarm: tuple[int, Callable[[], object]] | None = None
        super().__init__(_Selector(self))
        self.set_task_factory(_task_of_life)

    def time(self) -> float:
        """Return virtual seconds since the loop was made."""
        return self.now

    def at_turn(self, turn: int, callback: Callable[[], object]) -> None:
        """Call *callback* in the given turn of the loop: between any two steps of whatever runs."""
        self._alarm = turn, callback

    def ring(self) -> None:
        """Count a turn; for the selector."""
        self.turns += 1
        if self._alarm is not None and self.turns >= self._alarm[0]:
            _, callback = self._alarm
            self._alarm = None
            self.call_soon(callback)

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:  # type: ignore[override]
        future = super().run_in_executor(executor, func, *args)
        self.threads_at_work += 1
        future.add_done_callback(self._thread_is_done)
        return future

    def _thread_is_done(self, _: object) -> None:
        self.threads_at_work -= 1

    async def sock_connect(self, sock: Any, address: Any) -> None:
        if (life := LIFE.get()) is not None and life.is_dead:
            raise ConnectionAbortedError("the dead do not call")
        await super().sock_connect(sock, address)

    def _start_serving(self, factory: Any, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        if (life := LIFE.get()) is not None:
            life.listening.append(sock)
        super()._start_serving(factory, sock, *args, **kwargs)  # type: ignore[misc]

    def _make_socket_transport(self, *args: Any, **kwargs: Any) -> asyncio.Transport:
        # Connections made and connections accepted both come through here.
        transport: asyncio.Transport = super()._make_socket_transport(*args, **kwargs)  # type: ignore[misc]
        if (life := LIFE.get()) is not None:
            life.transports.append(transport)
            if life.is_dead:
                self.call_soon(_abort, transport)
        return transport


class _Selector(selectors.DefaultSelector):
    """Tells the loop's clock to jump where another selector would wait."""

    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop
        self._until = time.monotonic() + LONGEST_S

    def select(self, timeout: float | None = None) -> Any:
        self._loop.ring()
        self._look_at_the_clock()
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
            if not (found := super().select(STALLED_S)):
                raise RuntimeError("nobody waits for anything that will ever happen")
            return found
        self._loop.now += timeout
        return []

    def _look_at_the_clock(self) -> None:
        """End what goes round in circles; an alarm from outside would only be an exception in some task."""
        if time.monotonic() > self._until:
            self._until += STALLED_S
            tasks = "\n".join(f"{task.get_name()}: {_where(task)}" for task in asyncio.all_tasks(self._loop))
            at_work = f"{self._loop.threads_at_work} threads at work, {self._loop.now} s have passed"
            raise RuntimeError(f"busy for {LONGEST_S} s and not at an end ({at_work}):\n{tasks}")


def _where(task: asyncio.Task[Any]) -> str:
    """Return where a task waits, from its outermost call to its innermost."""
    calls: list[str] = []
    inner: Any = task.get_coro()
    while (frame := getattr(inner, "cr_frame", None)) is not None:
        calls.append(f"{frame.f_code.co_qualname}:{frame.f_lineno}")
        inner = getattr(inner, "cr_await", None)
    return " > ".join([*calls, str(inner)])


def _stop_listening(listener: socket.socket) -> None:
    """Refuse connections from now on; the descriptor stays until its owner, or the life, has ended."""
    if listener.fileno() >= 0:
        asyncio.get_running_loop().remove_reader(listener.fileno())
        listener.shutdown(socket.SHUT_RDWR)


def _abort(transport: Any) -> None:
    transport.abort()


def _task_of_life(
    loop: asyncio.AbstractEventLoop, work: Any, context: Context | None = None, **options: Any
) -> asyncio.Task[Any]:
    task: asyncio.Task[Any] = asyncio.Task(work, loop=loop, context=context, **options)
    life = context.get(LIFE) if context is not None else LIFE.get()
    if life is not None:
        life.tasks.add(task)
    return task


def _loop() -> VirtualLoop:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    return loop


def _disk_is_full() -> sqlite3.OperationalError:
    """Return what SQLite says on a full disk."""
    error = sqlite3.OperationalError("database or disk is full")
    error.sqlite_errorcode, error.sqlite_errorname = sqlite3.SQLITE_FULL, "SQLITE_FULL"
    return error


def watch_databases(patch: pytest.MonkeyPatch) -> None:
    """
    Let the loop know when a database thread is at work.

    The dead do not write, and nobody does while `disk_is_full`; a transaction that has begun ends.
    """
    execute, connect = aiosqlite.Connection._execute, aiosqlite.Connection._connect

    async def counted(work: Coroutine[Any, Any, Any]) -> Any:
        loop = _loop()
        loop.threads_at_work += 1
        try:
            return await work
        finally:
            loop.threads_at_work -= 1

    async def execute_unless_dead(self: Any, function: Any, *args: Any, **kwargs: Any) -> Any:
        life = LIFE.get()
        if life is not None and getattr(function, "__name__", "") != "close":
            if life.is_dead:
                raise sqlite3.OperationalError("the dead do not write")
            if self is life.databases[0] and _loop().disk_is_full:
                raise _disk_is_full()
        done = await counted(execute(self, function, *args, **kwargs))  # type: ignore[no-untyped-call]
        if life is not None and life.databases and self is life.databases[0]:
            life.wrote()
        return done

    async def connect_counted(self: Any) -> Any:
        if (life := LIFE.get()) is not None:
            life.databases.append(self)  # The one that writes comes first.
        return await counted(connect(self))

    patch.setattr(aiosqlite.Connection, "_execute", execute_unless_dead)
    patch.setattr(aiosqlite.Connection, "_connect", connect_counted)
