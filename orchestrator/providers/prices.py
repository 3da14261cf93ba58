"""What an operation costs by a connection's own price list, for providers that do not tell."""

from collections.abc import Iterator, Mapping
from math import isfinite
from typing import Any

from pydantic import BaseModel
from pydantic_core import PydanticCustomError


def price(prices: Mapping[str, Any], operation: str, params: Mapping[str, Any]) -> float | None:
    """
    Return the credits that *operation* costs with *params*, or None where the list does not say.

    Shape:   *prices* maps operations to a number, or to `{credits, per: <parameter>}`: that
             many for each, where the parameter is a number, or a list that is counted. A dot
             leads into an object (`product.images`). *params* hold defaults, not only what
             the author wrote.
    """
    entry = prices.get(operation)
    if not isinstance(entry, Mapping):
        return _amount(entry)
    each = _amount(entry.get("credits"))
    count = _count(params, str(entry["per"])) if "per" in entry else 1.0
    return None if each is None or count is None else each * count


def complaints(prices: Mapping[str, Any], operations: Mapping[str, type[BaseModel]]) -> Iterator[str]:
    """Yield what is wrong with *prices*; *operations* are those that cost credits, with their parameters."""
    for name, entry in prices.items():
        if name not in operations:
            yield f"'{name}' is no operation that costs credits (those are {', '.join(operations)})"
        elif not isinstance(entry, Mapping):
            if _amount(entry) is None:
                yield f"the price of '{name}' is a number of credits, or {{credits, per: <parameter>}}"
        elif not set(entry) <= {"credits", "per"} or _amount(entry.get("credits")) is None:
            yield f"the price of '{name}' holds `credits` (a number) and `per` (a parameter), nothing else"
        elif "per" in entry and str(entry["per"]).split(".")[0] not in operations[name].model_fields:
            yield f"the price of '{name}' is per '{entry['per']}', which is no parameter of it"


def checked(prices: dict[str, Any], operations: Mapping[str, type[BaseModel]]) -> dict[str, Any]:
    """Return *prices*, for the validator of a connection's settings; refuse them with every complaint."""
    wrong = "; ".join(complaints(prices, operations))
    if wrong:
        raise PydanticCustomError("prices", "{text}", {"text": wrong})
    return prices


def _amount(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value) or value < 0:
        return None
    return float(value)


def _count(params: Mapping[str, Any], path: str) -> float | None:
    value: Any = params
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    if isinstance(value, list | tuple):
        return float(len(value))
    return _amount(value)
