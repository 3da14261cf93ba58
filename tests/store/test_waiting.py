"""What the waiting board reads: everything that waits in the order in which it was made, a page at a time."""

from collections.abc import Callable
from typing import Any

from orchestrator.engine.holds import Hold
from orchestrator.store.rows import GroupLine
from orchestrator.store.sqlite import SqliteStore

Make = Callable[..., Any]
STATUSES = ("created", "submitting", "waiting", "collecting", "uncertain", "succeeded", "failed")


async def test_open_jobs_of_all_statuses_come_in_one_order(
    store: SqliteStore, append: Make, job_row: Make
) -> None:
    rows = [job_row(n, status=STATUSES[n * 3 % 7]) for n in range(14)]
    await store.append(append(1, parts={"jobs": rows}))

    async def page(after: str | None, limit: int = 4) -> list[str]:
        found = await store.waiting_jobs(connection=None, workflow=None, after=after, limit=limit)
        return [one.job.id for one in found]

    every = await page(None, 99)
    assert every == sorted(every)
    assert len(every) == 10
    assert await page(None) == every[:4]
    assert await page(every[3]) == every[4:8]


async def test_jobs_are_found_by_connection_and_by_the_workflow_of_their_run(
    store: SqliteStore, append: Make, job_row: Make
) -> None:
    await store.append(append(1, parts={"jobs": [job_row(1), job_row(2, connection="perfect")]}))
    await store.append(append(2, workflow="other", parts={"jobs": [job_row(3, run=2)]}))

    async def found(**asked: str) -> list[str]:
        wanted = {"connection": None, "workflow": None, "after": None, **asked}
        return [one.job.id for one in await store.waiting_jobs(limit=9, **wanted)]

    assert await found(connection="pizi") == ["job_001", "job_003"]
    assert await found(workflow="other") == ["job_003"]
    assert await found(workflow="portrait", connection="perfect") == ["job_002"]


async def test_runs_that_wait_for_their_group_come_after_what_the_reader_has(
    store: SqliteStore, append: Make
) -> None:
    for n in (1, 2, 3):
        await store.append(append(n, status="pending", waits_for="group/portrait/a"))
    await store.append(append(4, status="pending"))

    async def found(after: str | None) -> list[str]:
        return [run.id for run in await store.waiting_runs(workflow=None, after=after, limit=9)]

    assert await found(None) == ["run_001", "run_002", "run_003"]
    assert await found("run_001") == ["run_002", "run_003"]
    assert await found("job_002") == ["run_002", "run_003"], "that which is the step of this job as well"


async def test_lines_are_counted(store: SqliteStore, append: Make, job_row: Make) -> None:
    place = Hold("group/portrait/a", "run_001", 1, most=1, in_line=True)
    await store.append(append(1, parts={"holds": [place], "jobs": [job_row(1, lane="submit", wake_at=1)]}))
    for n in (2, 3):
        await store.append(append(n, status="pending", waits_for="group/portrait/a"))
    await store.postpone("job_001", 5, 2.5)

    assert await store.group_lines() == [GroupLine("group/portrait/a", 1, 1, 2)]
    assert await store.budget_line("pizi") == 1
    assert await store.budget_line("perfect") == 0
