"""Answers of the public listener, made to be sent very often: those whose bytes are always the same."""

from email.utils import formatdate

import orjson
from aiohttp import web

from orchestrator.clock import SECOND, Clock

RETRY_AFTER_S = 5


class Answer(web.StreamResponse):
    """
    An answer whose bytes are always the same: made once, used for every request.

    It writes head and body in one piece, and no banner.
    """

    def __init__(
        self, clock: Clock, status: int, body: bytes, *, headers: str = "", close: bool = False
    ) -> None:
        super().__init__(status=status)
        self._clock = clock
        self._close = close
        connection = "Connection: close\r\n" if close else ""
        self._head = f"HTTP/1.1 {status} {self.reason}\r\n{headers}{connection}".encode()
        self._rest = b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
        self._payload_bytes = body
        self._second = 0
        self._bytes = b""

    @property
    def keep_alive(self) -> bool:
        """Whether the connection stays open."""
        return not self._close

    async def prepare(self, request: web.BaseRequest) -> None:
        """Send the whole answer. Errors: ConnectionError when nobody is there any more."""
        transport = request.transport
        if transport is None:
            raise ConnectionResetError("the client has gone")
        now = self._clock.now() // SECOND
        if now != self._second:
            date = f"Date: {formatdate(now, usegmt=True)}\r\n".encode()
            self._bytes = self._head + date + self._rest + self._payload_bytes
            self._second = now
        sent = self._bytes
        if request.method == "HEAD":
            sent = sent[: len(sent) - len(self._payload_bytes)]
        transport.write(sent)
        if transport.get_write_buffer_size():
            # Whoever sends requests and reads no answers waits until he does.
            await request.writer.drain()

    async def write_eof(self, data: bytes = b"") -> None:
        """Do nothing: `prepare` has sent everything."""


class Answers:
    """Both forms of an answer: for a connection that stays open, and for one that is closed."""

    def __init__(self, clock: Clock, status: int, body: bytes, *, headers: str = "") -> None:
        self._open = Answer(clock, status, body, headers=headers)
        self.closing = Answer(clock, status, body, headers=headers, close=True)

    def to(self, request: web.BaseRequest) -> Answer:
        """Return the form that *request* asks for. HTTP/1.0 is always closed."""
        return self._open if request.keep_alive and request.version >= (1, 1) else self.closing


def error(text: str) -> bytes:
    """Return the body of an answer that tells of an error."""
    return orjson.dumps({"error": text})


REFUSALS = (
    (400, "not a valid HTTP request", ""),
    (403, "the sender could not be verified", ""),
    (404, "not found", ""),
    (405, "method not allowed", "GET, POST"),
    (405, "method not allowed", "GET, HEAD"),
    (405, "method not allowed", "POST"),
    (408, "the body took too long", ""),
    (410, "the link has expired", ""),
    (413, "the body is too large", ""),
    (414, "the path and query are too long", ""),
    (431, "the headers are too large or too many", ""),
    (500, "internal error", ""),
)
"""Status, text, and the methods that are allowed where others came."""
