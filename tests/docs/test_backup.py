"""The backup that the page on operations shows is one, also while a server writes."""

import re
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

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


async def test_a_backup_of_a_database_in_use_holds_what_was_written_last(tmp_path: Path) -> None:
    told = re.search(r'\$ sqlite3 -readonly data/(\S+) "(.+)"', section(DOCS / "operations.md", "Backups"))
    assert told is not None
    async with opened(tmp_path / told[1]) as store:
        await store.put(DELIVERY)

        with closing(sqlite3.connect(f"file:{tmp_path / told[1]}?mode=ro", uri=True)) as db:
            db.execute(told[2].replace("backup.db", str(tmp_path / "backup.db")))

    async with opened(tmp_path / "backup.db") as restored:
        assert await restored.get("dlv_1") == DELIVERY
