"""The server as a process of its own: signals, and what ends it."""

import asyncio
import gc
import signal
from collections.abc import Callable, Sequence

from orchestrator import telemetry
from orchestrator.app.life import App, Running, build
from orchestrator.errors import OrchestratorError
from orchestrator.operations.workflows import Library
from orchestrator.settings import Settings

log = telemetry.logger()


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
