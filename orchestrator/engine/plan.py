"""What the engine knows of the world: a workflow, and its operations as values that answer without I/O."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from orchestrator.definition.workflow import Workflow
from orchestrator.engine.state import Job
from orchestrator.outcomes import Callback, CallbackMeaning

Waits = Literal["none", "hint", "verdict", "heartbeat", "poll"]
"""
How the end of a task becomes known: the submit's answer is the result; a callback says
when to ask; the callback is the truth; polls that keep the task alive; polls.
"""


class PlannedOperation(Protocol):
    """
    An operation with the settings of its connection. Durations in seconds.

    *spends*        an unclear submit must not be repeated.
    *resends*       the provider ignores a second submit with the same key.
    *looks_up*      an uncertain submit can be searched for at the provider.
    *checks*        somebody can be asked how a task stands.
    *drops*         a task dies unpaid when nobody asks for it any more.
    *poll_s*        the longest time between two heartbeats.
    """

    waits: Waits
    spends: bool
    resends: bool
    looks_up: bool
    checks: bool
    drops: bool
    timeout_s: float
    first_check_s: float
    max_check_interval_s: float
    uncertain_grace_s: float
    poll_s: float

    def problem(self, params: Mapping[str, Any]) -> str | None:
        """Say what is wrong with the evaluated parameters, or nothing."""
        ...

    def template(self, job: Job) -> dict[str, Any] | None:
        """Return the spending request when it is known without I/O, for the fast path."""
        ...

    def price(self, job: Job) -> float | None:
        """Return the credits that the job costs by a price list, None where none says so. Never raises."""
        ...

    def meaning(self, callback: Callback, job: Job) -> CallbackMeaning:
        """Say what a callback of the job means. Never raises."""
        ...


@dataclass(frozen=True, slots=True)
class Plan:
    """A workflow and, per step, its operation."""

    workflow: Workflow
    operations: Mapping[str, PlannedOperation]
