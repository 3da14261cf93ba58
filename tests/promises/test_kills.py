"""Servers that are killed and stopped under load, again and again: what it costs, counted."""

import asyncio
import random
import signal
import sqlite3
from base64 import b64encode
from collections.abc import Callable
from io import BytesIO
from typing import Any

from PIL import Image

EAGER = {"rate_limits": [], "first_check": "1s", "max_check_interval": "2s", "uncertain_grace": "4s"}
RUNS = 16
KILLS = 4


def a_product() -> str:
    file = BytesIO()
    Image.new("RGB", (320, 320), "teal").save(file, "PNG")
    return "data:image/png;base64," + b64encode(file.getvalue()).decode()


def jobs_in(server: Any, *statuses: str) -> dict[str, str]:
    """Return the connections of the jobs in one of *statuses*, as a dead server has left them."""
    database = sqlite3.connect(server.folder / "orchestrator.db")
    try:
        rows = database.execute("SELECT id, connection, status FROM jobs").fetchall()
    finally:
        database.close()
    return {job: connection for job, connection, status in rows if status in statuses}


async def uncertain(server: Any) -> dict[str, str]:
    """Return the connections of the jobs whose end is that nobody knows."""
    found: dict[str, str] = {}
    for job in (await server.get("/jobs?status=failed&limit=200"))["items"]:
        if job["error"]["class"] == "uncertain":
            found[job["id"]] = job["connection"]
    return found


async def begin_all(server: Any, count: int) -> list[str]:
    product = a_product()
    return list(await asyncio.gather(*(server.begin(product_images=[product]) for _ in range(count))))


async def test_a_kill_costs_no_more_than_the_submits_that_were_on_their_way(
    simulators: Callable[..., Any], serve: Callable[..., Any]
) -> None:
    dice = random.Random(7)
    simulated = await simulators(latency_s=(0.2, 1.0), limits="off", credits=10_000)
    server = await serve(simulated, **EAGER)
    runs = await begin_all(server, RUNS)
    at_risk: dict[str, str] = {}
    for _ in range(KILLS):
        await asyncio.sleep(dice.uniform(0.1, 0.8))
        await server.kill()
        at_risk |= jobs_in(server, "submitting")
        await server.start()

    ended = [await server.ended(run, 90.0) for run in runs]

    never_known = await uncertain(server)
    assert set(never_known) <= set(at_risk), "a submit that had been answered was forgotten"
    # Perfect is asked again with the same number; tasks at Pizi carry our mark, and are found.
    marked = {task.mark for task in simulated.books("pizi").tasks.values()}
    assert set(never_known.values()) <= {"pizi"}
    assert not [job for job in never_known if any(job in mark for mark in marked)]
    assert {run["status"] for run in ended} <= {"succeeded", "failed"}
    assert sum(run["status"] == "failed" for run in ended) == len(never_known)
    for kind in ("pizi", "perfect"):
        assert simulated.books(kind).repeated() == {}, f"{kind} was asked twice for the same"


async def test_stops_under_load_leave_nothing_uncertain(
    simulators: Callable[..., Any], serve: Callable[..., Any]
) -> None:
    simulated = await simulators(latency_s=(0.2, 1.0), limits="off", credits=10_000)
    server = await serve(simulated, **EAGER)
    runs = await begin_all(server, RUNS)
    for after_s in (0.1, 0.6):
        await asyncio.sleep(after_s)
        assert await server.kill(signal.SIGTERM) == 0
        assert jobs_in(server, "submitting", "uncertain") == {}
        await server.start()

    ended = [await server.ended(run, 90.0) for run in runs]

    assert {run["status"] for run in ended} == {"succeeded"}
    assert (await server.get("/events?type=job.uncertain"))["items"] == []
    assert [len(simulated.books(kind).tasks) for kind in ("pizi", "perfect")] == [2 * RUNS, 3 * RUNS]


async def test_a_stop_waits_for_slow_answers(
    simulators: Callable[..., Any], serve: Callable[..., Any], faults: Callable[..., Any]
) -> None:
    simulated = await simulators(
        latency_s=(0.2, 0.4), limits="off", lag_s=2.0, faults=faults(slow_answer=1.0)
    )
    server = await serve(simulated, **EAGER)
    run = await server.begin(product_images=[a_product()])
    await server.until(lambda: accepted(simulated), "a task", 10)

    assert await server.kill(signal.SIGTERM) == 0

    assert jobs_in(server, "submitting", "uncertain") == {}
    # Its task was done before its submit was answered, and the call for it came while the server waited.
    assert [call.status for call in simulated.books("pizi").callbacks] == [200]
    await server.start()
    assert (await server.ended(run))["status"] == "succeeded"


async def test_whoever_asks_a_second_time_is_not_kept_waiting(
    simulators: Callable[..., Any], serve: Callable[..., Any], faults: Callable[..., Any]
) -> None:
    simulated = await simulators(
        latency_s=(0.2, 0.4), limits="off", lag_s=60.0, faults=faults(slow_answer=1.0)
    )
    server = await serve(simulated, **EAGER)
    run = await server.begin(product_images=[a_product()])
    await server.until(lambda: accepted(simulated), "a task", 10)

    server.process.send_signal(signal.SIGTERM)
    await asyncio.sleep(0.5)
    assert server.process.returncode is None, "it waits for the answer"
    code = await asyncio.wait_for(server.kill(signal.SIGINT), 10)

    assert code == 0
    assert len(jobs_in(server, "submitting", "uncertain")) == 1, "said, and not sent again"
    await server.start()
    # By its mark it is found at once; and the next submit is as slow.
    await server.until(lambda: is_past(server, run, "model"), "the model", 20)
    assert simulated.books("pizi").repeated() == {}


async def test_tasks_of_perfect_survive_a_stop_and_a_start_within_ten_seconds(
    simulators: Callable[..., Any], serve: Callable[..., Any]
) -> None:
    simulated = await simulators(latency_s=(5.0, 6.0), limits="off")
    server = await serve(simulated, **EAGER)
    run = await server.begin(product_images=[a_product()])
    perfect = simulated.books("perfect")

    async def are_running() -> bool:
        return len(perfect.tasks) == 3

    await server.until(are_running, "three tasks at Perfect", 40)
    assert await server.kill(signal.SIGTERM) == 0
    await server.start()
    ended = await server.ended(run)

    assert ended["status"] == "succeeded", ended["error"]
    assert [task.status for task in perfect.tasks.values()] == ["success"] * 3


async def accepted(simulated: Any) -> bool:
    return bool(simulated.books("pizi").tasks)


async def is_past(server: Any, run: str, step: str) -> bool:
    steps = (await server.get(f"/runs/{run}"))["steps"]
    return any(each["id"] == step and each["status"] == "succeeded" for each in steps)
