"""The server with every example, and all five simulators without limits, in this process."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from orchestrator import app
from orchestrator.cli import background, drawings, sandbox
from orchestrator.cli.client import Client
from orchestrator.cli.run import start, upload
from orchestrator.settings import Address, Listen, Settings
from orchestrator.simulators.options import Options
from orchestrator.simulators.server import SIMULATORS
from orchestrator.simulators.server import Running as Simulators

PATIENCE_S = 60.0


@dataclass(frozen=True, slots=True)
class World:
    """A server, its providers, and a folder for what is handed in."""

    client: Client
    server: app.Running
    simulators: Simulators
    folder: Path

    def start(self, workflow: str) -> str:
        """Start an example with drawn pictures and its own defaults, and return the run's id."""
        found = self.server.library.get(workflow)
        inputs: dict[str, Any] = {}
        for name, path in drawings.draw(found.required, self.folder).items():
            sent = upload(self.client, path)
            inputs[name] = [sent] if found.inputs[name].get("type") == "array" else sent
        return str(start(self.client, {"workflow": workflow, "inputs": inputs})["id"])

    def ended(self, run: str) -> dict[str, Any]:
        """Return a run once it has ended, or when nobody would wait for it any longer."""
        give_up_at = time.monotonic() + PATIENCE_S
        while True:
            found: dict[str, Any] = self.client.get(f"/runs/{run}")
            if found["status"] not in ("pending", "running") or time.monotonic() > give_up_at:
                return found
            time.sleep(0.05)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("examples")
    free = Address(sandbox.LOOPBACK, 0)
    providers: dict[str, dict[str, Any]] = {kind: {"rate_limits": []} for kind in SIMULATORS}
    providers["perfect"]["poll_interval"] = "0.05s"
    settings = Settings(
        listen=Listen(public=free, admin=free), workflows=sandbox.SHIPPED, providers=providers
    )
    options = Options(limits="off", latency_s=(0.01, 0.05))
    with background.running(sandbox.simulated(options)) as simulators:
        joined = app.build(sandbox.pointed_at(settings, simulators, folder))
        with background.running(joined.running()) as server:
            yield World(Client(server.admin_url), server, simulators, folder)


@pytest.fixture(scope="module")
def runs(world: World) -> dict[str, dict[str, Any]]:
    """How each example ended; they run at the same time."""
    started = {workflow.name: world.start(workflow.name) for workflow in world.server.library.all()}
    return {name: world.ended(run) for name, run in started.items()}
