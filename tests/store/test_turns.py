"""Runs take turns: what is due comes run by run where it is more than can be served."""

import sqlite3
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from orchestrator.store import queries
from orchestrator.store.rows import Append, JobRow, Lane, Lap
from orchestrator.store.schedule import BEGINNING
from orchestrator.store.sqlite import SqliteStore, migrations, turns

BIG = 100_000


@pytest.fixture
def with_runs(
    store: SqliteStore, append: Callable[..., Append], job_row: Callable[..., JobRow]
) -> Callable[..., Any]:
    """Store runs with so many created jobs each; jobs are `run.position`, both counted from 1."""

    async def make(*counts: int, lane: Lane = "submit", status: str = "created") -> SqliteStore:
        for run, count in enumerate(counts, 1):
            rows = [
                job_row(run, run, id=f"{run}.{n:02}", lane=lane, status=status, wake_at=run)
                for n in range(1, count + 1)
            ]
            await store.append(append(run, parts={"jobs": rows}))
        return store

    return make


async def taken(
    store: SqliteStore, limit: int, lap: Lap = BEGINNING, lane: Lane = "submit", **asked: Any
) -> tuple[list[str], Lap]:
    due, lap = await store.due(connection="pizi", lane=lane, now=99, limit=limit, lap=lap, **asked)
    return [one.job for one in due], lap


@pytest.mark.parametrize(("lane", "status"), [("submit", "created"), ("look", "waiting"), ("look", "failed")])
async def test_runs_have_a_job_each_before_one_has_its_second(
    with_runs: Callable[..., Any], lane: Lane, status: str
) -> None:
    store = await with_runs(10, 1, 2, lane=lane, status=status)

    jobs, _ = await taken(store, 6, lane=lane)

    assert jobs == ["1.01", "2.01", "3.01", "1.02", "3.02", "1.03"]


async def test_turns_go_on_where_they_ended(with_runs: Callable[..., Any]) -> None:
    store = await with_runs(5, 5, 5)

    first, lap = await taken(store, 2)
    second, lap = await taken(store, 2, lap, but=first)
    third, _ = await taken(store, 2, lap, but=[*first, *second])

    assert (first, second, third) == (["1.01", "2.01"], ["3.01", "1.02"], ["2.02", "3.02"])


async def test_a_run_that_is_started_meanwhile_comes_with_the_next_lap(
    store: SqliteStore,
    with_runs: Callable[..., Any],
    append: Callable[..., Append],
    job_row: Callable[..., JobRow],
) -> None:
    await with_runs(5, 5)
    _, lap = await taken(store, 1)

    for run in (3, 4, 5):
        row = job_row(run, run, id=f"{run}.01", lane="submit", status="created", wake_at=run)
        await store.append(append(run, parts={"jobs": [row]}))
    second, lap = await taken(store, 1, lap, but=["1.01"])
    third, lap = await taken(store, 1, lap, but=["1.01", "2.01"])
    fourth, _ = await taken(store, 3, lap, but=["1.01", "1.02", "2.01"])

    assert (second, third, fourth) == (["2.01"], ["1.02"], ["2.02", "3.01", "4.01"])


async def test_what_is_being_worked_on_is_not_given_again_and_takes_nobodys_place(
    with_runs: Callable[..., Any],
) -> None:
    store = await with_runs(4, 1)

    assert (await taken(store, 2, but=["1.01", "1.02", "1.03"]))[0] == ["1.04", "2.01"]
    assert (await taken(store, 2, but=["1.01", "1.02"]))[0] == ["1.03", "2.01"]


async def test_what_fits_is_given_whole_by_age(with_runs: Callable[..., Any]) -> None:
    store = await with_runs(2, 1)

    assert await taken(store, 4) == (["1.01", "1.02", "2.01"], BEGINNING)


async def test_where_turns_do_not_use_all_there_is_age_does(
    monkeypatch: pytest.MonkeyPatch, with_runs: Callable[..., Any]
) -> None:
    store = await with_runs(1, 1, 1, 4)
    monkeypatch.setattr(turns, "WALK", 2)

    jobs, lap = await taken(store, 5)

    assert sorted(jobs) == ["1.01", "2.01", "3.01", "4.01", "4.02"]
    assert (await taken(store, 1, lap))[0] == ["3.01"]


# --- what it costs -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def crowded() -> Iterator[sqlite3.Connection]:
    """One run with 100,000 jobs to submit and as many to look at, and another with one of each."""
    db = sqlite3.connect(":memory:", isolation_level=None)
    migrations.migrate(db, migrations.known(), 1)
    run = "INSERT INTO runs (id, workflow, digest, status, version, labels, inputs, created_at)"
    db.executemany(f"{run} VALUES (?, 'w', 'd', 'running', 1, '', '', 1)", [("big",), ("small",)])
    job = (
        "INSERT INTO jobs (id, run, step, attempt, connection, operation, status, lane, wake_at, created_at)"
    )
    rows = [
        (f"{lane}{n}", 1 if n < BIG else 2, status, lane)
        for lane, status in (("submit", "created"), ("look", "waiting"))
        for n in range(BIG + 1)
    ]
    db.executemany(f"{job} VALUES (?, ?, 's', 1, 'pizi', 'o', ?, ?, 5, 1)", rows)
    yield db
    db.close()


@pytest.mark.parametrize("lane", ["submit", "look"])
def test_a_run_with_a_hundred_thousand_due_jobs_costs_no_more_than_others(
    crowded: sqlite3.Connection, lane: Lane
) -> None:
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 1
        return 0

    crowded.set_progress_handler(count, 100)
    due, _ = turns.take(crowded, turns.Asked("pizi", lane, 99, 2, frozenset()), BEGINNING)
    crowded.set_progress_handler(None, 0)

    assert [one.run for one in due] == ["big", "small"]
    assert steps < 30, "the database does more than a few hundred things"


@pytest.mark.parametrize(
    ("name", "index"),
    [
        ("runs_to_submit", "jobs_to_submit"),
        ("jobs_to_submit", "jobs_to_submit"),
        ("runs_to_look_at", "jobs_in_flight"),
        ("jobs_to_look_at", "jobs_in_flight"),
        ("due", "jobs_to_wake"),
        ("in_flight", "jobs_in_flight"),
    ],
)
def test_turns_are_read_from_their_index_and_nothing_is_sorted(
    crowded: sqlite3.Connection, name: str, index: str
) -> None:
    asked = {
        **{"connection": "pizi", "lane": "look", "now": 9, "limit": 2, "run": 1, "but": "[]"},
        **{"after": 0, "last": 9, "most": 9},
    }
    plan = [row[3] for row in crowded.execute(f"EXPLAIN QUERY PLAN {queries.load('sqlite')[name]}", asked)]

    on_jobs = [step for step in plan if "INDEX jobs_" in step or " jobs" in step or " j " in step]
    assert on_jobs, plan
    assert all(index in step for step in on_jobs), plan
    assert not any("TEMP B-TREE" in step for step in plan), plan
