"""What the watchdog asks, and that it costs little."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orchestrator.store import queries
from orchestrator.store.audit import OpenRun
from orchestrator.store.rows import Append, JobRow
from orchestrator.store.sqlite import SqliteStore


async def test_runs_with_jobs_that_nothing_wakes_are_found(
    store: SqliteStore, append: Callable[..., Append], job_row: Callable[..., JobRow]
) -> None:
    asleep: list[dict[str, Any]] = [
        {"status": "waiting", "lane": "look", "wake_at": 5},
        {"status": "waiting"},
        {"status": "submitting"},
        {"status": "created"},
        {"status": "succeeded"},
    ]
    for run, fields in enumerate(asleep, 1):
        await store.append(append(run, parts={"jobs": [job_row(run, run, **fields)]}))

    assert await store.runs_asleep(limit=9) == ["run_002", "run_004"]
    assert await store.runs_asleep(limit=1) == ["run_002"]


async def test_open_runs_come_with_what_can_be_seen_from_outside(
    store: SqliteStore, append: Callable[..., Append], job_row: Callable[..., JobRow]
) -> None:
    await store.append(append(1, count=3, parts={"jobs": [job_row(1, 1), job_row(2, 1, status="failed")]}))
    await store.append(append(2, parts={"jobs": [job_row(3, 2, status="failed")]}))
    await store.append(append(3, status="succeeded"))
    await store.append(append(4, status="pending"))
    await store.append(append(5, status="pending", waits_for="group/shop/a"))
    await store.append(append(6))

    assert await store.open_runs(after="", limit=9) == [
        OpenRun("run_001", 3, 3, 3, True),
        OpenRun("run_002", 1, 1, 4, False),
        OpenRun("run_004", 1, 1, 6, False),
        OpenRun("run_005", 1, 1, 7, True),
        OpenRun("run_006", 1, 1, 8, False),
    ]
    assert [one.id for one in await store.open_runs(after="run_002", limit=2)] == ["run_004", "run_005"]
    assert [one.id for one in await store.open_runs(after="", limit=1)] == ["run_001"]


async def test_the_version_of_a_row_is_set_to_that_of_its_stream(
    store: SqliteStore, append: Callable[..., Append], tmp_path: Path
) -> None:
    for run in (1, 2):
        await store.append(append(run, count=3))
    other = sqlite3.connect(tmp_path / "orchestrator.db")
    with other:
        other.execute("UPDATE runs SET version = 9")
    other.close()

    await store.correct_version("run_001")

    versions = [(one.version, one.recorded) for one in await store.open_runs(after="", limit=9)]
    assert versions == [(3, 3), (9, 3)]
    await store.append(append(1, expected=3))


@pytest.mark.parametrize(
    ("name", "steps"),
    [
        ("runs_asleep", ["SCAN j USING INDEX jobs_asleep", "SEARCH r USING INTEGER PRIMARY KEY (rowid=?)"]),
        (
            "open_runs",
            [
                "SEARCH runs USING COVERING INDEX runs_by_status (status=? AND id>?)",
                "SEARCH runs USING COVERING INDEX runs_by_status (status=? AND id>?)",
                "SEARCH r USING INDEX sqlite_autoindex_runs_1 (id=?)",
                "SEARCH e USING INTEGER PRIMARY KEY (rowid=?) LEFT-JOIN",
                "SEARCH events USING COVERING INDEX sqlite_autoindex_events_1 (run=?)",
                "SEARCH j USING INDEX jobs_by_run (run=?)",
            ],
        ),
    ],
)
async def test_the_index_answers(store: SqliteStore, tmp_path: Path, name: str, steps: list[str]) -> None:
    other = sqlite3.connect(tmp_path / "orchestrator.db")
    asked = {"after": "", "limit": 9}
    plan = [row[3] for row in other.execute(f"EXPLAIN QUERY PLAN {queries.load('sqlite')[name]}", asked)]
    other.close()

    pages = ("SCAN (subquery", "SCAN page")
    found = [step for step in plan if step.startswith(("SCAN", "SEARCH")) and not step.startswith(pages)]
    assert found == steps
