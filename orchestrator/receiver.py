"""
The public listener: check the token, keep the bytes, answer.

Nothing here knows what a callback means. A request on a callback URL whose token
was signed here is stored exactly as it came, and is answered with 200 only once it
is on disk; all else happens later and elsewhere. So is a request on the hook of a
workflow whose sender could prove who it is, and is answered with 202. Whatever is
turned away is remembered in a short list in memory, for the person who asks why it
never came.

It runs on aiohttp's low-level server: there are five paths, and every microsecond
here is paid by every callback, so there is no router, no middleware, and an answer
whose bytes are always the same is built once a second.
"""

import asyncio
import re
from collections import Counter, OrderedDict, deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from email.utils import formatdate
from functools import partial
from typing import Any, Protocol
from urllib.parse import unquote

import orjson
from aiohttp import StreamReader, http_exceptions, web

from orchestrator.clock import SECOND, Clock
from orchestrator.errors import StoreUnavailable
from orchestrator.ids import Ascending
from orchestrator.store.inbox import Inbox
from orchestrator.store.rows import Delivery
from orchestrator.tokens import Keyring

HEADER_BYTES = 32 * 1024
"""All header fields of a request together."""

HEADER_FIELDS = 100
TARGET_BYTES = 8190
"""Path and query of a request."""

BODY_S = 30.0
"""How long a body may take to arrive; also how long a connection may say nothing."""

RETRY_AFTER_S = 5
KEPT_REJECTS = 1000
BODIES_KEPT = 100
"""Of so many deliveries of one job; a provider that calls without end must not fill the disk."""
JOBS_COUNTED = 10_000
KEPT_BODY_BYTES = 4096

_SECRET = frozenset({b"authorization", b"cookie", b"proxy-authorization"})
_TAG = re.compile(r"(?:\.|%2[Ee])[\w%-]{16,}")
"""A token's signature, or what a proxy made of it: cut, with something behind it, or percent-encoded."""

ArtifactHandler = Callable[[web.BaseRequest, str], Awaitable[web.StreamResponse]]
"""Answers `GET /artifacts/{digest}?exp=…&sig=…`; the signature is its to check."""


class Hook(Protocol):
    """What the owner of a hook has to say about a request on it."""

    @property
    def secret_header(self) -> str | None:
        """The header, in lower case, that holds the secret itself and is not kept."""
        ...

    def refusal(self, headers: Mapping[str, str], body: bytes, now: int) -> str | None:
        """
        Return why the sender is not believed, or None when it is.

        Shape:   *headers* by name in lower case, repeated ones joined; *now* in microseconds.
        """
        ...


Hooks = Callable[[str], Hook | None]
"""Returns the hook of the workflow of that name, or None where there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reject:
    """One request that was turned away. *path* is without signature, *body* is cut."""

    at: int
    reason: str
    detail: str
    method: str
    path: str
    query: str
    remote: str
    content_type: str
    user_agent: str
    body: bytes


@dataclass(slots=True)
class Stats:
    """What was counted since the start: for the metrics."""

    received: int = 0
    unavailable: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    """By reason: not_found, signature, hook, method, too_large, slow, malformed, headers, target."""


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


class _Rejected(Exception):
    """The request is turned away: *reason* and *detail* for the list, *status* and *allow* for the client."""

    def __init__(self, reason: str, status: int, detail: str = "", *, allow: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.detail = detail
        self.status = status
        self.allow = allow


class _Counts:
    """
    How many deliveries each job got lately: beyond a hundred their bodies are not kept any more.

    In memory only, so that asking costs nothing; a restart lets a job have a hundred again.
    """

    def __init__(self) -> None:
        self._counts: OrderedDict[str, int] = OrderedDict()

    def is_within(self, job: str) -> bool:
        """Count one delivery of *job*, and return whether its body is kept."""
        count = self._counts[job] = self._counts.pop(job, 0) + 1
        if len(self._counts) > JOBS_COUNTED:
            self._counts.popitem(last=False)
        return count <= BODIES_KEPT


class Receiver:
    """Handles every request of the public listener."""

    def __init__(
        self,
        inbox: Inbox,
        keyring: Keyring,
        clock: Clock,
        *,
        body_limit: int = 1024 * 1024,
        body_s: float = BODY_S,
        stats: Stats | None = None,
        artifact_handler: ArtifactHandler | None = None,
        hooks: Hooks | None = None,
    ) -> None:
        """*body_limit* in bytes; *body_s*: how long a body may take, in seconds."""
        self._inbox = inbox
        self._keyring = keyring
        self._clock = clock
        self._body_limit = body_limit
        self._body_s = body_s
        self._artifact_handler = artifact_handler
        self._hooks = hooks
        self._ids = Ascending("dlv")
        self._counts = _Counts()
        self._ok = Answers(clock, 200, b'{"ok": true}')
        self._unavailable = Answers(
            clock, 503, _error("not stored, try again"), headers=f"Retry-After: {RETRY_AFTER_S}\r\n"
        )
        self._refusals = {
            (status, allow): Answers(clock, status, _error(text), headers=allow and f"Allow: {allow}\r\n")
            for status, text, allow in _REFUSALS
        }
        self.stats = stats or Stats()
        self.rejects: deque[Reject] = deque(maxlen=KEPT_REJECTS)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Return the answer to *request*."""
        path, _, query = _target(request).partition("?")
        try:
            if path.startswith("/callbacks/"):
                return await self._callback(request, path, query)
            if path.startswith("/hooks/") and self._hooks is not None:
                return await self._hook(self._hooks, request, path, query)
            if path == "/healthz" and request.method in ("GET", "HEAD"):
                return self._ok.to(request)
            if path.startswith("/artifacts/") and self._artifact_handler is not None:
                return await self._artifact(self._artifact_handler, request, path)
            raise _Rejected("not_found", 404)
        except _Rejected as rejected:
            return await self._turn_away(request, rejected, path, query)

    def refuse(self, reason: str, status: int) -> Answer:
        """Count a request that could not even be parsed, and return the answer to it."""
        self.stats.rejected[reason] += 1
        return self._refusals[status, ""].closing

    async def _callback(self, request: web.BaseRequest, path: str, query: str) -> Answer:
        method = request.method
        if method != "POST" and method != "GET":
            raise _Rejected("method", 405, allow="GET, POST")
        connection, _, token = (unquote(path) if "%" in path else path)[11:].partition("/")
        job = self._keyring.job_of(connection, token)
        if job is None:
            raise _Rejected("signature", 404)
        headers, content_type = _headers(request)
        body = await self._body(request)
        keeps = self._counts.is_within(job)
        now = self._clock.now()
        delivery = Delivery(
            id=self._ids.next(now, self._clock.entropy),
            job=job,
            connection=connection,
            received_at=now,
            method=method,
            query=query,
            headers=headers,
            content_type=content_type,
            body=body if keeps else None,
            size=len(body),
            remote=request.remote or "",
        )
        return (self._ok if await self._keep(delivery) else self._unavailable).to(request)

    async def _hook(self, hooks: Hooks, request: web.BaseRequest, path: str, query: str) -> Answer:
        """Keep what the sender of a request on a hook has signed: junk must not fill the disk."""
        if request.method != "POST":
            raise _Rejected("method", 405, allow="POST")
        name = unquote(path.removeprefix("/hooks/"))
        hook = hooks(name)
        if hook is None:
            raise _Rejected("not_found", 404, "no workflow of that name has a webhook trigger")
        headers, content_type = _headers(request, hook.secret_header)
        body = await self._body(request)
        now = self._clock.now()
        if (why := hook.refusal(_joined(request), body, now)) is not None:
            raise _Rejected("hook", 403, why)
        delivery = Delivery(
            id=self._ids.next(now, self._clock.entropy),
            job="",
            connection="",
            hook=name,
            received_at=now,
            method=request.method,
            query=query,
            headers=headers,
            content_type=content_type,
            body=body,
            size=len(body),
            remote=request.remote or "",
        )
        if not await self._keep(delivery):
            return self._unavailable.to(request)
        accepted = orjson.dumps({"ok": True, "delivery": delivery.id})
        return Answers(self._clock, 202, accepted).to(request)

    async def _keep(self, delivery: Delivery) -> bool:
        """Return whether the delivery is on disk now."""
        try:
            await self._inbox.put(delivery)
        except StoreUnavailable:
            self.stats.unavailable += 1
            return False
        self.stats.received += 1
        return True

    async def _body(self, request: web.BaseRequest) -> bytes:
        """Return the raw body. Errors: _Rejected when it is too large, too slow or malformed."""
        try:
            if request.content.is_eof():
                return await request.read()
            if (request.content_length or 0) > self._body_limit:
                raise _Rejected("too_large", 413)
            async with asyncio.timeout(self._body_s):
                await _continue(request)
                return await request.read()
        except web.HTTPRequestEntityTooLarge as error:
            raise _Rejected("too_large", 413) from error
        except TimeoutError as error:
            raise _Rejected("slow", 408) from error
        except (web.RequestPayloadError, http_exceptions.HttpProcessingError, ValueError) as error:
            raise _Rejected("malformed", 400) from error

    async def _artifact(
        self, handler: ArtifactHandler, request: web.BaseRequest, path: str
    ) -> web.StreamResponse:
        if request.method not in ("GET", "HEAD"):
            raise _Rejected("method", 405, allow="GET, HEAD")
        try:
            return await handler(request, path.removeprefix("/artifacts/"))
        except (web.HTTPNotFound, web.HTTPGone) as error:
            # Remembered, so that an operator sees why a provider could not fetch its input.
            raise _Rejected("link", error.status) from error

    async def _turn_away(
        self, request: web.BaseRequest, rejected: _Rejected, path: str, query: str
    ) -> Answer:
        """Keep a trace of the request in memory, and refuse it."""
        now = self._clock.now()
        self.stats.rejected[rejected.reason] += 1
        self.rejects.append(
            Reject(
                at=now,
                reason=rejected.reason,
                detail=rejected.detail,
                method=request.method,
                path=_TAG.sub(".…", path)[:512],
                query="" if path.startswith("/artifacts/") else query[:512],
                remote=request.remote or "",
                content_type=request.headers.get("Content-Type", "")[:256],
                user_agent=request.headers.get("User-Agent", "")[:256],
                body=await self._beginning(request) if rejected.status in (404, 405) else b"",
            )
        )
        answers = self._refusals[rejected.status, rejected.allow]
        return answers.to(request) if request.content.is_eof() else answers.closing

    async def _beginning(self, request: web.BaseRequest) -> bytes:
        """Return the first bytes of the body, as far as they come without much waiting."""
        content: StreamReader = request.content
        body = b""
        try:
            async with asyncio.timeout(self._body_s / 10):
                while len(body) < KEPT_BODY_BYTES and not content.at_eof():
                    body += await content.readany()
        except (TimeoutError, ConnectionError, web.RequestPayloadError, http_exceptions.HttpProcessingError):
            pass
        return body[:KEPT_BODY_BYTES]


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


def build(
    *,
    store_inbox: Inbox,
    keyring: Keyring,
    clock: Clock,
    body_limit: int = 1024 * 1024,
    body_s: float = BODY_S,
    stats: Stats | None = None,
    artifact_handler: ArtifactHandler | None = None,
    hooks: Hooks | None = None,
) -> Receiver:
    """Return the receiver; `runner` puts it behind a socket."""
    return Receiver(
        store_inbox,
        keyring,
        clock,
        body_limit=body_limit,
        body_s=body_s,
        stats=stats,
        artifact_handler=artifact_handler,
        hooks=hooks,
    )


def runner(receiver: Receiver, *, shutdown_s: float = 10.0) -> web.ServerRunner:
    """Return what serves *receiver* with all limits set; to be called on the running loop."""
    server = _Server(receiver, receiver._body_limit, receiver._body_s)
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


def _error(text: str) -> bytes:
    return orjson.dumps({"error": text})


_REFUSALS = (
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


def _unparsed(error: http_exceptions.HttpProcessingError) -> tuple[str, int]:
    """Return reason and status for a request that the parser did not take."""
    if isinstance(error, http_exceptions.LineTooLong):
        return ("target", 414) if TARGET_BYTES in error.args else ("headers", 431)
    if error.message == "Too many headers received":
        return "headers", 431
    return "malformed", 400


def _target(request: web.BaseRequest) -> str:
    """Return path and query exactly as they came, also of a proxy's `POST http://host/path`."""
    target = request.raw_path
    if target.startswith("/"):
        return target
    _, _, rest = target.partition("://")
    return "/" + rest.partition("/")[2]


def _headers(request: web.BaseRequest, secret: str | None = None) -> tuple[bytes, str]:
    """
    Return the fields but for credentials as JSON, and the content type.

    Shape:   *secret*: the name of one more that holds a credential, in lower case.
    Errors:  _Rejected.
    """
    hidden = _SECRET if secret is None else _SECRET | {secret.encode()}
    kept: list[tuple[str, str]] = []
    size, content_type = 0, ""
    for name, value in request.raw_headers:
        size += len(name) + len(value) + 4
        lower = name.lower()
        if lower not in hidden:
            # Latin-1 takes every byte and gives it back.
            kept.append((name.decode("latin-1"), value.decode("latin-1")))
            if lower == b"content-type":
                content_type = kept[-1][1]
    if size > HEADER_BYTES:
        raise _Rejected("headers", 431)
    return orjson.dumps(kept), content_type


def _joined(request: web.BaseRequest) -> dict[str, str]:
    """Return every field by its name in lower case; one that was sent repeatedly is joined."""
    fields: dict[str, str] = {}
    for raw_name, raw_value in request.raw_headers:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        fields[name] = f"{fields[name]}, {value}" if name in fields else value
    return fields


async def _continue(request: web.BaseRequest) -> None:
    """Tell a client that waits for it that its body may come."""
    if request.headers.get("Expect", "").lower() == "100-continue" and request.transport is not None:
        request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")


__all__: Sequence[str] = (
    "Answer",
    "ArtifactHandler",
    "Hook",
    "Hooks",
    "Receiver",
    "Reject",
    "Stats",
    "build",
    "runner",
    "serve",
)
