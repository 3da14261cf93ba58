"""
How each event changes a run: `apply`, one small function per event, and nothing else.

Rule 1: no event is refused here and nothing is decided. What happened, happened.
Rule 2: what an event needs in order to be folded is in the event; settings that
        may be edited later (time-outs, prices) have no say in what the past means.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from orchestrator.engine import events as e
from orchestrator.engine.large import joined
from orchestrator.engine.state import Instance, Job, JobStatus, Key, Notice, RunState, StepState, StepStatus

SAFETY_NET = 60_000_000
"""A job that is being collected is looked at again after this, should the process forget it; microseconds."""

REPEATS_KEPT = 100
"""Of so many deliveries that repeat an earlier one the ids are remembered, for each job."""


def apply(state: RunState | None, event: e.Event) -> RunState:
    """Return the state after *event*; *state* itself is changed, but for the first event, which makes it."""
    if isinstance(event, e.RunCreated):
        state = _created(event)
    assert state is not None, "a stream begins with run.created"
    _FOLD[type(event)](state, event)
    state.version += 1
    state.last_at = event.at
    return state


def fold(events: Iterable[e.Event]) -> RunState | None:
    """Return what the events of one stream come to."""
    state: RunState | None = None
    for event in events:
        state = apply(state, event)
    return state


# --- the run ---------------------------------------------------------------------------------


def _created(event: e.RunCreated) -> RunState:
    return RunState(
        id=event.run,
        workflow=event.workflow,
        digest=event.digest,
        inputs=joined(event.inputs, event.inputs_ref) or {},
        labels=event.labels,
        created_at=event.at,
        deadline_at=event.deadline_at,
        group=event.group,
        group_limit=event.group_limit,
        parent=event.parent,
        trigger=event.trigger,
        notify=event.notify,
    )


def _nothing(state: RunState, event: e.Event) -> None:
    """The event stands for itself."""


def _run_started(state: RunState, event: e.RunStarted) -> None:
    state.status = "running"
    state.started_at = state.started_at or event.at


def _run_waiting(state: RunState, event: e.RunWaiting) -> None:
    state.status = "pending"


def _cancel_requested(state: RunState, event: e.RunCancelRequested) -> None:
    state.cancelling = state.cancelling or event.cause
    state.halting = event.final
    if event.deadline_at is not None:
        state.deadline_at = event.deadline_at


def _run_retried(state: RunState, event: e.RunRetried) -> None:
    state.status, state.finished_at, state.deadline_at = "running", None, event.deadline_at
    state.outputs, state.error, state.cancelling, state.halting = None, None, None, False
    state.parent = event.parent or state.parent
    # Of the end that was none nobody is told any more.
    state.notices = {}
    returned = [id for id, step in state.steps.items() if step.status != "succeeded" or id in event.again]
    for id in returned:
        digests = state.own_step(id).digests
        state.steps[id] = StepState(id, digests=digests)
        state.items.pop(id, None)
        state.results.pop(id, None)
    for key, instance in list(state.instances.items()):
        if key[0] in event.again:
            _return_to_pending(state, key)
            _forget_results(state, key)
        elif key[0] in returned and instance.status != "succeeded":
            _return_to_pending(state, key)


def _return_to_pending(state: RunState, key: Key) -> None:
    instance = state.own_instance(key)
    instance.status, instance.job, instance.error = "pending", None, None
    instance.started_at, instance.finished_at, instance.base = None, None, instance.attempt


def _forget_results(state: RunState, key: Key) -> None:
    instance = state.own_instance(key)
    instance.kept, instance.stale = None, instance.attempt


def _run_succeeded(state: RunState, event: e.RunSucceeded) -> None:
    state.status, state.finished_at = "succeeded", event.at
    state.outputs = joined(event.outputs, event.outputs_ref)
    _owe_notices(state, event.at)


def _run_failed(state: RunState, event: e.RunFailed) -> None:
    state.status, state.finished_at, state.error = "failed", event.at, event.error
    _owe_notices(state, event.at)


def _run_cancelled(state: RunState, event: e.RunCancelled) -> None:
    state.status, state.finished_at = "cancelled", event.at
    _owe_notices(state, event.at)


def _owe_notices(state: RunState, at: int) -> None:
    """Let everybody be told who wants to be told of this end."""
    run, version = state.id.partition("_")[2], state.version + 1
    owed = [
        Notice(f"ntc_{run}_{version}_{place}", target["url"], target["secret"], due_at=at)
        for place, target in enumerate(state.notify)
        if state.status in target["on"]
    ]
    state.notices = {notice.id: notice for notice in owed}


def _notification_sent(state: RunState, event: e.NotificationSent) -> None:
    _put_notice(state, event.notice, attempts=event.attempt, due_at=None, delivered_at=event.at, error=None)


def _notification_failed(state: RunState, event: e.NotificationFailed) -> None:
    _put_notice(state, event.notice, attempts=event.attempt, due_at=event.due_at, error=event.error)


def _put_notice(state: RunState, id: str, **changes: Any) -> None:
    if id in state.notices:
        state.notices = {**state.notices, id: replace(state.notices[id], **changes)}


def _renotified(state: RunState, event: e.OperatorRenotified) -> None:
    state.notices = {
        id: replace(notice, attempts=0, due_at=event.at, delivered_at=None, error=None)
        for id, notice in state.notices.items()
    }


# --- steps -----------------------------------------------------------------------------------


def _step_started(state: RunState, event: e.StepStarted) -> None:
    _begin(state, event.step, event.index, event.at)
    instance = state.own_instance((event.step, event.index))
    instance.status, instance.started_at = "running", event.at


def _begin(state: RunState, step_id: str, index: int | None, at: int) -> None:
    step = state.own_step(step_id)
    if step.status == "pending":
        step.status, step.started_at, step.spared = "running", at, state.cancelling is not None
    if index is not None:
        step.begun = max(step.begun, index + 1)
        _pass_over_kept(state, step)
    step.running += 1


def _step_expanded(state: RunState, event: e.StepExpanded) -> None:
    step = state.own_step(event.step)
    step.status, step.started_at, step.count = "running", event.at, event.count
    step.spared = state.cancelling is not None
    before, step.digests = step.digests, event.digests
    if before:
        _keep_same_items(state, step, before)
    _pass_over_kept(state, step)


def _keep_same_items(state: RunState, step: StepState, before: list[str]) -> None:
    """
    Let each item keep the result it had before `run.retried`, also where the list has become another one.

    One that has moved has its result waiting at its new place, where its parameters decide.
    """
    moved: dict[str, str | None] = {}
    for index, digest in enumerate(before):
        instance = state.instances.get((step.id, index))
        if instance is None or instance.status != "succeeded":
            continue
        if step.digests[index : index + 1] == [digest]:
            step.tally = {"succeeded": step.tally.get("succeeded", 0) + 1}
        else:
            moved[digest] = instance.job
            _return_to_pending(state, (step.id, index))
    for index, digest in enumerate(step.digests if moved else ()):
        if digest in moved:
            state.own_instance((step.id, index)).kept = moved.pop(digest)


def _pass_over_kept(state: RunState, step: StepState) -> None:
    """Go on to the next item that is to be begun: those that succeeded before `run.retried` are not."""
    while step.count is not None and step.begun < step.count:
        instance = state.instances.get((step.id, step.begun))
        if instance is None or instance.status != "succeeded":
            break
        step.begun += 1


def _step_skipped(state: RunState, event: e.StepSkipped) -> None:
    _step_ended(state, event, "skipped", None)


def _step_succeeded(state: RunState, event: e.StepSucceeded) -> None:
    instance = _step_ended(state, event, "succeeded", None)
    if instance is not None:
        instance.job = event.job


def _step_failed(state: RunState, event: e.StepFailed) -> None:
    _step_ended(state, event, "failed", event.error)


def _step_cancelled(state: RunState, event: e.StepCancelled) -> None:
    _step_ended(state, event, "cancelled", None)


def _step_ended(
    state: RunState, event: e.StepEvent, status: StepStatus, error: dict[str, Any] | None
) -> Instance | None:
    """End one item, or the whole step; a step without `for_each` is both at once."""
    step = state.own_step(event.step)
    if event.index is None:
        step.status, step.finished_at = status, event.at
        step.error = error if error is not None else step.error
        if step.count is not None:
            return None
    instance = state.own_instance((event.step, event.index))
    if instance.status == "running":
        step.running -= 1
    if event.index is not None:
        step.begun = max(step.begun, event.index + 1)
        _pass_over_kept(state, step)
        step.tally = {**step.tally, status: step.tally.get(status, 0) + 1}
        step.error = step.error or error
    instance.status, instance.finished_at, instance.error = status, event.at, error
    return instance


def _retry_scheduled(state: RunState, event: e.RetryScheduled) -> None:
    if not event.counts:
        state.own_instance((event.step, event.index)).base += 1


# --- jobs ------------------------------------------------------------------------------------


def _job_created(state: RunState, event: e.JobCreated) -> None:
    state.jobs[event.job] = Job(
        id=event.job,
        step=event.step,
        index=event.index,
        attempt=event.attempt,
        connection=event.connection,
        operation=event.operation,
        params=joined(event.params, event.params_ref) or {},
        created_at=event.at,
        wake_at=event.due_at,
    )
    if state.fresh is not None:
        state.fresh[event.job] = None
    state.open[event.job] = None
    instance = state.own_instance((event.step, event.index))
    instance.job, instance.attempt = event.job, event.attempt


def _submitting(state: RunState, event: e.JobSubmitting) -> None:
    job = state.own_job(event.job)
    job.status, job.wake_at = "submitting", None
    job.template = joined(event.template, event.template_ref)
    job.number, job.deadline_at = event.number, event.deadline_at
    job.price, job.budget = event.price, event.budget
    _reserve(state, job, event.price)


def _submitted(state: RunState, event: e.JobSubmitted) -> None:
    job = state.own_job(event.job)
    job.status, job.task_id, job.submitted_at = "waiting", event.task_id, event.at
    job.deadline_at = event.deadline_at or job.deadline_at
    job.answer = joined(event.answer, event.answer_ref)
    state.tasks.setdefault((job.connection, event.task_id), job.id)
    job.wake_at = event.check_at if event.check_at is not None else job.deadline_at


def _rejected(state: RunState, event: e.JobRejected) -> None:
    job = state.own_job(event.job)
    job.rejections += 1
    job.price = None
    _reserve(state, job, 0.0)
    if event.wait:
        job.status, job.wake_at, job.deadline_at, job.template = "created", event.due_at, None, None


def _uncertain(state: RunState, event: e.JobUncertain) -> None:
    job = state.own_job(event.job)
    if job.unseen:
        _unbind(state, job)
        job.submitted_at, job.progress = None, None
    job.status, job.uncertain_until, job.wake_at = "uncertain", event.until, event.at
    job.deadline_at = event.deadline_at or job.deadline_at
    if (template := joined(event.template, event.template_ref)) is not None:
        job.template = template
    elif event.price is not None:
        job.price, job.budget = event.price, event.budget
        _reserve(state, job, event.price)


def _adopted(state: RunState, event: e.JobAdopted) -> None:
    job = state.own_job(event.job)
    if job.unseen:
        _unbind(state, job)
    job.unseen = event.unseen
    job.task_id = event.task_id or job.task_id
    job.resource_id = event.resource_id or job.resource_id
    job.submitted_at = job.submitted_at or event.at
    job.answer = joined(event.answer, event.answer_ref) or job.answer
    if event.task_id is not None:
        state.tasks.setdefault((job.connection, event.task_id), job.id)
    if job.is_open:
        job.status = "waiting"
        job.wake_at = event.check_at if event.check_at is not None else job.deadline_at
    else:
        job.watched, job.wake_at = event.check_at is not None, event.check_at


def _unbind(state: RunState, job: Job) -> None:
    """Forget a task that a person named, and that nobody has seen."""
    if job.task_id is not None and state.tasks.get((job.connection, job.task_id)) == job.id:
        del state.tasks[job.connection, job.task_id]
    job.task_id, job.unseen = None, False


def _callback_received(state: RunState, event: e.JobCallbackReceived) -> None:
    job = state.own_job(event.job)
    job.deliveries += 1
    if event.digest not in job.seen:
        job.seen = {**job.seen, event.digest: event.delivery}
    else:
        job.repeats = (*job.repeats[1 - REPEATS_KEPT :], event.delivery)
    if event.check_at is not None:
        job.watched, job.wake_at = True, event.check_at


def _progressed(state: RunState, event: e.JobProgressed) -> None:
    job = state.own_job(event.job)
    job.progress = event.progress
    job.resource_id = event.resource_id or job.resource_id
    job.wake_at = event.check_at
    if job.is_open:
        job.status, job.unseen = "waiting", False
    else:
        # What was known of a result is of no use any more: its links are dead.
        job.watched, job.output, job.files = event.check_at is not None, None, []


def _collecting(state: RunState, event: e.JobCollecting) -> None:
    job = state.own_job(event.job)
    job.wake_at = event.at + SAFETY_NET
    if job.is_open:
        job.status = "collecting"
    else:
        job.watched = True
    job.output, job.files, job.credits = joined(event.output, event.output_ref), event.files, event.credits
    job.unseen = job.unseen and job.output is None


def _artifact_stored(state: RunState, event: e.ArtifactStored) -> None:
    job = state.own_job(event.job)
    if event.role == "result":
        job.artifacts = [*job.artifacts, event.artifact]


def _job_succeeded(state: RunState, event: e.JobSucceeded) -> None:
    job = _job_ended(state, event, "succeeded", None)
    job.output = joined(event.output, event.output_ref)
    _cost(state, job, event.credits)


def _job_failed(state: RunState, event: e.JobFailed) -> None:
    _cost(state, _job_ended(state, event, "failed", event.error), event.credits)


def _job_timed_out(state: RunState, event: e.JobTimedOut) -> None:
    _cost(state, _job_ended(state, event, "timed_out", event.error), event.credits)


def _job_cancelled(state: RunState, event: e.JobCancelled) -> None:
    job = _job_ended(state, event, "cancelled", None)
    _cost(state, job, event.credits)
    job.watched = event.watched
    job.wake_at = event.at if event.watched else None


def _job_ended(state: RunState, event: e.JobEvent, status: JobStatus, error: dict[str, Any] | None) -> Job:
    job = state.own_job(event.job)
    job.status, job.finished_at, job.error, job.wake_at = status, event.at, error, None
    # Neither is needed any more, and a run of a thousand items should not carry them.
    job.template, job.memo = None, None
    state.open.pop(event.job, None)
    return job


def _cost(state: RunState, job: Job, credits: float | None) -> None:
    """Settle what was reserved, where it is known what the job has cost; else it stays reserved."""
    if credits is not None:
        job.credits = credits
        _reserve(state, job, credits)


def _reserve(state: RunState, job: Job, credits: float | None) -> None:
    change = (credits or 0.0) - job.reserved
    if change:
        spent = state.spending.get(job.connection, 0.0) + change
        state.spending = {**state.spending, job.connection: round(spent, 6)}
        job.reserved = credits or 0.0


def _late_result(state: RunState, event: e.JobLateResult) -> None:
    job = state.own_job(event.job)
    job.output = joined(event.output, event.output_ref)
    job.late, job.watched, job.wake_at = True, False, None
    _cost(state, job, event.credits)
    instance = state.own_instance(job.key)
    if job.attempt > instance.stale:
        instance.kept = instance.kept or job.id


_FOLD: dict[type[e.Event], Callable[[RunState, Any], None]] = {
    e.RunCreated: _nothing,
    e.RunStarted: _run_started,
    e.RunWaiting: _run_waiting,
    e.RunCancelRequested: _cancel_requested,
    e.RunRetried: _run_retried,
    e.RunSucceeded: _run_succeeded,
    e.RunFailed: _run_failed,
    e.RunCancelled: _run_cancelled,
    e.StepStarted: _step_started,
    e.StepExpanded: _step_expanded,
    e.StepSkipped: _step_skipped,
    e.StepSucceeded: _step_succeeded,
    e.StepFailed: _step_failed,
    e.StepCancelled: _step_cancelled,
    e.RetryScheduled: _retry_scheduled,
    e.JobCreated: _job_created,
    e.JobSubmitting: _submitting,
    e.JobSubmitted: _submitted,
    e.JobRejected: _rejected,
    e.JobUncertain: _uncertain,
    e.JobAdopted: _adopted,
    e.JobCallbackReceived: _callback_received,
    e.JobProgressed: _progressed,
    e.JobContradicted: _nothing,
    e.JobCollecting: _collecting,
    e.ArtifactStored: _artifact_stored,
    e.JobSucceeded: _job_succeeded,
    e.JobFailed: _job_failed,
    e.JobTimedOut: _job_timed_out,
    e.JobCancelled: _job_cancelled,
    e.JobLateResult: _late_result,
    e.DeliveryOverflow: _nothing,
    e.WatchdogHealed: _nothing,
    e.OperatorResolved: _nothing,
    e.OperatorDecided: _nothing,
    e.NotificationSent: _notification_sent,
    e.NotificationFailed: _notification_failed,
    e.OperatorRenotified: _renotified,
}
