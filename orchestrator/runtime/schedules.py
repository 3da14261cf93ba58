"""
Starts runs at the instants of their workflows' schedules, one for each instant.

The run is created first and the position moved after; what keeps a crash in between from starting
it twice is the key that is stored with the run. An instant that passed unseen, because no server
ran, is skipped or made up for by one run, as the schedule says.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass

import structlog

from orchestrator import cron
from orchestrator.clock import SECOND, Clock, rfc3339
from orchestrator.definition.workflow import ScheduleTrigger, Workflow
from orchestrator.errors import OrchestratorError, StoreUnavailable
from orchestrator.operations.runs import Cause, Runs
from orchestrator.operations.workflows import Library
from orchestrator.runtime.positions import Positions
from orchestrator.store.schedule import Schedule

log = structlog.get_logger()

GRACE = 60 * SECOND
"""An instant that passed no longer ago than this counts as now: a restart takes a while."""

NEVER = 1 << 62

IDLE_S = 5.0
"""The longest time between two rounds; in it a schedule is met that came with a reload."""


@dataclass(frozen=True, slots=True)
class Planned:
    """One schedule of one workflow."""

    workflow: Workflow
    schedule: ScheduleTrigger

    @property
    def name(self) -> str:
        """What its position and its runs are known by: another line or time zone is another schedule."""
        line = " ".join(self.schedule.cron.split())
        return f"schedule/{self.workflow.name}/{line}/{self.schedule.timezone}"


class Schedules:
    """One loop over all schedules."""

    def __init__(self, store: Schedule, runs: Runs, library: Library, clock: Clock) -> None:
        self._runs, self._library, self._clock = runs, library, clock
        self._positions = Positions(store, "schedule")
        self._next: dict[str, int] = {}

    async def begin(self) -> None:
        """Take up where an earlier process ended; schedules that are new begin now."""
        await self._positions.load()
        await self._keep()

    async def run(self) -> None:
        """Start what is due until cancelled."""
        while True:
            try:
                rest_s = await self.round()
            except StoreUnavailable as trouble:
                log.warning("store.unavailable", reason=str(trouble))
                rest_s = 1.0
            await asyncio.sleep(rest_s)

    async def round(self) -> float:
        """Start what is due now, and return after how many seconds to look again."""
        planned = await self._keep()
        soonest = IDLE_S
        for one in planned:
            now = self._clock.now()
            if self._next.get(one.name, 0) <= now:
                await self._meet(one, now)
                following = cron.following(one.schedule.cron, one.schedule.timezone, now)
                self._next[one.name] = NEVER if following is None else following
            soonest = min(soonest, (self._next[one.name] - self._clock.now()) / SECOND)
        return max(soonest, 0.0)

    async def _keep(self) -> list[Planned]:
        planned = list(_planned(self._library))
        await self._positions.keep({one.name for one in planned}, self._clock.now())
        return planned

    async def _meet(self, one: Planned, now: int) -> None:
        """Start the run of the latest instant since the position, if there is one and it counts."""
        schedule = one.schedule
        instant = cron.latest(schedule.cron, schedule.timezone, self._positions[one.name], now)
        if instant is None:
            return
        if schedule.missed == "run_once" or now - instant <= GRACE:
            await self._start(one, instant)
        else:
            name, at = one.workflow.name, rfc3339(instant)
            log.warning("schedule.missed", workflow=name, cron=schedule.cron, at=at)
        await self._positions.move({one.name: instant})

    async def _start(self, one: Planned, instant: int) -> None:
        at = rfc3339(instant)
        schedule = one.schedule
        trigger = {"kind": "schedule", "cron": schedule.cron, "timezone": schedule.timezone, "at": at}
        try:
            await self._runs.trigger(one.workflow, {}, Cause(key=f"{one.name}/{at}", trigger=trigger))
        except StoreUnavailable:
            raise
        except OrchestratorError as error:
            log.error("schedule.failed", workflow=one.workflow.name, at=at, error=str(error))
        except Exception as error:
            # A bug must not end the server, and again at every start, because its instant has come.
            log.exception("schedule.failed", workflow=one.workflow.name, at=at, error=type(error).__name__)


def _planned(library: Library) -> Iterator[Planned]:
    for workflow in library.all():
        for schedule in workflow.triggers.schedules:
            yield Planned(workflow, schedule)
