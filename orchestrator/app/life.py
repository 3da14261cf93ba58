"""
How a server starts and stops.

Start: the store, the public listener, what an earlier process left behind (uncertain submits,
results half fetched, the inbox), then the loops, then the admin listener. Stop is the other way
round: nothing new is asked for, submits in flight are waited for, everything else is left to its row.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from orchestrator import telemetry
from orchestrator.app.choices import Choices, connect, read_definitions
from orchestrator.app.listeners import listen_to_all, listen_to_people
from orchestrator.app.parts import Parts, join
from orchestrator.artifacts.folder import Folder
from orchestrator.clock import Clock, SystemClock
from orchestrator.core.connector import CoreConnector
from orchestrator.definition.workflow import CORE
from orchestrator.durations import seconds
from orchestrator.engine import triggers as t
from orchestrator.operations.plans import catalog
from orchestrator.operations.runs import Runs
from orchestrator.operations.workflows import Library, known_secrets
from orchestrator.providers.base import Connector
from orchestrator.runtime import doubts
from orchestrator.runtime.intake import Intake
from orchestrator.runtime.limits import Limits
from orchestrator.runtime.numbers import Numbers
from orchestrator.runtime.scheduler import IDLE_S
from orchestrator.runtime.transport import Transport
from orchestrator.runtime.worker import Worker
from orchestrator.settings import Settings, callback_base, ensure_secret_keys
from orchestrator.store.sqlite import SqliteStore
from orchestrator.tokens import Keyring

log = telemetry.logger()

GRACE_BEYOND_REQUEST_S = 5.0
"""An orderly stop waits for submits in flight as long as the slowest request may take, and this."""

DURATIONS_READ = 2_000
"""So many of the latest jobs say at a start how long tasks usually take."""


@dataclass(frozen=True, slots=True)
class Running:
    """A server that runs. Its parts are what tests, the demo and benchmarks reach into."""

    public_url: str
    admin_url: str
    runs: Runs
    library: Library
    store: SqliteStore
    worker: Worker
    intake: Intake
    limits: Limits
    folder: Folder
    failed: asyncio.Future[None]
    hurry: Callable[[], None]


@dataclass(frozen=True, slots=True)
class App(Choices):
    """A server that could run: everything that can be checked without starting it has been."""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Running]:
        """Run the server for as long as the block lasts."""
        async with AsyncExitStack() as stack:
            yield await _start(self, stack)


def build(
    settings: Settings,
    *,
    connectors: Mapping[str, Connector] | None = None,
    clock: Clock | None = None,
    allow_invalid: bool = False,
    rest_s: float = IDLE_S,
    outside: bool = True,
) -> App:
    """
    Join the parts.

    Shape:   *connectors* replaces those that the settings describe; *rest_s* is the longest time
             between two looks for what is due, for those for whom time passes faster. Without
             *outside* no host is asked but those of the connections.
    Errors:  SettingsError; DefinitionError with every problem of every workflow file, unless
             *allow_invalid*: then such files are left out, each with a warning.
    """
    chosen = {
        **(connect(settings) if connectors is None else connectors),
        CORE: CoreConnector(settings.secrets),
    }
    public_url = callback_base(settings)
    library = Library([settings.workflows], catalog(chosen), known_secrets(settings.secrets))
    read_definitions(library, allow_invalid=allow_invalid)
    keyring = Keyring(ensure_secret_keys(settings))
    return App(settings, chosen, library, keyring, public_url, clock or SystemClock(), rest_s, outside)


async def _start(app: App, stack: AsyncExitStack) -> Running:
    """Open, join, take up what was left, run the loops, listen; the stack undoes it in the other order."""
    store = await SqliteStore.open(app.settings.store_path, clock=app.clock)
    stack.push_async_callback(store.close)
    if store.kept is not None:
        log.info("store.migrated", kept=str(store.kept))
    folder = Folder(app.settings.artifacts)
    stack.push_async_callback(folder.close)
    base_urls = {name: c.settings.base_url for name, c in app.connectors.items()}
    transport = await stack.enter_async_context(
        Transport(base_urls, allow_private_networks=app.settings.allow_private_networks, outside=app.outside)
    )
    parts = join(app, store, folder, transport)
    # From before the first submit until after the last answer: providers fetch their inputs from here while
    # they look at a request, and one whose callback nobody takes may never call again.
    public, public_url = await listen_to_all(stack, app, parts)
    failed = await _begin(app, parts, stack)
    admin_url = await listen_to_people(stack, app, parts, public)
    log.info("server.started", public=public_url, admin=admin_url)
    return Running(
        public_url,
        admin_url,
        parts.runs,
        app.library,
        store,
        parts.worker,
        parts.intake,
        parts.limits,
        folder,
        failed,
        parts.performer.hurry,
    )


async def _begin(app: App, parts: Parts, stack: AsyncExitStack) -> asyncio.Future[None]:
    """Take up what an earlier process left, and start the loops; return what tells that one of them broke."""
    failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    store, limits = parts.store, parts.limits
    store.on_failure(lambda error: _fail(failed, error))
    store.subscribe(parts.intake.arrived)
    for connection, count in (await store.in_flight()).items():
        if connection not in app.connectors:
            log.warning("connection.missing", connection=connection, jobs=count)
        limits.slot(connection, count)
    await parts.ledger.load()
    durations = await store.durations(called_back=app.public_url is not None, limit=DURATIONS_READ)
    parts.plans.usual.learn_all(durations)
    await parts.allowances.load()
    await parts.purses.begin()
    await parts.disk.look()
    await _recover(store, parts.worker, parts.numbers, list(app.connectors))
    await parts.schedules.begin()
    await parts.followers.begin()
    loops = _loops(
        parts.scheduler,
        parts.intake,
        parts.ledger,
        parts.allowances,
        parts.checkups,
        parts.watchdog,
        parts.schedules,
        parts.followers,
        parts.janitor,
        parts.disk,
    )
    tasks: list[asyncio.Task[None]] = [asyncio.create_task(loop, name=name) for name, loop in loops.items()]
    for task in tasks:
        task.add_done_callback(lambda task: _note_end(failed, task))
    stack.push_async_callback(_stop, app, parts, tasks)
    return failed


async def _recover(store: SqliteStore, worker: Worker, numbers: Numbers, connections: list[str]) -> None:
    """Take up what an earlier process left: counters, and submits of which nobody knows the answer."""
    await numbers.load(connections)
    await doubts.settle(store, worker)
    after = ""
    while left := await store.open_jobs(["submitting", "collecting"], after=after):
        for job in left:
            if job.status == "submitting":
                worker.post(
                    job.run, t.SubmitLost, job=job.id, reason="the server ended before the answer was stored"
                )
            else:
                # Nobody is fetching it any more: due at once, not when its safety net is.
                await store.postpone(job.id, job.created_at)
        after = left[-1].id
    await worker.settled()


class _Loop(Protocol):
    async def run(self) -> None: ...


def _loops(*parts: _Loop) -> dict[str, Coroutine[Any, Any, None]]:
    return {type(part).__name__.lower(): part.run() for part in parts}


def _note_end(failed: asyncio.Future[None], task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("loop.failed", loop=task.get_name())
        _fail(failed, error)


def _fail(failed: asyncio.Future[None], error: BaseException) -> None:
    if not failed.done():
        failed.set_exception(error)
        failed.exception()  # Looked at here, in case that nobody waits for it.


async def _stop(app: App, parts: Parts, tasks: list[asyncio.Task[None]]) -> None:
    """Take nothing new, wait for the answers of submits in flight, and leave the rest to its rows."""
    parts.worker.stopping = True
    timeouts = [seconds(c.settings.request_timeout) for c in app.connectors.values()]
    await parts.performer.stop(max(timeouts, default=0.0) + GRACE_BEYOND_REQUEST_S)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await parts.hooks.stop()
    await parts.notifier.stop()
    await parts.worker.settled()
    await parts.ledger.flush()
    await parts.allowances.flush()
    log.info("server.stopped")
