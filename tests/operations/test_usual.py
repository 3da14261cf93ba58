"""How long tasks usually take, and when they are looked at first because of that."""

import pytest

from orchestrator.operations.planned import Planned, Sending
from orchestrator.operations.usual import ENOUGH, KEPT, UsualDurations
from orchestrator.providers import pizi


def planned(usual: UsualDurations, *, callbacks: bool = True) -> Planned:
    connector = pizi.connect(
        pizi.PiziSettings.model_validate({"api_key": "k", "first_check": "30s", "max_check_interval": "5m"})
    )
    sending = Sending(key="k", callbacks=callbacks, public_url="https://hooks.example.com")
    return Planned(connector, connector.operations["create_pictures"], sending, name="pizi", usual=usual)


def learned(*durations_s: float) -> UsualDurations:
    usual = UsualDurations()
    usual.learn_all(("pizi", "create_pictures", each) for each in durations_s)
    return usual


def test_a_few_tasks_say_nothing_yet() -> None:
    assert learned(*[60.0] * (ENOUGH - 1)).of("pizi", "create_pictures") is None


def test_half_and_nearly_all_of_the_tasks_are_told() -> None:
    usual = learned(*map(float, range(100, 0, -1))).of("pizi", "create_pictures")

    assert usual is not None
    assert (usual.p50, usual.p95) == (51.0, 96.0)


def test_operations_do_not_learn_from_each_other() -> None:
    assert learned(*[60.0] * 9).of("pizi", "create_model") is None


def test_what_was_long_ago_is_forgotten() -> None:
    usual = learned(*[900.0] * KEPT, *[3.0] * KEPT).of("pizi", "create_pictures")

    assert usual is not None
    assert usual.p95 == 3.0


def test_a_task_is_looked_at_when_nearly_all_like_it_would_have_called_back() -> None:
    assert planned(learned(*[80.0] * 20)).first_look_s == 101.0


def test_without_anything_learned_the_settings_say_when() -> None:
    assert planned(UsualDurations()).first_look_s == 30.0


@pytest.mark.parametrize(("taken_s", "expected_s"), [(4000.0, 300.0), (0.0, 1.0)])
def test_a_first_look_is_neither_rarer_than_looks_may_be_nor_at_once(
    taken_s: float, expected_s: float
) -> None:
    assert planned(learned(*[taken_s] * 20)).first_look_s == expected_s


def test_where_nobody_calls_back_the_first_look_comes_when_half_may_be_done() -> None:
    assert planned(learned(*[100.0] * 20), callbacks=False).first_look_s == 80.0
