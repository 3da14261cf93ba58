"""Looks at a database without changing it: who uses it, and whether this version can."""

import sqlite3
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from orchestrator.errors import StoreUnavailable
from orchestrator.store.sqlite import migrations
from orchestrator.store.sqlite.lock import LockFile


@dataclass(frozen=True, slots=True)
class Inspection:
    """What a file holds. *migration* None: there is no database yet. *newest*: what this version knows."""

    migration: int | None
    newest: int


def inspect(path: Path) -> Inspection:
    """
    Return what the file at *path* holds. Nothing is made and nothing is migrated.

    Errors:  StoreInUse when a server has it open; StoreUnavailable when this version cannot use it.
    """
    lock = LockFile(path)
    if lock.exists:
        lock.take()
    try:
        return _read(path)
    finally:
        lock.release()


def _read(path: Path) -> Inspection:
    known = migrations.known()
    newest = known[-1].number
    if not path.exists():
        return Inspection(None, newest)
    try:
        db = sqlite3.connect(f"file:{quote(str(path.absolute()))}?mode=ro", uri=True)
        try:
            applied = migrations.applied(db)
            migrations.check(applied, known)
        finally:
            db.close()
    except sqlite3.Error as error:
        raise StoreUnavailable(f"cannot read {path}: {error}") from error
    return Inspection(max(applied, default=None), newest)
