"""
How a job ends, and what follows from it: its step's end, another attempt, or a result kept beside it.
"""

from typing import Any

from orchestrator.engine import events as e
from orchestrator.engine.draft import Draft
from orchestrator.engine.large import split
from orchestrator.engine.money import uncharged
from orchestrator.engine.state import Job
from orchestrator.engine.steps import cancel_job, create_job, instance_ended, is_wanted, succeed_by_kept
from orchestrator.errors import Failure
from orchestrator.outcomes import Done
from orchestrator.times import SECOND


def finish(draft: Draft, job: Job, outcome: Done, source: Any) -> None:
    """A result is known: fetch its files first, if it has any."""
    if not outcome.files:
        return keep(draft, job, outcome.output, outcome.credits)
    files = [{"url": file.url, "name": file.name} for file in outcome.files]
    output, reference = split(draft.lay_aside(outcome.output))
    return draft.emit(
        e.JobCollecting(
            at=draft.at,
            job=job.id,
            source=source,
            output=output,
            output_ref=reference,
            files=files,
            credits=outcome.credits,
        )
    )


def keep(draft: Draft, job: Job, output: dict[str, Any], credits: float | None) -> None:
    """
    The result is ours: the job's success, or what it brought after it had ended.

    Where the provider tells no *credits*, the price list does; the event keeps what was true then.
    """
    credits = job.credits if credits is None else credits
    credits = draft.operation(job).price(job) if credits is None else credits
    told, reference = split(draft.lay_aside(output))
    brings = e.JobSucceeded if job.is_open else e.JobLateResult
    draft.emit(brings(at=draft.at, job=job.id, output=told, output_ref=reference, credits=credits))
    if brings is e.JobLateResult:
        return _win(draft, job)
    draft.emit(e.StepSucceeded(at=draft.at, step=job.step, index=job.index, job=job.id))
    return instance_ended(draft, job)


def _win(draft: Draft, job: Job) -> None:
    """
    Let a late result end the instance, whose next attempt is not needed any more.

    One that is being submitted ends when it is known whether it was accepted.
    """
    latest = draft.state.instances[job.key].job
    rival = draft.state.jobs[latest] if latest is not None else job
    if rival.is_open and rival.status != "submitting" and not is_wanted(draft, rival):
        cancel_job(draft, rival)


def time_out(draft: Draft, job: Job) -> None:
    """The deadline of the attempt has passed, and the last look brought nothing."""
    failure = Failure("timeout", "no result within the step's timeout")
    draft.emit(e.JobTimedOut(at=draft.at, job=job.id, error=failure.to_json(), credits=uncharged(draft, job)))
    _after_failure(draft, job, failure)


def fail(draft: Draft, job: Job, failure: Failure, *, again: bool | None = None, counts: bool = True) -> None:
    """
    End the job badly.

    *again*: whether another attempt follows, whatever the retry policy says; *counts*: whether this was
    one of those that it allows.
    """
    draft.emit(e.JobFailed(at=draft.at, job=job.id, error=failure.to_json(), credits=uncharged(draft, job)))
    _after_failure(draft, job, failure, again=again, counts=counts)


def _after_failure(
    draft: Draft, job: Job, failure: Failure, *, again: bool | None = None, counts: bool = True
) -> None:
    if succeed_by_kept(draft, job):
        return None
    retry = draft.plan.workflow.steps[job.step].retry
    doomed = draft.state.dooms(job.step)
    if again is None:
        again = failure.cls in retry.on and _tries(draft, job) < retry.attempts
    if again and not doomed:
        return _try_again(draft, job, failure, counts)
    if doomed:
        draft.emit(e.StepCancelled(at=draft.at, step=job.step, index=job.index))
    else:
        draft.emit(e.StepFailed(at=draft.at, step=job.step, index=job.index, error=failure.to_json()))
    return instance_ended(draft, job)


def _tries(draft: Draft, job: Job) -> int:
    """Return which attempt this is since the run was started or last retried."""
    return job.attempt - draft.state.instances[job.key].base


def _try_again(draft: Draft, job: Job, failure: Failure, counts: bool) -> None:
    """Create the job of the next attempt, to be submitted after a pause that grows and is drawn by lot."""
    step = draft.plan.workflow.steps[job.step]
    ceiling_s = min(step.retry.backoff_s * 2.0 ** (_tries(draft, job) - 1), step.retry.max_backoff_s)
    due_at = draft.at + int(draft.fraction() * ceiling_s * SECOND)
    attempt = job.attempt + 1
    draft.emit(
        e.RetryScheduled(
            at=draft.at,
            step=job.step,
            index=job.index,
            attempt=attempt,
            due_at=due_at,
            error=failure.to_json(),
            counts=counts,
        )
    )
    create_job(draft, step, job.index, attempt=attempt, params=job.params, due_at=due_at)
