"""What expressions see of a run."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from orchestrator.definition.workflow import LookUp, Step, Workflow
from orchestrator.engine.large import LargeValue, Unavailable, need, opened
from orchestrator.engine.state import Job, Result, RunState, StepState
from orchestrator.times import rfc3339


def scope(state: RunState, workflow: Workflow, looks_up: Iterable[LookUp]) -> dict[str, Any]:
    """
    Return the scope with the results of the steps that are looked up, and no others.

    Errors:  NotLoaded, Unavailable for a large output that is read, or large inputs.
    """
    looks_up = list(looks_up)
    paths = [path for path in looks_up if path[0] == "steps"]
    found = {str(path[1]): result(state, workflow.steps[str(path[1])]) for path in paths}
    read = {str(path[1]) for path in paths if path[2:3] in ((), (None,), ("output",))}
    inputs = _inputs(state, is_read=any(path[0] == "inputs" for path in looks_up))
    need(value for step in read for value in found[step].large)
    return {
        "inputs": inputs,
        "run": {"id": state.id, "labels": state.labels, "created_at": rfc3339(state.created_at)},
        "steps": {
            step: _opened(step, known) if step in read and known.large else known.seen
            for step, known in found.items()
        },
    }


def _inputs(state: RunState, *, is_read: bool) -> dict[str, Any]:
    if not isinstance(state.inputs, LargeValue):
        return state.inputs
    try:
        inputs: dict[str, Any] = opened(state.inputs) if is_read else {}
    except Unavailable as error:
        raise Unavailable(f"the inputs of the run cannot be read: {error}") from None
    return inputs


def _opened(step: str, known: Result) -> dict[str, Any]:
    """Return what expressions see of a step of which a large output is read."""
    output = known.seen["output"]
    try:
        whole = [opened(item) for item in output] if isinstance(output, list) else opened(output)
    except Unavailable as error:
        raise Unavailable(f"the output of step '{step}' cannot be read: {error}") from None
    return {**known.seen, "output": whole}


def result(state: RunState, step: Step) -> Result:
    """Return what a step has brought."""
    known = state.results.get(step.id)
    if known is None:
        known = _result(state, step)
        if step.id in state.steps and state.steps[step.id].has_ended:
            # It will not change any more, and each item of a step that reads it asks for it.
            state.results[step.id] = known
    return known


def _result(state: RunState, step: Step) -> Result:
    at = state.steps.get(step.id) or StepState(step.id)
    if step.for_each is None:
        job = winner(state, step.id, None)
        output: Any = job.output if job else None
        artifacts = job.artifacts if job else []
    else:
        jobs = [winner(state, step.id, index) for index in range(at.count or 0)]
        output = [job.output if job else None for job in jobs]
        artifacts = [artifact for job in jobs if job for artifact in job.artifacts]
    seen = {"output": output, "artifacts": artifacts, "status": at.status, "error": at.error}
    outputs = output if isinstance(output, list) else [output]
    return Result(seen, tuple(value for value in outputs if isinstance(value, LargeValue)))


def winner(state: RunState, step: str, index: int | None) -> Job | None:
    """Return the job whose result an instance has, or None when it has none."""
    instance = state.instances.get((step, index))
    if instance is None or instance.status != "succeeded" or instance.job is None:
        return None
    return state.jobs[instance.job]


def status_functions(state: RunState, workflow: Workflow, step: Step) -> Mapping[str, Callable[[], bool]]:
    """Return what success(), failure(), always() and cancelled() mean for *step*."""
    return {
        "success": lambda: (
            not state.cancelling and all(_is_fine(state, s) for s in ancestors(workflow, step))
        ),
        "failure": lambda: (
            not state.cancelling and any(_is_failure(state, s) for s in ancestors(workflow, step))
        ),
        "always": lambda: True,
        "cancelled": lambda: state.cancelling is not None,
    }


def ancestors(workflow: Workflow, step: Step) -> list[Step]:
    """Return every transitive need of *step*."""
    found: dict[str, Step] = {}
    todo = list(step.needs)
    while todo:
        need = todo.pop()
        if need not in found:
            found[need] = workflow.steps[need]
            todo.extend(found[need].needs)
    return list(found.values())


def _is_fine(state: RunState, step: Step) -> bool:
    status = state.steps[step.id].status
    return status == "succeeded" or (status == "failed" and step.continue_on_error)


def _is_failure(state: RunState, step: Step) -> bool:
    return state.steps[step.id].status == "failed" and not step.continue_on_error
