"""Remove what need not be kept any more: whole runs that have ended, and raw deliveries."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(slots=True, kw_only=True)
class Removed:
    """What one step removed, or would. *last*: where the next step goes on; None: there is nothing left."""

    runs: int = 0
    events: int = 0
    jobs: int = 0
    deliveries: int = 0
    last: str | None = None


class Prunes(Protocol):
    """
    Removes in small steps, each a transaction of its own, so that nobody waits long for a turn.

    Times are microseconds since the epoch, UTC. *after* is where the last step ended. With *dry* nothing
    is removed, and what would be is counted.
    """

    async def prune_runs(
        self, *, ended_before: int, keys_before: int, after: str = "", dry: bool = False
    ) -> Removed:
        """
        Remove runs that ended before *ended_before*, with everything that belongs to them.

        What they have spent of budgets goes on to count until the period is over.
        Kept are runs of which a task can still bring something, runs that are steps of others that are
        kept, and those with an idempotency key that were created after *keys_before*.
        """
        ...

    async def prune_deliveries(self, *, received_before: int, after: str = "", dry: bool = False) -> Removed:
        """Remove deliveries that were received before that, but for those that nobody has read."""
        ...

    async def budgets(self) -> Sequence[str]:
        """Return the budgets, each of a connection in a period, of which something is or was used."""
        ...

    async def drop_budget(self, resource: str) -> bool:
        """Forget a part of who used how much of a budget; return whether nothing is left of it."""
        ...

    async def free_bytes(self) -> int:
        """Return how many bytes were freed inside the store's file, and will be used again."""
        ...

    def mentions(self, *, ended_before: int) -> AsyncIterator[bytes]:
        """
        Yield texts in which all artifacts are mentioned (`sha256:…`) that the store refers to.

        What runs refer to that ended before *ended_before* is left out.
        """
        ...
