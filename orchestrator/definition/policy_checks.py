"""Checks that a budget can be kept, and what the name of a group reads."""

from collections.abc import Mapping

from orchestrator.definition.catalog import Catalog, OperationSpec
from orchestrator.definition.names import OF_GROUP, Names
from orchestrator.definition.reading import Draft
from orchestrator.definition.references import check_references
from orchestrator.definition.report import Report
from orchestrator.definition.templates import TemplateValue
from orchestrator.definition.workflow import CORE
from orchestrator.wording import did_you_mean, quoted


def check_budget(
    draft: Draft, operations: Mapping[str, OperationSpec], catalog: Catalog, report: Report
) -> None:
    """Check that each connection with a budget is there, and that its prices are known."""
    for name in draft.budget:
        path = ("budget", name)
        if name == CORE:
            report.at_key(path, "operations of 'core' cost no credits", "leave it out")
        elif name not in catalog:
            hint = did_you_mean(name, catalog) or "none is configured"
            report.at_key(path, f"there is no connection {quoted(name)}", hint)
        elif draft.budget[name]:
            _check_prices(name, draft, operations, report)


def _check_prices(
    connection: str, draft: Draft, operations: Mapping[str, OperationSpec], report: Report
) -> None:
    used = {
        step.operation: operations[step.id]
        for step in draft.steps.values()
        if step.connection == connection and step.id in operations
    }
    unpriced = [name for name, spec in used.items() if spec.costs and not spec.priced]
    if unpriced:
        message = f"this budget cannot be kept: nobody knows what {_spelt(connection, unpriced)} costs"
        hint = f"add it to `prices` in [providers.{connection}] of the settings"
        report.at_key(("budget", connection), message, hint)
    elif not any(spec.costs for spec in used.values()):
        message = f"no step uses credits of '{connection}', so this budget has no effect"
        report.at_key(("budget", connection), message, None, "warning")


def _spelt(connection: str, operations: list[str]) -> str:
    return " or ".join(f"{connection}/{name}" for name in operations)


def check_group(draft: Draft, report: Report) -> None:
    """Check what the name of the concurrency group reads."""
    if draft.concurrency is not None and isinstance(draft.concurrency.group, TemplateValue):
        names = Names(draft, {}, besides=OF_GROUP)
        check_references(("concurrency", "group"), draft.concurrency.group.uses, names, report)
