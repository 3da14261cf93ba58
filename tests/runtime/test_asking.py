"""Tasks that die when nobody asks for them, and whose fault it is when they do."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import RawTestServer
from pydantic import SecretStr

from orchestrator.artifacts.folder import Folder
from orchestrator.clock import SECOND
from orchestrator.engine.state import Job
from orchestrator.errors import Failure
from orchestrator.operations.planned import Planned, Sending
from orchestrator.outcomes import TASK_LOST, CheckOutcome, Failed, Pending, Retry
from orchestrator.providers.base import (
    ConnectionSettings,
    Exchange,
    Operation,
    Output,
    Params,
    Reply,
    Request,
    Submit,
    SubmitOutcome,
    Task,
    Unclear,
    Waiting,
)
from orchestrator.providers.keyed import Keyed
from orchestrator.runtime.asking import Asker
from orchestrator.runtime.exchange import Exchanger
from orchestrator.runtime.images import Images
from orchestrator.runtime.limits import Lane
from orchestrator.runtime.transport import Transport
from orchestrator.runtime.work import Work
from orchestrator.tokens import Keyring

NOON = 1_800_000_000 * SECOND


@dataclass
class StillClock:
    at: int = NOON

    def now(self) -> int:
        return self.at

    def entropy(self) -> bytes:
        return bytes(16)


class Open:
    """A gate that is always open."""

    async def enter(self, connection: str, lane: Lane, run: str = "") -> None: ...


def _submit(params: Any, submit: Submit) -> Exchange[Request | SubmitOutcome]:
    yield from ()
    return Unclear("it was submitted long ago")


def _check(task: Task) -> Exchange[CheckOutcome]:
    reply: Reply = yield Request(method="GET", path="/task")
    if reply.status == 200:
        return Pending()
    return Failed(Failure("provider_error", "no such task", TASK_LOST))


DYING = Operation(
    name="draw",
    summary="",
    params=Params,
    output=Output,
    submit=_submit,
    read=lambda params, reply: Unclear(""),
    check=_check,
    waiting=Waiting.HEARTBEAT,
    lost_after_s=10.0,
)


class Connector(Keyed):
    kind = "dying"


@dataclass
class World:
    """A provider that answers polls with *status*, and what asks it; each `start` is another process."""

    clock: StillClock
    exchanger: Exchanger
    connector: Connector
    status: int = 200

    async def handle(self, request: web.BaseRequest) -> web.Response:
        return web.Response(status=self.status)

    def start(self) -> Callable[[int], Any]:
        """Return what asks for a task that was accepted so many seconds after noon."""
        asker = Asker(self.exchanger, self.clock)
        planned = Planned(self.connector, DYING, Sending(key="k", callbacks=False, public_url=None))

        def ask(submitted_s: int) -> Any:
            job = Job(f"job_{submitted_s}", "draw", None, 1, "dying", "draw", {}, NOON, task_id="t")
            job.submitted_at = NOON + submitted_s * SECOND
            return asker.ask(Work("run_1", job, planned))

        return ask

    def later(self, seconds: float) -> None:
        self.clock.at += int(seconds * SECOND)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made: World
    async with RawTestServer(lambda request: made.handle(request)) as server:
        base_url = str(server.make_url("")).rstrip("/")
        settings = ConnectionSettings(kind="dying", base_url=base_url, rate_limits=[])
        connector, folder, clock = (
            Connector(settings, SecretStr("k"), [DYING]),
            Folder(tmp_path),
            StillClock(),
        )
        async with Transport({"dying": base_url}) as transport:
            exchanger = Exchanger(
                transport,
                {"dying": connector},
                images=Images(transport, folder),
                gate=Open(),
                clock=clock,
                keyring=Keyring(["k"]),
                public_url=None,
            )
            made = World(clock, exchanger, connector)
            yield made
        await folder.close()


def excused(outcome: CheckOutcome) -> bool:
    assert isinstance(outcome, Failed), outcome
    return outcome.excused


async def test_a_task_that_died_before_the_start_is_nobody_elses_fault(world: World) -> None:
    world.later(30)
    ask, world.status = world.start(), 404

    assert excused(await ask(0))


async def test_a_task_that_was_alive_after_the_start_died_of_something_else(world: World) -> None:
    world.later(5)
    ask = world.start()
    assert isinstance(await ask(0), Pending)

    world.later(30)
    world.status = 404

    assert not excused(await ask(0))


async def test_a_task_of_this_process_died_of_something_else(world: World) -> None:
    ask, world.status = world.start(), 404
    world.later(30)

    assert not excused(await ask(0))


async def test_a_task_cannot_be_dead_before_its_time(world: World) -> None:
    ask, world.status = world.start(), 404
    world.later(9)

    assert isinstance(await ask(0), Retry)
