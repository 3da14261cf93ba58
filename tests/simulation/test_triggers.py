"""Schedules and runs that follow runs, with crashes at any moment, in virtual time."""

import asyncio
import random
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from orchestrator import app
from orchestrator.settings import Settings
from orchestrator.times import SECOND, from_rfc3339
from tests.simulation.lives import Life
from tests.simulation.virtual_time import VirtualLoop
from tests.simulation.world import NOON, WorldClock

TICK = """
name: tick
triggers: {schedule: {cron: '*/2 * * * *', missed: run_once}}
steps:
  wait: {uses: core/sleep, with: {duration: 5s}}
"""
TOCK = """
name: tock
inputs: {first: {type: string}}
triggers: {run: {workflow: tick, inputs: {first: '${{ run.id }}'}}}
steps:
  wait: {uses: core/sleep, with: {duration: 5s}}
"""
MINUTES = 40


@dataclass(frozen=True)
class Left:
    """A run that was left at the end."""

    id: str
    workflow: str
    status: str
    trigger: dict[str, Any]


class Tower:
    """A clock tower: a server that dies now and then, and what it left at the end."""

    def __init__(self, folder: Path, seed: int, loop: VirtualLoop) -> None:
        self.loop, self.dice = loop, random.Random(seed)
        self.clock = WorldClock(loop, random.Random(seed))
        self.crashes = 0
        self.runs: list[Left] = []
        shelf = folder / "workflows"
        shelf.mkdir()
        (shelf / "tick.yaml").write_text(TICK)
        (shelf / "tock.yaml").write_text(TOCK)
        self.settings = Settings.model_validate(
            {
                "callbacks": "off",
                "store": f"sqlite:///{folder}/orchestrator.db",
                "artifacts": folder / "artifacts",
                "workflows": shelf,
                "listen": {"public": "127.0.0.1:0", "admin": "127.0.0.1:0"},
            }
        )

    async def stand(self) -> None:
        """Let time pass."""
        end = self.loop.time() + MINUTES * 60
        while self.loop.time() < end:
            await self._live()
            await asyncio.sleep(self.dice.choice([1, 20, 50]))
        async with app.build(self.settings, clock=self.clock).running() as server:
            await asyncio.sleep(30)
            for row in await server.store.runs(limit=1000):
                trigger = (await server.worker.state(row.id)).trigger or {}
                self.runs.append(Left(row.id, row.workflow, row.status, trigger))

    async def _live(self) -> None:
        """Run a server and end it at any moment: in the middle of something, or while it waits."""
        life, struck = Life(), asyncio.Event()
        root = life.begin(self._serve())
        lasts_s = self.dice.uniform(0, 250)
        self.loop.call_later(
            lasts_s, lambda: self.loop.at_turn(self.loop.turns + self.dice.randrange(40), struck.set)
        )
        await struck.wait()
        assert not root.done(), root
        await life.end(root)
        self.crashes += 1

    async def _serve(self) -> None:
        async with app.build(self.settings, clock=self.clock).running() as server:
            await server.failed


@pytest.mark.parametrize("seed", range(4))
def test_each_instant_and_each_end_starts_one_run_whatever_crashes(tmp_path: Path, seed: int) -> None:
    with asyncio.Runner(loop_factory=lambda: VirtualLoop(seed)) as runner:
        loop = runner.get_loop()
        assert isinstance(loop, VirtualLoop)
        tower = Tower(tmp_path, seed, loop)
        runner.run(tower.stand())

    ticks = [run for run in tower.runs if run.workflow == "tick"]
    instants = sorted(from_rfc3339(run.trigger["at"]) // SECOND for run in ticks)
    now = tower.clock.now() // SECOND
    assert instants == [at for at in range(NOON, now + 1) if at % 120 == 0]
    followed = Counter(run.trigger["run"] for run in tower.runs if run.workflow == "tock")
    assert followed == dict.fromkeys((run.id for run in ticks if run.status == "succeeded"), 1)
    assert tower.crashes > 5
