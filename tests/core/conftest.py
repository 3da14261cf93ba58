"""Real processes: a server of `orchestrator serve`, a service of somebody else, the command in between."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.ports import free_port


@dataclass
class Server:
    """One server, which may be killed and started again on the same data."""

    folder: Path
    workflows: Sequence[str]
    tables: dict[str, dict[str, Any]] = field(default_factory=dict)
    private: bool = True
    callbacks: str = "on"
    public_port: int = field(default_factory=free_port)
    admin_port: int = field(default_factory=free_port)
    process: asyncio.subprocess.Process | None = None

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.admin_port}"

    @property
    def public_url(self) -> str:
        return f"http://127.0.0.1:{self.public_port}"

    @property
    def log(self) -> str:
        return (self.folder / "server.log").read_text()

    def write_settings(self) -> None:
        (self.folder / "workflows").mkdir(exist_ok=True)
        for text in self.workflows:
            name = text.split("name:")[1].split()[0]
            (self.folder / "workflows" / f"{name}.yaml").write_text(text)
        lines = [
            f'callbacks = "{self.callbacks}"',
            f'public_url = "{self.public_url}"',
            f'store = "sqlite:///{self.folder}/orchestrator.db"',
            f'artifacts = "{self.folder}/artifacts"',
            f'workflows = "{self.folder}/workflows"',
            f"allow_private_networks = {str(self.private).lower()}",
            "[listen]",
            f'public = "127.0.0.1:{self.public_port}"',
            f'admin = "127.0.0.1:{self.admin_port}"',
        ]
        for name, table in self.tables.items():
            lines += [f"[{name}]", *(f"{key} = {json.dumps(value)}" for key, value in table.items())]
        (self.folder / "orchestrator.toml").write_text("\n".join(lines) + "\n")

    async def start(self) -> None:
        self.write_settings()
        with (self.folder / "server.log").open("ab") as log:
            self.process = await self.command(
                "serve", "--config", str(self.folder / "orchestrator.toml"), stdout=log, stderr=log
            )
        await self.until(self.is_ready, "the server to be ready", 30.0)

    async def command(self, *args: str, **streams: Any) -> asyncio.subprocess.Process:
        """Start the command in a process of its own, with nothing of this machine's settings."""
        clean = {key: value for key, value in os.environ.items() if not key.startswith("ORCHESTRATOR_")}
        if args[0] != "serve":
            clean["ORCHESTRATOR_SERVER"] = self.address
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", "orchestrator", *args, env=clean, **streams
        )

    async def says(self, *args: str) -> tuple[int, str, str]:
        """Call the command and return its exit code, what it printed, and what it said beside that."""
        piped = asyncio.subprocess.PIPE
        process = await self.command(*args, stdout=piped, stderr=piped)
        out, err = await asyncio.wait_for(process.communicate(), 60)
        assert process.returncode is not None
        return process.returncode, out.decode(), err.decode()

    async def is_ready(self) -> bool:
        assert self.process is not None
        assert self.process.returncode is None, f"the server ended: {self.log}"
        try:
            async with aiohttp.ClientSession() as session, session.get(f"{self.address}/readyz") as answer:
                return answer.status == 200
        except aiohttp.ClientError:
            return False

    async def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        await asyncio.wait_for(self.process.wait(), 60)

    async def get(self, path: str) -> Any:
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{self.address}/api/v1{path}") as answer,
        ):
            return await answer.json()

    async def post(self, path: str, body: Any) -> tuple[int, Any]:
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{self.address}/api/v1{path}", json=body) as answer,
        ):
            return answer.status, await answer.json()

    async def begin(self, workflow: str, **inputs: Any) -> str:
        status, run = await self.post("/runs", {"workflow": workflow, "inputs": inputs})
        assert status == 201, run
        return str(run["id"])

    async def asked(self, run: str, step: str, index: int | None = None) -> dict[str, Any]:
        """Return the question of a step once it is asked."""
        found: dict[str, Any] = {}

        async def is_asked() -> bool:
            shown = await self.get(f"/runs/{run}")
            assert shown["status"] == "running", shown["error"]
            for each in shown["steps"]:
                if each["id"] == step and each["index"] == index and each["question"]:
                    found.update(each["question"])
            return bool(found)

        await self.until(is_asked, f"{step} of {run} to ask", 30.0)
        return found

    async def decide(self, run: str, step: str, **decision: Any) -> tuple[int, Any]:
        return await self.post(f"/steps/{run}/{step}/decision", decision)

    async def ended(self, run: str) -> dict[str, Any]:
        """Return the run once it has ended."""
        found: dict[str, Any] = {}

        async def has_ended() -> bool:
            found.update(await self.get(f"/runs/{run}"))
            return found["status"] not in ("pending", "running")

        await self.until(has_ended, f"{run} to end", 30.0)
        return found

    async def until(self, holds: Callable[[], Any], what: str, timeout_s: float) -> None:
        """Return once *holds* does."""
        try:
            async with asyncio.timeout(timeout_s):
                while not await holds():  # noqa: ASYNC110 - it is another process that is waited for
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise AssertionError(f"waited {timeout_s:g} s for {what}\n{self.log[-3000:]}") from None


@pytest.fixture
async def serve(tmp_path: Path) -> AsyncIterator[Callable[..., Any]]:
    """Start a server with workflows and tables of settings; it ends with the test."""
    servers: list[Server] = []

    async def begin(*workflows: str, **differs: Any) -> Server:
        server = Server(tmp_path, workflows, **differs)
        servers.append(server)
        await server.start()
        return server

    yield begin
    for server in servers:
        if server.process is not None and server.process.returncode is None:
            await server.kill()


@dataclass(frozen=True)
class Seen:
    """One request that arrived at the service."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


Act = Callable[[Seen], web.Response | Awaitable[web.Response] | None]
"""What the service does with a request; None: it hangs up without a word."""


@dataclass
class Service:
    """Somebody else's service: each path does what the test says, and nothing else is there."""

    acts: dict[str, Act] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)
    url: str = ""

    def on(self, path: str) -> Callable[[Act], Act]:
        """Let a function answer requests for *path*."""

        def keep(act: Act) -> Act:
            self.acts[path] = act
            return act

        return keep

    async def handle(self, request: web.Request) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        seen = Seen(request.method, request.path, dict(request.query), headers, await request.read())
        self.seen.append(seen)
        act = self.acts.get(request.path)
        answer = act(seen) if act is not None else web.Response(status=404, text="nothing is here")
        if isinstance(answer, Awaitable):
            answer = await answer
        if answer is None:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        return answer

    async def until_seen(self, count: int) -> Sequence[Seen]:
        """Return once so many requests have arrived."""
        async with asyncio.timeout(20):
            while len(self.seen) < count:  # noqa: ASYNC110 - it is another process that is waited for
                await asyncio.sleep(0.02)
        return self.seen

    @staticmethod
    async def send(url: str, body: Any, method: str = "POST", **headers: str) -> int:
        """Call *url*, as a service that calls back does, and return the status."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        async with (
            aiohttp.ClientSession(skip_auto_headers=["Content-Type"]) as session,
            session.request(method, url, data=data, headers=headers) as answer,
        ):
            return answer.status


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    """A service on loopback that does what the test says."""
    played = Service()
    app = web.Application(client_max_size=16 << 20)
    app.router.add_route("*", "/{tail:.*}", played.handle)
    async with TestServer(app) as server:
        played.url = str(server.make_url("")).rstrip("/")
        yield played
