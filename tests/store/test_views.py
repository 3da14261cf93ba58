"""What people's lists promise, whatever database is behind them."""

from collections.abc import Callable

from orchestrator.store.rows import Append, Delivery, JobRow, RunRow
from orchestrator.store.sqlite import SqliteStore
from orchestrator.store.views import Views

MakeAppend = Callable[..., Append]


async def test_a_run_and_its_job_are_read_as_they_were_written(
    store: SqliteStore,
    append: MakeAppend,
    run_row: Callable[..., RunRow],
    job_row: Callable[..., JobRow],
) -> None:
    views: Views = store
    ends = {"outputs": b'{"a":1}', "error": b"{}", "started_at": 2, "finished_at": 3, "wake_at": 4}
    job = job_row(
        index=3,
        task_id="t",
        lane="look",
        wake_at=1,
        deadline_at=2,
        submitted_at=3,
        finished_at=4,
        credits=1.5,
        error=b"{}",
    )
    await store.append(append(labels=b'{"team":"red"}', parts={"jobs": [job]}, **ends))

    assert await views.run("run_001") == run_row(labels=b'{"team":"red"}', **ends)
    assert await views.job("job_001") == job
    assert await views.run_of_job("job_001") == "run_001"
    assert await views.run("run_404") is None
    assert await views.job("job_404") is None
    assert await views.run_of_job("job_404") is None


async def test_a_later_append_replaces_the_rows(
    store: SqliteStore, append: MakeAppend, job_row: Callable[..., JobRow]
) -> None:
    await store.append(append(parts={"jobs": [job_row(lane="look", wake_at=1)]}))
    await store.append(
        append(expected=1, status="succeeded", finished_at=9, parts={"jobs": [job_row(status="succeeded")]})
    )

    run, job = await store.run("run_001"), await store.job("job_001")
    assert run is not None
    assert (run.status, run.finished_at, run.version) == ("succeeded", 9, 2)
    assert job is not None
    assert (job.status, job.wake_at, job.lane) == ("succeeded", None, None)


async def test_runs_are_listed_newest_first_and_narrowed(store: SqliteStore, append: MakeAppend) -> None:
    for n in range(1, 7):
        await store.append(
            append(
                n,
                status="failed" if n % 2 else "running",
                workflow="portrait" if n < 4 else "shoes",
                labels=b'{"team":"red","note":"a"}' if n in (2, 5) else b"{}",
            )
        )

    async def listed(**arguments: object) -> list[int]:
        return [run.created_at for run in await store.runs(**arguments)]  # type: ignore[arg-type]

    assert await listed() == [6, 5, 4, 3, 2, 1]
    assert await listed(limit=2) == [6, 5]
    assert await listed(before="run_005", limit=2) == [4, 3]
    assert await listed(status="failed") == [5, 3, 1]
    assert await listed(status="failed", before="run_005") == [3, 1]
    assert await listed(workflow="shoes") == [6, 5, 4]
    assert await listed(workflow="shoes", before="run_006") == [5, 4]
    assert await listed(workflow="shoes", status="failed") == [5]
    assert await listed(label=("team", "red")) == [5, 2]
    assert await listed(label=("team", "red"), status="running") == [2]
    assert await listed(label=("team", "red"), workflow="shoes") == [5]
    assert await listed(label=("team", "red"), before="run_005") == [2]
    assert await listed(label=("team", "blue")) == []


async def test_jobs_are_listed_newest_first_and_narrowed(
    store: SqliteStore, append: MakeAppend, job_row: Callable[..., JobRow]
) -> None:
    for n in range(1, 7):
        row = job_row(
            n,
            n % 2,
            status="waiting" if n < 4 else "failed",
            connection="perfect" if n == 3 else "pizi",
        )
        run, expected = n % 2, (n - 1) // 2
        await store.append(append(run, expected=expected, parts={"jobs": [row]}))

    async def listed(**arguments: object) -> list[int]:
        return [job.created_at for job in await store.jobs(**arguments)]  # type: ignore[arg-type]

    assert await listed() == [6, 5, 4, 3, 2, 1]
    assert await listed(before="job_005", limit=2) == [4, 3]
    assert await listed(run="run_001") == [5, 3, 1]
    assert await listed(run="run_001", before="job_005") == [3, 1]
    assert await listed(run="run_001", status="waiting") == [3, 1]
    assert await listed(run="run_001", connection="perfect") == [3]
    assert await listed(status="failed") == [6, 5, 4]
    assert await listed(status="waiting", connection="pizi") == [2, 1]
    assert await listed(connection="perfect") == [3]


async def test_a_reader_sees_what_was_committed(store: SqliteStore, append: MakeAppend) -> None:
    for n in range(50):
        await store.append(append(n))

        assert (await store.runs(limit=1))[0].id == f"run_{n:03}"
        assert len(await store.read(f"run_{n:03}")) == 1


async def test_the_durations_of_the_latest_jobs_are_told_the_oldest_first(
    store: SqliteStore,
    append: Callable[..., Append],
    job_row: Callable[..., JobRow],
    delivery: Callable[..., Delivery],
) -> None:
    done = {"status": "succeeded", "submitted_at": 1_000_000}
    rows = [
        job_row(1, finished_at=9_000_000, **done),
        job_row(2, finished_at=3_500_000, **done),
        job_row(3, finished_at=4_000_000, **done),
        job_row(4, status="failed", submitted_at=1, finished_at=9),
        job_row(5, status="succeeded", finished_at=9),
    ]
    await store.append(append(1, parts={"jobs": rows}))
    await store.put(delivery(1, job="job_003"))

    assert await store.durations(called_back=False, limit=3) == [
        ("pizi", "pictures", 2.5),
        ("pizi", "pictures", 3.0),
    ]
    assert await store.durations(called_back=True, limit=9) == [("pizi", "pictures", 3.0)]
