"""
When the next request may leave: rate limits, and whose turn it is.

Connections that share a limit, by host or by credentials, stand in one line: the most urgent request
of all of them goes first. A request that is no heartbeat leaves only if each window has room for it and
for the heartbeats that the tasks in flight need until the window ends, whosever they are.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from math import ceil, floor
from urllib.parse import urlsplit

from orchestrator.clock import SECOND, Clock
from orchestrator.providers.base import Connector, Waiting
from orchestrator.providers.rates import Rate, parse
from orchestrator.runtime.holders import holder
from orchestrator.runtime.line import Lane, Line
from orchestrator.runtime.windows import Window

DISK_S = 1.0
"""How long to wait for a disk that does not answer before looking again."""


@dataclass(slots=True, eq=False)
class _Entrance:
    """
    One connection's. *heartbeat_s*: a task dies without one; 0 where none is needed.

    *served*: when it last let one out, counted in requests of its pool.
    """

    windows: list[Window]
    heartbeat_s: float
    task_s: float
    running: Callable[[], int]
    line: Line = field(default_factory=Line)
    served: int = 0

    def need(self, window: Window) -> int:
        """
        Return how many heartbeats its tasks in flight need while *window* lasts.

        Those that wait for their turn hold a slot already, and need none before it has come: else two of
        them would keep each other out.
        """
        if not self.heartbeat_s:
            return 0
        return max(self.running() - self.line.waiting(Lane.SUBMIT), 0) * self.need_of_one(window)

    def need_of_one(self, window: Window) -> int:
        """Return how many heartbeats one more of its tasks needs."""
        if not self.heartbeat_s:
            return 0
        return ceil(min(window.period / SECOND, self.task_s) / self.heartbeat_s)

    def delay(self, now: int, lane: Lane) -> int:
        """Return how long until the next one of *lane* may leave, in microseconds; 0 for now."""
        if lane is Lane.HEARTBEAT:
            return max(window.delay(now, 0) for window in self.windows)
        if any(window.is_spent for window in self.windows):
            return int(DISK_S * SECOND)
        starts = lane is Lane.SUBMIT
        return max(
            window.delay(now, window.reserve() + starts * self.need_of_one(window)) for window in self.windows
        )


@dataclass(slots=True, eq=False)
class _Pool:
    """Those who share a limit. *stirred*: somebody may go now who could not before."""

    entrances: list[_Entrance] = field(default_factory=list)
    stirred: asyncio.Event = field(default_factory=asyncio.Event)
    pump: asyncio.Task[None] | None = None
    served: int = 0


class Turnstile:
    """The entrances of all connections. *on_low* is told of windows of which more has to be written down."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._entrances: dict[str, _Entrance] = {}
        self._pools: dict[str, _Pool] = {}
        self._pool_of: dict[str, _Pool] = {}
        self._windows: dict[tuple[str, int, int], Window] = {}
        self.on_low: Callable[[Window], None] = lambda window: None

    def add(self, connection: str, connector: Connector, running: Callable[[], int]) -> None:
        """Take in a connection; *running* tells how many of its tasks are in flight or about to be."""
        rates = [parse(text) for text in connector.settings.rate_limits]
        host, own = urlsplit(connector.settings.base_url).hostname or "", holder(connection, connector)
        beating = [o for o in connector.operations.values() if o.waiting is Waiting.HEARTBEAT]
        entrance = _Entrance(
            windows=[self._window(rate, f"host {host}" if rate.is_of_host else own) for rate in rates],
            heartbeat_s=min((o.poll_s or 7.0 for o in beating), default=0.0),
            task_s=max((o.timeout_s or 0.0 for o in beating), default=0.0),
            running=running,
        )
        for window in entrance.windows:
            window.needs.append(entrance.need)
        shared = any(rate.is_of_host for rate in rates)
        pool = self._pools.setdefault(f"host {host}" if shared else own, _Pool())
        pool.entrances.append(entrance)
        self._entrances[connection], self._pool_of[connection] = entrance, pool

    def _window(self, rate: Rate, scope: str) -> Window:
        window = Window(rate.limit, int(rate.period_s * SECOND), scope)
        return self._windows.setdefault((scope, window.limit, window.period), window)

    def windows(self) -> list[Window]:
        """Return every window there is."""
        return list(self._windows.values())

    def is_limited(self, connection: str) -> bool:
        """Return whether requests of *connection* may have to wait."""
        return bool(self._entrances[connection].windows)

    def kept_alive(self, connection: str) -> int | None:
        """
        Return how many tasks the rate limits keep alive at a time, at least one; None for any number.

        What other connections that share a limit have in flight is not there for this one.
        """
        entrance = self._entrances[connection]
        if not entrance.heartbeat_s or not entrance.windows:
            return None
        return max(min(self._kept_by(window, entrance) for window in entrance.windows), 0)

    def _kept_by(self, window: Window, entrance: _Entrance) -> int:
        all_told = max(floor(window.limit / (window.period / SECOND) * entrance.heartbeat_s), 1)
        others = (e for e in self._entrances.values() if e is not entrance and e.heartbeat_s)
        return all_told - sum(other.running() for other in others if window in other.windows)

    def stir(self, connection: str) -> None:
        """Look again who may leave: fewer tasks need heartbeats now."""
        self._pool_of[connection].stirred.set()

    def stir_all(self) -> None:
        """Look again who may leave: more was written down."""
        for pool in self._pools.values():
            pool.stirred.set()

    async def enter(self, connection: str, lane: Lane, run: str = "") -> None:
        """Return when the next request of *lane* for *run* may be sent, and count it."""
        entrance, pool = self._entrances[connection], self._pool_of[connection]
        if not entrance.windows:
            return
        turn = entrance.line.join(lane, run)
        self._warn(entrance)
        pool.stirred.set()
        if pool.pump is None:
            pool.pump = asyncio.get_running_loop().create_task(self._let_out(pool))
        await turn

    async def _let_out(self, pool: _Pool) -> None:
        """Let them out, the most urgent first, for as long as anybody waits."""
        while (delay := self._step(pool)) is not None:
            if delay == 0:
                continue
            pool.stirred.clear()
            # Somebody more urgent may come meanwhile, or a task may end.
            try:
                async with asyncio.timeout(delay / SECOND):
                    await pool.stirred.wait()
            except TimeoutError:
                pass
        pool.pump = None

    def _step(self, pool: _Pool) -> int | None:
        """Let the next one out; return how long until one may go, 0 if one went, None if nobody waits."""
        now = self._clock.now()
        waiting = [(lane, e.served, e) for e in pool.entrances if (lane := e.line.next()) is not None]
        waiting.sort(key=lambda one: one[:2])
        soonest: int | None = None
        for lane, _, entrance in waiting:
            delay = entrance.delay(now, lane)
            if delay == 0:
                self._admit(pool, entrance, lane, now)
                return 0
            soonest = delay if soonest is None else min(soonest, delay)
        return soonest

    def _admit(self, pool: _Pool, entrance: _Entrance, lane: Lane, now: int) -> None:
        for window in entrance.windows:
            window.count(now)
        pool.served += 1
        entrance.served = pool.served
        entrance.line.admit(lane)
        self._warn(entrance)

    def _warn(self, entrance: _Entrance) -> None:
        for window in entrance.windows:
            if window.is_low:
                self.on_low(window)
