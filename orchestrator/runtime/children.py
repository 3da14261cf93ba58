"""
Runs that are steps of other runs: starts them, looks how they stand, ends them with their step.

The job of such a step and its run have the same number (`job_X`, `run_X`), so a start that is
repeated after a crash finds the run that is there. A step that is tried again lets its run go on
where that had failed, rather than pay for all of it anew; the task's id is then `run_X/2`. Nothing is
begun where files are gone that it needs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from orchestrator.engine import triggers as t
from orchestrator.engine.large import Unavailable, opened
from orchestrator.engine.state import RETRIABLE, Job, RunState
from orchestrator.errors import Failure, InvalidInput, NotFound, WrongState
from orchestrator.operations.needs import Missing
from orchestrator.operations.relatives import progress
from orchestrator.operations.values import Values
from orchestrator.outcomes import Accepted, Failed, Pending
from orchestrator.store.views import Views

DEPTH_MAX = 20
"""How many runs deep steps may start runs: what goes deeper starts itself."""


class Starts(Protocol):
    """Starts runs as people do."""

    async def start(
        self,
        workflow: str,
        inputs: Mapping[str, Any],
        labels: Mapping[str, str] | None = None,
        *,
        run: str | None = None,
        parent: str | None = None,
    ) -> object: ...


class Needs(Protocol):
    """Knows what is missing for a run to go on."""

    async def missing(self, state: RunState) -> Missing | None: ...


class Driver(Protocol):
    """Whoever decides and writes down; the worker."""

    async def handle(self, run: str, kind: type[t.Trigger], **fields: Any) -> RunState: ...

    async def state(self, run: str) -> RunState: ...


@dataclass(frozen=True, slots=True)
class Finished:
    """The run succeeded: its outputs, and the artifacts that belong to them."""

    output: dict[str, Any]
    artifacts: Sequence[dict[str, Any]]


class Children:
    """What a step that is a run asks for."""

    def __init__(self, starts: Starts, driver: Driver, views: Views, values: Values, needs: Needs) -> None:
        self._starts, self._driver, self._views, self._values = starts, driver, views, values
        self._needs = needs

    async def start(self, job: Job, state: RunState) -> Accepted | Failed:
        """
        Start the run of *job*, a job of the run *state*, or let the one of its earlier attempt go on.

        Errors:  Unavailable when its parameters cannot be read; they are in memory where they can.
        """
        earlier = await self._to_go_on(job, state)
        if isinstance(earlier, Failed):
            return earlier
        if earlier is not None:
            return Accepted(task_id=f"{earlier}/{job.attempt}", poll_s=0)
        run = "run_" + job.id.removeprefix("job_")
        if await self._views.run(run) is None and (failure := await self._start(run, job, state)) is not None:
            return Failed(failure)
        return Accepted(task_id=run, poll_s=0)

    async def _start(self, run: str, job: Job, state: RunState) -> Failure | None:
        if await self._depth(state) >= DEPTH_MAX:
            message = f"runs that start runs are {DEPTH_MAX} deep here: does '{state.workflow}' start itself?"
            return Failure("invalid_request", message)
        params = opened(job.params)
        try:
            await self._starts.start(
                params["workflow"], params.get("inputs", {}), state.labels, run=run, parent=job.id
            )
        except (NotFound, InvalidInput) as error:
            return Failure("invalid_request", str(error))
        return None

    async def _depth(self, state: RunState) -> int:
        depth = 0
        while state.parent is not None and depth < DEPTH_MAX:
            above = await self._views.run_of_job(state.parent)
            if above is None:
                break
            state, depth = await self._driver.state(above), depth + 1
        return depth

    async def _to_go_on(self, job: Job, state: RunState) -> str | Failed | None:
        """
        Return the run of the attempt before, brought to go on, where it ended badly and was the same.

        `Failed` where it cannot: a run that lacks a file would pay in vain for what comes before that.
        """
        before = _attempt_before(job, state)
        if before is None or before.params != state.jobs[job.id].params:
            return None
        run = run_of(before)
        child = await self._driver.state(run)
        if child.status in RETRIABLE:
            if (missing := await self._needs.missing(child)) is not None:
                message = f"{run} cannot go on as it is: {missing.words}"
                return Failed(Failure("result_unavailable", message))
            try:
                child = await self._driver.handle(run, t.RetryAsked, parent=job.id)
            except WrongState:
                child = await self._driver.state(run)
        return run if child.parent == job.id else None

    async def look(self, job: Job) -> Pending | Failed | Finished:
        """Say how the run of *job* stands."""
        child = await self._driver.state(run_of(job))
        if child.status == "succeeded":
            return await self._finished(child)
        if child.has_ended:
            error = child.error or {}
            why = error.get("message", "it was cancelled")
            code = error.get("code") or error.get("class") or "cancelled"
            return Failed(Failure("task_failed", f"{child.id} {child.status}: {why}", code=code))
        return Pending(progress=progress(child))

    async def _finished(self, child: RunState) -> Finished | Failed:
        try:
            outputs = await self._values.of(child.outputs or {})
        except Unavailable as lost:
            message = f"the outputs of {child.id} cannot be read: {lost}"
            return Failed(Failure("result_unavailable", message))
        return Finished(outputs, _artifacts(outputs))

    async def cancel(self, job: Job) -> None:
        """End the run of *job*, whose step has ended without it."""
        if not (await self._driver.state(run_of(job))).has_ended:
            await self._driver.handle(run_of(job), t.CancelAsked, reason=f"its step in {job.id} has ended")


def run_of(job: Job) -> str:
    """Return the run that is the task of a job."""
    assert job.task_id is not None, "its run was started"
    return job.task_id.partition("/")[0]


def _attempt_before(job: Job, state: RunState) -> Job | None:
    """Return the latest earlier attempt of the same instance that counts and had a run."""
    stale = state.instances[job.key].stale
    earlier = [
        other
        for other in state.jobs.values()
        if other.key == job.key and stale < other.attempt < job.attempt and other.task_id is not None
    ]
    return max(earlier, key=lambda other: other.attempt, default=None)


def _artifacts(value: Any) -> list[dict[str, Any]]:
    """Return the artifacts anywhere in *value*, in order, each once."""
    found: dict[str, dict[str, Any]] = {}
    todo = [value]
    while todo:
        at = todo.pop(0)
        if isinstance(at, dict) and str(at.get("digest", "")).startswith("sha256:"):
            found.setdefault(at["digest"], at)
        elif isinstance(at, dict | list):
            todo[:0] = at.values() if isinstance(at, dict) else at
    return list(found.values())
