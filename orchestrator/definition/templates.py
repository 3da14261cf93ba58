"""Values of a definition with `${{ … }}` in them, and the conditions of steps."""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from orchestrator.definition.expressions import (
    LENGTH_MAX,
    Expression,
    ExpressionError,
    compile_expression,
)
from orchestrator.definition.json_values import as_text, bound_length, kind
from orchestrator.definition.scopes import ROOTS, STATUS_FUNCTIONS
from orchestrator.definition.workflow import LookUp, Scope
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
    looks_up: frozenset[LookUp] = field(compare=False)
    uses: tuple[Use, ...] = field(compare=False, repr=False)
    _evaluate: _Evaluate | None = field(compare=False, repr=False)

    @property
    def is_expression(self) -> bool:
        """Whether it is one expression and nothing else."""
        return len(self.uses) == 1 and self.uses[0].whole and not self.uses[0].place

    def evaluate(self, scope: Scope) -> Any:
        """Return the plain JSON value. Errors: InvalidValue, with the expression and what was wrong."""
        if self._evaluate is None:
            return self.template
        return self._evaluate(scope)

    def given(self, names: Mapping[str, Any]) -> "TemplateValue":
        """Return the value that sees *names* besides those in scope."""
        evaluate = self._evaluate
        if evaluate is None:
            return self
        return replace(self, _evaluate=lambda scope: evaluate({**scope, **names}))


def has_expression(template: Any) -> bool:
    """Return whether there is an expression anywhere in *template*, also one that cannot be read."""
    if isinstance(template, dict):
        return any(map(has_expression, template.values()))
    if isinstance(template, list):
        return any(map(has_expression, template))
    return isinstance(template, str) and OPEN in template


def template_value(template: Any, on_error: OnError, roots: Collection[str] = ROOTS) -> TemplateValue:
    """
    Compile everything in *template*; *roots* are the names that its expressions may start from.

    An expression that cannot be read is told and stands for null.
    """
    compiler = _Compiler(on_error, roots)
    evaluate = compiler.node(template, ())
    steps = frozenset[str]().union(*(use.expression.steps for use in compiler.uses))
    looks_up = frozenset[LookUp]().union(*(use.expression.looks_up for use in compiler.uses))
    return TemplateValue(template, steps, looks_up, tuple(compiler.uses), evaluate)


class _Compiler:
    """Goes through a template once, and gathers the expressions in it."""

    def __init__(self, on_error: OnError, roots: Collection[str]) -> None:
        self._on_error, self._roots = on_error, roots
        self.uses: list[Use] = []

    def node(self, template: Any, place: Place) -> _Evaluate | None:
        """Return how *template* is evaluated, or None when there is nothing to evaluate."""
        if isinstance(template, str):
            return self._text(template, place)
        if isinstance(template, dict):
            fields = {key: self.node(value, (*place, key)) for key, value in template.items()}
            return _object(template, fields) if any(fields.values()) else None
        if isinstance(template, list):
            items = [self.node(value, (*place, index)) for index, value in enumerate(template)]
            return _array(template, items) if any(items) else None
        return None

    def _text(self, template: str, place: Place) -> _Evaluate | None:
        try:
            pieces = split(template)
        except ExpressionError as error:
            self._on_error(place, error)
            return None
        parts: list[str | Expression] = []
        whole = len(pieces) == 1
        for piece in pieces:
            if isinstance(piece, str):
                parts.append(piece)
            elif expression := self._compiled(piece, place):
                parts.append(expression)
                self.uses.append(Use(expression, place, piece.start, whole))
        if whole and parts and isinstance(parts[0], Expression):
            return parts[0].evaluate
        if not any(isinstance(part, Expression) for part in parts):
            return None
        return lambda scope: _inserted(parts, scope)

    def _compiled(self, span: "Span", place: Place) -> Expression | None:
        try:
            return compile_expression(span.source, roots=self._roots)
        except ExpressionError as error:
            error.offset += span.offset
            self._on_error(place, error)
            return None


def _object(template: dict[str, Any], fields: Mapping[str, _Evaluate | None]) -> _Evaluate:
    moving = [(key, evaluate) for key, evaluate in fields.items() if evaluate is not None]
    return lambda scope: {**template, **{key: evaluate(scope) for key, evaluate in moving}}


def _array(template: list[Any], items: list[_Evaluate | None]) -> _Evaluate:
    pairs = list(zip(template, items, strict=True))
    return lambda scope: [known if evaluate is None else evaluate(scope) for known, evaluate in pairs]


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
    def looks_up(self) -> frozenset[LookUp]:
        """Everything that it looks up."""
        return self.expression.looks_up

    @property
    def source(self) -> str:
        """What its author wrote, without `${{ }}`."""
        return self.expression.source

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


def condition(
    source: str | bool, functions: Collection[str] = STATUS_FUNCTIONS, roots: Collection[str] = ROOTS
) -> ExpressionCondition:
    """
    Return the condition that *source* is, with or without `${{ }}`.

    Shape:   *functions* are the status functions that it may call, *roots* the names it may start from.
    Errors:  ExpressionError.
    """
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
        compiled = compile_expression(span.source, frozenset(functions), roots)
        return ExpressionCondition(compiled, span.start)
    except ExpressionError as error:
        error.offset += span.offset
        raise
