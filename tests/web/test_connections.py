"""Connections over HTTP: how they stand, pause, resume, check."""

from typing import Any

import pytest
from aiohttp.test_utils import TestClient
from aiohttp.web import Application, Request

from orchestrator.clock import SECOND, SystemClock, rfc3339
from orchestrator.runtime.checkups import Checkup
from orchestrator.runtime.limits import Limits

Client = TestClient[Request, Application]

ACTIVE: dict[str, Any] = {
    "name": "pizi",
    "kind": "pizi",
    "status": "active",
    "reason": None,
    "paused_until": None,
    "credits": None,
    "in_flight": 0,
    "limits": [],
    "budget": None,
}


async def first(client: Client) -> dict[str, Any]:
    """Return the only connection there is."""
    answer = await client.get("/api/v1/connections")
    items: list[dict[str, Any]] = (await answer.json())["items"]
    return items[0]


async def test_connections_are_listed(client: Client) -> None:
    answer = await client.get("/api/v1/connections")

    assert await answer.json() == {"items": [ACTIVE], "next_cursor": None}


async def test_a_pause_says_why_and_until_when(client: Client) -> None:
    until = rfc3339(SystemClock().now() + 3600 * SECOND)

    answer = await client.post(
        "/api/v1/connections/pizi/pause", json={"reason": "invoice open", "until": until}
    )

    assert answer.status == 200
    paused = ACTIVE | {"status": "paused", "reason": "invoice open", "paused_until": until}
    assert await answer.json() == paused
    assert await first(client) == paused


async def test_a_pause_needs_no_body_and_can_be_replaced(client: Client) -> None:
    await client.post("/api/v1/connections/pizi/pause")
    assert (await first(client))["paused_until"] is None

    await client.post("/api/v1/connections/pizi/pause", json={"reason": "another"})

    assert (await first(client))["reason"] == "another"


async def test_a_paused_connection_is_resumed(client: Client) -> None:
    await client.post("/api/v1/connections/pizi/pause")

    answer = await client.post("/api/v1/connections/pizi/resume")

    assert (answer.status, await answer.json()) == (200, ACTIVE)


async def test_a_pause_of_the_system_is_shown_and_can_be_ended_too(client: Client, limits: Limits) -> None:
    limits.pauses.refused("pizi", {"class": "insufficient_credits", "message": "nothing left"}, 0)
    shown = await first(client)
    assert (shown["status"], shown["reason"]) == ("paused", "insufficient_credits: nothing left")

    await client.post("/api/v1/connections/pizi/resume")

    assert await first(client) == ACTIVE


async def test_what_was_done_is_in_the_log_with_the_connection_as_its_source(client: Client) -> None:
    await client.post("/api/v1/connections/pizi/pause", json={"reason": "why not"})
    await client.post("/api/v1/connections/pizi/resume")

    answer = await client.get("/api/v1/events?type=connection.*")

    events = (await answer.json())["items"]
    assert [(e["type"], e["source"], e["streamversion"], e["subject"]) for e in events] == [
        ("orchestrator.connection.paused", "/connections/pizi", 1, None),
        ("orchestrator.connection.resumed", "/connections/pizi", 2, None),
    ]
    assert events[0]["data"] == {
        "connection": "pizi",
        "by": "person",
        "cause": None,
        "reason": "why not",
        "until": None,
    }


@pytest.mark.parametrize(
    ("ok", "message"), [(True, "list_models was answered"), (False, "refused"), (None, "nothing is free")]
)
async def test_a_check_tells_what_the_provider_told(
    client: Client, world: Any, ok: bool | None, message: str
) -> None:
    world.told["pizi"] = Checkup(ok, message)

    answer = await client.post("/api/v1/connections/pizi/check")

    assert answer.status == 200
    assert await answer.json() == ACTIVE | {"check": {"ok": ok, "message": message}}


@pytest.mark.parametrize("action", ["pause", "resume", "check"])
async def test_a_connection_that_is_not_there_is_not_found(client: Client, action: str) -> None:
    answer = await client.post(f"/api/v1/connections/acme/{action}")

    assert answer.status == 404
    assert (await answer.json())["detail"] == "no connection 'acme' (there are: pizi)"


async def test_what_is_not_paused_cannot_be_resumed(client: Client) -> None:
    answer = await client.post("/api/v1/connections/pizi/resume")

    assert answer.status == 409
    assert (await answer.json())["detail"] == "pizi is not paused"


@pytest.mark.parametrize(
    ("body", "location"),
    [
        ({"until": "2001-01-01T00:00:00Z"}, "until"),
        ({"until": "tomorrow"}, "until"),
        ({"until": "2999-01-01T00:00:00Z"}, "until"),
        ({"until": "2026-01-01T00:00:00"}, "until"),
        ({"until": "9999-12-31T23:59:59-23:59"}, "until"),
        ({"until": 5}, "until"),
        ({"reason": ["x"]}, "reason"),
        ({"why": "x"}, "why"),
    ],
)
async def test_a_pause_that_makes_no_sense_is_refused(
    client: Client, body: dict[str, Any], location: str
) -> None:
    answer = await client.post("/api/v1/connections/pizi/pause", json=body)

    assert answer.status == 422
    assert [e["location"] for e in (await answer.json())["errors"]] == [location]
    assert await first(client) == ACTIVE
