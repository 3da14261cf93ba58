"""Simulators on a free port, a client with the right key, and a receiver that remembers its callbacks."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from orchestrator.simulators.faults import Faults
from orchestrator.simulators.server import Options, Running, start


@dataclass
class Receiver:
    """A server of callbacks, answering with *statuses* in turn and then 204."""

    url: str = ""
    bodies: list[dict[str, Any]] = field(default_factory=list)
    content_types: list[str] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    on_call: Callable[[], None] = lambda: None

    async def receive(self, request: web.Request) -> web.Response:
        self.bodies.append(await request.json())
        self.content_types.append(request.content_type)
        self.on_call()
        return web.Response(status=self.statuses.pop(0) if self.statuses else 204)


@dataclass
class Caller:
    """A client of one simulated account."""

    running: Running
    http: aiohttp.ClientSession
    url: str
    key: str

    async def call(self, method: str, path: str, body: object = None, **options: Any) -> "Answer":
        headers = {"Authorization": f"Bearer {self.key}", **options.pop("headers", {})}
        if body is not None:
            options["json"] = body
        async with self.http.request(method, f"{self.url}{path}", headers=headers, **options) as reply:
            return Answer(reply.status, await reply.json(), dict(reply.headers))

    async def submit(self, path: str, body: object) -> str:
        """Submit, and return the task's uuid once it has ended and called back."""
        answer = await self.call("POST", path, body)
        assert answer.status == 200, answer.body
        await self.running.idle()
        return str(answer.body["data"]["taskUuid"])

    async def model(self, **fields: Any) -> str:
        """Create a model and return its own uuid."""
        task = await self.submit("/models", {"gender": "female", **fields})
        shown = await self.call("GET", f"/tasks/{task}")
        return str(shown.body["data"]["resourceUrl"]).rpartition("/")[2]


@dataclass
class Answer:
    status: int
    body: Any
    headers: dict[str, str]

    @property
    def data(self) -> Any:
        return self.body["data"]


Begin = Callable[..., Awaitable[Running]]
CallPizi = Callable[..., Awaitable[Caller]]
CallKind = Callable[..., Awaitable[Caller]]


@pytest.fixture
async def begin() -> AsyncIterator[Begin]:
    """Return a function that starts simulators; tasks take no time unless it is told otherwise."""
    started: list[Running] = []

    async def go(faults: str = "", **options: Any) -> Running:
        wanted = {"kinds": ("pizi",), "latency_s": 0.0, "lag_s": 0.0, **options}
        running = await start(Options(faults=Faults.parse(faults), **wanted))
        started.append(running)
        return running

    yield go
    for running in started:
        await running.stop()


@pytest.fixture
async def pizi(begin: Begin) -> AsyncIterator[CallPizi]:
    """Return a function that starts Pizi and gives a client of it."""
    async with aiohttp.ClientSession() as http:

        async def go(faults: str = "", **options: Any) -> Caller:
            running = await begin(faults, **options)
            settings = running.client_settings("pizi")
            return Caller(running, http, settings["base_url"], settings["api_key"])

        yield go


@pytest.fixture
async def account(begin: Begin) -> AsyncIterator[CallKind]:
    """Return a function that starts the simulator of one kind and gives a client of it."""
    async with aiohttp.ClientSession() as http:

        async def go(kind: str, faults: str = "", **options: Any) -> Caller:
            running = await begin(faults, kinds=(kind,), **options)
            settings = running.client_settings(kind)
            return Caller(running, http, settings["base_url"], settings["api_key"])

        yield go


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    it = Receiver()
    app = web.Application()
    app.router.add_post("/hook", it.receive)
    async with TestServer(app) as server:
        it.url = str(server.make_url("/hook"))
        yield it
