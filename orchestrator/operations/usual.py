"""How long tasks usually take: learned from those that were done, per connection and operation."""

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

KEPT = 200
"""Of so many tasks of an operation the durations are remembered; older ones say little of today."""

ENOUGH = 5
"""Fewer say nothing yet."""


@dataclass(frozen=True, slots=True)
class Usual:
    """In seconds: half of the tasks take no longer than *p50*, nineteen of twenty no longer than *p95*."""

    p50: float
    p95: float


@dataclass(slots=True)
class _Window:
    """The latest durations, in the order in which they came and in order of size."""

    latest: deque[float] = field(default_factory=deque)
    ordered: list[float] = field(default_factory=list)

    def add(self, duration_s: float) -> None:
        self.latest.append(duration_s)
        insort(self.ordered, duration_s)
        if len(self.latest) > KEPT:
            del self.ordered[bisect_left(self.ordered, self.latest.popleft())]

    def quantile(self, share: float) -> float:
        return self.ordered[min(int(share * len(self.ordered)), len(self.ordered) - 1)]


class UsualDurations:
    """What was learned. This is memory; at a start it is learned again from the latest jobs."""

    def __init__(self) -> None:
        self._windows: dict[tuple[str, str], _Window] = {}

    def learn(self, connection: str, operation: str, duration_s: float) -> None:
        """A task took *duration_s*, from its submit's answer to its result."""
        self._windows.setdefault((connection, operation), _Window()).add(max(duration_s, 0.0))

    def learn_all(self, durations: Iterable[tuple[str, str, float]]) -> None:
        """Learn from (connection, operation, seconds), the oldest first."""
        for connection, operation, duration_s in durations:
            self.learn(connection, operation, duration_s)

    def of(self, connection: str, operation: str) -> Usual | None:
        """Return how long it usually takes, None while too little is known."""
        window = self._windows.get((connection, operation))
        if window is None or len(window.latest) < ENOUGH:
            return None
        return Usual(window.quantile(0.5), window.quantile(0.95))
