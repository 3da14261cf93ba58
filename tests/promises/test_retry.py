"""A run that is taken up again, asked of real processes: what was paid for is not paid for again."""

from base64 import b64encode
from collections.abc import Callable
from io import BytesIO
from typing import Any

from PIL import Image

EAGER = {"rate_limits": [], "first_check": "1s", "max_check_interval": "2s"}


def a_product() -> str:
    file = BytesIO()
    Image.new("RGB", (320, 320), "teal").save(file, "PNG")
    return "data:image/png;base64," + b64encode(file.getvalue()).decode()


def job_status_of(run: dict[str, Any], step: str) -> str | None:
    return next((each["job_status"] for each in run["steps"] if each["id"] == step), None)


async def cancelled_between(server: Any) -> str:
    """Return a run that was cancelled while its pictures were made, and whose pictures came all the same."""
    run = await server.begin(product_images=[a_product()])

    async def pictures_are_made() -> bool:
        return job_status_of(await server.get(f"/runs/{run}"), "pictures") == "waiting"

    async def pictures_came_late() -> bool:
        return bool((await server.get(f"/runs/{run}/events?type=job.late_result"))["items"])

    await server.until(pictures_are_made, "the pictures to be submitted", 20)
    assert (await server.post(f"/runs/{run}/cancel", {}))[0] == 202
    assert (await server.ended(run))["status"] == "cancelled"
    await server.until(pictures_came_late, "the pictures that nobody waits for", 20)
    return str(run)


async def test_what_came_after_a_cancel_is_not_bought_again(
    simulators: Callable[..., Any], serve: Callable[..., Any]
) -> None:
    simulated = await simulators(latency_s=(0.6, 0.9), limits="off")
    server = await serve(simulated, **EAGER)
    run = await cancelled_between(server)

    status, retried = await server.post(f"/runs/{run}/retry", {})
    ended = await server.ended(run)

    assert (status, retried["paid_again"]) == (202, [])
    assert ended["status"] == "succeeded", ended["error"]
    assert len(ended["outputs"]["images"]) == 3
    assert [len(simulated.books(kind).tasks) for kind in ("pizi", "perfect")] == [2, 3]


async def test_a_retry_survives_the_end_of_the_process(
    simulators: Callable[..., Any], serve: Callable[..., Any]
) -> None:
    simulated = await simulators(latency_s=(0.6, 0.9), limits="off")
    server = await serve(simulated, **EAGER)
    run = await cancelled_between(server)
    await server.kill()
    await server.start()

    await server.post(f"/runs/{run}/retry", {"from": "pictures"})
    await server.kill()
    await server.start()
    ended = await server.ended(run, 90.0)

    assert ended["status"] in ("succeeded", "failed")
    assert ended["status"] == "succeeded" or ended["error"]["class"] == "uncertain", ended["error"]
    assert [step["attempt"] for step in ended["steps"] if step["id"] in ("model", "pictures")] == [1, 2]
