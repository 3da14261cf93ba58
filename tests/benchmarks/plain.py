"""
The control of whole runs: the same HTTP exchanges with the same client library, and nothing kept.

What a person would write in an afternoon: a coroutine per run that submits, waits for
its callback, fetches the result, downloads the file, and forgets it all when it ends,
with the library's own ways to send and read JSON.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from time import perf_counter
from typing import Any

import aiohttp
from aiohttp import web

from tests.benchmarks import bare


class Plain:
    """Runs chains of tasks."""

    def __init__(self, session: aiohttp.ClientSession, provider_url: str) -> None:
        self._session, self._provider_url = session, provider_url
        self._own_url = ""
        self._called: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._names = count(1)

    # --- what the director asks ---

    async def runs(self, total: int, at_once: int, steps: int, fetches: bool) -> float:
        """Complete *total* runs, so many at once, and return how many were completed a second."""
        numbers = iter(range(total))

        async def play() -> None:
            for _ in numbers:
                await self._run(steps, fetches)

        started = perf_counter()
        await asyncio.gather(*(play() for _ in range(at_once)))
        return total / (perf_counter() - started)

    async def posts(self, total: int, pause_s: float) -> list[float]:
        """Send plain POSTs, one at a time, and return how long each took, in seconds."""
        body = {"id": "task", "status": "done"}
        took = []
        for _ in range(total):
            await asyncio.sleep(pause_s)
            started = perf_counter()
            await self._post("/echo", body)
            took.append(perf_counter() - started)
        return took

    # --- what it does ---

    async def _run(self, steps: int, fetches: bool) -> None:
        image = ""
        for step in range(1, steps + 1):
            job = f"job-{next(self._names)}"
            called = self._called[job] = asyncio.get_running_loop().create_future()
            task = {"job": job, "step": step, "after": image, "callbackUrl": self._callback_url(job)}
            answer = await self._post("/tasks", task)
            told = await called
            if told["id"] != answer["id"]:
                raise RuntimeError(f"{job} was called back about {told['id']}")
            image = await self._fetch(answer["id"]) if fetches else told["image"]

    async def _fetch(self, task: str) -> str:
        async with self._session.get(f"{self._provider_url}/tasks/{task}") as response:
            image: str = (await _good(response).json())["image"]
        async with self._session.get(image) as response:
            if not await _good(response).read():
                raise RuntimeError("an image without a byte in it")
        return image

    async def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        async with self._session.post(self._provider_url + path, json=body) as response:
            answer: dict[str, Any] = await _good(response).json()
            return answer

    def _callback_url(self, job: str) -> str:
        return f"{self._own_url}/callbacks/plain/{job}"

    async def _callback(self, request: web.Request) -> web.Response:
        self._called.pop(request.match_info["token"]).set_result(await request.json())
        return bare.ok()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Take callbacks for as long as the block lasts."""
        async with bare.listening(self._callback) as self._own_url:
            yield


def _good(response: aiohttp.ClientResponse) -> aiohttp.ClientResponse:
    if response.status != 200:
        raise RuntimeError(f"{response.method} {response.url.path} was answered with {response.status}")
    return response


@asynccontextmanager
async def plain(provider_url: str) -> AsyncIterator[Plain]:
    """Run the control; for `Actor`."""
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as session:
        playing = Plain(session, provider_url)
        async with playing.listening():
            yield playing
