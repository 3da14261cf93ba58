"""
What becomes of one job: every transition, each from what happened outside.

The rule behind all of them: the first source that brings a fact wins. A callback,
a poll and a look-up that report the same end are one end and two confirmations,
and an ended job never changes its state again.
"""

from orchestrator.engine import events as e
from orchestrator.engine import triggers as t
from orchestrator.engine.draft import Draft
from orchestrator.engine.ends import fail, finish, keep, time_out
from orchestrator.engine.large import split
from orchestrator.engine.late import confirmed, late_verdict, second_word, stop_watching, unheard, watched
from orchestrator.engine.looks import first_check, next_check
from orchestrator.engine.money import exceeded
from orchestrator.engine.questions import unanswered
from orchestrator.engine.state import Job
from orchestrator.engine.steps import cancel_job, deadline, is_wanted, submitting
from orchestrator.engine.uncertain import (
    adopt,
    bound_elsewhere,
    built_again,
    doubted,
    grace_ends,
    grace_is_over,
    is_unaccounted,
    resolve_at,
    taken_back,
)
from orchestrator.errors import ErrorClass, Failure
from orchestrator.outcomes import (
    Accepted,
    Callback,
    Done,
    Failed,
    Hint,
    Meaningless,
    Pending,
    Rejected,
    SubmitOutcome,
    Unauthorized,
    Unclear,
    Unreadable,
    Untrusted,
    Verdict,
)
from orchestrator.times import SECOND

DELIVERIES_KEPT = 100
"""Beyond these a job's deliveries are only counted."""

_LATEST_RETRY_S = 300.0
"""A job that was refused for now is let through this often at the least, to see whether things changed."""


# --- the submit ------------------------------------------------------------------------------


def submit_ready(draft: Draft, job: Job, trigger: t.SubmitReady) -> None:
    """The way is free: claim the submit, unless the run wants nothing new any more."""
    if job.status == "created" and (failure := exceeded(draft, job)) is not None:
        fail(draft, job, failure)
    elif job.status == "created":
        for artifact in trigger.inputs:
            draft.emit(e.ArtifactStored(at=draft.at, job=job.id, artifact=artifact, role="input"))
        submitting(draft, job, trigger.template, trigger.number)
    elif job.status == "uncertain":
        built_again(draft, job, trigger)


def budget_reached(draft: Draft, job: Job) -> None:
    """The connection has spent what it may for now: the job waits, at most as long as its run has time."""
    if job.status == "created":
        draft.postponed[job.id] = draft.state.deadline_at


def submit_answered(draft: Draft, job: Job, outcome: SubmitOutcome) -> None:
    """Read the answer to the spending request, to a resend of it, or to what came before it."""
    if job.is_open and job.unseen and isinstance(outcome, Accepted | Done):
        job = taken_back(draft, job)
    if job.status not in ("created", "submitting", "uncertain"):
        return confirmed(draft, job, outcome)
    if job.status == "uncertain" and not isinstance(outcome, Accepted | Done):
        # It speaks of the resend alone: what became of the first submit is as unknown as before.
        draft.postponed[job.id] = resolve_at(draft, job)
        return None
    match outcome:
        case Accepted():
            _accepted(draft, job, outcome)
        case Done():
            _done_at_once(draft, job, outcome)
        case Failed(failure):
            draft.emit(e.JobRejected(at=draft.at, job=job.id, wait=False, error=failure.to_json()))
            fail(draft, job, failure)
        case Rejected(failure, wait=False):
            submit_answered(draft, job, Failed(failure))
        case Rejected(failure, _, retry_after_s):
            _wait_and_try_again(draft, job, failure, retry_after_s)
        case Unauthorized(failure):
            _wait_and_try_again(draft, job, failure, 60.0)
        case Unclear(reason):
            unclear(draft, job, reason, "provider_error")
    return None


def _accepted(draft: Draft, job: Job, outcome: Accepted) -> None:
    if bound_elsewhere(draft, job, outcome.task_id):
        return unclear(
            draft, job, f"the task id {outcome.task_id!r} belongs to another job", "provider_error"
        )
    check_at = first_check(draft, job, outcome.poll_s)
    answer, reference = split(draft.lay_aside(outcome.answer) if outcome.answer is not None else None)
    if job.status == "uncertain":
        draft.emit(
            e.JobAdopted(
                at=draft.at,
                job=job.id,
                source="resend",
                task_id=outcome.task_id,
                check_at=check_at,
                answer=answer,
                answer_ref=reference,
            )
        )
    else:
        deadline_at = deadline(draft, job) if job.status == "created" else None
        draft.emit(
            e.JobSubmitted(
                at=draft.at,
                job=job.id,
                task_id=outcome.task_id,
                check_at=check_at,
                deadline_at=deadline_at,
                answer=answer,
                answer_ref=reference,
            )
        )
    if not is_wanted(draft, job):
        cancel_job(draft, draft.state.jobs[job.id])
    return None


def _done_at_once(draft: Draft, job: Job, outcome: Done) -> None:
    task_id = outcome.task_id
    if task_id is not None and job.status == "uncertain":
        draft.emit(e.JobAdopted(at=draft.at, job=job.id, source="resend", task_id=task_id))
    elif task_id is not None:
        draft.emit(e.JobSubmitted(at=draft.at, job=job.id, task_id=task_id, check_at=None))
    finish(draft, draft.state.jobs[job.id], outcome, "submit")
    if draft.state.jobs[job.id].is_open and not is_wanted(draft, job):
        cancel_job(draft, draft.state.jobs[job.id])


def _wait_and_try_again(draft: Draft, job: Job, failure: Failure, after_s: float | None) -> None:
    backoff_s = min(2.0 ** min(job.rejections, 12), _LATEST_RETRY_S)
    due_at = draft.at + int(max(after_s if after_s is not None else backoff_s, 0.1) * SECOND)
    draft.emit(e.JobRejected(at=draft.at, job=job.id, wait=True, error=failure.to_json(), due_at=due_at))
    if not is_wanted(draft, job):
        cancel_job(draft, draft.state.jobs[job.id])


def submit_not_sent(draft: Draft, job: Job, trigger: t.SubmitNotSent) -> None:
    """Nothing left us: the same job, a little later, and no attempt was used."""
    if job.status == "uncertain":
        draft.postponed[job.id] = resolve_at(draft, job)
    elif job.status in ("created", "submitting"):
        limit_s = draft.plan.workflow.steps[job.step].retry.max_backoff_s
        after_s = max(min(2.0 ** min(job.rejections, 12), limit_s), trigger.after_s or 0.0)
        _wait_and_try_again(draft, job, Failure("network", trigger.reason), after_s)


def submit_lost(draft: Draft, job: Job, trigger: t.SubmitLost) -> None:
    """No answer that tells anything."""
    unclear(draft, job, trigger.reason, "network")


def unclear(draft: Draft, job: Job, reason: str, cls: ErrorClass) -> None:
    """Nobody knows whether it was accepted: where that may cost money, nothing is sent again blindly."""
    if job.status == "uncertain":
        draft.postponed[job.id] = resolve_at(draft, job)
    elif job.status in ("created", "submitting") and not draft.operation(job).spends:
        fail(draft, job, Failure(cls, reason))
    elif job.status == "created":
        # What is unclear came before the spending request: nothing of that was sent.
        _wait_and_try_again(draft, job, Failure(cls, reason), None)
    elif job.status == "submitting":
        _uncertain(draft, job, reason)


def submit_doubted(draft: Draft, job: Job, trigger: t.SubmitDoubted) -> None:
    """Send nothing that may have been sent by a time of which this log knows nothing."""
    if job.status == "submitting":
        unclear(draft, job, trigger.reason, "network")
    elif job.status == "created" and job.created_at < trigger.before and draft.operation(job).spends:
        _uncertain(draft, job, trigger.reason)


def _uncertain(draft: Draft, job: Job, reason: str) -> None:
    if job.status == "created":
        doubted(draft, job, reason)
    else:
        draft.emit(e.JobUncertain(at=draft.at, job=job.id, reason=reason, until=grace_ends(draft, job)))
    if not is_wanted(draft, job):
        cancel_job(draft, draft.state.jobs[job.id])


def woke(draft: Draft, job: Job) -> None:
    """Its own time has come: the grace of an uncertain submit is over, or the deadline with nobody to ask."""
    if job.status == "uncertain":
        grace_is_over(draft, job)
    elif job.status == "waiting" and not draft.operation(job).checks:
        _woke_waiting(draft, job)
    elif job.watched and job.output is None:
        unheard(draft, job)


def _woke_waiting(draft: Draft, job: Job) -> None:
    operation = draft.operation(job)
    deadline_at = job.deadline_at if job.deadline_at is not None else draft.state.deadline_at
    due_at = operation.due_at(job) if operation.waits == "timer" else deadline_at
    if draft.at >= due_at and operation.waits == "timer":
        keep(draft, job, {}, None)
    elif draft.at < min(due_at, deadline_at):
        draft.postponed[job.id] = min(due_at, deadline_at)
    elif job.deadline_at is None:
        draft.postponed[job.id] = draft.at + SECOND  # The run's own time is over, and ends it in a moment.
    elif operation.waits == "person":
        unanswered(draft, job)
    else:
        time_out(draft, job)


# --- callbacks -------------------------------------------------------------------------------


def callback_arrived(draft: Draft, job: Job, trigger: t.CallbackArrived) -> None:
    """A delivery: record it, and let it have the effect that it may have, once."""
    first = job.seen.get(trigger.digest)
    if trigger.delivery in (first, *job.repeats):
        return  # Read before; the inbox offered it again.
    if job.deliveries == DELIVERIES_KEPT:
        draft.emit(e.DeliveryOverflow(at=draft.at, job=job.id, limit=DELIVERIES_KEPT))
    if first is not None and trigger.redelivery_of is None:
        _received(draft, job, trigger, "duplicate", duplicate_of=first)
    elif not job.is_open:
        _late(draft, job, trigger)
    else:
        _read_callback(draft, job, trigger, trigger.callback)


def _received(
    draft: Draft,
    job: Job,
    trigger: t.CallbackArrived,
    verdict: e.Verdict,
    *,
    duplicate_of: str | None = None,
    error: str | None = None,
    check_at: int | None = None,
) -> None:
    draft.emit(
        e.JobCallbackReceived(
            at=draft.at,
            job=job.id,
            delivery=trigger.delivery,
            verdict=verdict,
            digest=trigger.digest,
            duplicate_of=duplicate_of,
            error=error,
            check_at=check_at,
            redelivery_of=trigger.redelivery_of,
        )
    )


def _late(draft: Draft, job: Job, trigger: t.CallbackArrived) -> None:
    """The job had ended. Where it ended without a result, its task may have one by now that was paid for."""
    if not job.may_bring_more:
        return _received(draft, job, trigger, "late")
    meaning = draft.operation(job).meaning(trigger.callback, job)
    task_id = meaning.task_id if isinstance(meaning, Hint | Verdict) else None
    if task_id and is_unaccounted(job) and not trigger.foreign and not bound_elsewhere(draft, job, task_id):
        adopt(draft, job, "callback", task_id=task_id)
        job = draft.state.jobs[job.id]
    ours = (job.task_id or job.resource_id) and (not task_id or job.task_id in (None, task_id))
    looks = ours and draft.operation(job).checks and not isinstance(meaning, Meaningless | Untrusted)
    _received(draft, job, trigger, "late", check_at=draft.at if looks else None)
    if ours and isinstance(meaning, Verdict):
        late_verdict(draft, draft.state.jobs[job.id], meaning.outcome)
    return None


def _read_callback(draft: Draft, job: Job, trigger: t.CallbackArrived, callback: Callback) -> None:
    meaning = draft.operation(job).meaning(callback, job)
    match meaning:
        case Meaningless():
            return _received(draft, job, trigger, "accepted")
        case Untrusted(reason):
            return _received(draft, job, trigger, "mismatch", error=reason)
        case Unreadable(reason):
            _received(draft, job, trigger, "unreadable", error=reason)
            return _look_now(draft, job)
        case Hint(task_id) | Verdict(task_id, _):
            pass
    if job.unseen and task_id not in (None, job.task_id) and not bound_elsewhere(draft, job, task_id):
        job = taken_back(draft, job)
    if job.status in ("created", "submitting") or (job.task_id and task_id and task_id != job.task_id):
        error = f"it speaks of task {task_id!r}, the job's is {job.task_id!r}"
        return _received(draft, job, trigger, "mismatch", error=error)
    if job.status == "uncertain":
        if task_id is None or trigger.foreign or bound_elsewhere(draft, job, task_id):
            return _received(draft, job, trigger, "mismatch", error="it names no task that could be ours")
        adopt(draft, job, "callback", task_id=task_id)
    _received(draft, job, trigger, "accepted")
    if isinstance(meaning, Verdict):
        return _concluded(draft, draft.state.jobs[job.id], meaning.outcome)
    return _look_now(draft, job)


def _look_now(draft: Draft, job: Job) -> None:
    """The callback is a hint: the provider's own API is asked for the truth."""
    if draft.state.jobs[job.id].status == "waiting" and draft.operation(job).checks:
        draft.emit(e.JobCollecting(at=draft.at, job=job.id, source="callback"))


def _concluded(draft: Draft, job: Job, outcome: Done | Failed) -> None:
    if job.output is not None:
        second_word(draft, job, outcome)
    elif isinstance(outcome, Failed):
        fail(draft, job, outcome.failure)
    else:
        finish(draft, job, outcome, "callback")


# --- checks and collecting -------------------------------------------------------------------


def checked(draft: Draft, job: Job, trigger: t.Checked) -> None:
    """The provider was asked how the task stands."""
    outcome = trigger.outcome
    if trigger.task_id not in (None, job.task_id):
        return None  # A person has named another task since; that one is looked at by itself.
    if not job.is_open:
        return watched(draft, job, trigger)
    if job.status not in ("waiting", "collecting"):
        return None  # Asked before its submit was answered; there will be other looks.
    if job.output is not None:
        return second_word(draft, job, outcome)
    if isinstance(outcome, Done):
        return finish(draft, job, outcome, "check")
    if isinstance(outcome, Failed):
        return fail(draft, job, outcome.failure, again=outcome.excused or None, counts=not outcome.excused)
    if trigger.last:
        return time_out(draft, job)
    check_at = next_check(draft, job, trigger)
    if isinstance(outcome, Pending) and _is_news(job, outcome):
        return draft.emit(
            e.JobProgressed(
                at=draft.at,
                job=job.id,
                progress=outcome.progress,
                check_at=check_at,
                resource_id=outcome.resource_id,
            )
        )
    draft.postponed[job.id] = check_at
    return None


def _is_news(job: Job, outcome: Pending) -> bool:
    return (
        job.status == "collecting"
        or job.unseen
        or outcome.progress != job.progress
        or (outcome.resource_id is not None and outcome.resource_id != job.resource_id)
    )


def collected(draft: Draft, job: Job, trigger: t.Collected) -> None:
    """All bytes are ours."""
    if job.status not in ("waiting", "collecting") and not job.may_bring_more:
        return
    for artifact in trigger.artifacts:
        draft.emit(e.ArtifactStored(at=draft.at, job=job.id, artifact=artifact))
    keep(draft, job, trigger.output, trigger.credits)


def collect_failed(draft: Draft, job: Job, trigger: t.CollectFailed) -> None:
    """The bytes cannot be had any more."""
    if job.status in ("waiting", "collecting"):
        fail(draft, job, trigger.failure)
    elif job.watched:
        stop_watching(draft, job)
