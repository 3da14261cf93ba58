"""A data folder with something in it: a store with runs, artifacts, secret keys."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from orchestrator.artifacts.folder import Folder
from orchestrator.clock import SystemClock
from orchestrator.definition.loader import load
from orchestrator.definition.workflow import Workflow
from orchestrator.engine import triggers as t
from orchestrator.engine.effects import Effect
from orchestrator.engine.events import Event, RunCreated
from orchestrator.engine.plan import Plan
from orchestrator.engine.state import RunState
from orchestrator.operations.planned import Sending
from orchestrator.operations.plans import Plans, catalog
from orchestrator.operations.values import Values
from orchestrator.outcomes import Accepted, Done
from orchestrator.providers.base import Connector
from orchestrator.providers.pizi import PiziSettings, connect
from orchestrator.runtime.limits import Limits
from orchestrator.runtime.worker import Worker
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


PORTRAIT = """
name: portrait
inputs:
  title: {type: string}
steps:
  model:
    uses: pizi/create_model
    with: {gender: female, name: "${{ inputs.title }}"}
outputs:
  name: ${{ steps.model.output.name }}
"""


class Nobody:
    """Performs nothing: what comes of it is told by `a_run`."""

    def perform(self, run: str, effect: Effect, state: RunState, plan: Plan) -> None:
        pass

    def wake(self, run: str, job: str) -> None:
        pass

    def freed(self) -> None:
        pass


@cache
def portrait() -> tuple[dict[str, Connector], Workflow]:
    """Return the workflow and what it uses; made once, because the schemas take their time."""
    connectors: dict[str, Connector] = {"pizi": connect(PiziSettings(api_key=SecretStr("x"), rate_limits=[]))}
    workflow = load(PORTRAIT, file="portrait.yaml", catalog=catalog(connectors)).workflow
    assert workflow is not None
    return connectors, workflow


@pytest.fixture
def a_run(delivery: Callable[..., Delivery], tmp_path: Path) -> Callable[..., Any]:
    """
    Let run *n* of `portrait` happen in a store, from its start to its end, and return its id.

    *artifacts*: the files that its job brings; not *ends*: its task is still under way.
    """
    connectors, workflow = portrait()

    async def happen(
        store: SqliteStore, n: int = 1, *, artifacts: Sequence[Any] = (), ends: bool = True
    ) -> str:
        clock, run = SystemClock(), f"run_{n:026}"
        limits = Limits(connectors, clock)
        limits.queue("pizi", False)
        plans = Plans(connectors, Sending(key="k", callbacks=False, public_url=None))
        worker = Worker(store, plans, limits, clock, Values(Folder(tmp_path / f"artifacts-{n}")))
        worker.performer = Nobody()
        state = await worker.start(run, workflow, inputs={"title": "Ada"}, labels={"order": "7"})
        (job,) = state.jobs
        await store.put(delivery(n, job=job, body=b"\x00\xff"))
        answers: list[tuple[type[t.Trigger], dict[str, Any]]] = [
            (t.SubmitAnswered, {"outcome": Accepted(f"task-{n}")}),
            (t.Checked, {"outcome": Done(output={"name": "Ada"}, files=()), "asked_at": clock.now()}),
        ]
        if artifacts:
            answers[1] = t.Collected, {"output": {"name": "Ada"}, "artifacts": artifacts}
        for kind, fields in answers if ends else answers[:1]:
            state = await worker.handle(run, kind, job=job, **fields)
        assert state.status == ("succeeded" if ends else "running"), state.error
        return run

    return happen


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
