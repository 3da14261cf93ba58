"""When to look at a task next."""

from orchestrator.engine import triggers as t
from orchestrator.engine.draft import Draft
from orchestrator.engine.state import Job
from orchestrator.engine.steps import deadline
from orchestrator.outcomes import Pending, Retry, Unauthorized
from orchestrator.times import SECOND

CONFIRM_S = 2.0
"""In seconds: how soon to look again where the provider's own API does not confirm a callback yet."""


def first_check(draft: Draft, job: Job, poll_s: float | None) -> int | None:
    operation = draft.operation(job)
    if operation.waits in ("timer", "person"):
        # It is claimed by nobody, so its deadline stands in no event yet.
        deadline_at = deadline(draft, job) or draft.state.deadline_at
        return min(operation.due_at(job), deadline_at) if operation.waits == "timer" else deadline_at
    if not operation.checks:
        return None
    after_s = operation.first_look_s if poll_s is None else min(poll_s, operation.first_look_s)
    return _not_after_deadline(draft, job, draft.at + int(after_s * SECOND))


def next_check(draft: Draft, job: Job, trigger: t.Checked) -> int:
    """
    Return when to look next, in microseconds.

    Looks grow rarer with the age of the task: as often again as half its age, or for a heartbeat
    its whole age, within what the operation allows. The count starts where the last look began.
    """
    operation, outcome = draft.operation(job), trigger.outcome
    age_s = (trigger.asked_at - (job.submitted_at or trigger.asked_at)) / SECOND
    wanted_s = outcome.poll_s if isinstance(outcome, Pending) else None
    retry_after_s = outcome.retry_after_s if isinstance(outcome, Retry) else None
    if operation.waits == "heartbeat" and not isinstance(outcome, Pending):
        # Nobody knows whether that one was felt, and the task dies soon without another; but one that
        # comes sooner than the provider says is not felt either.
        return _not_after_deadline(draft, job, draft.at + int((retry_after_s or 1.0) * SECOND))
    if operation.waits == "heartbeat":
        after_s = min(max(wanted_s or 1.0, age_s), operation.poll_s)
    elif job.status == "collecting" and isinstance(outcome, Pending):
        after_s = min(CONFIRM_S, operation.first_check_s)
    elif isinstance(outcome, Retry | Unauthorized):
        after_s = retry_after_s or min(max(1.0, age_s / 4), operation.max_check_interval_s)
    else:
        floor_s = min(wanted_s or operation.first_check_s, operation.max_check_interval_s)
        after_s = min(max(floor_s, age_s / 2), operation.max_check_interval_s)
    return _not_after_deadline(draft, job, trigger.asked_at + int(after_s * SECOND))


def _not_after_deadline(draft: Draft, job: Job, at: int) -> int:
    return max(min(at, job.deadline_at or at), draft.at)
