"""
The only place where concrete parts are chosen and joined, and where start and stop are written.

Start: the store, what an earlier process left behind (uncertain submits, results half
fetched, the inbox), then the loops, then the listeners. Stop is the other way round:
nothing new is taken, submits in flight are waited for, everything else is left to its row.
"""

import asyncio
import gc
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from aiohttp import web

from orchestrator import receiver, telemetry
from orchestrator import web as admin
from orchestrator.artifacts.folder import Folder
from orchestrator.artifacts.links import signed_links
from orchestrator.clock import Clock, SystemClock, rfc3339
from orchestrator.core.connector import CoreConnector
from orchestrator.definition.workflow import CORE
from orchestrator.durations import seconds
from orchestrator.engine import triggers as t
from orchestrator.errors import DefinitionError, OrchestratorError, SettingsError, StoreUnavailable
from orchestrator.operations import workflows
from orchestrator.operations.budgets import Budgets
from orchestrator.operations.connections import Connections
from orchestrator.operations.decisions import Decisions
from orchestrator.operations.deliveries import Deliveries
from orchestrator.operations.dry_runs import DryRuns
from orchestrator.operations.hooks import Hooks
from orchestrator.operations.jobs import Jobs
from orchestrator.operations.planned import Sending
from orchestrator.operations.plans import Plans, catalog
from orchestrator.operations.pruning import Policy, Pruning
from orchestrator.operations.runs import Runs
from orchestrator.operations.workflows import Library, known_secrets
from orchestrator.providers.base import Connector
from orchestrator.providers.registry import KINDS
from orchestrator.runtime import doubts
from orchestrator.runtime.allowances import Allowances
from orchestrator.runtime.checkups import Checkups
from orchestrator.runtime.children import Children
from orchestrator.runtime.collect import Collector
from orchestrator.runtime.disk import DiskWatch
from orchestrator.runtime.exchange import Exchanger
from orchestrator.runtime.files import Files
from orchestrator.runtime.followers import Followers
from orchestrator.runtime.hooks import HookIntake
from orchestrator.runtime.images import Images
from orchestrator.runtime.intake import Intake
from orchestrator.runtime.janitor import Janitor
from orchestrator.runtime.ledger import Ledger
from orchestrator.runtime.limits import Limits
from orchestrator.runtime.notifier import Notifier
from orchestrator.runtime.numbers import Numbers
from orchestrator.runtime.performer import Performer
from orchestrator.runtime.scheduler import IDLE_S, Scheduler
from orchestrator.runtime.schedules import Schedules
from orchestrator.runtime.transport import Transport
from orchestrator.runtime.watchdog import Watchdog
from orchestrator.runtime.worker import Worker
from orchestrator.settings import (
    Address,
    Settings,
    callback_base,
    connection_tables,
    ensure_secret_keys,
    read_connection,
)
from orchestrator.store.sqlite import SqliteStore
from orchestrator.telemetry.counters import Counters
from orchestrator.tokens import Keyring

log = telemetry.logger()

GRACE_BEYOND_REQUEST_S = 5.0
"""An orderly stop waits for submits in flight as long as the slowest request may take, and this."""

DURATIONS_READ = 2_000
"""So many of the latest jobs say at a start how long tasks usually take."""

LISTENERS_STOP_S = 2.0
"""How long requests that are being answered may still take when the server stops."""


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
class App:
    """A server that could run: everything that can be checked without starting it has been."""

    settings: Settings
    connectors: Mapping[str, Connector]
    library: Library
    keyring: Keyring
    public_url: str | None
    clock: Clock
    rest_s: float
    outside: bool

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


def connect(settings: Settings) -> dict[str, Connector]:
    """Return a connector for each configured connection. Errors: SettingsError with every problem."""
    connectors: dict[str, Connector] = {}
    problems: list[str] = []
    for name, table in connection_tables(settings).items():
        kind = KINDS.get(str(table["kind"]))
        if kind is None:
            known = ", ".join(KINDS)
            problems.append(f"providers.{name}: there is no kind '{table['kind']}' (there are: {known})")
            continue
        try:
            connectors[name] = kind.connect(read_connection(settings, name, kind.settings))
            problems += _budget_problems(name, connectors[name])
        except SettingsError as error:
            problems.append(str(error))
    if problems:
        raise SettingsError("\n".join(problems))
    return connectors


def _budget_problems(name: str, connector: Connector) -> list[str]:
    """Return why the connection's budget, if it has one, could not be kept: for what has no price."""
    unpriced = [one.name for one in connector.operations.values() if one.priced is False]
    if connector.settings.budget is None or not unpriced:
        return []
    return [f"providers.{name}.budget: needs a price for {', '.join(unpriced)}, in providers.{name}.prices"]


def retention(settings: Settings) -> Policy:
    """Return how long the settings keep what is done."""
    kept = settings.retention
    return Policy(runs_s=kept.runs, deliveries_s=kept.deliveries, artifacts_s=kept.artifacts)


def read_definitions(library: Library, *, allow_invalid: bool) -> None:
    """Read the workflow files. Errors: DefinitionError, unless *allow_invalid*."""
    found = library.reload()
    for problem in found.problems:
        if problem.severity == "warning" or allow_invalid:
            log.warning("workflow.questioned", problem=str(problem))
    if found.errors and not allow_invalid:
        raise DefinitionError(found.errors)
    log.info("workflows.loaded", count=len(found.workflows), skipped=len({e.file for e in found.errors}))


@dataclass(frozen=True, slots=True)
class _Parts:
    """Everything that is joined before anything runs."""

    store: SqliteStore
    folder: Folder
    plans: Plans
    limits: Limits
    ledger: Ledger
    allowances: Allowances
    numbers: Numbers
    worker: Worker
    performer: Performer
    scheduler: Scheduler
    notifier: Notifier
    hooks: HookIntake
    intake: Intake
    checkups: Checkups
    watchdog: Watchdog
    counters: Counters
    janitor: Janitor
    schedules: Schedules
    followers: Followers
    disk: DiskWatch
    runs: Runs
    files: Files


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
    parts = _join(app, store, folder, transport)
    failed = await _begin(app, parts, stack)
    public = receiver.build(
        store_inbox=store,
        keyring=app.keyring,
        clock=app.clock,
        body_limit=app.settings.limits.callback_body_size,
        artifact_handler=signed_links(folder, app.keyring, app.clock),
        secrets={name: secret.get_secret_value() for name, secret in app.settings.secrets.items()},
        hooks=Hooks(app.library, app.settings.secrets),
    )
    public_runner = receiver.runner(public, shutdown_s=LISTENERS_STOP_S)
    public_url = await _listen(stack, public_runner, app.settings.listen.public)
    admin_app = admin.build(_deps(app, parts, public), loopback=app.settings.listen.admin.is_loopback)
    admin_runner = web.AppRunner(admin_app, access_log=None, shutdown_timeout=LISTENERS_STOP_S)
    admin_url = await _listen(stack, admin_runner, app.settings.listen.admin)
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


def _join(app: App, store: SqliteStore, folder: Folder, transport: Transport) -> _Parts:
    settings, clock = app.settings, app.clock
    sending = Sending(key=app.keyring.newest, callbacks=app.public_url is not None, public_url=app.public_url)
    plans = Plans(app.connectors, sending)
    limits = Limits(app.connectors, clock)
    worker = Worker(store, plans, limits, clock)
    images = Images(transport, folder)
    exchanger = Exchanger(
        transport,
        app.connectors,
        images=images,
        gate=limits,
        clock=clock,
        keyring=app.keyring,
        public_url=app.public_url,
        on_credits=limits.pauses.saw_credits,
    )
    collector = Collector(
        transport,
        folder,
        file_bytes_max=settings.limits.artifact_size,
        download_s=settings.limits.download_time,
    )
    numbers = Numbers(store, limits, clock, _number_starts(app.connectors))
    performer = Performer(worker, store, exchanger, collector, limits, numbers, clock)
    scheduler = Scheduler(store, worker, performer, limits, list(app.connectors), clock, app.rest_s)
    # Each of these needs the other: who decides, who acts, and who wakes both.
    worker.performer, performer.alarm = performer, scheduler
    notifier = Notifier(worker, store, plans, transport, settings.secrets, clock)
    scheduler.notices = notifier
    limits.pauses.on_resume = scheduler.resumed
    files = Files(images, folder)
    runs = Runs(worker, store, app.library, files.take, clock)
    performer.children = Children(runs, worker, store)
    hooks = HookIntake(store, runs, app.library)
    counters = Counters("watchdog.healed")
    return _Parts(
        store=store,
        folder=folder,
        plans=plans,
        limits=limits,
        ledger=Ledger(store, limits.pauses, clock),
        allowances=Allowances(store, limits.turnstile, clock),
        numbers=numbers,
        worker=worker,
        performer=performer,
        scheduler=scheduler,
        notifier=notifier,
        hooks=hooks,
        intake=Intake(store, store, worker, hooks),
        checkups=Checkups(exchanger, _providers(app), limits.pauses),
        watchdog=Watchdog(store, worker, performer, clock, counters),
        counters=counters,
        disk=DiskWatch(
            {"database": settings.data_folder, "artifacts": settings.artifacts},
            settings.min_free_disk,
            limits,
            scheduler.nudge,
        ),
        janitor=Janitor(
            store, folder, retention(settings), clock, texts=lambda: workflows.texts([settings.workflows])
        ),
        schedules=Schedules(store, runs, app.library, clock),
        followers=Followers(store, store, store, runs, app.library),
        runs=runs,
        files=files,
    )


async def _begin(app: App, parts: _Parts, stack: AsyncExitStack) -> asyncio.Future[None]:
    """Take up what an earlier process left, and start the loops; return what tells that one of them broke."""
    failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    store, limits = parts.store, parts.limits
    store.on_failure(lambda error: _fail(failed, error))
    store.subscribe(parts.intake.arrived)
    for connection, count in (await store.in_flight()).items():
        if connection in app.connectors:
            limits.slot(connection, count)
    await parts.ledger.load()
    durations = await store.durations(called_back=app.public_url is not None, limit=DURATIONS_READ)
    parts.plans.usual.learn_all(durations)
    await parts.allowances.load()
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


def _deps(app: App, parts: _Parts, public: receiver.Receiver) -> admin.Deps:
    store, clock = parts.store, app.clock
    connections = Connections(
        parts.limits.overview,
        parts.ledger,
        parts.checkups.check,
        Budgets(app.connectors, store, clock).of,
        clock,
    )
    return admin.Deps(
        runs=parts.runs,
        dry_runs=DryRuns(app.library, parts.plans, connections, parts.files.check),
        jobs=Jobs(parts.worker, store),
        decisions=Decisions(parts.worker, store, store, parts.plans),
        deliveries=Deliveries(store, clock),
        pruning=Pruning(retention(app.settings), parts.janitor.prune),
        library=app.library,
        plans=parts.plans,
        views=store,
        log=store,
        inbox=store,
        schedule=store,
        folder=parts.folder,
        clock=clock,
        counts=parts.counters.all,
        ready=_readiness(store, parts),
        connections=connections,
        rejects=lambda: [_refused(reject) for reject in public.rejects],
        last_check=parts.performer.last_checks.get,
        shortage=lambda: parts.disk.shortage,
        run_bytes_max=app.settings.limits.run_body_size,
        artifact_bytes_max=app.settings.limits.artifact_size,
    )


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


async def _stop(app: App, parts: _Parts, tasks: list[asyncio.Task[None]]) -> None:
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


async def _listen(stack: AsyncExitStack, runner: web.AppRunner | web.ServerRunner, address: Address) -> str:
    """Bind a listener and return its address. Errors: SettingsError when the address is taken."""
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    try:
        await web.TCPSite(runner, address.host, address.port).start()
    except OSError as error:
        # asyncio's own sentence repeats the address; a name that cannot be resolved has no number above 0.
        reason = os.strerror(error.errno) if error.errno is not None and error.errno > 0 else error.strerror
        raise SettingsError(f"cannot listen on {address}: {reason}; choose another in [listen]") from error
    bound_host, bound_port = runner.addresses[0][:2]
    return f"http://{f'[{bound_host}]' if ':' in bound_host else bound_host}:{bound_port}"


def _readiness(store: SqliteStore, parts: _Parts) -> Callable[[], Awaitable[str | None]]:
    async def ready() -> str | None:
        """Say why the server cannot do its work, or nothing."""
        if parts.worker.stopping:
            return "the server is stopping"
        if parts.worker.trouble is not None:
            return parts.worker.trouble
        try:
            await store.check()
            await parts.folder.check()
        except StoreUnavailable as trouble:
            return str(trouble)
        return parts.disk.shortage

    return ready


def _providers(app: App) -> dict[str, Connector]:
    """Return the connections that an operator has configured, without our own."""
    return {name: connector for name, connector in app.connectors.items() if name != CORE}


def _number_starts(connectors: Mapping[str, Connector]) -> dict[str, int]:
    starts = {name: getattr(c.settings, "request_id_start", None) for name, c in connectors.items()}
    return {name: start for name, start in starts.items() if start is not None}


def serve(
    settings: Settings, *, allow_invalid: bool = False, ready: Callable[[Running], None] | None = None
) -> None:
    """
    Run the server until SIGINT or SIGTERM; *ready* is called once it listens.

    Errors:  whatever kept it from starting, or ended it: OrchestratorError for what people can mend.
    """
    app = build(settings, allow_invalid=allow_invalid)
    telemetry.redact(secret.get_secret_value() for c in app.connectors.values() for secret in c.secrets())
    telemetry.redact(secret.get_secret_value() for secret in settings.secrets.values())
    asyncio.run(_serve(app, ready))


async def _serve(app: App, ready: Callable[[Running], None] | None) -> None:
    stop: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    hurried: list[Callable[[], None]] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, _end, number, stop, hurried)
    if hasattr(signal, "SIGHUP"):
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, _reload, app.library)
    async with app.running() as server:
        hurried.append(server.hurry)
        # What was made at start stays; going over it again and again was a fifth of the time.
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 20, 20)
        if ready is not None:
            ready(server)
        await asyncio.wait([stop, server.failed], return_when=asyncio.FIRST_COMPLETED)
        if server.failed.done():
            raise OrchestratorError(f"the server cannot go on: {server.failed.exception()}")


def _refused(reject: receiver.Reject) -> dict[str, Any]:
    """Return a refused request as the API shows it."""
    return {
        "received_at": rfc3339(reject.at),
        "reason": reject.reason,
        "detail": reject.detail or None,
        "method": reject.method,
        "path": reject.path,
        "query": reject.query,
        "remote": reject.remote,
        "content_type": reject.content_type,
        "user_agent": reject.user_agent,
        "body": reject.body.decode("utf-8", "replace"),
    }


def _end(number: signal.Signals, stop: asyncio.Future[None], hurried: Sequence[Callable[[], None]]) -> None:
    """Stop; whoever asks a second time does not want to wait for the answers of submits."""
    if not stop.done():
        log.info("server.stop_requested", signal=number.name)
        stop.set_result(None)
        return
    log.warning("server.hurried", signal=number.name)
    for hurry in hurried:
        hurry()


def _reload(library: Library) -> None:
    """Read the workflow files again; what is wrong is said, and what was read before stays for it."""
    found = library.reload()
    for problem in found.errors:
        log.warning("workflow.questioned", problem=str(problem))
    log.info("workflow.reloaded", count=len(found.workflows), errors=len(found.errors))
