"""What is due is done because somebody told the scheduler, and not because it looks once in a while."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from orchestrator import app
from orchestrator.clock import SystemClock
from orchestrator.runtime import scheduler
from orchestrator.runtime.pauses import Pause, Pauses
from orchestrator.settings import Address, Listen, Settings
from orchestrator.simulators.server import Options, start

NEVER_S = 600.0

WORKFLOW = """
name: models
concurrency: {group: one, limit: 1}
steps:
  models:
    for_each: [a, b]
    uses: pizi/create_model
    with: {name: "M${{ item }}", gender: female, attributes: {age: Young adult}}
  nap:
    needs: [models]
    uses: core/sleep
    with: {duration: 0.3s}
"""


async def test_checks_slots_sleeps_and_places_do_not_wait_for_a_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scheduler, "IDLE_S", NEVER_S)
    (tmp_path / "workflows").mkdir()
    (tmp_path / "workflows" / "models.yaml").write_text(WORKFLOW)
    simulated = await start(Options(kinds=("pizi",), latency_s=0.2, limits="off"))
    quick = {"rate_limits": [], "first_check": "100ms", "max_check_interval": "200ms", "max_in_flight": 1}
    settings = Settings(
        callbacks="off",
        store=f"sqlite:///{tmp_path / 'orchestrator.db'}",
        artifacts=tmp_path / "artifacts",
        workflows=tmp_path / "workflows",
        listen=Listen(public=Address("127.0.0.1", 0), admin=Address("127.0.0.1", 0)),
        providers={"pizi": {**simulated.client_settings("pizi"), "kind": "pizi", **quick}},
    )
    try:
        async with app.build(settings, rest_s=NEVER_S).running() as server:
            runs = [(await server.runs.start("models", {})).state.id for _ in range(2)]

            async with asyncio.timeout(NEVER_S / 5):
                while {await status(server, run) for run in runs} != {"succeeded"}:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
    finally:
        await simulated.stop()


async def status(server: Any, run: str) -> str:
    found: str = (await server.worker.state(run)).status
    return found


def test_the_end_of_a_pause_is_known_before_it_comes() -> None:
    clock = SystemClock()
    pauses, now = Pauses(["pizi", "perfect", "pixu"], clock), clock.now()

    def pause(until: int | None) -> Pause:
        return Pause(by="person", cause=None, reason=None, since=now, until=until)

    assert pauses.next_end() is None
    pauses.set("pizi", pause(None), None)
    assert pauses.next_end() is None
    pauses.set("perfect", pause(now + 90_000_000), None)
    pauses.set("pixu", pause(now + 60_000_000), None)
    assert pauses.next_end() == now + 60_000_000
