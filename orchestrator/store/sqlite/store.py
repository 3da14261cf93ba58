"""
`SqliteStore`: everything durable in one file, behind the protocols of this room.

One connection writes, and only through the writer. Two others read: one for the
engine, one for the lists that people ask for, so that a long list does not hold
up a decision. A file belongs to one server at a time.
"""

import asyncio
import heapq
import sqlite3
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Sequence
from dataclasses import fields
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import aiosqlite
import orjson

from orchestrator.clock import Clock
from orchestrator.engine.state import OPEN
from orchestrator.errors import StoreUnavailable
from orchestrator.store import queries
from orchestrator.store.audit import OpenRun
from orchestrator.store.connections import STREAM, ConnectionEvent, ConnectionRow
from orchestrator.store.pruning import Removed
from orchestrator.store.rows import (
    Append,
    Delivery,
    DeliveryVerdict,
    Due,
    Epoch,
    GroupLine,
    IdempotencyKey,
    JobRow,
    Lane,
    Lap,
    Promised,
    Purse,
    Recorded,
    RunRow,
    Settled,
    WaitingJob,
)
from orchestrator.store.schedule import BEGINNING
from orchestrator.store.sqlite import epochs, lines, pruning, trouble, turns
from orchestrator.store.sqlite.batch import Batch
from orchestrator.store.sqlite.connections import Prepared, open_reader, open_writer
from orchestrator.store.sqlite.lock import LockFile
from orchestrator.store.sqlite.writer import Writer, on_thread
from orchestrator.store.windows import WindowRow

_T = TypeVar("_T")
_SQL = queries.load("sqlite")
_RUN = tuple(f.name for f in fields(RunRow))
_JOB = tuple(f.name for f in fields(JobRow))
_CONNECTION = tuple(f.name for f in fields(ConnectionRow))
_DELIVERY = tuple(f.name for f in fields(Delivery))
Found = TypeVar("Found")
_SET_BACK = 3_600_000_000
"""No clock is set back by more than an hour, microseconds."""

_LAST = "~"
"""Sorts behind every id."""


class SqliteStore:
    """Every protocol of the room over one SQLite file; made by `open`, ended by `close`."""

    def __init__(
        self,
        clock: Clock,
        lock: LockFile,
        connections: Sequence[aiosqlite.Connection],
        prepared: Prepared,
    ) -> None:
        """*connections*: the writing one, the engine's reader, the reader for lists."""
        self._clock = clock
        self._lock = lock
        self._connections = connections
        self._reader, self._lister = connections[1:]
        self._writer = Writer(connections[0], prepared.types, prepared.place, self._note)
        self.kept = prepared.kept
        self._sequence = 0
        self._news: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @classmethod
    async def open(
        cls, path: Path, *, clock: Clock, busy_s: float = 2.0, keeps_old: bool = True
    ) -> "SqliteStore":
        """
        Open the file, make it if it is not there, and bring it up to date.

        Shape:   *busy_s*: how long to wait for another program that holds the file locked;
                 *keeps_old*: it is copied before it is migrated, and `kept` says where to.
        Errors:  StoreInUse when another server has the file open; StoreUnavailable when it
                 cannot be read or written, or was made by a newer version.
        """
        lock = LockFile(path)
        lock.take()
        connections: list[aiosqlite.Connection] = []
        try:
            writer, prepared = await open_writer(path, now=clock.now(), busy_s=busy_s, keeps_old=keeps_old)
            connections.append(writer)
            connections.append(await open_reader(path, busy_s=busy_s))
            connections.append(await open_reader(path, busy_s=busy_s))
            store = cls(clock, lock, connections, prepared)
            store._sequence = await store.last_sequence()
        except BaseException as error:
            for connection in reversed(connections):
                await connection.close()
            lock.release()
            if isinstance(error, sqlite3.Error):
                raise StoreUnavailable(f"cannot open {path}: {error}") from error
            raise
        return store

    async def close(self) -> None:
        """Write what waits still, then let go of the file."""
        await self._writer.close()
        for connection in reversed(self._connections):
            await connection.close()
        self._lock.release()

    @property
    def failed(self) -> BaseException | None:
        """Why the store has stopped writing for good; None while it works."""
        return self._writer.failure

    def on_failure(self, callback: Callable[[BaseException], None]) -> None:
        """Call *callback* should the store stop writing for good; the server must end then."""
        self._writer.on_failure = callback

    async def check(self) -> None:
        """Return when a write got through to the disk. Errors: StoreUnavailable."""
        await self._writer.check(self._clock.now())

    # --- epochs ------------------------------------------------------------------------------

    async def begin_epoch(self, *, taken_at: int, restored_at: int, number: int) -> None:
        """
        Note that the database was restored from a backup and knows less than the world.

        Shape:   the backup was *taken_at*; counters go on beyond *number*, and beyond what may have been
                 used since, at most one a second.
        """
        await self._write(epochs.begin, taken_at, restored_at, number)

    async def open_epoch(self) -> Epoch | None:
        """Return the epoch that no server has taken up yet, if there is one."""
        rows = await self._read("open_epoch")
        return Epoch(*rows[0]) if rows else None

    async def take_up_epoch(self) -> None:
        """Note that every job of which the database may know too little is uncertain now."""
        await self._write(epochs.take_up, self._clock.now())

    # --- pruning -----------------------------------------------------------------------------

    async def prune_runs(
        self, *, ended_before: int, keys_before: int, after: str = "", dry: bool = False
    ) -> Removed:
        old = pruning.OldRuns(
            ended_before=ended_before, keys_before=keys_before, now=self._clock.now(), after=after, dry=dry
        )
        return await self._write(pruning.prune_runs, old)

    async def prune_deliveries(self, *, received_before: int, after: str = "", dry: bool = False) -> Removed:
        old = pruning.OldDeliveries(received_before=received_before, after=after, dry=dry)
        return await self._write(pruning.prune_deliveries, old)

    async def budgets(self) -> Sequence[str]:
        return [name for (name,) in await self._read("budgets")]

    async def drop_budget(self, resource: str) -> bool:
        return await self._write(pruning.drop_budget, resource)

    async def free_bytes(self) -> int:
        return int(_single(await self._read("free_bytes")))

    async def mentions(self, *, ended_before: int) -> AsyncIterator[bytes]:
        after = 0
        # Asked anew each time: events that were appended meanwhile are looked through as well.
        while after < await self.last_sequence():
            bounds = {"after": after, "last": after + pruning.EVENTS_READ, "ended": ended_before}
            for (data,) in await self._list("mentions", **bounds):
                yield data
            after += pruning.EVENTS_READ
        for (source,) in await self._list("definitions"):
            yield source.encode()

    # --- log ---------------------------------------------------------------------------------

    async def append(self, append: Append) -> None:
        await self._writer.append(append)

    async def read(self, stream: str, *, after: int = 0) -> Sequence[Recorded]:
        if stream.startswith(STREAM):
            rows = await self._read("read_connection", connection=stream.removeprefix(STREAM), after=after)
        else:
            rows = await self._read("read_stream", stream=stream, after=after)
        return [
            Recorded(seq=seq, stream=stream, version=version, type=type, at=at, subject=subject, data=data)
            for seq, version, type, at, subject, data in rows
        ]

    async def tail(
        self,
        *,
        after: int,
        types: Sequence[str] = (),
        stream: str | None = None,
        since: int | None = None,
        limit: int = 1000,
    ) -> Sequence[Recorded]:
        patterns = orjson.dumps(list(types) or ["*"]).decode()
        bounds = {"after": after, "since": since or 0, "limit": limit}
        if stream is not None and stream.startswith(STREAM):
            named = {"stream": stream, "connection": stream.removeprefix(STREAM), "types": patterns}
            rows = await self._list("tail_connection", **named, **bounds)
        elif stream is not None:
            rows = await self._list("tail_stream", stream=stream, types=patterns, **bounds)
        else:
            if since is not None:
                bounds["after"] = max(after, await self._on(self._lister, _below, since))
            if types:
                rows = await self._on(self._lister, _tail_types, patterns, bounds)
            else:
                rows = await self._list("tail", **bounds)
        return [_recorded(row) for row in rows]

    async def last_sequence(self) -> int:
        return int((await self._read("last_sequence"))[0][0])

    async def wait(self, after: int, timeout_s: float) -> None:
        if self._sequence <= after:
            await asyncio.wait([self._news], timeout=timeout_s)

    async def definition(self, digest: str) -> str | None:
        source: str | None = _single(await self._read("definition", digest=digest))
        return source

    # --- inbox -------------------------------------------------------------------------------

    async def put(self, delivery: Delivery) -> None:
        await self._writer.put(delivery)

    def subscribe(self, listener: Callable[[Sequence[Delivery]], None]) -> None:
        self._writer.subscribe(listener)

    async def pending(self, *, after: str = "", limit: int = 500) -> Sequence[Delivery]:
        return _deliveries(await self._read("pending", after=after, limit=limit))

    async def settle(self, settled: Sequence[Settled]) -> None:
        if settled:
            await self._writer.settle(settled)

    async def get(self, delivery: str) -> Delivery | None:
        rows = _deliveries(await self._read("delivery", delivery=delivery))
        return rows[0] if rows else None

    async def find(
        self,
        *,
        job: str | None = None,
        hook: str | None = None,
        verdict: DeliveryVerdict | None = None,
        before: str | None = None,
        limit: int = 50,
    ) -> Sequence[Delivery]:
        bounds = {"verdict": verdict, "before": before or _LAST, "limit": limit}
        if job is not None:
            rows = await self._list("find_deliveries_of_job", job=job, **bounds)
        elif hook is not None:
            rows = await self._list("find_deliveries_of_hook", hook=hook, **bounds)
        elif verdict not in (None, "accepted"):
            rows = await self._list("find_deliveries_not_accepted", **bounds)
        else:
            rows = await self._list("find_deliveries", **bounds)
        return _deliveries(rows)

    # --- schedule ----------------------------------------------------------------------------

    async def due(
        self,
        *,
        connection: str,
        lane: Lane,
        now: int,
        limit: int,
        but: Collection[str] = (),
        lap: Lap = BEGINNING,
    ) -> tuple[Sequence[Due], Lap]:
        asked = turns.Asked(connection, lane, now, limit, frozenset(but))
        return await self._on(self._reader, turns.take, asked, lap)

    async def due_runs(self, *, now: int, limit: int) -> Sequence[str]:
        return [run for (run,) in await self._read("due_runs", now=now, limit=limit)]

    async def due_notices(self, *, now: int, limit: int) -> Sequence[str]:
        return [run for (run,) in await self._read("due_notices", now=now, limit=limit)]

    async def admissible(self) -> Sequence[str]:
        return await self._on(self._reader, lines.admissible)

    async def held(self, resource: str) -> float:
        return float(_single(await self._read("resource", resource=resource)) or 0.0)

    async def spoken_for(self, purse: Purse, job: str) -> float:
        return await self._on(self._reader, lines.spoken_for, purse, job)

    async def cheapest_in_line(self, connection: str) -> float | None:
        asks: float | None = _single(await self._read("cheapest", connection=connection))
        return asks

    async def promise(self, purse: Purse, now: int, lap: Lap) -> Promised:
        return await self._write(lines.promise, purse, now, lap)

    async def ask_anew(self, connection: str, above: float, now: int) -> None:
        await self._write(lines.ask_anew, connection, above, now)

    async def next_wake(self, *, after: int) -> int | None:
        wake_at: int | None = _single(await self._read("next_wake", after=after))
        return wake_at

    async def postpone(self, job: str, wake_at: int | None, asks: float | None = None) -> None:
        await self._writer.postpone(job, wake_at, asks)

    async def hurry(self, connection: str, now: int) -> None:
        await self._writer.hurry(connection, now)

    async def open_jobs(
        self, statuses: Sequence[str], *, after: str = "", limit: int = 1000
    ) -> Sequence[JobRow]:
        names = orjson.dumps(list(statuses)).decode()
        return _jobs(await self._read("open_jobs", statuses=names, after=after, limit=limit))

    async def bound(self, connection: str, tasks: Collection[str]) -> set[str]:
        ids = orjson.dumps(list(tasks)).decode()
        return {id_ for (id_,) in await self._read("bound", connection=connection, tasks=ids)}

    async def in_flight(self) -> dict[str, int]:
        return dict(await self._read("in_flight"))

    async def number(self, scope: str) -> int | None:
        number: int | None = _single(await self._read("number", scope=scope))
        return number

    async def positions(self) -> dict[str, int]:
        return dict(await self._read("positions"))

    async def put_positions(self, moved: dict[str, int], gone: Sequence[str] = ()) -> None:
        await self._writer.put_positions(moved, gone)

    # --- connections -------------------------------------------------------------------------

    async def put_connection(self, row: ConnectionRow, events: Sequence[ConnectionEvent] = ()) -> None:
        await self._writer.put_connection(row, events)

    async def connections(self) -> Sequence[ConnectionRow]:
        return [
            ConnectionRow(**dict(zip(_CONNECTION, row, strict=True)))
            for row in await self._read("connections")
        ]

    # --- audit -------------------------------------------------------------------------------

    async def runs_asleep(self, *, limit: int) -> Sequence[str]:
        return [run for (run,) in await self._list("runs_asleep", limit=limit)]

    async def open_runs(self, *, after: str, limit: int) -> Sequence[OpenRun]:
        rows = await self._list("open_runs", after=after, limit=limit)
        return [
            OpenRun(run, version, recorded or 0, sequence or 0, bool(waits))
            for run, version, recorded, sequence, waits in rows
        ]

    async def correct_version(self, run: str) -> None:
        await self._writer.correct_version(run)

    # --- windows -----------------------------------------------------------------------------

    async def put_windows(self, rows: Sequence[WindowRow]) -> None:
        await self._writer.put_windows(rows)

    async def windows(self) -> Sequence[WindowRow]:
        return [
            WindowRow(
                scope=scope,
                requests=requests,
                period=period,
                sent=[(at, count) for at, count in orjson.loads(sent)],
                ahead=ahead,
                written_at=written_at,
            )
            for scope, requests, period, sent, ahead, written_at in await self._read("rate_windows")
        ]

    # --- views -------------------------------------------------------------------------------

    async def run(self, run: str) -> RunRow | None:
        rows = _runs(await self._read("run", run=run))
        return rows[0] if rows else None

    async def runs(
        self,
        *,
        status: str | None = None,
        workflow: str | None = None,
        label: tuple[str, str] | None = None,
        before: str | None = None,
        limit: int = 50,
    ) -> Sequence[RunRow]:
        asked = {"status": status, "workflow": workflow, "before": before or _LAST, "limit": limit}
        if label is not None:
            return _runs(await self._list("runs_of_label", label=label[0], value=label[1], **asked))
        if status is not None:
            return _runs(await self._list("runs_of_status", **asked))
        return _runs(await self._list("runs" if workflow is None else "runs_of_workflow", **asked))

    async def job(self, job: str) -> JobRow | None:
        rows = _jobs(await self._read("job", job=job))
        return rows[0] if rows else None

    async def jobs(
        self,
        *,
        run: str | None = None,
        status: str | None = None,
        connection: str | None = None,
        before: str | None = None,
        limit: int = 50,
    ) -> Sequence[JobRow]:
        asked = {"status": status, "connection": connection, "before": before or _LAST, "limit": limit}
        if run is not None:
            return _jobs(await self._list("jobs_of_run", run=run, **asked))
        return _jobs(await self._list("jobs" if status is None else "jobs_of_status", **asked))

    async def waiting_jobs(
        self, *, connection: str | None, workflow: str | None, after: str | None, limit: int
    ) -> Sequence[WaitingJob]:
        asked = {"connection": connection, "workflow": workflow, "limit": limit}
        asked["after"] = f"job_{(after or '_').partition('_')[2]}"
        rows = await self._on(self._lister, _waiting, asked)
        return [
            WaitingJob(job, row[-1]) for row, job in zip(rows, _jobs(row[:-1] for row in rows), strict=True)
        ]

    async def waiting_runs(self, *, workflow: str | None, after: str | None, limit: int) -> Sequence[RunRow]:
        # Beyond a run nothing else has its number; a run of the same moment as a job comes after it.
        kind, _, made = (after or "").partition("_")
        least = f"run_{made}" + ("!" if kind == "run" else "")
        return _runs(await self._list("waiting_runs", workflow=workflow, least=least, limit=limit))

    async def group_lines(self) -> Sequence[GroupLine]:
        return await self._on(self._lister, lines.groups)

    async def budget_line(self, connection: str) -> int:
        return int(_single(await self._list("budget_line", connection=connection)))

    async def durations(self, *, called_back: bool, limit: int) -> Sequence[tuple[str, str, float]]:
        rows = await self._list("durations", called_back=called_back, limit=limit)
        return [(connection, operation, micros / 1e6) for connection, operation, micros in reversed(rows)]

    async def run_of_job(self, job: str) -> str | None:
        run: str | None = _single(await self._read("run_of_job", job=job))
        return run

    async def run_of_key(self, key: str) -> tuple[str, IdempotencyKey] | None:
        rows = await self._read("run_of_key", key=key)
        return (rows[0][0], IdempotencyKey(key=key, body_digest=rows[0][1])) if rows else None

    # -----------------------------------------------------------------------------------------

    async def _write(self, work: Callable[..., _T], *arguments: Any) -> _T:
        """Run *work*, a transaction of its own, on the thread that writes. Errors: StoreUnavailable."""
        try:
            return await on_thread(self._connections[0], work, *arguments)
        except sqlite3.Error as error:
            raise trouble.unavailable(error) from error

    async def _read(self, name: str, **arguments: Any) -> list[Any]:
        return await self._on(self._reader, _fetch, _SQL[name], arguments)

    async def _list(self, name: str, **arguments: Any) -> list[Any]:
        return await self._on(self._lister, _fetch, _SQL[name], arguments)

    async def _on(self, db: aiosqlite.Connection, fetch: Callable[..., Found], *arguments: Any) -> Found:
        try:
            return await on_thread(db, fetch, *arguments)
        except sqlite3.Error as error:
            raise trouble.unavailable(error) from error

    def _note(self, batch: Batch) -> None:
        """Wake those who wait for news of the log."""
        if batch.last_sequence > self._sequence:
            self._sequence = batch.last_sequence
            self._news.set_result(None)
            self._news = asyncio.get_running_loop().create_future()


def _fetch(db: sqlite3.Connection, statement: str, arguments: dict[str, Any]) -> list[Any]:
    return db.execute(statement, arguments).fetchall()


def _waiting(db: sqlite3.Connection, asked: dict[str, Any]) -> list[Any]:
    """Merge the next jobs of each open status, by id."""
    found = [db.execute(_SQL["waiting_jobs"], {**asked, "status": status}) for status in sorted(OPEN)]
    return list(islice(heapq.merge(*found, key=lambda row: row[0]), asked["limit"]))


def _below(db: sqlite3.Connection, since: int) -> int:
    """
    Return a sequence below those of all events since *since*, so that the log before it is not read.

    It is found by halving, as times rise with sequences but for what a clock was set back.
    """
    low, high = 0, db.execute(_SQL["last_sequence"]).fetchone()[0]
    while low < high:
        middle = (low + high) // 2
        at = db.execute(_SQL["moment_after"], {"seq": middle}).fetchone()[0]
        low, high = (middle + 1, high) if at < since - _SET_BACK else (low, middle)
    return int(low)


def _tail_types(db: sqlite3.Connection, patterns: str, bounds: dict[str, int]) -> list[Any]:
    """Merge the next events of each type; one transaction, so that all see the same log."""
    db.execute("BEGIN")
    try:
        types = [n for (n,) in db.execute(_SQL["types_like"], {"types": patterns}).fetchall()]
        found = [db.execute(_SQL["tail_type"], {"type": n, **bounds}).fetchall() for n in types]
        sequences = [seq for (seq,) in heapq.merge(*found)][: bounds["limit"]]
        return _fetch(db, _SQL["events_at"], {"sequences": orjson.dumps(sequences).decode()})
    finally:
        db.execute("COMMIT")


def _single(rows: Sequence[Any]) -> Any:
    return rows[0][0] if rows else None


def _recorded(row: Sequence[Any]) -> Recorded:
    seq, stream, version, type, at, subject, data = row
    return Recorded(seq=seq, stream=stream, version=version, type=type, at=at, subject=subject, data=data)


def _runs(rows: Sequence[Any]) -> list[RunRow]:
    return [RunRow(**dict(zip(_RUN, row, strict=True))) for row in rows]


def _jobs(rows: Iterable[Any]) -> list[JobRow]:
    return [JobRow(**dict(zip(_JOB, row, strict=True))) for row in rows]


def _deliveries(rows: Sequence[Any]) -> list[Delivery]:
    return [Delivery(**dict(zip(_DELIVERY, row, strict=True))) for row in rows]
