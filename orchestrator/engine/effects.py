"""What is to be done in the outside world: derived from state, so recovery is the same as normal work."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from orchestrator.engine.plan import PlannedOperation
from orchestrator.engine.state import Job

EffectKind = Literal["submit", "send", "check", "collect", "resolve", "wake"]
"""
submit   prepare and, when the limits allow, claim and send the spending request of a created job
send     the request is claimed and may leave now (by the process that claimed it, and by no other)
check    ask the provider how the task stands
collect  fetch the result and its files
resolve  send again with the same key, or look up what an uncertain submit became
wake     nothing to ask: a deadline or a grace is over
"""


@dataclass(frozen=True, slots=True)
class Effect:
    """One piece of work. Not before *due_at*, microseconds."""

    kind: EffectKind
    job: str
    due_at: int


def due_effects(jobs: Iterable[Job], operations: Callable[[Job], PlannedOperation]) -> list[Effect]:
    """Return what the jobs, whichever were touched or all of a run's, ask for."""
    found = (effect_of(job, operations(job)) for job in jobs)
    return [effect for effect in found if effect is not None]


def effect_of(job: Job, operation: PlannedOperation) -> Effect | None:
    """Return what one job asks for next, or nothing when it has ended for good."""
    match job.status:
        case "created":
            return Effect("submit", job.id, job.wake_at or 0)
        case "submitting":
            return Effect("send", job.id, 0)
        case "collecting":
            return Effect("collect", job.id, 0)
        case "uncertain":
            return _search(job, operation)
        case "waiting":
            return Effect("check" if operation.checks else "wake", job.id, job.wake_at or 0)
        case _ if not job.watched or job.wake_at is None:
            return None
        case _ if job.output is not None:
            return Effect("collect", job.id, 0)
        case _ if not job.is_known:
            return _search(job, operation)
        case _ if operation.checks:
            return Effect("check", job.id, job.wake_at)
        case _:
            return Effect("wake", job.id, job.deadline_at or job.wake_at)


def _search(job: Job, operation: PlannedOperation) -> Effect:
    """Return what may find out whether a submit was accepted; one that nobody waits for is not sent again."""
    if operation.looks_up or (operation.resends and job.is_open):
        return Effect("resolve", job.id, job.wake_at or 0)
    return Effect("wake", job.id, job.uncertain_until or 0)
