"""Checks what a run is started with against the inputs of its workflow."""

from collections.abc import Mapping
from typing import Any

from orchestrator.definition.input_schemas import complaints
from orchestrator.definition.report import dotted
from orchestrator.definition.workflow import Workflow
from orchestrator.errors import InputProblem
from orchestrator.wording import did_you_mean


def check_inputs(workflow: Workflow, given: Mapping[str, Any]) -> tuple[dict[str, Any], list[InputProblem]]:
    """
    Return the inputs of a run with defaults filled in, and everything that is wrong with what was given.

    Shape:   every input of the workflow has a value: what was given, its default, or null.
             A null counts as not given where the input is optional and null is none of its values.
             An image is a URL, a data URI, `artifact:sha256:…` or an object with such a `digest`.
    """
    problems = [_unknown(name, workflow) for name in given if name not in workflow.inputs]
    inputs = {}
    for name, schema in workflow.inputs.items():
        wrong = complaints(schema, given[name]) if name in given else []
        if name in given and not (wrong and given[name] is None and name not in workflow.required):
            inputs[name] = given[name]
            problems += [InputProblem(dotted(("inputs", name, *path)), message) for path, message in wrong]
        elif name in workflow.required:
            problems.append(InputProblem(f"inputs.{name}", "is required"))
        else:
            inputs[name] = schema.get("default")
    return inputs, problems


def _unknown(name: str, workflow: Workflow) -> InputProblem:
    hint = did_you_mean(name, workflow.inputs) or "this workflow has none"
    return InputProblem(f"inputs.{name}", f"there is no such input ({hint})")
