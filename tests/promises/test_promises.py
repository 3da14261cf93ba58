"""The promises, asked of real processes: nothing lost, nothing paid twice, whatever happens to the server."""

import asyncio
import random
import signal
from base64 import b64encode
from collections.abc import Callable
from io import BytesIO
from typing import Any

import pytest
from PIL import Image

FAST = {"latency_s": (0.05, 0.3), "limits": "off"}
EAGER = {"rate_limits": [], "first_check": "1s", "max_check_interval": "2s", "uncertain_grace": "5s"}
"""No limits of our own, and looks that come soon: what is tested is not patience."""


def a_product(color: str = "teal") -> str:
    file = BytesIO()
    Image.new("RGB", (320, 320), color).save(file, "PNG")
    return "data:image/png;base64," + b64encode(file.getvalue()).decode()


def assert_each_task_once(simulated: Any, *, runs: int) -> None:
    """Hold the simulators' books against what *runs* fashion shoots should have cost."""
    for kind, tasks in (("pizi", 2 * runs), ("perfect", 3 * runs)):
        books = simulated.books(kind)
        assert books.repeated() == {}, f"{kind} was asked twice for the same"
        assert len(books.tasks) == tasks, kind


@pytest.fixture(params=["on", "off"])
def callbacks(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def test_a_shoot_ends_with_three_enlarged_pictures(
    simulators: Callable[..., Any], serve: Callable[..., Any], callbacks: str
) -> None:
    simulated = await simulators(**FAST)
    server = await serve(simulated, callbacks=callbacks, **EAGER)

    run = await server.ended(await server.begin(product_images=[a_product()]))

    assert run["status"] == "succeeded", run["error"]
    shots = {s["artifacts"][0]["width"] for s in run["steps"] if s["id"] == "enhance"}
    before = [a["width"] for s in run["steps"] if s["id"] == "pictures" for a in s["artifacts"]]
    assert len(run["outputs"]["images"]) == 3
    assert shots == {2 * width for width in before}
    assert_each_task_once(simulated, runs=1)


@pytest.mark.parametrize("seed", range(6))
async def test_a_server_killed_at_any_moment_finishes_its_runs_and_pays_once(
    simulators: Callable[..., Any], serve: Callable[..., Any], seed: int
) -> None:
    dice = random.Random(seed)
    simulated = await simulators(**FAST, seed=seed)
    server = await serve(simulated, **EAGER)
    runs = [await server.begin(product_images=[a_product()]) for _ in range(4)]

    for _ in range(3):
        await asyncio.sleep(dice.uniform(0.0, 0.5))
        await server.kill()
        await server.start()
    ended = [await server.ended(run, 90.0) for run in runs]

    for kind in ("pizi", "perfect"):
        assert simulated.books(kind).repeated() == {}, f"{kind} was asked twice for the same"
    for run in ended:
        # A submit whose answer died with the process may stay unknown; it is said, and not sent again.
        assert run["status"] == "succeeded" or run["error"]["class"] == "uncertain", run


async def test_two_hundred_runs_at_once_all_succeed(
    simulators: Callable[..., Any], serve: Callable[..., Any]
) -> None:
    simulated = await simulators(**FAST, credits=10_000)
    server = await serve(simulated, **EAGER)
    product = a_product()

    runs = await asyncio.gather(*(server.begin(product_images=[product]) for _ in range(200)))
    ended = [await server.ended(run, 110.0) for run in runs]

    assert {run["status"] for run in ended} == {"succeeded"}
    assert_each_task_once(simulated, runs=200)


async def test_an_orderly_stop_leaves_nothing_uncertain(
    simulators: Callable[..., Any], serve: Callable[..., Any]
) -> None:
    simulated = await simulators(**FAST)
    server = await serve(simulated, **EAGER)
    runs = [await server.begin(product_images=[a_product()]) for _ in range(10)]

    assert await server.kill(signal.SIGTERM) == 0
    await server.start()
    ended = [await server.ended(run) for run in runs]

    assert {run["status"] for run in ended} == {"succeeded"}
    assert_each_task_once(simulated, runs=10)
    events = await server.get("/events?type=job.uncertain")
    assert events["items"] == []


async def test_no_credential_is_in_the_database_the_log_or_the_answers(
    simulators: Callable[..., Any], serve: Callable[..., Any]
) -> None:
    simulated = await simulators(**FAST)
    server = await serve(simulated, **EAGER)
    run = await server.begin(product_images=[a_product()])
    await server.ended(run)

    answers = [await server.get(p) for p in (f"/runs/{run}", "/events?limit=1000", "/jobs", "/connections")]
    jobs = [await server.get(f"/jobs/{job['id']}") for job in answers[2]["items"]]
    await server.kill(signal.SIGTERM)
    kept = [path.read_bytes() for path in server.folder.glob("orchestrator.db*")]
    written = b"".join(kept) + server.log.encode() + repr([answers, jobs]).encode()

    for table in server.providers.values():
        for name, value in table.items():
            if name in ("api_key", "client_id", "client_secret"):
                assert str(value).encode() not in written, name
