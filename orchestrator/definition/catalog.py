"""What a definition may use: the connections there are, as values, so that this room imports no provider."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol


class FoundProblem(Protocol):
    """One thing wrong with parameters: where (`attributes`, `age`) and what."""

    @property
    def path(self) -> tuple[str | int, ...]: ...
    @property
    def message(self) -> str: ...
    @property
    def hint(self) -> str | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationSpec:
    """
    One operation as the checks of a definition need it.

    *params_schema*, *output_schema*: JSON Schemas (pydantic's, with `$defs`); image
    parameters carry `format: image`.
    *check(values, is_unknown)*: everything wrong with parameters of which some values
    are not known yet (those for which *is_unknown* is true).
    *gives_files*: whether its results become artifacts.
    *costs*: it costs credits; *priced*: and a price list says how many, so that a budget can be kept.
    """

    name: str
    summary: str
    params_schema: Mapping[str, Any]
    output_schema: Mapping[str, Any]
    check: Callable[[Mapping[str, Any], Callable[[Any], bool]], Sequence[FoundProblem]]
    gives_files: bool = True
    costs: bool = False
    priced: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionSpec:
    """One configured account: its operations by name."""

    name: str
    kind: str
    operations: Mapping[str, OperationSpec]


Catalog = Mapping[str, ConnectionSpec]
"""Connections by name."""

Secrets = Mapping[str, bool]
"""The configured secrets by name, and whether each can be the key of Standard Webhooks."""
