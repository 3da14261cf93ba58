"""Calls back as a provider would: over HTTP, with the faults that callbacks have, and into the books."""

import asyncio
from collections.abc import AsyncIterator

import aiohttp
from aiohttp import web
from yarl import URL

from orchestrator.simulators.books import Books
from orchestrator.simulators.options import Options

TIMEOUT_S = 10.0
"""How long a receiver may take to answer a callback."""


class Callbacks:
    """
    Sends the callbacks of one simulator.

    Shape:   *attempts* is how often one is tried until a 2xx answer, with pauses of *backoff_s*,
             doubled each time. A provider that documents no retries has one attempt.
    """

    def __init__(self, options: Options, books: Books, *, attempts: int = 1, backoff_s: float = 0.5) -> None:
        self._options = options
        self._books = books
        self._attempts = attempts
        self._backoff_s = backoff_s
        self._session: aiohttp.ClientSession | None = None
        self._held: set[asyncio.Event] = set()

    async def context(self, app: web.Application) -> AsyncIterator[None]:
        """Keep a client session while *app* runs; for `cleanup_ctx`."""
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
        async with aiohttp.ClientSession(timeout=timeout) as self._session:
            yield
        self._session = None

    async def send(self, task: str, url: str, body: bytes) -> None:
        """
        Call *url* back about *task*, with whatever fault is due to it: POST, or GET for an empty *body*.

        Returns when the last copy was answered or given up, which may take a while: a simulator
        awaits it in the background work of the task.
        """
        if self._options.hits("loss", task):
            self._books.callback(task, url, 1, error="never sent (fault loss)")
            return
        if self._options.hits("late", task):
            await asyncio.sleep(self._options.lag_s)
        if self._options.hits("reorder", task):
            await self._hold_back()
        await self._try(task, url, body)
        if self._options.hits("duplicate", task):
            await self._try(task, url, body)
        self._release()

    async def probe(self, url: str) -> None:
        """Look at *url* with HEAD, as scanners do; whatever is answered, and whether anything is."""
        if self._session is None or self._options.deliver is not None:
            return
        try:
            async with self._session.head(URL(url, encoded=True), allow_redirects=False):
                pass
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError):
            return

    async def _hold_back(self) -> None:
        """Wait until another callback has gone out, but not for ever: it may be the last one."""
        overtaken = asyncio.Event()
        self._held.add(overtaken)
        try:
            await asyncio.wait_for(overtaken.wait(), self._options.lag_s)
        except TimeoutError:
            # It may have been released in the very moment its time was up.
            self._held.discard(overtaken)

    def _release(self) -> None:
        while self._held:
            self._held.pop().set()

    async def _try(self, task: str, url: str, body: bytes) -> None:
        for attempt in range(1, self._attempts + 1):
            status, error = await self._send(url, body)
            self._books.callback(task, url, attempt, status=status, error=error)
            if status is not None and 200 <= status < 300:
                return
            if attempt < self._attempts:
                await asyncio.sleep(self._backoff_s * 2 ** (attempt - 1))

    async def _send(self, url: str, body: bytes) -> tuple[int | None, str | None]:
        """Return the receiver's status, or why there is none."""
        try:
            return await (self._options.deliver or self._over_http)(url, body), None
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            return None, f"{type(error).__name__}: {error}"

    async def _over_http(self, url: str, body: bytes) -> int:
        assert self._session is not None, "callbacks are sent while the application runs"
        if body:
            headers = {"Content-Type": "application/json"}
            call = self._session.post(url, data=body, headers=headers, allow_redirects=False)
        else:
            # Exactly as it was written: an address made by gluing must not be quoted anew.
            call = self._session.get(URL(url, encoded=True), allow_redirects=False)
        async with call as reply:
            await reply.read()
            return reply.status
