"""
Threads that are none: what is handed to one is done by the loop itself, some turns later.

How many turns it waits, and how many its answer takes, comes from the loop's dice.
So a history depends on its seed alone, and a crash may come before the work has
begun, or between the work and the answer, as it may with a thread.
"""

import asyncio
import sqlite3
from collections import deque
from collections.abc import Callable
from random import Random
from typing import Any

import aiosqlite.core
import pytest

from tests.simulation.lives import LIFE

LONGEST = 3
"""How many turns of the loop each half of the way to a thread and back takes at most."""

LAST_RITES = ("close", "close_and_stop")
"""What is done even for the dead: another process could not open what they hold."""


class Thread:
    """One thread: it does one thing after another, in the order in which they were handed in."""

    def __init__(self, loop: asyncio.AbstractEventLoop, dice: Random) -> None:
        self._loop, self._dice = loop, dice
        self._waiting: deque[Callable[[], None]] = deque()

    def hand(self, work: Callable[[], None]) -> None:
        """Have *work* done, after all that was handed in before it."""
        self._waiting.append(work)
        if len(self._waiting) == 1:
            self.after_turns(self._next)

    def after_turns(self, callback: Callable[[], None]) -> None:
        """Call *callback* a few turns of the loop from now."""
        self._pass(self._dice.randrange(LONGEST), callback)

    def _pass(self, turns: int, callback: Callable[[], None]) -> None:
        if turns:
            self._loop.call_soon(self._pass, turns - 1, callback)
        else:
            self._loop.call_soon(callback)

    def _next(self) -> None:
        self._waiting[0]()
        self._waiting.popleft()
        if self._waiting:
            self.after_turns(self._next)


def run(thread: Thread, work: Callable[[], Any], answer: asyncio.Future[Any]) -> None:
    """Have *thread* do *work* and tell *answer* what came of it; the dead do nothing more."""
    life = LIFE.get()

    def done() -> None:
        failure, result = None, None
        try:
            if life is not None and life.is_dead:
                raise OSError("the dead do not work")
            result = work()
        except BaseException as error:
            failure = error
        thread.after_turns(lambda: _tell(answer, result, failure))

    thread.hand(done)


class Desk:
    """
    Takes what is to be done on the thread of a database; stands in for the queue of aiosqlite.

    The dead do not write, and nobody does while the loop's disk is full; a transaction that has
    begun ends. The first database that a server opens is the one that it writes to.
    """

    def __init__(self) -> None:
        loop: Any = asyncio.get_running_loop()
        self._loop, self._thread = loop, loop.new_thread()
        self._life = LIFE.get()
        self._opened = False
        self._writes = self._life is not None and not self._life.has_writer
        if self._life is not None:
            self._life.has_writer = True

    def put_nowait(self, item: tuple[asyncio.Future[Any] | None, Callable[[], Any]]) -> None:
        """Take a function, and the future that is to be told what came of it."""
        answer, function = item
        self._thread.hand(lambda: self._work(answer, function))

    def _work(self, answer: asyncio.Future[Any] | None, function: Callable[[], Any]) -> None:
        failure, result = None, None
        try:
            self._refuse(function)
            result = function()
            self._count()
        except BaseException as error:
            failure = error
        if answer is not None:
            self._thread.after_turns(lambda: _tell(answer, result, failure))

    def _refuse(self, function: Any) -> None:
        if getattr(getattr(function, "func", function), "__name__", "") in LAST_RITES:
            return
        if self._life is not None and self._life.is_dead:
            raise sqlite3.OperationalError("the dead do not write")
        if self._writes and self._opened and self._loop.disk_is_full:
            raise _disk_is_full()

    def _count(self) -> None:
        if self._writes and self._opened and self._life is not None:
            self._life.wrote()
        self._opened = True


class NoThread:
    """Stands in for the thread of a database, which the desk does without."""

    def __init__(self, **_: object) -> None: ...

    def start(self) -> None: ...


def _tell(answer: asyncio.Future[Any], result: Any, failure: BaseException | None) -> None:
    if answer.done():
        return
    if failure is not None:
        answer.set_exception(failure)
    else:
        answer.set_result(result)


def _disk_is_full() -> sqlite3.OperationalError:
    """Return what SQLite says on a full disk."""
    error = sqlite3.OperationalError("database or disk is full")
    error.sqlite_errorcode, error.sqlite_errorname = sqlite3.SQLITE_FULL, "SQLITE_FULL"
    return error


def without_threads(patch: pytest.MonkeyPatch) -> None:
    """Let databases do without threads of their own."""
    patch.setattr(aiosqlite.core, "SimpleQueue", Desk)
    patch.setattr(aiosqlite.core, "Thread", NoThread)
