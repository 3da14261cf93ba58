from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest
from aiohttp.test_utils import TestClient
from aiohttp.web import Application, Request

from orchestrator.clock import SECOND, SystemClock, rfc3339
from orchestrator.engine.triggers import SubmitAnswered
from orchestrator.outcomes import Accepted
from orchestrator.runtime.worker import Worker

Client = TestClient[Request, Application]
Start = Callable[..., Awaitable[dict[str, Any]]]
Pages = Callable[[str], Awaitable[Sequence[Sequence[dict[str, Any]]]]]

BEGINNING = ["run.created", "run.started", "step.started", "job.created", "job.submitting"]


async def types(client: Client, query: str) -> list[str]:
    """Return the types of the events that a query gives, without prefix."""
    answer = await client.get(f"/api/v1/events?{query}")
    assert answer.status == 200, await answer.text()
    return [event["type"].removeprefix("orchestrator.") for event in (await answer.json())["items"]]


async def test_a_runs_events_are_cloud_events_in_order(client: Client, start: Start) -> None:
    run = await start()
    await start()

    answer = await client.get(f"/api/v1/runs/{run['id']}/events")

    items = (await answer.json())["items"]
    assert [event["type"] for event in items] == [f"orchestrator.{name}" for name in BEGINNING]
    assert [event["streamversion"] for event in items] == [1, 2, 3, 4, 5]
    assert {event["source"] for event in items} == {f"/runs/{run['id']}"}
    assert all(event["specversion"] == "1.0" and event["sequence"].isdecimal() for event in items)
    assert [event["subject"] for event in items][2:] == ["model", *[run["steps"][0]["job"]] * 2]


async def test_events_go_on_after_a_sequence(client: Client, start: Start) -> None:
    await start()
    items = (await (await client.get("/api/v1/events")).json())["items"]

    assert await types(client, f"after={items[2]['sequence']}") == BEGINNING[3:]
    assert await types(client, f"after={items[-1]['sequence']}") == []
    assert await types(client, "after=0") == BEGINNING


async def test_events_come_page_by_page(start: Start, pages: Pages) -> None:
    await start()

    found = await pages("/api/v1/events?limit=2")

    names = [[event["type"].removeprefix("orchestrator.") for event in page] for page in found]
    assert names == [BEGINNING[:2], BEGINNING[2:4], BEGINNING[4:]]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("run.created", ["run.created"]),
        ("job.*", ["job.created", "job.submitting"]),
        ("*.created,step.started", ["run.created", "step.started", "job.created"]),
        ("*", BEGINNING),
        ("run.failed", []),
    ],
)
async def test_events_are_chosen_by_type(
    client: Client, start: Start, pattern: str, expected: list[str]
) -> None:
    await start()

    assert await types(client, f"type={pattern}") == expected


async def test_events_are_chosen_by_run_and_type_together(client: Client, start: Start) -> None:
    run, _ = await start(), await start()

    assert await types(client, f"run={run['id']}&type=job.*") == ["job.created", "job.submitting"]


async def test_events_are_chosen_by_time(client: Client, start: Start) -> None:
    await start()
    later = rfc3339(SystemClock().now() + 60 * SECOND)
    earlier = rfc3339(SystemClock().now() - 60 * SECOND)

    assert await types(client, "since=1h") == BEGINNING
    assert await types(client, f"since={earlier}") == BEGINNING
    assert await types(client, f"since={later}") == []


@pytest.mark.parametrize(
    ("query", "location"),
    [
        ("type=jobs.*", "type"),
        ("type=", "type"),
        ("type=job.*,", "type"),
        ("type=orchestrator.job.created", "type"),
        ("type=[j]ob.created", "type"),
        ("after=-1", "after"),
        ("after=1.5", "after"),
        ("after=99999999999999999999", "after"),
        ("limit=1001", "limit"),
        ("limit=0", "limit"),
        ("since=yesterday", "since"),
        ("since=2026-11-20", "since"),
        ("since=2026-13-01T00:00:00Z", "since"),
        ("since=10", "since"),
        ("cursor=cnVuXzAxaGpxeHh4eHh4eHh4eHh4eHh4eHh4eHg", "cursor"),
        ("after=1&cursor=MQ", "cursor"),
        ("from=1", "from"),
    ],
)
async def test_a_query_that_is_wrong_is_told_with_its_name(client: Client, query: str, location: str) -> None:
    answer = await client.get(f"/api/v1/events?{query}")

    assert answer.status == 422
    assert [error["location"] for error in (await answer.json())["errors"]] == [location]


async def test_the_events_of_a_run_that_is_not_there_are_not_found(client: Client) -> None:
    assert (await client.get("/api/v1/events?run=run_1")).status == 404
    assert (await client.get("/api/v1/runs/run_1/events")).status == 404


async def test_no_credential_is_in_any_event(client: Client, start: Start, worker: Worker) -> None:
    run = await start()
    await worker.handle(run["id"], SubmitAnswered, job=run["steps"][0]["job"], outcome=Accepted("task-1"))

    text = await (await client.get("/api/v1/events")).text()

    assert "job.submitted" in text
    assert "pizi-key-of-this-test" not in text
