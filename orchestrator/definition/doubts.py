"""What a definition may say and hardly means: steps that never run, inputs that nobody reads, …"""

import re
from collections.abc import Iterator, Mapping, Set
from typing import Any

from orchestrator.definition import graph
from orchestrator.definition.catalog import OperationSpec
from orchestrator.definition.expressions import Reference
from orchestrator.definition.names import Names
from orchestrator.definition.reading import Draft, StepDraft
from orchestrator.definition.reasoning import truth
from orchestrator.definition.report import Report
from orchestrator.definition.templates import OPEN, ExpressionCondition, TemplateValue
from orchestrator.definition.workflow import CORE
from orchestrator.definition.yaml_document import Path
from orchestrator.durations import seconds, written


def check_doubts(draft: Draft, operations: Mapping[str, OperationSpec], report: Report) -> None:
    """Tell of everything that can hardly be meant; what errors bring about is left out."""
    is_sound = not report.has_errors
    _check_reached(draft, operations, report, is_sound=is_sound)
    if is_sound:
        _check_read(draft, report)
    for step in draft.steps.values():
        _check_lists(step, report)
        _check_times(step, draft, report)
        _check_texts((*step.path, "with"), step.params.template, report)
    for name, value in draft.outputs.items():
        _check_texts(("outputs", name), value.template, report)


# --- steps that never run --------------------------------------------------------------------


def _check_reached(
    draft: Draft, operations: Mapping[str, OperationSpec], report: Report, *, is_sound: bool
) -> None:
    needs = graph.needs(draft.steps)
    for id, step in draft.steps.items():
        if step.condition is None:
            continue
        behind = _behind(id, needs)
        if not _never_holds(step, step.condition, draft, operations, behind):
            continue
        path = (*step.path, "if")
        besides = _besides(
            [o for o in draft.steps if _goes_along(draft.steps[o]) and id in _behind(o, needs)]
        )
        if "failure" in step.condition.expression.calls and not _may_fail(behind, draft):
            why = "failure() is about the steps that it needs, and none of them can make the run fail"
            report.at_value(path, f"this step never runs: {why}{besides}", "add needs: […]")
        elif is_sound:
            message = f"this step never runs: its condition is always false{besides}"
            report.at_value(path, message, None, "warning")


def _besides(ids: list[str]) -> str:
    """Say which steps never run either."""
    if not ids:
        return ""
    return f"; nor {'does' if len(ids) == 1 else 'do'} {', '.join(ids)}, which need{'s' * (len(ids) == 1)} it"


def _behind(id: str, needs: Mapping[str, frozenset[str]]) -> set[str]:
    """Return all that a step needs, directly or not."""
    found: set[str] = set()
    left = [id]
    while left:
        new = needs[left.pop()] - found
        found |= new
        left += new
    return found


def _goes_along(step: StepDraft) -> bool:
    return step.condition is None or not step.condition.asks_status


def _may_fail(needs: Set[str], draft: Draft) -> bool:
    return any(not draft.steps[need].continue_on_error for need in needs)


def _never_holds(
    step: StepDraft,
    condition: ExpressionCondition,
    draft: Draft,
    operations: Mapping[str, OperationSpec],
    needs: Set[str],
) -> bool:
    status = {"always": True}
    if not _may_fail(needs, draft):
        status["failure"] = False
    names = Names(draft, operations, step=step)
    return truth(condition.expression.tree, names.type_at, status) is False


# --- inputs that nobody reads ----------------------------------------------------------------


def _check_read(draft: Draft, report: Report) -> None:
    read = [reference.path for reference in _references(draft)]
    # Whoever takes all of them may read any.
    if any(path[0] == "inputs" and (len(path) == 1 or not isinstance(path[1], str)) for path in read):
        return
    for name in draft.inputs:
        if not any(path[:2] == ("inputs", name) for path in read):
            report.at_key(("inputs", name), f"nothing reads the input '{name}'", "leave it out", "warning")


def _references(draft: Draft) -> Iterator[Reference]:
    values = [*draft.outputs.values(), *(step.params for step in draft.steps.values())]
    values += [step.for_each for step in draft.steps.values() if step.for_each is not None]
    if draft.concurrency is not None and isinstance(draft.concurrency.group, TemplateValue):
        values.append(draft.concurrency.group)
    for value in values:
        for use in value.uses:
            yield from use.expression.references
    for step in draft.steps.values():
        if step.condition is not None:
            yield from step.condition.expression.references


# --- lists and times -------------------------------------------------------------------------


def _check_lists(step: StepDraft, report: Report) -> None:
    for index, need in enumerate(step.needs):
        if need in step.needs[:index]:
            report.at_value((*step.path, "needs", index), f"'{need}' is here twice", None, "warning")
    if step.for_each is not None and step.for_each.template == []:
        report.at_value(
            (*step.path, "for_each"), "the list is empty, so this step does nothing", None, "warning"
        )
    if step.fail_fast and step.for_each is None:
        report.at_key(
            (*step.path, "fail_fast"), "'fail_fast' has a meaning only with 'for_each'", None, "warning"
        )


_LOOKS_LIKE_ONE = re.compile(
    r"(?<!\$)\{\{\s*(?:inputs|steps|run|item|index)\b|\$\s*\{+\s*(?:inputs|steps|run|item)\b"
)


def _check_texts(path: Path, template: Any, report: Report) -> None:
    """Look for expressions that are none, because of how their brackets are written."""
    if isinstance(template, dict | list):
        for key, value in template.items() if isinstance(template, dict) else enumerate(template):
            _check_texts((*path, key), value, report)
    elif isinstance(template, str) and OPEN not in template and (found := _LOOKS_LIKE_ONE.search(template)):
        message = "this is text as it stands: an expression is written ${{ … }}"
        report.in_text(path, found.start(), message, None, "warning")


def _check_times(step: StepDraft, draft: Draft, report: Report) -> None:
    own = (*step.path, "timeout")
    at = own if report.holds(own) else ("defaults", "timeout")
    hint = "give the workflow a longer 'timeout'"
    if step.timeout_s is not None and step.timeout_s > draft.timeout_s:
        message = f"this is longer than the whole run may take ({written(draft.timeout_s)})"
        report.at_value(at, message, hint, "warning")
    if (step.connection, step.operation) == (CORE, "sleep") and _asleep_s(step) >= draft.timeout_s:
        message = f"this is at least as long as the whole run may take ({written(draft.timeout_s)})"
        report.at_value((*step.path, "with", "duration"), message, hint, "warning")
    if (step.connection, step.operation) == (CORE, "approve") and step.timeout_s is None:
        default = (*step.path, "with", "default")
        if report.holds(default):
            hint = "add a 'timeout' to the step, by which the person has to answer"
            report.at_key(default, "without a timeout nothing is decided by default", hint, "warning")


def _asleep_s(step: StepDraft) -> float:
    """Return for how long a step sleeps, 0 where that is not known."""
    given = step.params.template.get("duration") if isinstance(step.params.template, dict) else None
    try:
        return seconds(given) if isinstance(given, str) else 0.0
    except ValueError:
        return 0.0
