"""Turns between runs, asked of real processes: a run with a thousand items holds back nobody."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

FAST = {"latency_s": (0.05, 0.1), "limits": "off", "credits": 100_000}
EAGER = {"first_check": "1s", "max_check_interval": "2s"}

MANY = """
name: many
inputs:
  count: {type: integer}
steps:
  model:
    for_each: ${{ range(inputs.count) }}
    max_parallel: 1000
    uses: pizi/create_model
    with:
      name: M${{ item }}
      gender: female
      attributes: {age: Young adult}
"""


@pytest.mark.parametrize("limits", [{"max_in_flight": 2, "rate_limits": []}, {"rate_limits": ["20/1s"]}])
async def test_a_run_of_one_item_is_submitted_a_few_turns_after_it_was_started(
    simulators: Callable[..., Any], serve: Callable[..., Any], tmp_path: Path, limits: dict[str, Any]
) -> None:
    (tmp_path / "workflows").mkdir()
    (tmp_path / "workflows" / "many.yaml").write_text(MANY)
    simulated = await simulators(**FAST)
    server = await serve(simulated, **EAGER, **limits)
    tasks = simulated.books("pizi").tasks

    async def begin(count: int) -> str:
        status, run = await server.post("/runs", {"workflow": "many", "inputs": {"count": count}})
        assert status == 201, run
        return str(run["id"])

    async def is_under_way() -> bool:
        return len(tasks) >= 10

    await begin(1000)
    await server.until(is_under_way, "the first submits", 20.0)
    single = await begin(1)
    before = len(tasks)
    jobs: list[dict[str, Any]] = []

    async def is_submitted() -> bool:
        jobs[:] = (await server.get(f"/jobs?run={single}"))["items"]
        return jobs[0]["status"] not in ("created", "submitting")

    await server.until(is_submitted, "the single item", 20.0)

    assert len(tasks) - before < 40, "many of the thousand went first"
