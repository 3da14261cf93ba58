"""Steps of our own and what runs share, over kills too: waits, questions, child runs, groups, budgets."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

FAST = {"latency_s": (0.05, 0.2), "limits": "off"}
EAGER = {"rate_limits": [], "first_check": "1s", "max_check_interval": "2s", "uncertain_grace": "5s"}

CHILD = """
name: portrait
inputs:
  gender: {type: string, default: female}
steps:
  model:
    uses: pizi/create_model
    with: {gender: '${{ inputs.gender }}', attributes: {age: Young adult}}
outputs:
  uuid: ${{ steps.model.output.uuid }}
  pictures: ${{ steps.model.artifacts }}
"""

PARENT = """
name: family
steps:
  first:
    uses: core/run_workflow
    with: {workflow: portrait, inputs: {gender: male}}
  again:
    uses: core/run_workflow
    with: {workflow: portrait, inputs: {gender: '${{ "female" if steps.first.output.uuid else "none" }}'}}
outputs:
  uuids: ['${{ steps.first.output.uuid }}', '${{ steps.again.output.uuid }}']
  pictures: ${{ steps.again.artifacts }}
"""

NAP = """
name: nap
concurrency: {group: '${{ inputs.bed }}', limit: 1}
inputs:
  bed: {type: string, default: one}
  length: {type: string, default: 300ms}
steps:
  sleep: {uses: core/sleep, with: {duration: '${{ inputs.length }}'}}
"""


@pytest.fixture
def world(simulators: Callable[..., Any], serve: Callable[..., Any]) -> Callable[..., Any]:
    """Start simulators and a server with the workflows above, and *more*."""

    async def begin(*more: str, options: dict[str, Any] | None = None, **pizi: Any) -> tuple[Any, Any]:
        simulated = await simulators(**FAST, **options or {})
        server = await serve(simulated, **EAGER)
        await server.kill()
        server.providers["pizi"] |= pizi
        for number, text in enumerate((CHILD, PARENT, NAP, *more)):
            (server.folder / "workflows" / f"w{number}.yaml").write_text(text)
        await server.start()
        return simulated, server

    return begin


async def start(server: Any, workflow: str, **inputs: Any) -> str:
    status, run = await server.post("/runs", {"workflow": workflow, "inputs": inputs})
    assert status == 201, run
    return str(run["id"])


async def events_of(server: Any, run: str) -> list[str]:
    items = (await server.get(f"/runs/{run}/events?limit=500"))["items"]
    return [item["type"].removeprefix("orchestrator.") for item in items]


# --- runs of other workflows -----------------------------------------------------------------


async def test_the_outputs_and_artifacts_of_a_child_run_are_those_of_its_step(
    world: Callable[..., Any],
) -> None:
    simulated, server = await world()

    run = await server.ended(await start(server, "family"))

    assert run["status"] == "succeeded", run["error"]
    assert len(set(run["outputs"]["uuids"])) == 2
    assert [artifact["media_type"] for artifact in run["outputs"]["pictures"]] == ["image/png"]
    assert len(simulated.books("pizi").tasks) == 2


async def test_a_child_run_is_started_once_and_waited_for_over_kills(world: Callable[..., Any]) -> None:
    simulated, server = await world(options={})
    run = await start(server, "family")
    for _ in range(4):
        await server.kill()
        await server.start()

    ended = await server.ended(run)

    assert ended["status"] == "succeeded", ended["error"]
    assert len((await server.get("/runs?workflow=portrait"))["items"]) == 2
    assert simulated.books("pizi").repeated() == {}


async def test_a_child_run_that_fails_fails_its_step_and_goes_on_when_the_parent_is_retried(
    world: Callable[..., Any],
) -> None:
    _, server = await world(
        """
name: shaky
inputs:
  lies: {type: string, default: nothing}
steps:
  paid: {uses: pizi/create_model, with: {gender: female, attributes: {age: Young adult}}}
  ask: {uses: core/approve, needs: [paid], with: {message: Good?}}
""",
        "name: over\nsteps:\n  run: {uses: core/run_workflow, with: {workflow: shaky}}\n",
    )
    run = await start(server, "over")
    child: dict[str, Any] = {}

    async def is_asked() -> bool:
        items = (await server.get("/runs?workflow=shaky"))["items"]
        if not items:
            return False
        child.update(items[0])
        jobs = (await server.get(f"/jobs?run={child['id']}&status=waiting"))["items"]
        return any(job["operation"] == "approve" for job in jobs)

    await server.until(is_asked, "the question", 20.0)
    assert (await server.post(f"/steps/{child['id']}/ask/decision", {"approved": False}))[0] == 200
    failed = await server.ended(run)
    assert failed["status"] == "failed"
    assert (failed["error"]["class"], failed["error"]["code"]) == ("task_failed", "rejected")

    assert (await server.post(f"/runs/{run}/retry", {}))[0] == 202
    await server.until(is_asked, "the question once more", 20.0)
    assert (await server.post(f"/steps/{child['id']}/ask/decision", {"approved": True}))[0] == 200
    ended = await server.ended(run)

    assert ended["status"] == "succeeded", ended["error"]
    assert len((await server.get("/runs?workflow=shaky"))["items"]) == 1
    assert len((await server.get("/jobs?connection=pizi"))["items"]) == 1, "the model was paid for once"


async def test_a_cancelled_parent_cancels_its_child(world: Callable[..., Any]) -> None:
    _, server = await world(
        "name: over\nsteps:\n  run: {uses: core/run_workflow, with: {workflow: long}}\n",
        "name: long\nsteps:\n  nap: {uses: core/sleep, with: {duration: 1h}}\n",
    )
    run = await start(server, "over")

    async def child() -> Any:
        items = (await server.get("/runs?workflow=long&status=running"))["items"]
        return items

    await server.until(child, "the child", 10.0)
    assert (await server.post(f"/runs/{run}/cancel", {}))[0] == 202

    assert (await server.ended(run))["status"] == "cancelled"
    [only] = (await server.get("/runs?workflow=long"))["items"]
    assert (await server.ended(only["id"]))["status"] == "cancelled"


async def test_a_workflow_that_is_not_there_fails_the_step_and_says_so(world: Callable[..., Any]) -> None:
    _, server = await world(
        "name: over\ninputs: {name: {type: string}}\n"
        "steps:\n  run: {uses: core/run_workflow, with: {workflow: '${{ inputs.name }}'}}\n"
    )

    run = await server.ended(await start(server, "over", name="portrit"))

    assert run["error"]["class"] == "invalid_request"
    assert "no workflow 'portrit'" in run["error"]["message"]


# --- waits and groups ------------------------------------------------------------------------


async def test_a_wait_goes_on_while_no_server_runs(world: Callable[..., Any]) -> None:
    _, server = await world()
    run = await start(server, "nap", length="2s")
    await server.kill()

    await server.start()
    ended = await server.ended(run)

    assert ended["status"] == "succeeded"
    assert await events_of(server, run) == [
        *("run.created", "run.started", "step.started", "job.created", "job.submitted"),
        *("job.succeeded", "step.succeeded", "run.succeeded"),
    ]


async def test_the_runs_of_a_group_go_on_one_after_another_in_their_order(
    world: Callable[..., Any],
) -> None:
    _, server = await world()
    runs = [await start(server, "nap") for _ in range(4)]
    other = await start(server, "nap", bed="two", length="1h")
    assert (await server.get(f"/runs/{other}"))["status"] == "running"
    assert [(await server.get(f"/runs/{run}"))["status"] for run in runs[1:]] == ["pending"] * 3
    await server.kill()
    await server.start()

    ended = [await server.ended(run) for run in runs]

    assert {run["status"] for run in ended} == {"succeeded"}
    for before, after in pairwise(ended):
        assert before["finished_at"] <= after["started_at"]
    assert (await events_of(server, runs[1]))[:3] == ["run.created", "run.waiting", "run.started"]


async def test_a_run_that_waits_for_its_group_can_be_cancelled_and_lets_the_next_one_on(
    world: Callable[..., Any],
) -> None:
    _, server = await world()
    first, second, third = [await start(server, "nap", length=length) for length in ("1h", "1h", "100ms")]

    assert (await server.post(f"/runs/{second}/cancel", {}))[0] == 202
    assert (await server.ended(second))["status"] == "cancelled"
    assert (await server.get(f"/runs/{third}"))["status"] == "pending"
    assert (await server.post(f"/runs/{first}/cancel", {}))[0] == 202

    assert (await server.ended(third))["status"] == "succeeded"


# --- the budget of a run ---------------------------------------------------------------------


async def test_a_step_that_would_exceed_the_budget_of_its_run_fails_unpaid(
    world: Callable[..., Any],
) -> None:
    simulated, server = await world(
        """
name: dear
budget: {pizi: 3}
steps:
  models:
    uses: pizi/create_model
    for_each: [female, male]
    with: {gender: '${{ item }}', attributes: {age: Young adult}}
""",
        prices={"create_model": 2},
    )

    run = await server.ended(await start(server, "dear"))

    assert run["error"]["class"] == "budget_exceeded"
    assert sorted(step["status"] for step in run["steps"]) == ["failed", "succeeded"]
    assert run["credits"] == {"pizi": 2}
    assert len(simulated.books("pizi").tasks) == 1
