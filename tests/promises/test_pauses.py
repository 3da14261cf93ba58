"""Pauses, asked of real processes: a run waits for as long as it must, and goes on by itself."""

from base64 import b64encode
from collections.abc import Callable
from io import BytesIO
from typing import Any

from PIL import Image

FAST = {"latency_s": (0.05, 0.3), "limits": "off"}
EAGER = {"rate_limits": [], "first_check": "1s", "max_check_interval": "2s", "uncertain_grace": "5s"}


def a_product() -> str:
    file = BytesIO()
    Image.new("RGB", (320, 320), "teal").save(file, "PNG")
    return "data:image/png;base64," + b64encode(file.getvalue()).decode()


async def standing(server: Any, name: str) -> dict[str, Any]:
    """Return how a connection stands."""
    items = (await server.get("/connections"))["items"]
    found: dict[str, Any] = next(item for item in items if item["name"] == name)
    return found


async def told(server: Any, source: str) -> list[str]:
    """Return what the log of a connection says, but for its balance."""
    events = (await server.get("/events?type=connection.paused,connection.resumed"))["items"]
    return [event["type"].rpartition(".")[2] for event in events if event["source"] == source]


async def test_a_run_without_credits_waits_and_goes_on_by_itself_when_there_are_some(
    simulators: Callable[..., Any], serve: Callable[..., Any]
) -> None:
    simulated = await simulators(**FAST, credits=0)
    server = await serve(simulated, **EAGER)
    run = await server.begin(product_images=[a_product()])

    async def is_paused() -> bool:
        return await told(server, "/connections/pizi") == ["paused"]

    await server.until(is_paused, "pizi to be paused", 20.0)
    await server.kill()
    await server.start()
    paused = await standing(server, "pizi")
    assert (paused["status"], paused["credits"]) == ("paused", 0)
    assert paused["reason"].startswith("insufficient_credits")

    for kind in ("pizi", "perfect"):
        simulated.books(kind).top_up(100)
    ended = await server.ended(run)

    assert ended["status"] == "succeeded", ended["error"]
    assert {step["attempt"] for step in ended["steps"]} == {1}
    assert await told(server, "/connections/pizi") == ["paused", "resumed"]
    assert (await standing(server, "pizi"))["status"] == "active"
    assert simulated.books("pizi").repeated() == {}


async def test_a_person_stops_submits_of_one_connection_and_nothing_else(
    simulators: Callable[..., Any], serve: Callable[..., Any]
) -> None:
    simulated = await simulators(**FAST)
    server = await serve(simulated, **EAGER)
    assert (await server.post("/connections/perfect/pause", {"reason": "wait for me"}))[0] == 200
    run = await server.begin(product_images=[a_product()])

    async def pictures_are_there() -> bool:
        steps = (await server.get(f"/runs/{run}"))["steps"]
        pictures: set[str] = {s["status"] for s in steps if s["id"] == "pictures"}
        return pictures == {"succeeded"}

    await server.until(pictures_are_there, "the pictures", 30.0)
    await server.kill()
    await server.start()
    assert (await standing(server, "perfect"))["reason"] == "wait for me"
    assert simulated.books("perfect").tasks == {}

    assert (await server.post("/connections/perfect/resume", {}))[0] == 200
    ended = await server.ended(run)

    assert ended["status"] == "succeeded", ended["error"]
    assert await told(server, "/connections/perfect") == ["paused", "resumed"]
