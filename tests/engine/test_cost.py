"""What a decision costs must not grow with the run: an item of a thousand costs what an item of ten does."""

import gc
from statistics import median
from time import process_time
from types import SimpleNamespace
from typing import Any

import pytest

from orchestrator.engine import triggers as t
from orchestrator.engine.effects import due_effects
from orchestrator.outcomes import Accepted, Callback, Done, ResultFile

ROUNDS = 5

FILES = (ResultFile("https://results.test/a.png"),)


def _run(kit: SimpleNamespace, items: int, max_parallel: int) -> float:
    """Return the seconds that deciding takes per item: submit, callback, check and collect of each."""
    listed = kit.Given(lambda scope: [f"item {n}" for n in range(items)])
    first = kit.step("draw", for_each=listed, max_parallel=max_parallel, params=kit.Given(_params))
    results = kit.Given(lambda scope: scope["steps"]["draw"]["artifacts"], frozenset({"draw"}))
    second = kit.step("paint", for_each=results, max_parallel=max_parallel, params=kit.Given(_params))
    world = kit.World(kit.plan(first, second))
    gc.collect()
    gc.disable()
    began = process_time()
    todo = list(_touched(world, world.start(9)))
    while todo:
        for job in todo:
            _finish(world, job)
        todo = [id for id in world.run.open if world.run.jobs[id].status in ("created", "submitting")]
    spent = process_time() - began
    gc.enable()
    assert world.run.status == "succeeded"
    return spent / (2 * items)


def _params(scope: Any) -> dict[str, Any]:
    return {"image": scope["item"], "n": scope["index"]}


def _touched(world: Any, decision: Any) -> list[str]:
    """Return the jobs that were written to, having asked for their effects as the runtime does."""
    jobs = list(decision.state.touched())
    due_effects(jobs, lambda job: world.plan.operations[job.step])
    return [job.id for job in jobs]


def _finish(world: Any, job: str) -> None:
    """Take a job to its end, as its provider would."""
    send = world.send
    if world.run.jobs[job].status == "created":
        _touched(world, send(t.SubmitReady, job=job, template={}))
    _touched(world, send(t.SubmitAnswered, job=job, outcome=Accepted(job)))
    callback = Callback("POST", "", "text/plain", f"hint {job}".encode())
    _touched(world, send(t.CallbackArrived, job=job, delivery="d", digest="x", callback=callback))
    _touched(world, send(t.Checked, job=job, outcome=Done(output={}, files=FILES), asked_at=world.now))
    _touched(world, send(t.Collected, job=job, output={}, artifacts=[{"digest": job}]))


@pytest.mark.parametrize("max_parallel", [3, 2_000])
def test_an_item_of_a_thousand_costs_what_an_item_of_ten_does(
    kit: SimpleNamespace, max_parallel: int
) -> None:
    ratios = []
    for _ in range(ROUNDS):
        small = median(_run(kit, 10, max_parallel) for _ in range(20))
        ratios.append(_run(kit, 1_000, max_parallel) / small)

    assert median(ratios) <= 1.3, ratios
