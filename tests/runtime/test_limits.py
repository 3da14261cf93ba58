"""What may be sent when: slots, rate limits and the heartbeats that must not be starved."""

import asyncio
from collections.abc import Sequence

import pytest

from orchestrator.clock import SECOND, SystemClock
from orchestrator.providers import perfect, pizi
from orchestrator.providers.base import Connector
from orchestrator.runtime.limits import UNLIMITED, Lane, Limits
from orchestrator.runtime.windows import Window

SECRET = "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQ=="


class StillClock(SystemClock):
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.at = 1_000_000 * SECOND

    def now(self) -> int:
        return self.at


def a_pizi(rate_limits: Sequence[str] = (), max_in_flight: int | None = None) -> Connector:
    settings = pizi.PiziSettings.model_validate(
        {"kind": "pizi", "api_key": "k", "rate_limits": list(rate_limits), "max_in_flight": max_in_flight}
    )
    return pizi.connect(settings)


def a_perfect(rate_limits: Sequence[str]) -> Connector:
    settings = perfect.PerfectSettings.model_validate(
        {
            "kind": "perfect",
            "base_url": "http://127.0.0.1:1",
            "client_id": "id",
            "client_secret": SECRET,
            "rate_limits": list(rate_limits),
        }
    )
    return perfect.connect(settings)


def test_a_window_lets_the_next_in_when_the_oldest_leaves_it() -> None:
    window = Window(2, 10 * SECOND)
    window.sent.extend([1 * SECOND, 4 * SECOND])

    assert window.delay(5 * SECOND, reserve=0) == 6 * SECOND + window.span - window.period
    assert window.delay(1 * SECOND + window.span, reserve=0) == 0


@pytest.mark.parametrize(
    ("period", "slack"), [(SECOND, SECOND // 50), (60 * SECOND, SECOND), (300 * SECOND, SECOND)]
)
def test_a_request_counts_a_little_longer_than_the_period_as_it_arrives_later_than_it_leaves(
    period: int, slack: int
) -> None:
    window = Window(1, period)
    window.count(0)

    assert window.delay(period, reserve=0) == slack
    assert window.delay(period + slack, reserve=0) == 0


def test_what_is_reserved_for_heartbeats_is_not_there_for_others() -> None:
    window = Window(10, 10 * SECOND)
    window.sent.extend([1 * SECOND, 2 * SECOND])

    assert window.delay(3 * SECOND, reserve=7) == 0
    assert window.delay(3 * SECOND, reserve=8) == 1 * SECOND + window.span - 3 * SECOND


def test_heartbeats_that_need_more_than_there_is_leave_a_tenth_to_others() -> None:
    window = Window(20, 10 * SECOND)
    window.sent.append(1 * SECOND)

    assert window.delay(3 * SECOND, reserve=300) == 0
    window.sent.append(2 * SECOND)
    assert window.delay(3 * SECOND, reserve=300) == 1 * SECOND + window.span - 3 * SECOND


def test_the_documented_limits_keep_two_perfect_tasks_alive() -> None:
    limits = Limits({"perfect": a_perfect(["100/5m host", "100/1m"])}, StillClock())

    assert limits.free("perfect") == 2


def test_connections_that_share_a_limit_share_what_it_keeps_alive() -> None:
    both = {name: a_perfect(["100/5m host", "100/1m"]) for name in ("perfect", "second")}
    limits = Limits(both, StillClock())

    limits.slot("perfect", 1)
    assert (limits.free("perfect"), limits.free("second")) == (1, 1)
    limits.slot("second", 1)
    assert (limits.free("perfect"), limits.free("second")) == (0, 0)
    limits.slot("perfect", -1)
    assert (limits.free("perfect"), limits.free("second")) == (1, 1)


def test_a_rate_limit_that_keeps_no_task_alive_still_admits_one() -> None:
    limits = Limits({"perfect": a_perfect(["1/5m"])}, StillClock())

    assert limits.free("perfect") == 1


def test_without_limits_nothing_is_bounded() -> None:
    limits = Limits({"perfect": a_perfect([])}, StillClock())

    assert limits.free("perfect") == UNLIMITED


def test_what_is_in_flight_or_claimed_takes_room() -> None:
    limits = Limits({"pizi": a_pizi(max_in_flight=3)}, StillClock())

    limits.slot("pizi", 1)
    limits.claim({"pizi": 1})

    assert limits.free("pizi") == 1
    limits.unclaim({"pizi": 1})
    limits.slot("pizi", -1)
    assert limits.free("pizi") == 3


def test_new_jobs_do_not_overtake_those_that_wait() -> None:
    limits = Limits({"pizi": a_pizi(max_in_flight=3)}, StillClock())

    limits.queue("pizi", waits=True)
    assert limits.room() == {}

    limits.queue("pizi", waits=False)
    assert limits.room() == {"pizi": 3}


def test_a_connection_with_a_rate_limit_has_no_room_without_asking() -> None:
    limits = Limits({"pizi": a_pizi(["2/1s"])}, StillClock())
    limits.queue("pizi", waits=False)

    assert limits.room() == {}


def test_too_many_requests_stop_submits_for_as_long_as_the_provider_says() -> None:
    clock = StillClock()
    limits = Limits({"pizi": a_pizi(max_in_flight=3)}, clock)

    limits.refused("pizi", {"class": "rate_limited", "message": "no"}, clock.now() + 5 * SECOND)
    assert limits.free("pizi") == 0
    assert limits.overview()[0]["status"] == "paused"

    clock.at += 5 * SECOND
    assert limits.free("pizi") == 3
    assert limits.overview()[0]["status"] == "active"


def test_after_a_refusal_for_want_of_credits_one_job_is_let_through_and_no_other_beside_it() -> None:
    clock = StillClock()
    limits = Limits({"pizi": a_pizi(max_in_flight=3)}, clock)
    limits.refused("pizi", {"class": "insufficient_credits", "message": "no"}, clock.now() + 5 * SECOND)

    limits.queue("pizi", waits=False)
    clock.at += 300 * SECOND
    assert limits.free("pizi") == 1
    assert limits.room() == {}

    limits.claim({"pizi": 1})
    limits.unclaim({"pizi": 1})
    limits.slot("pizi", 1)
    assert limits.free("pizi") == 0


def test_after_a_pause_new_jobs_do_not_overtake_those_that_were_refused() -> None:
    clock = StillClock()
    limits = Limits({"pizi": a_pizi(max_in_flight=3)}, clock)
    limits.queue("pizi", waits=False)

    limits.refused("pizi", {"class": "rate_limited", "message": "no"}, clock.now() + 5 * SECOND)
    clock.at += 5 * SECOND

    assert limits.free("pizi") == 3
    assert limits.room() == {}


def test_what_was_prepared_when_a_pause_began_is_not_submitted() -> None:
    clock = StillClock()
    limits = Limits({"pizi": a_pizi()}, clock)
    began = clock.now()
    clock.at += SECOND

    limits.refused("pizi", {"class": "rate_limited", "message": "no"}, clock.now() + 5 * SECOND)

    assert limits.is_stopped("pizi", began)
    assert not limits.is_stopped("pizi", clock.now())


def test_a_refused_connection_does_not_pause_for_a_broken_network() -> None:
    clock = StillClock()
    limits = Limits({"pizi": a_pizi(max_in_flight=3)}, clock)

    limits.refused("pizi", {"class": "network", "message": "no"}, clock.now() + 5 * SECOND)

    assert limits.free("pizi") == 3


async def test_a_heartbeat_goes_before_a_submit_that_came_first() -> None:
    limits = Limits({"perfect": a_perfect(["2/300ms"])}, SystemClock())
    for _ in range(2):
        await limits.enter("perfect", Lane.HEARTBEAT)
    order: list[str] = []

    async def enter(lane: Lane, name: str) -> None:
        await limits.enter("perfect", lane)
        order.append(name)

    await asyncio.gather(
        enter(Lane.CHECK, "check"), enter(Lane.SUBMIT, "submit"), enter(Lane.HEARTBEAT, "beat")
    )

    assert order == ["beat", "submit", "check"]


async def test_one_who_gives_up_waiting_leaves_the_turn_to_the_next() -> None:
    limits = Limits({"pizi": a_pizi(["1/200ms"])}, SystemClock())
    await limits.enter("pizi", Lane.CHECK)
    impatient = asyncio.create_task(limits.enter("pizi", Lane.SUBMIT))
    patient = asyncio.create_task(limits.enter("pizi", Lane.CHECK))
    await asyncio.wait([impatient], timeout=0)
    impatient.cancel()

    await patient

    assert impatient.cancelled()


async def test_connections_to_one_host_share_a_limit_by_host() -> None:
    clock = StillClock()
    connectors = {"a": a_perfect(["1/1m host"]), "b": a_perfect(["1/1m host"]), "c": a_perfect(["1/1m"])}
    limits = Limits(connectors, clock)
    await limits.enter("a", Lane.HEARTBEAT)
    await limits.enter("c", Lane.HEARTBEAT)

    second = asyncio.create_task(limits.enter("b", Lane.HEARTBEAT))
    await asyncio.wait([second], timeout=0.05)

    assert not second.done()
    second.cancel()
