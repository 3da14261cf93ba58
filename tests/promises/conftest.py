"""Real processes: a server started by `orchestrator serve`, simulators in the test, HTTP in between."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from orchestrator.simulators.faults import Faults
from orchestrator.simulators.server import Options, Running, start
from tests.ports import free_port

SHOOT = Path(__file__).parents[2] / "orchestrator" / "workflows" / "fashion-shoot.yaml"


def toml(key: str, value: Any) -> list[str]:
    """Return the lines that set *key*."""
    if isinstance(value, dict):
        return [line for inner, below in value.items() for line in toml(f"{key}.{inner}", below)]
    return [f"{key} = {json.dumps(value)}"]


@dataclass
class Server:
    """One server, which may be killed and started again on the same data."""

    folder: Path
    providers: dict[str, dict[str, Any]]
    callbacks: str = "on"
    public_port: int = field(default_factory=free_port)
    admin_port: int = field(default_factory=free_port)
    process: asyncio.subprocess.Process | None = None
    top: dict[str, Any] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.admin_port}/api/v1"

    @property
    def log(self) -> str:
        return (self.folder / "server.log").read_text()

    def write_settings(self) -> None:
        (self.folder / "workflows").mkdir(exist_ok=True)
        (self.folder / "workflows" / "fashion-shoot.yaml").write_text(SHOOT.read_text())
        lines = [
            f'callbacks = "{self.callbacks}"',
            f'public_url = "http://127.0.0.1:{self.public_port}"',
            f'store = "sqlite:///{self.folder}/orchestrator.db"',
            f'artifacts = "{self.folder}/artifacts"',
            f'workflows = "{self.folder}/workflows"',
            *(line for key, value in self.top.items() for line in toml(key, value)),
            "[listen]",
            f'public = "127.0.0.1:{self.public_port}"',
            f'admin = "127.0.0.1:{self.admin_port}"',
        ]
        for name, table in self.providers.items():
            lines += [
                f"[providers.{name}]",
                *(line for key, value in table.items() for line in toml(key, value)),
            ]
        (self.folder / "orchestrator.toml").write_text("\n".join(lines) + "\n")

    async def start(self) -> None:
        self.write_settings()
        with (self.folder / "server.log").open("ab") as log:
            self.process = await self.launch(log)
        await self.until(self.is_ready, "the server to be ready", 30.0)

    async def launch(self, output: Any) -> asyncio.subprocess.Process:
        """Start a process with the settings that are there; it may not come far."""
        clean = {key: value for key, value in os.environ.items() if not key.startswith("ORCHESTRATOR_")}
        config = str(self.folder / "orchestrator.toml")
        command = (sys.executable, "-m", "orchestrator", "serve", "--config", config)
        return await asyncio.create_subprocess_exec(*command, stdout=output, stderr=output, env=clean)

    async def is_ready(self) -> bool:
        assert self.process is not None
        assert self.process.returncode is None, f"the server ended: {self.log}"
        try:
            async with (
                aiohttp.ClientSession() as session,
                session.get(f"http://127.0.0.1:{self.admin_port}/readyz") as answer,
            ):
                return answer.status == 200
        except aiohttp.ClientError:
            return False

    async def kill(self, number: signal.Signals = signal.SIGKILL) -> int:
        """End the process with a signal and return its exit code."""
        assert self.process is not None
        self.process.send_signal(number)
        return await asyncio.wait_for(self.process.wait(), 60)

    async def get(self, path: str) -> Any:
        async with aiohttp.ClientSession() as session, session.get(self.url + path) as answer:
            return await answer.json()

    async def post(self, path: str, body: Any, **headers: str) -> tuple[int, Any]:
        async with (
            aiohttp.ClientSession() as session,
            session.post(self.url + path, json=body, headers=headers) as answer,
        ):
            return answer.status, await answer.json()

    async def begin(self, **inputs: Any) -> str:
        """Start the fashion shoot and return the run's id."""
        status, run = await self.post("/runs", {"workflow": "fashion-shoot", "inputs": inputs})
        assert status == 201, run
        return str(run["id"])

    async def ended(self, run: str, timeout_s: float = 60.0) -> dict[str, Any]:
        """Return the run once it has ended."""
        found: dict[str, Any] = {}

        async def has_ended() -> bool:
            found.update(await self.get(f"/runs/{run}"))
            return found["status"] not in ("pending", "running")

        await self.until(has_ended, f"{run} to end", timeout_s)
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
async def simulators() -> AsyncIterator[Callable[..., Any]]:
    """Start simulators with options, of Pizi and Perfect unless others are named; they end with the test."""
    running: list[Running] = []

    async def begin(**options: Any) -> Running:
        running.append(await start(Options(**{"kinds": ("pizi", "perfect"), **options})))
        return running[-1]

    yield begin
    for one in running:
        await one.stop()


@pytest.fixture
def faults() -> Callable[..., Faults]:
    """Name faults of the simulators, each with its probability."""
    return lambda **chances: Faults(chances)


@pytest.fixture
async def serve(tmp_path: Path) -> AsyncIterator[Callable[..., Any]]:
    """Start a server that talks to simulators; it ends with the test."""
    servers: list[Server] = []

    async def begin(
        simulated: Running, *, callbacks: str = "on", top: dict[str, str] | None = None, **settings: Any
    ) -> Server:
        kinds = simulated.all_books()
        providers = {kind: {**simulated.client_settings(kind), **settings} for kind in kinds}
        server = Server(tmp_path, providers, callbacks, top=top or {})
        servers.append(server)
        await server.start()
        return server

    yield begin
    for server in servers:
        if server.process is not None and server.process.returncode is None:
            await server.kill()
