"""Have a delivery processed once more: what a person asks for, checked before it is stored."""

from dataclasses import replace

from orchestrator import ids
from orchestrator.clock import Clock
from orchestrator.errors import NotFound, WrongState
from orchestrator.store.inbox import Inbox
from orchestrator.store.rows import Delivery


class Deliveries:
    """What can be done with deliveries."""

    def __init__(self, inbox: Inbox, clock: Clock) -> None:
        self._inbox, self._clock = inbox, clock

    async def redeliver(self, delivery: str) -> Delivery:
        """
        Store a new delivery of the same request, durably; it is processed as if nobody had read the bytes.

        Errors:  NotFound; WrongState when the bytes were not kept; StoreUnavailable.
        """
        original = await self._inbox.get(delivery)
        if original is None:
            raise NotFound(f"no delivery '{delivery}'")
        if original.body is None:
            raise WrongState(f"the body of {delivery} was not kept: its job had too many deliveries")
        now = self._clock.now()
        again = replace(
            original,
            id=ids.typeid("dlv", now, self._clock.entropy()),
            received_at=now,
            verdict="pending",
            duplicate_of=None,
            error=None,
            run=None,
            redelivery_of=delivery,
        )
        await self._inbox.put(again)
        return again
