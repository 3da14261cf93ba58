"""What the names in an expression stand for at one place of a definition, and of which type that is."""

from collections.abc import Iterable, Mapping
from typing import Any, get_args

from jinja2 import nodes

from orchestrator.definition.catalog import OperationSpec
from orchestrator.definition.expressions import Expression, Path
from orchestrator.definition.inference import infer
from orchestrator.definition.reading import Draft, StepDraft
from orchestrator.definition.schemas import (
    ARTIFACT,
    ERROR,
    UNKNOWN,
    Astray,
    Branch,
    Type,
    list_of,
    step_into,
    typed,
)
from orchestrator.definition.workflow import EndStatus
from orchestrator.wording import did_you_mean, quoted

ENDED = ("succeeded", "failed", "skipped", "cancelled")
"""The statuses of a step that others can see, which is when it has ended."""

_OF_STEPS = ("output", "artifacts", "status", "error")

_RUN: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "id": {"type": "string"},
        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
        "created_at": {"type": "string"},
    },
}

_TEXTS: Mapping[str, Any] = {"type": "object", "additionalProperties": {"type": "string"}}

OF_REQUEST: Mapping[str, Type] = {
    "callback": typed({"type": "object", "properties": {"url": {"type": "string"}}}, closed=True)
}
"""Of the names in a request of the author's own, those that only it has."""

OF_ANSWER: Mapping[str, Type] = {
    "response": typed(
        {
            "type": "object",
            "properties": {
                "status": {"type": ["integer", "null"]},
                "headers": _TEXTS,
                "json": {},
                "text": {"type": "string"},
            },
        },
        closed=True,
    ),
    "callback": typed(
        {
            "type": "object",
            "properties": {"json": {}, "text": {"type": "string"}, "query": _TEXTS, "headers": _TEXTS},
        },
        closed=True,
    ),
}
"""What came back."""

OF_HOOK: Mapping[str, Type] = {"body": UNKNOWN, "query": typed(_TEXTS), "headers": typed(_TEXTS)}
"""A request that came."""


def of_ended_run(inputs: Iterable[str] | None, outputs: Iterable[str] | None) -> Mapping[str, Type]:
    """Return what there is of a run that ended; None: nobody knows which inputs or outputs it has."""
    properties = {
        "id": {"type": "string"},
        "workflow": {"type": "string"},
        "status": {"enum": list(get_args(EndStatus))},
        "inputs": _fields(inputs),
        "outputs": _fields(outputs),
        "labels": _TEXTS,
        "error": ERROR,
    }
    return {"run": typed({"type": "object", "properties": properties}, closed=True)}


def _fields(names: Iterable[str] | None) -> Mapping[str, Any]:
    if names is None:
        return {}
    properties = dict.fromkeys(names, True)
    return {"type": "object", "properties": properties, "additionalProperties": False}


OF_GROUP: Mapping[str, Type] = {
    "run": typed({"type": "object", "properties": {"id": {"type": "string"}, "labels": _TEXTS}}, closed=True)
}
"""What is known of a run before it has begun."""

_NULL: Type = (Branch({"type": "null"}, {}),)


class Names:
    """
    The names that expressions see in *step*, or in the workflow's outputs without one.

    *operations* are those of the steps, where known; *item* is given inside `for_each`;
    *besides* are names of this one place, and win.
    """

    def __init__(
        self,
        draft: Draft,
        operations: Mapping[str, OperationSpec],
        *,
        step: StepDraft | None = None,
        item: Type | None = None,
        besides: Mapping[str, Type] | None = None,
    ) -> None:
        self._draft, self._operations, self._step, self._item = draft, operations, step, item
        self._besides = besides or {}

    def walk(self, path: Path) -> Type:
        """Return the type of what is at *path*. Errors: Astray."""
        type, walked = self._start(path)
        while len(walked) < len(path):
            type = step_into(type, path[len(walked)], walked)
            walked = path[: len(walked) + 1]
        return type

    def type_of(self, expression: Expression) -> Type:
        """Return the type that the value of *expression* will have; its mistakes are told elsewhere."""
        return self.type_at(expression.tree)

    def type_at(self, node: nodes.Node) -> Type:
        """Return the type that the value of a part of an expression will have."""
        return infer(node, self._type_of_path)

    def _type_of_path(self, path: Path) -> Type:
        try:
            return self.walk(path)
        except Astray:
            return UNKNOWN

    def _start(self, path: Path) -> tuple[Type, Path]:
        """Return the type of the first parts of *path*, and these parts."""
        match path:
            case (str(root), *_) if root in self._besides:
                return self._besides[root], path[:1]
            case ("inputs", str(name), *_):
                return self._input(name), path[:2]
            case ("steps", str(id), *_):
                return self._of_step(id, path)
            case ("run", *_):
                return typed(_RUN, closed=True), path[:1]
            case ("item" | "index" as name, *_):
                return self._in_for_each(name), path[:1]
        return UNKNOWN, path

    def _input(self, name: str) -> Type:
        schema = self._draft.inputs.get(name)
        if schema is None:
            hint = did_you_mean(name, self._draft.inputs) or "this workflow has no inputs"
            raise Astray(f"there is no input {quoted(name)}", hint)
        may_be_absent = name not in self._draft.required and schema.get("default") is None
        return (*typed(schema), *(_NULL if may_be_absent else ()))

    def _in_for_each(self, name: str) -> Type:
        if self._item is None:
            raise Astray(f"'{name}' is defined only in `with` and `if` of a step with `for_each`")
        return self._item if name == "item" else typed({"type": "integer"})

    def _of_step(self, id: str, path: Path) -> tuple[Type, Path]:
        step = self._draft.steps.get(id)
        if step is None:
            hint = did_you_mean(id, self._draft.steps)
            raise Astray(f"there is no step {quoted(id)}", hint)
        if self._step is not None and id == self._step.id:
            raise Astray(f"step '{id}' cannot refer to itself")
        if len(path) == 2:
            return typed({"type": "object"}), path
        name = path[2]
        if name not in _OF_STEPS:
            hint = did_you_mean(str(name), _OF_STEPS)
            raise Astray(f"'steps.{id}' has no field {quoted(str(name))}", hint)
        return self._result(step, str(name)), path[:3]

    def _result(self, step: StepDraft, name: str) -> Type:
        if name == "output":
            return self._output(step)
        if name == "status":
            return typed({"enum": list(ENDED)})
        if name == "error":
            return typed(ERROR, closed=True)
        spec = self._operations.get(step.id)
        if spec is not None and not spec.gives_files:
            uses = f"{step.connection}/{step.operation}"
            raise Astray(f"{uses} gives no files: steps.{step.id}.artifacts is always empty", None, "warning")
        return list_of(typed(ARTIFACT, closed=True))

    def _output(self, step: StepDraft) -> Type:
        spec = self._operations.get(step.id)
        if spec is None:
            return UNKNOWN if step.for_each is None else list_of(UNKNOWN)
        output = typed(spec.output_schema, closed=True)
        if step.for_each is None:
            return (*output, *_NULL) if step.continue_on_error else output
        is_sure = step.condition is None and not step.continue_on_error
        return list_of(output if is_sure else (*output, *_NULL))
