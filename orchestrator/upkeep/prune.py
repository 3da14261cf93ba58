"""Remove what need not be kept any more, while no server runs; one that runs does it itself."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace

from pydantic import ValidationError

from orchestrator.app import retention
from orchestrator.artifacts.folder import Folder
from orchestrator.clock import Clock
from orchestrator.durations import seconds
from orchestrator.errors import WrongState
from orchestrator.operations.pruning import Pruned, Pruning
from orchestrator.operations.workflows import texts
from orchestrator.providers.base import Budget
from orchestrator.runtime.janitor import Janitor
from orchestrator.settings import Settings, connection_tables
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
        policy = replace(retention(settings, {}), budgets_s=_periods(settings))
        janitor = Janitor(
            store, folder, policy, clock, texts=lambda: texts([settings.workflows]), rests=False
        )
        return await Pruning(policy, janitor.prune).prune(older_than, dry=dry)
    finally:
        await store.close()


def _periods(settings: Settings) -> Mapping[str, float]:
    """Return how long a period of each connection's budget is, in seconds; nothing else need be right."""
    found: dict[str, float] = {}
    for name, table in connection_tables(settings).items():
        with suppress(ValidationError):
            found[name] = seconds(Budget.model_validate(table.get("budget")).per)
    return found
