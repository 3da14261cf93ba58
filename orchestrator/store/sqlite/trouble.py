"""What SQLite's errors mean to those who asked for something to be written or read."""

import sqlite3

from orchestrator.errors import Conflict, OrchestratorError, Refused, StoreUnavailable
from orchestrator.store.sqlite.place import Misplaced

_PASSING = {
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_PROTOCOL,
}
"""Troubles whose cause may go away by itself: a full disk is emptied, a lock is released."""

_BROKEN = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


def code(error: BaseException) -> int:
    """Return SQLite's primary code for *error*, 0 where there is none."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def may_pass(error: BaseException) -> bool:
    """Return whether the next attempt to write may succeed."""
    return isinstance(error, Misplaced) or (isinstance(error, sqlite3.Error) and code(error) in _PASSING)


def is_broken(error: BaseException) -> bool:
    """Return whether the file itself is damaged."""
    return isinstance(error, sqlite3.Error) and code(error) in _BROKEN


def unavailable(error: BaseException) -> StoreUnavailable:
    """Return what everybody is told who waited for the transaction that *error* ended."""
    name = getattr(error, "sqlite_errorname", type(error).__name__)
    return StoreUnavailable(f"the database cannot be used just now: {error} ({name})")


def refusal(error: sqlite3.Error) -> OrchestratorError:
    """Return what the one is told whose write broke a rule of the schema."""
    message = str(error)
    if "events.run, events.version" in message or "runs.id" in message:
        return Conflict("the stream has moved on")
    if "jobs.connection, jobs.task_id" in message:
        return Refused("the task id is bound to another job of the same connection")
    if "idempotency_keys.key" in message:
        return Refused("the idempotency key is in use")
    return Refused(f"the store does not take this: {message}")
