"""Who waits for a budget goes on as soon as there is some of it, in turn; waiting costs nothing."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from orchestrator import app
from orchestrator.runtime.purses import Purses
from orchestrator.settings import Address, Listen, Settings
from orchestrator.simulators.server import Options, start

DRAWINGS = """
name: drawings
steps:
  draw:
    for_each: [a tree, a house, a river]
    uses: pixza/generate
    with: {type: image, prompt: "${{ item }}"}
"""

ITEMS = """
name: items
inputs:
  items: {type: array, default: [1]}
steps:
  models:
    for_each: ${{ inputs['items'] }}
    uses: pizi/create_model
    with: {name: "M${{ item }}", gender: female, attributes: {age: Young adult}}
"""


PRICES = {"pizi": {"create_model": 2, "create_pictures": 1}, "pixza": {"generate": 8}}


@asynccontextmanager
async def serving(path: Path, credits: float, per: str) -> AsyncIterator[app.Running]:
    (path / "workflows").mkdir(exist_ok=True)
    (path / "workflows" / "items.yaml").write_text(ITEMS)
    (path / "workflows" / "drawings.yaml").write_text(DRAWINGS)
    simulated = await start(Options(kinds=("pizi", "pixza"), latency_s=0.05, limits="off"))
    providers = {
        kind: {
            **simulated.client_settings(kind),
            "kind": kind,
            "rate_limits": [],
            "first_check": "1s",
            "prices": prices,
            "budget": {"credits": credits, "per": per},
        }
        for kind, prices in PRICES.items()
    }
    settings = Settings(
        callbacks="off",
        store=f"sqlite:///{path / 'orchestrator.db'}",
        artifacts=path / "artifacts",
        workflows=path / "workflows",
        listen=Listen(public=Address("127.0.0.1", 0), admin=Address("127.0.0.1", 0)),
        providers=providers,
    )
    try:
        async with app.build(settings).running() as running:
            yield running
    finally:
        await simulated.stop()


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the jobs that asked for credits, in order."""
    found: list[str] = []
    claim = Purses.claim

    async def noted(self: Purses, connection: str, job: str, price: float | None) -> bool:
        if price:
            found.append(job)
        return await claim(self, connection, job, price)

    monkeypatch.setattr(Purses, "claim", noted)
    return found


async def submitted(server: app.Running, run: str) -> list[int]:
    """Return when each of the run's jobs was submitted, in order."""
    jobs = (await server.worker.state(run)).jobs.values()
    return sorted(job.submitted_at for job in jobs if job.submitted_at is not None)


async def until(holds: Any) -> None:
    async with asyncio.timeout(30):
        while not await holds():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def in_line(server: app.Running, run: str) -> int:
    return sum(job.asks is not None for job in await server.store.jobs(run=run, limit=1000))


async def test_a_period_begins_with_those_who_wait_and_runs_take_turns(tmp_path: Path) -> None:
    async with serving(tmp_path, credits=8, per="2s") as server:
        many = (await server.runs.start("items", {"items": list(range(9))})).state.id
        await until(lambda: has_submitted(server, many, 1))
        one = (await server.runs.start("items", {"items": list(range(1))})).state.id

        await until(lambda: has_submitted(server, many, 9))
        times = await submitted(server, many)
        first = (await submitted(server, one))[0]

    assert first < times[8], "a run of one item is served before all of a run of many"


async def test_who_waits_goes_on_when_another_has_cost_less_than_was_reserved(tmp_path: Path) -> None:
    async with serving(tmp_path, credits=12, per="3650d") as server:
        run = (await server.runs.start("drawings", {})).state.id

        await until(lambda: has_submitted(server, run, 3))

        submits = await server.store.tail(after=0, types=["job.submitting", "job.succeeded"], stream=run)
        assert [one.type for one in submits[:4]] == ["job.submitting", "job.succeeded"] * 2


async def has_submitted(server: app.Running, run: str, count: int) -> bool:
    return len(await submitted(server, run)) >= count


async def test_who_waits_for_budget_does_not_ask_again_until_there_is_some(
    tmp_path: Path, asked: list[str]
) -> None:
    async with serving(tmp_path, credits=4, per="3650d") as server:
        run = (await server.runs.start("items", {"items": list(range(80))})).state.id

        async def all_wait() -> bool:
            return await in_line(server, run) == 78

        await until(all_wait)
        before = len(asked)
        await asyncio.sleep(2.5)

        assert len(asked) == before
        assert before < 200, "each asked once, and once more where it came too late"
    asked.clear()

    async with serving(tmp_path, credits=10, per="3650d") as server:
        await until(lambda: has_submitted(server, run, 5))
        await asyncio.sleep(0.5)

        assert await in_line(server, run) == 75
        assert len(asked) == 3, "as many as what there is more of is enough for"


async def test_without_a_budget_nobody_waits_for_one_any_more(tmp_path: Path) -> None:
    async with serving(tmp_path, credits=4, per="3650d") as server:
        run = (await server.runs.start("items", {"items": list(range(5))})).state.id
        await until(lambda: has_submitted(server, run, 2))

        async def three_wait() -> bool:
            return await in_line(server, run) == 3

        await until(three_wait)

    async with serving(tmp_path, credits=1, per="3650d") as server:
        await asyncio.sleep(0.5)
        assert await in_line(server, run) == 3

    async with serving(tmp_path, credits=100, per="3650d") as server:
        await until(lambda: has_submitted(server, run, 5))
        assert await in_line(server, run) == 0
