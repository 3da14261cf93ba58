"""
What is said of a job after its end, or after its result is known: it is kept where it was paid for.
"""

from orchestrator.engine import events as e
from orchestrator.engine import triggers as t
from orchestrator.engine.draft import Draft
from orchestrator.engine.ends import finish
from orchestrator.engine.looks import next_check
from orchestrator.engine.state import Job
from orchestrator.engine.uncertain import adopt, bound_elsewhere, is_unaccounted, resolve_at
from orchestrator.outcomes import Accepted, CheckOutcome, Done, Failed, SubmitOutcome


def watched(draft: Draft, job: Job, trigger: t.Checked) -> None:
    """A look at a task whose job has ended: go on until its deadline, or until it has ended as well."""
    outcome = trigger.outcome
    if job.output is not None:
        second_word(draft, job, outcome)
    elif isinstance(outcome, Done) and job.may_bring_more:
        finish(draft, job, outcome, "check")
    elif job.watched and (isinstance(outcome, Failed) or draft.at >= (job.deadline_at or 0)):
        stop_watching(draft, job)
    elif job.watched:
        draft.postponed[job.id] = next_check(draft, job, trigger)


def late_verdict(draft: Draft, job: Job, outcome: Done | Failed) -> None:
    """The provider's last word on a job that had ended without a result."""
    if isinstance(outcome, Done):
        finish(draft, job, outcome, "callback")
    elif job.watched and job.output is None:
        stop_watching(draft, job)


def unheard(draft: Draft, job: Job) -> None:
    """
    Wake a job that was cancelled, of whose task nothing was heard: go on until its deadline.

    One that was cancelled before anybody knew of its task is looked for until its grace is over.
    """
    until = job.deadline_at if job.is_known else job.uncertain_until
    if until is None or draft.at >= until:
        stop_watching(draft, job)
    else:
        draft.postponed[job.id] = until if job.is_known else resolve_at(draft, job)


def stop_watching(draft: Draft, job: Job) -> None:
    """Nothing will come any more; the slot that the task may have held is free."""
    draft.emit(e.JobProgressed(at=draft.at, job=job.id, progress=job.progress, check_at=None))


def confirmed(draft: Draft, job: Job, outcome: SubmitOutcome) -> None:
    """An answer for a job that went on without it: news after all, confirmation, or a contradiction."""
    if isinstance(outcome, Done) and job.may_bring_more:
        finish(draft, job, outcome, "submit")
    elif isinstance(outcome, Accepted) and is_unaccounted(job):
        if not bound_elsewhere(draft, job, outcome.task_id):
            adopt(draft, job, "resend", task_id=outcome.task_id)
    elif (
        isinstance(outcome, Accepted | Done)
        and outcome.task_id
        and job.task_id not in (None, outcome.task_id)
    ):
        reason = f"a submit answered with task {outcome.task_id!r}, the job's is {job.task_id!r}"
        draft.emit(e.JobContradicted(at=draft.at, job=job.id, reason=reason))


def second_word(draft: Draft, job: Job, outcome: CheckOutcome) -> None:
    """There is a result already. The first word stands; one that says the opposite is shown."""
    if isinstance(outcome, Failed):
        reason = f"there is a result, and then word of a failure: {outcome.failure.message}"
        draft.emit(e.JobContradicted(at=draft.at, job=job.id, reason=reason))
