"""Plays a scenario from its beginning to its end, holds it against every promise, and counts."""

import asyncio
import tempfile
from pathlib import Path

from tests.simulation.audit import Audit
from tests.simulation.scenario import Scenario
from tests.simulation.virtual_time import VirtualLoop
from tests.simulation.world import KINDS, World


def play(told: Scenario) -> World:
    """Return the world that *told* leads to. Errors: AssertionError where a promise was broken."""
    # Nothing here outlives the process, so a disk in memory does, where there is one.
    memory = Path("/dev/shm")
    with (
        tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder,
        asyncio.Runner(loop_factory=lambda: VirtualLoop(told.seed)) as runner,
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
        "met": outside.met.total(),
        **{f"met {name}": count for name, count in outside.met.items() if count},
        "virtual seconds": int(world.loop.time()),
    }
