"""A job that asks a person: what they answer, and what becomes of it when nobody does."""

from typing import Any

from orchestrator.engine import events as e
from orchestrator.engine import triggers as t
from orchestrator.engine.draft import Draft
from orchestrator.engine.ends import fail, keep, time_out
from orchestrator.engine.state import Job
from orchestrator.errors import Failure, InvalidValue


def decided(draft: Draft, job: Job, trigger: t.Decided) -> None:
    """A person has answered; what cannot be chosen is no answer."""
    if job.status != "waiting" or draft.operation(job).waits != "person":
        return
    try:
        chosen = draft.operation(job).picked(job, trigger.chosen) if trigger.approved else []
    except InvalidValue:
        return
    draft.emit(
        e.OperatorDecided(
            at=draft.at,
            job=job.id,
            approved=trigger.approved,
            chosen=chosen,
            who=trigger.who,
            why=trigger.comment,
        )
    )
    if trigger.approved:
        _approve(draft, job, chosen, trigger.comment, trigger.who)
    else:
        _reject(draft, job, trigger.comment or "a person rejected it")


def unanswered(draft: Draft, job: Job) -> None:
    """The time for an answer is over."""
    match draft.operation(job).deadline_decides(job):
        case "approve":
            _approve(draft, job, [], None, None)
        case "reject":
            _reject(draft, job, "nobody answered in time")
        case "fail":
            time_out(draft, job)


def _approve(draft: Draft, job: Job, chosen: list[Any], comment: str | None, who: str | None) -> None:
    for choice in chosen:
        if isinstance(choice, dict) and "digest" in choice:
            draft.emit(e.ArtifactStored(at=draft.at, job=job.id, artifact=choice))
    output = {"approved": True, "chosen": chosen, "comment": comment, "by": who}
    keep(draft, draft.state.jobs[job.id], output, None)


def _reject(draft: Draft, job: Job, reason: str) -> None:
    fail(draft, job, Failure("task_failed", reason, code="rejected"))
