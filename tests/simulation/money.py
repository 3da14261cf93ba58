"""What runs share, as it stands in the database: budgets and places, against jobs and books."""

import sqlite3
from collections import defaultdict
from collections.abc import Sequence

from orchestrator.durations import seconds
from orchestrator.engine.holds import is_over
from orchestrator.engine.state import Job
from orchestrator.times import SECOND
from tests.simulation.marks import tasks_of
from tests.simulation.scenario import PERIOD
from tests.simulation.world import KINDS, World

DUST = 1e-6
"""Sums of credits are not exact; less than this is nothing."""


def add_up(world: World, jobs: Sequence[Job]) -> None:
    """Check what holds at any moment: sums are those of their rows, and a job's row is what it may cost."""
    holds, used = _read(world)
    sums: defaultdict[str, float] = defaultdict(float)
    for (resource, _), amount in holds.items():
        sums[resource] += amount
    for resource in {*sums, *used}:
        difference = abs(sums[resource] - used.get(resource, 0.0))
        assert difference < DUST, f"{resource} says {used.get(resource)}, its holders have {sums[resource]}"
        most = _most(world, resource)
        assert sums[resource] <= most + DUST, f"{sums[resource]} of {resource} are held, there are {most}"
    budgets = {(job.budget, job.id): job.reserved for job in jobs if job.budget is not None and job.reserved}
    held = {key: amount for key, amount in holds.items() if key[0].startswith("budget/")}
    # What was spent in a period that is over need not be known any more.
    counts = {key: amount for key, amount in budgets.items() if key in held or not _is_over(world, key[0])}
    assert held == counts, "what is reserved is not what jobs cost or may cost"


def _is_over(world: World, resource: str) -> bool:
    # Clocks are set back here by less than an hour.
    return is_over(resource, {"pizi": seconds(PERIOD)}, world.clock.now() + 3600 * SECOND)


def is_given_back(world: World, jobs: Sequence[Job]) -> None:
    """Check what holds when all runs have ended: no place is taken, and jobs cost what they were charged."""
    holds, _ = _read(world)
    places = [key for key in holds if key[0].startswith("group/")]
    assert places == [], f"places of ended runs are taken for ever: {places}"
    for job in jobs:
        if job.connection in KINDS and (job.connection != "pixza" or world.scenario.callbacks == "on"):
            _costs_what_was_charged(world, job)


def _costs_what_was_charged(world: World, job: Job) -> None:
    whose = job.id if job.number is None else job.number
    charged = sum(
        task.charged for task in tasks_of(job.connection, world.providers.books(job.connection), whose)
    )
    if job.status == "succeeded" and job.price is not None:
        assert job.credits == charged, f"{job.id} was charged {charged} and says {job.credits}"
    if job.price is None or job.connection == "perfect":
        return  # What Perfect finished unseen may have been charged: the exception that is documented.
    assert job.reserved >= charged - DUST, f"{job.id} was charged {charged}, and {job.reserved} is reserved"
    if job.error is not None and job.error["class"] == "uncertain" and job.budget is not None:
        assert job.reserved == job.price, f"{job.id} may have been paid for, and nothing is reserved"


def _most(world: World, resource: str) -> float:
    if resource.startswith("group/"):
        return 1.0
    assert world.scenario.budget is not None, f"nobody has set {resource}"
    return float(world.scenario.budget)


def _read(world: World) -> tuple[dict[tuple[str, str], float], dict[str, float]]:
    """Return who holds how much of what, and how much of each is said to be used."""
    database = sqlite3.connect(world.folder / "orchestrator.db")
    try:
        rows = database.execute("SELECT resource, holder, amount FROM holds").fetchall()
        used = dict(database.execute("SELECT name, used FROM resources").fetchall())
    finally:
        database.close()
    return {(resource, holder): amount for resource, holder, amount in rows}, used
