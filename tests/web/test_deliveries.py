from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

import pytest
from aiohttp.test_utils import TestClient
from aiohttp.web import Application, Request

from orchestrator.store.rows import Delivery, DeliveryVerdict
from orchestrator.store.sqlite import SqliteStore

Client = TestClient[Request, Application]
Pages = Callable[[str], Awaitable[Sequence[Sequence[dict[str, Any]]]]]
Put = Callable[..., Awaitable[str]]


class World(Protocol):
    rejects: list[dict[str, Any]]


@pytest.fixture
def put(store: SqliteStore) -> Put:
    """Keep a delivery, with an id that follows the last one."""
    count = 0

    async def put(
        body: bytes | None = b'{"status": "done"}',
        *,
        job: str = "job_1",
        verdict: DeliveryVerdict = "accepted",
        content_type: str = "application/json",
    ) -> str:
        nonlocal count
        count += 1
        delivery = Delivery(
            id=f"dlv_{count:026}",
            job=job,
            connection="pizi",
            received_at=count,
            method="POST",
            query="uid=7",
            headers=b'[["User-Agent", "Pizi/2"]]',
            content_type=content_type,
            body=body,
            size=len(body or b""),
            remote="192.0.2.7",
            verdict=verdict,
        )
        await store.put(delivery)
        return delivery.id

    return put


async def test_a_delivery_is_shown_as_it_came(client: Client, put: Put) -> None:
    id = await put()

    answer = await client.get(f"/api/v1/deliveries/{id}")

    assert await answer.json() == {
        "id": id,
        "job": "job_1",
        "connection": "pizi",
        "hook": None,
        "run": None,
        "received_at": "1970-01-01T00:00:00.000001Z",
        "method": "POST",
        "query": "uid=7",
        "headers": [["User-Agent", "Pizi/2"]],
        "content_type": "application/json",
        "size": 18,
        "remote": "192.0.2.7",
        "verdict": "accepted",
        "duplicate_of": None,
        "redelivery_of": None,
        "error": None,
    }


@pytest.mark.parametrize(
    ("body", "media_type"),
    [
        (b'{"status": "done"}', "application/json"),
        (b"a=1&b=2", "text/plain"),
        (b"<html><script>alert(1)</script></html>", "text/plain"),
        (b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", "text/plain"),
        (bytes(range(256)), "application/octet-stream"),
        (b"", "application/octet-stream"),
    ],
)
async def test_the_bytes_are_exact_and_never_what_a_browser_would_run(
    client: Client, put: Put, body: bytes, media_type: str
) -> None:
    id = await put(body, content_type="text/html")

    answer = await client.get(f"/api/v1/deliveries/{id}/body")

    assert await answer.read() == body
    assert answer.headers["Content-Type"] == media_type
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in answer.headers["Content-Security-Policy"]


async def test_a_body_that_was_not_kept_is_not_found(client: Client, put: Put) -> None:
    id = await put(None)

    answer = await client.get(f"/api/v1/deliveries/{id}/body")

    assert answer.status == 404
    assert "not kept" in (await answer.json())["detail"]


@pytest.mark.parametrize("path", ["dlv_1", "dlv_1/body", "%00", "%ff/body"])
async def test_a_delivery_that_is_not_there_is_not_found(client: Client, path: str) -> None:
    assert (await client.get(f"/api/v1/deliveries/{path}")).status == 404


async def test_deliveries_are_listed_newest_first_and_filtered(pages: Pages, put: Put) -> None:
    first, second = await put(), await put(job="job_2", verdict="late")
    third = await put(verdict="unreadable")

    async def found(query: str) -> list[str]:
        return [delivery["id"] for page in await pages(f"/api/v1/deliveries?{query}") for delivery in page]

    assert await found("limit=1") == [third, second, first]
    assert await found("job=job_1") == [third, first]
    assert await found("status=late") == [second]
    assert await found("job=job_1&status=late") == []


@pytest.mark.parametrize("query", ["status=done", "verdict=late", "limit=-1", "cursor=bG9uZw"])
async def test_a_query_that_is_wrong_is_refused(client: Client, query: str) -> None:
    assert (await client.get(f"/api/v1/deliveries?{query}")).status == 422


async def test_what_was_turned_away_is_shown_newest_first(client: Client, world: World) -> None:
    world.rejects += [{"reason": "signature"}, {"reason": "method"}]

    answer = await client.get("/api/v1/deliveries/refused")

    assert (await answer.json())["items"] == [{"reason": "method"}, {"reason": "signature"}]


# --- redeliver -------------------------------------------------------------------------------


async def test_a_redelivery_is_a_new_delivery_of_the_same_request(
    client: Client, put: Put, store: SqliteStore
) -> None:
    original = await put(b'{"a":\x00\xff', content_type="text/odd")

    answer = await client.post(f"/api/v1/deliveries/{original}/redeliver")

    again = await answer.json()
    before, after = await store.get(original), await store.get(again["id"])
    assert before is not None
    assert after is not None
    assert answer.status == 202
    assert answer.headers["Location"] == f"/api/v1/deliveries/{again['id']}"
    assert (again["verdict"], again["redelivery_of"]) == ("pending", original)
    same = ("job", "connection", "method", "query", "headers", "content_type", "body", "size")
    assert [getattr(after, name) for name in same] == [getattr(before, name) for name in same]
    assert after.id > before.id
    assert after.received_at > before.received_at


async def test_a_delivery_whose_body_was_not_kept_cannot_be_repeated(client: Client, put: Put) -> None:
    answer = await client.post(f"/api/v1/deliveries/{await put(None)}/redeliver")

    assert answer.status == 409
    assert "not kept" in (await answer.json())["detail"]


async def test_only_a_delivery_that_is_there_can_be_repeated(client: Client) -> None:
    answer = await client.post("/api/v1/deliveries/dlv_1/redeliver")

    assert answer.status == 404
