"""What starts runs, over a real store and a real worker whose effects nobody performs; the time is said."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from pydantic import SecretStr

from orchestrator.artifacts.folder import Folder
from orchestrator.definition.loader import parse
from orchestrator.definition.workflow import LookUp, Scope, Triggers, Workflow
from orchestrator.engine import triggers as t
from orchestrator.engine.effects import Effect
from orchestrator.engine.plan import Plan
from orchestrator.engine.state import RunState
from orchestrator.errors import InvalidValue
from orchestrator.operations.needs import Needs
from orchestrator.operations.planned import Sending
from orchestrator.operations.plans import Plans, catalog
from orchestrator.operations.runs import Runs
from orchestrator.operations.values import Values
from orchestrator.operations.workflows import Found, Library
from orchestrator.providers.base import Connector
from orchestrator.providers.pizi import PiziSettings, connect
from orchestrator.runtime.followers import Followers
from orchestrator.runtime.hooks import HookIntake
from orchestrator.runtime.limits import Limits
from orchestrator.runtime.schedules import Schedules
from orchestrator.runtime.worker import Worker
from orchestrator.store.rows import RunRow
from orchestrator.store.sqlite import SqliteStore
from orchestrator.times import from_rfc3339

CONNECTORS: dict[str, Connector] = {
    "pizi": connect(PiziSettings(api_key=SecretStr("key-of-this-test"), rate_limits=[]))
}


@dataclass
class StoppedClock:
    """Says what it was set to."""

    at: int = 0
    count: int = 0

    def now(self) -> int:
        return self.at

    def entropy(self) -> bytes:
        self.count += 1
        return self.count.to_bytes(10, "big") + bytes(6)


@dataclass(frozen=True)
class From:
    """A value that is taken from what an expression sees, or a plain one."""

    take: Any
    steps: frozenset[str] = frozenset()
    looks_up: frozenset[LookUp] = frozenset()

    def evaluate(self, scope: Scope) -> Any:
        try:
            return self.take(scope) if callable(self.take) else self.take
        except (KeyError, TypeError) as error:
            raise InvalidValue(f"there is no {error}") from error


class Nobody:
    """Performs nothing."""

    children: Any = None

    def perform(self, run: str, effect: Effect, state: RunState, plan: Plan) -> None:
        pass

    def wake(self, run: str, job: str) -> None:
        pass

    def freed(self) -> None:
        pass


class Shelf(Library):
    """The workflows that a test puts on it."""

    def __init__(self) -> None:
        super().__init__([], catalog(CONNECTORS))

    def put(self, *workflows: Workflow) -> None:
        """Let these be all there are."""
        self._found = Found({workflow.name: workflow for workflow in workflows}, {}, (), {})


@dataclass
class Life:
    """One server process, as far as triggers go."""

    store: SqliteStore
    worker: Worker
    runs: Runs
    schedules: Schedules
    followers: Followers
    hooks: HookIntake

    async def end(self, run: str) -> str:
        """Have a run cancelled, and return its id."""
        await self.worker.handle(run, t.CancelAsked)
        return run

    async def rows(self) -> list[RunRow]:
        """Return every run, oldest first."""
        return list(reversed(await self.store.runs(limit=1000)))


@dataclass
class World:
    """What outlives a server: its folder, the workflows, and the time."""

    folder: Path
    value: type[From] = From
    shelf: Shelf = field(default_factory=Shelf)
    clock: StoppedClock = field(default_factory=StoppedClock)

    def workflow(self, name: str, inputs: Mapping[str, Any] | None = None, **triggers: Any) -> Workflow:
        """Return a workflow with these triggers, whose runs do not end by themselves."""
        source = {
            "name": name,
            "inputs": dict(inputs or {}),
            "steps": {"model": {"uses": "pizi/create_model", "with": {"gender": "female"}}},
        }
        return replace(parse(orjson.dumps(source).decode()), triggers=Triggers(**triggers))

    def at(self, text: str) -> None:
        """Let it be that time."""
        self.clock.at = from_rfc3339(text)

    @asynccontextmanager
    async def live(self) -> AsyncIterator[Life]:
        """Run a server for as long as the block lasts; what it had begun to write is written."""
        async with AsyncExitStack() as stack:
            store = await SqliteStore.open(self.folder / "orchestrator.db", clock=self.clock)
            stack.push_async_callback(store.close)
            sending = Sending(key="k1", callbacks=False, public_url=None)
            plans, limits = Plans(CONNECTORS, sending), Limits(CONNECTORS, self.clock)
            values = Values(Folder(self.folder / "artifacts"))
            worker = Worker(store, plans, limits, self.clock, values)
            worker.performer = Nobody()
            stack.push_async_callback(worker.settled)
            needs = Needs(plans, store, worker, values, _is_held)
            runs = Runs(worker, store, self.shelf, _take, self.clock, needs)
            life = Life(
                store,
                worker,
                runs,
                Schedules(store, runs, self.shelf, self.clock),
                Followers(store, store, store, runs, self.shelf, values),
                HookIntake(store, runs, self.shelf),
            )
            await life.schedules.begin()
            await life.followers.begin()
            yield life


async def _is_held(digest: str) -> bool:
    return True


async def _take(value: str, must_be_image: bool) -> str:
    return value


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path)
    world.at("2026-11-20T12:00:00Z")
    return world
