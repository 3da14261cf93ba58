"""Ids of deliveries: their order is the order of arrival."""

from orchestrator.clock import SystemClock
from orchestrator.ids import Ascending, typeid


def test_ids_ascend_within_a_millisecond_and_when_the_clock_steps_back() -> None:
    ids = Ascending("dlv")
    times = [5_000_000, 5_000_001, 5_000_999, 5_001_000, 4_000_000, 5_001_500, 9_000_000]

    made = [ids.next(at, SystemClock().entropy) for at in times]

    assert made == sorted(set(made))
    assert made[0][:-4] + "0000" == made[0]
    assert {len(id) for id in made} == {len(typeid("dlv", 0, bytes(10)))}


def test_ids_go_on_in_the_next_millisecond_when_one_is_full() -> None:
    ids = Ascending("dlv")

    made = [ids.next(0, lambda: bytes(16)) for _ in range(0x10_0001)]

    assert made[-2].endswith("zzzz")
    assert made[-1] == typeid("dlv", 1000, bytes(16))
    assert made == sorted(made)
