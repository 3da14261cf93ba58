"""Checks the workflows that a workflow starts or follows: that they are there, and get what they need."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from orchestrator.definition.catalog import OperationSpec
from orchestrator.definition.input_schemas import complaints
from orchestrator.definition.reading import RUN_WORKFLOW, Draft, StepDraft
from orchestrator.definition.report import Report
from orchestrator.definition.templates import has_expression
from orchestrator.definition.yaml_document import Path
from orchestrator.wording import did_you_mean, quoted


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """
    What other workflows may know of one.

    *calls*: those that its steps start; *follows*: those whose end starts it.
    """

    name: str
    inputs: Mapping[str, Mapping[str, Any]]
    required: frozenset[str]
    outputs: tuple[str, ...]
    calls: frozenset[str]
    follows: frozenset[str]


Signatures = Mapping[str, Signature]
"""The workflows that there are, by name."""


def signature_of(draft: Draft) -> Signature:
    """Return what other workflows may know of *draft*."""
    return Signature(
        name=draft.name,
        inputs=draft.inputs,
        required=draft.required,
        outputs=tuple(draft.outputs),
        calls=frozenset(filter(None, map(child_of, draft.steps.values()))),
        follows=frozenset(run.workflow for _, run in draft.triggers.runs),
    )


def child_of(step: StepDraft) -> str | None:
    """Return the name of the workflow that *step* starts, where it is known."""
    if (step.connection, step.operation) != RUN_WORKFLOW or not isinstance(step.params.template, dict):
        return None
    name = step.params.template.get("workflow")
    return name if isinstance(name, str) and name and not has_expression(name) else None


def check_children(draft: Draft, others: Signatures, report: Report) -> None:
    """Check every workflow that *draft* names against all *others*, whatever is known under its own name."""
    known = {**others, draft.name: signature_of(draft)}
    for step in draft.steps.values():
        if name := child_of(step):
            path: Path = (*step.path, "with", "workflow")
            if _is_there(name, path, known, report) and not _goes_round(
                name, draft.name, path, known, report
            ):
                _check_inputs(step, known[name], report)
    for place, run in draft.triggers.runs:
        path = (*place, "workflow")
        if run.workflow and _is_there(run.workflow, path, known, report):
            _goes_round(draft.name, run.workflow, path, known, report)


def with_outputs(
    draft: Draft, operations: Mapping[str, OperationSpec], others: Signatures
) -> dict[str, OperationSpec]:
    """Return the operations of steps that start workflows, with the outputs that these have."""
    found = {}
    for id in draft.steps.keys() & operations.keys():
        name = child_of(draft.steps[id])
        if name is not None and name in others:
            outputs = dict.fromkeys(others[name].outputs, True)
            schema = {"type": "object", "properties": outputs, "additionalProperties": False}
            found[id] = replace(operations[id], output_schema=schema)
    return found


def _is_there(name: str, path: Path, known: Signatures, report: Report) -> bool:
    if name not in known:
        report.at_value(path, f"there is no workflow {quoted(name)}", did_you_mean(name, known))
    return name in known


def _goes_round(start: str, end: str, path: Path, known: Signatures, report: Report) -> bool:
    """Tell if a run of *start* leads to one of *end*, which is what starts *start*."""
    way = _way(start, end, known)
    if way is not None:
        round = " → ".join([end, *way] if way[0] != end else [*way, end])
        report.at_value(path, f"this would go on for ever: {round}", "let one of them not start the next")
    return way is not None


def _way(start: str, end: str, known: Signatures) -> list[str] | None:
    """Return the workflows from *start* to *end*, each starting the next, or None."""
    ways = [[start]]
    seen = {start}
    for way in ways:
        if way[-1] == end:
            return way
        for name in sorted(_started_by(way[-1], known) - seen):
            seen.add(name)
            ways.append([*way, name])
    return None


def _started_by(name: str, known: Signatures) -> set[str]:
    called = known[name].calls if name in known else frozenset()
    return {*called, *(other.name for other in known.values() if name in other.follows)}


def _check_inputs(step: StepDraft, child: Signature, report: Report) -> None:
    path: Path = (*step.path, "with", "inputs")
    template = step.params.template.get("inputs", {})
    if not isinstance(template, dict):
        return
    for name, value in template.items():
        if name not in child.inputs:
            hint = did_you_mean(name, child.inputs) or "it has no inputs"
            report.at_key((*path, name), f"the workflow '{child.name}' has no input {quoted(name)}", hint)
        else:
            for inner, message in _literal_complaints(child.inputs[name], value):
                place = (*path, name, *inner)
                report.at_value(place, f"the input '{name}' of '{child.name}' {message}")
    for name in child.inputs:
        if name in child.required and name not in template:
            hint = f"add inputs: {{{name}: …}}" if not template else f"add {name}: …"
            report.at_key(path, f"the input '{name}' of the workflow '{child.name}' is required", hint)


def _literal_complaints(schema: Mapping[str, Any], value: Any) -> Iterator[tuple[Path, str]]:
    if not has_expression(value):
        yield from complaints(schema, value)
