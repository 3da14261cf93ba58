"""
What runs share, and what a decision takes of it or gives back: budgets, the places of a group.

A hold is a row that names its holder, a job or a run. It is written in the transaction of the
events that it follows from, and where there is not enough left nothing of that is written. So
nothing leaks in a crash, and what is held can be asked.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator.engine import events as e
from orchestrator.engine.state import RunState
from orchestrator.times import SECOND, from_rfc3339, rfc3339

LONGEST_PERIOD_S = 366 * 86_400


@dataclass(frozen=True, slots=True)
class Hold:
    """
    What *holder* has of *resource* from now on; 0 gives all of it back.

    *most*: how much all holders together may have; None where this must be written whatever is left.
    *in_line*: a place in a queue, and runs that wait for it already come first.
    """

    resource: str
    holder: str
    amount: float
    most: float | None = None
    in_line: bool = False


def group(workflow: str, name: str) -> str:
    """Return the resource that the runs of a concurrency group share."""
    return f"group/{workflow}/{name}"


def budget(connection: str, period_s: float, at: int) -> str:
    """Return the resource that is the budget of *connection* in the period of *at*, microseconds."""
    return f"budget/{connection}/{rfc3339(period_start(period_s, at))}"


def period_start(period_s: float, at: int) -> int:
    """Return when the period of *at* began, microseconds; periods are counted from the epoch, in UTC."""
    return at - at % max(round(period_s * SECOND), 1)


def is_over(resource: str, periods_s: Mapping[str, float], at: int) -> bool:
    """
    Return whether nothing counts by the budget *resource* any more.

    *periods_s*: how long those of connections are; of others nobody knows, but it is not longer than a year.
    """
    _, connection, start = resource.split("/", 2)
    period_s = periods_s.get(connection, LONGEST_PERIOD_S)
    return from_rfc3339(start) + round(period_s * SECOND) <= at


def of_event(event: e.Event, state: RunState) -> Hold | None:
    """Return what *event*, which *state* is the state after, takes of what is shared, or gives back."""
    held = _HOLDS.get(type(event))
    return held(event, state) if held is not None else None


def _place(event: e.RunStarted, state: RunState) -> Hold | None:
    if state.group is None:
        return None
    return Hold(state.group, state.id, 1, most=state.group_limit, in_line=True)


def _no_place(event: e.Event, state: RunState) -> Hold | None:
    return Hold(state.group, state.id, 0, in_line=True) if state.group is not None else None


def _credits(event: e.JobEvent, state: RunState) -> Hold | None:
    """Return what is reserved for a job, or has turned out to be its cost: what may have been paid stays."""
    job = state.jobs[event.job]
    if job.budget is None:
        return None
    most = event.most if isinstance(event, e.JobSubmitting) else None
    return Hold(job.budget, job.id, job.reserved, most=most)


_HOLDS: dict[type[e.Event], Callable[[Any, RunState], Hold | None]] = {
    e.RunStarted: _place,
    e.RunSucceeded: _no_place,
    e.RunFailed: _no_place,
    e.RunCancelled: _no_place,
    e.JobSubmitting: _credits,
    e.JobUncertain: _credits,
    e.JobRejected: _credits,
    e.JobSucceeded: _credits,
    e.JobFailed: _credits,
    e.JobTimedOut: _credits,
    e.JobCancelled: _credits,
    e.JobLateResult: _credits,
}
