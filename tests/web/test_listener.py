from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import pytest
from aiohttp.test_utils import TestClient
from aiohttp.web import Application, Request
from structlog.testing import capture_logs

from orchestrator.errors import Refused, StoreUnavailable

Client = TestClient[Request, Application]
Serve = Callable[..., Awaitable[Client]]


class World(Protocol):
    trouble: str | None


# --- who may ask -----------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8081", "127.0.0.1:1", "[::1]", "[::1]:8081"])
async def test_a_loopback_host_is_answered(client: Client, host: str) -> None:
    assert (await client.get("/healthz", headers={"Host": host})).status == 200


@pytest.mark.parametrize(
    "host",
    [
        "rebound.example.com",
        "rebound.example.com:8081",
        "localhost.example.com",
        "127.0.0.1.example.com",
        "localhost.",
        "127.0.0.2",
        "0.0.0.0",
        "[::1",
        "::1",
        "localhost:8081:8081",
        "user@localhost",
        "localhost:",
        "",
    ],
)
async def test_any_other_host_is_refused_and_told_why(client: Client, host: str) -> None:
    answer = await client.get("/healthz", headers={"Host": host})

    assert answer.status == 403
    assert answer.content_type == "application/problem+json"
    assert "API keys" in (await answer.json())["detail"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://example.com"},
        {"Origin": "null"},
        {"Origin": "http://localhost.example.com"},
        {"Origin": "http://localhost:1"},
        {"Origin": "file://localhost:8081"},
        {"Origin": "http://[localhost:8081"},
        {"Origin": ""},
        {"Sec-Fetch-Site": "cross-site"},
        {"Origin": "http://localhost:8081", "Sec-Fetch-Site": "cross-site"},
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_foreign_page_is_refused(client: Client, headers: dict[str, str], method: str) -> None:
    answer = await client.request(
        method, "/api/v1/workflows/reload", headers={"Host": "localhost:8081"} | headers
    )

    assert answer.status == 403


@pytest.mark.parametrize("site", ["same-origin", "none"])
async def test_a_page_of_this_server_is_answered(client: Client, site: str) -> None:
    headers = {"Host": "localhost:8081", "Origin": "http://localhost:8081", "Sec-Fetch-Site": site}

    assert (await client.post("/api/v1/workflows/reload", headers=headers)).status == 200


async def test_where_keys_are_asked_for_the_host_does_not_matter(serve: Serve) -> None:
    client = await serve(loopback=False)

    assert (await client.get("/healthz", headers={"Host": "orchestrator.example.com"})).status == 200


# --- problems --------------------------------------------------------------------------------


async def test_a_path_that_is_not_there_is_a_problem(client: Client) -> None:
    answer = await client.get("/api/v1/nothing")

    assert answer.status == 404
    assert answer.content_type == "application/problem+json"
    assert (await answer.json())["title"] == "Not Found"


async def test_a_method_that_is_not_there_is_a_problem_that_names_the_others(client: Client) -> None:
    answer = await client.delete("/api/v1/runs")

    assert answer.status == 405
    assert answer.content_type == "application/problem+json"
    assert {"GET", "POST"} <= set(answer.headers["Allow"].split(","))


class Broken:
    """A part that always fails the same way."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def __getattr__(self, name: str) -> Any:
        async def fail(**asked: Any) -> Any:
            raise self._error

        return fail


async def test_a_store_in_trouble_asks_to_come_back(serve: Serve) -> None:
    client = await serve(views=Broken(StoreUnavailable("the disk is full")))

    answer = await client.get("/api/v1/runs")

    assert answer.status == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert (await answer.json())["detail"] == "the disk is full"


async def test_what_the_store_refuses_is_a_conflict(serve: Serve) -> None:
    client = await serve(views=Broken(Refused("the task id is bound to another job")))

    assert (await client.get("/api/v1/runs")).status == 409


async def test_a_mistake_of_ours_is_told_without_details_and_logged_once(serve: Serve) -> None:
    client = await serve(views=Broken(RuntimeError("secret details")))

    with capture_logs() as logged:
        answer = await client.get("/api/v1/runs")

    assert answer.status == 500
    assert answer.content_type == "application/problem+json"
    assert "secret details" not in await answer.text()
    assert [line["event"] for line in logged] == ["request.failed"]


async def test_no_answer_tells_a_version_or_may_be_framed(client: Client) -> None:
    for path in ("/", "/api/v1/runs", "/api/v1/nothing", "/healthz"):
        answer = await client.get(path)

        assert "Server" not in answer.headers
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["Cache-Control"] == "no-store"


# --- the rest --------------------------------------------------------------------------------


async def test_the_index_names_every_path(client: Client) -> None:
    paths = (await (await client.get("/")).json())["paths"]

    assert paths["/api/v1/runs"] == ["POST", "GET"]
    assert paths["/api/v1/events/stream"] == ["GET"]


async def test_a_server_that_is_not_ready_says_why(client: Client, world: World) -> None:
    assert (await client.get("/readyz")).status == 200

    world.trouble = "the disk is full"
    answer = await client.get("/readyz")

    assert answer.status == 503
    assert (await answer.json())["detail"] == "the disk is full"
    assert (await client.get("/healthz")).status == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/runs?dry_run=true"),
        ("GET", "/runs/run_1?steps=1"),
        ("POST", "/runs/run_1/cancel?reason=x"),
        ("POST", "/runs/run_1/retry?from=model"),
        ("POST", "/runs/run_1/renotify?comment=x"),
        ("POST", "/prune?dry_run=true"),
        ("GET", "/jobs/job_1?run=x"),
        ("POST", "/jobs/job_1/resolve?action=fail"),
        ("POST", "/steps/run_1/ask/decision?approved=true"),
        ("GET", "/deliveries/dlv_1?job=x"),
        ("POST", "/connections/pizi/pause?for=1h"),
        ("POST", "/connections/pizi/resume?at=1h"),
        ("POST", "/connections/pizi/check?really=no"),
        ("GET", "/workflows/portrait?version=1"),
        ("GET", "/workflows/schema?of=x"),
        ("POST", "/workflows/reload?dry_run=true"),
    ],
)
async def test_a_parameter_that_is_not_known_is_never_passed_over(
    client: Client, method: str, path: str
) -> None:
    body = {"workflow": "portrait", "inputs": {"title": "Ada"}} if method == "POST" else None

    answer = await client.request(method, f"/api/v1{path}", json=body)

    assert answer.status == 422
    [error] = (await answer.json())["errors"]
    assert error["location"] == path.partition("?")[2].partition("=")[0]
