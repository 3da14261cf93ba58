"""
Numbered migrations: each runs once, in one transaction, and is known by its checksum.

What a released migration says is never changed; a new one is added. Before a database that
holds something is changed, it is copied: the release before cannot use it any more.
"""

import hashlib
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from orchestrator.errors import StoreUnavailable
from orchestrator.store.sqlite import copying

_TABLE = """
CREATE TABLE IF NOT EXISTS migrations (
  number     INTEGER PRIMARY KEY,
  name       TEXT NOT NULL,
  checksum   TEXT NOT NULL,
  applied_at INTEGER NOT NULL
)
"""


@dataclass(frozen=True, slots=True)
class Migration:
    """One step from an older database to a newer one."""

    number: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()


def known() -> list[Migration]:
    """Return the migrations this version knows, in order."""
    folder = files("orchestrator.store").joinpath("sql/sqlite/migrations")
    found = []
    for entry in folder.iterdir():
        number, _, name = entry.name.removesuffix(".sql").partition("_")
        found.append(Migration(int(number), name, entry.read_text("utf-8")))
    return sorted(found, key=lambda migration: migration.number)


def migrate(db: sqlite3.Connection, migrations: list[Migration], now: int) -> None:
    """
    Bring the database to the last of *migrations*.

    Errors:  StoreUnavailable when the database is newer than that, or was brought where it
             is by other migrations than these; nothing was changed then.
    """
    done = applied(db)
    check(done, migrations)
    for migration in migrations:
        if migration.number not in done:
            _apply(db, migration, now)


def migrate_file(db: sqlite3.Connection, path: Path, now: int, *, keeps_old: bool = True) -> Path | None:
    """
    Bring the database *db*, which is the file *path*, up to date.

    Returns the copy of it as it was; None where nothing had to be changed or none was wanted.
    Errors:  see `migrate`; sqlite3.Error when it cannot be copied.
    """
    done, wanted = applied(db), known()
    check(done, wanted)
    kept = None
    if keeps_old and done and len(done) < len(wanted):
        kept = path.with_name(f"{path.name}.before-{max(done) + 1:04}")
        # One that is there is of an attempt that failed; what it was copied from may have gone on since.
        kept.unlink(missing_ok=True)
        copying.copy(db, kept)
    migrate(db, wanted, now)
    return kept


def applied(db: sqlite3.Connection) -> dict[int, str]:
    """
    Return the migrations that the database went through: their checksums by number.

    Errors:  StoreUnavailable when there are tables in it, and none of them tells of migrations.
    """
    tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if tables and "migrations" not in tables:
        raise StoreUnavailable(
            f"the database belongs to something else (it has the table {min(tables)}, and none that "
            "tells of our migrations): name another file in `store`, or move that one away"
        )
    return dict(db.execute("SELECT number, checksum FROM migrations")) if tables else {}


def check(applied: dict[int, str], migrations: list[Migration]) -> None:
    """Errors: StoreUnavailable when this version cannot go on from where the database is."""
    newest = max(migration.number for migration in migrations)
    if applied and max(applied) > newest:
        raise StoreUnavailable(
            f"the database was made by a newer version (migration {max(applied)}; this version "
            f"knows {newest}): use that version, or restore a backup from before the upgrade"
        )
    for migration in migrations:
        if applied.get(migration.number, migration.checksum) != migration.checksum:
            raise StoreUnavailable(
                f"migration {migration.number} ({migration.name}) of the database is not the one "
                "this version knows: the database was made by a build that was never released"
            )


def _apply(db: sqlite3.Connection, migration: Migration, now: int) -> None:
    db.execute("BEGIN IMMEDIATE")
    try:
        db.execute(_TABLE)
        for statement in statements(migration.sql):
            db.execute(statement)
        row = (migration.number, migration.name, migration.checksum, now)
        db.execute("INSERT INTO migrations VALUES (?, ?, ?, ?)", row)
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def statements(sql: str) -> Iterator[str]:
    """Return the statements of a script one by one, for `executescript` would commit in between."""
    text = ""
    for piece in sql.split(";")[:-1]:
        text += piece + ";"
        if sqlite3.complete_statement(text):
            yield text
            text = ""
