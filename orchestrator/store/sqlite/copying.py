"""Copies of a database, of one moment, also while a server writes to it."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

from orchestrator.errors import StoreInUse, StoreUnavailable
from orchestrator.store.sqlite.lock import LockFile


@contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    """
    Open the database at *path* for reading, beside a server where one has it open.

    Where none has, the lock is held meanwhile, and what a killed server left in its log is taken up.
    Errors:  StoreUnavailable, also for whatever SQLite raises in the block.
    """
    if not path.exists():
        raise StoreUnavailable(f"there is no database at {path}")
    lock, mode = LockFile(path), "rw"
    try:
        lock.take()
    except (StoreInUse, StoreUnavailable):
        mode = "ro"
    try:
        uri = f"file:{quote(str(path.absolute()))}?mode={mode}"
        with closing(sqlite3.connect(uri, uri=True, isolation_level=None, timeout=5.0)) as db:
            db.execute("PRAGMA query_only = ON")
            yield db
    except sqlite3.Error as error:
        raise StoreUnavailable(f"cannot read {path}: {error}") from error
    finally:
        lock.release()


def copy(db: sqlite3.Connection, target: Path) -> None:
    """
    Write the database as it is at this moment to the new file *target*, durably, and see that it is whole.

    One step for all pages: a copy in several would begin anew whenever a server writes in between.
    Errors:  sqlite3.Error; StoreUnavailable for a copy that is damaged. Nothing is left behind then.
    """
    try:
        # Made here, so that nobody else can read it.
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        with closing(sqlite3.connect(target, isolation_level=None)) as twin:
            db.backup(twin)
            found = twin.execute("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":
            raise StoreUnavailable(f"the database is damaged: {found}")
        with target.open("rb") as file:
            os.fsync(file.fileno())
    except BaseException:
        for name in (target.name, f"{target.name}-wal", f"{target.name}-shm", f"{target.name}-journal"):
            target.with_name(name).unlink(missing_ok=True)
        raise
