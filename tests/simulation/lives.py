"""
Which life of a server a task, a socket or a database belongs to, so that a life can be ended abruptly.

They inherit it from whoever started them. To end one is what the system would do
when a process dies: to close its sockets, and never to run another line of it.
"""

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import ContextVar, copy_context
from typing import Any, Protocol
from weakref import WeakValueDictionary

ROUNDS = 20_000
"""How often all that belongs to a dead server is cancelled before that counts as a mistake."""

PATIENT_FOR = 1_000
"""How many rounds what unwinds may wait for others, all of whom were cancelled."""


class Closeable(Protocol):
    """Something that takes connections."""

    def close(self) -> None: ...


class Life:
    """One server process, from its start to its crash or stop."""

    def __init__(self) -> None:
        self.is_dead = False
        self._tasks: WeakValueDictionary[int, asyncio.Task[Any]] = WeakValueDictionary()
        self._begun = 0
        self.transports: list[asyncio.Transport] = []
        self.listening: list[Closeable] = []
        self.has_writer = False
        self.is_up = False
        self.writes = 0
        self.dies_after: int | None = None
        self.struck: Callable[[], object] = lambda: None

    def own(self, task: asyncio.Task[Any]) -> None:
        """Let *task* end with this life."""
        self._begun += 1
        self._tasks[self._begun] = task

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
            transport.abort()
        for listener in self.listening:
            listener.close()
        for turn in range(ROUNDS):
            for task in [task for task in self._tasks.values() if task is not root]:
                task.cancel()
            if turn % PATIENT_FOR == 0:
                root.cancel()
            await asyncio.sleep(0.001)
            if root.done():
                break
        assert root.done(), f"a dead server does not end: {[str(task) for task in self._tasks.values()]}"
        await asyncio.gather(root, *self._tasks.values(), return_exceptions=True)


LIFE: ContextVar[Life | None] = ContextVar("LIFE", default=None)
"""Which life the running task belongs to; None for the world around it."""
