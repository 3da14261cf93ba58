"""The backup that the page on operations shows is one, also while a server writes."""

import re
import sqlite3
from contextlib import closing
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


async def test_a_backup_of_a_database_in_use_holds_what_was_written_last(tmp_path: Path) -> None:
    told = re.search(r'\$ sqlite3 data/(\S+) "(.+)"', section(DOCS / "operations.md", "Backups"))
    assert told is not None
    store = await SqliteStore.open(tmp_path / told[1], clock=SystemClock())
    await store.put(DELIVERY)

    with closing(sqlite3.connect(tmp_path / told[1])) as db:
        db.execute(told[2].replace("backup.db", str(tmp_path / "backup.db")))

    await store.close()
    restored = await SqliteStore.open(tmp_path / "backup.db", clock=SystemClock())
    assert await restored.get("dlv_1") == DELIVERY
    await restored.close()
