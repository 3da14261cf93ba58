"""What is known of values before anything runs: everything but what only the run itself will give."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Any

from jinja2 import nodes

from orchestrator.definition.expressions import Expression, Path, path_of, spelt
from orchestrator.definition.lookup import look_up
from orchestrator.definition.scopes import CALLBACK_MARK, EVERY_ROOT
from orchestrator.definition.templates import OPEN, ExpressionCondition, TemplateValue, template_value
from orchestrator.definition.workflow import Condition, Scope, Value

_FEWER = ("select", "reject", "selectattr", "rejectattr", "unique")
_AS_MANY = ("sort", "reverse")
_IN_REQUESTS = {"callback": {"url": CALLBACK_MARK}}


@dataclass(frozen=True, slots=True)
class Unknown:
    """
    A value that nobody knows yet. *source*: where it will come from, as authors write it.

    Where it is a list it will have *least* to *most* items; *most* None: nobody knows.
    """

    source: str
    least: int = 0
    most: int | None = None


def first_unknown(value: Any) -> Unknown | None:
    """Return something in *value* that is not known, or None when all of it is."""
    if isinstance(value, Unknown):
        return value
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return next((found for each in inner if (found := first_unknown(each)) is not None), None)


def foresee(value: Value, scope: Scope) -> Any:
    """
    Return what *value* will be, with an `Unknown` wherever that is not known yet.

    Shape:   *scope* may hold `Unknown`s anywhere.
    Errors:  InvalidValue for what is known, and wrong.
    """
    assert isinstance(value, TemplateValue)
    return _foresee(value.template, {**_IN_REQUESTS, **scope})


def foresee_condition(
    condition: Condition, scope: Scope, status: Mapping[str, Callable[[], bool | None]]
) -> bool | None:
    """Return whether a step will run, None where nobody knows. Errors: InvalidValue."""
    assert isinstance(condition, ExpressionCondition)
    answers = {name: ask() for name, ask in status.items() if name in condition.expression.calls}
    if None in answers.values() or _unknown(condition.expression, scope) is not None:
        return None
    return condition.holds(scope, {name: partial(bool, answer) for name, answer in answers.items()})


def source_of(value: Value | Condition) -> str:
    """Return what the author wrote, without `${{ }}` where it is all one expression."""
    if isinstance(value, ExpressionCondition):
        return value.expression.source.strip()
    assert isinstance(value, TemplateValue)
    is_one = len(value.uses) == 1 and value.uses[0].whole and not value.uses[0].place
    return value.uses[0].expression.source.strip() if is_one else str(value.template)


def _foresee(template: Any, scope: Scope) -> Any:
    if isinstance(template, dict):
        return {key: _foresee(inner, scope) for key, inner in template.items()}
    if isinstance(template, list):
        return [_foresee(inner, scope) for inner in template]
    return _text(template, scope) if isinstance(template, str) and OPEN in template else template


def _text(text: str, scope: Scope) -> Any:
    value = _compiled(text)
    for use in value.uses:
        unknown = _unknown(use.expression, scope)
        if unknown is not None:
            return unknown if use.whole else Unknown(unknown.source)
    return value.evaluate(scope)


@lru_cache(maxsize=1024)
def _compiled(text: str) -> TemplateValue:
    return template_value(text, _never, EVERY_ROOT)


def _never(place: object, error: Exception) -> None:
    raise AssertionError(f"a definition that was loaded holds what cannot be read: {error}")


def _unknown(expression: Expression, scope: Scope) -> Unknown | None:
    """Return what is known of the value of *expression* where it is not known itself."""
    read = [_at(scope, reference.path) for reference in expression.references]
    if expression.is_path:
        # Only looked up: what is not known inside of it stays in its place there.
        return next((found for found in read if isinstance(found, Unknown)), None)
    source = next((found for each in read if (found := first_unknown(each)) is not None), None)
    return source and _bounded(expression.tree, scope, source)


def _at(scope: Scope, path: Path) -> Any:
    """Return what *path* leads to, or what is not known on the way there."""
    at: Any = dict(scope)
    for part in path:
        if isinstance(at, Unknown):
            return Unknown(spelt(path))
        if part is None:
            return first_unknown(at) or at
        at = look_up(at, part)
    return at


def _bounded(node: nodes.Node, scope: Scope, source: Unknown) -> Unknown:
    """Return the value of the expression *node* with what is known of its length, if it is a list."""
    if (path := path_of(node)) is not None:
        found = _at(scope, path)
        return found if isinstance(found, Unknown) else _of_length(found, source)
    if isinstance(node, nodes.Filter) and node.node is not None and node.name in (*_FEWER, *_AS_MANY):
        inner = _bounded(node.node, scope, source)
        return replace(inner, least=0) if node.name in _FEWER else inner
    return Unknown(source.source)


def _of_length(value: Any, source: Unknown) -> Unknown:
    count = len(value) if isinstance(value, list) else None
    return Unknown(source.source, count or 0, count)
