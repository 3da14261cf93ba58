"""
The whole engine in one question: given what happened, what is true now?

Rule 1: everything that decides what happens next is called from here.
Rule 2: who reports a fact makes no difference. A callback, a poll and a person's
        word that say the same lead to the same events.
Rule 3: a trigger that no longer fits (late, repeated, for an ended job) gives no
        event that changes anything. That is what makes at-least-once safe.

Pure: the same plan, state and trigger always give the same decision, and none of
them is changed.
"""

from collections.abc import Mapping
from typing import Literal

import orjson

from orchestrator.definition.workflow import Workflow
from orchestrator.engine import events as e
from orchestrator.engine import holds, jobs, notices, questions, steps, uncertain
from orchestrator.engine import triggers as t
from orchestrator.engine.draft import Decision, Draft
from orchestrator.engine.large import split
from orchestrator.engine.plan import Plan
from orchestrator.engine.state import RETRIABLE, RunState
from orchestrator.errors import InvalidValue
from orchestrator.times import SECOND


def decide(
    plan: Plan, state: RunState | None, trigger: t.Trigger, *, room: Mapping[str, int] | None = None
) -> Decision:
    """
    Return the events that *trigger* leads to, and the state after them.

    Shape:   *state* is None for `Start` alone; *room* says per connection how many
             spending requests may be started without asking the limits.
    Errors:  NotLoaded when large values have to be in memory first.
    """
    base = state.fork() if state is not None else None
    draft = Draft(plan, base, trigger, dict(room or {}))
    _dispatch(draft, trigger)
    if draft.base is not None:
        steps.follow_up(draft)
    return Decision(draft.events, draft.state, draft.postponed, draft.holds, draft.large)


def _dispatch(draft: Draft, trigger: t.Trigger) -> None:
    match trigger:
        case t.Start():
            _start(draft, trigger)
        case t.Admitted():
            if draft.state.waits_for is not None:
                _go_on(draft)
        case t.Healed():
            _heal(draft, trigger)
        case t.CancelAsked():
            if draft.state.cancelling is None:
                _cancel(draft, "operator", trigger.reason)
        case t.RetryAsked():
            _retry(draft, trigger)
        case t.RunOverdue():
            if draft.at >= draft.state.deadline_at:
                _cancel(draft, "timeout")
        case t.JobTrigger():
            _job(draft, trigger)
        case t.Told():
            notices.told(draft, trigger)
        case t.TellAgain():
            notices.tell_again(draft, trigger)
        case _:
            raise TypeError(f"no decision for {type(trigger).__name__}")


def _start(draft: Draft, trigger: t.Start) -> None:
    workflow = draft.plan.workflow
    told, reference = split(draft.lay_aside(trigger.inputs))
    draft.emit(
        e.RunCreated(
            at=draft.at,
            run=trigger.run,
            workflow=workflow.name,
            digest=workflow.digest,
            inputs=told,
            inputs_ref=reference,
            labels=trigger.labels,
            deadline_at=draft.at + int(workflow.timeout_s * SECOND),
            group=_group(workflow, trigger),
            group_limit=workflow.concurrency.limit if workflow.concurrency is not None else None,
            parent=trigger.parent,
            trigger=trigger.trigger,
            notify=[*(one.to_json() for one in workflow.notify), *trigger.notify],
        )
    )
    draft.state.fresh = {}  # All of it is new; from here on it is known what was written to.
    if trigger.admitted:
        _go_on(draft)
    else:
        _wait(draft)


def _group(workflow: Workflow, trigger: t.Start) -> str | None:
    """Return what the run shares with others. One whose group cannot be told goes with those of no name."""
    if workflow.concurrency is None:
        return None
    names = {"inputs": trigger.inputs, "run": {"id": trigger.run, "labels": trigger.labels}, "steps": {}}
    try:
        name = workflow.concurrency.group.evaluate(names)
    except InvalidValue:
        name = ""
    return holds.group(workflow.name, name if isinstance(name, str) else orjson.dumps(name).decode())


def _go_on(draft: Draft) -> None:
    draft.emit(e.RunStarted(at=draft.at))
    steps.begin_ready(draft, list(draft.plan.workflow.steps.values()))


def _wait(draft: Draft) -> None:
    assert draft.state.group is not None, "only a run of a group has to wait"
    draft.emit(e.RunWaiting(at=draft.at, group=draft.state.group))


def _heal(draft: Draft, trigger: t.Healed) -> None:
    """Say what was wrong, have the rows of the jobs written anew, and begin what should have begun."""
    draft.emit(e.WatchdogHealed(at=draft.at, problems=list(trigger.problems), jobs=list(trigger.jobs)))
    for job in trigger.jobs:
        draft.state.own_job(job)
    if draft.state.status == "running":
        steps.take_up(draft)


def overdue(plan: Plan, state: RunState, trigger: t.Healed) -> list[str]:
    """Return what the run should have done already: nothing, unless something is wrong."""
    events = decide(plan, state, trigger).events[1:]
    return [f"{event.type} {event.subject}".strip() for event in events]


def _cancel(draft: Draft, cause: Literal["operator", "timeout"], reason: str | None = None) -> None:
    """
    Cancel what is open.

    What `always()` begins after that has the run's time-out once more; then it is cancelled too.
    """
    state = draft.state
    if state.has_ended or state.halting:
        return
    # What has never begun has nothing to clean up after.
    final = state.cancelling is not None or state.waits_for is not None
    deadline_at = None if final else draft.at + int(draft.plan.workflow.timeout_s * SECOND)
    draft.emit(
        e.RunCancelRequested(at=draft.at, cause=cause, reason=reason, deadline_at=deadline_at, final=final)
    )
    steps.cancel_open(draft)


def _retry(draft: Draft, trigger: t.RetryAsked) -> None:
    """Let a run that failed or was cancelled go on, with its own definition and what it has."""
    state, workflow = draft.state, draft.plan.workflow
    if state.status not in RETRIABLE:
        return
    from_step = trigger.from_step
    again = [] if from_step is None else [from_step, *(s.id for s in steps.downstream(workflow, from_step))]
    deadline_at = draft.at + int(workflow.timeout_s * SECOND)
    draft.emit(
        e.RunRetried(
            at=draft.at, deadline_at=deadline_at, from_step=from_step, again=again, parent=trigger.parent
        )
    )
    if not trigger.admitted:
        _wait(draft)
    elif state.group is not None:
        _go_on(draft)
    else:
        steps.begin_ready(draft, list(workflow.steps.values()))


def _job(draft: Draft, trigger: t.JobTrigger) -> None:
    job = draft.state.jobs[trigger.job]
    match trigger:
        case t.SubmitReady():
            jobs.submit_ready(draft, job, trigger)
        case t.BudgetReached():
            jobs.budget_reached(draft, job)
        case t.Decided():
            questions.decided(draft, job, trigger)
        case t.SubmitAnswered():
            jobs.submit_answered(draft, job, trigger.outcome)
        case t.SubmitNotSent():
            jobs.submit_not_sent(draft, job, trigger)
        case t.SubmitLost():
            jobs.submit_lost(draft, job, trigger)
        case t.SubmitDoubted():
            jobs.submit_doubted(draft, job, trigger)
        case t.CallbackArrived():
            jobs.callback_arrived(draft, job, trigger)
        case t.Checked():
            jobs.checked(draft, job, trigger)
        case t.Collected():
            jobs.collected(draft, job, trigger)
        case t.CollectFailed():
            jobs.collect_failed(draft, job, trigger)
        case t.LookedUp():
            uncertain.looked_up(draft, job, trigger)
        case t.Woke():
            jobs.woke(draft, job)
        case t.Resolve():
            uncertain.resolved(draft, job, trigger)
        case _:
            raise TypeError(f"no decision for {type(trigger).__name__}")
