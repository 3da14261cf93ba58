"""A provider whose every answer a test may choose, and a whole server that uses it, in this process."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from PIL import Image

from orchestrator import app
from orchestrator.settings import Address, Listen, Settings

WORKFLOW = """
name: person
timeout: {whole}
steps:
  person:
    uses: {name}/create_model
    timeout: {timeout}
    with: {{gender: FEMALE}}
"""


def picture() -> bytes:
    buffer = BytesIO()
    Image.new("RGB", (8, 6), "teal").save(buffer, "PNG")
    return buffer.getvalue()


@dataclass
class Pizi:
    """
    Pizi, which makes models of people at once, unless *status* says otherwise.

    *accept* answers a submit, given the task's id; *show* the nth request for a picture.
    """

    accept: Callable[[str], web.Response] = lambda task: web.json_response(
        {"success": True, "data": {"taskUuid": task}}
    )
    show: Callable[[int], web.Response] = lambda nth: web.Response(body=picture())
    status: str = "completed"
    url: str = ""
    shown: int = 0
    tasks: dict[str, dict[str, Any]] = field(default_factory=dict)

    async def handle(self, request: web.Request) -> web.Response:
        last = request.path.rpartition("/")[2]
        if request.method == "POST":
            task = str(uuid4())
            self.tasks[task] = await request.json()
            return self.accept(task)
        if last == "file":
            self.shown += 1
            return self.show(self.shown)
        if last not in self.tasks:
            return web.json_response({"success": True, "data": []})
        metadata = self.tasks[last]["metadata"]
        made = {"uuid": last, "status": self.status, "type": "model", "metadata": metadata}
        made |= {"resourceUrl": f"/models/{last}", "mediaUrl": f"{self.url}/file"}
        made |= {"callbackUrl": self.tasks[last]["callbackUrl"]}
        return web.json_response({"success": True, "data": made})

    async def call_back(self, task: str) -> int:
        """Call back about a task, through a proxy, and return the status of the answer."""
        url, said = self.tasks[task]["callbackUrl"], {"taskUuid": task, "status": self.status}
        proxy = {"X-Original-URI": "/callbacks/" + url.partition("/callbacks/")[2], "Referer": url}
        async with aiohttp.ClientSession() as session, session.post(url, json=said, headers=proxy) as answer:
            return answer.status


@dataclass
class Served:
    """A running server."""

    running: Any
    session: aiohttp.ClientSession

    async def get(self, path: str) -> Any:
        async with self.session.get(f"{self.running.admin_url}/api/v1{path}") as answer:
            return await answer.json()

    async def post(self, path: str, body: Any = None) -> tuple[int, Any]:
        url = f"{self.running.admin_url}/api/v1{path}"
        async with self.session.post(url, json=body if body is not None else {}) as answer:
            return answer.status, await answer.json()

    async def begin(self) -> str:
        """Start the workflow and return the run's id."""
        _, run = await self.post("/runs", {"workflow": "person", "inputs": {}})
        return str(run["id"])

    async def ended(self, run: str) -> dict[str, Any]:
        """Return the run once it has ended."""
        async with asyncio.timeout(30):
            while (found := await self.get(f"/runs/{run}"))["status"] in ("pending", "running"):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        shown: dict[str, Any] = found
        return shown


@pytest.fixture
async def pizi() -> AsyncIterator[Pizi]:
    played = Pizi()
    application = web.Application()
    application.router.add_route("*", "/{tail:.*}", played.handle)
    async with TestServer(application) as server:
        played.url = str(server.make_url("")).rstrip("/")
        yield played


Serve = Callable[..., AbstractAsyncContextManager[Served]]


@pytest.fixture
def serve(tmp_path: Path, pizi: Pizi, unused_tcp_port: int) -> Serve:
    """
    Run a server as long as a block lasts, each time on the same data.

    *name*: its connection to Pizi, with more settings of it; *timeout* of the step, *whole* of the run.
    """

    @asynccontextmanager
    async def serving(
        name: str = "pizi", *, timeout: str = "30m", whole: str = "1h", **differs: Any
    ) -> AsyncIterator[Served]:
        (tmp_path / "workflows").mkdir(exist_ok=True)
        text = WORKFLOW.format(name=name, timeout=timeout, whole=whole)
        (tmp_path / "workflows" / "person.yaml").write_text(text)
        table = {
            "kind": "pizi",
            "api_key": "k",
            "base_url": pizi.url,
            "rate_limits": [],
            "first_check": "100ms",
        }
        settings = Settings(
            public_url=f"http://127.0.0.1:{unused_tcp_port}",
            listen=Listen(public=Address("127.0.0.1", unused_tcp_port), admin=Address("127.0.0.1", 0)),
            store=f"sqlite:///{tmp_path}/x.db",
            artifacts=tmp_path / "artifacts",
            workflows=tmp_path / "workflows",
            min_free_disk=0,
            providers={name: table | differs},
        )
        async with app.build(settings).running() as server, aiohttp.ClientSession() as session:
            yield Served(server, session)

    return serving
