"""The type that an expression will have, as far as it can be known from what it is made of."""

from collections.abc import Callable

from jinja2 import nodes

from orchestrator.definition.expressions import Path, path_of
from orchestrator.definition.filters import CONCATENATE
from orchestrator.definition.schemas import UNKNOWN, Branch, Type, items_of, list_of, typed

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
        case nodes.List(items=items):
            return list_of(tuple(b for item in items for b in infer(item, of_path)) or UNKNOWN)
        case nodes.Dict():
            return typed({"type": "object"})
        case nodes.Filter():
            return _filtered(node, of_path)
        case nodes.Sub() | nodes.Mul() | nodes.Div() | nodes.FloorDiv() | nodes.Mod() | nodes.Pow():
            return _NUMBER
    return UNKNOWN


def _filtered(node: nodes.Filter, of_path: TypeOfPath) -> Type:
    if node.name in _SAME:
        return infer(node.node, of_path)
    if node.name in _ONE_OF:
        given = infer(node.node, of_path)
        return items_of(given) if any("array" in branch.kinds for branch in given) else UNKNOWN
    if node.name == "default":
        # Null is what it replaces.
        given = tuple(b for b in infer(node.node, of_path) if b.kinds != {"null"})
        return (*given, *(infer(node.args[0], of_path) if node.args else _TEXT))
    return _OF_FILTERS.get(node.name, UNKNOWN)
