"""Jinja's sandbox, hardened: no methods, no attributes, nothing that can grow without bound."""

import operator
from collections.abc import Callable, Mapping
from typing import Any

from jinja2 import nodes
from jinja2.environment import TemplateExpression
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

from orchestrator.definition.filters import CONCATENATE, FILTERS, TESTS
from orchestrator.definition.json_values import (
    bound_length,
    bounded_list,
    bounded_number,
    is_number,
    kind,
)
from orchestrator.definition.lookup import Absent, look_up

RANGE_MAX = 10_000
"""The most items a `for_each` may have."""

_EXPONENT_MAX = 64

_ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": operator.mod,
    "**": operator.pow,
}


class Sandbox(ImmutableSandboxedEnvironment):
    """Evaluates expressions over plain JSON values."""

    intercepted_binops = frozenset(_ARITHMETIC)
    intercepted_unops = frozenset({"+", "-"})

    def __init__(self) -> None:
        # Without `optimized`, constant parts would be computed already while an expression is loaded.
        super().__init__(undefined=Absent, optimized=False, cache_size=0)
        self.filters = dict(FILTERS)
        self.tests = dict(TESTS)
        self.globals = {"range": bounded_range}

    def getattr(self, obj: Any, attribute: str) -> Any:
        return look_up(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        return look_up(obj, argument)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        return calculate(operator, left, right)

    def call_unop(self, context: Context, operator: str, arg: Any) -> Any:
        if not is_number(arg):
            raise ValueError(f"{operator} needs a number, not {kind(arg)}")
        return bounded_number(-arg if operator == "-" else arg)


def calculate(sign: str, left: Any, right: Any) -> Any:
    """Return `left sign right`. Errors: ValueError for what does not go together or grows too large."""
    if is_number(left) and is_number(right):
        if sign == "**" and abs(right) > _EXPONENT_MAX:
            raise ValueError(f"the exponent {right} is too large (at most {_EXPONENT_MAX})")
        return bounded_number(_ARITHMETIC[sign](left, right))
    if sign == "+" and isinstance(left, str) and isinstance(right, str):
        bound_length(len(left) + len(right))
        return left + right
    if sign == "+" and isinstance(left, list) and isinstance(right, list):
        return bounded_list(left + right)
    hint = ""
    if "text" in (kinds := (kind(left), kind(right))):
        hint = {"+": ": join them with ~", "%": ": put ${{ … }} inside a text instead"}.get(sign, "")
    raise ValueError(f"{sign} does not go with {kinds[0]} and {kinds[1]}{hint}")


def bounded_range(*limits: Any) -> list[int]:
    """Return the numbers from start to stop as `range` does, as a list. Errors: ValueError for too many."""
    if not 1 <= len(limits) <= 3 or not all(is_number(n) and isinstance(n, int) for n in limits):
        raise ValueError("range takes one to three whole numbers")
    numbers = range(*limits)
    # A very long range has no len().
    if numbers[RANGE_MAX:]:
        raise ValueError(f"range gives more than {RANGE_MAX:,} numbers")
    return list(numbers)


class Plainer(NodeTransformer):
    """Rewrites what Jinja would do in its own way: `~` is bounded, tuples are lists, `null` is a word."""

    def visit_Concat(self, node: nodes.Concat, *args: Any, **kwargs: Any) -> nodes.Node:
        parts = nodes.List([self.visit(part) for part in node.nodes], lineno=node.lineno)
        return nodes.Filter(parts, CONCATENATE, [], [], None, None, lineno=node.lineno)

    def visit_Tuple(self, node: nodes.Tuple, *args: Any, **kwargs: Any) -> nodes.Node:
        return nodes.List([self.visit(item) for item in node.items], lineno=node.lineno)

    def visit_Name(self, node: nodes.Name, *args: Any, **kwargs: Any) -> nodes.Node:
        return nodes.Const(None, lineno=node.lineno) if node.name == "null" else node


SANDBOX = Sandbox()


def compiled(tree: nodes.Expr) -> Callable[[Mapping[str, Any]], Any]:
    """Return a function from the names in scope to the value. Errors: those of Jinja's compiler."""
    body: list[nodes.Node] = [nodes.Assign(nodes.Name("result", "store"), tree, lineno=1)]
    whole = nodes.Template(body, lineno=1)
    whole.set_environment(SANDBOX)
    return TemplateExpression(SANDBOX.from_string(whole), undefined_to_none=False)
