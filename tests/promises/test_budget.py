"""A connection's budget, asked of real processes: what it does not allow waits, over restarts as well."""

from base64 import b64encode
from collections.abc import Callable
from io import BytesIO
from typing import Any

from PIL import Image

FAST = {"latency_s": (0.05, 0.3), "limits": "off"}
EAGER = {"rate_limits": [], "first_check": "1s", "max_check_interval": "2s", "uncertain_grace": "5s"}
PRICES = {"create_model": 2, "create_pictures": {"credits": 1, "per": "variants"}}


def a_product() -> str:
    file = BytesIO()
    Image.new("RGB", (320, 320), "teal").save(file, "PNG")
    return "data:image/png;base64," + b64encode(file.getvalue()).decode()


async def budget_of(server: Any, name: str) -> dict[str, Any]:
    items = (await server.get("/connections"))["items"]
    found: dict[str, Any] = next(item["budget"] for item in items if item["name"] == name)
    return found


async def test_a_job_waits_when_the_budget_of_its_connection_is_reached_and_goes_on_when_there_is_more(
    simulators: Callable[..., Any], serve: Callable[..., Any]
) -> None:
    simulated = await simulators(**FAST)
    server = await serve(simulated, **EAGER)
    server.providers["pizi"] |= {"prices": PRICES, "budget": {"credits": 4, "per": "3650d"}}
    await server.kill()
    await server.start()

    run = await server.begin(product_images=[a_product()])

    async def is_reached() -> bool:
        return bool((await server.get("/events?type=connection.budget_reached"))["items"])

    await server.until(is_reached, "the budget to be reached", 20.0)
    assert (await budget_of(server, "pizi"))["used"] == 2
    assert len(simulated.books("pizi").tasks) == 1, "the pictures cost three, and two were left"
    assert [job["status"] for job in (await server.get("/jobs?connection=pizi"))["items"]] == [
        "created",
        "succeeded",
    ]

    server.providers["pizi"]["budget"] = {"credits": 5, "per": "3650d"}
    await server.kill()
    await server.start()
    ended = await server.ended(run)

    assert ended["status"] == "succeeded", ended["error"]
    assert (await budget_of(server, "pizi"))["used"] == 5
    assert ended["credits"]["pizi"] == 5


async def test_it_is_said_of_a_job_that_it_asks_for_more_than_there_will_ever_be(
    simulators: Callable[..., Any], serve: Callable[..., Any]
) -> None:
    server = await serve(await simulators(**FAST), **EAGER)
    server.providers["pizi"] |= {"prices": PRICES, "budget": {"credits": 2, "per": "3650d"}}
    await server.kill()
    await server.start()
    await server.begin(product_images=[a_product()])
    told: list[str] = []

    async def is_said() -> bool:
        told[:] = [item["waiting_for"] for item in (await server.get("/waiting?reason=budget"))["items"]]
        return bool(told)

    await server.until(is_said, "a job to wait for the budget", 20.0)

    assert told == ["a larger budget: its connection's has 2 credits in all"]


async def test_runs_that_come_together_do_not_spend_more_than_the_budget(
    simulators: Callable[..., Any], serve: Callable[..., Any]
) -> None:
    simulated = await simulators(**FAST)
    server = await serve(simulated, **EAGER)
    server.providers["pizi"] |= {"prices": PRICES, "budget": {"credits": 7, "per": "3650d"}}
    await server.kill()
    await server.start()

    runs = [await server.begin(product_images=[a_product()]) for _ in range(6)]

    async def all_wait() -> bool:
        jobs = (await server.get("/jobs?connection=pizi"))["items"]
        return {job["status"] for job in jobs} == {"created", "succeeded"} and len(jobs) >= len(runs)

    await server.until(all_wait, "what is allowed to be done", 30.0)
    assert len(simulated.books("pizi").tasks) == 3, "of six models at two credits three may be made of seven"
    assert (await budget_of(server, "pizi"))["used"] == 6
