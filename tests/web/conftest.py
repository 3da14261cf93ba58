"""The admin listener over a real store and a real worker, whose effects nobody performs."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from aiohttp.web import Application, Request
from pydantic import SecretStr

from orchestrator.artifacts.folder import Folder
from orchestrator.clock import SystemClock
from orchestrator.definition.catalog import Catalog
from orchestrator.engine.effects import Effect
from orchestrator.engine.plan import Plan
from orchestrator.engine.state import RunState
from orchestrator.operations.budgets import Budgets
from orchestrator.operations.connections import Connections
from orchestrator.operations.decisions import Decisions
from orchestrator.operations.deliveries import Deliveries
from orchestrator.operations.dry_runs import DryRuns
from orchestrator.operations.jobs import Jobs
from orchestrator.operations.needs import Needs
from orchestrator.operations.planned import Sending
from orchestrator.operations.plans import Plans, catalog
from orchestrator.operations.pruning import Policy, Pruning
from orchestrator.operations.runs import Runs
from orchestrator.operations.values import Values
from orchestrator.operations.waiting import Board, Known
from orchestrator.operations.workflows import Library
from orchestrator.outcomes import CheckOutcome, Pending
from orchestrator.providers.base import Connector
from orchestrator.providers.pizi import PiziSettings, connect
from orchestrator.runtime.checkups import Checkup
from orchestrator.runtime.janitor import Janitor
from orchestrator.runtime.ledger import Ledger
from orchestrator.runtime.limits import Limits
from orchestrator.runtime.worker import Worker
from orchestrator.store.rows import JobRow
from orchestrator.store.sqlite import SqliteStore
from orchestrator.web import Deps, build

API_KEY = "pizi-key-of-this-test"

PORTRAIT = """
name: portrait
description: One virtual model.
inputs:
  title: {type: string, minLength: 1}
  gender: {type: string, enum: [female, male], default: female}
  photo: {type: string, default: ""}
steps:
  model:
    uses: pizi/create_model
    with:
      gender: ${{ inputs.gender }}
      name: ${{ inputs.title }}
outputs:
  photo: ${{ inputs.photo }}
"""

Client = TestClient[Request, Application]


class Nobody:
    """Performs nothing: each test tells the worker what came of it."""

    def perform(self, run: str, effect: Effect, state: RunState, plan: Plan) -> None:
        pass

    def wake(self, run: str, job: str) -> None:
        pass

    def freed(self) -> None:
        pass


@dataclass
class World:
    """What the server is told of the rest of the process."""

    trouble: str | None = None
    told: dict[str, Checkup] = field(default_factory=dict)
    rejects: list[dict[str, Any]] = field(default_factory=list)
    checks: dict[str, int] = field(default_factory=dict)

    async def ready(self) -> str | None:
        return self.trouble

    tasks: dict[str, CheckOutcome | None] = field(default_factory=dict)

    async def look_for(self, run: str, job: str, task_id: str) -> CheckOutcome | None:
        """Say what the provider would: it has every task that no test says anything else of."""
        return self.tasks.get(task_id, Pending("running"))

    async def check(self, connection: str) -> Checkup:
        """Say what a provider told, who is not there."""
        return self.told[connection]


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture(scope="session")
def connectors() -> dict[str, Connector]:
    return {"pizi": connect(PiziSettings(api_key=SecretStr(API_KEY), rate_limits=[]))}


@pytest.fixture(scope="session")
def known(connectors: dict[str, Connector]) -> Catalog:
    """What definitions may use; made once, because the schemas of all operations take their time."""
    return catalog(connectors)


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    """The folder of workflow files."""
    shelf = tmp_path / "workflows"
    shelf.mkdir()
    (shelf / "portrait.yaml").write_text(PORTRAIT)
    return shelf


@pytest.fixture
def library(shelf: Path, known: Catalog) -> Library:
    library = Library([shelf], known)
    library.reload()
    return library


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "artifacts")


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    store = await SqliteStore.open(tmp_path / "orchestrator.db", clock=SystemClock())
    yield store
    await store.close()


@pytest.fixture
def plans(connectors: dict[str, Connector]) -> Plans:
    return Plans(connectors, Sending(key="k1", callbacks=True, public_url="https://hooks.example.com"))


@pytest.fixture
def limits(connectors: dict[str, Connector]) -> Limits:
    limits = Limits(connectors, SystemClock())
    # Nothing waits for a turn, so a job is submitted in the append that makes it.
    limits.queue("pizi", False)
    return limits


@pytest.fixture
async def worker(store: SqliteStore, plans: Plans, limits: Limits, folder: Folder) -> AsyncIterator[Worker]:
    worker = Worker(store, plans, limits, SystemClock(), Values(folder))
    worker.performer = Nobody()
    yield worker
    await worker.settled()


@pytest.fixture
def deps(
    store: SqliteStore,
    worker: Worker,
    plans: Plans,
    limits: Limits,
    library: Library,
    folder: Folder,
    world: World,
) -> Deps:
    clock = SystemClock()

    async def take_file(text: str, is_image: bool) -> str:
        if text.startswith("data:"):
            raise ValueError("this is no image")
        return text

    budgets = Budgets(plans.connectors, store, clock)
    ledger = Ledger(store, limits.pauses, clock)
    connections = Connections(limits.overview, ledger, world.check, budgets.of, clock)

    async def is_held(digest: str) -> bool:
        return folder.hold(digest)

    needs = Needs(plans, store, worker, worker.values, is_held)

    async def question(job: JobRow) -> None:
        return None

    known = Known(
        obstacle=lambda job: limits.obstacle(job.connection),
        last_check=world.checks.get,
        usual=plans.usual.of,
        question=question,
        most=budgets.most,
        connections=connections.all,
    )
    return Deps(
        runs=Runs(worker, store, library, take_file, SystemClock(), needs),
        dry_runs=DryRuns(library, plans, connections, take_file),
        jobs=Jobs(worker, store, store, world.look_for),
        decisions=Decisions(worker, store, store, plans, worker.values),
        deliveries=Deliveries(store, SystemClock()),
        pruning=Pruning(Policy(), Janitor(store, folder, Policy(), clock).prune),
        library=library,
        plans=plans,
        views=store,
        log=store,
        inbox=store,
        schedule=store,
        folder=folder,
        values=worker.values,
        clock=SystemClock(),
        ready=world.ready,
        connections=connections,
        board=Board(store, known, clock),
        rejects=lambda: world.rejects,
        run_bytes_max=100_000,
        artifact_bytes_max=1_000_000,
    )


@pytest.fixture
async def serve(deps: Deps) -> AsyncIterator[Callable[..., Awaitable[Client]]]:
    """Start a listener; keywords are fields of `Deps` that differ, and `loopback`."""
    clients: list[Client] = []

    async def serve(*, loopback: bool = True, **different: Any) -> Client:
        client = TestClient(TestServer(build(replace(deps, **different), loopback=loopback)))
        await client.start_server()
        clients.append(client)
        return client

    yield serve
    for client in clients:
        await client.close()


@pytest.fixture
async def client(serve: Callable[..., Awaitable[Client]]) -> Client:
    return await serve()


@pytest.fixture
def start(client: Client) -> Callable[..., Awaitable[dict[str, Any]]]:
    """Start a run of `portrait` and return it as the API shows it."""

    async def start(labels: dict[str, str] | None = None, **inputs: Any) -> dict[str, Any]:
        body = {"workflow": "portrait", "inputs": {"title": "Ada", **inputs}, "labels": labels or {}}
        answer = await client.post("/api/v1/runs", json=body)
        assert answer.status == 201, await answer.text()
        run: dict[str, Any] = await answer.json()
        return run

    return start


@pytest.fixture
def pages(client: Client) -> Callable[[str], Awaitable[Sequence[Sequence[dict[str, Any]]]]]:
    """Walk through a list by its cursors and return its pages."""

    async def walk(path: str) -> Sequence[Sequence[dict[str, Any]]]:
        found, cursor = [], ""
        while True:
            answer = await client.get(path + cursor)
            assert answer.status == 200, await answer.text()
            page = await answer.json()
            found.append(page["items"])
            if page["next_cursor"] is None:
                return found
            cursor = f"{'&' if '?' in path else '?'}cursor={page['next_cursor']}"

    return walk
