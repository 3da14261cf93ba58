"""
A submit that may have been accepted and may have not: how that is found out, and who settles it.
"""

from orchestrator.engine import events as e
from orchestrator.engine import triggers as t
from orchestrator.engine.draft import Draft
from orchestrator.engine.ends import fail
from orchestrator.engine.large import split
from orchestrator.engine.state import Job
from orchestrator.engine.steps import deadline, reservation
from orchestrator.errors import Failure
from orchestrator.times import SECOND


def grace_ends(draft: Draft, job: Job) -> int:
    """Return until when a submit that becomes unclear now is looked for."""
    return draft.at + int(draft.operation(job).uncertain_grace_s * SECOND)


def doubted(draft: Draft, job: Job, reason: str) -> None:
    """
    Make uncertain what this log takes for unsent.

    What may have been paid is reserved, however little is left: it cannot be refused any more.
    """
    price, budget, _ = reservation(draft, job)
    draft.emit(
        e.JobUncertain(
            at=draft.at,
            job=job.id,
            reason=reason,
            until=grace_ends(draft, job),
            deadline_at=deadline(draft, job),
            price=price,
            budget=budget,
        )
    )


def built_again(draft: Draft, job: Job, trigger: t.SubmitReady) -> None:
    """Have a request sent that this log does not hold, where its key says that it is the same one."""
    if job.template is not None or trigger.number is not None or not draft.operation(job).resends:
        return
    told, reference = split(draft.lay_aside(trigger.template))
    draft.emit(
        e.JobUncertain(
            at=draft.at,
            job=job.id,
            reason="its request was built again, to be sent under the same key",
            until=grace_ends(draft, job),
            deadline_at=deadline(draft, job),
            template=told,
            template_ref=reference,
        )
    )


def resolve_at(draft: Draft, job: Job) -> int:
    """Return when to try next to resolve: 1, 2, 4 … s since it became unclear, and when its grace ends."""
    operation, until = draft.operation(job), job.uncertain_until or draft.at
    began = until - int(operation.uncertain_grace_s * SECOND)
    next_at = draft.at + min(max(draft.at - began, SECOND), 60 * SECOND)
    if not (operation.looks_up or (operation.resends and job.is_open)):
        next_at = until
    return max(min(next_at, until), draft.at)


def looked_up(draft: Draft, job: Job, trigger: t.LookedUp) -> None:
    """The provider knows our submit after all."""
    found = trigger.found
    if found.task_id is not None and bound_elsewhere(draft, job, found.task_id):
        if job.status == "uncertain" or job.watched:
            draft.postponed[job.id] = resolve_at(draft, job)
    elif job.status == "uncertain" or is_unaccounted(job):
        adopt(draft, job, "look_up", task_id=found.task_id, resource_id=found.resource_id)


def grace_is_over(draft: Draft, job: Job) -> None:
    """Wake an uncertain job: look again, wait for a person, or give it up as its step says."""
    step = draft.plan.workflow.steps[job.step]
    assert job.uncertain_until is not None, "an uncertain job has a grace"
    deadline_at = job.deadline_at or job.uncertain_until
    if draft.at < job.uncertain_until:
        draft.postponed[job.id] = resolve_at(draft, job)
    elif step.on_uncertain == "wait" and draft.at < deadline_at:
        draft.postponed[job.id] = deadline_at
    else:
        message = "nobody can tell whether the submit was accepted; it was not sent again"
        fail(draft, job, Failure("uncertain", message), again=step.on_uncertain == "resubmit" or None)


def resolved(draft: Draft, job: Job, trigger: t.Resolve) -> None:
    """A person says what became of it, or what is to become of it."""
    task_id = trigger.task_id if trigger.action == "adopt" else None
    if not is_unsettled(job) or (task_id is not None and bound_elsewhere(draft, job, task_id)):
        return
    if job.status != "uncertain":
        job = taken_back(draft, job)
    draft.emit(
        e.OperatorResolved(
            at=draft.at, job=job.id, action=trigger.action, task_id=task_id, why=trigger.comment
        )
    )
    if trigger.action == "adopt":
        return adopt(draft, job, "operator", task_id=task_id, unseen=trigger.unseen)
    message = "nobody could tell whether the submit was accepted; a person "
    message += "asked for another one" if trigger.action == "resubmit" else "gave it up"
    return fail(draft, job, Failure("uncertain", message), again=trigger.action == "resubmit")


def is_unsettled(job: Job) -> bool:
    """Whether a person may say what became of its submit: nobody knows, or only a person's word says it."""
    return job.status == "uncertain" or (job.is_open and job.unseen)


def taken_back(draft: Draft, job: Job) -> Job:
    """Make a job uncertain once more whose task is only a person's word: better word has come."""
    reason = f"nobody has seen the task {job.task_id!r}, which a person named"
    draft.emit(e.JobUncertain(at=draft.at, job=job.id, reason=reason, until=grace_ends(draft, job)))
    return draft.state.jobs[job.id]


def bound_elsewhere(draft: Draft, job: Job, task_id: str) -> bool:
    """Whether another job of this run has the task id; across runs the store refuses it."""
    return draft.state.tasks.get((job.connection, task_id), job.id) != job.id


def is_unaccounted(job: Job) -> bool:
    """Whether it ended before anybody knew what became of its submit."""
    return job.may_bring_more and (job.unseen or not job.is_known)


def adopt(
    draft: Draft,
    job: Job,
    source: str,
    *,
    task_id: str | None = None,
    resource_id: str | None = None,
    unseen: bool = False,
) -> None:
    draft.emit(
        e.JobAdopted(
            at=draft.at,
            job=job.id,
            source=source,
            task_id=task_id,
            resource_id=resource_id,
            check_at=draft.at if draft.operation(job).checks else None,
            unseen=unseen,
        )
    )
