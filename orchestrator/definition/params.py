"""Checks a step's parameters against its operation, as far as they are known before anything runs."""

from collections.abc import Mapping
from typing import Any

from orchestrator.definition.catalog import FoundProblem, OperationSpec
from orchestrator.definition.expressions import Path as Reference
from orchestrator.definition.names import Names
from orchestrator.definition.reading import StepDraft
from orchestrator.definition.report import Report, dotted
from orchestrator.definition.schemas import (
    UNKNOWN,
    Type,
    can_be,
    constants,
    inside,
    is_image,
    is_required,
    kinds,
    may_be_null,
    named,
    property_names,
    typed,
)
from orchestrator.definition.templates import OPEN, Place, Use
from orchestrator.wording import did_you_mean, quoted

_CANDIDATES_MAX = 50


class _Unknown:
    """Stands for the value of an expression."""

    def __repr__(self) -> str:
        return "${{ … }}"


_UNKNOWN = _Unknown()


def _is_unknown(value: Any) -> bool:
    return value is _UNKNOWN


def check_params(step: StepDraft, spec: OperationSpec, names: Names, report: Report) -> None:
    """Tell of everything that is wrong with the parameters of *step*."""
    if not isinstance(step.params.template, dict):
        _check_whole(step, names, report)
        return
    wanted = typed(spec.params_schema)
    values = _known(step.params.template)
    found = list(spec.check(values, _is_unknown))
    for problem in found:
        _tell(problem, step, wanted, report)
    for use in step.params.uses:
        if use.whole and not any(problem.path[: len(use.place)] == use.place for problem in found):
            _check_use(use, step, spec, wanted, names, values, report)


def _check_whole(step: StepDraft, names: Names, report: Report) -> None:
    """Check parameters that are one expression altogether."""
    given = names.type_of(step.params.uses[0].expression) if step.params.is_expression else UNKNOWN
    if "object" not in kinds(given):
        report.at_value((*step.path, "with"), f"'with' has to be an object, and this is {named(given)}")


def _known(value: Any) -> Any:
    """Return *value* with a stand-in wherever there is an expression, also one that cannot be read."""
    if isinstance(value, str) and OPEN in value:
        return _UNKNOWN
    if isinstance(value, dict):
        return {key: _known(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_known(inner) for inner in value]
    return value


def _tell(problem: FoundProblem, step: StepDraft, wanted: Type, report: Report) -> None:
    path = (*step.path, "with", *problem.path)
    *around, last = problem.path or ("",)
    exists = _exists(step.params.template, problem.path)
    if problem.path and isinstance(last, str):
        known = property_names(inside(wanted, around))
        if exists and known is not None and last not in known:
            report.at_key(
                path, f"unknown parameter {quoted(last)}", problem.hint or did_you_mean(last, known)
            )
            return
        if not exists:
            message = problem.message
            if message == "is required":
                message = f"the parameter '{dotted(problem.path)}' is required"
            report.at_key(path if around else _head(step), message, problem.hint)
            return
    report.at_value(path, _spelt(problem), problem.hint)


def _spelt(problem: FoundProblem) -> str:
    """Return the message with the name of the parameter, unless it has it already."""
    place, message = dotted(problem.path), problem.message
    if not place or (place in message and not message.startswith("must ")):
        return message
    return f"{place}{' ' if message.startswith('must ') else ': '}{message}"


def _head(step: StepDraft) -> Place:
    """Return the path whose key is shown when a parameter is missing altogether."""
    return (*step.path, "with") if step.params.template else (*step.path, "uses")


def _exists(value: Any, path: Place) -> bool:
    for part in path:
        try:
            value = value[part]
        except (LookupError, TypeError):
            return False
    return True


def _check_use(
    use: Use,
    step: StepDraft,
    spec: OperationSpec,
    wanted: Type,
    names: Names,
    values: Mapping[str, Any],
    report: Report,
) -> None:
    """Check a parameter that is one expression, by the type that it will have."""
    path = (*step.path, "with", *use.place)
    given, taken = names.type_of(use.expression), inside(wanted, use.place)
    place = dotted(use.place)
    if (field := _field_of_artifact(use.expression.path)) is not None and is_image(taken):
        message = f"{place} must be an image, and this is only its {field}"
        report.at_value(path, message, f"pass the artifact itself: leave .{field} out")
        return
    if not can_be(given, taken):
        report.at_value(path, f"{place} must be {named(taken)}, and this is {named(given)}")
        return
    if (wrong := _no_candidate(use, spec, given, values)) is not None:
        report.at_value(path, f"no value that this may have is valid: {_spelt(wrong)}", wrong.hint)
        return
    last = use.place[-1]
    needed = isinstance(last, int) or is_required(inside(wanted, use.place[:-1]), last)
    if needed and may_be_null(given) and "null" not in kinds(taken):
        hint = "give another value with | default(…)"
        report.at_value(path, f"{place} is required, and this may be null", hint, "warning")


def _field_of_artifact(path: Reference | None) -> str | None:
    """Return the field of an artifact that *path* leads to, if that cannot stand for the artifact."""
    match path:
        case ("steps", str(), "artifacts", int() | None, "href" | "digest" | "name" | "media_type" as field):
            return field
    return None


def _no_candidate(
    use: Use, spec: OperationSpec, given: Type, values: Mapping[str, Any]
) -> FoundProblem | None:
    """Return what is wrong with the first of the values that there can be, if something is wrong with all."""
    first: FoundProblem | None = None
    for candidate in (constants(given) or [])[:_CANDIDATES_MAX]:
        problem = _problem_with(candidate, use.place, spec, values)
        if problem is None:
            return None
        first = first or problem
    return first if len(constants(given) or []) <= _CANDIDATES_MAX else None


def _problem_with(
    candidate: Any, place: Place, spec: OperationSpec, values: Mapping[str, Any]
) -> FoundProblem | None:
    tried = _replaced(values, place, candidate)
    found = spec.check(tried, _is_unknown)
    return next((p for p in found if p.path[: len(place)] == place), None)


def _replaced(values: Any, place: Place, value: Any) -> Any:
    """Return *values* with *value* at *place*."""
    if not place:
        return value
    part, *rest = place
    if isinstance(values, Mapping):
        return {**values, part: _replaced(values[str(part)], tuple(rest), value)}
    changed = list(values)
    changed[int(part)] = _replaced(changed[int(part)], tuple(rest), value)
    return changed
