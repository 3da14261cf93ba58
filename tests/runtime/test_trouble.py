"""A store in trouble: whoever waits for an answer is told, and what nobody can ask again is kept."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from orchestrator.artifacts.folder import Folder
from orchestrator.clock import SystemClock
from orchestrator.definition.loader import load
from orchestrator.engine import triggers as t
from orchestrator.engine.large import LargeValue, lay_aside
from orchestrator.engine.state import RunState
from orchestrator.errors import StoreUnavailable
from orchestrator.operations.planned import Sending
from orchestrator.operations.plans import Plans, catalog
from orchestrator.operations.values import Values
from orchestrator.outcomes import Accepted, Done
from orchestrator.providers.pizi import PiziSettings, connect
from orchestrator.runtime.limits import Limits
from orchestrator.runtime.worker import Worker
from orchestrator.store.sqlite import SqliteStore
from tests.runtime.onlooker import Onlooker

CONNECTORS = {"pizi": connect(PiziSettings.model_validate({"kind": "pizi", "api_key": "k"}))}
WORKFLOW = load(
    "name: one\nsteps: {model: {uses: pizi/create_model, with: {gender: female}}}\n",
    file="one.yaml",
    catalog=catalog(CONNECTORS),
).workflow


@pytest.fixture
async def worker(tmp_path: Path) -> AsyncIterator[Worker]:
    clock = SystemClock()
    store = await SqliteStore.open(tmp_path / "orchestrator.db", clock=clock, busy_s=0.05)
    plans = Plans(CONNECTORS, Sending(key="k", callbacks=True, public_url="https://hooks.example.com"))
    values = Values(Folder(tmp_path / "artifacts"))
    worker = Worker(store, plans, Limits(CONNECTORS, clock), clock, values)
    worker.performer = Onlooker()
    yield worker
    await worker.settled()
    await store.close()


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the database as another program would that writes to it."""
    other = sqlite3.connect(folder / "orchestrator.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.close()


async def started(worker: Worker, run: str) -> RunState:
    assert WORKFLOW is not None
    return await worker.start(run, WORKFLOW, inputs={}, labels={})


async def test_a_run_that_cannot_be_written_down_is_refused_and_never_begun(
    worker: Worker, tmp_path: Path
) -> None:
    with locked(tmp_path), pytest.raises(StoreUnavailable):
        await asyncio.wait_for(started(worker, "run_1"), 5)

    await worker.settled()
    assert await worker.store.run("run_1") is None
    assert worker.trouble is None, "nothing is left that waits for the store"


async def test_what_happened_is_kept_while_what_a_person_asks_for_is_refused(
    worker: Worker, tmp_path: Path
) -> None:
    job = next(iter((await started(worker, "run_1")).jobs))
    await worker.handle("run_1", t.SubmitReady, job=job, template={})

    with locked(tmp_path):
        answered = asyncio.create_task(
            worker.handle("run_1", t.SubmitAnswered, job=job, outcome=Accepted("task_1"))
        )
        while worker.trouble is None:  # noqa: ASYNC110 - it is the store that is waited for
            await asyncio.sleep(0.01)
        with pytest.raises(StoreUnavailable):
            await asyncio.wait_for(worker.handle("run_1", t.CancelAsked), 5)
        assert not answered.done()

    state = await answered
    assert state.jobs[job].task_id == "task_1"
    assert state.cancelling is None, "what was refused is not done behind anybody's back"


async def test_the_log_mentions_no_value_that_is_not_on_disk_yet(worker: Worker, tmp_path: Path) -> None:
    job = next(iter((await started(worker, "run_1")).jobs))
    await worker.handle("run_1", t.SubmitReady, job=job, template={})
    await worker.handle("run_1", t.SubmitAnswered, job=job, outcome=Accepted("task_1"))
    result = Done(output={"text": "long " * 60_000})

    (tmp_path / "artifacts").rename(tmp_path / "away")
    ending = asyncio.create_task(worker.handle("run_1", t.Checked, job=job, outcome=result, asked_at=0))
    while worker.trouble is None and not ending.done():  # noqa: ASYNC110 - it is the disk that is waited for
        await asyncio.sleep(0.01)
    told = [record.type for record in await worker.store.read("run_1")]
    (tmp_path / "away").rename(tmp_path / "artifacts")
    state = await ending

    assert "job.succeeded" not in told
    assert state.status == "succeeded"
    assert await worker.values.of(state.jobs[job].output) == result.output


async def test_only_so_much_of_large_values_is_in_memory(tmp_path: Path) -> None:
    values = Values(Folder(tmp_path / "artifacts"), memory_bytes=700_000)
    large = [lay_aside({"text": letter * 300_000}) for letter in "abc"]
    aside = [one for one in large if isinstance(one, LargeValue)]

    await values.keep(aside[:2])
    await values.keep(aside[2:])

    assert [one.is_known for one in aside] == [False, True, True]
    assert [(await values.of(one))["text"][0] for one in aside] == ["a", "b", "c"]
