"""
The slow path: asks the store what is due, and has it done.

Nothing waits in memory only. A job that waits for a callback, a check, a retry or a
slot is a row with a wake-up; this loop finds it, after a crash as well as in normal
work. A connection that is full or paused is not asked for submits at all.
"""

import asyncio
from collections.abc import Sequence
from typing import Protocol

import structlog

from orchestrator.clock import SECOND, Clock
from orchestrator.engine import triggers as t
from orchestrator.errors import StoreUnavailable
from orchestrator.runtime.limits import Limits
from orchestrator.runtime.worker import Worker
from orchestrator.store.schedule import Schedule

log = structlog.get_logger()

IDLE_S = 1.0
"""The longest time between two rounds; a nudge shortens it."""

LOOKS_AT_ONCE = 200
"""How many jobs of a connection are looked at in one round."""


class Wakes(Protocol):
    """Does what is due for a job, unless it is being done already."""

    def wake(self, run: str, job: str) -> None: ...


class Scheduler:
    """One loop; `nudge` it when something is due sooner than it knows."""

    def __init__(
        self,
        store: Schedule,
        worker: Worker,
        wakes: Wakes,
        limits: Limits,
        connections: Sequence[str],
        clock: Clock,
    ) -> None:
        self._store, self._worker, self._wakes = store, worker, wakes
        self._limits, self._connections, self._clock = limits, connections, clock
        self._nudged = asyncio.Event()
        self._next = 0
        # Whatever jobs were made to wait for may be over since the last process ended.
        self._resumed = set(connections)

    def resumed(self, connection: str) -> None:
        """Submits of *connection* go out again, also those that were refused while they did not."""
        self._resumed.add(connection)
        self._nudged.set()

    def nudge(self, at: int = 0) -> None:
        """Something will be due at *at*, microseconds; now, if that is not given."""
        if at < self._next:
            self._nudged.set()

    async def run(self) -> None:
        """Go round until cancelled."""
        while True:
            try:
                await self.round()
            except StoreUnavailable as trouble:
                log.warning("store.unavailable", reason=str(trouble))
                self._next = self._clock.now() + int(IDLE_S * SECOND)
            await self._rest()

    async def round(self) -> None:
        """Have everything done that is due now."""
        now = self._clock.now()
        self._nudged.clear()
        while self._resumed:
            await self._store.hurry(self._resumed.pop(), now)
        for connection in self._connections:
            for due in await self._store.due(
                connection=connection, lane="look", now=now, limit=LOOKS_AT_ONCE
            ):
                self._wakes.wake(due.run, due.job)
            await self._submits(connection, now)
        for run in await self._store.due_runs(now=now, limit=100):
            self._worker.post(run, t.RunOverdue)
        for run in await self._store.admissible():
            self._worker.post(run, t.Admitted)
        soonest = await self._store.next_wake(after=now)
        self._next = min(soonest or now + int(IDLE_S * SECOND), now + int(IDLE_S * SECOND))

    async def _submits(self, connection: str, now: int) -> None:
        free = self._limits.free(connection)
        if free == 0 or self._worker.stopping:
            return
        limit = min(free, LOOKS_AT_ONCE)
        found = await self._store.due(connection=connection, lane="submit", now=now, limit=limit)
        self._limits.queue(connection, len(found) == limit)
        for due in found:
            self._wakes.wake(due.run, due.job)

    async def _rest(self) -> None:
        rest_s = max((self._next - self._clock.now()) / SECOND, 0.0)
        try:
            async with asyncio.timeout(rest_s):
                await self._nudged.wait()
        except TimeoutError:
            pass
