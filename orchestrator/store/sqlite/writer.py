"""
The one writer: groups everything that waits into one transaction, with one hop to the database thread.

While a transaction is being written the next batch gathers; when it is done the
next one starts at once. Nobody ever waits for more to come. A trouble that may
pass (a full disk, a lock) fails the batch and the writer goes on; one that it
does not know fails everybody and stops it, which the server has to notice.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import aiosqlite

from orchestrator.errors import StoreUnavailable
from orchestrator.store.connections import ConnectionEvent, ConnectionRow
from orchestrator.store.rows import Append, Delivery, Settled
from orchestrator.store.sqlite import batch as batches
from orchestrator.store.sqlite import trouble
from orchestrator.store.sqlite.batch import Batch, Writing
from orchestrator.store.sqlite.place import Place
from orchestrator.store.windows import WindowRow

_T = TypeVar("_T")
Waiters = list[tuple[str, int, asyncio.Future[None]]]


async def on_thread(db: aiosqlite.Connection, function: Callable[..., _T], *arguments: Any) -> _T:
    """
    Run *function* with the plain connection and *arguments* on the database thread of *db*.

    aiosqlite offers one hop a statement only; a transaction in one hop is several times
    faster. A test pins the two private names used here.
    """
    result: _T = await db._execute(lambda: function(db._conn, *arguments))  # type: ignore[no-untyped-call]
    return result


class Writer:
    """Takes what is to be written; each call returns once it is on disk."""

    def __init__(
        self,
        db: aiosqlite.Connection,
        types: dict[str, int],
        place: Place,
        committed: Callable[[Batch], None],
    ) -> None:
        """*committed* is called on the loop after every transaction."""
        self._db, self._place = db, place
        self._types = types
        self._committed = committed
        self._batch = Batch()
        self._deliveries: list[Delivery] = []
        self._waiters: Waiters = []
        self._idle: asyncio.Future[None] | None = None
        self._closing = False
        self._listeners: list[Callable[[Sequence[Delivery]], None]] = []
        self._loop = asyncio.get_running_loop()
        self.failure: BaseException | None = None
        self.on_failure: Callable[[BaseException], None] | None = None
        self._task = asyncio.create_task(self._run(), name="store writer")

    def subscribe(self, listener: Callable[[Sequence[Delivery]], None]) -> None:
        """Call *listener* with the deliveries of each transaction."""
        self._listeners.append(listener)

    def append(self, append: Append) -> asyncio.Future[None]:
        """Hand in a decision."""
        self._batch.appends.append(Writing.of(append))
        return self._wait("appends", len(self._batch.appends))

    def put(self, delivery: Delivery) -> asyncio.Future[None]:
        """Hand in a delivery."""
        self._batch.deliveries.append(batches.delivery_row(delivery))
        self._deliveries.append(delivery)
        return self._wait("deliveries", len(self._deliveries))

    def settle(self, settled: Sequence[Settled]) -> asyncio.Future[None]:
        """Hand in what became of deliveries."""
        self._batch.settled.append(settled)
        return self._wait("settled", len(self._batch.settled))

    def postpone(self, job: str, wake_at: int | None, asks: float | None) -> asyncio.Future[None]:
        """Hand in a later wake-up, and what the job stands in line for."""
        self._batch.postponed.append((job, wake_at, asks))
        return self._wait("postponed", len(self._batch.postponed))

    def hurry(self, connection: str, now: int) -> asyncio.Future[None]:
        """Hand in that jobs of a connection need not wait any longer."""
        self._batch.hurried.append((connection, now))
        return self._wait("hurried", len(self._batch.hurried))

    def put_connection(self, row: ConnectionRow, events: Sequence[ConnectionEvent]) -> asyncio.Future[None]:
        """Hand in how a connection stands, and what changed."""
        self._batch.connections.append((row, events))
        return self._wait("connections", len(self._batch.connections))

    def put_positions(self, moved: dict[str, int], gone: Sequence[str]) -> asyncio.Future[None]:
        """Hand in how far triggers have got, and which of them there are no more."""
        self._batch.positions.append((moved, gone))
        return self._wait("positions", len(self._batch.positions))

    def put_windows(self, rows: Sequence[WindowRow]) -> asyncio.Future[None]:
        """Hand in what was sent within rate limits."""
        self._batch.windows.append(rows)
        return self._wait("windows", len(self._batch.windows))

    def correct_version(self, run: str) -> asyncio.Future[None]:
        """Hand in a run whose row is not at the version of its stream."""
        self._batch.corrected.append(run)
        return self._wait("corrected", len(self._batch.corrected))

    def check(self, now: int) -> asyncio.Future[None]:
        """Hand in nothing but the wish to see whether it would be written."""
        self._batch.checks.append(now)
        return self._wait("checks", len(self._batch.checks))

    async def close(self) -> None:
        """Write what waits still, and stop."""
        self._closing = True
        self._wake()
        await asyncio.wait([self._task])

    def _wait(self, name: str, count: int) -> asyncio.Future[None]:
        future = self._loop.create_future()
        if self._task.done() or self._closing:
            future.set_exception(self._stopped())
            return future
        self._waiters.append((name, count - 1, future))
        self._wake()
        return future

    def _wake(self) -> None:
        if self._idle is not None and not self._idle.done():
            self._idle.set_result(None)

    async def _run(self) -> None:
        try:
            while await self._has_work():
                await self._write()
        except BaseException as error:
            # Whatever stops the writer, nobody may be left waiting for it.
            self.failure = error
            for _, _, future in self._waiters:
                _fail(future, self._stopped())
            if self.on_failure is not None:
                self.on_failure(error)
            if not isinstance(error, Exception):
                raise

    async def _has_work(self) -> bool:
        """Return True as soon as anything waits, False once the store is closing and nothing does."""
        if not self._waiters and not self._closing:
            self._idle = self._loop.create_future()
            await self._idle
            self._idle = None
        return bool(self._waiters)

    async def _write(self) -> None:
        batch, waiters, deliveries = self._batch, self._waiters, self._deliveries
        self._batch, self._waiters, self._deliveries = Batch(), [], []
        try:
            await on_thread(self._db, self._commit, batch)
        except BaseException as error:
            for _, _, future in waiters:
                _fail(future, trouble.unavailable(error))
            if not trouble.may_pass(error):
                raise
            return
        self._answer(waiters, batch)
        self._committed(batch)
        if deliveries:
            self._tell(deliveries, batch)

    def _commit(self, db: sqlite3.Connection, batch: Batch) -> None:
        """Runs on the database thread."""
        self._place.check()
        batches.commit(db, batch, self._types)

    def _answer(self, waiters: Waiters, batch: Batch) -> None:
        failures = batch.failures
        for name, position, future in waiters:
            if future.done():
                continue
            error = failures.get((name, position)) if failures else None
            if error is None:
                future.set_result(None)
            else:
                future.set_exception(error)

    def _tell(self, deliveries: list[Delivery], batch: Batch) -> None:
        """Call the listeners in a turn of their own: those that wait for an answer come first."""
        if batch.failures:
            deliveries = [d for i, d in enumerate(deliveries) if ("deliveries", i) not in batch.failures]
        for listener in self._listeners:
            self._loop.call_soon(listener, deliveries)

    def _stopped(self) -> StoreUnavailable:
        if self.failure is None:
            return StoreUnavailable("the store is closed")
        return StoreUnavailable(f"the store has stopped: {self.failure}")


def _fail(future: asyncio.Future[None], error: BaseException) -> None:
    if not future.done():
        future.set_exception(error)
