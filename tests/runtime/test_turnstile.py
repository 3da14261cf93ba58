"""Whose request leaves next: urgency, a tenth for checks, and runs that take turns."""

import asyncio
from collections import Counter

import pytest

from orchestrator.clock import SECOND, SystemClock
from orchestrator.providers import perfect, pizi
from orchestrator.providers.base import Connector
from orchestrator.runtime.line import Lane, Line
from orchestrator.runtime.turnstile import Turnstile

SECRET = "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQ=="


def a_pizi(*rate_limits: str) -> Connector:
    return pizi.connect(
        pizi.PiziSettings.model_validate({"kind": "pizi", "api_key": "k", "rate_limits": rate_limits})
    )


def a_perfect(*rate_limits: str) -> Connector:
    settings = {
        "kind": "perfect",
        "base_url": "http://127.0.0.1:1",
        "client_id": "i",
        "client_secret": SECRET,
    }
    return perfect.connect(
        perfect.PerfectSettings.model_validate({**settings, "rate_limits": list(rate_limits)})
    )


def left(line: Line, waiting: list[tuple[Lane, str]]) -> list[tuple[Lane, str]]:
    """Return those who wait, in the order in which *line* lets them go."""
    turns = [(line.join(lane, run), lane, run) for lane, run in waiting]
    order: list[tuple[Lane, str]] = []
    while (lane := line.next()) is not None:
        before = {id(turn) for turn, _, _ in turns if turn.done()}
        line.admit(lane)
        order += [(at, run) for turn, at, run in turns if turn.done() and id(turn) not in before]
    return order


async def test_a_run_that_asks_once_comes_second_behind_one_that_asks_a_hundred_times() -> None:
    order = left(Line(), [(Lane.SUBMIT, "big")] * 100 + [(Lane.SUBMIT, "small")])

    assert [run for _, run in order[:3]] == ["big", "small", "big"]
    assert Counter(run for _, run in order) == {"big": 100, "small": 1}


async def test_heartbeats_go_before_submits_and_submits_before_checks() -> None:
    order = left(Line(), [(Lane.CHECK, "a"), (Lane.SUBMIT, "a"), (Lane.HEARTBEAT, "b")])

    assert [lane for lane, _ in order] == [Lane.HEARTBEAT, Lane.SUBMIT, Lane.CHECK]


async def test_of_ten_requests_one_is_a_check_while_submits_press_on() -> None:
    order = left(Line(), [(Lane.SUBMIT, "a")] * 200 + [(Lane.CHECK, "a")] * 10)

    lanes = [lane for lane, _ in order]
    assert [n for n, lane in enumerate(lanes) if lane is Lane.CHECK] == list(range(9, 109, 10))


async def test_heartbeats_do_not_count_among_the_ten() -> None:
    line = Line()
    left(line, [(Lane.HEARTBEAT, "a")] * 30)

    order = left(line, [(Lane.SUBMIT, "a"), (Lane.CHECK, "a"), (Lane.HEARTBEAT, "a")])

    assert [lane for lane, _ in order] == [Lane.HEARTBEAT, Lane.SUBMIT, Lane.CHECK]


async def test_one_who_gave_up_costs_their_run_no_turn() -> None:
    line = Line()
    line.join(Lane.CHECK, "a").cancel()

    order = left(line, [(Lane.CHECK, "a"), (Lane.CHECK, "b")])

    assert order == [(Lane.CHECK, "a"), (Lane.CHECK, "b")]
    assert line.next() is None


@pytest.fixture
def turnstile() -> Turnstile:
    return Turnstile(SystemClock())


async def test_checks_get_a_tenth_of_the_limit_however_many_submits_wait(turnstile: Turnstile) -> None:
    turnstile.add("pizi", a_pizi("20/200ms"), lambda: 0)
    gone: list[Lane] = []

    async def enter(lane: Lane) -> None:
        await turnstile.enter("pizi", lane)
        gone.append(lane)

    async with asyncio.TaskGroup() as group:
        for lane in [Lane.SUBMIT] * 100 + [Lane.CHECK] * 30:
            group.create_task(enter(lane))

    windows = [gone[start : start + 20].count(Lane.CHECK) for start in range(0, 100, 20)]
    assert windows == [2, 2, 2, 2, 2]


async def test_a_heartbeat_goes_before_the_submits_of_others_who_share_its_limit(
    turnstile: Turnstile,
) -> None:
    for name in ("a", "b"):
        turnstile.add(name, a_perfect("1/100ms host"), lambda: 0)
    order: list[str] = []

    async def enter(connection: str, lane: Lane) -> None:
        await turnstile.enter(connection, lane)
        order.append(f"{connection} {lane.name}")

    async with asyncio.TaskGroup() as group:
        for connection, lane in (
            ("a", Lane.SUBMIT),
            ("a", Lane.SUBMIT),
            ("b", Lane.SUBMIT),
            ("b", Lane.HEARTBEAT),
        ):
            group.create_task(enter(connection, lane))

    assert order == ["b HEARTBEAT", "a SUBMIT", "b SUBMIT", "a SUBMIT"]


async def test_two_that_hold_a_slot_and_wait_for_their_turn_do_not_keep_each_other_out(
    turnstile: Turnstile,
) -> None:
    turnstile.add("a", a_perfect("10/28s host"), lambda: 2)
    window = turnstile.windows()[0]
    for _ in range(4):
        window.count(SystemClock().now())

    first, second = (asyncio.create_task(turnstile.enter("a", Lane.SUBMIT)) for _ in range(2))
    await asyncio.wait([first], timeout=1.0)

    assert first.done()
    assert not second.done()
    second.cancel()


async def test_heartbeats_that_others_need_are_kept_free_in_a_limit_that_is_shared(
    turnstile: Turnstile,
) -> None:
    turnstile.add("a", a_perfect("10/7s host"), lambda: 0)
    turnstile.add("b", a_perfect("10/7s host"), lambda: 9)

    await turnstile.enter("a", Lane.SUBMIT)
    second = asyncio.create_task(turnstile.enter("a", Lane.SUBMIT))
    await asyncio.wait([second], timeout=0.05)

    assert not second.done()
    assert [window.reserve() for window in turnstile.windows()] == [9]
    second.cancel()


async def test_one_who_may_not_go_yet_does_not_hold_up_others_who_may(turnstile: Turnstile) -> None:
    turnstile.add("a", a_perfect("100/1m host", "1/1m"), lambda: 0)
    turnstile.add("b", a_perfect("100/1m host"), lambda: 0)
    await turnstile.enter("a", Lane.SUBMIT)
    stuck = asyncio.create_task(turnstile.enter("a", Lane.SUBMIT))

    await asyncio.wait_for(turnstile.enter("b", Lane.CHECK), 1.0)

    assert not stuck.done()
    stuck.cancel()
    assert turnstile.windows()[0].period == 60 * SECOND


def a_pizi_with_key(key: str) -> Connector:
    settings = {"kind": "pizi", "api_key": key, "rate_limits": ["1/1m"]}
    return pizi.connect(pizi.PiziSettings.model_validate(settings))


async def test_connections_with_the_same_credentials_share_their_limit(turnstile: Turnstile) -> None:
    turnstile.add("a", a_pizi_with_key("k"), lambda: 0)
    turnstile.add("b", a_pizi_with_key("k"), lambda: 0)
    turnstile.add("c", a_pizi_with_key("another"), lambda: 0)
    await turnstile.enter("a", Lane.SUBMIT)
    second = asyncio.create_task(turnstile.enter("b", Lane.SUBMIT))

    await asyncio.wait_for(turnstile.enter("c", Lane.SUBMIT), 1.0)

    assert not second.done()
    second.cancel()


async def test_the_name_of_a_limit_tells_nothing_of_the_credentials(turnstile: Turnstile) -> None:
    turnstile.add("a", a_pizi_with_key("very-secret"), lambda: 0)

    assert "very-secret" not in turnstile.windows()[0].scope
