"""
Starts runs when runs of other workflows end: reads the log from where it got to last.

The position moves once everything up to it is started, and each run that follows is stored
under a key made of the one it follows; so a crash neither loses one nor starts it twice.
"""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import structlog

from orchestrator.definition.workflow import RunTrigger, Workflow
from orchestrator.engine.large import joined
from orchestrator.engine.state import RunState
from orchestrator.errors import InvalidValue, OrchestratorError, StoreUnavailable
from orchestrator.operations.runs import Cause, Runs
from orchestrator.operations.values import Values
from orchestrator.operations.workflows import Library
from orchestrator.runtime.positions import Positions
from orchestrator.store.log import Log
from orchestrator.store.rows import Recorded
from orchestrator.store.schedule import Schedule
from orchestrator.store.views import Views

log = structlog.get_logger()

ENDS = {"run.succeeded": "succeeded", "run.failed": "failed", "run.cancelled": "cancelled"}

DEPTH_MAX = 10
"""How many runs may follow each other: more follow themselves."""

AT_ONCE = 200
"""How many ends are read at a time."""

IDLE_S = 5.0
"""The longest time between two rounds; in it a trigger is met that came with a reload."""

BREATH_S = 0.1
"""The shortest time between two rounds: the log has news all the time, and few of them are ends."""


@dataclass(frozen=True, slots=True)
class Following:
    """A workflow and one of its triggers: what follows the runs of another."""

    workflow: Workflow
    trigger: RunTrigger

    @property
    def name(self) -> str:
        """What its position is known by."""
        return f"run/{self.workflow.name}/{self.trigger.workflow}"


class Followers:
    """One loop over the ends of runs."""

    def __init__(
        self, log: Log, views: Views, store: Schedule, runs: Runs, library: Library, values: Values
    ) -> None:
        self._log, self._views, self._runs, self._library, self._values = log, views, runs, library, values
        self._positions = Positions(store, "run")
        self._seen = 0

    async def begin(self) -> None:
        """Take up where an earlier process ended; triggers that are new follow what ends from now on."""
        await self._positions.load()
        await self._keep()

    async def run(self) -> None:
        """Follow until cancelled."""
        while True:
            try:
                await self.round()
            except StoreUnavailable as trouble:
                log.warning("store.unavailable", reason=str(trouble))
                await asyncio.sleep(1.0)
            if self._positions:
                await asyncio.sleep(BREATH_S)
                await self._log.wait(self._seen, IDLE_S)
            else:
                await asyncio.sleep(IDLE_S)

    async def round(self) -> None:
        """Start what follows all that has ended by now."""
        following = await self._keep()
        while following:
            after = min(self._positions[one.name] for one in following)
            ends = await self._log.tail(after=after, types=list(ENDS), limit=AT_ONCE)
            for end in ends:
                await self._follow(end, following)
            if ends:
                moved = {one.name: max(self._positions[one.name], ends[-1].seq) for one in following}
                await self._positions.move(moved)
            if len(ends) < AT_ONCE:
                return

    async def _keep(self) -> list[Following]:
        following = list(_following(self._library))
        if following or self._positions:
            self._seen = await self._log.last_sequence()
            await self._positions.keep({one.name for one in following}, self._seen)
        return following

    async def _follow(self, end: Recorded, following: Sequence[Following]) -> None:
        row = await self._views.run(end.stream)
        if row is None:
            return
        for one in following:
            is_news = self._positions[one.name] < end.seq
            if is_news and one.trigger.workflow == row.workflow and ENDS[end.type] in one.trigger.statuses:
                await self._start(one, end)

    async def _start(self, one: Following, end: Recorded) -> None:
        """Start what follows; what keeps it from starting is logged, and keeps nothing else."""
        try:
            await self._try(one, end)
        except StoreUnavailable:
            raise
        except OrchestratorError as error:
            log.error("follower.failed", workflow=one.workflow.name, run_id=end.stream, error=str(error))
        except Exception as error:
            log.exception(
                "follower.failed", workflow=one.workflow.name, run_id=end.stream, error=type(error).__name__
            )

    async def _try(self, one: Following, end: Recorded) -> None:
        ended = await self._runs.get(end.stream)
        depth = await self._depth(ended) + 1
        if depth > DEPTH_MAX:
            raise InvalidValue(f"{DEPTH_MAX} runs have followed each other: do they follow themselves?")
        scope = {"run": await self._as_seen(ended, end)}
        inputs = {name: value.evaluate(scope) for name, value in one.trigger.inputs.items()}
        trigger = {"kind": "run", "run": end.stream, "status": ENDS[end.type], "depth": depth}
        cause = Cause(key=f"run/{end.stream}/{one.workflow.name}", trigger=trigger)
        await self._runs.trigger(one.workflow, inputs, cause)

    async def _as_seen(self, state: RunState, end: Recorded) -> dict[str, Any]:
        """Return the run as expressions see it: as it was at that end, for it may have gone on since."""
        data = orjson.loads(end.data)
        outputs = joined(data.get("outputs"), data.get("outputs_ref"))
        return {
            "id": state.id,
            "workflow": state.workflow,
            "status": ENDS[end.type],
            "inputs": await self._values.of(state.inputs),
            "outputs": await self._values.of(outputs),
            "labels": state.labels,
            "error": data.get("error"),
        }

    async def _depth(self, state: RunState) -> int:
        """Return how many runs followed each other up to this one; a step follows what its run follows."""
        while state.trigger is None and state.parent is not None:
            above = await self._views.run_of_job(state.parent)
            if above is None:
                break
            state = await self._runs.get(above)
        return int((state.trigger or {}).get("depth", 0))


def _following(library: Library) -> Iterator[Following]:
    for workflow in library.all():
        for trigger in workflow.triggers.runs:
            yield Following(workflow, trigger)
