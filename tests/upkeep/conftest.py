"""A data folder with something in it: a store with runs, artifacts, secret keys."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from orchestrator.artifacts.folder import Folder
from orchestrator.clock import SystemClock
from orchestrator.engine.events import Event, RunCreated
from orchestrator.settings import Settings, ensure_secret_keys
from orchestrator.store.rows import Append, Delivery, RunRow
from orchestrator.store.sqlite import SqliteStore


@dataclass
class House:
    """The data of one server, which is not running."""

    settings: Settings

    def within(self, work: Callable[[SqliteStore], Coroutine[Any, Any, Any]]) -> Any:
        """Return what *work* returns with the store open."""

        async def run() -> Any:
            store = await SqliteStore.open(self.settings.store_path, clock=SystemClock())
            try:
                return await work(store)
            finally:
                await store.close()

        return asyncio.run(run())

    def put_artifact(self, data: bytes) -> str:
        """Keep *data* and return its digest."""

        async def run() -> str:
            folder = Folder(self.settings.artifacts)
            try:
                return await folder.put(data)
            finally:
                await folder.close()

        return asyncio.run(run())


@pytest.fixture
def house(tmp_path: Path) -> Callable[..., House]:
    """Furnish a data folder by its name; keywords are settings."""

    def furnish(name: str = "here", **settings: Any) -> House:
        home = tmp_path / name
        given = {
            "store": f"sqlite:///{home}/orchestrator.db",
            "artifacts": home / "artifacts",
            "workflows": home / "workflows",
            "providers": {"pizi": {"api_key": "x"}, "perfect": {"client_id": "x"}},
        }
        made = House(Settings.model_validate(given | settings))
        made.settings.data_folder.mkdir(parents=True, exist_ok=True)
        ensure_secret_keys(made.settings)
        return made

    return furnish


@pytest.fixture
def begun() -> Callable[..., Append]:
    """Make the append that starts run *n*."""

    def make(n: int = 1, status: str = "running", **parts: Any) -> Append:
        run = f"run_{n:026}"
        inputs = {"n": n}
        event: Event = RunCreated(
            at=n, run=run, workflow="w", digest="d", inputs=inputs, labels={}, deadline_at=n + 9
        )
        row = RunRow(
            id=run,
            workflow="w",
            digest="d",
            status=status,
            version=1,
            labels=b"{}",
            inputs=b"{}",
            outputs=None,
            error=None,
            created_at=n,
            started_at=None,
            finished_at=None if status == "running" else n + 1,
            wake_at=None,
        )
        return Append(run=row, expected=0, events=[event], **parts)

    return make


@pytest.fixture
def delivery() -> Callable[..., Delivery]:
    def make(n: int = 1, **fields: Any) -> Delivery:
        row: dict[str, Any] = {
            "id": f"dlv_{n:026}",
            "job": "job_1",
            "connection": "pizi",
            "received_at": n,
            "method": "POST",
            "query": "",
            "headers": b"[]",
            "content_type": "application/json",
            "body": b"{}",
            "size": 2,
            "remote": "192.0.2.1",
        }
        return Delivery(**row | fields)

    return make
