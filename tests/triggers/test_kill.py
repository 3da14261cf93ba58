"""A real server that is killed while requests on a hook pour in: each that it acknowledged gets one run."""

import asyncio
import os
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.ports import free_port

ORDERS = """
name: orders
inputs: {id: {type: integer}}
triggers:
  webhook:
    verify: {scheme: token, secret: shop}
    dedupe: ${{ body.id }}
    inputs: {id: '${{ body.id }}'}
steps:
  wait: {uses: core/sleep, with: {duration: 1h}}
"""


@dataclass
class Server:
    """One server process at a time, on the same data and ports."""

    folder: Path
    http: aiohttp.ClientSession
    public: int = field(default_factory=free_port)
    admin: int = field(default_factory=free_port)
    process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        with (self.folder / "server.log").open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-m", "orchestrator", "serve", "--config", str(self.folder / "orchestrator.toml")),
                stdout=log,
                stderr=log,
                env={k: v for k, v in os.environ.items() if not k.startswith("ORCHESTRATOR_")},
            )
        async with asyncio.timeout(30):
            while not await self._is_ready():
                assert self.process.returncode is None, (self.folder / "server.log").read_text()
                await asyncio.sleep(0.05)

    async def _is_ready(self) -> bool:
        try:
            async with self.http.get(f"http://127.0.0.1:{self.admin}/readyz") as answer:
                return answer.status == 200
        except aiohttp.ClientError:
            return False

    async def kill(self) -> None:
        assert self.process is not None
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGKILL)
        await self.process.wait()

    async def post(self, id: int) -> bool:
        """Return whether the event was acknowledged."""
        url, headers = (
            f"http://127.0.0.1:{self.public}/hooks/orders",
            {"Authorization": "Bearer a-secret-of-this-shop"},
        )
        try:
            async with self.http.post(url, json={"id": id}, headers=headers) as answer:
                await answer.read()
                return answer.status == 202
        except (aiohttp.ClientError, OSError):
            return False

    async def list(self, path: str) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = []
        cursor = ""
        while True:
            async with self.http.get(f"http://127.0.0.1:{self.admin}/api/v1/{path}{cursor}") as answer:
                page = await answer.json()
            items += page["items"]
            if page["next_cursor"] is None:
                return items
            cursor = f"&cursor={page['next_cursor']}"


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    async with aiohttp.ClientSession() as http:
        server = Server(tmp_path, http)
        (tmp_path / "workflows").mkdir()
        (tmp_path / "workflows" / "orders.yaml").write_text(ORDERS)
        (tmp_path / "orchestrator.toml").write_text(
            f"""
callbacks = "off"
store = "sqlite:///{tmp_path}/orchestrator.db"
artifacts = "{tmp_path}/artifacts"
workflows = "{tmp_path}/workflows"
secrets = {{shop = "a-secret-of-this-shop"}}
[listen]
public = "127.0.0.1:{server.public}"
admin = "127.0.0.1:{server.admin}"
"""
        )
        yield server
        await server.kill()


async def test_what_was_acknowledged_before_a_kill_gets_one_run_each(server: Server) -> None:
    acknowledged: Counter[int] = Counter()
    enough = asyncio.Event()
    await server.start()

    async def sender(first: int) -> None:
        # Every event is sent twice, as a sender does that missed an answer.
        for id in [n for n in range(first, 4000, 16) for _ in range(2)]:
            if not await server.post(id):
                return
            acknowledged[id] += 1
            if acknowledged.total() >= 150:
                enough.set()

    senders = [asyncio.create_task(sender(first)) for first in range(16)]
    async with asyncio.timeout(60):
        await enough.wait()
    await server.kill()
    await asyncio.gather(*senders)
    await server.start()

    async with asyncio.timeout(60):
        while await server.list("deliveries?status=pending&limit=100"):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    runs = Counter(run["inputs"]["id"] for run in await server.list("runs?limit=200"))
    deliveries = await server.list("deliveries?hook=orders&limit=200")
    assert set(runs.values()) == {1}
    assert set(acknowledged) <= set(runs)
    assert {one["verdict"] for one in deliveries} <= {"accepted", "duplicate"}
    assert len([one for one in deliveries if one["verdict"] == "accepted"]) == len(runs)
    # Sending all of it again starts nothing new.
    assert all([await server.post(id) for id in acknowledged])
    again = Counter(run["inputs"]["id"] for run in await server.list("runs?limit=200"))
    assert again == runs
