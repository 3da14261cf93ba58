"""Serves the simulated providers on one port, each under `/<kind>`, with their books beside them."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final, cast

from aiohttp import web
from aiohttp.typedefs import Middleware

from orchestrator.simulators.books import Books
from orchestrator.simulators.options import Options, Simulator

__all__ = ["SIMULATORS", "Books", "Options", "Running", "Simulator", "build", "start"]

SIMULATORS: Final[Mapping[str, str]] = {
    "pizi": "orchestrator.simulators.pizi",
    "pixza": "orchestrator.simulators.pixza",
    "trypi": "orchestrator.simulators.trypi",
    "pixu": "orchestrator.simulators.pixu",
    "perfect": "orchestrator.simulators.perfect",
}
"""Kind → the module whose `Simulator` plays it; loaded only when it is asked for."""


_PATIENCE_S = 0.5
"""How long a stop waits for answers on their way."""


MAX_BODY: Final = 128 * 1024 * 1024
"""Bytes; aiohttp asks only the outermost application how large a body may be."""


@dataclass(frozen=True, slots=True)
class _Stage:
    """One simulator with its books."""

    simulator: Simulator
    books: Books


STAGES: Final = web.AppKey("STAGES", dict[str, _Stage])


@dataclass(frozen=True, slots=True)
class Running:
    """Simulators that answer at *url* until they are stopped."""

    url: str
    app: web.Application
    runner: web.AppRunner

    def books(self, kind: str) -> Books:
        """Return the books of *kind*."""
        return self.app[STAGES][kind].books

    def all_books(self) -> Mapping[str, Books]:
        """Return the books of every kind that is played."""
        return {kind: stage.books for kind, stage in self.app[STAGES].items()}

    def client_settings(self, kind: str) -> dict[str, Any]:
        """Return what `[providers.<kind>]` needs to talk to this simulator: address and credentials."""
        return self.app[STAGES][kind].simulator.settings(f"{self.url}/{kind}")

    async def idle(self) -> None:
        """Return when no task is running and no callback is on its way."""
        for stage in self.app[STAGES].values():
            await stage.simulator.idle()

    async def stop(self) -> None:
        """Stop answering; tasks still running and callbacks not yet sent are dropped."""
        await self.runner.cleanup()


def build(options: Options) -> web.Application:
    """
    Return one application with every simulator of `options.kinds`, and `GET /books`, `GET /<kind>/books`.

    Errors:  ValueError when a kind is unknown.
    """
    app = web.Application(client_max_size=MAX_BODY)
    app[STAGES] = {kind: _stage(kind, options) for kind in options.kinds}
    app.router.add_get("/books", _all_books)
    for kind, stage in app[STAGES].items():
        app.router.add_get(f"/{kind}/books", _books_of(stage.books))
        own = stage.simulator.build()
        own.middlewares.insert(0, _written_down(stage.books, prefix=f"/{kind}"))
        app.add_subapp(f"/{kind}", own)
    return app


async def start(options: Options, *, host: str = "127.0.0.1", port: int = 0) -> Running:
    """
    Serve the simulators and return once they answer.

    Shape:   port 0 takes any free one; it stands in `url`.
    Errors:  ValueError when a kind is unknown; OSError when the port is taken.
    """
    app = build(options)
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=_PATIENCE_S)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError:
        await runner.cleanup()
        raise
    bound = runner.addresses[0][1]
    return Running(f"http://{_callable(host)}:{bound}", app, runner)


def _callable(host: str) -> str:
    """Return how to write *host* in a URL; an address that means all of them is called on loopback."""
    if host in ("0.0.0.0", "::", ""):
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host


def _stage(kind: str, options: Options) -> _Stage:
    if kind not in SIMULATORS:
        raise ValueError(f"there is no simulator {kind!r}; there are: {', '.join(sorted(SIMULATORS))}")
    books = Books(kind, options.credits, options.clock)
    maker = cast(type[Simulator], import_module(SIMULATORS[kind]).Simulator)
    return _Stage(maker(options, books), books)


async def _all_books(request: web.Request) -> web.Response:
    return web.json_response({kind: stage.books.to_json() for kind, stage in request.app[STAGES].items()})


def _books_of(books: Books) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def show(request: web.Request) -> web.StreamResponse:
        return web.json_response(books.to_json())

    return show


def _written_down(books: Books, *, prefix: str) -> Middleware:
    """Return a middleware that notes every request under the provider's own path."""

    @web.middleware
    async def write_down(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        status = 500
        try:
            response = await handler(request)
            status = response.status
            return response
        except web.HTTPException as refusal:
            status = refusal.status
            raise
        finally:
            resource = request.match_info.route.resource
            route = resource.canonical if resource is not None else "unknown"
            books.request(
                request.method, request.path.removeprefix(prefix), status, route=route.removeprefix(prefix)
            )

    return write_down
