"""
An event loop in virtual time: HTTP and databases are real, waiting is not.

When nothing is to be done, nothing can happen before the next timer, and the loop's
clock jumps to it. Hours of grace and backoff pass in milliseconds, and a slow machine
is a slow machine and not a time-out. What is handed to threads (see `threads`) and
what is on its way to somebody (see `network`) the loop moves on by itself: all that
happens follows from its seed. It also notes to which life of a server its tasks
belong (see `lives`).
"""

import asyncio
import selectors
import time
from collections.abc import Callable
from contextvars import Context
from random import Random
from typing import Any

from tests.simulation import threads
from tests.simulation.lives import LIFE
from tests.simulation.network import Network

LONGEST_S = 90.0
"""Real seconds after which a history that is still busy goes round in circles."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop whose `time()` begins at 0 and passes only when nothing else is to be done."""

    def __init__(self, seed: int) -> None:
        self.now = 0.0
        self.turns = 0
        self.disk_is_full = False
        self._dice = Random(seed)
        self._threads: dict[Any, threads.Thread] = {}
        self.network = Network(self, self._dice)
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

    def new_thread(self) -> threads.Thread:
        """Return a thread that has nothing to do yet."""
        return threads.Thread(self, self._dice)

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:  # type: ignore[override]
        # The default executor has a thread for everything; all others that we know have one for all.
        thread = self.new_thread() if executor is None else self._threads.get(executor)
        if thread is None:
            thread = self._threads[executor] = self.new_thread()
        answer = self.create_future()
        threads.run(thread, lambda: func(*args), answer)
        return answer

    async def sock_connect(self, sock: Any, address: Any) -> None:
        if (life := LIFE.get()) is not None and life.is_dead:
            raise ConnectionAbortedError("the dead do not call")
        await asyncio.sleep(0)
        self.network.dial(sock, address)

    async def create_connection(self, factory: Any, *, sock: Any, **_: Any) -> Any:  # type: ignore[override]
        connection = self.network.connect(factory, sock)
        await asyncio.sleep(0)  # The protocol has to hear of it first.
        return connection

    async def create_server(self, factory: Any, host: Any, port: Any, **_: Any) -> Any:  # type: ignore[override]
        return self.network.listen(factory, host, port)


class _Selector(selectors.DefaultSelector):
    """Tells the loop's clock to jump where another selector would wait."""

    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop
        self._until = time.monotonic() + LONGEST_S

    def select(self, timeout: float | None = None) -> list[Any]:
        self._loop.ring()
        self._look_at_the_clock()
        if timeout is None:
            raise RuntimeError("nobody waits for anything that will ever happen")
        self._loop.now += max(timeout, 0.0)
        return []

    def _look_at_the_clock(self) -> None:
        """End what goes round in circles; an alarm from outside would only be an exception in some task."""
        if time.monotonic() > self._until:
            self._until += LONGEST_S
            tasks = "\n".join(f"{task.get_name()}: {_where(task)}" for task in asyncio.all_tasks(self._loop))
            passed = f"{self._loop.now} s have passed"
            raise RuntimeError(f"busy for {LONGEST_S} s and not at an end ({passed}):\n{tasks}")


def _where(task: asyncio.Task[Any]) -> str:
    """Return where a task waits, from its outermost call to its innermost."""
    calls: list[str] = []
    inner: Any = task.get_coro()
    while (frame := getattr(inner, "cr_frame", None)) is not None:
        calls.append(f"{frame.f_code.co_qualname}:{frame.f_lineno}")
        inner = getattr(inner, "cr_await", None)
    return " > ".join([*calls, str(inner)])


def _task_of_life(
    loop: asyncio.AbstractEventLoop, work: Any, context: Context | None = None, **options: Any
) -> asyncio.Task[Any]:
    task: asyncio.Task[Any] = asyncio.Task(work, loop=loop, context=context, **options)
    life = context.get(LIFE) if context is not None else LIFE.get()
    if life is not None:
        life.own(task)
    return task
