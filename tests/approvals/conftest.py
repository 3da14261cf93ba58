"""Real processes: a server of `orchestrator serve`, a simulator in the test, the command in between."""

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from orchestrator.simulators.server import Options, start

CHOOSING = """
name: choosing
inputs:
  products: {type: array, items: {type: string}}
steps:
  model:
    uses: pizi/create_model
    with: {gender: female}
  pictures:
    uses: pizi/create_pictures
    with:
      shotType: lifestyle
      variants: 3
      model: {uuid: '${{ steps.model.output.uuid }}'}
      product: {images: '${{ inputs.products }}'}
  pick:
    uses: core/approve
    with:
      message: Which of them goes into the shop?
      choices: ${{ steps.pictures.artifacts }}
      pick: 2
outputs:
  chosen: ${{ steps.pick.artifacts }}
  answer: ${{ steps.pick.output }}
"""

ASKING = """
name: asking
inputs:
  default: {type: string, default: fail}
steps:
  ask:
    uses: core/approve
    timeout: 2s
    with: {message: May it go out?, default: '${{ inputs.default }}'}
outputs:
  answer: ${{ steps.ask.output }}
"""

LISTING = """
name: listing
steps:
  pick:
    uses: core/approve
    for_each: [red, blue, green]
    with:
      message: ${{ item }} in which size?
      choices: [small, large]
outputs:
  sizes: ${{ steps.pick.output | map(attribute='chosen') | list }}
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class Server:
    """One server, which may be killed and started again on the same data."""

    folder: Path
    pizi: dict[str, Any]
    public_port: int = field(default_factory=free_port)
    admin_port: int = field(default_factory=free_port)
    process: asyncio.subprocess.Process | None = None

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.admin_port}"

    @property
    def log(self) -> str:
        return (self.folder / "server.log").read_text()

    def write_settings(self) -> None:
        (self.folder / "workflows").mkdir(exist_ok=True)
        for text in (CHOOSING, ASKING, LISTING):
            name = text.split()[1]
            (self.folder / "workflows" / f"{name}.yaml").write_text(text)
        lines = [
            f'public_url = "http://127.0.0.1:{self.public_port}"',
            f'store = "sqlite:///{self.folder}/orchestrator.db"',
            f'artifacts = "{self.folder}/artifacts"',
            f'workflows = "{self.folder}/workflows"',
            "[listen]",
            f'public = "127.0.0.1:{self.public_port}"',
            f'admin = "127.0.0.1:{self.admin_port}"',
            "[providers.pizi]",
            *(f"{key} = {json.dumps(value)}" for key, value in self.pizi.items()),
        ]
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
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    simulated = await start(Options(kinds=("pizi",), latency_s=(0.01, 0.05), limits="off"))
    server = Server(tmp_path, {**simulated.client_settings("pizi"), "rate_limits": []})
    await server.start()
    yield server
    if server.process is not None and server.process.returncode is None:
        await server.kill()
    await simulated.stop()
