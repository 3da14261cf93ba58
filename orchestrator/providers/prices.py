"""What an operation costs by a connection's own price list, for providers that do not tell."""

from collections.abc import Mapping
from typing import Any


def price(prices: Mapping[str, Any], operation: str, params: Mapping[str, Any]) -> float | None:
    """
    Return the credits that *operation* costs with *params*, or None where the list does not say.

    Shape:   an entry is a number, or `{credits, per: <parameter>}`: credits for each
             unit of that parameter, or for each entry where it is a list.
    """
    entry = prices.get(operation)
    if not isinstance(entry, Mapping):
        return _number(entry)
    credits, units = _number(entry.get("credits")), 1.0
    if "per" in entry:
        given = params.get(str(entry["per"]))
        counted = float(len(given)) if isinstance(given, list | tuple) else _number(given)
        if counted is None:
            return None
        units = counted
    return None if credits is None else credits * units


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
