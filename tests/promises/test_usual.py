"""How long tasks usually take, learned by a real server and known again after its end."""

import asyncio
from base64 import b64encode
from collections.abc import Callable
from io import BytesIO
from typing import Any

from PIL import Image

FAST = {"latency_s": (0.6, 0.9), "limits": "off"}
EAGER = {"rate_limits": [], "first_check": "20s"}


def a_product() -> str:
    file = BytesIO()
    Image.new("RGB", (320, 320), "teal").save(file, "PNG")
    return "data:image/png;base64," + b64encode(file.getvalue()).decode()


async def test_the_board_says_how_long_tasks_usually_take_and_what_they_may_cost(
    simulators: Callable[..., Any], serve: Callable[..., Any]
) -> None:
    simulated = await simulators(**FAST)
    server = await serve(simulated, **EAGER)
    server.providers["pizi"] |= {"prices": {"create_model": 2}}
    await server.kill()
    await server.start()
    runs = [await server.begin(product_images=[a_product()]) for _ in range(6)]
    await asyncio.gather(*map(server.ended, runs))
    await server.kill()
    await server.start()

    await server.begin(product_images=[a_product()])
    found: dict[str, Any] = {}

    async def is_on_the_board() -> bool:
        items = (await server.get("/waiting"))["items"]
        found.update(next((item for item in items if item["status"] == "waiting"), {}))
        return bool(found)

    await server.until(is_on_the_board, "a job on the board", 20.0)
    assert 0 < found["usual_duration"]["p50"] <= found["usual_duration"]["p95"] < 10
    assert found["credits_held"] == 2
