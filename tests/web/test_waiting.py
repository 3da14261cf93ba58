"""The waiting board says of everything that waits what it waits for, and can be asked for a part of it."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from orchestrator.engine import events as e
from orchestrator.engine import triggers as t
from orchestrator.outcomes import Accepted
from orchestrator.runtime.limits import Limits
from orchestrator.runtime.worker import Worker
from orchestrator.store.rows import Append, RunRow
from orchestrator.store.sqlite import SqliteStore

Start = Callable[..., Awaitable[dict[str, Any]]]
Pages = Callable[[str], Awaitable[list[list[dict[str, Any]]]]]


async def board(client: Any, query: str = "") -> Any:
    answer = await client.get(f"/api/v1/waiting?{query}")
    assert answer.status == 200, await answer.text()
    return await answer.json()


@pytest.fixture
def in_group(store: SqliteStore) -> Callable[[str], Awaitable[None]]:
    """Let a run wait for its group."""

    async def put(id: str) -> None:
        row = RunRow(
            id=id,
            workflow="shoot",
            digest="d",
            status="pending",
            version=1,
            labels=b"{}",
            inputs=b"{}",
            outputs=None,
            error=None,
            created_at=1,
            started_at=None,
            finished_at=None,
            wake_at=7,
            waits_for="group/shoot/studio",
        )
        waiting = e.RunWaiting(at=1, group="group/shoot/studio")
        await store.append(Append(run=row, expected=0, events=[waiting]))

    return put


async def test_each_says_why_it_waits(
    client: Any, start: Start, worker: Worker, limits: Limits, store: SqliteStore
) -> None:
    runs = [await start() for _ in range(2)]
    jobs = [run["steps"][0]["job"] for run in runs]
    await worker.handle(runs[0]["id"], t.SubmitAnswered, job=jobs[0], outcome=Accepted("task-1"))
    limits.stop_for("the disk is full")
    third = await start()
    limits.stop_for(None)
    await store.postpone(third["steps"][0]["job"], 9_000_000_000_000_000, 2.5)

    items = (await board(client))["items"]

    assert [item["reason"] for item in items] == ["result", "answer", "budget"]
    assert items[2]["waiting_for"] == "its connection's budget"
    assert items[2]["credits_asked"] == 2.5
    assert (items[2]["next_check_at"], items[2]["deadline_at"][:4]) == (None, "2255")
    assert {item["workflow"] for item in items} == {runs[0]["workflow"]}


async def test_runs_that_wait_for_their_group_stand_among_the_jobs(
    client: Any, start: Start, in_group: Callable[[str], Awaitable[None]], pages: Pages, store: SqliteStore
) -> None:
    job = (await start())["steps"][0]["job"]
    earlier, same = "run_" + "0" * 26, job.replace("job_", "run_")
    for id in (earlier, same):
        await in_group(id)

    found = [item for page in await pages("/api/v1/waiting?limit=1") for item in page]

    assert [item["job"] or item["run"] for item in found] == [earlier, job, same]
    assert found[0]["waiting_for"] == "a place in the group studio"
    assert (await board(client))["groups"] == [
        {"workflow": "shoot", "group": "studio", "used": 0, "limit": None, "waiting": 2}
    ]


async def test_a_part_of_the_board_can_be_asked_for(
    client: Any, start: Start, worker: Worker, in_group: Callable[[str], Awaitable[None]]
) -> None:
    first, second = await start(), await start()
    jobs = [run["steps"][0]["job"] for run in (first, second)]
    await worker.handle(first["id"], t.SubmitAnswered, job=jobs[0], outcome=Accepted("task-1"))
    await in_group("run_" + "0" * 26)

    async def found(query: str) -> list[str]:
        return [item["job"] or item["run"] for item in (await board(client, query))["items"]]

    assert await found("reason=result") == [jobs[0]]
    assert await found("reason=group") == ["run_" + "0" * 26]
    assert await found("connection=pizi") == jobs
    assert await found("workflow=shoot") == ["run_" + "0" * 26]
    assert await found("connection=nobody") == []


@pytest.mark.parametrize("query", ["reason=weather", "reason=", "limit=0", "status=waiting"])
async def test_what_the_board_cannot_be_asked_is_refused(client: Any, query: str) -> None:
    answer = await client.get(f"/api/v1/waiting?{query}")

    assert answer.status == 422
