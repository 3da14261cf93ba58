"""The store in one SQLite file: log, inbox, schedule and views, for one server."""

from orchestrator.store.sqlite.inspection import Inspection, inspect
from orchestrator.store.sqlite.lock import LockFile
from orchestrator.store.sqlite.store import SqliteStore

__all__ = ["Inspection", "LockFile", "SqliteStore", "inspect"]
