"""
Writes down how connections stand, and reads it at start.

What the system does (pauses, balances) counts at once and is written a moment later; should that
moment be the last of the process, the provider says the same thing again. What a person does counts
once it is on disk.
"""

import asyncio

import structlog

from orchestrator.clock import Clock
from orchestrator.errors import StoreUnavailable
from orchestrator.runtime.pauses import Pause, Pauses, paused, resumed
from orchestrator.store.connections import ConnectionEvent, Connections

log = structlog.get_logger()

REST_S = 0.25
"""The least time between two writes of balances, which change with every submit."""


class Ledger:
    """The way from the pauses in memory to the store."""

    def __init__(self, store: Connections, pauses: Pauses, clock: Clock) -> None:
        self._store, self._pauses, self._clock = store, pauses, clock
        # One writer at a time, so that rows and events are written in the order in which things happened.
        self._turn = asyncio.Lock()

    async def load(self) -> None:
        """Take up the pauses and balances that an earlier process left."""
        for row in await self._store.connections():
            self._pauses.restore(row)

    async def pause(self, connection: str, reason: str | None, until: int | None) -> None:
        """Pause for a person, durably, in place of any other pause. Errors: StoreUnavailable."""
        async with self._turn:
            pause = Pause(by="person", cause=None, reason=reason, since=self._clock.now(), until=until)
            await self._put(connection, pause, paused(connection, pause))
            self._pauses.set(connection, pause, reason)

    async def resume(self, connection: str, reason: str) -> None:
        """End a pause for a person, durably. Errors: StoreUnavailable."""
        async with self._turn:
            event = resumed(connection, self._clock.now(), "person", reason)
            await self._put(connection, None, event)
            self._pauses.set(connection, None, reason)

    async def run(self) -> None:
        """Write what changes until cancelled."""
        while True:
            await self._pauses.changed.wait()
            await self.flush()
            try:
                async with asyncio.timeout(REST_S):
                    await self._pauses.urgent.wait()
            except TimeoutError:
                pass

    async def flush(self) -> None:
        """Write what there is; what cannot be written is kept for the next time."""
        for connection in self._pauses.dirty():
            try:
                async with self._turn:
                    await self._put(connection, self._pauses.of(connection))
            except StoreUnavailable as trouble:
                log.warning("store.unavailable", reason=str(trouble))

    async def _put(self, connection: str, pause: Pause | None, *own: ConnectionEvent) -> None:
        news = self._pauses.take(connection)
        try:
            await self._store.put_connection(self._pauses.row(connection, pause), [*news, *own])
        except BaseException:
            self._pauses.give_back(connection, news)
            raise
