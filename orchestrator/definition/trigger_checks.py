"""Checks what starts runs: the instants, who is let in, and that every run gets the inputs that it needs."""

from collections.abc import Mapping
from typing import Any

from orchestrator import cron
from orchestrator.definition.catalog import Secrets
from orchestrator.definition.children import Signatures
from orchestrator.definition.input_schemas import complaints
from orchestrator.definition.names import OF_HOOK, Names, of_ended_run
from orchestrator.definition.policies import NotifyDraft
from orchestrator.definition.reading import Draft
from orchestrator.definition.references import check_references
from orchestrator.definition.report import Report
from orchestrator.definition.schemas import can_be, named, typed
from orchestrator.definition.templates import TemplateValue, has_expression
from orchestrator.definition.triggers import CRON_ALIASES
from orchestrator.definition.workflow import ScheduleTrigger, Verification, WebhookTrigger
from orchestrator.definition.yaml_document import Path
from orchestrator.wording import did_you_mean, quoted

_NOT_GIVEN, _GIVE = "this trigger does not give it", "name it below `inputs:`, or give it a default"


def check_triggers(draft: Draft, secrets: Secrets | None, others: Signatures, report: Report) -> None:
    """Check everything that starts runs; *secrets* None: nobody knows which there are."""
    if draft.triggers.webhook is not None:
        _check_webhook(draft, draft.triggers.webhook, secrets, report)
    for path, schedule in draft.triggers.schedules:
        _check_schedule(path, schedule, report)
    if draft.triggers.schedules:
        hint = "give it a default, or required: false"
        _check_needed(("triggers", "schedule"), {}, "a schedule gives no inputs", hint, draft, report)
    for path, run in draft.triggers.runs:
        other = others.get(run.workflow)
        ended = of_ended_run(*(None, None) if other is None else (other.inputs, other.outputs))
        names = Names(draft, {}, besides=ended)
        _check_inputs((*path, "inputs"), _templates(run.inputs), draft, names, report)
        _check_needed(path, run.inputs, _NOT_GIVEN, _GIVE, draft, report)


def check_secret(path: Path, name: str, *, standard: bool, secrets: Secrets | None, report: Report) -> None:
    """Check that the secret named at *path* is configured; *standard*: as one of Standard Webhooks."""
    if secrets is None or not name:
        return
    if name not in secrets:
        hint = did_you_mean(name, secrets) or "add it to [secrets] in the settings"
        report.at_value(path, f"there is no secret {quoted(name)}", hint)
    elif standard and not secrets[name]:
        hint = "such a secret is whsec_ and base64; other senders use the schemes hmac and token"
        report.at_value(path, f"the secret {quoted(name)} is none of Standard Webhooks", hint)


def check_notify(notify: tuple[NotifyDraft, ...], secrets: Secrets | None, report: Report) -> None:
    """Check that every notification can be signed."""
    for path, one in notify:
        check_secret((*path, "secret"), one.secret, standard=True, secrets=secrets, report=report)


def _check_webhook(draft: Draft, hook: WebhookTrigger, secrets: Secrets | None, report: Report) -> None:
    path: Path = ("triggers", "webhook")
    names = Names(draft, {}, besides=OF_HOOK)
    if hook.verify is None:
        message = f"anybody who knows the address /hooks/{draft.name} can start runs"
        report.at_key(path, message, "add verify: {scheme: …, secret: …}", "warning")
    else:
        _check_verify((*path, "verify"), hook.verify, secrets, report)
    if isinstance(hook.dedupe, TemplateValue):
        check_references((*path, "dedupe"), hook.dedupe.uses, names, report)
        if not hook.dedupe.uses and hook.dedupe.template is not None:
            hint = "such as dedupe: ${{ body.id }}"
            report.at_value((*path, "dedupe"), "this is the same for every request", hint)
    _check_inputs((*path, "inputs"), _templates(hook.inputs), draft, names, report)
    _check_needed(path, hook.inputs, _NOT_GIVEN, _GIVE, draft, report)


def _check_verify(path: Path, verify: Verification, secrets: Secrets | None, report: Report) -> None:
    standard = verify.scheme == "standard"
    check_secret((*path, "secret"), verify.secret, standard=standard, secrets=secrets, report=report)


def _check_schedule(path: Path, schedule: ScheduleTrigger, report: Report) -> None:
    if not schedule.cron:
        return
    if wrong := cron.problem("* * * * *", schedule.timezone):
        report.at_value((*path, "timezone"), wrong)
    elif wrong := cron.problem(schedule.cron, schedule.timezone):
        hint = did_you_mean(schedule.cron, CRON_ALIASES) if schedule.cron.startswith("@") else None
        report.at_value((*path, "cron"), wrong, hint)
    elif cron.following(schedule.cron, schedule.timezone, 0) is None:
        report.at_value((*path, "cron"), "this never comes: there is no such day")


def _templates(inputs: Mapping[str, Any]) -> Mapping[str, TemplateValue]:
    return {name: value for name, value in inputs.items() if isinstance(value, TemplateValue)}


def _check_inputs(
    path: Path, inputs: Mapping[str, TemplateValue], draft: Draft, names: Names, report: Report
) -> None:
    """Check a mapping to the inputs of the workflow itself."""
    for name, value in inputs.items():
        place = (*path, name)
        check_references(place, value.uses, names, report)
        schema = draft.inputs.get(name)
        if schema is None:
            hint = did_you_mean(name, draft.inputs) or "this workflow has no inputs"
            report.at_key(place, f"there is no input {quoted(name)}", hint)
        elif not has_expression(value.template):
            for inner, message in complaints(schema, value.template):
                report.at_value((*place, *inner), f"the input '{name}' {message}")
        elif value.is_expression:
            given, taken = names.type_of(value.uses[0].expression), typed(schema)
            if not can_be(given, taken):
                report.at_value(
                    place, f"the input '{name}' has to be {named(taken)}, and this is {named(given)}"
                )


def _check_needed(
    path: Path, given: Mapping[str, object], reason: str, hint: str, draft: Draft, report: Report
) -> None:
    for name in draft.inputs:
        if name in draft.required and name not in given:
            report.at_key(path, f"the input '{name}' is required, and {reason}", hint)
