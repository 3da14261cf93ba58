"""What a run would do and cost, told before it is started; nothing is sent to a provider, nothing stored."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.definition.foresight import source_of
from orchestrator.definition.inputs import check_inputs
from orchestrator.definition.workflow import Notify, Workflow
from orchestrator.errors import InvalidInput
from orchestrator.operations.connections import Connections
from orchestrator.operations.files import TakeFile, take_files
from orchestrator.operations.look_ahead import look_ahead
from orchestrator.operations.notices import check_targets
from orchestrator.operations.outlook import Outlook, Span, StepOutlook
from orchestrator.operations.plans import Plans
from orchestrator.operations.workflows import Library

Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class DryRuns:
    """Tells what runs would do. *check_file* looks at a file without keeping it."""

    library: Library
    plans: Plans
    connections: Connections
    check_file: TakeFile

    async def look(
        self,
        workflow: str,
        inputs: Mapping[str, Any],
        labels: Mapping[str, str],
        notify: Sequence[Notify] = (),
    ) -> Object:
        """
        Return what a run of *workflow* would do, as the API shows it.

        Errors:  NotFound (workflow); InvalidInput with every problem, as when a run is started.
        """
        definition = self.library.get(workflow)
        check_targets(notify, self.library.secrets)
        checked, problems = check_inputs(definition, inputs)
        if problems:
            raise InvalidInput(problems)
        await take_files(definition, checked, self.check_file)
        # A list of thousands of items takes its time; requests must not wait for that.
        outlook = await asyncio.to_thread(self._look, definition, checked, labels)
        return shape(outlook, await self.connections.all())

    def _look(self, workflow: Workflow, inputs: Mapping[str, Any], labels: Mapping[str, str]) -> Outlook:
        return look_ahead(workflow, inputs, labels, operation_of=self.plans.planned, find=self.library.find)


def shape(outlook: Outlook, connections: Sequence[Object]) -> Object:
    """Return *outlook*; *connections* are all there are, as the API shows them."""
    used = [each for each in connections if each["name"] in outlook.credits]
    problems = [*_failures(outlook), *_over_budget(outlook)]
    return {
        "dry_run": True,
        "workflow": outlook.workflow.name,
        "digest": outlook.workflow.digest,
        "inputs": {name: _short(value) for name, value in outlook.inputs.items()},
        "possible": not problems,
        "problems": problems,
        "warnings": [text for each in used for text in _warnings(outlook, each)],
        "stages": outlook.stages,
        "steps": [_step(step) for step in outlook.steps.values()],
        "paid_calls": _span(outlook.calls),
        "credits": {name: _span(span) for name, span in sorted(outlook.credits.items())},
        "budget": [_budget(outlook, name) for name in outlook.workflow.budget],
        "connections": [
            {key: each[key] for key in ("name", "status", "reason", "credits", "budget")} for each in used
        ],
    }


def _step(at: StepOutlook) -> Object:
    step = at.step
    return {
        "id": step.id,
        "uses": f"{step.connection}/{step.operation}",
        "needs": sorted(step.needs),
        "stage": at.stage,
        "if": source_of(step.condition) if step.condition is not None else None,
        "runs": at.runs,
        "why": at.why,
        "for_each": at.each_of,
        "times": _span(at.instances),
        "max_parallel": step.max_parallel if step.for_each is not None else None,
        "paid_calls": _span(at.calls),
        "credits": {name: _span(span) for name, span in sorted(at.credits.items())},
        "files": _span(at.files),
        "problems": at.problems,
        "notes": at.notes,
    }


def _span(span: Span) -> Object:
    return {"min": _plain(span.least), "max": None if span.most is None else _plain(span.most)}


def _plain(number: float) -> float | int:
    return int(number) if number == int(number) else number


def _short(value: Any) -> Any:
    """Return an input without the bytes that a data URI carries."""
    if isinstance(value, dict):
        return {key: _short(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_short(inner) for inner in value]
    is_long = isinstance(value, str) and value.startswith("data:") and len(value) > 100
    return f"{value.partition(',')[0]},…" if is_long else value


def _failures(outlook: Outlook) -> Iterator[str]:
    """Yield what would make the run fail, whatever its steps give."""
    for at in outlook.steps.values():
        if at.runs == "yes" and not at.step.continue_on_error:
            yield from (f"step '{at.step.id}': {problem}" for problem in at.problems)
    yield from outlook.problems


def _over_budget(outlook: Outlook) -> Iterator[str]:
    for name, most in outlook.workflow.budget.items():
        cost = outlook.credits.get(name, Span())
        if cost.least > most:
            yield f"the run costs at least {cost.least:g} credits of {name}, and its budget is {most:g}"


def _budget(outlook: Outlook, name: str) -> Object:
    most = outlook.workflow.budget[name]
    cost = outlook.credits.get(name, Span())
    left = {
        "min": None if cost.most is None else _plain(max(most - cost.most, 0)),
        "max": _plain(max(most - cost.least, 0)),
    }
    return {"connection": name, "credits": most, "left": left}


def _warnings(outlook: Outlook, connection: Object) -> Iterator[str]:
    """Yield what may keep the run from going through at once."""
    name, cost = connection["name"], outlook.credits[connection["name"]]
    if connection["status"] == "paused":
        yield f"{name} is paused, and nothing is submitted there: {connection['reason']}"
    balance, budget = connection["credits"], connection["budget"]
    if balance is not None and cost.least > balance:
        yield f"{name} had {balance:g} credits when it told last, and the run costs at least {cost.least:g}"
    if budget is not None and cost.least > budget["credits"] - budget["used"]:
        left = max(budget["credits"] - budget["used"], 0)
        until = budget["until"]
        yield f"the budget of {name} has {left:g} credits left; the rest waits, at least until {until}"
    most = outlook.workflow.budget.get(name)
    if most is not None and cost.least <= most and (cost.most is None or cost.most > most):
        yield f"the run may cost more of {name} than its budget of {most:g}; steps beyond it would fail"
    if name in outlook.unpriced:
        yield f"nobody knows now what all of it costs at {name}"
