"""The public listener's socket: aiohttp's low-level server within our limits, and without a banner."""

import asyncio
from functools import partial
from typing import Any

from aiohttp import http_exceptions, web

from orchestrator.receiver.handling import Receiver
from orchestrator.receiver.requests import HEADER_BYTES, HEADER_FIELDS, TARGET_BYTES


class _Request(web.BaseRequest):
    """A request whose answers carry no banner."""

    async def _prepare_hook(self, response: web.StreamResponse) -> None:
        response.headers.popall("Server", None)


class _Connection(web.RequestHandler):
    """aiohttp's protocol, but for what it answers when something goes wrong."""

    __slots__ = ("_receiver",)

    def __init__(self, receiver: Receiver, *arguments: Any, **limits: Any) -> None:
        super().__init__(*arguments, **limits)
        self._receiver = receiver

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer without a word about the inside; log only what is our own fault."""
        if isinstance(exc, http_exceptions.HttpProcessingError):
            return self._receiver.refuse(*_unparsed(exc))
        if not isinstance(exc, ConnectionError):
            self.log_exception("A request on the public listener failed", exc_info=exc)
        return self._receiver.refuse("internal", 500)


class _Server(web.Server):
    """Makes a protocol for each connection, within our limits."""

    def __init__(self, receiver: Receiver, body_limit: int, silence_s: float) -> None:
        loop = asyncio.get_running_loop()
        factory = partial(_Request, loop=loop, client_max_size=body_limit)
        super().__init__(receiver.handle, request_factory=factory)
        self._new = partial(
            _Connection,
            receiver,
            self,
            loop=loop,
            access_log=None,
            # The bytes are kept as they came, before any Content-Encoding is undone.
            auto_decompress=False,
            max_line_size=TARGET_BYTES,
            max_field_size=HEADER_BYTES,
            max_headers=HEADER_FIELDS,
            # Also ends a connection that sends its headers too slowly.
            keepalive_timeout=silence_s,
            lingering_time=min(silence_s, 2.0),
        )

    def __call__(self) -> web.RequestHandler:
        return self._new()


def runner(receiver: Receiver, *, shutdown_s: float = 10.0) -> web.ServerRunner:
    """Return what serves *receiver* with all limits set; to be called on the running loop."""
    server = _Server(receiver, receiver.body_limit, receiver.body_s)
    return web.ServerRunner(server, shutdown_timeout=shutdown_s)


async def serve(receiver: Receiver, host: str, port: int) -> web.ServerRunner:
    """Listen on *host* and *port*; `cleanup()` of what is returned ends it, its `addresses` say where."""
    serving = runner(receiver)
    await serving.setup()
    try:
        await web.TCPSite(serving, host, port, backlog=1024).start()
    except BaseException:
        await serving.cleanup()
        raise
    return serving


def _unparsed(error: http_exceptions.HttpProcessingError) -> tuple[str, int]:
    """Return reason and status for a request that the parser did not take."""
    if isinstance(error, http_exceptions.LineTooLong):
        return ("target", 414) if TARGET_BYTES in error.args else ("headers", 431)
    if error.message == "Too many headers received":
        return "headers", 431
    return "malformed", 400
