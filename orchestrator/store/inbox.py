"""The inbox: deliveries, kept raw and durable before anybody interprets them."""

from collections.abc import Callable, Sequence
from typing import Protocol

from orchestrator.store.rows import Delivery, DeliveryVerdict, Settled


class Inbox(Protocol):
    """Where the receiver puts what came, and where the intake takes it from."""

    async def put(self, delivery: Delivery) -> None:
        """
        Keep the delivery; return only after it is on disk.

        All that wait at the same moment share one transaction.
        Errors:  StoreUnavailable, and then nothing was kept.
        """
        ...

    def subscribe(self, listener: Callable[[Sequence[Delivery]], None]) -> None:
        """Call *listener* with the deliveries of each transaction once it is on disk."""
        ...

    async def pending(self, *, after: str = "", limit: int = 500) -> Sequence[Delivery]:
        """Return deliveries that nobody has settled, oldest first, with ids above *after*."""
        ...

    async def settle(self, settled: Sequence[Settled]) -> None:
        """Settle deliveries that lead to no append; others are settled by the append they lead to."""
        ...

    async def get(self, delivery: str) -> Delivery | None:
        """Return one delivery with its body."""
        ...

    async def find(
        self,
        *,
        job: str | None = None,
        hook: str | None = None,
        verdict: DeliveryVerdict | None = None,
        before: str | None = None,
        limit: int = 50,
    ) -> Sequence[Delivery]:
        """
        Return deliveries newest first, bodies left out, with ids below *before*.

        Shape:   those of *job*, or those on the *hook* of a workflow, or all.
        """
        ...
