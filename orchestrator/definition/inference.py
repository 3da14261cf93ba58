"""The type that an expression will have, as far as it can be known from what it is made of."""

from collections.abc import Callable, Sequence

from jinja2 import nodes

from orchestrator.definition.expressions import Path, path_of
from orchestrator.definition.filters import CONCATENATE
from orchestrator.definition.schemas import (
    UNKNOWN,
    Astray,
    Branch,
    Type,
    items_of,
    kinds,
    list_of,
    step_into,
    typed,
)

_TEXT = typed({"type": "string"})
_WHOLE = typed({"type": "integer"})
_NUMBER = typed({"type": "number"})
_FLAG = typed({"type": "boolean"})
_LIST = typed({"type": "array"})

_OF_FILTERS = {
    CONCATENATE: _TEXT, "string": _TEXT, "lower": _TEXT, "upper": _TEXT, "trim": _TEXT, "replace": _TEXT,
    "tojson": _TEXT, "join": _TEXT, "length": _WHOLE, "float": _NUMBER, "sum": _NUMBER, "abs": _NUMBER,
    "round": _NUMBER, "map": _LIST, "flatten": _LIST, "batch": _LIST, "keys": list_of(_TEXT),
    "values": _LIST, "split": list_of(_TEXT),
}  # fmt: skip
"""What filters give, whatever they are given."""

_SAME = ("select", "reject", "selectattr", "rejectattr", "unique", "sort", "reverse")
_ONE_OF = ("first", "last", "min", "max")

ATTRIBUTE_AT = {
    "selectattr": 0, "rejectattr": 0, "sum": 0, "unique": 0, "min": 0, "max": 0, "sort": 1, "join": 1,
    "map": None,
}  # fmt: skip
"""The filters that look at a field of each item, and where among their arguments it may stand unnamed."""

TypeOfPath = Callable[[Path], Type]


def infer(node: nodes.Node | None, of_path: TypeOfPath) -> Type:
    """Return the type of the expression *node*; *of_path* knows those of the paths in it."""
    if node is None:
        return UNKNOWN
    path = path_of(node)
    if path is not None:
        return of_path(path)
    match node:
        case nodes.Const(value=value):
            return (Branch({"const": value}, {}),)
        case nodes.Compare() | nodes.Not() | nodes.Test():
            return _FLAG
        case nodes.CondExpr(expr1=one, expr2=other):
            return (*infer(one, of_path), *infer(other, of_path))
        case nodes.And(left=one, right=other) | nodes.Or(left=one, right=other):
            return (*infer(one, of_path), *infer(other, of_path))
        case nodes.List(items=items):
            return list_of(tuple(b for item in items for b in infer(item, of_path)) or UNKNOWN)
        case nodes.Dict():
            return typed({"type": "object"})
        case nodes.Filter():
            return _filtered(node, of_path)
        case nodes.Add(left=left, right=right):
            return _sum(infer(left, of_path), infer(right, of_path))
        case nodes.BinExpr() | nodes.UnaryExpr():
            return _NUMBER
        case nodes.Getattr(node=inner, attr=name):
            return _into(infer(inner, of_path), name)
        case nodes.Getitem(node=inner, arg=nodes.Slice()):
            return infer(inner, of_path)
        case nodes.Getitem(node=inner, arg=nodes.Const(value=str() | int() as key)):
            return _into(infer(inner, of_path), key)
        case nodes.Call(node=nodes.Name(name="range")):
            return list_of(_WHOLE)
    return UNKNOWN


def _into(type: Type, key: str | int) -> Type:
    try:
        return step_into(type, key, ("",))
    except Astray:
        return UNKNOWN


def _sum(left: Type, right: Type) -> Type:
    found = kinds(left) | kinds(right)
    if found == {"string"}:
        return _TEXT
    if found == {"array"}:
        return list_of((*items_of(left), *items_of(right)))
    return _NUMBER if found <= {"integer", "number"} else UNKNOWN


def _filtered(node: nodes.Filter, of_path: TypeOfPath) -> Type:
    given = infer(node.node, of_path)
    if node.name in _SAME:
        # Without a test, null and whatever else is empty is left out.
        return _without_null(given) if node.name == "select" and not node.args else given
    if node.name in _ONE_OF:
        return items_of(given) if any("array" in branch.kinds for branch in given) else UNKNOWN
    if node.name == "default":
        # Null is what it replaces.
        rest = tuple(b for b in given if b.kinds != {"null"})
        return (*rest, *(infer(node.args[0], of_path) if node.args else _TEXT))
    if node.name == "list":
        return given if kinds(given) == {"array"} else list_of(UNKNOWN)
    if node.name == "map" and (attribute := attribute_of(node)) is not None:
        return list_of(_followed(items_of(given), attribute))
    return _OF_FILTERS.get(node.name, UNKNOWN)


def _without_null(given: Type) -> Type:
    if kinds(given) != {"array"}:
        return given
    return list_of(tuple(b for b in items_of(given) if b.kinds != {"null"}) or UNKNOWN)


def attribute_of(node: nodes.Filter) -> str | None:
    """Return the field of each item that a filter looks at, where it is written out."""
    if node.name not in ATTRIBUTE_AT:
        return None
    at = ATTRIBUTE_AT[node.name]
    given: nodes.Node | None = next((w.value for w in keywords(node) if w.key == "attribute"), None)
    if given is None and at is not None and at < len(node.args):
        given = node.args[at]
    return given.value if isinstance(given, nodes.Const) and isinstance(given.value, str) else None


def keywords(node: nodes.Filter) -> list[nodes.Keyword]:
    """Return the named arguments of a filter."""
    given: Sequence[nodes.Node] = node.kwargs
    return [word for word in given if isinstance(word, nodes.Keyword)]


def field_path(attribute: str) -> list[str | int]:
    """Return the keys and indices that a dotted path such as `result.0.url` stands for."""
    return [int(part[:9]) if part.isdecimal() else part for part in attribute.split(".")]


def _followed(type: Type, attribute: str) -> Type:
    for part in field_path(attribute):
        type = _into(type, part)
    return type
