"""
One rate limit, and what was sent within it.

Its memory survives the process: it is written down how many more may be sent than are on record, a
block at a time and before the first of that block leaves. What a process that was killed had left of
its block counts as sent, so that a limit holds across any restart and at most a block of it is lost.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from orchestrator.clock import SECOND

BLOCKS = 10
"""A block is this part of the limit, and one request at the least."""

SLACK_PARTS = 50
SLACK_MAX = SECOND
"""A request counts longer than the period by this part of it, at most by so many microseconds."""


@dataclass(slots=True, eq=False)
class Window:
    """
    At most *limit* requests in any *period*, microseconds; *scope* says whose.

    *needs* tell how many requests each connection that shares it must be able to send until the
    window ends, for heartbeats. *granted*: how many may be sent before more is written down; None
    where nobody writes.
    """

    limit: int
    period: int
    scope: str = ""
    sent: deque[int] = field(default_factory=deque)
    needs: list[Callable[["Window"], int]] = field(default_factory=list)
    granted: int | None = None

    @property
    def span(self) -> int:
        """
        How long a request counts, in microseconds.

        The provider counts from when it arrives, which is later than when it leaves here, and for the
        first one, whose connection is made on the way, later than for the next.
        """
        return self.period + min(self.period // SLACK_PARTS, SLACK_MAX)

    @property
    def block(self) -> int:
        """How many requests are written down at a time."""
        return max(self.limit // BLOCKS, 1)

    @property
    def is_low(self) -> bool:
        """Whether more has to be written down now, so that nobody has to wait for the disk."""
        return self.granted is not None and self.granted * 2 <= self.block

    @property
    def is_spent(self) -> bool:
        """Whether nothing may be sent before more is written down, but for heartbeats."""
        if self.granted is None:
            return False
        # What is left of it last is theirs: they do not wait for the disk.
        kept = self.block // 4 if self.reserve() else 0
        return self.granted <= kept

    def reserve(self) -> int:
        """Return how many requests must be kept for heartbeats."""
        return sum(need(self) for need in self.needs)

    def delay(self, now: int, reserve: int) -> int:
        """Return how long until one more may be sent with *reserve* kept free, in microseconds; 0 for now."""
        self._forget(now)
        # Never so much that nothing else could ever be sent: a tenth, and one at the least, always may.
        spare = max(self.limit - reserve, self.limit // 10, 1)
        if len(self.sent) < spare:
            return 0
        return self.sent[len(self.sent) - spare] + self.span - now

    def count(self, now: int) -> None:
        """One more is sent."""
        self.sent.append(now)
        if self.granted is not None:
            self.granted -= 1

    def record(self, now: int) -> list[tuple[int, int]]:
        """Return what was sent, as (when at the latest, how many) of a block at a time."""
        self._forget(now)
        sent = list(self.sent)
        blocks = [sent[start : start + self.block] for start in range(0, len(sent), self.block)]
        return [(block[-1], len(block)) for block in blocks]

    def restore(self, record: Sequence[tuple[int, int]], ahead: int, now: int) -> None:
        """Take up what an earlier process wrote; *ahead* more may have been sent until now."""
        times = [min(at, now) for at, count in record for _ in range(count)]
        self.sent = deque(sorted([*times, *self.sent]) + [now] * ahead)

    def _forget(self, now: int) -> None:
        while self.sent and self.sent[0] <= now - self.span:
            self.sent.popleft()
