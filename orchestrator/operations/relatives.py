"""The runs that belong to a run: the one whose step it is, and those that are its steps."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from orchestrator.definition.workflow import CORE
from orchestrator.engine.state import Job, RunState
from orchestrator.errors import NotFound
from orchestrator.store.views import Views

CHILDREN_MAX = 50
"""Of so many runs that are under way it is told how far they are; of the others only which they are."""


class States(Protocol):
    """Knows how runs stand; the worker."""

    async def state(self, run: str) -> RunState: ...


@dataclass(frozen=True, slots=True)
class Relatives:
    """
    *parent*: the run whose step this one is, where it still is there.

    *children*: how those stand that are under way, by the jobs that they are.
    """

    parent: str | None = None
    children: Mapping[str, RunState] = field(default_factory=dict)


async def relatives(state: RunState, views: Views, states: States) -> Relatives:
    """Return the runs that belong to the run *state*."""
    parent = await views.run_of_job(state.parent) if state.parent is not None else None
    children: dict[str, RunState] = {}
    for job in _under_way(state):
        if len(children) == CHILDREN_MAX:
            break
        try:
            children[job.id] = await states.state(child_of(job) or "")
        except NotFound:
            continue
    return Relatives(parent, children)


def _under_way(state: RunState) -> Iterator[Job]:
    for id in state.open:
        if child_of(state.jobs[id]) is not None:
            yield state.jobs[id]


def child_of(job: Job) -> str | None:
    """Return the run that *job* is, or None for any other job, and while that run was not started."""
    if (job.connection, job.operation) != (CORE, "run_workflow") or job.task_id is None:
        return None
    return job.task_id.partition("/")[0]


def progress(state: RunState) -> str:
    """Say in a few words how far a run is: its status, and which steps are under way."""
    running = [step.id for step in state.steps.values() if step.status == "running"]
    if state.has_ended or not running:
        return state.status
    more = f" and {len(running) - 3} more" if len(running) > 3 else ""
    return f"{state.status}: {', '.join(running[:3])}{more}"
