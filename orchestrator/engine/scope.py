"""What expressions see of a run."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from orchestrator.definition.workflow import Step, Workflow
from orchestrator.engine.state import Job, RunState, StepState
from orchestrator.times import rfc3339


def scope(state: RunState, workflow: Workflow, reads: Iterable[str]) -> dict[str, Any]:
    """Return the scope with the results of the steps that *reads* names, and no others."""
    return {
        "inputs": state.inputs,
        "run": {"id": state.id, "labels": state.labels, "created_at": rfc3339(state.created_at)},
        "steps": {step: result(state, workflow.steps[step]) for step in reads},
    }


def result(state: RunState, step: Step) -> dict[str, Any]:
    """Return `{"output", "artifacts", "status", "error"}` of a step; lists where it has `for_each`."""
    known = state.results.get(step.id)
    if known is None:
        known = _result(state, step)
        if step.id in state.steps and state.steps[step.id].has_ended:
            # It will not change any more, and each item of a step that reads it asks for it.
            state.results[step.id] = known
    return known


def _result(state: RunState, step: Step) -> dict[str, Any]:
    at = state.steps.get(step.id) or StepState(step.id)
    if step.for_each is None:
        job = winner(state, step.id, None)
        output: Any = job.output if job else None
        artifacts = job.artifacts if job else []
    else:
        jobs = [winner(state, step.id, index) for index in range(at.count or 0)]
        output = [job.output if job else None for job in jobs]
        artifacts = [artifact for job in jobs if job for artifact in job.artifacts]
    return {"output": output, "artifacts": artifacts, "status": at.status, "error": at.error}


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
