"""The commands that the page on operations shows for backups do what it says, also while a server writes."""

import asyncio
import shlex
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from orchestrator.cli import cli
from orchestrator.clock import SystemClock
from orchestrator.store.rows import Delivery
from orchestrator.store.sqlite import SqliteStore
from tests.docs.generate import DOCS
from tests.docs.reading import section

DELIVERY = Delivery(
    id="dlv_1",
    job="job_1",
    connection="pizi",
    received_at=1,
    method="POST",
    query="",
    headers=b"[]",
    content_type="application/json",
    body=b"{}",
    size=2,
    remote="192.0.2.1",
)


@asynccontextmanager
async def opened(path: Path) -> AsyncIterator[SqliteStore]:
    """Have the store open for as long as the block lasts, also where a claim in it fails."""
    store = await SqliteStore.open(path, clock=SystemClock())
    try:
        yield store
    finally:
        await store.close()


def told(heading: str) -> Result:
    """Type what the page shows first below *heading*."""
    shown = section(DOCS / "operations.md", heading)
    line = next(line for line in shown.splitlines() if line.startswith("$ orchestrator "))
    return CliRunner().invoke(cli, shlex.split(line)[2:])


async def test_a_backup_of_a_database_in_use_holds_what_was_written_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    database = tmp_path / "data" / "orchestrator.db"
    database.parent.mkdir()
    async with opened(database) as store:
        await store.put(DELIVERY)

        backed_up = await asyncio.to_thread(told, "Backups")
        refused = await asyncio.to_thread(told, "Restoring")

    database.unlink()
    restored = await asyncio.to_thread(told, "Restoring")
    assert (backed_up.exit_code, restored.exit_code) == (0, 0), backed_up.output + restored.output
    assert refused.exit_code == 1
    async with opened(database) as store:
        assert await store.get("dlv_1") == DELIVERY
