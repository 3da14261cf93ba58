"""A provider's task belongs to one job: what becomes of a job that is given another one's."""

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
from orchestrator.operations.planned import Sending
from orchestrator.operations.plans import Plans, catalog
from orchestrator.operations.values import Values
from orchestrator.outcomes import Accepted, Done, Found, Unclear
from orchestrator.providers.pixza import PixzaSettings, connect
from orchestrator.runtime.limits import Limits
from orchestrator.runtime.worker import Worker
from orchestrator.store.sqlite import SqliteStore
from tests.runtime.onlooker import Onlooker

CONNECTORS = {"pixza": connect(PixzaSettings(api_key=SecretStr("k")))}
WORKFLOW = load(
    """
name: cat
steps:
  draw:
    uses: pixza/generate
    with: {type: image, prompt: a cat}
""",
    file="cat.yaml",
    catalog=catalog(CONNECTORS),
).workflow
DONE = Done(output={"id": "gen_1", "output_url": "https://example.com/1.png"}, task_id="gen_1")


@pytest.fixture
async def worker(tmp_path: Path) -> AsyncIterator[Worker]:
    clock = SystemClock()
    store = await SqliteStore.open(tmp_path / "orchestrator.db", clock=clock)
    plans = Plans(CONNECTORS, Sending(key="k", callbacks=True, public_url="https://hooks.example.com"))
    values = Values(Folder(tmp_path / "artifacts"))
    worker = Worker(store, plans, Limits(CONNECTORS, clock), clock, values)
    worker.performer = Onlooker()
    yield worker
    await worker.settled()
    await store.close()


async def submitted(worker: Worker, run: str) -> Job:
    """Start a run, and return its job, whose submit is on its way."""
    assert WORKFLOW is not None
    state = await worker.start(run, WORKFLOW, inputs={}, labels={})
    [job] = state.jobs.values()
    state = await worker.handle(run, t.SubmitReady, job=job.id, template={}, number=None)
    return state.jobs[job.id]


@pytest.mark.parametrize("outcome", [Accepted("gen_1"), DONE])
async def test_an_answer_with_another_runs_task_leaves_the_submit_unclear(
    worker: Worker, outcome: Any
) -> None:
    first, second = await submitted(worker, "run_1"), await submitted(worker, "run_2")
    await worker.handle("run_1", t.SubmitAnswered, job=first.id, outcome=Accepted("gen_1"))

    state = await worker.handle("run_2", t.SubmitAnswered, job=second.id, outcome=outcome)

    assert state.jobs[second.id].status == "uncertain"
    assert state.jobs[second.id].task_id is None


async def test_a_look_up_that_finds_another_runs_task_has_found_nothing(worker: Worker) -> None:
    first, second = await submitted(worker, "run_1"), await submitted(worker, "run_2")
    await worker.handle("run_1", t.SubmitAnswered, job=first.id, outcome=Accepted("gen_1"))
    await worker.handle("run_2", t.SubmitAnswered, job=second.id, outcome=Unclear("502"))
    await worker.settled()
    before = await worker.store.job(second.id)

    await worker.handle("run_2", t.LookedUp, job=second.id, found=Found(task_id="gen_1"))

    await worker.settled()
    after = await worker.store.job(second.id)
    assert before is not None
    assert after is not None
    assert (after.status, after.task_id) == ("uncertain", None)
    assert (after.wake_at or 0) > (before.wake_at or 0), "or it would be looked up without a pause"
