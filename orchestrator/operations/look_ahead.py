"""
Looks ahead at a run before it does anything: which steps, how often, for how many credits.

Told for a run in which nothing fails. What only the run itself will show (a step's results) is
unknown here, and everything that depends on it is a range, or said to be unknown. Pure: nothing
is asked, sent or stored.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator.definition.foresight import (
    Unknown,
    first_unknown,
    foresee,
    foresee_condition,
    source_of,
)
from orchestrator.definition.inputs import check_inputs
from orchestrator.definition.workflow import Step, Workflow
from orchestrator.errors import InvalidValue
from orchestrator.operations.outlook import ONCE, UNKNOWN, Outlook, Runs, Span, StepOutlook
from orchestrator.operations.planned import Planned
from orchestrator.providers.base import Waiting, check_params
from orchestrator.providers.expected import expected_files, expected_price, known_part

ITEMS_MAX = 10_000
"""Items of one `for_each`; the engine refuses more."""

DEPTH_MAX = 20
"""How many workflows deep steps are followed into the workflows that they run."""

_PAID_AGAIN = frozenset({"task_failed", "result_unavailable", "timeout", "uncertain"})
"""Classes of failure after which another attempt is paid for once more."""


OperationOf = Callable[[str, str], Planned]
"""Gives an operation by the names of its connection and itself. Errors: KeyError."""
Find = Callable[[str], Workflow | None]
"""Gives a workflow by its name."""


def look_ahead(
    workflow: Workflow,
    inputs: Mapping[str, Any],
    labels: Mapping[str, str],
    *,
    operation_of: OperationOf,
    find: Find,
    depth: int = 0,
) -> Outlook:
    """
    Return what a run would do.

    Shape:   *inputs* are checked and complete.
    """
    outlook = Outlook(workflow, inputs)
    scope: dict[str, Any] = {
        "inputs": inputs,
        "run": {"id": Unknown("run.id"), "labels": dict(labels), "created_at": Unknown("run.created_at")},
        "steps": {},
    }
    for step in workflow.steps.values():
        looking = _Looking(outlook, scope, operation_of, find, depth)
        outlook.steps[step.id] = looking.at(step)
        scope["steps"][step.id] = _results(outlook.steps[step.id])
    for name, value in workflow.outputs.items():
        try:
            foresee(value, scope)
        except InvalidValue as error:
            outlook.problems.append(f"outputs.{name}: {error}")
    return outlook


def _results(at: StepOutlook) -> dict[str, Any]:
    """Return what expressions can know of a step that did what *at* says."""
    name = f"steps.{at.step.id}"
    if at.runs == "no":
        output: Any = None if at.step.for_each is None else []
        return {"output": output, "artifacts": [], "status": "skipped", "error": None}
    if at.runs == "perhaps":
        artifacts = Unknown(f"{name}.artifacts", 0, _whole(at.files.most))
        return {key: Unknown(f"{name}.{key}") for key in ("output", "status", "error")} | {
            "artifacts": artifacts
        }
    artifacts = Unknown(f"{name}.artifacts", int(at.files.least), _whole(at.files.most))
    output = Unknown(f"{name}.output")
    if at.step.for_each is not None:
        output = Unknown(f"{name}.output", int(at.instances.least), _whole(at.instances.most))
    return {"output": output, "artifacts": artifacts, "status": "succeeded", "error": None}


def _whole(number: float | None) -> int | None:
    return None if number is None else int(number)


@dataclass(frozen=True, slots=True)
class _Looking:
    """Looks at one step after the other, each after those that it needs."""

    outlook: Outlook
    scope: Mapping[str, Any]
    operation_of: OperationOf
    find: Find
    depth: int

    def at(self, step: Step) -> StepOutlook:
        found = StepOutlook(step, self._stage(step))
        self._begin(found)
        if found.runs == "no":
            found.instances = found.files = Span()
            return found
        try:
            self._look(found)
        except InvalidValue as error:
            found.problems.append(str(error))
        if found.runs == "perhaps":
            found.instances, found.calls = found.instances.at_best_none(), found.calls.at_best_none()
            found.files = found.files.at_best_none()
            found.credits = {name: span.at_best_none() for name, span in found.credits.items()}
        self._note(found)
        return found

    def _stage(self, step: Step) -> int:
        return 1 + max((self.outlook.steps[need].stage for need in step.needs), default=0)

    # --- whether it runs ---

    def _begin(self, found: StepOutlook) -> None:
        """Say whether the step runs, as far as that is known without looking at single items."""
        step, condition = found.step, found.step.condition
        fine = self._needs_are_fine(step)
        if fine is not True and not (condition is not None and condition.asks_status):
            found.runs = "no" if fine is False else "perhaps"
            found.why = self._blamed(step, found.runs)
        if condition is None or step.for_each is not None or found.runs == "no":
            return
        try:
            holds = foresee_condition(condition, self.scope, self._status(step))
        except InvalidValue as error:
            found.problems.append(str(error))
            return
        if holds is not True:
            found.runs = "no" if holds is False else "perhaps"
            found.why = f"if: {source_of(condition)}"

    def _status(self, step: Step) -> dict[str, Callable[[], bool | None]]:
        return {
            "success": lambda: self._needs_are_fine(step),
            "failure": lambda: False,
            "always": lambda: True,
            "cancelled": lambda: False,
        }

    def _needs_are_fine(self, step: Step) -> bool | None:
        known = {need.runs for need in self._before(step)}
        return False if "no" in known else None if "perhaps" in known else True

    def _before(self, step: Step) -> list[StepOutlook]:
        """Return every transitive need."""
        found: dict[str, StepOutlook] = {}
        todo = sorted(step.needs)
        while todo:
            need = todo.pop()
            if need not in found:
                found[need] = self.outlook.steps[need]
                todo += sorted(found[need].step.needs)
        return list(found.values())

    def _blamed(self, step: Step, runs: Runs) -> str:
        needs = [need.step.id for need in self._before(step) if need.runs == runs]
        return f"needs {' and '.join(sorted(needs))}, which {'is' if runs == 'no' else 'may be'} skipped"

    # --- what it does ---

    def _look(self, found: StepOutlook) -> None:
        step = found.step
        if step.for_each is None:
            return self._instance(found, self.scope, ONCE)
        found.each_of = source_of(step.for_each)
        items = foresee(step.for_each, self.scope)
        found.instances = found.files = Span()
        if isinstance(items, Unknown):
            span = Span(items.least, items.most)
            scope = {**self.scope, "item": Unknown("item"), "index": Unknown("index")}
            return self._item(found, scope, span)
        if not isinstance(items, list) or len(items) > ITEMS_MAX:
            given = f"{len(items)} items" if isinstance(items, list) else "no list"
            found.problems.append(f"for_each gives {given}: it needs a list of at most {ITEMS_MAX:,}")
            return None
        for index, item in enumerate(items):
            self._item(found, {**self.scope, "item": item, "index": index}, ONCE)
        if items and found.instances == Span():
            found.runs, found.why = "no", "its condition is false for every item"
        return None

    def _item(self, found: StepOutlook, scope: Mapping[str, Any], times: Span) -> None:
        """Look at one item, or at *times* items of which nothing is known."""
        condition = found.step.condition
        holds = True if condition is None else foresee_condition(condition, scope, self._status(found.step))
        times = Span() if holds is False else times if holds else times.at_best_none()
        if condition is not None and holds is None:
            found.why = f"if: {source_of(condition)}"
        found.instances += times
        if holds is not False:
            self._instance(found, scope, times)

    def _instance(self, found: StepOutlook, scope: Mapping[str, Any], times: Span) -> None:
        step = found.step
        planned = self.operation_of(step.connection, step.operation)
        params = foresee(step.params, scope)
        if not isinstance(params, dict):
            if not isinstance(params, Unknown):
                found.problems.append(f"the parameters of {step.operation} must be an object")
            return
        known = known_part(planned.operation.params, params, lambda value: first_unknown(value) is None)
        self._check(found, planned, params)
        if planned.costs:
            found.add(step.connection, times, expected_price(planned.operation, known))
        files = expected_files(planned.operation, known)
        each = UNKNOWN if files is None else Span(*files)
        found.files = each if step.for_each is None else found.files + each.times(times)
        if planned.operation.waiting is Waiting.RUN:
            self._child(found, params, times)

    def _check(self, found: StepOutlook, planned: Planned, params: Mapping[str, Any]) -> None:
        """Tell of parameters that would be refused whatever is not known yet turns out to be."""
        if first_unknown(params) is None:
            problem = planned.problem(params)
            problems = [] if problem is None else [problem]
        else:
            wrong = check_params(
                planned.operation.params, params, is_unknown=lambda value: isinstance(value, Unknown)
            )
            problems = list(map(str, wrong))
        found.problems += [problem for problem in problems if problem not in found.problems]

    def _child(self, found: StepOutlook, params: Mapping[str, Any], times: Span) -> None:
        """Count what the workflow would do that the step runs."""
        name, given = params.get("workflow"), params.get("inputs") or {}
        if isinstance(name, Unknown) or isinstance(given, Unknown) or self.depth >= DEPTH_MAX:
            found.notes.append("what the workflow costs that it runs is not known")
            found.calls = found.calls + UNKNOWN
            return
        workflow = self.find(str(name))
        if workflow is None:
            found.problems.append(f"there is no workflow '{name}'")
            return
        inputs, problems = check_inputs(
            workflow, {k: v for k, v in given.items() if first_unknown(v) is None}
        )
        unknown = {k: v for k, v in given.items() if first_unknown(v) is not None}
        wrong = [each for each in problems if each.location.partition(".")[2] not in unknown]
        found.problems += [f"{each.location} of '{name}': {each.message}" for each in wrong]
        child = look_ahead(
            workflow, {**inputs, **unknown}, {}, operation_of=self.operation_of, find=self.find,
            depth=self.depth + 1,
        )  # fmt: skip
        found.calls += child.calls.times(times)
        found.unpriced |= child.unpriced
        for connection, span in child.credits.items():
            found.credits[connection] = found.credits.get(connection, Span()) + span.times(times)
        found.problems += [
            f"{id} of '{name}': {text}" for id, at in child.steps.items() for text in at.problems
        ]

    def _note(self, found: StepOutlook) -> None:
        step = found.step
        if not found.credits:
            return
        if step.retry.attempts > 1 and step.retry.on & _PAID_AGAIN:
            classes = ", ".join(sorted(step.retry.on & _PAID_AGAIN))
            found.notes.append(f"up to {step.retry.attempts} attempts, each paid for, after {classes}")
        if step.on_uncertain == "resubmit":
            found.notes.append("an uncertain submit is repeated, and may be paid twice")
