"""The mailboxes of runs: what a run with a thousand items is sent at once does not hold up the others."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from orchestrator.artifacts.folder import Folder
from orchestrator.clock import SystemClock
from orchestrator.definition.loader import load
from orchestrator.engine import triggers as t
from orchestrator.engine.state import RunState
from orchestrator.operations.planned import Sending
from orchestrator.operations.plans import Plans, catalog
from orchestrator.operations.values import Values
from orchestrator.outcomes import Accepted, Callback
from orchestrator.providers.pizi import PiziSettings, connect
from orchestrator.runtime.limits import Limits
from orchestrator.runtime.worker import Worker
from orchestrator.store.sqlite import SqliteStore
from tests.runtime.onlooker import Onlooker

CONNECTORS = {"pizi": connect(PiziSettings.model_validate({"kind": "pizi", "api_key": "k"}))}
WORKFLOW = load(
    """
name: models
steps:
  model:
    for_each: ${{ range(1000) }}
    max_parallel: 1000
    uses: pizi/create_model
    with: {name: "M${{ item }}", gender: female, attributes: {age: Young adult}}
""",
    file="models.yaml",
    catalog=catalog(CONNECTORS),
).workflow


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


async def started(worker: Worker, run: str) -> RunState:
    assert WORKFLOW is not None
    return await worker.start(run, WORKFLOW, inputs={}, labels={})


async def test_a_thousand_triggers_of_one_run_let_another_in_between(worker: Worker) -> None:
    big, small = await started(worker, "run_1"), await started(worker, "run_2")

    for job in big.jobs:
        worker.post("run_1", t.SubmitReady, job=job, template={})
    await worker.handle("run_2", t.SubmitReady, job=next(iter(small.jobs)), template={})

    meanwhile = await worker.state("run_1")
    assert meanwhile.version - big.version <= 300
    await worker.settled()
    assert (await worker.state("run_1")).version == big.version + 1000


async def test_a_callback_waits_for_its_answer_also_where_both_are_far_apart(worker: Worker) -> None:
    big = await started(worker, "run_1")
    jobs = list(big.jobs)
    for job in jobs:
        worker.post("run_1", t.SubmitReady, job=job, template={})
    await worker.settled()

    for n, job in enumerate(jobs):
        callback = Callback("POST", "", "application/json", b'{"uuid": "task_%d"}' % n)
        worker.post(
            "run_1", t.CallbackArrived, job=job, delivery=f"dlv_{n}", digest=f"d{n}", callback=callback
        )
    for n, job in enumerate(jobs):
        worker.post("run_1", t.SubmitAnswered, job=job, outcome=Accepted(f"task_{n}"))
    await worker.settled()

    run = await worker.state("run_1")
    assert {job.deliveries for job in run.jobs.values()} == {1}
    assert "submitting" not in {job.status for job in run.jobs.values()}
