"""What becomes of a run when one thing goes wrong, again and again, and nothing else."""

from dataclasses import replace

import pytest

from tests.simulation.play import play
from tests.simulation.scenario import FAULTS, Order, Shock, scenario
from tests.simulation.world import World

SHOOT = (Order("shoot", 0.0, None),)
CALM = replace(
    scenario(0),
    faults={},
    orders=SHOOT,
    shocks=(),
    full_disk=None,
    callbacks="on",
    limited=False,
    max_in_flight=None,
    latency_s=(0.5, 4.0),
    lag_s=5.0,
)
"""One run to which nothing happens."""

ENDS = {
    "loss": (1.0, "succeeded"),
    "duplicate": (1.0, "succeeded"),
    "early": (1.0, "succeeded"),
    "late": (1.0, "succeeded"),
    "reorder": (1.0, "succeeded"),
    "answer_lost": (1.0, "succeeded"),
    "error_after": (1.0, "succeeded"),
    "rate_limit": (0.5, "succeeded"),
    "no_credits": (0.5, "succeeded"),
    "lookup_lag": (1.0, "succeeded"),
    "slow_download": (1.0, "succeeded"),
    "truncated_download": (0.5, "succeeded"),
    "expired_link": (0.2, "succeeded"),
    "creative": (1.0, "succeeded"),
    "error_before": (1.0, "uncertain"),
    "task_failed": (1.0, "task_failed"),
}
"""How often each fault happens, and how a run ends that meets nothing else."""


def test_of_every_fault_it_is_said_what_becomes_of_a_run() -> None:
    assert {*ENDS, "slow_answer", "silent_failure"} == set(FAULTS)


@pytest.mark.parametrize("fault", ENDS)
def test_one_fault_alone_ends_a_run_as_it_should(fault: str) -> None:
    chance, end = ENDS[fault]

    world = play(replace(CALM, faults={fault: chance}))

    assert world.outside.met[fault], "it did not happen"
    assert ends(world) == [end]
    if end == "succeeded":
        assert tasks(world) == (2, 3)


def test_an_answer_that_comes_too_late_is_found_by_looking_up() -> None:
    world = play(replace(CALM, faults={"slow_answer": 1.0}, lag_s=15.0))

    assert ends(world) == ["succeeded"]
    assert tasks(world) == (2, 3)


def test_a_callback_that_overtook_its_answer_is_not_kept_waiting() -> None:
    world = play(replace(CALM, faults={"early": 1.0}))

    # The first look would come twenty seconds after each submit.
    assert world.loop.time() < 20


def test_a_failure_that_nobody_told_is_found_by_looking() -> None:
    world = play(replace(CALM, faults={"task_failed": 1.0, "silent_failure": 1.0}))

    assert ends(world) == ["task_failed"]
    assert tasks(world) == (1, 0)


def test_without_callbacks_looking_alone_carries_a_run() -> None:
    world = play(replace(CALM, callbacks="off"))

    assert ends(world) == ["succeeded"]
    assert not world.outside.acknowledged


def test_a_full_disk_delays_a_run_and_loses_nothing() -> None:
    world = play(replace(CALM, full_disk=(1.0, 10.0)))

    assert ends(world) == ["succeeded"]
    assert tasks(world) == (2, 3)


@pytest.mark.parametrize("turns", range(20, 200, 10))
def test_a_stop_at_any_moment_costs_nothing(turns: int) -> None:
    world = play(replace(CALM, shocks=(Shock("stop", turns, 1.0),)))

    assert ends(world) == ["succeeded"]
    assert tasks(world) == (2, 3)


@pytest.mark.parametrize("turns", range(10, 200, 20))
def test_a_crash_at_any_moment_costs_an_answer_at_most(turns: int) -> None:
    world = play(replace(CALM, shocks=(Shock("crash", turns, 1.0),)))

    # A submit that had been claimed and never left is not to be found, and nobody can know that.
    assert ends(world) in (["succeeded"], ["uncertain"])


def ends(world: World) -> list[str]:
    """Return how each run ended: its status, or the class of its error."""
    return sorted(world.ends.values())


def tasks(world: World) -> tuple[int, int]:
    """Return how many tasks Pizi and Perfect have accepted."""
    pizi, perfect = (world.providers.books(kind).tasks for kind in ("pizi", "perfect"))
    return len(pizi), len(perfect)
