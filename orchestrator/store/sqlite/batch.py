"""
What happens on the database thread: everything that waits becomes one transaction.

The whole batch is written with as few statements as possible. If anything in it
turns out wrong, the transaction is rolled back and the batch is written again one
by one, each in a savepoint of its own, so that nobody fails for a neighbour's mistake.
"""

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, field, fields
from itertools import count
from typing import Any

import orjson

from orchestrator.engine.events import SCHEMA, encode
from orchestrator.errors import Conflict
from orchestrator.store import queries
from orchestrator.store.chain import BEGINNING, extend
from orchestrator.store.connections import ConnectionEvent, ConnectionRow
from orchestrator.store.rows import Append, Delivery, JobRow, RunRow, Settled
from orchestrator.store.sqlite import holds, trouble
from orchestrator.store.windows import WindowRow

_SQL = queries.load("sqlite")

Row = tuple[Any, ...]

Postponed = tuple[str, int | None, float | None]
"""A job or a run, its next wake-up, and how many credits it stands in line for."""


@dataclass(slots=True)
class Writing:
    """One append on its way: its events' JSON is made when it is handed in."""

    append: Append
    events: list[tuple[str, int, str, bytes]]

    @classmethod
    def of(cls, append: Append) -> "Writing":
        after = append.expected + len(append.events)
        assert append.run.version == after, "a projection is at the version of its last event"
        events = [(event.type, event.at, event.subject, encode(event)) for event in append.events]
        return cls(append, events)


@dataclass(slots=True)
class Batch:
    """
    Everything that waits at one moment.

    Each list has one entry for each that waits, in the order in which they came;
    *failures* has the errors of single ones by (list, position) once it was written.
    """

    deliveries: list[Row] = field(default_factory=list)
    postponed: list[Postponed] = field(default_factory=list)
    hurried: list[tuple[str, int]] = field(default_factory=list)
    appends: list[Writing] = field(default_factory=list)
    settled: list[Sequence[Settled]] = field(default_factory=list)
    connections: list[tuple[ConnectionRow, Sequence[ConnectionEvent]]] = field(default_factory=list)
    positions: list[tuple[dict[str, int], Sequence[str]]] = field(default_factory=list)
    windows: list[Sequence[WindowRow]] = field(default_factory=list)
    corrected: list[str] = field(default_factory=list)
    checks: list[int] = field(default_factory=list)
    failures: dict[tuple[str, int], BaseException] = field(default_factory=dict)
    last_sequence: int = 0


_LISTS = tuple(f.name for f in fields(Batch) if f.name not in ("failures", "last_sequence"))


def commit(db: sqlite3.Connection, batch: Batch, types: dict[str, int]) -> Batch:
    """
    Write the batch durably and return it with the failures of single ones.

    Errors:  sqlite3.Error when nothing of it was written.
    """
    try:
        _in_transaction(db, lambda: _write_together(db, batch, types))
    except Exception as error:
        # Whatever it is: if it was one entry's fault, the others must not pay for it.
        if trouble.may_pass(error) or trouble.is_broken(error):
            raise
        batch.failures.clear()
        _in_transaction(db, lambda: _write_one_by_one(db, batch, types))
    return batch


def _in_transaction(db: sqlite3.Connection, write: Callable[[], None]) -> None:
    db.execute(_SQL["begin"])
    try:
        write()
        db.execute(_SQL["commit"])
    except BaseException:
        if db.in_transaction:
            db.execute(_SQL["rollback"])
        raise


def _write_together(db: sqlite3.Connection, batch: Batch, types: dict[str, int]) -> None:
    """
    Postponing comes before appending: should both concern one job, it wakes too early rather than too late.
    """
    _insert(db, "put_deliveries", batch.deliveries)
    _postpone(db, batch.postponed)
    if batch.hurried:
        db.execute(_SQL["hurry"], (orjson.dumps(batch.hurried).decode(),))
    if batch.appends:
        rejected = _append(db, batch.appends, types)
        batch.failures.update({("appends", i): error for i, error in rejected.items()})
        batch.last_sequence = db.execute(_SQL["last_sequence"]).fetchone()[0]
    _settle(db, [one for group in batch.settled for one in group])
    if batch.connections:
        _put_connections(db, batch.connections, types)
        batch.last_sequence = db.execute(_SQL["last_sequence"]).fetchone()[0]
    for moved, gone in batch.positions:
        _insert(db, "put_positions", list(moved.items()))
        db.execute(_SQL["drop_positions"], (orjson.dumps(gone).decode(),))
    _insert(db, "put_rate_windows", [_window_row(row) for rows in batch.windows for row in rows])
    if batch.corrected:
        db.execute(_SQL["correct_versions"], (orjson.dumps(batch.corrected).decode(),))
    if batch.checks:
        db.execute(_SQL["write_readiness"], (max(batch.checks),))


def _write_one_by_one(db: sqlite3.Connection, batch: Batch, types: dict[str, int]) -> None:
    for name in _LISTS:
        for position, entry in enumerate(getattr(batch, name)):
            alone = Batch()
            getattr(alone, name).append(entry)
            db.execute(_SQL["savepoint"])
            try:
                _write_together(db, alone, types)
            except Exception as error:
                # Trouble of the whole database goes up; all else belongs to this entry alone.
                if trouble.may_pass(error) or trouble.is_broken(error):
                    raise
                db.execute(_SQL["undo"])
                alone.failures[name, 0] = (
                    trouble.refusal(error) if isinstance(error, sqlite3.Error) else error
                )
            db.execute(_SQL["release"])
            if alone.failures:
                batch.failures[name, position] = alone.failures[name, 0]
            batch.last_sequence = max(batch.last_sequence, alone.last_sequence)


def _append(
    db: sqlite3.Connection, appends: Sequence[Writing], types: dict[str, int]
) -> dict[int, BaseException]:
    """Write the appends that may be; return a Conflict or NoRoom for each of the others."""
    at = _versions(db, appends)
    rejected: dict[int, BaseException] = {}
    good: list[tuple[int, Writing]] = []
    chains: dict[int, bytes | None] = {}
    unused = _unused_numbers(db)
    for position, writing in enumerate(appends):
        run, expected = writing.append.run, writing.append.expected
        n, version, chain = at.get(run.id, (0, 0, BEGINNING))
        if version != expected:
            rejected[position] = Conflict(f"{run.id} is at version {version}, not at {expected}")
            continue
        if writing.append.holds and (full := holds.take(db, writing.append.holds)) is not None:
            rejected[position] = full
            continue
        n = n or next(unused)
        chains[n] = chain = extend(chain, version + 1, writing.events) if chain is not None else None
        at[run.id] = n, expected + len(writing.events), chain
        good.append((n, writing))
    _write_appends(db, good, chains, types)
    return rejected


def _versions(db: sqlite3.Connection, appends: Sequence[Writing]) -> dict[str, tuple[int, int, bytes | None]]:
    """Return number, version and chain of every run that exists."""
    ids = orjson.dumps([writing.append.run.id for writing in appends]).decode()
    found = orjson.loads(db.execute(_SQL["versions"], (ids,)).fetchone()[0])
    return {
        run: (n, version, bytes.fromhex(chain) if chain is not None else None)
        for run, n, version, chain in found
    }


def _unused_numbers(db: sqlite3.Connection) -> Iterator[int]:
    """Yield numbers for new runs, beyond those in the database, which is asked when the first is wanted."""
    yield from count(db.execute(_SQL["last_run_number"]).fetchone()[0] + 1)


def _write_appends(
    db: sqlite3.Connection,
    appends: Sequence[tuple[int, Writing]],
    chains: Mapping[int, bytes | None],
    types: dict[str, int],
) -> None:
    """Write what the appends hold; of a run or job that several touch only the last row."""
    runs: dict[int, RunRow] = {}
    jobs: dict[str, tuple[int, JobRow]] = {}
    events: list[Row] = []
    settled: list[Settled] = []
    numbers: list[tuple[str, int]] = []
    for n, writing in appends:
        append = writing.append
        runs[n] = append.run
        jobs.update({job.id: (n, job) for job in append.jobs})
        events += _event_rows(n, writing, types)
        settled += append.settled
        numbers += append.numbers
    started = [(n, writing.append) for n, writing in appends if writing.append.expected == 0]
    _insert(db, "put_definitions", [a.definition for _, a in started if a.definition])
    _insert(db, "put_runs", [_run_row(n, run, chains[n]) for n, run in runs.items()])
    _insert(db, "put_jobs", [_job_row(n, job) for n, job in jobs.values()])
    _insert(db, "put_events", events)
    _insert(db, "put_numbers", numbers)
    _settle(db, settled)
    _postpone(db, [(job, at, None) for _, writing in appends for job, at in writing.append.wakes])
    _put_names(db, started)


def _put_names(db: sqlite3.Connection, started: Sequence[tuple[int, Append]]) -> None:
    """Write what new runs can be found by: their idempotency keys and labels."""
    keys = [
        (append.idempotency.key, append.idempotency.body_digest, n)
        for n, append in started
        if append.idempotency
    ]
    _insert(db, "put_idempotency_keys", keys)
    for n, append in started:
        if append.run.labels != b"{}":
            db.execute(_SQL["put_labels"], {"run": n, "labels": append.run.labels.decode()})


def _window_row(row: WindowRow) -> Row:
    sent = orjson.dumps(row.sent).decode()
    return row.scope, row.requests, row.period, sent, row.ahead, row.written_at


def _insert(db: sqlite3.Connection, name: str, rows: Sequence[Sequence[Any]]) -> None:
    for statement, arguments in queries.in_chunks(_SQL[name], rows):
        db.execute(statement, arguments)


def _settle(db: sqlite3.Connection, settled: Sequence[Settled]) -> None:
    if settled:
        rows = [(s.delivery, s.verdict, s.duplicate_of, s.error, s.run) for s in settled]
        db.execute(_SQL["settle"], (orjson.dumps(rows).decode(),))


def _postpone(db: sqlite3.Connection, postponed: Sequence[Postponed]) -> None:
    if postponed:
        # Through a dict, because of two rows for one job UPDATE … FROM takes either.
        rows = list({row[0]: row for row in postponed}.values())
        runs = [row for row in rows if row[0].startswith("run_")]
        db.execute(_SQL["postpone"], (orjson.dumps(rows).decode(),))
        if runs:
            db.execute(_SQL["postpone_runs"], (orjson.dumps(runs).decode(),))


def _put_connections(
    db: sqlite3.Connection,
    written: Sequence[tuple[ConnectionRow, Sequence[ConnectionEvent]]],
    types: dict[str, int],
) -> None:
    """Write how connections stand, and what changed: their streams take the next versions there are."""
    rows = {row.name: astuple(row) for row, _ in written}
    db.execute(_SQL["put_connections"], (orjson.dumps(list(rows.values())).decode(),))
    for row, events in written:
        for event in events:
            db.execute(
                _SQL["put_connection_event"],
                {
                    "name": row.name,
                    "type": types[event.type],
                    "at": event.at,
                    "schema": SCHEMA,
                    "data": orjson.dumps(event),
                },
            )


def _event_rows(n: int, writing: Writing, types: dict[str, int]) -> list[Row]:
    first = writing.append.expected + 1
    return [
        (n, version, types[type], at, subject, SCHEMA, data)
        for version, (type, at, subject, data) in enumerate(writing.events, first)
    ]


def delivery_row(d: Delivery) -> Row:
    """Return the delivery as `put_deliveries` takes it."""
    return (
        d.id,
        d.job,
        d.connection,
        d.received_at,
        d.method,
        d.query,
        d.headers,
        d.content_type,
        d.body,
        d.size,
        d.remote,
        d.verdict,
        d.duplicate_of,
        d.error,
        d.redelivery_of,
        d.hook,
        d.run,
    )


def _run_row(n: int, r: RunRow, chain: bytes | None) -> Row:
    return (
        n,
        r.id,
        r.workflow,
        r.digest,
        r.status,
        r.version,
        r.labels,
        r.inputs,
        r.outputs,
        r.error,
        r.created_at,
        r.started_at,
        r.finished_at,
        r.wake_at,
        r.waits_for,
        chain,
    )


def _job_row(n: int, j: JobRow) -> Row:
    return (
        j.id,
        n,
        j.step,
        j.index,
        j.attempt,
        j.connection,
        j.operation,
        j.status,
        j.task_id,
        j.lane,
        j.wake_at,
        j.deadline_at,
        j.created_at,
        j.submitted_at,
        j.finished_at,
        j.credits,
        j.error,
        j.reserved,
    )
