"""
The slow path: asks the store what is due, and has it done.

Nothing waits in memory only. A job that waits for a callback, a check, a retry or a
slot is a row with a wake-up; this loop finds it, after a crash as well as in normal
work. A connection that is full or paused is not asked for submits at all.

Where more is due than can be done, runs take turns, so that one with a thousand items
does not hold back one with a single one.
"""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from orchestrator.clock import SECOND, Clock
from orchestrator.engine import triggers as t
from orchestrator.errors import StoreUnavailable
from orchestrator.runtime.limits import Limits
from orchestrator.runtime.purses import Purses
from orchestrator.runtime.worker import Worker
from orchestrator.store.rows import Lane, Lap
from orchestrator.store.schedule import BEGINNING, Schedule

log = structlog.get_logger()

IDLE_S = 1.0
"""The longest time between two rounds; a nudge shortens it."""

CROWDED_S = 0.2
"""The time between two rounds while more is due than is done at a time."""

AT_ONCE = 200
"""How many jobs of a connection are being submitted, or looked at, at a time; the others stay rows."""


RUNS_AT_ONCE = 100
"""How many runs whose time is over are ended in a round."""


class Wakes(Protocol):
    """Does what is due for jobs."""

    def wake(self, run: str, job: str) -> None: ...

    def is_busy(self, job: str) -> bool: ...


@dataclass(slots=True)
class _Line:
    """The jobs of a connection that wait for one thing: whose turns are over, and who is being served."""

    lap: Lap = BEGINNING
    served: set[str] = field(default_factory=set)


class Notices(Protocol):
    """Tells others how a run ended, unless that is being done already."""

    def wake(self, run: str) -> None: ...


class Scheduler:
    """
    One loop; `nudge` it when something is due sooner than it knows.

    *rest_s*: how long it may rest when nobody nudges it, rather than `IDLE_S`.
    `notices` is set once, by whoever joins the parts.
    """

    notices: Notices

    def __init__(
        self,
        store: Schedule,
        worker: Worker,
        wakes: Wakes,
        limits: Limits,
        purses: Purses,
        connections: Sequence[str],
        clock: Clock,
        rest_s: float = IDLE_S,
    ) -> None:
        self._store, self._worker, self._wakes = store, worker, wakes
        self._limits, self._purses, self._connections, self._clock = limits, purses, connections, clock
        self._lines: defaultdict[tuple[str, Lane], _Line] = defaultdict(_Line)
        self._rest_s = rest_s
        self._nudged = asyncio.Event()
        self._next = 0
        # Whatever jobs were made to wait for may be over since the last process ended.
        self._resumed = set(connections)

    def resumed(self, connection: str) -> None:
        """Submits of *connection* go out again, also those that were refused while they did not."""
        self._resumed.add(connection)
        self.nudge()

    def nudge(self, at: int = 0) -> None:
        """Something will be due at *at*, microseconds; now, if that is not given."""
        if at < self._next:
            self._next = at
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
        # What it is nudged for from here on may be due at a connection that it has already asked about.
        self._next = now + int(self._rest_s * SECOND)
        for connection in sorted(self._resumed):
            await self._store.hurry(connection, now)
            self._resumed.discard(connection)
        crowded, latest = False, []
        # Each is the first in its turn: those that share a limit share what it leaves.
        self._connections = [*self._connections[1:], *self._connections[:1]]
        for connection in self._connections:
            crowded |= await self._serve(connection, "look", now, AT_ONCE)
            shared_at = await self._purses.share(connection)
            if shared_at is not None:
                latest.append(max(shared_at, now + int(CROWDED_S * SECOND)))
            crowded |= await self._submits(connection, now)
        overdue = await self._store.due_runs(now=now, limit=RUNS_AT_ONCE)
        for run in overdue:
            self._worker.post(run, t.RunOverdue)
        if not self._worker.stopping:
            for run in await self._store.due_notices(now=now, limit=100):
                self.notices.wake(run)
        admitted = await self._store.admissible()
        for run in admitted:
            self._worker.post(run, t.Admitted)
        # More may be admissible after these than there was room to look at now.
        crowded |= bool(admitted) or len(overdue) == RUNS_AT_ONCE
        if (ends_at := self._limits.pauses.next_end()) is not None:
            latest.append(ends_at)
        if crowded:
            latest.append(now + int(CROWDED_S * SECOND))
        if (wakes_at := await self._store.next_wake(after=now)) is not None:
            latest.append(wakes_at)
        self._next = min([self._next, *latest])

    async def _submits(self, connection: str, now: int) -> bool:
        """Have jobs submitted; return whether more could be, but for their number."""
        free = self._limits.free(connection)
        if self._worker.stopping:
            return False
        more = free == 0 or await self._serve(connection, "submit", now, free)
        # Of one that is full nobody knows whether jobs wait for it; then none may overtake.
        self._limits.queue(connection, more)
        return more and free > 0

    async def _serve(self, connection: str, lane: Lane, now: int, limit: int) -> bool:
        """Wake what is due, at most *limit* jobs, runs taking turns; return whether there may be more."""
        line = self._lines[connection, lane]
        line.served = {job for job in line.served if self._wakes.is_busy(job)}
        limit = min(limit, AT_ONCE - len(line.served))
        if limit == 0:
            return True
        found, line.lap = await self._store.due(
            connection=connection, lane=lane, now=now, limit=limit, but=line.served, lap=line.lap
        )
        for due in found:
            if not self._wakes.is_busy(due.job):
                self._wakes.wake(due.run, due.job)
            line.served.add(due.job)
        return len(found) == limit

    async def _rest(self) -> None:
        while (rest_s := (self._next - self._clock.now()) / SECOND) > 0:
            self._nudged.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(rest_s):
                    await self._nudged.wait()
