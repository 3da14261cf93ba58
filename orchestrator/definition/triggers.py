"""Reads what starts runs of a workflow besides people."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, cast

from orchestrator.definition.policies import read_statuses
from orchestrator.definition.scopes import IN_HOOK, IN_RUN_TRIGGER
from orchestrator.definition.section import Section
from orchestrator.definition.templates import TemplateValue
from orchestrator.definition.workflow import (
    RunTrigger,
    ScheduleTrigger,
    Triggers,
    Verification,
    WebhookTrigger,
)
from orchestrator.definition.yaml_document import Path

TRIGGERS_KEYS = ("webhook", "schedule", "run")
WEBHOOK_KEYS = ("verify", "dedupe", "inputs")
VERIFY_KEYS = ("scheme", "secret", "header")
SCHEDULE_KEYS = ("cron", "timezone", "missed")
RUN_KEYS = ("workflow", "status", "inputs")

SCHEMES = ("standard", "hmac", "token")
MISSED = ("skip", "run_once")

CRON_ALIASES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class TriggersDraft:
    """Triggers as written; of those that there may be several of, each with its place."""

    webhook: WebhookTrigger | None = None
    schedules: tuple[tuple[Path, ScheduleTrigger], ...] = ()
    runs: tuple[tuple[Path, RunTrigger], ...] = ()

    @property
    def triggers(self) -> Triggers:
        """What a workflow holds of it."""
        return Triggers(
            webhook=self.webhook,
            schedules=tuple(schedule for _, schedule in self.schedules),
            runs=tuple(run for _, run in self.runs),
        )


def read_triggers(top: Section) -> TriggersDraft:
    """Return the triggers of a workflow."""
    if "triggers" not in top:
        return TriggersDraft()
    section = Section(top.get("triggers"), ("triggers",), top.report, known=TRIGGERS_KEYS)
    return TriggersDraft(
        webhook=_webhook(section),
        schedules=_each(section, "schedule", SCHEDULE_KEYS, _schedule),
        runs=_each(section, "run", RUN_KEYS, _run),
    )


def _each(
    parent: Section, key: str, known: tuple[str, ...], read: Callable[[Section], T]
) -> tuple[tuple[Path, T], ...]:
    """Read one, or a list of them."""
    if key not in parent:
        return ()
    given, path = parent.get(key), (*parent.path, key)
    placed: list[tuple[Path, Any]] = [(path, given)]
    if isinstance(given, list):
        placed = [((*path, index), one) for index, one in enumerate(given)]
    return tuple(
        (at, read(Section(one, at, parent.report, known=known, short=known[0]))) for at, one in placed
    )


def _webhook(parent: Section) -> WebhookTrigger | None:
    if "webhook" not in parent:
        return None
    # `webhook:` with nothing below it is a hook that asks for nothing.
    given = {} if parent.get("webhook") is None else parent.get("webhook")
    section = Section(given, (*parent.path, "webhook"), parent.report, known=WEBHOOK_KEYS)
    if not isinstance(given, dict):
        return None
    return WebhookTrigger(
        inputs=_inputs(section, IN_HOOK),
        verify=_verify(section) if "verify" in section else None,
        dedupe=section.value("dedupe", IN_HOOK) if "dedupe" in section else None,
    )


def _verify(parent: Section) -> Verification:
    section = Section(parent.get("verify"), (*parent.path, "verify"), parent.report, known=VERIFY_KEYS)
    if "scheme" not in section:
        section.missing("scheme", f"one of {', '.join(SCHEMES)}")
    if "secret" not in section:
        section.missing("secret", "the name of one of [secrets] in the settings")
    scheme = cast(Literal["standard", "hmac", "token"], section.choice("scheme", SCHEMES, "standard"))
    header = section.text("header") if "header" in section else None
    if header is not None and scheme == "standard":
        section.report.at_key(
            (*section.path, "header"), "the scheme 'standard' has headers of its own", "leave 'header' out"
        )
    return Verification(scheme=scheme, secret=section.text("secret"), header=header)


def _schedule(section: Section) -> ScheduleTrigger:
    if "cron" not in section:
        section.missing("cron", "such as cron: '0 6 * * 1-5' or cron: '@hourly'")
    cron = section.text("cron").strip()
    return ScheduleTrigger(
        cron=CRON_ALIASES.get(cron.lower(), cron),
        timezone=section.text("timezone", "UTC"),
        missed=cast(Literal["skip", "run_once"], section.choice("missed", MISSED, "skip")),
    )


def _run(section: Section) -> RunTrigger:
    if "workflow" not in section:
        section.missing("workflow", "the name of the workflow whose runs are waited for")
    return RunTrigger(
        workflow=section.text("workflow"),
        statuses=read_statuses(section, "status", ("succeeded",)),
        inputs=_inputs(section, IN_RUN_TRIGGER),
    )


def _inputs(section: Section, roots: tuple[str, ...]) -> Mapping[str, TemplateValue]:
    """Return what a run is started with, over what came."""
    inputs = Section(
        section.map("inputs"), (*section.path, "inputs"), section.report, known=list(section.map("inputs"))
    )
    return {name: inputs.value(name, roots) for name in section.map("inputs")}
