"""A store of each kind, for what holds for one must hold for all, and rows to put into it."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from orchestrator.clock import SystemClock
from orchestrator.engine.events import Event, JobProgressed, RunStarted
from orchestrator.store.rows import Append, Delivery, JobRow, RunRow
from orchestrator.store.sqlite import SqliteStore


@pytest.fixture(params=["sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[SqliteStore]:
    store = await SqliteStore.open(tmp_path / "orchestrator.db", clock=SystemClock())
    yield store
    await store.close()


@pytest.fixture
def run_row() -> Callable[..., RunRow]:
    def make(n: int = 1, **fields: Any) -> RunRow:
        row: dict[str, Any] = {
            "id": f"run_{n:03}",
            "workflow": "portrait",
            "digest": "d1",
            "status": "running",
            "version": 1,
            "labels": b"{}",
            "inputs": b'{"age":30}',
            "outputs": None,
            "error": None,
            "created_at": n,
            "started_at": None,
            "finished_at": None,
            "wake_at": None,
        }
        return RunRow(**row | fields)

    return make


@pytest.fixture
def job_row() -> Callable[..., JobRow]:
    def make(n: int = 1, run: int = 1, **fields: Any) -> JobRow:
        row: dict[str, Any] = {
            "id": f"job_{n:03}",
            "run": f"run_{run:03}",
            "step": "draw",
            "index": None,
            "attempt": 1,
            "connection": "pizi",
            "operation": "pictures",
            "status": "waiting",
            "task_id": None,
            "lane": None,
            "wake_at": None,
            "deadline_at": None,
            "created_at": n,
            "submitted_at": None,
            "finished_at": None,
            "credits": None,
            "error": None,
        }
        return JobRow(**row | fields)

    return make


@pytest.fixture
def append(run_row: Callable[..., RunRow]) -> Callable[..., Append]:
    """Make an append of *count* events to run *n*, or of *events*; further names go to the run's row."""

    def make(
        n: int = 1,
        expected: int = 0,
        count: int = 1,
        *,
        events: list[Event] | None = None,
        parts: dict[str, Any] | None = None,
        **fields: Any,
    ) -> Append:
        if events is None:
            events = [RunStarted(at=expected + i + 1) for i in range(count)]
        row = run_row(n, version=expected + len(events), **fields)
        return Append(run=row, expected=expected, events=events, **parts or {})

    return make


@pytest.fixture
def progressed() -> Callable[[str, int], Event]:
    return lambda job, at: JobProgressed(at=at, job=job, progress="50 %", check_at=None)


@pytest.fixture
def delivery() -> Callable[..., Delivery]:
    def make(n: int = 1, **fields: Any) -> Delivery:
        row: dict[str, Any] = {
            "id": f"dlv_{n:03}",
            "job": "job_001",
            "connection": "pizi",
            "received_at": n,
            "method": "POST",
            "query": "uid=",
            "headers": b'[["Host","hooks.example.com"]]',
            "content_type": "application/json",
            "body": b'{"n": %d}\x00\xff' % n,
            "size": 9,
            "remote": "192.0.2.1",
        }
        return Delivery(**row | fields)

    return make
