"""
Expressions: Jinja's, parsed once, with everything they read known before anything runs.

What an expression may hold is a closed list: names in scope, fields and items, literals,
operators, filters, tests, `a if b else c`, `range(…)`, and the status functions where they
mean something. Nothing else can be called.
"""

import math
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from jinja2 import Undefined, nodes
from jinja2.exceptions import TemplateError, TemplateSyntaxError
from jinja2.parser import Parser
from jinja2.utils import missing

from orchestrator.definition import elsewhere
from orchestrator.definition.filters import CONCATENATE, FILTERS, TESTS, misuse
from orchestrator.definition.json_values import checked
from orchestrator.definition.lookup import Missing, complaint
from orchestrator.definition.sandbox import SANDBOX, Plainer, compiled
from orchestrator.definition.scopes import EVERY_ROOT, ROOTS, STATUS_FUNCTIONS
from orchestrator.definition.workflow import LookUp, Scope
from orchestrator.errors import InvalidValue
from orchestrator.wording import closest, did_you_mean

LENGTH_MAX = 4096
"""Characters of one expression."""

BRACKETS_MAX = 20
"""Brackets in each other; bounds the recursion of the parser."""

NESTING_MAX = 40
"""Of the parsed tree, a chain of operators included; bounds the recursion of the compilers."""

Path = tuple[str | int | None, ...]
"""From a root to a value, such as ("steps", "model", "output", "items", None); None is a computed index."""


class ExpressionError(ValueError):
    """An expression cannot be read; *offset* is where in its text, in characters."""

    def __init__(self, message: str, *, hint: str | None = None, offset: int = 0) -> None:
        super().__init__(message)
        self.message, self.hint, self.offset = message, hint, offset


@dataclass(frozen=True, slots=True)
class Reference:
    """Something that an expression reads. *guarded*: it may be missing (`default`, `is defined`)."""

    path: Path
    guarded: bool
    offset: int


@dataclass(frozen=True, slots=True)
class Expression:
    """
    One expression, ready to be evaluated any number of times.

    *source* is without `${{ }}`; *is_path* says that it does nothing but look something up;
    *tree* is for those who reason about it.
    """

    source: str
    references: tuple[Reference, ...] = field(compare=False)
    calls: frozenset[str] = field(compare=False)
    is_path: bool = field(compare=False)
    tree: nodes.Expr = field(compare=False, repr=False)
    _run: Callable[[Mapping[str, Any]], Any] = field(compare=False, repr=False)

    @property
    def path(self) -> Path | None:
        """What it looks up, where it does nothing else."""
        return path_of(self.tree)

    @property
    def steps(self) -> frozenset[str]:
        """The ids of the steps that it reads."""
        return frozenset(str(path[1]) for path in self.looks_up if path[0] == "steps")

    @property
    def looks_up(self) -> frozenset[LookUp]:
        """Everything that it looks up."""
        return frozenset(reference.path for reference in self.references)

    def evaluate(self, names: Scope) -> Any:
        """Return the plain JSON value. Errors: InvalidValue, with the expression and what was wrong."""
        try:
            value = self._run(names)
            if isinstance(value, Undefined):
                str(value)  # Raises, and says what is missing.
            # What is only looked up was plain and bounded before.
            return value if self.is_path else checked(value)
        except Missing as absence:
            problem = complaint(absence, self._place_of(absence, names))
        except RecursionError:
            problem = "a value is nested too deeply"
        except (TypeError, ValueError, ArithmeticError, LookupError, TemplateError) as error:
            problem = _in_plain_words(str(error))
        raise InvalidValue(f"${{{{ {self.source} }}}}: {problem}")

    def _place_of(self, absence: Missing, names: Scope) -> str | None:
        """Return how the expression names what the missing thing was looked for in."""
        for reference in self.references:
            at: Any = names
            for end, part in enumerate(reference.path):
                if end and at is absence.holder and part in (absence.key, None):
                    return spelt(reference.path[:end])
                at = _next(at, part)
                if at is missing:
                    break
        return None


_NOT_COMPARABLE = re.compile(r"'([<>]=?)' not supported between instances of '(\w+)' and '(\w+)'")
_KINDS = {"str": "text", "int": "a number", "float": "a number", "NoneType": "null", "dict": "an object"}
_KINDS |= {"list": "a list", "bool": "true or false"}


def _in_plain_words(message: str) -> str:
    found = _NOT_COMPARABLE.search(message)
    if found is None:
        return message
    return (
        f"{found[1]} does not go with {_KINDS.get(found[2], found[2])} and {_KINDS.get(found[3], found[3])}"
    )


def _next(at: Any, part: str | int | None) -> Any:
    try:
        return missing if part is None else at[part]
    except (LookupError, TypeError):
        return missing


def spelt(path: Path) -> str:
    """Return *path* as authors write it: `steps.model.output.items[0]`."""
    parts = [f".{p}" if isinstance(p, str) else f"[{'…' if p is None else p}]" for p in path]
    return "".join(parts).removeprefix(".")


# --- reading ---------------------------------------------------------------------------------


def compile_expression(
    source: str, functions: frozenset[str] = frozenset(), roots: Collection[str] = ROOTS
) -> Expression:
    """
    Return the expression that *source* is.

    Shape:   *functions* are the status functions it may call, *roots* the names it may start from.
    Errors:  ExpressionError.
    """
    text = source.strip()
    lead = len(source) - len(source.lstrip())
    try:
        return _compile(text, functions, roots)
    except ExpressionError as error:
        error.offset += lead
        raise
    except RecursionError:
        raise ExpressionError("the expression is nested too deeply") from None


def _compile(text: str, functions: frozenset[str], roots: Collection[str]) -> Expression:
    _bound(text)
    tree = _parse(text)
    parts = list(_parts(tree, 0))
    called = {id(part.node) for part in parts if isinstance(part, nodes.Call)}
    for node in parts:
        if isinstance(node, nodes.Name) and id(node) not in called:
            _check_no_function(node.name, text)
        _check(node, text, functions, roots)
    references = tuple(_references(tree, text))
    calls = frozenset(
        n.node.name for n in parts if isinstance(n, nodes.Call) and isinstance(n.node, nodes.Name)
    )
    plain = Plainer().visit(tree)
    try:
        run = compiled(plain)
    except (TemplateError, SyntaxError, MemoryError, ValueError) as error:
        raise ExpressionError(f"the expression cannot be compiled: {error}") from error
    return Expression(text, references, calls, path_of(plain) is not None, plain, run)


_QUOTED = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"", re.DOTALL)


def _without_texts(text: str) -> str:
    """Return *text* with what is in quotes blanked out, at the same offsets."""
    return _QUOTED.sub(lambda quoted: " " * len(quoted[0]), text)


def _bound(text: str) -> None:
    if not text:
        raise ExpressionError("the expression is empty")
    if len(text) > LENGTH_MAX:
        raise ExpressionError(f"the expression is longer than {LENGTH_MAX:,} characters")
    depth = 0
    for offset, character in enumerate(_without_texts(text)):
        depth += (character in "([{") - (character in ")]}")
        if depth > BRACKETS_MAX:
            raise ExpressionError(f"brackets are nested more than {BRACKETS_MAX} deep", offset=offset)


def _parse(text: str) -> nodes.Expr:
    parser = None
    try:
        parser = Parser(SANDBOX, text, state="variable")
        tree = parser.parse_expression()
        if not parser.stream.eos:
            raise TemplateSyntaxError(f"unexpected '{parser.stream.current.value}'", 1)
        tree.set_environment(SANDBOX)
        return tree
    except (TemplateSyntaxError, ValueError, SyntaxError, OverflowError) as error:
        message = error.message if isinstance(error, TemplateSyntaxError) else str(error)
        raise _unreadable(text, message or "it ends too early") from None


def _unreadable(text: str, message: str) -> ExpressionError:
    where = re.search(r" at (\d+)$", message)
    offset = min(int(where[1]), len(text)) if where else 0
    if message.startswith("unexpected char") and text[offset : offset + 1] in ("'", '"'):
        return ExpressionError("a text in quotes is not closed", offset=offset)
    bare = _without_texts(text)
    for pattern, hint in elsewhere.OPERATORS:
        if found := pattern.search(bare):
            return ExpressionError(f"'{found[0]}' is no operator", hint=hint, offset=found.start())
    if "end of template" in message or "end of print statement" in message:
        if (opened := _open_bracket(bare)) is not None:
            return ExpressionError(f"this {bare[opened]} is not closed", offset=opened)
        return ExpressionError("the expression ends too early", offset=len(text))
    return ExpressionError(f"the expression cannot be read: {message}", offset=offset)


def _open_bracket(text: str) -> int | None:
    """Return where the innermost bracket stands that nothing closes."""
    opened: list[int] = []
    for offset, character in enumerate(text):
        if character in "([{":
            opened.append(offset)
        elif character in ")]}" and opened:
            opened.pop()
    return opened[-1] if opened else None


def _parts(node: nodes.Node, depth: int) -> Iterator[nodes.Node]:
    if depth > NESTING_MAX:
        raise ExpressionError(f"the expression is nested or chained more than {NESTING_MAX} deep")
    yield node
    for child in node.iter_child_nodes():
        yield from _parts(child, depth + 1)


# --- what it may hold ------------------------------------------------------------------------

_ALLOWED = (
    nodes.Const, nodes.Name, nodes.Getattr, nodes.Getitem, nodes.Slice, nodes.List, nodes.Tuple,
    nodes.Dict, nodes.Pair, nodes.Keyword, nodes.Filter, nodes.Test, nodes.Call, nodes.CondExpr,
    nodes.BinExpr, nodes.UnaryExpr, nodes.Compare, nodes.Operand, nodes.Concat,
)  # fmt: skip


def _check(node: nodes.Node, text: str, functions: frozenset[str], roots: Collection[str]) -> None:
    match node:
        case nodes.Name(name=name) if name not in (*roots, "null", "range", *STATUS_FUNCTIONS):
            raise _unknown_name(name, text, roots)
        case nodes.Call():
            _check_call(node, text, functions)
        case nodes.Filter(name=name) if name != CONCATENATE:
            _check_known("filter", FILTERS, node, text)
        case nodes.Test(name=name):
            _check_known("test", TESTS, node, text)
        case nodes.CondExpr(expr2=None):
            raise ExpressionError("`a if b` needs an else", hint="write `a if b else null`")
        case nodes.Const(value=value) if not _is_json(value):
            raise ExpressionError(f"{value!r} is no value that a workflow can hold")
        case _ if not isinstance(node, _ALLOWED):
            raise ExpressionError(f"expressions know no {type(node).__name__}")


def _check_no_function(name: str, text: str) -> None:
    if name in ("range", *STATUS_FUNCTIONS):
        offset = _offset_of((name,), text)
        raise ExpressionError(f"'{name}' is a function", hint=f"write {name}()", offset=offset)


def _unknown_name(name: str, text: str, roots: Collection[str]) -> ExpressionError:
    offset = _offset_of((name,), text)
    if name in EVERY_ROOT:
        hint = f"there are: {', '.join(roots)}"
        return ExpressionError(f"'{name}' is not defined here", hint=hint, offset=offset)
    if hyphened := re.search(rf"([A-Za-z_][\w.]*)\.(\w+(?:-\w+)*-{re.escape(name)}\b(?:-\w+)*)", text):
        hint = f"a name with - in it is written in brackets: {hyphened[1]}['{hyphened[2]}']"
        return ExpressionError(f"unknown name '{name}'", hint=hint, offset=offset)
    hint = elsewhere.NAMES.get(name) or did_you_mean(name, roots) or ""
    if set(roots) == set(ROOTS) and closest(name, roots) is None and name not in elsewhere.NAMES:
        hint += f"; write '{name}' in quotes if it is a text"
    return ExpressionError(f"unknown name '{name}'", hint=hint, offset=offset)


def _is_json(constant: Any) -> bool:
    if isinstance(constant, float):
        return math.isfinite(constant)
    return constant is None or isinstance(constant, str | int | bool)


def _check_call(call: nodes.Call, text: str, functions: frozenset[str]) -> None:
    if not isinstance(call.node, nodes.Name):
        raise _no_method(call, text)
    name, offset = call.node.name, _offset_of((call.node.name,), text)
    if name in STATUS_FUNCTIONS and name not in functions:
        raise ExpressionError(f"{name}() has a meaning only in the `if` of a step", offset=offset)
    if name not in ("range", *STATUS_FUNCTIONS):
        raise ExpressionError(f"'{name}' is no function", hint=_function(name, functions), offset=offset)
    if call.dyn_args or call.dyn_kwargs or call.kwargs or (name != "range" and call.args):
        raise ExpressionError(f"{name}() takes no such arguments", offset=offset)


def _function(name: str, functions: frozenset[str]) -> str:
    """Return what to write instead of a function that is not there."""
    if (meant := elsewhere.FILTERS.get(name, name)) in FILTERS:
        return f"write `value | {meant}`"
    if (meant := closest(name, functions) or "") in functions:
        return f"did you mean '{meant}'?"
    return f"there are: {', '.join(['range', *sorted(functions)])}; and the filters"


def _no_method(call: nodes.Call, text: str) -> ExpressionError:
    name = call.node.attr if isinstance(call.node, nodes.Getattr) else ""
    filters = sorted(set(FILTERS) - {CONCATENATE})
    hint = f"write `value | {name}`" if name in FILTERS else f"there are the filters {', '.join(filters)}"
    return ExpressionError("values have no methods", hint=hint, offset=max(text.find(name), 0))


def _check_known(
    noun: str, table: Mapping[str, Callable[..., Any]], node: nodes.Filter | nodes.Test, text: str
) -> None:
    function = table.get(node.name)
    offset = max(text.find(node.name), 0)
    if function is None:
        meant = elsewhere.FILTERS.get(node.name)
        hint = f"did you mean '{meant}'?" if meant in table else did_you_mean(node.name, table)
        raise ExpressionError(f"unknown {noun} '{node.name}'", hint=hint, offset=offset)
    if node.dyn_args or node.dyn_kwargs:
        raise ExpressionError("arguments cannot be unpacked with *", offset=offset)
    wrong = misuse(
        function,
        len(node.args),
        [str(keyword.key) for keyword in node.kwargs if isinstance(keyword, nodes.Keyword)],
    )
    if wrong:
        raise ExpressionError(
            f"the {noun} '{node.name}' does not go with these arguments: {wrong}", offset=offset
        )
    if isinstance(node, nodes.Filter):
        _check_named(node, offset)


def _check_named(node: nodes.Filter, offset: int) -> None:
    """Look at the filter or test that map, select and their like are given by name."""
    at = {"map": 0, "select": 0, "reject": 0, "selectattr": 1, "rejectattr": 1}.get(node.name, -1)
    if not 0 <= at < len(node.args) or not isinstance(given := node.args[at], nodes.Const):
        return
    table, noun = (FILTERS, "filter") if node.name == "map" else (TESTS, "test")
    if given.value not in table:
        hint = did_you_mean(str(given.value), table)
        raise ExpressionError(f"unknown {noun} '{given.value}' in {node.name}", hint=hint, offset=offset)


# --- what it reads ---------------------------------------------------------------------------


def path_of(node: nodes.Node) -> Path | None:
    """Return the path that *node* is, or None when it is something else."""
    if isinstance(node, nodes.Name):
        return (node.name,) if node.name in EVERY_ROOT else None
    if isinstance(node, nodes.Getattr):
        inner = path_of(node.node)
        return inner and (*inner, node.attr)
    if isinstance(node, nodes.Getitem) and not isinstance(node.arg, nodes.Slice):
        inner = path_of(node.node)
        return inner and (*inner, _constant(node.arg))
    return None


def _constant(node: nodes.Node) -> str | int | None:
    if isinstance(node, nodes.Const) and isinstance(node.value, str | int):
        return node.value
    if (
        isinstance(node, nodes.Neg)
        and isinstance(node.node, nodes.Const)
        and isinstance(node.node.value, int)
    ):
        return -node.node.value
    return None


def _references(node: nodes.Node, text: str, guarded: bool = False) -> Iterator[Reference]:
    path = path_of(node)
    if path is not None:
        yield _reference(path, text, guarded)
        yield from _computed_indices(node, text)
        return
    if isinstance(node, nodes.Filter | nodes.Test) and node.node is not None:
        forgives = node.name in ("default", "defined", "undefined")
        yield from _references(node.node, text, forgives)
        for argument in [*node.args, *node.kwargs]:
            yield from _references(argument, text)
        return
    for child in node.iter_child_nodes():
        yield from _references(child, text, guarded)


def _computed_indices(node: nodes.Node, text: str) -> Iterator[Reference]:
    while isinstance(node, nodes.Getattr | nodes.Getitem):
        if isinstance(node, nodes.Getitem):
            yield from _references(node.arg, text)
        node = node.node


def _reference(path: Path, text: str, guarded: bool) -> Reference:
    offset = _offset_of(path, text)
    if path[0] == "steps" and (len(path) == 1 or not isinstance(path[1], str)):
        raise ExpressionError("a step has to be named", hint="write steps.<id>.output", offset=offset)
    return Reference(path, guarded, offset)


def quoted_at(node: nodes.Node, text: str) -> int:
    """Return where the literal *node* stands in *text*, or 0; the parser keeps no columns."""
    if isinstance(node, nodes.Const) and isinstance(node.value, str):
        found = next((q.start() for q in _QUOTED.finditer(text) if q[0][1:-1] == node.value), -1)
        return max(found, 0)
    return 0


def _offset_of(path: Path, text: str) -> int:
    """Return where *path* stands in *text*, or 0; the parser keeps no columns."""
    parts = [rf"\b{re.escape(str(path[0]))}"]
    for part in path[1:]:
        key = re.escape(str(part))
        parts.append(
            rf"\s*(?:\.\s*{key}\b|\[\s*['\"]{key}['\"]\s*\]|\[\s*{key}\s*\])"
            if part is not None
            else r"\s*\[[^]]*\]"
        )
    found = re.search("".join(parts), text)
    return found.start() if found else 0
