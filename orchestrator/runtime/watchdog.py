"""
Looks through what is open, for ever, for what must not be, and mends it.

Every open job has a next wake-up, every ended job's successors have begun, and what the rows say is
what the log says. The engine and the appends see to all of that. Should one of them have a fault, or
somebody have written to the database, a run would hang in silence; here it is found, told in its log
and in ours, and goes on.

A round asks the store for what an index shows at once (jobs that nothing wakes). Then a lap goes through
the runs that have not ended, by pages, and reads whole those of which something was written since the
lap before, and all of them from time to time: their rows are held against their fold, and that against
what should follow. At last come runs that have ended, each once. So it takes time by what is open and
what happens, not by what is stored; and of all time a small share, however much there is to do.
"""

import asyncio
from collections.abc import Coroutine, Sequence
from dataclasses import replace
from typing import Any, Protocol

import structlog

from orchestrator.clock import SECOND, Clock
from orchestrator.engine import events as e
from orchestrator.engine import triggers as t
from orchestrator.engine.decide import overdue
from orchestrator.engine.fold import apply
from orchestrator.engine.state import RunState
from orchestrator.errors import OrchestratorError, StoreUnavailable
from orchestrator.runtime.positions import Positions
from orchestrator.runtime.worker import Worker
from orchestrator.store.audit import Audit, OpenRun
from orchestrator.store.log import Log
from orchestrator.store.projection import job_row, run_row
from orchestrator.store.rows import JobRow, RunRow
from orchestrator.store.schedule import Schedule
from orchestrator.store.views import Views
from orchestrator.telemetry.counters import Counters

log = structlog.get_logger()

ROUND_S = 10.0
"""The time between two rounds when a lap is over; before that it goes by the time that a round took."""

WORK_S, REST = 0.25, 19
"""How long a round may take, and how many times as long it rests then."""

WHOLE_S = 1800.0
"""So often every open run is read whole, whether anything was written of it or not."""

PAGE, ENDED = 500, 100
EVENTS_AT_ONCE = 500
"""A run is folded in pieces of so many events, and others have their turn in between."""

JOBS_READ = 1_000
_ENDED = "watchdog/ended"
ENDS = ("run.succeeded", "run.failed", "run.cancelled")


class Store(Audit, Log, Schedule, Views, Protocol):
    """What is looked through."""


class Busy(Protocol):
    """Knows what is being done for whom."""

    def is_busy(self, job: str) -> bool: ...


class Watchdog:
    """One loop. *counters*: how many problems were found and mended."""

    def __init__(self, store: Store, worker: Worker, busy: Busy, clock: Clock, counters: Counters) -> None:
        self._store, self._worker, self._busy, self._clock = store, worker, busy, clock
        self._counters = counters
        self._ends = Positions(store, "watchdog")
        self._page, self._began, self._known, self._whole_at = "", 0, 0, 0
        self._unsent: frozenset[str] = frozenset()

    async def run(self) -> None:
        """Go round until cancelled."""
        rest_s = ROUND_S
        while True:
            await asyncio.sleep(rest_s)
            rest_s = ROUND_S
            began = _now_s()
            try:
                if not await self.round(began + WORK_S):
                    rest_s = 0.0
            except OrchestratorError as trouble:
                log.warning("watchdog.failed", error=str(trouble))
            rest_s = max(rest_s, (_now_s() - began) * REST)

    async def round(self, until_s: float) -> bool:
        """Look through the next part of what is open, at most until then; return whether nothing is left."""
        await self._submits()
        for run in await self._store.runs_asleep(limit=PAGE):
            await self._examine(run)
        return await self._lap(until_s) and await self._ended(until_s)

    async def _lap(self, until_s: float) -> bool:
        """Go on with the lap; return whether it is over."""
        if not self._page:
            await self._begin_lap()
        while True:
            page = await self._store.open_runs(after=self._page, limit=PAGE)
            for one in page:
                await self._look(one)
                self._page = one.id
                if _now_s() >= until_s:
                    return False
            if len(page) < PAGE:
                self._page, self._known = "", self._began
                return True

    async def _begin_lap(self) -> None:
        """What was written before the last lap began was looked at in it or before, but for a whole lap."""
        self._began = await self._store.last_sequence()
        now = self._clock.now()
        if now >= self._whole_at:
            self._whole_at = now + int(WHOLE_S * SECOND)
            self._known = 0

    async def _look(self, run: OpenRun) -> None:
        if run.version != run.recorded:
            await self._store.correct_version(run.id)
            problem = f"its row was at version {run.version} and its log at {run.recorded}"
            await self._tried(run.id, self._heal(run.id, [problem], []))
            await self._examine(run.id)
        elif run.sequence > self._known or not run.waits:
            await self._examine(run.id)

    async def _ended(self, until_s: float) -> bool:
        """Examine the next runs that have ended; return whether there are no more."""
        if not len(self._ends):
            await self._ends.load()
            await self._ends.keep([_ENDED], await self._store.last_sequence())
        before = at = self._ends[_ENDED]
        ends = await self._store.tail(after=before, types=ENDS, limit=ENDED)
        for end in ends:
            if _now_s() >= until_s or not await self._examine(end.stream):
                break
            at = end.seq
        await self._ends.move({_ENDED: at})
        return len(ends) < ENDED or at == before

    async def _submits(self) -> None:
        """
        Find claimed submits that nobody is sending: such a job waits for an answer that never comes.

        What is so in two rounds is no matter of a moment.
        """
        jobs = await self._store.open_jobs(["submitting"])
        unsent = {job.id: job.run for job in jobs if not self._busy.is_busy(job.id)}
        for job in self._unsent & unsent.keys():
            await self._heal(unsent[job], ["a submit was claimed and nobody was sending it"], [])
            self._worker.post(unsent[job], t.SubmitLost, job=job, reason="nobody was sending it")
        self._unsent = frozenset(unsent)

    async def _examine(self, run: str) -> bool:
        """Hold a run's rows against its log, mend what is wrong; return whether anything could be said."""
        return await self._tried(run, self._compare(run)) is not False

    async def _tried(self, run: str, work: Coroutine[Any, Any, bool | None]) -> bool | None:
        try:
            return await work
        except StoreUnavailable:
            raise
        except OrchestratorError as trouble:
            # Such as a definition that is not there. The others are looked at all the same.
            log.warning("watchdog.failed", run_id=run, error=str(trouble))
            return None

    async def _compare(self, run: str) -> bool:
        state = await self._fold(run)
        row = await self._store.run(run)
        jobs = await self._jobs(run)
        if state is None or row is None:
            return True  # It was removed, or never was.
        if await self._store.run(run) != row or row.version != state.version:
            return False  # It is going on just now, so nothing can be said of it.
        wrong = {job: text for job, text in _wrong_jobs(state, jobs).items() if not self._busy.is_busy(job)}
        problems = [*_wrong_run(state, row), *wrong.values(), *await self._overdue(state)]
        if problems:
            await self._heal(run, problems, list(wrong))
        return True

    async def _fold(self, run: str) -> RunState | None:
        state: RunState | None = None
        for number, record in enumerate(await self._store.read(run), 1):
            state = apply(state, e.decode(record.type, record.data))
            if number % EVENTS_AT_ONCE == 0:
                await asyncio.sleep(0)
        return state

    async def _jobs(self, run: str) -> dict[str, JobRow]:
        found: dict[str, JobRow] = {}
        before: str | None = None
        while page := await self._store.jobs(run=run, before=before, limit=JOBS_READ):
            found |= {job.id: job for job in page}
            before = page[-1].id
        return found

    async def _overdue(self, state: RunState) -> list[str]:
        try:
            plan = await self._worker.plan(state)
        except OrchestratorError:
            return []  # Its definition is not there; that is told elsewhere.
        at = max(self._clock.now(), state.last_at)
        healed = t.Healed(at=at, entropy=self._clock.entropy())
        events = await self._worker.values.during(lambda: overdue(plan, state, healed))
        return [f"{event} should have come before" for event in events]

    async def _heal(self, run: str, problems: Sequence[str], jobs: Sequence[str]) -> None:
        log.error("watchdog.healed", run_id=run, problems=list(problems))
        self._counters.add("watchdog.healed", len(problems))
        await self._worker.handle(run, t.Healed, problems=list(problems), jobs=list(jobs))


def _now_s() -> float:
    return asyncio.get_running_loop().time()


def _wrong_run(state: RunState, row: RunRow) -> list[str]:
    expected = run_row(state)
    if row == expected:
        return []
    names = [name for name in RunRow.__dataclass_fields__ if getattr(row, name) != getattr(expected, name)]
    return [f"its row did not say what its log says: {', '.join(names)}"]


def _wrong_jobs(state: RunState, rows: dict[str, JobRow]) -> dict[str, str]:
    """Return what is wrong with the rows of jobs; when an open one wakes is not for the log to say."""
    wrong: dict[str, str] = {}
    for job in state.jobs.values():
        expected, row = job_row(state.id, job), rows.get(job.id)
        if row is None:
            wrong[job.id] = f"{job.id} had no row"
        elif job.is_open and row.wake_at is None and expected.wake_at is not None:
            wrong[job.id] = f"{job.id} was {row.status} and would never have woken"
        elif replace(row, wake_at=expected.wake_at, asks=None) != expected:
            wrong[job.id] = f"the row of {job.id} did not say what its log says"
    return wrong
