"""What the engine knows of the world: a workflow, and its operations as values that answer without I/O."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from orchestrator.definition.workflow import Workflow
from orchestrator.engine.state import Job
from orchestrator.outcomes import Callback, CallbackMeaning

Waits = Literal["none", "hint", "verdict", "heartbeat", "poll", "timer", "person", "run"]
"""
How the end of a task becomes known: the submit's answer is the result; a callback says
when to ask; the callback is the truth; polls that keep the task alive; polls.

And where the task is our own: its time comes; a person decides; another run of ours ends.
"""

DeadlineDecides = Literal["approve", "reject", "fail"]
"""What becomes of a question that nobody has answered in time."""


@dataclass(frozen=True, slots=True)
class Budget:
    """At most *credits* for the jobs of a connection that are submitted within one *period_s*."""

    credits: float
    period_s: float


class PlannedOperation(Protocol):
    """
    An operation with the settings of its connection. Durations in seconds.

    *timeout_s*     None: it may take as long as its run.
    *first_look_s*  when a task is looked at first: when most like it are done, *first_check_s* where
                    nobody knows when that is.
    *budget*        of its connection; None where there is none.

    *costs*         it costs credits.
    *spends*        an unclear submit must not be repeated.
    *resends*       the provider ignores a second submit with the same key.
    *looks_up*      an uncertain submit can be searched for at the provider.
    *checks*        somebody can be asked how a task stands.
    *drops*         a task dies unpaid when nobody asks for it any more.
    *poll_s*        the longest time between two heartbeats.
    """

    waits: Waits
    spends: bool
    costs: bool
    resends: bool
    looks_up: bool
    checks: bool
    drops: bool
    timeout_s: float | None
    budget: Budget | None
    first_check_s: float
    max_check_interval_s: float
    uncertain_grace_s: float
    poll_s: float

    @property
    def first_look_s(self) -> float:
        """When to look at a task that was accepted just now; see above."""
        ...

    def of(self, job: Job) -> "PlannedOperation":
        """Return the operation as it is for the parameters of *job*."""
        ...

    def problem(self, params: Mapping[str, Any]) -> str | None:
        """Say what is wrong with the evaluated parameters, or nothing."""
        ...

    def template(self, job: Job) -> dict[str, Any] | None:
        """Return the spending request when it is known without I/O, for the fast path."""
        ...

    def price(self, job: Job) -> float | None:
        """Return the credits that the job costs by a price list, None where none says so. Never raises."""
        ...

    def due_at(self, job: Job) -> int:
        """Return when a task that waits for its time is done, microseconds; asked of no other."""
        ...

    def picked(self, job: Job, chosen: Sequence[int]) -> list[Any]:
        """Return the chosen of a question's choices. Errors: InvalidValue when that may not be chosen."""
        ...

    def deadline_decides(self, job: Job) -> DeadlineDecides:
        """Say what becomes of a question that nobody has answered in time."""
        ...

    def meaning(self, callback: Callback, job: Job) -> CallbackMeaning:
        """Say what a callback of the job means. Never raises."""
        ...


@dataclass(frozen=True, slots=True)
class Plan:
    """A workflow and, per step, its operation."""

    workflow: Workflow
    operations: Mapping[str, PlannedOperation]

    def operation(self, job: Job) -> PlannedOperation:
        """Return the operation of *job*."""
        return self.operations[job.step].of(job)
