"""The control of the receiver: a bare handler that reads the same JSON, answers 200, and keeps nothing."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web


class Bare:
    """A server of one route."""

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url

    async def url(self) -> str:
        """Return the base URL."""
        return self._base_url


@asynccontextmanager
async def bare() -> AsyncIterator[Bare]:
    """Run the bare server; for `Actor`."""
    async with listening(_read) as url:
        yield Bare(url)


async def _read(request: web.Request) -> web.Response:
    await request.json()
    return ok()


def ok() -> web.Response:
    """Return the answer to a callback."""
    return web.json_response({"ok": True})


@asynccontextmanager
async def listening(handle: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> AsyncIterator[str]:
    """Serve callbacks with *handle*, and give the base URL."""
    application = web.Application()
    application.router.add_post("/callbacks/{connection}/{token}", handle)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024, shutdown_timeout=0.1).start()
    host, port = runner.addresses[0][:2]
    try:
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()
