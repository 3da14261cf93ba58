"""
From a request on a hook to a run: the mapping, the inputs' check, and one run for each event.

The receiver has answered before anything here happens, and the inbox offers a delivery again
until it is settled: with the run that it starts, in the same append, or with what is wrong with it.
So a crash at any moment neither loses a run nor starts a second one.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from orchestrator.definition.workflow import Workflow
from orchestrator.errors import InvalidInput, InvalidValue, StoreUnavailable
from orchestrator.operations import hooks
from orchestrator.operations.runs import Cause, Runs, Started
from orchestrator.operations.workflows import Library
from orchestrator.store.inbox import Inbox
from orchestrator.store.rows import Delivery, DeliveryVerdict, Settled

T = TypeVar("T")

log = structlog.get_logger()

AT_ONCE = 32
"""How many requests are worked on at a time; those beyond wait, and callbacks with them."""

AGAIN_S = 1.0
"""While nothing can be written, it is tried again after this."""


class HookIntake:
    """Starts what requests on hooks ask for; `take` returns before that is done."""

    def __init__(self, inbox: Inbox, runs: Runs, library: Library) -> None:
        self._inbox, self._runs, self._library = inbox, runs, library
        self._room = asyncio.Semaphore(AT_ONCE)
        self._working: dict[str, asyncio.Task[None]] = {}

    async def take(self, delivery: Delivery) -> None:
        """Have *delivery* worked on; return once there is room for it. Twice the same is done once."""
        if delivery.id in self._working:
            return
        await self._room.acquire()
        task = asyncio.create_task(self._work(delivery), name=f"hook {delivery.id}")
        self._working[delivery.id] = task
        task.add_done_callback(lambda _: self._done(delivery.id))

    async def stop(self) -> None:
        """Leave what is being worked on to the inbox."""
        tasks = list(self._working.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _done(self, delivery: str) -> None:
        self._working.pop(delivery)
        self._room.release()

    async def _work(self, delivery: Delivery) -> None:
        try:
            await until_stored(lambda: self._process(delivery))
        except Exception as error:
            # A bug must not keep the delivery in the inbox for ever, where every start would meet it again.
            log.exception("hook.broke", delivery_id=delivery.id, workflow=delivery.hook)
            unexpected = f"it could not be processed: {type(error).__name__}"
            await until_stored(lambda: self._settle(delivery, "unreadable", unexpected))

    async def _process(self, delivery: Delivery) -> None:
        workflow = self._library.find(delivery.hook or "")
        trigger = workflow.triggers.webhook if workflow is not None else None
        if workflow is None or trigger is None:
            return await self._settle(delivery, "late", f"'{delivery.hook}' has no webhook trigger any more")
        try:
            asked = hooks.read(trigger, delivery)
        except InvalidValue as error:
            return await self._settle(delivery, "unreadable", str(error))
        try:
            started = await self._start(workflow, delivery, asked)
        except InvalidInput as error:
            return await self._settle(delivery, "mismatch", str(error))
        if not started.is_new:
            await self._settle_known(delivery, started)
        return None

    async def _start(self, workflow: Workflow, delivery: Delivery, asked: hooks.Asked) -> Started:
        cause = Cause(
            key=f"webhook/{workflow.name}/{asked.event}",
            trigger={"kind": "webhook", "delivery": delivery.id},
            delivery=delivery.id,
        )
        return await self._runs.trigger(workflow, asked.inputs, cause)

    async def _settle_known(self, delivery: Delivery, started: Started) -> None:
        """Settle a delivery whose run is there already: by an earlier delivery, or by this one."""
        run, first = started.state.id, (started.state.trigger or {}).get("delivery")
        if first == delivery.id:
            await self._inbox.settle([Settled(delivery=delivery.id, verdict="accepted", run=run)])
        else:
            settled = Settled(delivery=delivery.id, verdict="duplicate", duplicate_of=first, run=run)
            await self._inbox.settle([settled])

    async def _settle(self, delivery: Delivery, verdict: DeliveryVerdict, error: str) -> None:
        log.warning(
            "hook.unanswered", delivery_id=delivery.id, workflow=delivery.hook, verdict=verdict, error=error
        )
        await self._inbox.settle([Settled(delivery=delivery.id, verdict=verdict, error=error)])


async def until_stored(attempt: Callable[[], Awaitable[T]]) -> T:
    """Return what *attempt* returns, which is made again and again while the store is in trouble."""
    while True:
        try:
            return await attempt()
        except StoreUnavailable as trouble:
            log.warning("store.unavailable", reason=str(trouble))
            await asyncio.sleep(AGAIN_S)
