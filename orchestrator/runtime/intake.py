"""
From deliveries to triggers: on the fast path from memory, after a crash from the inbox.

The receiver has answered before anything here happens. Intake is bounded: what does
not fit into memory stays in the inbox, where it is anyway, and is fetched when there
is room again. And it steps back: while callbacks come in a storm, acknowledging them
goes first, because a provider repeats or forgets what nobody answers, and the inbox
forgets nothing.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from functools import partial
from hashlib import blake2b

import structlog

from orchestrator.definition.workflow import CORE
from orchestrator.engine import triggers as t
from orchestrator.operations.hooks import header_fields
from orchestrator.outcomes import Callback
from orchestrator.runtime.hooks import HookIntake, until_stored
from orchestrator.runtime.worker import Worker
from orchestrator.store.inbox import Inbox
from orchestrator.store.rows import Delivery, Settled
from orchestrator.store.views import Views

log = structlog.get_logger()

IN_MEMORY = 2_000
"""Deliveries held in memory; beyond that the inbox holds them."""

STORM = 300
"""So many deliveries in a tenth of a second are a storm: 3,000 a second."""

STEP_BACK_S = 0.002
"""The pause before each delivery that is processed in a storm."""


class _Weather:
    """Counts what comes in each tenth of a second."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._tenth, self._now, self._before = 0, 0, 0

    def note(self, count: int) -> None:
        """So many deliveries have just come."""
        self._turn()
        self._now += count

    def is_stormy(self) -> bool:
        """Return whether this tenth or the one before had more than enough."""
        self._turn()
        return max(self._now, self._before) > STORM

    def _turn(self) -> None:
        tenth = int(self._loop.time() * 10)
        if tenth != self._tenth:
            self._before = self._now if tenth == self._tenth + 1 else 0
            self._tenth, self._now = tenth, 0


class Intake:
    """
    Takes deliveries to the runs they belong to, in the order in which they came.

    Those on hooks, which belong to no run yet, go to *hooks*.
    """

    def __init__(self, inbox: Inbox, views: Views, worker: Worker, hooks: HookIntake) -> None:
        self._inbox, self._views, self._worker, self._hooks = inbox, views, worker, hooks
        self._queue: deque[Delivery] = deque()
        self._overflowed = False
        self._arrived = asyncio.Event()
        self._weather = _Weather()
        self.held = False

    def arrived(self, deliveries: Sequence[Delivery]) -> None:
        """Take what was just stored; for `Inbox.subscribe`."""
        self._weather.note(len(deliveries))
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
        while found := await until_stored(partial(self._inbox.pending, after=after)):
            for delivery in found:
                await self._process(delivery)
            after = found[-1].id

    async def _process(self, delivery: Delivery) -> None:
        await self._worker.breathe()
        if self._weather.is_stormy():
            await asyncio.sleep(STEP_BACK_S)
        # A store in trouble keeps it waiting: nobody else would come back to it before the next start.
        await until_stored(partial(self._take, delivery))

    async def _take(self, delivery: Delivery) -> None:
        if delivery.hook is not None:
            await self._hooks.take(delivery)
            return
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
            callback=_callback(delivery),
            redelivery_of=delivery.redelivery_of,
        )


def _callback(delivery: Delivery) -> Callback:
    """Return the delivery as operations read it; headers only where a sender's proof is among them."""
    return Callback(
        delivery.method,
        delivery.query,
        delivery.content_type,
        delivery.body or b"",
        headers=header_fields(delivery.headers) if delivery.connection == CORE else {},
        received_at=delivery.received_at if delivery.redelivery_of is None else None,
    )


def digest(delivery: Delivery) -> str:
    """
    Return what makes two deliveries of a job the same: method, query and body.

    Where a sender has to prove who it is the headers too: a forgery must not make a duplicate of the
    true one.
    """
    head = f"{delivery.method}\n{delivery.query}\n".encode()
    proof = delivery.headers if delivery.connection == CORE else b""
    return blake2b(head + proof + (delivery.body or b""), digest_size=12).hexdigest()
