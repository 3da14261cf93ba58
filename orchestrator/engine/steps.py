"""
How steps follow each other: begin what is ready, end what has ended, and at last the run.

A step begins when all it needs has ended; whether it runs or is skipped its `if`
says then. A failure stops nothing else. So every step ends exactly once, and the
run ends with the last of them.
"""

from hashlib import blake2b
from typing import Any

import orjson

from orchestrator.definition.workflow import Step, Workflow
from orchestrator.engine import events as e
from orchestrator.engine.draft import Draft
from orchestrator.engine.holds import budget as budget_of
from orchestrator.engine.large import LargeValue, Unavailable, split
from orchestrator.engine.money import is_limited, uncharged
from orchestrator.engine.scope import ancestors, scope, status_functions
from orchestrator.engine.state import Job
from orchestrator.errors import ErrorClass, Failure, InvalidValue
from orchestrator.times import SECOND


def begin_ready(draft: Draft, candidates: list[Step]) -> None:
    """Begin each of *candidates* that has not begun and whose needs have all ended."""
    for step in candidates:
        if is_pending(draft, step.id) and _needs_have_ended(draft, step):
            _begin(draft, step)


def is_pending(draft: Draft, step: str) -> bool:
    """Return whether a step has not begun, or not since the run was retried."""
    at = draft.state.steps.get(step)
    return at is None or at.status == "pending"


def _needs_have_ended(draft: Draft, step: Step) -> bool:
    """Whether all has ended that comes before *step*: in a retried run a need may have, and its own not."""
    steps, workflow = draft.state.steps, draft.plan.workflow
    if not all(need in steps and steps[need].has_ended for need in step.needs):
        return False
    return all(need.id in steps and steps[need.id].has_ended for need in ancestors(workflow, step))


def _begin(draft: Draft, step: Step) -> None:
    status = status_functions(draft.state, draft.plan.workflow, step)
    asks_status = step.condition is not None and step.condition.asks_status
    if draft.state.halting or (not asks_status and not status["success"]()):
        reason = (
            "the run is being cancelled" if draft.state.cancelling else "a step that it needs did not succeed"
        )
        draft.emit(e.StepSkipped(at=draft.at, step=step.id, reason=reason))
        draft.ended.append(step.id)
    elif step.for_each is None:
        begin_instance(draft, step, None)
        if draft.state.steps[step.id].has_ended:
            draft.ended.append(step.id)
    else:
        _expand(draft, step)


def _expand(draft: Draft, step: Step) -> None:
    try:
        items = items_of(draft, step)
    except InvalidValue as error:
        _fail(draft, step, None, error)
        return draft.ended.append(step.id)
    digests = [blake2b(orjson.dumps(item), digest_size=6).hexdigest() for item in items]
    draft.emit(e.StepExpanded(at=draft.at, step=step.id, count=len(items), digests=digests))
    return fill(draft, step)


def items_of(draft: Draft, step: Step) -> list[Any]:
    """Return what `for_each` goes over. Errors: InvalidValue when that is no list, or too long a one."""
    known = draft.state.items.get(step.id)
    if known is None:
        assert step.for_each is not None
        known = step.for_each.evaluate(scope(draft.state, draft.plan.workflow, step.for_each.looks_up))
        if not isinstance(known, list):
            raise InvalidValue(f"for_each of step '{step.id}' must give a list, not {_kind(known)}")
        if len(known) > 10_000:
            raise InvalidValue(
                f"for_each of step '{step.id}' gives {len(known)} items; at most 10,000 are allowed"
            )
        draft.state.items[step.id] = known
    return known


def _kind(value: Any) -> str:
    names = {dict: "an object", str: "text", bool: "true or false", int: "a number", float: "a number"}
    return "null" if value is None else names.get(type(value), type(value).__name__)


def fill(draft: Draft, step: Step) -> None:
    """Begin as many items as may run at a time; end the step when none is left."""
    while True:
        at = draft.state.steps[step.id]
        assert at.count is not None
        if at.begun >= at.count or at.running >= step.max_parallel:
            break
        if draft.state.dooms(step.id) or (step.fail_fast and at.tally.get("failed")):
            draft.emit(e.StepCancelled(at=draft.at, step=step.id, index=at.begun))
        else:
            begin_instance(draft, step, at.begun)
    if at.running == 0 and at.begun == at.count:
        _end_fan_out(draft, step)


def _end_fan_out(draft: Draft, step: Step) -> None:
    at = draft.state.steps[step.id]
    draft.state.items.pop(step.id, None)  # They may be large, and nobody asks for them any more.
    if at.tally.get("failed"):
        assert at.error is not None
        draft.emit(e.StepFailed(at=draft.at, step=step.id, error=at.error))
    elif at.tally.get("cancelled"):
        draft.emit(e.StepCancelled(at=draft.at, step=step.id))
    elif at.count and at.tally.get("skipped", 0) == at.count:
        draft.emit(e.StepSkipped(at=draft.at, step=step.id, reason="its condition was false for every item"))
    else:
        draft.emit(e.StepSucceeded(at=draft.at, step=step.id))
    draft.ended.append(step.id)


def begin_instance(draft: Draft, step: Step, index: int | None) -> None:
    """Begin a step, or one item of it: skip it, fail it, or create its first job."""
    try:
        names = scope(draft.state, draft.plan.workflow, step.looks_up)
        if index is not None:
            names |= {"item": items_of(draft, step)[index], "index": index}
        if step.condition is not None and not step.condition.holds(
            names, status_functions(draft.state, draft.plan.workflow, step)
        ):
            return draft.emit(
                e.StepSkipped(at=draft.at, step=step.id, index=index, reason="its condition was false")
            )
        params = step.params.evaluate(names)
    except InvalidValue as error:
        return _fail(draft, step, index, error)
    problem = draft.plan.operations[step.id].problem(params)
    if problem is not None:
        return _fail(draft, step, index, InvalidValue(problem))
    evaluated = draft.lay_aside(params)
    draft.emit(e.StepStarted(at=draft.at, step=step.id, index=index))
    kept = draft.state.kept_result((step.id, index), evaluated)
    if kept is not None:
        return draft.emit(e.StepSucceeded(at=draft.at, step=step.id, index=index, job=kept.id))
    attempt = draft.state.instances[step.id, index].attempt + 1
    return create_job(draft, step, index, attempt=attempt, params=evaluated, due_at=draft.at)


def _fail(draft: Draft, step: Step, index: int | None, error: InvalidValue) -> None:
    draft.emit(e.StepFailed(at=draft.at, step=step.id, index=index, error=_failure(error).to_json()))


def _failure(error: InvalidValue, place: str = "") -> Failure:
    cls: ErrorClass = "result_unavailable" if isinstance(error, Unavailable) else "invalid_value"
    return Failure(cls, f"{place}{error}")


def create_job(
    draft: Draft,
    step: Step,
    index: int | None,
    *,
    attempt: int,
    params: dict[str, Any] | LargeValue,
    due_at: int,
) -> None:
    """Create the job of an attempt, and submit it at once where that needs no I/O and no permission."""
    job_id = draft.new_job_id()
    told, reference = split(params)
    draft.emit(
        e.JobCreated(
            at=draft.at,
            job=job_id,
            step=step.id,
            index=index,
            attempt=attempt,
            connection=step.connection,
            operation=step.operation,
            params=told,
            params_ref=reference,
            due_at=due_at,
        )
    )
    if due_at > draft.at or draft.room.get(step.connection, 0) <= 0 or is_limited(draft, step.connection):
        return
    template = draft.plan.operations[step.id].template(draft.state.jobs[job_id])
    if template is not None and draft.may_spend(step.connection):
        submitting(draft, draft.state.jobs[job_id], template, None)


def submitting(draft: Draft, job: Job, template: dict[str, Any], number: int | None) -> None:
    """Let the spending request be sent once this decision is on disk, and its price be reserved with it."""
    price, budget, most = reservation(draft, job)
    told, reference = split(draft.lay_aside(template))
    draft.emit(
        e.JobSubmitting(
            at=draft.at,
            job=job.id,
            template=told,
            template_ref=reference,
            number=number,
            deadline_at=deadline(draft, job) or draft.state.deadline_at,
            price=price,
            budget=budget,
            most=most,
        )
    )


def reservation(draft: Draft, job: Job) -> tuple[float | None, str | None, float | None]:
    """Return the job's price, the budget that it is taken of now, and how much there is in that at most."""
    operation = draft.operation(job)
    price = operation.price(job) if operation.costs else None
    if price is None or operation.budget is None:
        return price, None, None
    budget = operation.budget
    return price, budget_of(job.connection, budget.period_s, draft.at), budget.credits


def deadline(draft: Draft, job: Job) -> int | None:
    """Return when an attempt that begins now has run out of time, in microseconds; None: with its run."""
    timeout_s = draft.plan.workflow.steps[job.step].timeout_s
    timeout_s = draft.operation(job).timeout_s if timeout_s is None else timeout_s
    return draft.at + int(timeout_s * SECOND) if timeout_s is not None else None


def instance_ended(draft: Draft, job: Job) -> None:
    """Go on after an instance of *job* has ended: with the next item, or with the end of the step."""
    step = draft.plan.workflow.steps[job.step]
    if step.for_each is not None:
        fill(draft, step)
    else:
        draft.ended.append(step.id)


def follow_up(draft: Draft) -> None:
    """Begin what waited for the steps that ended, until nothing is left to begin; then end the run."""
    # A loop and not a recursion: a chain of skipped steps may be long.
    while draft.ended:
        draft.ended.clear()
        begin_ready(draft, list(draft.plan.workflow.steps.values()))
    _end_run_if_settled(draft)


def take_up(draft: Draft) -> None:
    """Begin whatever of the run should have begun by now."""
    begin_ready(draft, list(draft.plan.workflow.steps.values()))
    for step in draft.plan.workflow.steps.values():
        begun = step.for_each is not None and not is_pending(draft, step.id)
        if begun and not draft.state.steps[step.id].has_ended:
            fill(draft, step)


def downstream(workflow: Workflow, step: str) -> list[Step]:
    """Return every step that comes after *step*, directly or not, in the order of the definition."""
    found = {step}
    todo = [step]
    while todo:
        followers = {follower.id for follower in workflow.followers(todo.pop())} - found
        found |= followers
        todo += followers
    return [s for s in workflow.steps.values() if s.id in found and s.id != step]


def _end_run_if_settled(draft: Draft) -> None:
    state, workflow = draft.state, draft.plan.workflow
    if state.has_ended or state.open or len(state.steps) < len(workflow.steps):
        return
    if not all(step.has_ended for step in state.steps.values()):
        return
    blamed = [
        s.id
        for s in workflow.steps.values()
        if state.steps[s.id].status == "failed" and not s.continue_on_error
    ]
    if state.cancelling == "operator":
        draft.emit(e.RunCancelled(at=draft.at))
    elif state.cancelling == "timeout":
        message = "the run did not end within its timeout"
        draft.emit(e.RunFailed(at=draft.at, error=Failure("timeout", message).to_json()))
    elif blamed:
        error = state.steps[blamed[0]].error or {}
        message = f"step '{blamed[0]}' failed: {error.get('message', 'for a reason not recorded')}"
        draft.emit(e.RunFailed(at=draft.at, error={**error, "message": message}))
    else:
        _succeed(draft)


def _succeed(draft: Draft) -> None:
    outputs: dict[str, Any] = {}
    for name, value in draft.plan.workflow.outputs.items():
        try:
            outputs[name] = value.evaluate(scope(draft.state, draft.plan.workflow, value.looks_up))
        except InvalidValue as error:
            failure = _failure(error, f"outputs.{name}: ")
            return draft.emit(e.RunFailed(at=draft.at, error=failure.to_json()))
    told, reference = split(draft.lay_aside(outputs))
    return draft.emit(e.RunSucceeded(at=draft.at, outputs=told, outputs_ref=reference))


def cancel_open(draft: Draft) -> None:
    """End open jobs and steps that wait; what is being submitted ends when its answer is stored."""
    for job_id in list(draft.state.open):
        job = draft.state.jobs[job_id]
        if job.status != "submitting":
            cancel_job(draft, job)
    for step in draft.plan.workflow.steps.values():
        if is_pending(draft, step.id):
            begin_ready(draft, [step])
        elif step.for_each is not None and not draft.state.steps[step.id].has_ended:
            fill(draft, step)


def cancel_job(draft: Draft, job: Job) -> None:
    """
    End one open job and its instance; where its task may still bring a result, that is watched for.

    The instance is cancelled with it, unless another attempt has brought the result by now.
    """
    watched = _may_run_on(draft, job)
    draft.emit(e.JobCancelled(at=draft.at, job=job.id, watched=watched, credits=uncharged(draft, job)))
    if not succeed_by_kept(draft, job):
        draft.emit(e.StepCancelled(at=draft.at, step=job.step, index=job.index))
        instance_ended(draft, job)


def _may_run_on(draft: Draft, job: Job) -> bool:
    """Whether a provider may go on with the task of an open job that nobody waits for any more."""
    operation = draft.operation(job)
    if job.status == "created" or operation.waits in ("none", "timer", "person"):
        return job.output is not None or (job.status == "uncertain" and operation.looks_up)
    return job.output is not None or not operation.drops


def succeed_by_kept(draft: Draft, job: Job) -> bool:
    """End the instance of *job*, which has ended, with the result of another attempt, if there is one."""
    kept = draft.state.kept_result(job.key, job.params)
    if kept is not None:
        draft.emit(e.StepSucceeded(at=draft.at, step=job.step, index=job.index, job=kept.id))
        instance_ended(draft, job)
    return kept is not None


def is_wanted(draft: Draft, job: Job) -> bool:
    """Return whether an open job's result is still waited for: its run goes on, and it has none yet."""
    return not draft.state.dooms(job.step) and draft.state.kept_result(job.key, job.params) is None
