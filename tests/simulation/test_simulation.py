"""
The whole system under seeded faults: whatever happens, nothing is lost and nothing is paid for twice.

Each seed is a world of its own: a real server, store and connectors against simulated
providers over real HTTP, in virtual time, with faults, crashes and stops. `make soak`
plays thousands. ORCHESTRATOR_SEEDS chooses: `500` for the first five hundred, `17-17` for one.
"""

import os
from collections.abc import Callable

import pytest

from tests.simulation.play import figures, play
from tests.simulation.scenario import scenario

SEEDS = 1024
"""How many are played when nobody chooses."""


def seeds() -> range:
    first, dash, last = os.environ.get("ORCHESTRATOR_SEEDS", str(SEEDS)).partition("-")
    return range(int(first), int(last) + 1) if dash else range(int(first))


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


def test_a_history_is_the_same_each_time_that_it_is_played() -> None:
    told = scenario(17)

    first, second = play(told), play(told)

    assert (first.loop.turns, first.loop.time()) == (second.loop.turns, second.loop.time())
    assert figures(first) == figures(second)
    assert first.ends == second.ends
