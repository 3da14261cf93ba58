"""Rate limits, asked of real processes: they hold by the provider's own count, whoever is killed."""

import asyncio
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

FAST = {"latency_s": (0.05, 0.1), "limits": "off", "credits": 100_000}
LIMIT, PERIOD_S = 10, 3.0
JITTER_S = 0.3
"""So much later than another may a request arrive that left at the same time, on a machine that is busy."""

MODELS = """
name: models
steps:
  model:
    for_each: ${{ range(200) }}
    uses: pizi/create_model
    with: {name: "M${{ item }}", gender: female, attributes: {age: Young adult}}
"""


@pytest.mark.parametrize("seed", range(2))
async def test_a_limit_holds_across_kills(
    simulators: Callable[..., Any], serve: Callable[..., Any], tmp_path: Path, seed: int
) -> None:
    (tmp_path / "workflows").mkdir()
    (tmp_path / "workflows" / "models.yaml").write_text(MODELS)
    dice = random.Random(seed)
    simulated = await simulators(**FAST)
    server = await serve(
        simulated, rate_limits=[f"{LIMIT}/{PERIOD_S:g}s"], first_check="1s", max_check_interval="2s"
    )
    status, run = await server.post("/runs", {"workflow": "models", "inputs": {}})
    assert status == 201, run

    for _ in range(4):
        await asyncio.sleep(dice.uniform(0.3, 2.0))
        await server.kill()
        await server.start()
    await asyncio.sleep(PERIOD_S)

    books = simulated.books("pizi")
    times = [seen.at for seen in books.requests if "/files/" not in seen.path]
    assert len(times) > 2 * LIMIT, "the limit was never reached"
    spans = [later - early for early, later in zip(times, times[LIMIT:], strict=False)]
    assert min(spans) >= PERIOD_S - JITTER_S, f"{LIMIT + 1} requests within {min(spans):.2f} s"
