"""What runs share: it is taken with the append that needs it, or nothing is written at all."""

import asyncio
from collections.abc import Callable

import pytest

from orchestrator.engine.holds import Hold
from orchestrator.errors import NoRoom
from orchestrator.store.rows import Append, JobRow
from orchestrator.store.sqlite import SqliteStore

Make = Callable[..., Append]


def place(run: str, amount: float = 1, most: float | None = 1) -> Hold:
    return Hold("group/shop/a", run, amount, most=most if amount else None, in_line=True)


async def test_what_is_taken_is_held_until_it_is_given_back(store: SqliteStore, append: Make) -> None:
    await store.append(append(1, parts={"holds": [place("run_001")]}))

    assert await store.held("group/shop/a") == 1

    await store.append(append(1, expected=1, parts={"holds": [place("run_001", 0)]}))

    assert await store.held("group/shop/a") == 0


async def test_an_append_that_there_is_no_room_for_writes_nothing(store: SqliteStore, append: Make) -> None:
    await store.append(append(1, parts={"holds": [place("run_001")]}))

    with pytest.raises(NoRoom, match="group/shop/a"):
        await store.append(append(2, parts={"holds": [place("run_002")]}))

    assert await store.run("run_002") is None
    assert await store.held("group/shop/a") == 1


async def test_of_two_resources_neither_is_taken_where_one_is_full(store: SqliteStore, append: Make) -> None:
    await store.append(append(1, parts={"holds": [place("run_001")]}))

    with pytest.raises(NoRoom):
        await store.append(
            append(2, parts={"holds": [Hold("budget/pizi/x", "job_1", 3, most=9), place("run_002")]})
        )

    assert await store.held("budget/pizi/x") == 0


async def test_of_those_that_come_at_one_moment_only_as_many_take_as_there_is_room_for(
    store: SqliteStore, append: Make
) -> None:
    appends = [append(n, parts={"holds": [place(f"run_{n:03}", most=2)]}) for n in range(1, 6)]

    outcomes = await asyncio.gather(*map(store.append, appends), return_exceptions=True)

    assert [type(outcome) for outcome in outcomes] == [type(None), type(None), NoRoom, NoRoom, NoRoom]
    assert await store.held("group/shop/a") == 2


async def test_what_one_append_takes_for_several_is_added_up(store: SqliteStore, append: Make) -> None:
    both = [Hold("budget/pizi/x", f"job_{n}", 1, most=2) for n in (2, 3)]
    await store.append(append(1, parts={"holds": [Hold("budget/pizi/x", "job_1", 1, most=2)]}))

    with pytest.raises(NoRoom):
        await store.append(append(2, parts={"holds": both}))

    gives_back = Hold("budget/pizi/x", "job_1", 0)
    await store.append(append(1, expected=1, parts={"holds": [gives_back, *both]}))
    assert await store.held("budget/pizi/x") == 2


async def test_a_reservation_is_settled_by_what_it_has_cost(store: SqliteStore, append: Make) -> None:
    await store.append(append(1, parts={"holds": [Hold("budget/pizi/x", "job_1", 3, most=4)]}))
    await store.append(append(1, expected=1, parts={"holds": [Hold("budget/pizi/x", "job_1", 1.5)]}))

    assert await store.held("budget/pizi/x") == 1.5
    await store.append(append(2, parts={"holds": [Hold("budget/pizi/x", "job_2", 2.5, most=4)]}))


async def test_what_has_turned_out_dearer_is_written_whatever_is_left(
    store: SqliteStore, append: Make
) -> None:
    await store.append(append(1, parts={"holds": [Hold("budget/pizi/x", "job_1", 3, most=4)]}))

    await store.append(append(1, expected=1, parts={"holds": [Hold("budget/pizi/x", "job_1", 7)]}))

    assert await store.held("budget/pizi/x") == 7


async def test_a_new_run_does_not_overtake_one_that_waits(store: SqliteStore, append: Make) -> None:
    await store.append(append(1, parts={"holds": [place("run_001")]}))
    await store.append(append(2, status="pending", waits_for="group/shop/a"))
    await store.append(append(1, expected=1, parts={"holds": [place("run_001", 0)]}))

    with pytest.raises(NoRoom):
        await store.append(append(3, parts={"holds": [place("run_003")]}))

    assert await store.admissible() == ["run_002"]


async def test_the_run_that_has_waited_longest_is_admitted_next_and_only_where_there_is_room(
    store: SqliteStore, append: Make
) -> None:
    await store.append(append(1, parts={"holds": [place("run_001")]}))
    for n in (2, 3):
        await store.append(append(n, status="pending", waits_for="group/shop/a"))

    assert await store.admissible() == []

    await store.append(append(1, expected=1, parts={"holds": [place("run_001", 0)]}))
    assert await store.admissible() == ["run_002"]

    await store.append(append(2, expected=1, parts={"holds": [place("run_002")]}))
    assert await store.admissible() == []


async def test_an_append_wakes_a_job_of_another_run(
    store: SqliteStore, append: Make, job_row: Callable[..., JobRow]
) -> None:
    waiting = job_row(1, run=1, lane="look", wake_at=900)
    await store.append(append(1, parts={"jobs": [waiting]}))

    await store.append(append(2, parts={"wakes": [("job_001", 5)]}))

    due, _ = await store.due(connection="pizi", lane="look", now=10, limit=5)
    assert [one.job for one in due] == ["job_001"]


async def test_a_job_that_waits_for_nothing_any_more_is_not_woken(
    store: SqliteStore, append: Make, job_row: Callable[..., JobRow]
) -> None:
    await store.append(append(1, parts={"jobs": [job_row(1, run=1, status="succeeded")]}))

    await store.append(append(2, parts={"wakes": [("job_001", 5)]}))

    due, _ = await store.due(connection="pizi", lane="look", now=10, limit=5)
    assert due == []


async def test_a_group_with_several_places_left_lets_in_as_many_at_once(
    store: SqliteStore, append: Make
) -> None:
    takes = [Hold("group/shop/a", f"run_00{n}", 1, most=3, in_line=True) for n in (1, 2)]
    await store.append(append(1, parts={"holds": takes}))
    for n in (3, 4, 5):
        await store.append(append(n, status="pending", waits_for="group/shop/a"))
    await store.append(append(6, status="pending", waits_for="group/shop/b"))

    assert await store.admissible() == ["run_003", "run_006"]

    await store.append(append(1, expected=1, parts={"holds": [place("run_001", 0)]}))
    assert await store.admissible() == ["run_003", "run_004", "run_006"]


async def test_a_holder_may_go_on_to_hold_what_it_has_where_too_much_is_taken(
    store: SqliteStore, append: Make
) -> None:
    await store.append(append(1, parts={"holds": [Hold("budget/pizi/x", "job_1", 7)]}))

    await store.append(append(1, expected=1, parts={"holds": [Hold("budget/pizi/x", "job_1", 6, most=4)]}))
    await store.append(append(2, parts={"holds": [Hold("budget/pizi/x", "job_2", 0, most=4)]}))

    assert await store.held("budget/pizi/x") == 6
