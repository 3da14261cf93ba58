"""From the data of a definition to its parts: every key read, every text parsed, nothing related yet."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, cast, get_args

from orchestrator.definition.expressions import ExpressionError
from orchestrator.definition.input_schemas import read_inputs
from orchestrator.definition.json_values import kind
from orchestrator.definition.report import Report
from orchestrator.definition.section import Section
from orchestrator.definition.suggestions import did_you_mean, quoted
from orchestrator.definition.templates import ExpressionCondition, TemplateValue, condition, template_value
from orchestrator.definition.workflow import OnUncertain, Retry
from orchestrator.definition.yaml_document import Path
from orchestrator.errors import ErrorClass

TOP_KEYS = ("name", "description", "inputs", "defaults", "timeout", "steps", "outputs")
LATER_KEYS = ("budget", "concurrency", "triggers", "notify")
DEFAULTS_KEYS = ("timeout", "retry", "on_uncertain")
RETRY_KEYS = ("attempts", "backoff", "max_backoff", "on")
STEP_KEYS = (
    "uses", "with", "needs", "if", "for_each", "max_parallel", "retry", "timeout",
    "continue_on_error", "fail_fast", "on_uncertain",
)  # fmt: skip

ATTEMPTS_MAX = 100
PARALLEL_MAX = 10_000
RUN_TIMEOUT_S = 86_400.0

_SLUG = re.compile(r"[a-z0-9][a-z0-9_-]{0,99}")
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")


@dataclass(frozen=True, slots=True, kw_only=True)
class StepDraft:
    """A step as written. *connection* and *operation* are empty where `uses` says nothing sensible."""

    id: str
    connection: str
    operation: str
    params: TemplateValue
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


@dataclass(frozen=True, slots=True)
class _Defaults:
    timeout_s: float | None = None
    retry: Retry = field(default_factory=Retry)
    on_uncertain: OnUncertain = "fail"


def read_draft(data: Any, report: Report) -> Draft:
    """Return the parts of a definition; what is wrong is told, and replaced by something harmless."""
    top = Section(data, (), report, known=TOP_KEYS, later=LATER_KEYS)
    for name in top.map("inputs"):
        _check_name(("inputs", name), "an input", report)
    inputs, required = read_inputs(top.map("inputs"), report)
    return Draft(
        name=_name(top),
        description=top.text("description"),
        inputs=inputs,
        required=required,
        steps=_steps(top, _defaults(top)),
        outputs=_outputs(top),
        timeout_s=top.duration("timeout", RUN_TIMEOUT_S),
    )


def _name(top: Section) -> str:
    name = top.text("name")
    if "name" not in top:
        top.missing("name", "such as name: my-workflow")
    elif isinstance(top.get("name"), str) and not _SLUG.fullmatch(name):
        hint = "small letters, digits, - and _, at most 100, first a letter or a digit"
        top.wrong("name", f"{quoted(name)} cannot be the name of a workflow", hint)
    return name


def _check_name(path: Path, noun: str, report: Report) -> None:
    """Check that what stands at *path* has a name that expressions can write."""
    name = str(path[-1])
    if _IDENTIFIER.fullmatch(name):
        return
    better = re.sub(r"[^A-Za-z0-9_]", "_", name)
    hint = better if _IDENTIFIER.fullmatch(better) else "letters, digits and _, first a letter, at most 64"
    report.at_key(path, f"{quoted(name)} cannot be the name of {noun}", f"write {hint}")


def _outputs(top: Section) -> dict[str, TemplateValue]:
    outputs = {}
    for name, template in top.map("outputs").items():
        path = ("outputs", name)
        _check_name(path, "an output", top.report)
        outputs[name] = _value(template, path, top.report)
    return outputs


def _value(template: Any, path: Path, report: Report) -> TemplateValue:
    return template_value(template, lambda place, error: report.of_expression((*path, *place), error))


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
    section = Section(parent.get("retry"), (*parent.path, "retry"), parent.report, known=RETRY_KEYS)
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
    classes = section.texts("on")
    for index, cls in enumerate(classes):
        if cls not in known:
            path = (*section.path, "on", index)
            section.report.at_value(path, f"unknown error class {quoted(cls)}", did_you_mean(cls, known))
    return frozenset(cast(ErrorClass, cls) for cls in classes if cls in known)


# --- steps -----------------------------------------------------------------------------------


def _steps(top: Section, defaults: _Defaults) -> dict[str, StepDraft]:
    if "steps" not in top:
        top.missing("steps", "a map of step id to step")
    steps = top.map("steps")
    if isinstance(top.get("steps"), dict) and not steps:
        top.wrong("steps", "a workflow needs at least one step")
    return {id: _step(id, data, defaults, top.report) for id, data in steps.items()}


def _step(id: str, data: Any, defaults: _Defaults, report: Report) -> StepDraft:
    _check_name(("steps", id), "a step", report)
    section = Section(data, ("steps", id), report, known=STEP_KEYS)
    connection, operation = _uses(section)
    if "max_parallel" in section and "for_each" not in section:
        report.at_key((*section.path, "max_parallel"), "'max_parallel' has a meaning only with 'for_each'")
    return StepDraft(
        id=id,
        connection=connection,
        operation=operation,
        params=_params(section),
        needs=tuple(section.texts("needs")),
        condition=_condition(section),
        for_each=_for_each(section),
        max_parallel=section.whole("max_parallel", 100, 1, PARALLEL_MAX),
        retry=_retry(section, defaults.retry),
        timeout_s=section.duration("timeout", defaults.timeout_s),
        continue_on_error=section.flag("continue_on_error"),
        fail_fast=section.flag("fail_fast"),
        on_uncertain=_on_uncertain(section, defaults.on_uncertain),
    )


def _uses(section: Section) -> tuple[str, str]:
    uses = section.text("uses")
    if "uses" not in section:
        section.missing("uses", "<connection>/<operation>")
    connection, slash, operation = uses.partition("/")
    if not uses or not isinstance(section.get("uses"), str):
        return "", ""
    if not (connection and operation and slash) or "/" in operation:
        section.wrong("uses", f"{quoted(uses)} names no operation", "write <connection>/<operation>")
        return "", ""
    if connection == "core":
        section.wrong("uses", f"'{uses}' is not supported by this version yet")
        return "", ""
    return connection, operation


def _params(section: Section) -> TemplateValue:
    # A `with:` whose every parameter is commented out is null.
    given = {} if section.get("with") is None else section.get("with")
    path = (*section.path, "with")
    known_problems = section.report.errors
    value = _value(given, path, section.report)
    if isinstance(given, dict) or _is_one_expression(value):
        return value
    if section.report.errors == known_problems:
        section.wrong("with", f"'with' has to be a map of parameters, not {kind(given)}")
    return _value({}, path, section.report)


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
    value = _value(items, (*section.path, "for_each"), section.report)
    is_sound = isinstance(items, list) or _is_one_expression(value)
    if not is_sound and section.report.errors == known_problems:
        hint = "write a list, or one expression that gives a list"
        section.wrong("for_each", f"'for_each' has to be a list, not {kind(items)}", hint)
    if isinstance(items, list) and len(items) > PARALLEL_MAX:
        section.wrong("for_each", f"at most {PARALLEL_MAX:,} items are allowed, not {len(items):,}")
    return value


def _is_one_expression(value: TemplateValue) -> bool:
    return len(value.uses) == 1 and value.uses[0].whole and not value.uses[0].place
