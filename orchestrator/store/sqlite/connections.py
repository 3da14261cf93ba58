"""The database connections to the file: one that writes, and two that only read."""

import sqlite3
from dataclasses import dataclass
from pathlib import Path

import aiosqlite
import orjson

from orchestrator.errors import StoreUnavailable
from orchestrator.store import queries
from orchestrator.store.log import TYPES
from orchestrator.store.sqlite import migrations
from orchestrator.store.sqlite.place import Place
from orchestrator.store.sqlite.writer import on_thread

_OLDEST = (3, 38, 0)
"""The first SQLite with the `->>` operator."""

_WRITING = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    "PRAGMA cache_size = -16000",
    "PRAGMA temp_store = MEMORY",
    # Checkpoints stall the writer: fewer and larger ones than every 4 MB, but the file stays small.
    "PRAGMA wal_autocheckpoint = 4000",
    "PRAGMA journal_size_limit = 67108864",
)
_READING = ("PRAGMA query_only = ON", "PRAGMA cache_size = -4000", "PRAGMA temp_store = MEMORY")


@dataclass(frozen=True, slots=True)
class Prepared:
    """
    A database that is up to date.

    *types*: the numbers of the event types. *kept*: the copy of it as it was, where it had to be migrated.
    """

    place: Place
    types: dict[str, int]
    kept: Path | None


async def open_writer(
    path: Path, *, now: int, busy_s: float, keeps_old: bool
) -> tuple[aiosqlite.Connection, Prepared]:
    """Return the writing connection on a migrated database."""
    if sqlite3.sqlite_version_info < _OLDEST:
        raise StoreUnavailable(f"SQLite {sqlite3.sqlite_version} is too old: 3.38 or newer is needed")
    db = await _connect(path, busy_s)
    try:
        return db, await on_thread(db, _prepare, path, now, keeps_old)
    except BaseException:
        await db.close()
        raise


async def open_reader(path: Path, *, busy_s: float) -> aiosqlite.Connection:
    """Return a connection that cannot write. It sees what was committed and holds no writer up."""
    db = await _connect(path, busy_s)
    try:
        await on_thread(db, _pragmas, _READING)
    except BaseException:
        await db.close()
        raise
    return db


async def _connect(path: Path, busy_s: float) -> aiosqlite.Connection:
    return await aiosqlite.connect(path, timeout=busy_s, isolation_level=None, cached_statements=256)


def _pragmas(db: sqlite3.Connection, pragmas: tuple[str, ...]) -> None:
    for pragma in pragmas:
        db.execute(pragma)


def _prepare(db: sqlite3.Connection, path: Path, now: int, keeps_old: bool) -> Prepared:
    _pragmas(db, _WRITING)
    mode = db.execute("PRAGMA journal_mode").fetchone()[0]
    if mode != "wal":
        raise StoreUnavailable(
            f"the database cannot use a write-ahead log (its journal mode is {mode!r}): "
            "keep it on a local disk, not on a network file system"
        )
    kept = migrations.migrate_file(db, path, now, keeps_old=keeps_old)
    sql = queries.load("sqlite")
    db.execute(sql["put_event_types"], (orjson.dumps(sorted(TYPES)).decode(),))
    return Prepared(Place(path), dict(db.execute(sql["event_types"]).fetchall()), kept)
