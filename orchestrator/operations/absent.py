"""
An operation that is not there any more: its connection was renamed or removed while runs of it are open.

Nothing of it can be submitted, asked or read until it is configured again: its jobs wait, as rows, for a
start with it. What needs no provider goes on: the run can be cancelled, and its time can be over.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.engine.plan import Budget, DeadlineDecides, Waits
from orchestrator.engine.state import Job
from orchestrator.outcomes import Callback, CallbackMeaning, Unreadable


class Absent:
    """See `engine.plan.PlannedOperation`. *name*: what is missing."""

    waits: Waits = "verdict"
    spends = True
    """A submit of which nobody knows what became of it must not be taken for one that can be repeated."""
    checks = True
    """Who can ask will ask, when it is there again, for what a job that was cancelled has brought."""
    costs = resends = looks_up = drops = False
    timeout_s: float | None = None
    budget: Budget | None = None
    first_check_s = max_check_interval_s = poll_s = first_look_s = 300.0
    uncertain_grace_s = 86_400.0
    """Whoever knows how to find out what became of a submit is to have the time for it."""

    def __init__(self, name: str) -> None:
        self.name = name

    def of(self, job: Job) -> "Absent":
        """Return this one, whatever the parameters of *job*."""
        return self

    def problem(self, params: Mapping[str, Any]) -> str | None:
        """Return nothing: whether they are right is seen when it is there again."""
        return None

    def template(self, job: Job) -> dict[str, Any] | None:
        """Return nothing: its request cannot be made."""
        return None

    def price(self, job: Job) -> float | None:
        """Return nothing: who knows the price is not there."""
        return None

    def due_at(self, job: Job) -> int:
        """Return when the job was made; no step that waits for its time is absent."""
        return job.created_at

    def picked(self, job: Job, chosen: Sequence[int]) -> list[Any]:
        """Return nothing; no step that asks a person is absent."""
        return []

    def deadline_decides(self, job: Job) -> DeadlineDecides:
        """Return `fail`; no step that asks a person is absent."""
        return "fail"

    def meaning(self, callback: Callback, job: Job) -> CallbackMeaning:
        """Say that nobody here can read it."""
        return Unreadable(f"{self.name} is not configured any more")
