"""What a run would do: which steps, how often, with how many requests that cost how many credits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from orchestrator.definition.workflow import Step, Workflow

Runs = Literal["yes", "no", "perhaps"]


@dataclass(frozen=True, slots=True)
class Span:
    """From *least* to *most*; *most* None: nobody knows."""

    least: float = 0
    most: float | None = 0

    def __add__(self, other: "Span") -> "Span":
        most = None if self.most is None or other.most is None else self.most + other.most
        return Span(self.least + other.least, most)

    def times(self, other: "Span") -> "Span":
        """Return how much it is *other* times."""
        if self.most == 0 or other.most == 0:
            return Span()
        most = None if self.most is None or other.most is None else self.most * other.most
        return Span(self.least * other.least, most)

    def at_best_none(self) -> "Span":
        """Return it for what perhaps will not happen at all."""
        return Span(0, self.most)


ONCE, UNKNOWN = Span(1, 1), Span(0, None)


@dataclass(slots=True)
class StepOutlook:
    """
    What one step would do.

    *runs*         "perhaps": a result that nobody knows yet decides.
    *why*          why it does not run, or what decides.
    *stage*        from 1; steps of one stage can run at the same time.
    *instances*    how often it runs; *each_of* what it does so for each of.
    *calls*        its requests that cost credits; *credits* what they cost, by connection.
    *unpriced*     connections of which some cost has no known price.
    *files*        how many files it gives.
    *problems*     what would make it fail; *notes* what somebody should know.
    """

    step: Step
    stage: int
    runs: Runs = "yes"
    why: str | None = None
    instances: Span = ONCE
    each_of: str | None = None
    calls: Span = field(default_factory=Span)
    credits: dict[str, Span] = field(default_factory=dict)
    unpriced: set[str] = field(default_factory=set)
    files: Span = UNKNOWN
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, connection: str, times: Span, price: float | None) -> None:
        """Count *times* requests at *connection* that cost *price* each, None where nobody knows."""
        self.calls += times
        if price is None:
            self.unpriced.add(connection)
        cost = UNKNOWN if price is None else Span(price, price)
        self.credits[connection] = self.credits.get(connection, Span()) + cost.times(times)


@dataclass(slots=True)
class Outlook:
    """What a run of *workflow* with *inputs* would do. *problems*: with its outputs."""

    workflow: Workflow
    inputs: Mapping[str, Any]
    steps: dict[str, StepOutlook] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    @property
    def calls(self) -> Span:
        """How many requests cost credits."""
        return sum((step.calls for step in self.steps.values()), Span())

    @property
    def credits(self) -> dict[str, Span]:
        """What they cost, by connection."""
        total: dict[str, Span] = {}
        for step in self.steps.values():
            for connection, span in step.credits.items():
                total[connection] = total.get(connection, Span()) + span
        return total

    @property
    def unpriced(self) -> set[str]:
        """The connections of which some cost is not known."""
        return set().union(*(step.unpriced for step in self.steps.values()))

    @property
    def stages(self) -> Sequence[Sequence[str]]:
        """The steps in order; those of one stage can run at the same time."""
        count = max((step.stage for step in self.steps.values()), default=0)
        return [[id for id, step in self.steps.items() if step.stage == n + 1] for n in range(count)]
