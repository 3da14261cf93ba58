"""What a test file says: what goes into a run, what goes wrong meanwhile, and what has to come of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from orchestrator.definition.templates import ExpressionCondition
from orchestrator.definition.workflow import Workflow

Status = Literal["succeeded", "failed", "cancelled", "refused"]
"""How a run can end; refused: it is not even started, because of its inputs."""

START = 1_795_176_000
"""When a case begins that does not say when, in seconds since the epoch: 2026-11-20T12:00:00Z."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What is answered to the question of a step. *chosen*: positions in its choices, from 0."""

    approve: bool = True
    chosen: Sequence[int] = ()
    comment: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """
    What has to come of a run; what is None or not named is not looked at.

    *status*: one of `Status`.
    *outputs*, *steps*, *error*, *credits*, *providers*, *events*: values and matchers, see `matching`.
    *credits* and *providers* are complete: whoever is not named must not have been paid.
    *that*: conditions over `inputs`, `outputs`, `steps` and `run`.
    """

    status: str = "succeeded"
    error: Any = None
    outputs: Mapping[str, Any] = field(default_factory=dict)
    steps: Mapping[str, Any] = field(default_factory=dict)
    credits: Mapping[str, Any] | None = None
    providers: Mapping[str, Any] | None = None
    events: Mapping[str, Any] = field(default_factory=dict)
    that: Sequence[ExpressionCondition] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """
    What goes into one run, and the world that it meets.

    *inputs*: a text that begins with `@` is a file, by its absolute path. *latency_s*: from where to
    where the time goes that a task takes. *balance*: credits of each account. *start*: when it begins,
    in seconds since the epoch.
    """

    inputs: Mapping[str, Any] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    faults: Mapping[str, float] = field(default_factory=dict)
    seed: int = 0
    latency_s: tuple[float, float] = (1.0, 2.0)
    limits: str = "documented"
    balance: int = 1000
    callbacks: str = "on"
    start: float = START
    decisions: Mapping[str, Decision] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Case:
    """A scene, and what has to come of it. *line*: where it stands in its file."""

    name: str
    line: int
    scene: Scene
    expect: Expectation


@dataclass(frozen=True, slots=True)
class TestFile:
    """A file of cases, the file of the workflow that they are about, and that workflow."""

    path: Path
    definition: Path
    workflow: Workflow
    cases: Sequence[Case]
