"""The two listeners: what they are given, and where they are bound."""

import logging
import os
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

from aiohttp import http_exceptions, web

from orchestrator import receiver
from orchestrator import web as admin
from orchestrator.app.choices import Choices, retention
from orchestrator.app.parts import Parts
from orchestrator.artifacts.links import signed_links
from orchestrator.clock import rfc3339
from orchestrator.errors import SettingsError, StoreUnavailable
from orchestrator.operations import shapes
from orchestrator.operations.budgets import Budgets
from orchestrator.operations.connections import Connections
from orchestrator.operations.decisions import Decisions
from orchestrator.operations.deliveries import Deliveries
from orchestrator.operations.dry_runs import DryRuns
from orchestrator.operations.hooks import Hooks
from orchestrator.operations.jobs import Jobs
from orchestrator.operations.pruning import Pruning
from orchestrator.operations.waiting import Board, Known, Obstacle
from orchestrator.settings import Address
from orchestrator.store.rows import JobRow
from orchestrator.store.sqlite import SqliteStore


class _OursAlone(logging.Filter):
    """Lets no line through about a request that is malformed: only who sent it can help, and is told."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        return not isinstance(error, http_exceptions.HttpProcessingError | web.RequestPayloadError)


_log = logging.getLogger("aiohttp.server.admin")
_log.addFilter(_OursAlone())

LISTENERS_STOP_S = 2.0
"""How long requests that are being answered may still take when the server stops."""


async def listen_to_all(
    stack: AsyncExitStack, choices: Choices, parts: Parts
) -> tuple[receiver.Receiver, str]:
    """Open the public listener; return it and its address. Errors: SettingsError."""
    settings = choices.settings
    public = receiver.build(
        store_inbox=parts.store,
        keyring=choices.keyring,
        clock=choices.clock,
        body_limit=settings.limits.callback_body_size,
        artifact_handler=signed_links(parts.folder, choices.keyring, choices.clock),
        secrets={name: secret.get_secret_value() for name, secret in settings.secrets.items()},
        hooks=Hooks(choices.library, settings.secrets),
    )
    public_runner = receiver.runner(public, shutdown_s=LISTENERS_STOP_S)
    return public, await _bind(stack, public_runner, settings.listen.public)


async def listen_to_people(
    stack: AsyncExitStack, choices: Choices, parts: Parts, public: receiver.Receiver
) -> str:
    """Open the admin listener and return its address. Errors: SettingsError."""
    address = choices.settings.listen.admin
    inside = admin.build(_deps(choices, parts, public), loopback=address.is_loopback)
    runner = web.AppRunner(inside, access_log=None, logger=_log, shutdown_timeout=LISTENERS_STOP_S)
    return await _bind(stack, runner, address)


async def _bind(stack: AsyncExitStack, runner: web.AppRunner | web.ServerRunner, address: Address) -> str:
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


def _deps(choices: Choices, parts: Parts, public: receiver.Receiver) -> admin.Deps:
    store, clock = parts.store, choices.clock
    budgets = Budgets(choices.connectors, store, clock)
    connections = Connections(parts.limits.overview, parts.ledger, parts.checkups.check, budgets.of, clock)
    return admin.Deps(
        runs=parts.runs,
        dry_runs=DryRuns(choices.library, parts.plans, connections, parts.files.check),
        jobs=Jobs(parts.worker, store, store, parts.performer.look_for),
        decisions=Decisions(parts.worker, store, store, parts.plans, parts.worker.values),
        deliveries=Deliveries(store, clock),
        pruning=Pruning(retention(choices.settings, choices.connectors), parts.janitor.prune),
        library=choices.library,
        plans=parts.plans,
        views=store,
        log=store,
        inbox=store,
        schedule=store,
        folder=parts.folder,
        values=parts.worker.values,
        clock=clock,
        counts=parts.counters.all,
        ready=_readiness(store, parts),
        connections=connections,
        board=Board(store, _known(parts, connections, budgets), clock),
        rejects=lambda: [_refused(reject) for reject in public.rejects],
        run_bytes_max=choices.settings.limits.run_body_size,
        artifact_bytes_max=choices.settings.limits.artifact_size,
    )


def _known(parts: Parts, connections: Connections, budgets: Budgets) -> Known:
    """Return what the waiting board is told by those who know."""

    limits, values = parts.limits, parts.worker.values

    def obstacle(job: JobRow) -> Obstacle | None:
        found = limits.obstacle(job.connection)
        is_limited = found in (None, "slot") and limits.turnstile.is_limited(job.connection)
        # What is being done for a job that is not submitted yet is to wait for its turn.
        return "rate_limit" if is_limited and parts.performer.is_busy(job.id) else found

    async def question(job: JobRow) -> dict[str, Any] | None:
        state = await parts.runs.get(job.run)
        return await values.during(lambda: shapes.open_question(state, state.jobs.get(job.id)))

    return Known(
        obstacle=obstacle,
        last_check=parts.performer.last_checks.get,
        usual=parts.plans.usual.of,
        question=question,
        most=budgets.most,
        connections=connections.all,
    )


def _readiness(store: SqliteStore, parts: Parts) -> Callable[[], Awaitable[str | None]]:
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
