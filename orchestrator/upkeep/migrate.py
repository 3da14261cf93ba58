"""Bring the database up to date by hand; a server does the same by itself when it starts."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

from orchestrator.clock import Clock
from orchestrator.errors import WrongState
from orchestrator.settings import Settings
from orchestrator.store.sqlite import SqliteStore, inspect


@dataclass(frozen=True, slots=True)
class Migrated:
    """What was done. *before* and *after* are numbers of migrations; *kept*: the database as it was."""

    database: Path
    before: int
    after: int
    kept: Path | None

    def to_json(self) -> dict[str, object]:
        """Return it as `--json` prints it."""
        kept = str(self.kept) if self.kept is not None else None
        return {"database": str(self.database), "from": self.before, "to": self.after, "kept": kept}


def migrate(settings: Settings, clock: Clock) -> Migrated:
    """
    Bring the database up to date, and keep a copy of it as it was.

    Errors:  WrongState when there is none; StoreInUse while a server runs; StoreUnavailable when it
             was made by a newer version.
    """
    path = settings.store_path
    found = inspect(path)
    if found.migration is None:
        raise WrongState(f"there is no database at {path}; the server makes it at its first start")
    if found.migration == found.newest:
        return Migrated(path, found.migration, found.newest, None)
    return Migrated(path, found.migration, found.newest, asyncio.run(_open_once(path, clock)))


async def _open_once(path: Path, clock: Clock) -> Path | None:
    store = await SqliteStore.open(path, clock=clock)
    await store.close()
    return store.kept
