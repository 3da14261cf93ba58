"""What a schedule promises, whatever database is behind it."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from orchestrator.store.rows import Append, JobRow
from orchestrator.store.schedule import Schedule
from orchestrator.store.sqlite import SqliteStore


@pytest.fixture
def with_jobs(
    store: SqliteStore, append: Callable[..., Append], job_row: Callable[..., JobRow]
) -> Callable[..., Any]:
    """Store one run with a job for each dictionary of fields; jobs count from 1."""

    async def make(*jobs: dict[str, Any], **fields: Any) -> Schedule:
        rows = [job_row(n, **job) for n, job in enumerate(jobs, 1)]
        await store.append(append(parts={"jobs": rows}, **fields))
        return store

    return make


async def test_due_jobs_come_longest_overdue_first(with_jobs: Callable[..., Any]) -> None:
    schedule = await with_jobs(
        {"lane": "submit", "wake_at": 30, "status": "created"},
        {"lane": "submit", "wake_at": 10, "status": "created"},
        {"lane": "submit", "wake_at": 31, "status": "created"},
        {"lane": "look", "wake_at": 5},
        {"lane": "submit", "wake_at": 5, "connection": "perfect"},
        {},
    )

    due, _ = await schedule.due(connection="pizi", lane="submit", now=30, limit=10)

    assert [(d.job, d.run, d.status, d.wake_at) for d in due] == [
        ("job_002", "run_001", "created", 10),
        ("job_001", "run_001", "created", 30),
    ]
    looks, _ = await schedule.due(connection="pizi", lane="look", now=30, limit=9)
    assert [d.job for d in looks] == ["job_004"]


async def test_a_run_is_due_at_its_own_deadline(store: SqliteStore, append: Callable[..., Append]) -> None:
    for n, wake_at in enumerate((30, 10, None, 20), 1):
        await store.append(append(n, wake_at=wake_at))

    assert await store.due_runs(now=20, limit=10) == ["run_002", "run_004"]
    assert await store.due_runs(now=99, limit=1) == ["run_002"]


async def test_of_a_run_that_has_ended_somebody_may_be_told(
    store: SqliteStore, append: Callable[..., Append]
) -> None:
    for n, (wake_at, finished_at) in enumerate(((30, 9), (10, 9), (None, 9), (10, None)), 1):
        await store.append(append(n, wake_at=wake_at, finished_at=finished_at))

    assert await store.due_notices(now=20, limit=10) == ["run_002"]
    assert await store.due_runs(now=20, limit=10) == ["run_004"]

    await store.postpone("run_002", 40)
    await store.postpone("run_003", 40)

    assert await store.due_notices(now=50, limit=10) == ["run_001", "run_002"]


async def test_the_next_wake_is_the_earliest_of_all(with_jobs: Callable[..., Any]) -> None:
    schedule = await with_jobs(
        {"lane": "submit", "wake_at": 10},
        {"lane": "look", "wake_at": 20, "connection": "perfect"},
        {"lane": "look", "wake_at": 40},
        {},
        wake_at=30,
    )

    wakes = [await schedule.next_wake(after=after) for after in (0, 10, 20, 30, 40)]

    assert wakes == [10, 20, 30, 40, None]


async def test_without_anything_there_is_no_next_wake(store: SqliteStore) -> None:
    assert await store.next_wake(after=0) is None


async def test_postponing_moves_a_wake_up_and_nothing_else(
    store: SqliteStore, with_jobs: Callable[..., Any]
) -> None:
    schedule = await with_jobs({"lane": "look", "wake_at": 10}, {"lane": "look", "wake_at": 10})

    await asyncio.gather(*(schedule.postpone("job_001", at) for at in (60, 50)))
    await schedule.postpone("job_404", 50)

    due, _ = await schedule.due(connection="pizi", lane="look", now=49, limit=9)
    assert [d.job for d in due] == ["job_002"]
    job = await store.job("job_001")
    assert job is not None
    assert (job.wake_at, job.status) == (50, "waiting")
    run = await store.run("run_001")
    assert run is not None
    assert run.version == 1


async def test_a_job_that_waits_for_nothing_cannot_be_postponed(
    store: SqliteStore, with_jobs: Callable[..., Any]
) -> None:
    schedule = await with_jobs({"lane": "look", "wake_at": 10})

    await schedule.postpone("job_001", None)
    await schedule.postpone("job_001", 50)

    job = await store.job("job_001")
    assert job is not None
    assert job.wake_at is None


async def test_open_jobs_come_by_id_in_pages(with_jobs: Callable[..., Any]) -> None:
    statuses = ("submitting", "succeeded", "uncertain", "waiting", "submitting")
    schedule = await with_jobs(*({"status": status} for status in statuses))

    first = await schedule.open_jobs(["submitting", "uncertain"], limit=2)
    rest = await schedule.open_jobs(["submitting", "uncertain"], after=first[-1].id)

    assert [job.id for job in first] == ["job_001", "job_003"]
    assert [job.id for job in rest] == ["job_005"]
    assert rest[0].run == "run_001"
    assert list(await schedule.open_jobs([])) == []


async def test_a_task_is_known_to_be_bound_in_its_own_connection_alone(with_jobs: Callable[..., Any]) -> None:
    schedule = await with_jobs({"task_id": "one"}, {"task_id": "two", "connection": "perfect"}, {})

    assert await schedule.bound("pizi", ["one", "two", "three"]) == {"one"}
    assert await schedule.bound("pizi", []) == set()


async def test_slots_are_held_by_what_is_or_may_still_be_at_the_provider(
    with_jobs: Callable[..., Any],
) -> None:
    schedule = await with_jobs(
        {"status": "created", "lane": "submit", "wake_at": 1},
        {"status": "submitting"},
        {"status": "waiting"},
        {"status": "collecting"},
        {"status": "uncertain", "connection": "perfect"},
        {"status": "cancelled", "lane": "look", "wake_at": 1, "connection": "perfect"},
        {"status": "timed_out"},
        {"status": "cancelled"},
        {"status": "succeeded"},
        {"status": "failed"},
    )

    assert await schedule.in_flight() == {"pizi": 3, "perfect": 2}
    await schedule.postpone("job_006", None)
    assert await schedule.in_flight() == {"pizi": 3, "perfect": 1}


async def test_first_attempts_that_were_made_to_wait_are_due_at_once_when_they_need_not_any_more(
    store: SqliteStore, append: Callable[..., Append], job_row: Callable[..., JobRow]
) -> None:
    created = {"status": "created", "lane": "submit", "wake_at": 900}
    rows = [
        job_row(1, **created),
        job_row(2, attempt=2, **created),
        job_row(3, connection="perfect", **created),
        job_row(4, lane="look", wake_at=900),
    ]
    await store.append(append(1, parts={"jobs": rows}))

    await store.hurry("pizi", 10)

    due = [await store.due(connection="pizi", lane=lane, now=10, limit=9) for lane in ("submit", "look")]
    assert [[one.job for one in found] for found, _ in due] == [["job_001"], []]
    assert (await store.due(connection="perfect", lane="submit", now=10, limit=9))[0] == []


# --- positions of triggers --------------------------------------------------------------------


async def test_positions_of_triggers_are_kept_moved_and_forgotten(store: SqliteStore) -> None:
    await store.put_positions({"schedule/a": 1, "run/b": 2})
    await store.put_positions({"schedule/a": 5, "run/c": 3}, gone=["run/b", "run/never"])

    assert await store.positions() == {"schedule/a": 5, "run/c": 3}
