"""What is SQLite's own: one server a file, migrations, one transaction for many, real disk trouble."""

import asyncio
import re
import resource
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

import pytest

from orchestrator.clock import SystemClock
from orchestrator.errors import Refused, StoreInUse, StoreUnavailable
from orchestrator.store import queries
from orchestrator.store.rows import Append, Delivery, JobRow
from orchestrator.store.sqlite import SqliteStore, migrations
from orchestrator.store.sqlite.migrations import Migration
from orchestrator.store.sqlite.writer import on_thread

MakeAppend = Callable[..., Append]
MakeDelivery = Callable[..., Delivery]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "orchestrator.db"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[SqliteStore]:
    store = await SqliteStore.open(path, clock=SystemClock(), busy_s=0.05)
    yield store
    await store.close()


async def pragma(store: SqliteStore, text: str) -> object:
    """Run a pragma on the writing connection."""
    rows = await on_thread(store._connections[0], lambda db: db.execute(f"PRAGMA {text}").fetchone())
    return rows[0] if rows else None


# --- opening ----------------------------------------------------------------------------------


async def test_a_second_server_is_told_who_holds_the_file(store: SqliteStore, path: Path) -> None:
    with pytest.raises(StoreInUse, match=rf"another server \(process \d+\) is using {path}: stop it"):
        await SqliteStore.open(path, clock=SystemClock())


async def test_a_closed_store_can_be_opened_again(
    path: Path, append: MakeAppend, delivery: MakeDelivery
) -> None:
    for n in range(3):
        store = await SqliteStore.open(path, clock=SystemClock())
        await store.append(append(n))
        await store.put(delivery(n))
        await store.close()

    store = await SqliteStore.open(path, clock=SystemClock())

    assert await store.last_sequence() == 3
    assert len(await store.pending()) == 3
    await store.close()


async def test_after_closing_nothing_is_taken(path: Path, delivery: MakeDelivery) -> None:
    store = await SqliteStore.open(path, clock=SystemClock())
    await store.close()

    with pytest.raises(StoreUnavailable, match="closed"):
        await store.put(delivery())


async def test_closing_writes_what_waits(path: Path, delivery: MakeDelivery) -> None:
    store = await SqliteStore.open(path, clock=SystemClock())
    puts = [asyncio.create_task(store.put(delivery(n))) for n in range(10)]
    await asyncio.sleep(0)

    await store.close()

    await asyncio.gather(*puts)


@pytest.mark.parametrize("content", [b"this is no database" * 100, b"SQLite format 3\x00" + b"\xff" * 5000])
def test_a_file_that_is_no_database_is_refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)

    with pytest.raises(StoreUnavailable, match="cannot open"):
        asyncio.run(SqliteStore.open(path, clock=SystemClock()))
    assert path.read_bytes() == content


async def test_a_folder_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="cannot open"):
        await SqliteStore.open(tmp_path / "nowhere" / "x.db", clock=SystemClock())


async def test_what_is_acknowledged_is_on_disk(store: SqliteStore) -> None:
    assert await pragma(store, "journal_mode") == "wal"
    assert await pragma(store, "synchronous") == 2
    assert await pragma(store, "foreign_keys") == 1


async def test_readers_cannot_write(store: SqliteStore) -> None:
    for reader in store._connections[1:]:
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            await on_thread(reader, lambda db: db.execute("DELETE FROM runs"))


# --- migrations -------------------------------------------------------------------------------


def shape(db: sqlite3.Connection) -> list[tuple[str, ...]]:
    """Return every table, index and view with its text, comments and spacing left out."""
    rows = db.execute("SELECT type, name, coalesce(sql, '') FROM sqlite_master ORDER BY type, name")
    plain = [(kind, name, re.sub(r"--.*", "", sql)) for kind, name, sql in rows if name != "migrations"]
    tidy = [(kind, name, " ".join(sql.split())) for kind, name, sql in plain]
    # A column that was added later is written behind a space.
    return [(kind, name, sql.replace(" ,", ",").replace(" )", ")")) for kind, name, sql in tidy]


def test_the_schema_and_the_migrations_build_the_same() -> None:
    described, migrated = sqlite3.connect(":memory:"), sqlite3.connect(":memory:", isolation_level=None)
    described.executescript(files("orchestrator.store").joinpath("sql/sqlite/schema.sql").read_text("utf-8"))

    migrations.migrate(migrated, migrations.known(), 1)

    assert shape(migrated) == shape(described)
    described.close()
    migrated.close()


@pytest.fixture
def db() -> Iterator[sqlite3.Connection]:
    db = sqlite3.connect(":memory:", isolation_level=None)
    yield db
    db.close()


def test_a_log_of_the_first_version_is_carried_over(db: sqlite3.Connection) -> None:
    migrations.migrate(db, migrations.known()[:1], 1)
    db.execute("PRAGMA foreign_keys = ON")
    run = (1, "run_1", "w", "d", "running", 2, b"{}", b"{}", 5)
    db.execute(f"INSERT INTO runs VALUES ({', '.join('?' * 8)}, NULL, NULL, ?, NULL, NULL, NULL)", run)
    db.execute("INSERT INTO event_types VALUES (1, 'run.created')")
    for seq, version in ((3, 1), (7, 2)):
        db.execute("INSERT INTO events VALUES (?, 1, ?, 1, 9, '', 1, ?)", (seq, version, b"{}"))

    migrations.migrate(db, migrations.known(), 2)

    kept = db.execute("SELECT seq, run, version, type, at, subject, schema, data, connection FROM events")
    assert kept.fetchall() == [(3, 1, 1, 1, 9, "", 1, b"{}", None), (7, 1, 2, 1, 9, "", 1, b"{}", None)]
    assert db.execute("PRAGMA foreign_key_check").fetchall() == []


def test_migrations_are_numbered_without_gaps() -> None:
    numbers = [migration.number for migration in migrations.known()]

    assert numbers == list(range(1, len(numbers) + 1))


def test_only_what_is_missing_is_applied(db: sqlite3.Connection) -> None:
    first = Migration(1, "first", "CREATE TABLE a (x); -- one; two\nCREATE TABLE b (x);")
    second = Migration(2, "second", "ALTER TABLE a ADD COLUMN y;")
    migrations.migrate(db, [first], 1)

    migrations.migrate(db, [first, second], 2)
    migrations.migrate(db, [first, second], 3)

    assert db.execute("SELECT number, name, applied_at FROM migrations").fetchall() == [
        (1, "first", 1),
        (2, "second", 2),
    ]


def test_a_database_of_something_else_is_refused_and_left_as_it_was(db: sqlite3.Connection) -> None:
    db.execute("CREATE TABLE invoices (x)")

    with pytest.raises(StoreUnavailable, match=r"belongs to something else \(it has the table invoices"):
        migrations.migrate(db, migrations.known(), 1)

    assert [name for (name,) in db.execute("SELECT name FROM sqlite_master")] == ["invoices"]


def test_a_newer_database_is_refused(db: sqlite3.Connection) -> None:
    first, second = (
        Migration(1, "first", "CREATE TABLE a (x);"),
        Migration(2, "second", "CREATE TABLE b (x);"),
    )
    migrations.migrate(db, [first, second], 1)

    with pytest.raises(StoreUnavailable, match=r"newer version \(migration 2; this version knows 1\)"):
        migrations.migrate(db, [first], 2)


def test_a_migration_that_was_changed_is_refused(db: sqlite3.Connection) -> None:
    migrations.migrate(db, [Migration(1, "first", "CREATE TABLE a (x);")], 1)

    with pytest.raises(StoreUnavailable, match="migration 1"):
        migrations.migrate(db, [Migration(1, "first", "CREATE TABLE b (x);")], 2)


def test_a_migration_that_fails_changes_nothing(db: sqlite3.Connection) -> None:
    bad = Migration(1, "bad", "CREATE TABLE a (x);\nCREATE TABLE a (x);")

    with pytest.raises(sqlite3.OperationalError):
        migrations.migrate(db, [bad], 1)
    assert shape(db) == []


# --- one transaction for all that wait ---------------------------------------------------------


async def test_all_that_wait_take_one_hop_to_the_database_thread(
    store: SqliteStore, append: MakeAppend, delivery: MakeDelivery
) -> None:
    hops = 0
    connection = store._connections[0]
    hop = connection._execute

    async def counted(*arguments: object) -> object:
        nonlocal hops
        hops += 1
        return await hop(*arguments)  # type: ignore[no-untyped-call]

    connection._execute = counted  # type: ignore[method-assign]
    waiting = [store.put(delivery(n)) for n in range(100)]
    waiting += [store.append(append(n)) for n in range(100)]
    waiting += [store.postpone("job_001", 1), store.check()]
    await asyncio.gather(*waiting)

    assert hops == 1


async def test_a_batch_with_one_wrong_entry_is_still_one_transaction(
    store: SqliteStore, path: Path, append: MakeAppend, job_row: Callable[..., JobRow], delivery: MakeDelivery
) -> None:
    bad = append(2, parts={"jobs": [job_row(2, 2, lane="sleep", wake_at=1)]})
    other = sqlite3.connect(path)
    before = other.execute("PRAGMA data_version").fetchone()

    waiting = [store.append(append(n)) for n in (1, 3)] + [store.append(bad)]
    waiting += [store.put(delivery(n)) for n in range(5)]
    results = await asyncio.gather(*waiting, return_exceptions=True)

    assert [type(result) for result in results[:3]] == [type(None), type(None), Refused]
    assert results[3:] == [None] * 5
    assert other.execute("PRAGMA data_version").fetchone() == (before[0] + 1,)
    assert other.execute("SELECT count(*) FROM deliveries").fetchone() == (5,)
    other.close()


async def test_text_that_no_database_takes_fails_alone(store: SqliteStore, delivery: MakeDelivery) -> None:
    results = await asyncio.gather(
        store.put(delivery(1, query="\ud800")), store.put(delivery(2)), return_exceptions=True
    )

    assert isinstance(results[0], UnicodeEncodeError)
    assert results[1] is None


async def test_the_log_can_be_read_by_hand(store: SqliteStore, path: Path, append: MakeAppend) -> None:
    await store.append(append(events=None, count=1))

    other = sqlite3.connect(path)
    rows = other.execute("SELECT * FROM event_log").fetchall()
    other.close()
    assert rows == [(1, "run_001", 1, "run.started", "1970-01-01T00:00:00.000Z", "", '{"at":1}')]


_SORTED = {"find_deliveries_of_job", "jobs_of_run", "runs_of_label", "open_jobs", "open_runs", "events_at"}
"""These sort what one job, run or label has, what is open at start, or one page."""

_WHOLE = {"in_flight", "last_sequence", "event_types", "types_like", "rate_windows", "runs_asleep"}
"""These read a whole index or a table of a few rows, or only its end."""


@pytest.mark.parametrize(
    "name",
    [
        name
        for name, sql in queries.load("sqlite").items()
        if sql.startswith(("SELECT", "WITH")) and name not in _WHOLE | {"versions", "last_run_number"}
    ],
)
async def test_no_question_reads_a_whole_table(store: SqliteStore, path: Path, name: str) -> None:
    sql = queries.load("sqlite")[name]
    arguments = dict.fromkeys(re.findall(r":(\w+)", sql), "[]")

    other = sqlite3.connect(path)
    plan = [row[3] for row in other.execute(f"EXPLAIN QUERY PLAN {sql}", arguments)]
    other.close()

    assert not [line for line in plan if re.match(r"SCAN (r|j|e|l|k|t|runs|jobs|events|deliveries)\b", line)]
    assert name in _SORTED or not [line for line in plan if "TEMP B-TREE" in line]


async def test_slots_are_counted_from_an_index_alone(store: SqliteStore, path: Path) -> None:
    other = sqlite3.connect(path)
    plan = [row[3] for row in other.execute(f"EXPLAIN QUERY PLAN {queries.load('sqlite')['in_flight']}")]
    other.close()

    assert plan == ["SCAN jobs USING COVERING INDEX jobs_in_flight"]


# --- trouble ----------------------------------------------------------------------------------


async def test_a_full_disk_fails_what_waits_and_the_store_recovers(
    store: SqliteStore, append: MakeAppend, delivery: MakeDelivery
) -> None:
    await store.put(delivery(1))
    pages = await pragma(store, "page_count")
    await pragma(store, f"max_page_count = {pages}")

    big = [store.put(delivery(n, body=b"x" * 100_000)) for n in (2, 3)]
    results = await asyncio.gather(*big, store.append(append()), return_exceptions=True)

    assert [type(result) for result in results] == [StoreUnavailable] * 3
    assert "full" in str(results[0])
    assert [d.id for d in await store.pending()] == ["dlv_001"]
    assert store.failed is None

    await pragma(store, "max_page_count = 1000000")
    await store.put(delivery(2, body=b"x" * 100_000))
    await store.check()
    assert len(await store.pending()) == 2


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Let the system refuse every write beyond *size* bytes of a file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_a_disk_that_refuses_to_write_fails_the_check_and_the_store_recovers(
    store: SqliteStore, delivery: MakeDelivery
) -> None:
    with largest_file(1000):
        with pytest.raises(StoreUnavailable):
            await store.check()
        with pytest.raises(StoreUnavailable):
            await store.put(delivery(1))

    await store.check()
    await store.put(delivery(1))
    assert [d.id for d in await store.pending()] == ["dlv_001"]


async def test_a_read_only_database_fails_what_waits_and_the_store_recovers(
    store: SqliteStore, delivery: MakeDelivery
) -> None:
    await pragma(store, "query_only = ON")

    with pytest.raises(StoreUnavailable, match="readonly"):
        await store.check()
    with pytest.raises(StoreUnavailable, match="readonly"):
        await store.put(delivery(1))

    await pragma(store, "query_only = OFF")
    await store.put(delivery(1))


async def test_a_locked_database_fails_what_waits_and_the_store_recovers(
    store: SqliteStore, path: Path, delivery: MakeDelivery
) -> None:
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    with pytest.raises(StoreUnavailable, match="locked"):
        await store.put(delivery(1))
    assert list(await store.pending()) == []

    other.execute("ROLLBACK")
    other.close()
    await store.put(delivery(1))


@pytest.mark.parametrize("ending", ["", "-wal"])
@pytest.mark.parametrize("replaced", [False, True])
async def test_nothing_is_acknowledged_that_the_next_start_would_not_find(
    store: SqliteStore, path: Path, delivery: MakeDelivery, ending: str, replaced: bool
) -> None:
    await store.put(delivery(1))
    file, away = path.with_name(path.name + ending), path.with_name("away")
    file.rename(away)
    if replaced:
        shutil.copy(away, file)

    with pytest.raises(StoreUnavailable, match="was moved, replaced or deleted"):
        await store.put(delivery(2))
    with pytest.raises(StoreUnavailable, match=file.name):
        await store.check()

    away.rename(file)
    await store.put(delivery(3))
    assert [d.id for d in await store.pending()] == ["dlv_001", "dlv_003"]
    assert store.failed is None


async def test_a_log_that_grew_while_somebody_read_is_cut_back_afterwards(
    store: SqliteStore, path: Path, delivery: MakeDelivery
) -> None:
    log, mib = path.with_name(path.name + "-wal"), 1 << 20
    reader = sqlite3.connect(path, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM deliveries").fetchone()
    for n in range(80):
        await store.put(delivery(n, body=bytes(mib)))
    assert log.stat().st_size > 80 * mib, "what somebody still reads cannot be written over"

    reader.close()
    for n in range(80, 90):
        await store.put(delivery(n, body=bytes(mib)))

    assert log.stat().st_size <= 64 * mib
    assert len(await store.pending(limit=100)) == 90


async def test_a_writer_that_dies_fails_everybody_and_says_so(path: Path, delivery: MakeDelivery) -> None:
    store = await SqliteStore.open(path, clock=SystemClock())
    told: list[BaseException] = []
    store.on_failure(told.append)
    await store._connections[0].close()

    results = await asyncio.gather(*(store.put(delivery(n)) for n in (1, 2)), return_exceptions=True)

    assert [type(result) for result in results] == [StoreUnavailable] * 2
    with pytest.raises(StoreUnavailable, match="has stopped"):
        await store.put(delivery(3))
    assert store.failed is told[0]
    await store.close()


async def test_a_writer_that_is_cancelled_leaves_nobody_waiting(path: Path, delivery: MakeDelivery) -> None:
    store = await SqliteStore.open(path, clock=SystemClock())
    put = asyncio.create_task(store.put(delivery(1)))
    await asyncio.sleep(0)
    store._writer._task.cancel()

    with pytest.raises(StoreUnavailable):
        await put
    assert isinstance(store.failed, asyncio.CancelledError)
    await store.close()


def damage(path: Path) -> None:
    """Overwrite every page but the first."""
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (path.stat().st_size - 4096))


async def test_a_damaged_file_stops_the_writer(
    store: SqliteStore, path: Path, delivery: MakeDelivery
) -> None:
    await asyncio.gather(*(store.put(delivery(n, body=b"x" * 3000)) for n in range(200)))
    await pragma(store, "wal_checkpoint(TRUNCATE)")
    damage(path)
    await pragma(store, "shrink_memory")

    with pytest.raises(StoreUnavailable, match="malformed"):
        await store.put(delivery(999))
    assert isinstance(store.failed, sqlite3.DatabaseError)


_CHILD = """
import asyncio, sys
from pathlib import Path
from orchestrator.clock import SystemClock
from orchestrator.store.rows import Delivery
from orchestrator.store.sqlite import SqliteStore

async def write(store, worker):
    for n in range(100_000):
        id = f"dlv_{worker:02}_{n:06}"
        await store.put(Delivery(id=id, job="job_1", connection="pizi", received_at=1, method="POST",
            query="", headers=b"[]", content_type="", body=id.encode() * 20, size=1, remote=""))
        sys.stdout.write(id + "\\n")
        sys.stdout.flush()

async def main():
    store = await SqliteStore.open(Path(sys.argv[1]), clock=SystemClock())
    await asyncio.gather(*(write(store, worker) for worker in range(16)))

asyncio.run(main())
"""


def acknowledged_before_kill(path: Path, lines: int) -> set[str]:
    """Let another process write, kill it after so many lines, and return what it had acknowledged."""
    child = subprocess.Popen([sys.executable, "-c", _CHILD, str(path)], stdout=subprocess.PIPE)
    assert child.stdout is not None
    printed = [child.stdout.readline() for _ in range(lines)]
    child.kill()
    printed += child.stdout.read().splitlines(keepends=True)
    child.stdout.close()
    child.wait()
    return {line.decode().strip() for line in printed if line.endswith(b"\n")}


@pytest.mark.parametrize("lines", [1, 500, 3000])
async def test_a_killed_server_has_lost_nothing_it_acknowledged(path: Path, lines: int) -> None:
    acknowledged = acknowledged_before_kill(path, lines)

    store = await SqliteStore.open(path, clock=SystemClock())
    kept = {d.id: d.body for d in await store.pending(limit=1_000_000)}
    integrity = await pragma(store, "integrity_check")
    await store.close()

    assert len(acknowledged) >= lines
    assert acknowledged <= kept.keys()
    assert all(body == id.encode() * 20 for id, body in kept.items())
    assert integrity == "ok"
