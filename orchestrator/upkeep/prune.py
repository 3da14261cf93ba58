"""Remove what need not be kept any more, while no server runs; one that runs does it itself."""

import asyncio

from orchestrator.app import retention
from orchestrator.artifacts.folder import Folder
from orchestrator.clock import Clock
from orchestrator.errors import WrongState
from orchestrator.operations.pruning import Pruned, Pruning
from orchestrator.operations.workflows import texts
from orchestrator.runtime.janitor import Janitor
from orchestrator.settings import Settings
from orchestrator.store.sqlite import SqliteStore


def prune(settings: Settings, clock: Clock, *, older_than: str | None, dry: bool) -> Pruned:
    """
    Remove what is older than the settings or *older_than* say, and artifacts that nothing refers to.

    Errors:  InvalidInput; WrongState when there is no database; StoreInUse while a server runs.
    """
    if not settings.store_path.exists():
        raise WrongState(f"there is no database at {settings.store_path}")
    return asyncio.run(_prune(settings, clock, older_than, dry))


async def _prune(settings: Settings, clock: Clock, older_than: str | None, dry: bool) -> Pruned:
    store = await SqliteStore.open(settings.store_path, clock=clock)
    try:
        folder = Folder(settings.artifacts)
        policy = retention(settings, {})
        janitor = Janitor(
            store, folder, policy, clock, texts=lambda: texts([settings.workflows]), rests=False
        )
        return await Pruning(policy, janitor.prune).prune(older_than, dry=dry)
    finally:
        await store.close()
