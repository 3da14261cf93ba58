"""What was sent within the rate limits of late, so that a restart does not forget it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowRow:
    """
    One rate limit at rest: at most *requests* in any *period*, microseconds. *scope*: whose.

    *sent*: (when at the latest, how many) for each block of requests; *ahead*: so many more may have
    been sent since *written_at*.
    """

    scope: str
    requests: int
    period: int
    sent: Sequence[tuple[int, int]]
    ahead: int
    written_at: int


class Windows(Protocol):
    """Where rate limits are remembered."""

    async def put_windows(self, rows: Sequence[WindowRow]) -> None:
        """Write the rows durably, in place of what was known. Errors: StoreUnavailable."""
        ...

    async def windows(self) -> Sequence[WindowRow]:
        """Return every row, also of limits that are not configured any more."""
        ...
