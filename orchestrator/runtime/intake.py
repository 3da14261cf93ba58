"""
From deliveries to triggers: on the fast path from memory, after a crash from the inbox.

The receiver has answered before anything here happens. Intake is bounded: what does
not fit into memory stays in the inbox, where it is anyway, and is fetched when there
is room again.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from hashlib import blake2b

import structlog

from orchestrator.engine import triggers as t
from orchestrator.outcomes import Callback
from orchestrator.runtime.worker import Worker
from orchestrator.store.inbox import Inbox
from orchestrator.store.rows import Delivery, Settled
from orchestrator.store.views import Views

log = structlog.get_logger()

IN_MEMORY = 2_000
"""Deliveries held in memory; beyond that the inbox holds them."""


class Intake:
    """Takes deliveries to the runs they belong to, in the order in which they came."""

    def __init__(self, inbox: Inbox, views: Views, worker: Worker) -> None:
        self._inbox, self._views, self._worker = inbox, views, worker
        self._queue: deque[Delivery] = deque()
        self._overflowed = False
        self._arrived = asyncio.Event()
        self.held = False

    def arrived(self, deliveries: Sequence[Delivery]) -> None:
        """Take what was just stored; for `Inbox.subscribe`."""
        if self.held or self._overflowed or len(self._queue) + len(deliveries) > IN_MEMORY:
            self._overflowed = True
        else:
            self._queue.extend(deliveries)
        self._arrived.set()

    async def run(self) -> None:
        """Process until cancelled, beginning with what an earlier process left."""
        await self.drain()
        while True:
            if self.held or not (self._queue or self._overflowed):
                self._arrived.clear()
                await self._arrived.wait()
            elif self._queue:
                await self._process(self._queue.popleft())
            else:
                self._overflowed = False
                await self.drain()

    async def drain(self) -> None:
        """Process everything in the inbox that nobody has settled."""
        after = ""
        while found := await self._inbox.pending(after=after):
            for delivery in found:
                await self._process(delivery)
            after = found[-1].id

    async def _process(self, delivery: Delivery) -> None:
        await self._worker.breathe()
        run = self._worker.run_of.get(delivery.job) or await self._views.run_of_job(delivery.job)
        if run is None:
            await self._inbox.settle([Settled(delivery=delivery.id, verdict="late", error="no such job")])
            return
        self._worker.post(
            run,
            t.CallbackArrived,
            job=delivery.job,
            delivery=delivery.id,
            digest=digest(delivery),
            callback=Callback(delivery.method, delivery.query, delivery.content_type, delivery.body or b""),
        )


def digest(delivery: Delivery) -> str:
    """Return what makes two deliveries of a job the same: method, query and body."""
    head = f"{delivery.method}\n{delivery.query}\n".encode()
    return blake2b(head + (delivery.body or b""), digest_size=12).hexdigest()
