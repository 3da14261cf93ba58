"""What becomes of a run when one thing goes wrong, again and again, and nothing else."""

from dataclasses import replace
from typing import Any

import pytest

from orchestrator.engine import large
from tests.simulation.play import play
from tests.simulation.scenario import FAULTS, Order, Shock, Visit, scenario
from tests.simulation.world import World

CALM = replace(
    scenario(0),
    faults={},
    orders=(Order("shoot"),),
    visits=(),
    shocks=(),
    full_disk=None,
    callbacks="on",
    limited=False,
    max_in_flight=None,
    budget=None,
    latency_s=(0.5, 4.0),
    lag_s=5.0,
)
"""One run to which nothing happens."""

TASKS = {
    "shoot": {"pizi": 2, "perfect": 3},
    "drafts": {"pixza": 4},
    "avatars": {"trypi": 3, "perfect": 3, "pixza": 1},
    "portraits": {"pixu": 3},
    "shared": {"pizi": 3},
}
"""What each of these runs takes when nothing happens, by provider."""

ENDS = {
    "loss": (1.0, {"portraits": "timeout"}),
    "duplicate": (1.0, {}),
    "early": (1.0, {}),
    "late": (1.0, {}),
    "reorder": (1.0, {}),
    "answer_lost": (1.0, {}),
    "slow_answer": (1.0, {}),
    "error_after": (1.0, {}),
    "rate_limit": (0.4, {}),
    "no_credits": (0.4, {}),
    "lookup_lag": (1.0, {}),
    "slow_download": (1.0, {}),
    "truncated_download": (0.4, {}),
    "expired_link": (0.2, {}),
    "creative": (1.0, {}),
    "link_missing": (1.0, {}),
    "head_probe": (1.0, {}),
    "error_before": (1.0, dict.fromkeys(TASKS, "uncertain")),
    "task_failed": (1.0, {**dict.fromkeys(TASKS, "task_failed"), "portraits": "timeout"}),
    "wrong_uid": (1.0, {"portraits": "timeout"}),
}
"""How often each fault happens, and how a run ends that meets nothing else; where nothing is said, well."""

ELSEWHERE = {"silent_failure", "short_prompts", "trigger_failed"}
"""Of these there is a test of their own."""

CONCERNED = {
    "drafts": {"answer_lost", "error_before", "task_failed", "loss", "no_credits"},
    "avatars": {"answer_lost", "error_after", "error_before", "link_missing", "task_failed", "slow_answer"},
    "portraits": {
        *("loss", "duplicate", "early", "answer_lost", "slow_answer", "error_before", "task_failed"),
        *("wrong_uid", "head_probe"),
    },
    "shared": {"loss", "answer_lost", "no_credits"},
    "shoot": set(ENDS) - {"link_missing", "wrong_uid", "head_probe"},
}
"""Which faults each workflow is played with."""

CASES = [(workflow, fault) for workflow, faults in CONCERNED.items() for fault in sorted(faults)]


def test_of_every_fault_it_is_said_what_becomes_of_a_run() -> None:
    assert {fault for _, fault in CASES} == set(ENDS)
    assert {*ENDS, *ELSEWHERE} == set(FAULTS)


@pytest.mark.parametrize(("workflow", "fault"), CASES)
def test_one_fault_alone_ends_a_run_as_it_should(workflow: str, fault: str) -> None:
    chance, told = ENDS[fault]

    world = play(calm(workflow, faults={fault: chance}))

    assert world.outside.met[fault], "it did not happen"
    assert ends(world) == [told.get(workflow, "succeeded")]
    if workflow not in told:
        assert tasks(world) == TASKS[workflow]


def test_a_fresh_task_that_cannot_be_seen_for_long_is_found_all_the_same() -> None:
    world = play(calm("shoot", faults={"answer_lost": 1.0, "lookup_lag": 1.0}, lag_s=15.0))

    # Pizi's are found when they are to be seen; Perfect is asked again with the same number.
    assert tasks(world)["pizi"] == 2
    assert "uncertain" not in ends(world)


def test_what_was_never_accepted_stays_unclear_for_as_long_as_the_grace_says() -> None:
    world = play(calm("shoot", faults={"error_before": 1.0}))

    assert ends(world) == ["uncertain"]
    assert world.loop.time() > 90


def test_an_answer_that_comes_too_late_is_found_by_looking_up() -> None:
    world = play(calm("shoot", faults={"slow_answer": 1.0}, lag_s=15.0))

    assert ends(world) == ["succeeded"]
    assert tasks(world) == TASKS["shoot"]


def test_a_callback_that_overtook_its_answer_is_not_kept_waiting() -> None:
    world = play(calm("shoot", faults={"early": 1.0}))

    # The first look would come twenty seconds after each submit.
    assert world.loop.time() < 20


def test_a_failure_that_nobody_told_is_found_by_looking() -> None:
    world = play(calm("shoot", faults={"task_failed": 1.0, "silent_failure": 1.0}))

    assert ends(world) == ["task_failed"]
    assert tasks(world) == {"pizi": 1}


def test_a_prompt_that_is_refused_although_it_is_documented_fails_its_item_alone() -> None:
    world = play(calm("avatars", faults={"short_prompts": 1.0}))

    assert ends(world) == ["succeeded"]
    assert tasks(world) == {"trypi": 2, "perfect": 2, "pixza": 1}


def test_a_job_that_trypi_cannot_start_costs_nothing_and_its_submit_stays_unclear() -> None:
    world = play(calm("avatars", faults={"trigger_failed": 1.0}))

    assert world.providers.books("trypi").charged == 0
    assert world.outside.met["trigger_failed"] > 3, "it is asked for again under the same key"


def test_the_last_look_before_the_deadline_finds_what_nobody_told() -> None:
    rarely = {"first_check": "2h", "max_check_interval": "2h"}

    world = play(calm("stubborn", faults={"loss": 1.0}, settings=rarely))

    assert ends(world) == ["succeeded"]
    assert tasks(world) == {"pizi": 3}


def test_without_callbacks_looking_alone_carries_a_run() -> None:
    world = play(calm("shoot", callbacks="off"))

    assert ends(world) == ["succeeded"]
    assert not world.outside.acknowledged


def test_a_full_disk_delays_a_run_and_loses_nothing() -> None:
    world = play(calm("shoot", full_disk=(1.0, 10.0)))

    assert ends(world) == ["succeeded"]
    assert tasks(world) == TASKS["shoot"]


@pytest.mark.parametrize("cancelled_after_s", [0.5, 1.5, 3.0, 6.0])
def test_what_was_paid_for_and_then_cancelled_is_kept(cancelled_after_s: float) -> None:
    world = play(replace(CALM, orders=(Order("patient", cancelled_after_s=cancelled_after_s),)))

    # The audit holds every task that was completed against the results that we have.
    assert ends(world) == ["cancelled"]


@pytest.mark.parametrize("anew", [False, True])
def test_a_run_that_is_let_go_on_buys_only_what_it_has_not_got(anew: bool) -> None:
    order = Order("shoot", cancelled_after_s=1.2, retries=1, anew=anew)

    world = play(replace(CALM, orders=(order,), latency_s=(0.9, 1.0)))

    assert ends(world) == ["succeeded"]
    assert world.outside.met["run retried"] == 1
    assert tasks(world)["pizi"] == (4 if anew else 2)


def test_runs_of_a_group_take_turns_and_leave_no_place_taken() -> None:
    cancelled = Order("shared", after_s=0.0, cancelled_after_s=0.2)
    orders = (cancelled, *(Order("shared", after_s=float(number)) for number in range(3)))

    world = play(replace(CALM, orders=orders, shocks=(Shock("crash", 150, 1.0), Shock("crash", 90, 1.0))))

    assert "cancelled" in ends(world)
    assert all(end in ("succeeded", "uncertain", "cancelled") for end in ends(world))


@pytest.mark.parametrize("seed", [0, 3, 5])
def test_a_task_that_looks_like_two_jobs_is_taken_by_its_own_or_by_none(seed: int) -> None:
    # Two of the prompts are the same, and Pixza shows no mark: one is accepted, the other is not.
    faults = {"answer_lost": 0.4, "error_before": 0.4, "loss": 1.0}

    world = play(replace(calm("drafts", faults=faults), seed=seed))

    assert ends(world) in (["succeeded"], ["uncertain"])


def test_a_budget_delays_what_it_does_not_refuse() -> None:
    world = play(replace(CALM, orders=(Order("patient"), Order("single", after_s=1.0)), budget=2))

    assert ends(world) == ["succeeded", "succeeded"]
    assert tasks(world)["pizi"] == 5
    # Two in each ten minutes.
    assert world.loop.time() > 600


@pytest.mark.parametrize("kind", ["resolve", "resubmit", "mistake"])
def test_people_settle_what_is_unclear(kind: Any) -> None:
    # Nothing tells: neither callback nor search, for longer than the visit takes to come.
    unclear = {"answer_lost": 1.0, "loss": 1.0, "lookup_lag": 1.0}

    world = play(calm("shoot", faults=unclear, lag_s=30.0, visits=(Visit(kind, 5.0),)))

    if kind != "resubmit":
        assert world.outside.met["submit resolved by a person"] == (1 if kind == "resolve" else 2)
        assert tasks(world)["pizi"] == 2
    assert world.outside.met["wrong task adopted by a person"] == (kind == "mistake")


@pytest.mark.parametrize("workflow", sorted(TASKS))
@pytest.mark.parametrize("turns", [30, 75, 120, 165])
def test_a_stop_at_any_moment_costs_nothing(workflow: str, turns: int) -> None:
    world = play(calm(workflow, shocks=(Shock("stop", turns, 1.0),)))

    if workflow == "portraits" and ends(world) == ["timeout"]:
        return  # Pixu calls once, and cannot be asked: a call in that second is lost.
    assert ends(world) == ["succeeded"]
    assert tasks(world) == TASKS[workflow]


@pytest.mark.parametrize("workflow", sorted(TASKS))
@pytest.mark.parametrize("turns", [20, 60, 110, 180])
def test_a_crash_at_any_moment_costs_an_answer_at_most(workflow: str, turns: int) -> None:
    world = play(calm(workflow, shocks=(Shock("crash", turns, 1.0),)))

    # A submit that had been claimed and never left is not to be found, and nobody can know that.
    allowed = {"succeeded", "uncertain"} | ({"timeout"} if workflow == "portraits" else set())
    assert set(ends(world)) <= allowed


@pytest.mark.parametrize("workflow", sorted(TASKS))
def test_connections_that_break_in_the_middle_cost_an_answer_at_most(workflow: str) -> None:
    worlds = [play(replace(calm(workflow, cuts=0.9), seed=seed)) for seed in range(4)]

    assert sum(world.outside.met["connection_cut"] for world in worlds)
    # What had not quite arrived is not to be found, and nobody can know that. (A run that is a step fails.)
    others = {"portraits": {"timeout"}, "shared": {"task_failed"}}
    allowed = {"succeeded", "uncertain"} | others.get(workflow, set())
    assert {end for world in worlds for end in ends(world)} <= allowed


@pytest.mark.parametrize("workflow", ["shoot", "portraits"])
@pytest.mark.parametrize("writes", range(2, 18, 2))
def test_a_crash_right_after_a_write_leaves_nothing_half_done(workflow: str, writes: int) -> None:
    shocks = (Shock("crash", 0, 0.0, writes=writes), Shock("crash", 0, 0.0, writes=writes + 1))

    world = play(calm(workflow, shocks=shocks))

    # The audit looks after each of them.
    assert world.outside.crashes
    assert set(ends(world)) <= {"succeeded", "uncertain", "timeout"}


@pytest.mark.parametrize("workflow", sorted(TASKS))
@pytest.mark.parametrize("turns", [0, 60, 110])
def test_values_that_the_log_only_refers_to_change_nothing(
    monkeypatch: pytest.MonkeyPatch, workflow: str, turns: int
) -> None:
    monkeypatch.setattr(large, "LARGE_BYTES", 40)
    world = play(calm(workflow, shocks=(Shock("crash", turns, 1.0),) if turns else ()))

    if not turns:
        assert ends(world) == ["succeeded"]
        assert tasks(world) == TASKS[workflow]
    assert set(ends(world)) <= {"succeeded", "uncertain"} | (
        {"timeout"} if workflow == "portraits" else set()
    )


def test_what_a_provider_says_of_when_to_come_again_is_heeded() -> None:
    world = play(calm("drafts", faults={"rate_limit": 0.4}, lag_s=15.0))

    seen = [request for request in world.providers.books("pixza").requests if request.method == "POST"]
    refused = [request.at for request in seen if request.status == 429]
    assert refused, "it did not happen"
    for at in refused:
        # Those that were on their way are answered within four seconds.
        assert not [later for later in seen if at + 5 < later.at < at + 14], "it came before it was asked to"


def calm(workflow: str, **changes: Any) -> Any:
    """Return the scenario of one run of *workflow* to which nothing happens but *changes*."""
    return replace(CALM, orders=(Order(workflow),), **changes)


def ends(world: World) -> list[str]:
    """Return how each run ended: its status, or the class of its error."""
    return sorted(world.ends.values())


def tasks(world: World) -> dict[str, int]:
    """Return how many tasks each provider has accepted."""
    return {kind: len(books.tasks) for kind, books in world.providers.all_books().items() if books.tasks}
