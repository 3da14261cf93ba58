"""The real server and the simulators in one process, with workflows written by the tests."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from orchestrator import app
from orchestrator.rehearsal import sandbox
from orchestrator.settings import Address, Listen, Settings
from orchestrator.simulators.faults import Faults
from orchestrator.simulators.options import Options
from orchestrator.simulators.server import SIMULATORS
from orchestrator.simulators.server import Running as Simulators

PATIENCE_S = 60.0


@dataclass(frozen=True)
class Once(Faults):
    """The fault *name* happens to the first thing at each provider that it could happen to."""

    name: str = ""
    seen: Counter[str] = field(default_factory=Counter)

    def hits(self, name: str, *key: object, seed: int) -> bool:
        if name != self.name:
            return False
        self.seen[str(key[0])] += 1
        return self.seen[str(key[0])] == 1


@dataclass(slots=True)
class Pair:
    """A server and the providers that it talks to."""

    server: app.Running
    simulators: Simulators
    session: aiohttp.ClientSession

    async def get(self, path: str) -> Any:
        async with self.session.get(f"{self.server.admin_url}/api/v1{path}") as answer:
            return await answer.json()

    async def post(self, path: str, body: Any) -> Any:
        kind = {"data": body} if isinstance(body, bytes) else {"json": body}
        async with self.session.post(f"{self.server.admin_url}/api/v1{path}", **kind) as answer:
            told = await answer.json()
            assert answer.status == 201, told
            return told

    async def upload(self, content: bytes) -> str:
        return f"artifact:{(await self.post('/artifacts', content))['digest']}"

    async def start(self, workflow: str, inputs: Mapping[str, Any] | None = None) -> str:
        return str((await self.post("/runs", {"workflow": workflow, "inputs": inputs or {}}))["id"])

    async def ended(self, run: str) -> dict[str, Any]:
        """Return a run once it has ended."""
        found: dict[str, Any] = {}

        async def has_ended() -> bool:
            found.update(await self.get(f"/runs/{run}"))
            return found["status"] not in ("pending", "running")

        await self.until(has_ended)
        return found

    async def until(self, holds: Callable[[], Any]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not await holds():  # noqa: ASYNC110 - it is seen from outside, over HTTP
                await asyncio.sleep(0.05)

    async def jobs(self, run: str) -> list[dict[str, Any]]:
        return list((await self.get(f"/jobs?run={run}"))["items"])


def _settings(folder: Path) -> Settings:
    providers: dict[str, dict[str, Any]] = {kind: {"rate_limits": []} for kind in SIMULATORS}
    providers["perfect"]["poll_interval"] = "0.2s"
    free = Address(sandbox.LOOPBACK, 0)
    return Settings(
        listen=Listen(public=free, admin=free), workflows=folder / "workflows", providers=providers
    )


@pytest.fixture
def begin() -> Callable[..., Any]:
    """Start both with *workflows*, faults, and credentials that may be wrong; they end with the block."""

    @asynccontextmanager
    async def begin(
        folder: Path, workflows: Mapping[str, str], *, faults: Faults | None = None, wrong: bool = False
    ) -> AsyncIterator[Pair]:
        (folder / "workflows").mkdir()
        for name, text in workflows.items():
            (folder / "workflows" / f"{name}.yaml").write_text(text)
        options = Options(limits="off", latency_s=(0.01, 0.05), lag_s=0.2, faults=faults or Faults())
        async with sandbox.simulated(options) as simulators:
            settings = sandbox.pointed_at(_settings(folder), simulators, folder)
            if wrong:
                for table in settings.providers.values():
                    table.update({key: "not-it" for key in ("api_key", "client_id") if key in table})
            async with app.build(settings).running() as server, aiohttp.ClientSession() as session:
                yield Pair(server, simulators, session)

    return begin


@pytest.fixture
def once() -> Callable[[str], Faults]:
    return lambda name: Once(name=name)
