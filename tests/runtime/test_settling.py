"""Deliveries are settled also where the store is in trouble just then: none waits for the next start."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from orchestrator.artifacts.folder import Folder
from orchestrator.clock import SystemClock
from orchestrator.definition.loader import load
from orchestrator.engine import triggers as t
from orchestrator.engine.state import Job
from orchestrator.errors import Refused
from orchestrator.operations.needs import Needs
from orchestrator.operations.planned import Sending
from orchestrator.operations.plans import Plans, catalog
from orchestrator.operations.runs import Runs
from orchestrator.operations.values import Values
from orchestrator.operations.workflows import Library
from orchestrator.outcomes import Accepted, Callback, Unclear
from orchestrator.providers.pixza import PixzaSettings, connect
from orchestrator.runtime.hooks import HookIntake
from orchestrator.runtime.intake import Intake
from orchestrator.runtime.limits import Limits
from orchestrator.runtime.worker import Worker
from orchestrator.store.rows import Append, Delivery
from orchestrator.store.sqlite import SqliteStore
from tests.runtime.onlooker import Onlooker

CONNECTORS = {"pixza": connect(PixzaSettings(api_key=SecretStr("k")))}
WORKFLOW = load(
    "name: cat\nsteps: {draw: {uses: pixza/generate, with: {type: image, prompt: a cat}}}\n",
    file="cat.yaml",
    catalog=catalog(CONNECTORS),
).workflow


class Unlucky(SqliteStore):
    """Another program locks the file for a moment, once, just when something has happened."""

    path: Path
    met = False

    def meet_trouble(self) -> None:
        if self.met:
            return
        self.met = True
        other = sqlite3.connect(self.path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        asyncio.get_running_loop().call_later(0.3, other.close)

    async def append(self, append: Append) -> None:
        try:
            await super().append(append)
        except Refused:
            self.meet_trouble()
            raise

    async def run_of_job(self, job: str) -> str | None:
        found = await super().run_of_job(job)
        if found is None:
            self.meet_trouble()
        return found


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Unlucky]:
    store = await Unlucky.open(tmp_path / "orchestrator.db", clock=SystemClock(), busy_s=0.05)
    assert isinstance(store, Unlucky)
    store.path = tmp_path / "orchestrator.db"
    yield store
    await store.close()


@pytest.fixture
async def worker(store: Unlucky, tmp_path: Path) -> AsyncIterator[Worker]:
    plans = Plans(CONNECTORS, Sending(key="k", callbacks=True, public_url="https://hooks.example.com"))
    values = Values(Folder(tmp_path / "artifacts"))
    worker = Worker(store, plans, Limits(CONNECTORS, SystemClock()), SystemClock(), values)
    worker.performer = Onlooker()
    yield worker
    await worker.settled()


async def submitted(worker: Worker, run: str) -> Job:
    """Start a run, and return its job, whose submit is on its way."""
    assert WORKFLOW is not None
    state = await worker.start(run, WORKFLOW, inputs={}, labels={})
    [job] = state.jobs.values()
    state = await worker.handle(run, t.SubmitReady, job=job.id, template={}, number=None)
    return state.jobs[job.id]


def delivery(job: str, body: bytes) -> Delivery:
    return Delivery(
        id="dlv_1",
        job=job,
        connection="pixza",
        received_at=1,
        method="POST",
        query="",
        headers=b"",
        content_type="application/json",
        body=body,
        size=len(body),
        remote="",
    )


async def test_a_callback_about_another_runs_task_is_settled_when_the_store_is_well_again(
    worker: Worker, store: Unlucky
) -> None:
    first, second = await submitted(worker, "run_1"), await submitted(worker, "run_2")
    await worker.handle("run_1", t.SubmitAnswered, job=first.id, outcome=Accepted("gen_1"))
    await worker.handle("run_2", t.SubmitAnswered, job=second.id, outcome=Unclear("502"))
    body = b'{"id": "gen_1", "status": "completed"}'
    await store.put(delivery(second.id, body))

    callback = Callback("POST", "", "application/json", body)
    worker.post("run_2", t.CallbackArrived, job=second.id, delivery="dlv_1", digest="d", callback=callback)
    await worker.settled()

    assert store.met, "there was trouble"
    settled = await store.get("dlv_1")
    assert settled is not None
    assert settled.verdict == "mismatch"
    assert worker.trouble is None
    job = (await worker.state("run_2")).jobs[second.id]
    assert (job.status, job.deliveries) == ("uncertain", 1), "the log of the run tells of it"


async def test_a_callback_of_a_job_that_is_gone_is_settled_when_the_store_is_well_again(
    worker: Worker, store: Unlucky
) -> None:
    async def nobody(text: str, is_image: bool) -> str:
        return text

    async def is_held(digest: str) -> bool:
        return True

    needs = Needs(worker.plans, store, worker, worker.values, is_held)
    runs = Runs(worker, store, Library([], catalog(CONNECTORS)), nobody, SystemClock(), needs)
    intake = Intake(store, store, worker, HookIntake(store, runs, Library([], catalog(CONNECTORS))))
    store.subscribe(intake.arrived)
    loop: asyncio.Task[Any] = asyncio.create_task(intake.run())
    await store.put(delivery("job_gone", b"{}"))

    async with asyncio.timeout(5):
        while await store.pending():  # noqa: ASYNC110 - it is the store that is waited for
            await asyncio.sleep(0.02)

    assert store.met, "there was trouble"
    assert not loop.done(), "the intake goes on"
    loop.cancel()
