"""What the handlers are given: exactly what they call, and nothing to find it with."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import web

from orchestrator.artifacts.folder import Folder
from orchestrator.clock import Clock
from orchestrator.operations.connections import Connections
from orchestrator.operations.decisions import Decisions
from orchestrator.operations.deliveries import Deliveries
from orchestrator.operations.dry_runs import DryRuns
from orchestrator.operations.jobs import Jobs
from orchestrator.operations.plans import Plans
from orchestrator.operations.pruning import Pruning
from orchestrator.operations.runs import Runs
from orchestrator.operations.values import Values
from orchestrator.operations.waiting import Board
from orchestrator.operations.workflows import Library
from orchestrator.store.inbox import Inbox
from orchestrator.store.log import Log
from orchestrator.store.schedule import Schedule
from orchestrator.store.views import Views

MIB: Final = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Deps:
    """
    What the admin listener needs.

    *ready*         says why the server is not ready, or None.
    *rejects*       the latest requests on callback URLs that were refused and not stored, oldest first,
                    as JSON objects.
    *counts*        how often what should not happen has happened since the server started.
    *run_bytes_max*, *artifact_bytes_max*: the longest bodies of `POST /runs` and `POST /artifacts`.
    *keep_alive_s*: an event stream with nothing to tell says so this often, in seconds.
    """

    runs: Runs
    dry_runs: DryRuns
    jobs: Jobs
    decisions: Decisions
    deliveries: Deliveries
    pruning: Pruning
    library: Library
    plans: Plans
    values: Values
    views: Views
    log: Log
    inbox: Inbox
    schedule: Schedule
    folder: Folder
    clock: Clock
    ready: Callable[[], Awaitable[str | None]]
    connections: Connections
    board: Board
    rejects: Callable[[], Sequence[Mapping[str, Any]]]
    counts: Callable[[], Mapping[str, int]] = dict
    run_bytes_max: int = 64 * MIB
    artifact_bytes_max: int = 512 * MIB
    keep_alive_s: float = 15.0


DEPS: Final = web.AppKey("DEPS", Deps)
