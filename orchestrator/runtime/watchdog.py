"""
Looks through what is open, slowly and for ever, for what must not be, and mends it.

Every open job has a next wake-up, every ended job's successors have begun, and what the rows say is
what the log says. The engine and the appends see to all of that. Should one of them have a fault, or
somebody have written to the database, a run would hang in silence; here it is found, told in its log
and in ours, and goes on.

A round asks the store for what an index shows at once (jobs that nothing wakes), then for a page of
the runs that go on, then reads a few of those whole and holds their rows against their fold.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import structlog

from orchestrator.clock import Clock
from orchestrator.engine import events as e
from orchestrator.engine import triggers as t
from orchestrator.engine.decide import overdue
from orchestrator.engine.fold import fold
from orchestrator.engine.state import RunState
from orchestrator.errors import OrchestratorError
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
PAGE = 500
"""How many open runs a round looks at from outside."""

EVENTS_READ = 500
"""Runs are read whole until they have so many events together; one at least in each round."""

JOBS_READ = 1_000


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
        self._page, self._whole = "", ""
        self._unsent: frozenset[str] = frozenset()

    async def run(self) -> None:
        """Go round until cancelled."""
        while True:
            await asyncio.sleep(ROUND_S)
            try:
                await self.round()
            except OrchestratorError as trouble:
                log.warning("watchdog.failed", error=str(trouble))

    async def round(self) -> None:
        """Look through the next part of what is open."""
        await self._submits()
        for run in await self._store.runs_asleep(limit=PAGE):
            await self._examine(run)
        page = await self._store.open_runs(after=self._page, limit=PAGE)
        self._page = page[-1].id if len(page) == PAGE else ""
        for one in page:
            if one.version != one.recorded:
                await self._correct(one)
            elif not one.has_open_job:
                await self._examine(one.id)
        await self._read_some()

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

    async def _read_some(self) -> None:
        left = EVENTS_READ
        page = await self._store.open_runs(after=self._whole, limit=50)
        for one in page:
            await self._examine(one.id)
            self._whole = one.id
            left -= one.recorded
            if left <= 0:
                return
        if len(page) < 50:
            self._whole = ""

    async def _correct(self, run: OpenRun) -> None:
        await self._store.correct_version(run.id)
        problem = f"its row was at version {run.version} and its log at {run.recorded}"
        await self._heal(run.id, [problem], [])
        await self._examine(run.id)

    async def _examine(self, run: str) -> None:
        """Hold the rows of a run against its log, and its log against what should follow from it."""
        state = fold(e.decode(record.type, record.data) for record in await self._store.read(run))
        row = await self._store.run(run)
        jobs = await self._jobs(run)
        again = await self._store.run(run)
        if state is None or row is None or again != row or row.version != state.version:
            return  # It is going on just now, so nothing can be said of it.
        wrong = {job: text for job, text in _wrong_jobs(state, jobs).items() if not self._busy.is_busy(job)}
        problems = [*_wrong_run(state, row), *wrong.values(), *await self._overdue(state)]
        if problems:
            await self._heal(run, problems, list(wrong))

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
            return []  # Its connections are not configured any more; that is told elsewhere.
        at = max(self._clock.now(), state.last_at)
        healed = t.Healed(at=at, entropy=self._clock.entropy())
        events = await self._worker.values.during(lambda: overdue(plan, state, healed))
        return [f"{event} should have come before" for event in events]

    async def _heal(self, run: str, problems: Sequence[str], jobs: Sequence[str]) -> None:
        log.error("watchdog.healed", run_id=run, problems=list(problems))
        self._counters.add("watchdog.healed", len(problems))
        await self._worker.handle(run, t.Healed, problems=list(problems), jobs=list(jobs))


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
