"""What is certain of an expression before it is evaluated: that it will fail, or always say the same."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from jinja2 import nodes

from orchestrator.definition.expressions import Expression, path_of, quoted_at, spelt
from orchestrator.definition.filters import FILTERS
from orchestrator.definition.inference import attribute_of, field_path, keywords
from orchestrator.definition.schemas import (
    ANYTHING,
    UNKNOWN,
    Astray,
    Branch,
    Type,
    constants,
    items_of,
    kinds,
    named,
    step_into,
)
from orchestrator.wording import did_you_mean, either, shown

TypeOf = Callable[[nodes.Node], Type]
"""The type that a part of an expression will have."""


@dataclass(frozen=True, slots=True)
class Flaw:
    """Something that cannot be meant, at *offset* of the expression."""

    message: str
    hint: str | None
    offset: int


def flaws(expression: Expression, type_of: TypeOf) -> Iterator[Flaw]:
    """Yield everything in *expression* that fails for every value there can be, or compares in vain."""
    offsets = {reference.path: reference.offset for reference in expression.references}
    for node in _every(expression.tree):
        for message, hint, at in _flaws_of(node, type_of):
            path = path_of(at)
            known = offsets.get(path) if path is not None else None
            yield Flaw(message, hint, known if known is not None else quoted_at(at, expression.source))


_Found = tuple[str, str | None, nodes.Node]


def _every(node: nodes.Node) -> Iterator[nodes.Node]:
    yield node
    for child in node.iter_child_nodes():
        yield from _every(child)


def _flaws_of(node: nodes.Node, type_of: TypeOf) -> Iterator[_Found]:
    match node:
        case nodes.Compare():
            yield from _of_comparison(node, type_of)
        case nodes.Filter(node=nodes.Expr()):
            yield from _of_filter(node, type_of)
        case nodes.And() | nodes.Or() | nodes.Concat() | nodes.Not():
            return
        case nodes.UnaryExpr(node=inner, operator=sign):
            if not kinds(type_of(inner)) & {"integer", "number"}:
                yield f"{sign} needs a number, and {_spelt(inner)} is {named(type_of(inner))}", None, inner
        case nodes.BinExpr(left=left, right=right, operator=sign):
            yield from _of_arithmetic(sign, left, right, type_of)
        case nodes.Getattr(node=inner, attr=name) if path_of(node) is None and path_of(inner) is None:
            try:
                step_into(type_of(inner), name, ("this",))
            except Astray as astray:
                yield astray.message, astray.hint, node


# --- comparisons -----------------------------------------------------------------------------

_NUMBERS = frozenset({"integer", "number", "boolean"})
_SIGNS = {
    "eq": "==", "ne": "!=", "lt": "<", "lteq": "<=", "gt": ">", "gteq": ">=", "in": "in", "notin": "not in",
}  # fmt: skip


def _of_comparison(node: nodes.Compare, type_of: TypeOf) -> Iterator[_Found]:
    left: nodes.Node = node.expr
    for operand in node.ops:
        right = operand.expr
        one, other = type_of(left), type_of(right)
        if operand.op in ("eq", "ne"):
            if never_equal(one, other) and not _are_written(left, right):
                yield _in_vain(left, one, right, other)
        elif operand.op in ("in", "notin"):
            yield from _of_membership(left, one, right, other)
        elif not _orderable(one, other):
            message = f"{_SIGNS[operand.op]} does not go with {named(one)} and {named(other)}"
            yield message, None, left
        left = right


def _are_written(left: nodes.Node, right: nodes.Node) -> bool:
    """Whether both are plain values, as in `1 == 2`: whoever compares these means what comes of it."""
    return isinstance(left, nodes.Const) and isinstance(right, nodes.Const)


def never_equal(one: Type, other: Type) -> bool:
    """Whether no value of the one type equals one of the other."""
    known, others = constants(one), constants(other)
    if known is not None and others is not None:
        return not any(value == another for value in known for another in others)
    return not _alike(kinds(one)) & _alike(kinds(other))


def _alike(found: frozenset[str]) -> frozenset[str]:
    """Return *found* with one name for all that Python compares as numbers."""
    return frozenset("number" if kind in _NUMBERS else kind for kind in found)


def _in_vain(left: nodes.Node, one: Type, right: nodes.Node, other: Type) -> _Found:
    """Say that two values never equal each other."""
    if isinstance(left, nodes.Const) and not isinstance(right, nodes.Const):
        left, one, right, other = right, other, left, one
    known = constants(one)
    if isinstance(right, nodes.Const):
        value = right.value
        texts = [text for text in known or [] if isinstance(text, str)]
        if known is None:
            return (
                f"{_spelt(left)} is {named(one)} and never equals {shown(value)}",
                _plain(value, one),
                right,
            )
        hint = did_you_mean(value, texts) if isinstance(value, str) else None
        return f"{_spelt(left)} is never {shown(value)}", hint or f"it is {_choice(known)}", right
    return f"{_spelt(left)} is {named(one)}, which {named(other)} never equals", None, left


def _choice(known: list[Any]) -> str:
    return either([shown(value) for value in known])


def _plain(value: Any, wanted: Type) -> str | None:
    if isinstance(value, str) and kinds(wanted) <= _NUMBERS and value.strip().lstrip("-").isdecimal():
        return f"write {value.strip()} without quotes"
    return None


def _of_membership(left: nodes.Node, one: Type, right: nodes.Node, other: Type) -> Iterator[_Found]:
    if not kinds(other) & {"array", "string", "object"}:
        yield f"'in' looks into a list, a text or an object, and this is {named(other)}", None, right
    elif kinds(other) == {"array"} and constants(one) is not None:
        for item in right.items if isinstance(right, nodes.List) else ():
            known = (Branch({"const": item.value}, {}),) if isinstance(item, nodes.Const) else UNKNOWN
            if never_equal(one, known) and not _are_written(left, item):
                yield _in_vain(left, one, item, known)


def _orderable(one: Type, other: Type) -> bool:
    shared = _alike(kinds(one)) & _alike(kinds(other))
    return bool(shared & {"number", "string", "array"})


def _spelt(node: nodes.Node) -> str:
    path = path_of(node)
    return spelt(path) if path is not None else "this"


# --- filters and arithmetic ------------------------------------------------------------------

_LISTS, _TEXTS = frozenset({"array"}), frozenset({"string"})
_TAKES: Mapping[str, frozenset[str]] = {
    **dict.fromkeys(
        ("join", "map", "select", "reject", "selectattr", "rejectattr", "unique", "sort", "sum", "batch",
         "flatten", "reverse", "min", "max"),
        _LISTS,
    ),
    **dict.fromkeys(("lower", "upper", "trim", "replace", "split", "fromjson"), _TEXTS),
    **dict.fromkeys(("first", "last"), _LISTS | _TEXTS),
    **dict.fromkeys(("length", "list"), _LISTS | _TEXTS | {"object"}),
    **dict.fromkeys(("keys", "values"), frozenset({"object"})),
    **dict.fromkeys(("abs", "round"), frozenset({"integer", "number"})),
}  # fmt: skip
"""The kinds of value that filters can be applied to; those that are not here take any."""

_NOUNS = {"array": "a list", "string": "text", "object": "an object", "integer": "a number"}


def _of_filter(node: nodes.Filter, type_of: TypeOf) -> Iterator[_Found]:
    assert node.node is not None
    given, takes = type_of(node.node), _TAKES.get(node.name, ANYTHING)
    if node.name in FILTERS and not kinds(given) & takes:
        wanted = either([noun for kind, noun in _NOUNS.items() if kind in takes])
        yield f"'{node.name}' needs {wanted}, and {_spelt(node.node)} is {named(given)}", None, node.node
        return
    attribute = attribute_of(node)
    if attribute is None or any(word.key == "default" for word in keywords(node)):
        return
    type = items_of(given)
    walked: tuple[str | int, ...] = ("each item",)
    for part in field_path(attribute):
        try:
            type = step_into(type, part, walked)
        except Astray as astray:
            if astray.severity == "error":
                yield astray.message, astray.hint, node.node
            return
        walked = (*walked, part)


def _of_arithmetic(sign: str, left: nodes.Node, right: nodes.Node, type_of: TypeOf) -> Iterator[_Found]:
    one, other = type_of(left), type_of(right)
    both = ({"integer", "number"},) if sign != "+" else ({"integer", "number"}, {"string"}, {"array"})
    if any(kinds(one) & group and kinds(other) & group for group in both):
        return
    hint = "join them with ~" if sign == "+" and "string" in kinds(one) | kinds(other) else None
    yield f"{sign} does not go with {named(one)} and {named(other)}", hint, left


# --- conditions ------------------------------------------------------------------------------


def truth(node: nodes.Node, type_of: TypeOf, status: Mapping[str, bool]) -> bool | None:
    """
    Return what the condition *node* always is, or None when it depends.

    *status*: the status functions whose answer is known.
    """
    match node:
        case nodes.Not(node=inner):
            found = truth(inner, type_of, status)
            return None if found is None else not found
        case nodes.And(left=left, right=right) | nodes.Or(left=left, right=right):
            both = {truth(left, type_of, status), truth(right, type_of, status)}
            decides = isinstance(node, nodes.Or)
            return decides if decides in both else (not decides if both == {not decides} else None)
        case nodes.Call(node=nodes.Name(name=name)) if name != "range":
            return status.get(name)
        case nodes.Compare(ops=[nodes.Operand(op="eq" | "ne" as sign, expr=right)]):
            return _equality(type_of(node.expr), type_of(right), sign == "eq")
    known = constants(type_of(node))
    outcomes = {bool(value) for value in known or []}
    return outcomes.pop() if len(outcomes) == 1 else None


def _equality(one: Type, other: Type, wanted: bool) -> bool | None:
    if never_equal(one, other):
        return not wanted
    known, others = constants(one) or [], constants(other) or []
    return wanted if len(known) == len(others) == 1 else None
