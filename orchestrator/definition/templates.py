"""Values of a definition with `${{ … }}` in them, and the conditions of steps."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from orchestrator.definition.expressions import (
    LENGTH_MAX,
    STATUS_FUNCTIONS,
    Expression,
    ExpressionError,
    compile_expression,
)
from orchestrator.definition.json_values import as_text, bound_length, kind
from orchestrator.definition.workflow import Scope
from orchestrator.errors import InvalidValue

OPEN, CLOSE = "${{", "}}"

Place = tuple[str | int, ...]
"""Where inside a value: keys and indices."""


@dataclass(frozen=True, slots=True)
class Use:
    """An expression and where it stands: at *offset* of the text at *place*; *whole*: it is all of it."""

    expression: Expression
    place: Place
    offset: int
    whole: bool


OnError = Callable[[Place, ExpressionError], None]
"""Is told of an expression that cannot be read; its offset counts from the start of the whole text."""

_Evaluate = Callable[[Scope], Any]


@dataclass(frozen=True, slots=True)
class TemplateValue:
    """
    A value that may hold `${{ … }}` anywhere inside it; see `workflow.Value`.

    A text that is exactly one expression becomes its value, of whatever type. In a longer
    text the value is inserted: true, 1.5, lists and objects as JSON; null is an error.
    *template* is what the author wrote; two values that were written alike are equal.
    """

    template: Any
    steps: frozenset[str] = field(compare=False)
    uses: tuple[Use, ...] = field(compare=False, repr=False)
    _evaluate: _Evaluate | None = field(compare=False, repr=False)

    def evaluate(self, scope: Scope) -> Any:
        """Return the plain JSON value. Errors: InvalidValue, with the expression and what was wrong."""
        if self._evaluate is None:
            return self.template
        return self._evaluate(scope)


def template_value(template: Any, on_error: OnError) -> TemplateValue:
    """Compile everything in *template*; an expression that cannot be read is told and stands for null."""
    uses: list[Use] = []
    evaluate = _node(template, (), uses, on_error)
    steps = frozenset[str]().union(*(use.expression.steps for use in uses))
    return TemplateValue(template, steps, tuple(uses), evaluate)


def _node(template: Any, place: Place, uses: list[Use], on_error: OnError) -> _Evaluate | None:
    """Return how *template* is evaluated, or None when there is nothing to evaluate."""
    if isinstance(template, str):
        return _text(template, place, uses, on_error)
    if isinstance(template, dict):
        fields = {k: _node(v, (*place, k), uses, on_error) for k, v in template.items()}
        return _object(template, fields) if any(fields.values()) else None
    if isinstance(template, list):
        items = [_node(v, (*place, i), uses, on_error) for i, v in enumerate(template)]
        return _array(template, items) if any(items) else None
    return None


def _object(template: dict[str, Any], fields: Mapping[str, _Evaluate | None]) -> _Evaluate:
    moving = [(key, evaluate) for key, evaluate in fields.items() if evaluate is not None]
    return lambda scope: {**template, **{key: evaluate(scope) for key, evaluate in moving}}


def _array(template: list[Any], items: list[_Evaluate | None]) -> _Evaluate:
    pairs = list(zip(template, items, strict=True))
    return lambda scope: [known if evaluate is None else evaluate(scope) for known, evaluate in pairs]


def _text(template: str, place: Place, uses: list[Use], on_error: OnError) -> _Evaluate | None:
    try:
        pieces = split(template)
    except ExpressionError as error:
        on_error(place, error)
        return None
    parts: list[str | Expression] = []
    whole = len(pieces) == 1
    for piece in pieces:
        if isinstance(piece, str):
            parts.append(piece)
        elif expression := _compiled(piece, place, on_error):
            parts.append(expression)
            uses.append(Use(expression, place, piece.start, whole))
    if whole and parts and isinstance(parts[0], Expression):
        return parts[0].evaluate
    if not any(isinstance(part, Expression) for part in parts):
        return None
    return lambda scope: _inserted(parts, scope)


def _compiled(span: "Span", place: Place, on_error: OnError) -> Expression | None:
    try:
        return compile_expression(span.source)
    except ExpressionError as error:
        error.offset += span.offset
        on_error(place, error)
        return None


def _inserted(parts: list[str | Expression], scope: Scope) -> str:
    texts: list[str] = []
    length = 0
    for part in parts:
        try:
            texts.append(part if isinstance(part, str) else as_text(part.evaluate(scope)))
            length += len(texts[-1])
            bound_length(length)
        except ValueError as error:
            source = part if isinstance(part, str) else part.source
            raise InvalidValue(f"${{{{ {source} }}}} inside a text: {error}") from None
    return "".join(texts)


# --- finding expressions in a text -----------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Span:
    """What stands between `${{` and `}}`, at *offset* of the text."""

    source: str
    offset: int

    @property
    def start(self) -> int:
        """Where the expression itself begins, behind white space."""
        return self.offset + len(self.source) - len(self.source.lstrip())


_TOKEN = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|[{}]", re.DOTALL)


def split(text: str) -> list[str | Span]:
    """
    Return the plain pieces and the expressions of *text*, in order.

    Shape:   the brackets of a text that is all one expression may have white space around them.
    Errors:  ExpressionError for a `${{` that is not closed.
    """
    if OPEN not in text:
        return [text]
    pieces: list[str | Span] = []
    at = 0
    while (start := text.find(OPEN, at)) >= 0:
        end = _end(text, start + len(OPEN))
        pieces += [text[at:start], Span(text[start + len(OPEN) : end], start + len(OPEN))]
        at = end + len(CLOSE)
    pieces = [piece for piece in [*pieces, text[at:]] if piece != ""]
    spans = [piece for piece in pieces if isinstance(piece, Span)]
    rest = "".join(piece for piece in pieces if isinstance(piece, str))
    return [*spans] if len(spans) == 1 and not rest.strip() else pieces


def _end(text: str, start: int) -> int:
    """Return where the `}}` stands that closes what begins at *start*, past texts and objects in it."""
    depth, at = 0, start
    limit = start + LENGTH_MAX + len(CLOSE)
    while token := _TOKEN.search(text, at, limit):
        at = token.end()
        if token[0] == "{":
            depth += 1
        elif token[0] == "}" and depth:
            depth -= 1
        elif token[0] == "}" and text.startswith(CLOSE, token.start()):
            return token.start()
    rest = f" within {LENGTH_MAX:,} characters" if len(text) > limit else ""
    raise ExpressionError(f"this ${{{{ is not closed with }}}}{rest}", offset=start - len(OPEN))


# --- conditions ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ExpressionCondition:
    """
    The `if` of a step; see `workflow.Condition`.

    An empty list, an empty object, 0 and null are false, as in Jinja. A text is refused,
    because 'false' and 'no' would be true.
    """

    expression: Expression
    offset: int = field(compare=False)

    @property
    def steps(self) -> frozenset[str]:
        """The ids of the steps that it reads."""
        return self.expression.steps

    @property
    def uses(self) -> tuple[Use, ...]:
        """The one expression that it is."""
        return (Use(self.expression, (), self.offset, True),)

    @property
    def asks_status(self) -> bool:
        """Whether it calls a status function."""
        return bool(self.expression.calls & set(STATUS_FUNCTIONS))

    def holds(self, scope: Scope, status: Mapping[str, Callable[[], bool]]) -> bool:
        """Return whether the step runs. Errors: InvalidValue."""
        value = self.expression.evaluate({**scope, **status})
        if isinstance(value, str):
            raise InvalidValue(
                f"${{{{ {self.expression.source} }}}}: a condition gives true or false, not {kind(value)}: "
                "compare it, for instance with == 'yes'"
            )
        return bool(value)


def condition(source: str | bool) -> ExpressionCondition:
    """Return the condition that *source* is, with or without `${{ }}`. Errors: ExpressionError."""
    text = str(source).lower() if isinstance(source, bool) else source
    pieces = split(text)
    if len(pieces) == 1 and isinstance(pieces[0], str):
        span = Span(pieces[0], 0)
    elif len(pieces) == 1 and isinstance(pieces[0], Span):
        span = pieces[0]
    else:
        raise ExpressionError(
            "the condition is a text with an expression in it, which would always be true",
            hint="put the whole condition into one ${{ … }}, or leave ${{ }} out",
        )
    try:
        return ExpressionCondition(compile_expression(span.source, frozenset(STATUS_FUNCTIONS)), span.start)
    except ExpressionError as error:
        error.offset += span.offset
        raise
