"""
The wire: the only place that opens connections to the outside, and the table of what can go wrong there.

There are three pools of connections. *own* goes to the host of the asking
connection's own base URL, which a person configured, wherever it is. *careful*
goes there too, for requests that spend and others that must not be repeated
blindly: its idle connections are dropped before any usual server drops them,
because a request written on a connection that the other side has just closed is
lost in a way that proves nothing. *guarded* is for every other address, that is for everything that comes
from data; it connects to public addresses only (see `guard`).

Which pool a request takes is decided for each request and each redirect from the
asking connection's name and the host, never from what is already connected.

The order of the table matters: the first row that fits decides whether a failed
request is `NotSent` (provably nothing of it left us) or `Lost` (it may have arrived).
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from types import TracebackType
from typing import Self

import aiohttp
from aiohttp.abc import AbstractResolver
from yarl import URL

from orchestrator.errors import OrchestratorError
from orchestrator.providers.base import Reply
from orchestrator.runtime.guard import RefusedAddress, RefusedUrl, guarded_socket, read_url
from orchestrator.runtime.waits import retry_after

MIB = 1 << 20
BODY_BYTES_MAX = 32 * MIB
REDIRECTS_MAX = 5
CONNECT_S_MAX = 10.0

_IDLE_S = 15.0
_IDLE_CAREFUL_S = 1.5
"""Below the two seconds after which the most impatient of common servers hangs up."""

_AGENT = {"User-Agent": "callback-orchestrator"}
_EXACT = frozenset({"User-Agent", "Accept", "Accept-Encoding", "Content-Type"})
_REPEATABLE = frozenset({"GET", "HEAD", "PUT", "DELETE"})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class TransportError(OrchestratorError):
    """A request brought no answer. *reason* is for people: it never holds a path, a query or a header."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class NotSent(TransportError):
    """Provably nothing of the request left us: it can be sent again without a second thought."""

    def __init__(self, reason: str, retry_after_s: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after_s = retry_after_s


class Lost(TransportError):
    """The request may have arrived, and nobody told us what became of it."""


class _Once(Exception):
    """Hides a broken connection from aiohttp, which would send some methods a second time by itself."""

    def __init__(self, error: aiohttp.ClientError) -> None:
        super().__init__(error)
        self.error = error


_TABLE: tuple[tuple[type[BaseException], type[NotSent] | type[Lost], str], ...] = (
    (aiohttp.ClientConnectorDNSError, NotSent, "the name was not resolved"),
    (aiohttp.ClientConnectorCertificateError, NotSent, "the certificate was not accepted"),
    (aiohttp.ClientConnectorSSLError, NotSent, "the TLS handshake failed"),
    (aiohttp.ClientConnectorError, NotSent, "no connection could be made"),
    (aiohttp.ConnectionTimeoutError, NotSent, "no connection was made in time"),
    # From here on the first byte may have left.
    (TimeoutError, Lost, "no complete answer came in time"),
    (aiohttp.ServerDisconnectedError, Lost, "the connection was closed before the answer"),
    (aiohttp.ClientPayloadError, Lost, "the answer was cut short"),
    (aiohttp.ClientResponseError, Lost, "the answer was not HTTP"),
    (aiohttp.ClientOSError, Lost, "the connection broke"),
    (aiohttp.ClientError, Lost, "the exchange broke"),
    (OSError, Lost, "the connection broke"),
)


def translate(error: BaseException, host: str | None = None) -> TransportError | RefusedUrl:
    """Return what a failed request means, by the table. Errors: *error* itself when no row fits."""
    place = f" (host {host})" if host else ""
    if isinstance(error, aiohttp.ClientConnectorError) and isinstance(error.os_error, RefusedAddress):
        return RefusedUrl(f"the URL leads to a private or special network{place}")
    if isinstance(error, aiohttp.InvalidURL):
        return RefusedUrl(f"not a URL that can be requested{place}")
    for kind, meaning, text in _TABLE:
        if isinstance(error, kind):
            return meaning(f"{text}{place}")
    raise error


_FAILURES = (aiohttp.ClientError, TimeoutError, OSError)


@dataclass(frozen=True, slots=True)
class _Home:
    host: str
    origin: URL


@lru_cache(maxsize=64)
def _whole(timeout_s: float) -> aiohttp.ClientTimeout:
    # Connecting has less time than the whole, so that running out of it is told apart: nothing was sent.
    return aiohttp.ClientTimeout(total=timeout_s, connect=min(CONNECT_S_MAX, timeout_s / 2))


class Transport:
    """
    Sends requests, each once. An async context manager: connections live inside it.

    Shape:   *base_urls* by connection name; a name with none has no host of its own.
             *resolver* replaces the machine's name lookup. Without *outside* no other host is asked.
    """

    def __init__(
        self,
        base_urls: Mapping[str, str],
        *,
        allow_private_networks: bool = False,
        outside: bool = True,
        body_bytes_max: int = BODY_BYTES_MAX,
        resolver: AbstractResolver | None = None,
    ) -> None:
        self._homes = {name: _home(URL(text)) for name, text in base_urls.items() if text}
        self._open = allow_private_networks
        self._outside = outside
        self._body_bytes_max = body_bytes_max
        self._resolver = resolver
        self._own: aiohttp.ClientSession
        self._careful: aiohttp.ClientSession
        self._guarded: aiohttp.ClientSession

    async def __aenter__(self) -> Self:
        # No limit on the own pools: held-open polls of hundreds of jobs must not starve a submit.
        # How much is sent at a time is decided above, by rate limits and admission.
        own = aiohttp.TCPConnector(limit=0, keepalive_timeout=_IDLE_S, resolver=self._resolver)
        careful = aiohttp.TCPConnector(limit=0, keepalive_timeout=_IDLE_CAREFUL_S, resolver=self._resolver)
        guarded = aiohttp.TCPConnector(
            limit=100,
            keepalive_timeout=_IDLE_CAREFUL_S,
            resolver=self._resolver,
            socket_factory=None if self._open else guarded_socket,
        )
        self._own, self._careful, self._guarded = map(_session, (own, careful, guarded))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for session in (self._own, self._careful, self._guarded):
            await session.close()

    def is_home(self, connection: str, url: URL) -> bool:
        """Return whether *url* has the scheme, host and port of the base URL of *connection*."""
        home = self._homes.get(connection)
        return home is not None and url.origin() == home.origin

    async def request(
        self,
        connection: str,
        method: str,
        url: URL,
        *,
        headers: Mapping[str, str],
        body: bytes | None = None,
        timeout_s: float,
        exact: bool = False,
        spends: bool = False,
        cut_at: int | None = None,
    ) -> Reply:
        """
        Send one request and return the complete answer, whatever its status.

        Redirects are answers here. With *exact* nothing is added to *headers* but the
        body's length and the host; with *spends* nothing is ever sent a second time.
        Of an answer with more than *cut_at* bytes only so many are read.
        Errors:  NotSent, Lost, RefusedUrl.
        """
        try:
            response = await self._session_for(connection, url, spends or method not in _REPEATABLE).request(
                method,
                url,
                headers=headers if exact else {**_AGENT, **headers},
                # aiohttp wants large bodies as a file, which it writes in pieces.
                data=BytesIO(body) if body is not None and len(body) > MIB // 2 else body,
                timeout=_whole(timeout_s),
                allow_redirects=False,
                skip_auto_headers=_EXACT if exact else None,
                # A POST is never sent again by aiohttp; the others would be.
                middlewares=(_send_once,) if spends and method != "POST" else None,
            )
            try:
                return await self._read(response, cut_at=cut_at)
            finally:
                response.release()
        except _Once as hidden:
            raise translate(hidden.error, url.host) from hidden.error
        except _FAILURES as error:
            raise translate(error, url.host) from error

    async def get(
        self,
        connection: str,
        url: URL,
        *,
        headers: Mapping[str, str] | None = None,
        timeout_s: float,
        body_bytes_max: int | None = None,
        cut_at: int | None = None,
    ) -> Reply:
        """
        GET *url*, following redirects, and return the complete answer.

        *headers* go along to another origin in no case; *cut_at* as for `request`.
        Errors:  NotSent, Lost, RefusedUrl.
        """
        async with self.stream(connection, url, headers=headers, timeout=_whole(timeout_s)) as response:
            return await self._read(response, body_bytes_max, cut_at)

    @asynccontextmanager
    async def stream(
        self,
        connection: str,
        url: URL,
        *,
        headers: Mapping[str, str] | None = None,
        timeout: aiohttp.ClientTimeout,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """
        GET *url*, following redirects, each hop checked anew; give the answer with its body unread.

        Errors:  NotSent, Lost, RefusedUrl, also for what breaks while the body is read.
        """
        try:
            response = await self._follow(connection, url, headers, timeout)
            try:
                yield response
            finally:
                # Closed rather than released: what is left unread may be endless.
                if response.content.at_eof():
                    response.release()
                else:
                    response.close()
        except _FAILURES as error:
            raise translate(error, url.host) from error

    async def _follow(
        self,
        connection: str,
        url: URL,
        headers: Mapping[str, str] | None,
        timeout: aiohttp.ClientTimeout,
    ) -> aiohttp.ClientResponse:
        for _ in range(REDIRECTS_MAX + 1):
            response = await self._session_for(connection, url, False).get(
                url, headers={**_AGENT, **(headers or {})}, timeout=timeout, allow_redirects=False
            )
            location = response.headers.get("Location")
            if response.status not in _REDIRECTS or not location:
                return response
            response.close()
            target = _join(url, location)
            if target.origin() != url.origin():
                headers = None
            url = target
        raise RefusedUrl(f"more than {REDIRECTS_MAX} redirects (host {url.host})")

    def _session_for(self, connection: str, url: URL, careful: bool) -> aiohttp.ClientSession:
        home = self._homes.get(connection)
        if not self._outside and url.host not in {one.host for one in self._homes.values()}:
            raise RefusedUrl(f"nobody outside is asked here (host {url.host})")
        if home is None or url.host != home.host:
            return self._guarded
        return self._careful if careful else self._own

    async def _read(
        self, response: aiohttp.ClientResponse, bytes_max: int | None = None, cut_at: int | None = None
    ) -> Reply:
        limit = self._body_bytes_max if bytes_max is None else bytes_max
        limit = limit if cut_at is None else cut_at
        content = response.content
        body = await content.readany()
        if not content.at_eof():
            pieces, size = [body], len(body)
            while not content.at_eof() and size <= limit:
                pieces.append(await content.readany())
                size += len(pieces[-1])
            body = b"".join(pieces)
        is_cut = len(body) > limit
        if is_cut:
            response.close()
        if is_cut and cut_at is None:
            raise Lost(f"the answer is larger than {limit} bytes (host {response.url.host})")
        headers = {name.lower(): value for name, value in response.headers.items()}
        if "retry-after" in headers:
            # Connectors know no clock: a date becomes seconds here.
            headers["retry-after"] = retry_after(response.headers) or ""
        return Reply(response.status, headers, body[:limit], is_cut)


def _home(base: URL) -> _Home:
    assert base.host, "a base URL is validated with the settings: it has a host"
    return _Home(base.host, base.origin())


def _join(url: URL, location: str) -> URL:
    try:
        return read_url(str(url.join(URL(location, encoded=location.isascii()))))
    except ValueError:
        raise RefusedUrl(f"a redirect to what is no URL (host {url.host})") from None


def _session(connector: aiohttp.TCPConnector) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
    )


async def _send_once(
    request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    try:
        return await send(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise _Once(error) from error
