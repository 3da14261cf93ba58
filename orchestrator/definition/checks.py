"""Checks a definition against what there is: its own inputs and steps, and the connections' operations."""

from collections.abc import Mapping

from orchestrator.definition import graph
from orchestrator.definition.catalog import Catalog, OperationSpec
from orchestrator.definition.names import OF_ANSWER, OF_REQUEST, Names
from orchestrator.definition.params import check_params
from orchestrator.definition.reading import Draft, StepDraft
from orchestrator.definition.references import check_references
from orchestrator.definition.report import Report
from orchestrator.definition.requests import check_request, is_request
from orchestrator.definition.schemas import UNKNOWN, Branch, Type, items_of, kinds, named
from orchestrator.definition.templates import TemplateValue
from orchestrator.wording import did_you_mean, quoted


def check_graph(draft: Draft, report: Report) -> None:
    """Check that what steps need is there, and that none waits for itself."""
    for step in draft.steps.values():
        for index, need in enumerate(step.needs):
            path = (*step.path, "needs", index)
            if need == step.id:
                report.at_value(path, f"step '{step.id}' cannot need itself")
            elif need not in draft.steps:
                report.at_value(path, f"there is no step {quoted(need)}", did_you_mean(need, draft.steps))
    hint = "take one of the needs between them away, or what an expression reads of the next"
    for cycle in graph.cycles(graph.needs(draft.steps)):
        report.at_key(("steps", cycle[0]), f"these steps wait for each other: {' → '.join(cycle)}", hint)


def check_uses(draft: Draft, catalog: Catalog, report: Report) -> dict[str, OperationSpec]:
    """Return each step's operation, where there is one."""
    found = {}
    for step in draft.steps.values():
        path = (*step.path, "uses")
        connection = catalog.get(step.connection)
        if not step.connection:
            continue
        if connection is None:
            message = f"there is no connection {quoted(step.connection)}"
            report.at_value(path, message, did_you_mean(step.connection, catalog) or "none is configured")
        elif step.operation not in connection.operations:
            hint = did_you_mean(step.operation, connection.operations)
            report.at_value(path, f"'{step.connection}' has no operation {quoted(step.operation)}", hint)
        else:
            found[step.id] = connection.operations[step.operation]
    return found


def check_values(draft: Draft, operations: Mapping[str, OperationSpec], report: Report) -> None:
    """Check everything that expressions refer to, and every parameter."""
    for step in draft.steps.values():
        besides = OF_REQUEST if is_request(step) else None
        names = Names(draft, operations, step=step, besides=besides)
        if step.for_each is not None:
            _check_for_each(step, step.for_each, names, report)
            item = _item(step.for_each, names)
            names = Names(draft, operations, step=step, item=item, besides=besides)
        check_references((*step.path, "with"), step.params.uses, names, report)
        if is_request(step):
            check_request(step, Names(draft, operations, step=step, besides=OF_ANSWER), report)
        if step.condition is not None:
            check_references((*step.path, "if"), step.condition.uses, names, report)
            if kinds(names.type_of(step.condition.expression)) == {"string"}:
                hint = "compare it, for instance with == 'yes'"
                report.at_value((*step.path, "if"), "a condition gives true or false, and this is text", hint)
        if step.id in operations:
            check_params(step, operations[step.id], names, report)
    for name, value in draft.outputs.items():
        check_references(("outputs", name), value.uses, Names(draft, operations), report)


def _check_for_each(step: StepDraft, for_each: TemplateValue, names: Names, report: Report) -> None:
    path = (*step.path, "for_each")
    check_references(path, for_each.uses, names, report)
    if isinstance(for_each.template, list):
        return
    for use in (use for use in for_each.uses if use.whole):
        given = names.type_of(use.expression)
        if "array" not in kinds(given):
            report.at_value(path, f"'for_each' needs a list, and this is {named(given)}")


def _item(for_each: TemplateValue, names: Names) -> Type:
    """Return the type of `item`."""
    if not isinstance(for_each.template, list):
        return items_of(names.type_of(for_each.uses[0].expression)) if for_each.uses else UNKNOWN
    if for_each.uses or not for_each.template:
        return UNKNOWN
    return tuple(Branch({"const": item}, {}) for item in for_each.template)
