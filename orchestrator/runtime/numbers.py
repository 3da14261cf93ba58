"""Request numbers: one counter per credentials, never given twice, not even after a restart."""

from collections.abc import Mapping
from datetime import UTC, datetime

from orchestrator.clock import SECOND, Clock
from orchestrator.runtime.limits import Limits
from orchestrator.store.schedule import Schedule

_BEGINNING = datetime(2025, 1, 1, tzinfo=UTC)


def first_number(at: int) -> int:
    """Return the number with which a counter that knows of no other begins at *at*, in microseconds."""
    return at // SECOND - int(_BEGINNING.timestamp())


class Numbers:
    """
    Hands out the next number of a connection.

    The number is taken here and written down in the append that claims the submit: one
    that was taken and never used leaves a gap, which no provider minds.
    """

    def __init__(self, store: Schedule, limits: Limits, clock: Clock, starts: Mapping[str, int]) -> None:
        self._store, self._limits, self._clock, self._starts = store, limits, clock, starts
        self._next: dict[str, int] = {}

    async def load(self, connections: list[str]) -> None:
        """Go on where the store says that an earlier process stopped."""
        for connection in connections:
            counters = self._limits.counters_of(connection)
            known = [last for name in counters if (last := await self._store.number(name)) is not None]
            first = max(known) + 1 if known else self._start(connection)
            self._next[counters[0]] = max(first, self._next.get(counters[0], first))

    def take(self, connection: str) -> int:
        """Return the next number."""
        counter = self._limits.counters_of(connection)[0]
        number = self._next[counter]
        self._next[counter] = number + 1
        return number

    def _start(self, connection: str) -> int:
        """
        Return where a fresh data folder begins: seconds since 2025-01-01, unless configured.

        So it does not repeat the numbers of a folder that was lost, and stays below 2^31.
        """
        return self._starts.get(connection, first_number(self._clock.now()))
