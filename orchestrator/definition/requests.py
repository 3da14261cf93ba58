"""Checks what only a request of the author's own has: `core/http`."""

from typing import Any

from orchestrator.definition.catalog import Secrets
from orchestrator.definition.names import Names
from orchestrator.definition.reading import HTTP, Draft, StepDraft
from orchestrator.definition.references import check_references
from orchestrator.definition.report import Report
from orchestrator.definition.templates import OPEN, TemplateValue
from orchestrator.definition.trigger_checks import check_secret
from orchestrator.definition.yaml_document import Path


def is_request(step: StepDraft) -> bool:
    """Return whether *step* sends a request of the author's own."""
    return (step.connection, step.operation) == HTTP


def check_request(step: StepDraft, answered: Names, report: Report) -> None:
    """Check that a callback is waited for where one is asked for; *answered*: the names of what came back."""
    for name, value in step.deferred.items():
        check_references((*step.path, "with", name), value.uses, answered, report)
    if not isinstance(step.params.template, dict):
        return
    waits = step.params.template.get("wait", "none")
    asks = _first_use(step.params)
    if waits == "callback" and asks is None:
        hint = "put ${{ callback.url }} into 'url', 'headers', 'json' or 'body'"
        report.at_value((*step.path, "with", "wait"), "nobody is told where to call back", hint)
    elif waits == "none" and asks is not None:
        hint = "add wait: callback"
        report.at_value((*step.path, "with", *asks), "nothing waits for this callback", hint, "warning")
    if not (isinstance(waits, str) and OPEN in waits):
        _check_awaited(step, waits == "callback", report)


def check_request_secrets(draft: Draft, secrets: Secrets | None, report: Report) -> None:
    """Check that the secrets that requests name are configured."""
    for step in draft.steps.values():
        with_ = step.params.template
        if not is_request(step) or not isinstance(with_, dict):
            continue
        headers, verify = with_.get("headers"), with_.get("verify")
        for name, value in headers.items() if isinstance(headers, dict) else ():
            _check_named((*step.path, "with", "headers", name), value, secrets, report)
        _check_named((*step.path, "with", "verify"), verify, secrets, report)


def _check_named(path: Path, value: Any, secrets: Secrets | None, report: Report) -> None:
    name = value.get("secret") if isinstance(value, dict) else None
    if isinstance(name, str) and OPEN not in name:
        standard = value.get("scheme") == "standard"
        check_secret((*path, "secret"), name, standard=standard, secrets=secrets, report=report)


def _check_awaited(step: StepDraft, waits: bool, report: Report) -> None:
    for name, value in step.deferred.items():
        for use in value.uses:
            reads = {str(reference.path[0]) for reference in use.expression.references}
            if "callback" in reads and not waits:
                place = (*step.path, "with", name, *use.place)
                report.at_value(
                    place, "there is no callback to read: none is waited for", "add wait: callback"
                )


def _first_use(value: TemplateValue) -> tuple[str | int, ...] | None:
    """Return where *value* reads `callback.url` first."""
    for use in value.uses:
        if any(reference.path[0] == "callback" for reference in use.expression.references):
            return use.place
    return None
