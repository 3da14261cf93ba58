"""Which concrete parts there are, and how they are joined."""

from collections.abc import Mapping
from dataclasses import dataclass

from orchestrator.app.choices import Choices, retention
from orchestrator.artifacts.folder import Folder
from orchestrator.definition.workflow import CORE
from orchestrator.operations import workflows
from orchestrator.operations.needs import Needs
from orchestrator.operations.planned import Sending
from orchestrator.operations.plans import Plans
from orchestrator.operations.runs import Runs
from orchestrator.operations.values import Values
from orchestrator.providers.base import Connector
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
from orchestrator.runtime.purses import Purses
from orchestrator.runtime.scheduler import Scheduler
from orchestrator.runtime.schedules import Schedules
from orchestrator.runtime.transport import Transport
from orchestrator.runtime.watchdog import Watchdog
from orchestrator.runtime.worker import Worker
from orchestrator.store.sqlite import SqliteStore
from orchestrator.telemetry.counters import Counters


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything that is joined before anything runs."""

    store: SqliteStore
    folder: Folder
    plans: Plans
    limits: Limits
    purses: Purses
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


def join(choices: Choices, store: SqliteStore, folder: Folder, transport: Transport) -> Parts:
    """Make each part and give it what it needs; nothing runs yet."""
    settings, clock = choices.settings, choices.clock
    sending = Sending(
        key=choices.keyring.newest, callbacks=choices.public_url is not None, public_url=choices.public_url
    )
    plans = Plans(choices.connectors, sending)
    limits = Limits(choices.connectors, clock)
    values = Values(folder)
    worker = Worker(store, plans, limits, clock, values)
    images = Images(transport, folder)
    exchanger = Exchanger(
        transport,
        choices.connectors,
        images=images,
        gate=limits,
        clock=clock,
        keyring=choices.keyring,
        public_url=choices.public_url,
        on_credits=limits.pauses.saw_credits,
    )
    collector = Collector(
        transport,
        folder,
        file_bytes_max=settings.limits.artifact_size,
        download_s=settings.limits.download_time,
    )
    numbers = Numbers(store, limits, clock, _number_starts(choices.connectors))
    purses = Purses(choices.connectors, store, limits.pauses, clock)
    performer = Performer(worker, store, exchanger, collector, limits, purses, numbers, clock)
    scheduler = Scheduler(
        store, worker, performer, limits, purses, list(choices.connectors), clock, choices.rest_s
    )
    # Each of these needs the other: who decides, who acts, and who wakes both.
    worker.performer, performer.alarm = performer, scheduler
    notifier = Notifier(worker, store, plans, transport, settings.secrets, clock)
    scheduler.notices = notifier
    limits.pauses.on_resume = scheduler.resumed
    files = Files(images, folder)
    needs = Needs(plans, store, worker, values, files.is_held)
    runs = Runs(worker, store, choices.library, files.take, clock, needs)
    performer.children = Children(runs, worker, store, values, needs)
    hooks = HookIntake(store, runs, choices.library)
    counters = Counters("watchdog.healed", "artifact.damaged")
    folder.on_damage = lambda _: counters.add("artifact.damaged")
    return Parts(
        store=store,
        folder=folder,
        plans=plans,
        limits=limits,
        purses=purses,
        ledger=Ledger(store, limits.pauses, clock),
        allowances=Allowances(store, limits.turnstile, clock),
        numbers=numbers,
        worker=worker,
        performer=performer,
        scheduler=scheduler,
        notifier=notifier,
        hooks=hooks,
        intake=Intake(store, store, worker, hooks),
        checkups=Checkups(exchanger, _providers(choices), limits.pauses),
        watchdog=Watchdog(store, worker, performer, clock, counters),
        counters=counters,
        disk=DiskWatch(
            {"database": settings.data_folder, "artifacts": settings.artifacts},
            settings.min_free_disk,
            limits,
            scheduler.nudge,
            folder.check,
        ),
        janitor=Janitor(
            store,
            folder,
            retention(settings, choices.connectors),
            clock,
            texts=lambda: workflows.texts([settings.workflows]),
        ),
        schedules=Schedules(store, runs, choices.library, clock),
        followers=Followers(store, store, store, runs, choices.library, values),
        runs=runs,
        files=files,
    )


def _providers(choices: Choices) -> dict[str, Connector]:
    """Return the connections that an operator has configured, without our own."""
    return {name: connector for name, connector in choices.connectors.items() if name != CORE}


def _number_starts(connectors: Mapping[str, Connector]) -> dict[str, int]:
    starts = {name: getattr(c.settings, "request_id_start", None) for name, c in connectors.items()}
    return {name: start for name, start in starts.items() if start is not None}
