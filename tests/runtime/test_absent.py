"""A connection that is renamed or removed while runs of it are open: they wait for it, and can be ended."""

from typing import Any

import pytest

from orchestrator.clock import SystemClock
from orchestrator.runtime.watchdog import Watchdog
from orchestrator.telemetry.counters import Counters


@pytest.fixture
def made_elsewhere(pizi: Any) -> Any:
    """Pizi, whose tasks take their time."""
    pizi.status = "processing"
    return pizi


async def begun(serve: Any, pizi: Any, **times: str) -> tuple[str, str]:
    """Return a run, and its task at Pizi, of which nobody has heard the end when the server stops."""
    async with serve(first_check="1h", max_check_interval="1h", **times) as server:
        run = await server.begin()
        while (await server.get(f"/jobs?run={run}"))["items"][0]["status"] != "waiting":
            pass
    return run, next(iter(pizi.tasks))


async def test_a_callback_waits_in_the_inbox_for_its_connection(serve: Any, made_elsewhere: Any) -> None:
    run, task = await begun(serve, made_elsewhere)

    made_elsewhere.status = "completed"
    async with serve("other") as server:
        assert await made_elsewhere.call_back(task) == 200
        assert (await server.get(f"/runs/{run}"))["status"] == "running"
        assert [one["verdict"] for one in (await server.get("/deliveries"))["items"]] == ["pending"]
    async with serve() as server:
        assert (await server.ended(run))["status"] == "succeeded"
        assert [one["verdict"] for one in (await server.get("/deliveries"))["items"]] == ["accepted"]


async def test_a_run_whose_connection_is_gone_can_be_cancelled(serve: Any, made_elsewhere: Any) -> None:
    run, _ = await begun(serve, made_elsewhere)

    async with serve("other") as server:
        status, shown = await server.post(f"/runs/{run}/cancel")
        refused, problem = await server.post(f"/runs/{run}/retry")

    assert (status, shown["status"]) == (202, "cancelled")
    assert (refused, problem["detail"]) == (409, f"{run} needs 'pizi', which is not configured any more")


async def test_a_run_whose_connection_is_gone_ends_with_its_time(serve: Any, made_elsewhere: Any) -> None:
    run, _ = await begun(serve, made_elsewhere, whole="3s")

    async with serve("other") as server:
        ended = await server.ended(run)

    assert (ended["status"], ended["error"]["class"]) == ("failed", "timeout")


async def test_looking_through_what_is_open_goes_on_without_the_connection(
    serve: Any, made_elsewhere: Any
) -> None:
    run, _ = await begun(serve, made_elsewhere)

    async with serve("other") as server:
        store, worker, counters = server.running.store, server.running.worker, Counters("watchdog.healed")
        watchdog = Watchdog(store, worker, worker.performer, SystemClock(), counters)

        assert await watchdog.round(float("inf"))
        assert (await server.get(f"/runs/{run}"))["status"] == "running"
        assert counters.all() == {"watchdog.healed": 0}
