"""
What becomes of a request on the public listener: check who sends, keep the bytes, answer.

Every callback passes here, so what is the same for all of them is made once.
"""

import re
from collections import Counter, OrderedDict, deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import unquote

import orjson
from aiohttp import web

from orchestrator import telemetry
from orchestrator.clock import Clock
from orchestrator.errors import StoreUnavailable
from orchestrator.ids import Ascending
from orchestrator.receiver.answers import REFUSALS, RETRY_AFTER_S, Answer, Answers, error
from orchestrator.receiver.requests import (
    BODY_S,
    Reject,
    Rejected,
    beginning,
    headers_of,
    joined,
    read_body,
    target,
)
from orchestrator.store.inbox import Inbox
from orchestrator.store.rows import Delivery
from orchestrator.tokens import Keyring

log = telemetry.logger()

KEPT_REJECTS = 1000
BODIES_KEPT = 100
"""Of so many deliveries of one job; a provider that calls without end must not fill the disk."""
JOBS_COUNTED = 10_000

_TAG = re.compile(r"(?:\.|%(?:25)*2[Ee])[\w%-]{16,}")
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


@dataclass(slots=True)
class Stats:
    """What was counted since the start: for the metrics."""

    received: int = 0
    unavailable: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    """By reason: not_found, signature, hook, method, too_large, slow, malformed, headers, target."""


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
        secrets: Mapping[str, str] | None = None,
    ) -> None:
        """
        *body_limit* in bytes; *body_s*: how long a body may take, in seconds.

        *secrets*, by name, are known again in the headers of callbacks and never kept.
        """
        self._inbox = inbox
        self._keyring = keyring
        self._clock = clock
        self.body_limit = body_limit
        self.body_s = body_s
        self._artifact_handler = artifact_handler
        self._hooks = hooks
        self._secrets = secrets or {}
        self._ids = Ascending("dlv")
        self._counts = _Counts()
        self._ok = Answers(clock, 200, b'{"ok": true}')
        self._unavailable = Answers(
            clock, 503, error("not stored, try again"), headers=f"Retry-After: {RETRY_AFTER_S}\r\n"
        )
        self._refusals = {
            (status, allow): Answers(clock, status, error(text), headers=allow and f"Allow: {allow}\r\n")
            for status, text, allow in REFUSALS
        }
        self.stats = stats or Stats()
        self.rejects: deque[Reject] = deque(maxlen=KEPT_REJECTS)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Return the answer to *request*."""
        path, _, query = target(request).partition("?")
        try:
            if path.startswith("/callbacks/"):
                return await self._callback(request, path, query)
            if path.startswith("/hooks/") and self._hooks is not None:
                return await self._hook(self._hooks, request, path, query)
            if path == "/healthz" and request.method in ("GET", "HEAD"):
                return self._ok.to(request)
            if path.startswith("/artifacts/") and self._artifact_handler is not None:
                return await self._artifact(self._artifact_handler, request, path)
            raise Rejected("not_found", 404)
        except Rejected as rejected:
            return await self._turn_away(request, rejected, path, query)

    def refuse(self, reason: str, status: int) -> Answer:
        """Count a request that could not even be parsed, and return the answer to it."""
        self.stats.rejected[reason] += 1
        return self._refusals[status, ""].closing

    async def _callback(self, request: web.BaseRequest, path: str, query: str) -> Answer:
        method = request.method
        if method != "POST" and method != "GET":
            raise Rejected("method", 405, allow="GET, POST")
        connection, _, token = (unquote(path) if "%" in path else path)[11:].partition("/")
        job = self._keyring.job_of(connection, token)
        if job is None:
            raise Rejected("signature", 404)
        headers, content_type = headers_of(request, known=self._secrets)
        body = await read_body(request, self.body_limit, self.body_s)
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
            raise Rejected("method", 405, allow="POST")
        name = unquote(path.removeprefix("/hooks/"))
        hook = hooks(name)
        if hook is None:
            raise Rejected("not_found", 404, "no workflow of that name has a webhook trigger")
        headers, content_type = headers_of(request, hook.secret_header)
        body = await read_body(request, self.body_limit, self.body_s)
        now = self._clock.now()
        if (why := hook.refusal(joined(request), body, now)) is not None:
            raise Rejected("hook", 403, why)
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
        except StoreUnavailable as trouble:
            self.stats.unavailable += 1
            log.error("delivery.rejected", error=str(trouble), retry_after_s=RETRY_AFTER_S)
            return False
        self.stats.received += 1
        return True

    async def _artifact(
        self, handler: ArtifactHandler, request: web.BaseRequest, path: str
    ) -> web.StreamResponse:
        if request.method not in ("GET", "HEAD"):
            raise Rejected("method", 405, allow="GET, HEAD")
        try:
            return await handler(request, path.removeprefix("/artifacts/"))
        except (web.HTTPNotFound, web.HTTPGone) as refusal:
            # Remembered, so that an operator sees why a provider could not fetch its input.
            raise Rejected("link", refusal.status) from refusal
        except web.HTTPInternalServerError as damage:
            said = damage.text or ""
            await self._remember(request, Rejected("link", 500, said), path, "")
            return Answers(self._clock, 500, error(said)).to(request)
        except StoreUnavailable as trouble:
            self.stats.unavailable += 1
            log.warning("store.unavailable", reason=str(trouble))
            return self._unavailable.to(request)

    async def _turn_away(self, request: web.BaseRequest, rejected: Rejected, path: str, query: str) -> Answer:
        """Keep a trace of the request in memory, and refuse it."""
        await self._remember(request, rejected, path, query)
        answers = self._refusals[rejected.status, rejected.allow]
        return answers.to(request) if request.content.is_eof() else answers.closing

    async def _remember(self, request: web.BaseRequest, rejected: Rejected, path: str, query: str) -> None:
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
                body=await beginning(request, self.body_s / 10) if rejected.status in (404, 405) else b"",
            )
        )


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
    secrets: Mapping[str, str] | None = None,
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
        secrets=secrets,
    )
