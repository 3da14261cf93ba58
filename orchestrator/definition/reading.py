"""From the data of a definition to its parts: every key read, every text parsed, nothing related yet."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, cast, get_args

from orchestrator.definition import elsewhere
from orchestrator.definition.expressions import ExpressionError
from orchestrator.definition.input_schemas import read_inputs
from orchestrator.definition.json_values import kind
from orchestrator.definition.policies import read_budget, read_concurrency, read_notify
from orchestrator.definition.report import Report
from orchestrator.definition.scopes import CALLBACK_MARK, IN_ANSWER, IN_REQUEST, ROOTS
from orchestrator.definition.section import Section, check_name, read_value
from orchestrator.definition.templates import ExpressionCondition, TemplateValue, condition
from orchestrator.definition.triggers import TriggersDraft, read_triggers
from orchestrator.definition.workflow import CORE, Concurrency, Notify, OnUncertain, Retry
from orchestrator.definition.yaml_document import Path
from orchestrator.errors import ErrorClass
from orchestrator.wording import quoted

TOP_KEYS = (
    "name", "description", "inputs", "defaults", "timeout", "budget", "concurrency", "triggers", "notify",
    "steps", "outputs",
)  # fmt: skip
DEFAULTS_KEYS = ("timeout", "retry", "on_uncertain")
RETRY_KEYS = ("attempts", "backoff", "max_backoff", "on")
STEP_KEYS = (
    "uses", "with", "needs", "if", "for_each", "max_parallel", "retry", "timeout",
    "continue_on_error", "fail_fast", "on_uncertain",
)  # fmt: skip

HTTP, RUN_WORKFLOW = (CORE, "http"), (CORE, "run_workflow")
DEFERRED = ("result", "artifacts")
"""The parameters of a request of the author's own that are evaluated when its answer is there."""

WITHOUT_DEFAULT_TIMEOUT = ((CORE, "sleep"), (CORE, "approve"))

ATTEMPTS_MAX = 100
PARALLEL_MAX = 10_000
RUN_TIMEOUT_S = 86_400.0

_SLUG = re.compile(r"[a-z0-9][a-z0-9_-]{0,99}")


@dataclass(frozen=True, slots=True, kw_only=True)
class StepDraft:
    """A step as written. *connection* and *operation* are empty where `uses` says nothing sensible."""

    id: str
    connection: str
    operation: str
    params: TemplateValue
    deferred: Mapping[str, TemplateValue]
    needs: tuple[str, ...]
    condition: ExpressionCondition | None
    for_each: TemplateValue | None
    max_parallel: int
    retry: Retry
    timeout_s: float | None
    continue_on_error: bool
    fail_fast: bool
    on_uncertain: OnUncertain

    @property
    def path(self) -> Path:
        return ("steps", self.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A definition as written."""

    name: str
    description: str
    inputs: Mapping[str, Mapping[str, Any]]
    required: frozenset[str]
    steps: Mapping[str, StepDraft]
    outputs: Mapping[str, TemplateValue]
    timeout_s: float
    budget: Mapping[str, float]
    concurrency: Concurrency | None
    triggers: TriggersDraft
    notify: tuple[tuple[Path, Notify], ...]


@dataclass(frozen=True, slots=True)
class _Defaults:
    timeout_s: float | None = None
    retry: Retry = field(default_factory=Retry)
    on_uncertain: OnUncertain = "fail"


def read_draft(data: Any, report: Report) -> Draft:
    """Return the parts of a definition; what is wrong is told, and replaced by something harmless."""
    top = Section(data, (), report, known=TOP_KEYS, elsewhere=elsewhere.TOP_KEYS)
    for name in top.map("inputs"):
        check_name(("inputs", name), "an input", report)
    inputs, required = read_inputs(top.map("inputs"), report)
    return Draft(
        name=_name(top),
        description=top.text("description", free=True),
        inputs=inputs,
        required=required,
        steps=_steps(top, _defaults(top)),
        outputs=_outputs(top),
        timeout_s=top.duration("timeout", RUN_TIMEOUT_S),
        budget=read_budget(top),
        concurrency=read_concurrency(top),
        triggers=read_triggers(top),
        notify=read_notify(top),
    )


def _name(top: Section) -> str:
    name = top.text("name")
    if "name" not in top:
        top.missing("name", "such as name: my-workflow")
    elif isinstance(top.get("name"), str) and not _SLUG.fullmatch(name):
        hint = "small letters, digits, - and _, at most 100, first a letter or a digit"
        top.wrong("name", f"{quoted(name)} cannot be the name of a workflow", hint)
    return name


def _outputs(top: Section) -> dict[str, TemplateValue]:
    outputs = {}
    for name, template in top.map("outputs").items():
        path = ("outputs", name)
        check_name(path, "an output", top.report)
        outputs[name] = read_value(template, path, top.report)
    return outputs


# --- defaults and retries --------------------------------------------------------------------


def _defaults(top: Section) -> _Defaults:
    if "defaults" not in top:
        return _Defaults()
    section = Section(top.get("defaults"), ("defaults",), top.report, known=DEFAULTS_KEYS)
    return _Defaults(
        timeout_s=section.duration("timeout", None),
        retry=_retry(section, Retry()),
        on_uncertain=_on_uncertain(section, "fail"),
    )


def _on_uncertain(section: Section, default: OnUncertain) -> OnUncertain:
    return cast(OnUncertain, section.choice("on_uncertain", get_args(OnUncertain), default))


def _retry(parent: Section, default: Retry) -> Retry:
    """Return the policy of `retry`; a key that it does not have is as in *default*."""
    if "retry" not in parent:
        return default
    section = Section(
        parent.get("retry"), (*parent.path, "retry"), parent.report, known=RETRY_KEYS, short="attempts"
    )
    policy = replace(
        default,
        attempts=section.whole("attempts", default.attempts, 1, ATTEMPTS_MAX),
        backoff_s=section.duration("backoff", default.backoff_s, zero=True),
        max_backoff_s=section.duration("max_backoff", default.max_backoff_s, zero=True),
        on=_classes(section, default),
    )
    if policy.max_backoff_s < policy.backoff_s:
        key = "max_backoff" if "max_backoff" in section else "backoff"
        section.wrong(
            key, f"max_backoff ({policy.max_backoff_s:g}s) is shorter than backoff ({policy.backoff_s:g}s)"
        )
    return policy


def _classes(section: Section, default: Retry) -> frozenset[ErrorClass]:
    if "on" not in section:
        return default.on
    known = get_args(ErrorClass)
    return cast(frozenset[ErrorClass], section.names("on", known, "error class"))


# --- steps -----------------------------------------------------------------------------------


def _steps(top: Section, defaults: _Defaults) -> dict[str, StepDraft]:
    if "steps" not in top:
        top.missing("steps", "a map of step id to step")
    steps = top.map("steps")
    if isinstance(top.get("steps"), dict) and not steps:
        top.wrong("steps", "a workflow needs at least one step")
    return {id: _step(id, data, defaults, top.report) for id, data in steps.items()}


def _step(id: str, data: Any, defaults: _Defaults, report: Report) -> StepDraft:
    check_name(("steps", id), "a step", report)
    section = Section(
        data, ("steps", id), report, known=STEP_KEYS, elsewhere=elsewhere.STEP_KEYS, short="uses"
    )
    connection, operation = _uses(section)
    if "max_parallel" in section and "for_each" not in section:
        report.at_key((*section.path, "max_parallel"), "'max_parallel' has a meaning only with 'for_each'")
    # How long a question or a sleep may take is no matter of how long providers may.
    waits = (connection, operation) in WITHOUT_DEFAULT_TIMEOUT
    return StepDraft(
        id=id,
        connection=connection,
        operation=operation,
        params=_params(section, asks=(connection, operation) == HTTP),
        deferred=_deferred(section) if (connection, operation) == HTTP else {},
        needs=tuple(section.texts("needs")),
        condition=_condition(section),
        for_each=_for_each(section),
        max_parallel=section.whole("max_parallel", 100, 1, PARALLEL_MAX),
        retry=_retry(section, defaults.retry),
        timeout_s=section.duration("timeout", None if waits else defaults.timeout_s),
        continue_on_error=section.flag("continue_on_error"),
        fail_fast=section.flag("fail_fast"),
        on_uncertain=_on_uncertain(section, defaults.on_uncertain),
    )


def _uses(section: Section) -> tuple[str, str]:
    uses = section.text("uses")
    if "uses" not in section:
        section.missing("uses", "<connection>/<operation>")
    connection, slash, operation = uses.partition("/")
    if not isinstance(section.get("uses"), str) or "${{" in section.get("uses"):
        return "", ""
    if not (connection and operation and slash) or "/" in operation:
        section.wrong("uses", f"{quoted(uses)} names no operation", "write <connection>/<operation>")
        return "", ""
    return connection, operation


def _params(section: Section, *, asks: bool) -> TemplateValue:
    """Return the parameters; *asks*: those of a request of the author's own, who may be called back."""
    # A `with:` whose every parameter is commented out is null.
    given = {} if section.get("with") is None else section.get("with")
    if asks and isinstance(given, dict):
        given = {name: value for name, value in given.items() if name not in DEFERRED}
    path, roots = (*section.path, "with"), IN_REQUEST if asks else ROOTS
    known_problems = section.report.errors
    value = read_value(given, path, section.report, roots)
    if isinstance(given, dict) or value.is_expression:
        return value.given({"callback": {"url": CALLBACK_MARK}}) if asks else value
    if section.report.errors == known_problems:
        section.wrong("with", f"'with' has to be a map of parameters, not {kind(given)}")
    return read_value({}, path, section.report)


def _deferred(section: Section) -> dict[str, TemplateValue]:
    given = section.get("with")
    path = (*section.path, "with")
    return {
        name: read_value(value, (*path, name), section.report, IN_ANSWER)
        for name, value in (given if isinstance(given, dict) else {}).items()
        if name in DEFERRED
    }


def _condition(section: Section) -> ExpressionCondition | None:
    source = section.get("if")
    if "if" not in section:
        return None
    if not isinstance(source, str | bool):
        section.wrong("if", f"'if' has to be an expression, not {kind(source)}")
        return None
    try:
        return condition(source)
    except ExpressionError as error:
        section.report.of_expression((*section.path, "if"), error)
        return None


def _for_each(section: Section) -> TemplateValue | None:
    if "for_each" not in section:
        return None
    items = section.get("for_each")
    known_problems = section.report.errors
    value = read_value(items, (*section.path, "for_each"), section.report)
    is_sound = isinstance(items, list) or value.is_expression
    if not is_sound and section.report.errors == known_problems:
        hint = "write a list, or one expression that gives a list"
        section.wrong("for_each", f"'for_each' has to be a list, not {kind(items)}", hint)
    if isinstance(items, list) and len(items) > PARALLEL_MAX:
        section.wrong("for_each", f"at most {PARALLEL_MAX:,} items are allowed, not {len(items):,}")
    return value
