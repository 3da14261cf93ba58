"""What a database is told when it comes from a backup: it knows less than the world."""

import sqlite3

from orchestrator.store import queries
from orchestrator.times import SECOND

_SQL = queries.load("sqlite")


def begin(db: sqlite3.Connection, taken_at: int, restored_at: int, number: int) -> None:
    """Note the restore, and move every counter beyond what may have been used since the backup."""
    since_s = max(restored_at - taken_at, 0) // SECOND
    db.execute(_SQL["begin"])
    try:
        db.execute(_SQL["begin_epoch"], (taken_at, restored_at))
        db.execute(_SQL["raise_numbers"], {"since": since_s, "number": number})
        db.execute(_SQL["commit"])
    except BaseException:
        if db.in_transaction:
            db.execute(_SQL["rollback"])
        raise


def take_up(db: sqlite3.Connection, now: int) -> None:
    """Note that a server has taken it up."""
    db.execute(_SQL["take_up_epoch"], (now,))
