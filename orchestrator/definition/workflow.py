"""A workflow as the engine reads it: every text parsed, every duration in seconds, every reference known."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from orchestrator.errors import ErrorClass, InputProblem

Scope = Mapping[str, Any]
"""
What an expression sees: `inputs`, `steps`, `run`, and inside `for_each` also `item` and `index`.

Shape: {"inputs": {...}, "steps": {id: {"output", "artifacts", "status", "error"}},
        "run": {"id", "labels", "created_at"}, "item": ..., "index": int}
"""

OnUncertain = Literal["fail", "wait", "resubmit"]


class Value(Protocol):
    """A value that may hold `${{ … }}` anywhere inside it."""

    @property
    def steps(self) -> frozenset[str]:
        """The ids of the steps that it reads."""
        ...

    def evaluate(self, scope: Scope) -> Any:
        """Return the plain JSON value. Errors: InvalidValue, with the expression and what was wrong."""
        ...


class Condition(Protocol):
    """The `if` of a step."""

    @property
    def steps(self) -> frozenset[str]:
        """The ids of the steps that it reads."""
        ...

    @property
    def asks_status(self) -> bool:
        """Whether it calls a status function; if not, success() is required besides."""
        ...

    def holds(self, scope: Scope, status: Mapping[str, Callable[[], bool]]) -> bool:
        """Return whether the step runs; *status* answers the status functions. Errors: InvalidValue."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """When a failed attempt is followed by another. Durations in seconds."""

    attempts: int = 3
    backoff_s: float = 5.0
    max_backoff_s: float = 120.0
    on: frozenset[ErrorClass] = frozenset({"provider_error", "network"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """
    A node of the workflow.

    *needs*: every step that must have ended first, inferred and explicit, direct ones only.
    *condition*: None means `success()`.
    *timeout_s*: None means the operation's own default.
    """

    id: str
    connection: str
    operation: str
    params: Value
    needs: frozenset[str] = frozenset()
    condition: Condition | None = None
    for_each: Value | None = None
    max_parallel: int = 100
    retry: Retry = Retry()
    timeout_s: float | None = None
    continue_on_error: bool = False
    fail_fast: bool = False
    on_uncertain: OnUncertain = "fail"

    @property
    def reads(self) -> frozenset[str]:
        """The ids of the steps whose results its expressions read."""
        ids = self.params.steps
        if self.for_each is not None:
            ids |= self.for_each.steps
        if self.condition is not None:
            ids |= self.condition.steps
        return ids


@dataclass(frozen=True, slots=True, kw_only=True)
class Workflow:
    """
    One definition.

    *digest*: `sha256:…` over the canonical form (see `loader.canonical`), which is *source*:
    a run is pinned to it, and loading *source* again gives an equal workflow.
    *steps*: in an order in which every step comes after all it needs.
    """

    name: str
    description: str
    digest: str
    source: str
    inputs: Mapping[str, Mapping[str, Any]]
    required: frozenset[str]
    steps: Mapping[str, Step]
    outputs: Mapping[str, Value] = field(default_factory=dict)
    timeout_s: float = 86_400.0

    def followers(self, step: str) -> Sequence[Step]:
        """Return the steps that need *step* directly."""
        return [s for s in self.steps.values() if step in s.needs]


CheckInputs = Callable[[Workflow, Mapping[str, Any]], tuple[dict[str, Any], list[InputProblem]]]
"""Fills in defaults and checks inputs against their JSON Schemas: (inputs, problems)."""
