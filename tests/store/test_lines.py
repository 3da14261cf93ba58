"""Jobs in line for their connection's budget: what is left, and no more, is promised to them in turn."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from orchestrator.engine.holds import Hold
from orchestrator.store.rows import Append, JobRow, Lap, Purse
from orchestrator.store.schedule import BEGINNING
from orchestrator.store.sqlite import SqliteStore

Wait = Callable[..., Any]
FAR = 9_000_000
NOW = 50


def purse(credits: float, claimed: Mapping[str, float] | None = None) -> Purse:
    return Purse("pizi", "budget/pizi/x", credits, claimed or {})


@pytest.fixture
def wait(store: SqliteStore, append: Callable[..., Append], job_row: Callable[..., JobRow]) -> Wait:
    """Let the jobs of a run, `{number: price}`, stand in line."""

    async def put(run: int, jobs: Mapping[int, float]) -> None:
        rows = [job_row(n, run=run, status="created", lane="submit", wake_at=1) for n in jobs]
        await store.append(append(run, parts={"jobs": rows}))
        for n, price in jobs.items():
            await store.postpone(f"job_{n:03}", FAR, price)

    return put


async def due(store: SqliteStore) -> Sequence[str]:
    found, _ = await store.due(connection="pizi", lane="submit", now=NOW, limit=50)
    return sorted(one.job for one in found)


async def test_what_is_left_is_promised_as_far_as_it_goes(store: SqliteStore, wait: Wait) -> None:
    await wait(1, {1: 2, 2: 2, 3: 2})

    promised = await store.promise(purse(5), NOW, BEGINNING)

    assert promised.jobs == 2
    assert await due(store) == ["job_001", "job_002"]
    assert await store.spoken_for(purse(5), "job_009") == 4
    assert await store.spoken_for(purse(5), "job_001") == 2, "what was promised to itself is there for it"


async def test_what_was_promised_is_not_promised_again(store: SqliteStore, wait: Wait) -> None:
    await wait(1, {1: 2, 2: 2, 3: 2})
    await store.promise(purse(3), NOW, BEGINNING)

    again = await store.promise(purse(3), NOW, BEGINNING)

    assert again.jobs == 0
    assert await due(store) == ["job_001"]


async def test_what_is_used_or_claimed_is_not_promised(
    store: SqliteStore, wait: Wait, append: Callable[..., Append]
) -> None:
    await store.append(append(9, parts={"holds": [Hold("budget/pizi/x", "job_9", 4)]}))
    await wait(1, {1: 2, 2: 2})

    promised = await store.promise(purse(9, {"job_008": 2.5}), NOW, BEGINNING)

    assert promised.jobs == 1


async def test_a_claim_takes_the_place_of_the_promise(store: SqliteStore, wait: Wait) -> None:
    await wait(1, {1: 2, 2: 2})
    await store.promise(purse(2), NOW, BEGINNING)

    assert await store.spoken_for(purse(2, {"job_001": 2}), "job_002") == 2


async def test_runs_take_turns_and_the_next_promise_goes_on_where_the_last_ended(
    store: SqliteStore, wait: Wait
) -> None:
    await wait(1, dict.fromkeys(range(1, 5), 1))
    await wait(2, {5: 1})
    await wait(3, {6: 1})

    first = await store.promise(purse(2), NOW, BEGINNING)
    assert await due(store) == ["job_001", "job_005"]

    second = await store.promise(purse(4), NOW, first.lap)
    assert await due(store) == ["job_001", "job_002", "job_005", "job_006"]
    assert second.lap.at == 1


async def test_a_run_whose_jobs_are_too_dear_is_passed_by_and_named(store: SqliteStore, wait: Wait) -> None:
    await wait(1, {1: 8})
    await wait(2, {2: 3})

    promised = await store.promise(purse(5), NOW, Lap(0, 5))

    assert await due(store) == ["job_002"]
    assert promised.passed == 1


async def test_nothing_is_promised_where_nobody_can_be_served(store: SqliteStore, wait: Wait) -> None:
    await wait(1, {1: 8})

    assert (await store.promise(purse(5), NOW, BEGINNING)).jobs == 0
    assert await store.cheapest_in_line("pizi") == 8
    assert await store.cheapest_in_line("pixza") is None


async def test_a_job_that_goes_on_leaves_the_line(
    store: SqliteStore, wait: Wait, append: Callable[..., Append], job_row: Callable[..., JobRow]
) -> None:
    await wait(1, {1: 2, 2: 2})
    await store.promise(purse(2), NOW, BEGINNING)

    gone = [job_row(n, status="cancelled") for n in (1, 2)]
    await store.append(append(1, expected=1, parts={"jobs": gone}))

    assert await store.cheapest_in_line("pizi") is None
    assert await store.spoken_for(purse(2), "") == 0


async def test_who_stands_in_line_is_not_hurried_with_the_others(store: SqliteStore, wait: Wait) -> None:
    await wait(1, {1: 2})

    await store.hurry("pizi", NOW)

    assert await due(store) == []


async def test_what_a_budget_can_never_allow_asks_anew(store: SqliteStore, wait: Wait) -> None:
    await wait(1, {1: 2, 2: 7})

    await store.ask_anew("pizi", 5, NOW)

    assert await due(store) == ["job_002"]
    row = await store.job("job_002")
    assert row is not None
    assert row.asks is None
