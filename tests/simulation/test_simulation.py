"""
The whole system under seeded faults: whatever happens, nothing is lost and nothing is paid for twice.

Each seed is a world of its own: a real server, store and connectors against simulated
providers over real HTTP, in virtual time, with faults, crashes and stops. `make soak`
plays thousands. ORCHESTRATOR_SEEDS chooses: `500` for the first five hundred, `17-17` for one.
"""

import asyncio
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import structlog

from tests.simulation.audit import Audit
from tests.simulation.scenario import Order, Scenario, scenario
from tests.simulation.virtual_time import VirtualLoop, watch_databases
from tests.simulation.world import KINDS, World

SEEDS = 48
"""How many are played when nobody chooses."""


def seeds() -> range:
    first, dash, last = os.environ.get("ORCHESTRATOR_SEEDS", str(SEEDS)).partition("-")
    return range(int(first), int(last) + 1) if dash else range(int(first))


@pytest.fixture(autouse=True)
def _quiet_and_watched(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    watch_databases(monkeypatch)
    with structlog.testing.capture_logs():
        yield


@pytest.mark.parametrize("seed", seeds())
def test_whatever_happens_nothing_is_lost_and_nothing_is_paid_for_twice(
    seed: int, record_property: Callable[[str, object], None]
) -> None:
    told = scenario(seed)

    try:
        world = play(told)
    except Exception as error:
        error.add_note(
            f"{told}\nto see it again: ORCHESTRATOR_SEEDS={seed}-{seed} make test ARGS=-ksimulation"
        )
        raise
    record_property("figures", figures(world))


def test_a_task_that_cannot_be_looked_up_yet_is_not_taken_for_lost() -> None:
    calm = replace(scenario(0), faults={"lookup_lag": 1.0}, shocks=(), lag_s=5.0, latency_s=(0.01, 0.05))
    told = replace(calm, orders=(Order("shoot", 0.0, None),), callbacks="on", limited=False)

    world = play(told)

    assert len(world.providers.books("perfect").tasks) == 3


def figures(world: World) -> dict[str, int]:
    """Return what a world had in it, to be added up."""
    outside, books = world.outside, [world.providers.books(kind) for kind in KINDS]
    return {
        "histories": 1,
        "runs": len(outside.started),
        "tasks": sum(len(b.tasks) for b in books),
        "requests": sum(b.counts.total() for b in books),
        "callbacks": outside.acknowledged.total(),
        "crashes": outside.crashes,
        "stops": outside.stops,
        "faults": outside.met.total(),
        **{f"fault {name}": count for name, count in outside.met.items() if count},
        "virtual seconds": int(world.loop.time()),
    }


def play(told: Scenario) -> World:
    """Play a scenario from its beginning to its end, and hold it against every promise."""
    # Nothing here outlives the process, so a disk in memory does, where there is one.
    memory = Path("/dev/shm")
    with (
        tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder,
        asyncio.Runner(loop_factory=VirtualLoop) as runner,
    ):
        loop = runner.get_loop()
        assert isinstance(loop, VirtualLoop)
        world = World(told, Path(folder), loop)
        runner.run(_play(world))
    return world


async def _play(world: World) -> None:
    audit = Audit()
    await world.play(audit.between)
    await audit.final(world)
