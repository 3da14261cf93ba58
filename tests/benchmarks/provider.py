"""
The provider: a process that takes tasks, calls back after a while, and serves results.

It is the same one for figure and control. It is written on aiohttp's lowest floor,
so that it is not what the faster of the two sides waits for.
"""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from io import BytesIO
from time import monotonic_ns
from typing import Any
from urllib.parse import urlsplit

import orjson
from aiohttp import web
from PIL import Image

from tests.benchmarks import wire

IMAGE_BYTES = 20_000


class Provider:
    """Answers requests, and calls back."""

    def __init__(self) -> None:
        self.base_url = ""
        self._delay_s: float | None = None
        self._pool = wire.Pool()
        self._calls: set[asyncio.Task[None]] = set()
        self._refused = 0
        self._called_at = 0
        self._links: list[int] = []
        self._image = picture()
        self._images = 0

    # --- what the director asks ---

    async def url(self) -> str:
        """Return the base URL."""
        return self.base_url

    async def call_back_after(self, delay_s: float | None) -> None:
        """Set how long a task takes, from the answer to its submit; None: nobody is ever called."""
        self._delay_s = delay_s
        self._called_at = 0
        self._links = []

    async def links(self) -> list[float]:
        """
        Return the chain latencies since the last time, in seconds; for one run at a time.

        From the moment just before a callback's bytes are given to the kernel until the
        next step's submit has been read here. So the way of both requests over the
        loopback is in it, and this process's reading of the second one.
        """
        links, self._links = self._links, []
        return [nanoseconds / 1e9 for nanoseconds in links]

    async def settle(self) -> None:
        """Return when every callback has been answered. Errors: RuntimeError if one was refused."""
        while self._calls:
            await asyncio.wait(self._calls)
        if self._refused:
            raise RuntimeError(f"{self._refused} callbacks were not answered with 200")

    # --- what it does ---

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Return the answer to one request."""
        path = request.path
        if request.method == "POST":
            arrived_at = monotonic_ns()
            body = orjson.loads(await request.read())
            return _json({"ok": True}) if path == "/echo" else self._take(body, arrived_at)
        kind, _, name = path[1:].partition("/")
        if kind == "tasks":
            image = f"{self.base_url}/images/{name}.jpg"
            return _json({"id": name, "status": "done", "image": image})
        if kind == "images":
            self._images += 1
            return web.Response(body=unlike(self._image, self._images), content_type="image/jpeg")
        return web.Response(status=404)

    def _take(self, task: dict[str, Any], arrived_at: int) -> web.Response:
        if task["step"] != 1 and self._called_at:
            self._links.append(arrived_at - self._called_at)
        name = f"task-{task['job']}"
        if self._delay_s is not None:
            asyncio.get_running_loop().call_later(self._delay_s, self._begin_call, task["callbackUrl"], name)
        return _json({"id": name})

    def _begin_call(self, url: str, name: str) -> None:
        call = asyncio.get_running_loop().create_task(self._call(url, name))
        self._calls.add(call)
        call.add_done_callback(self._calls.discard)

    async def _call(self, url: str, name: str) -> None:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or 80
        request = wire.post(url, callback_body(name, f"{self.base_url}/images/{name}.jpg"))
        connection = await self._pool.take(host, port)
        self._called_at = monotonic_ns()
        if await connection.send(request) != 200:
            self._refused += 1
        self._pool.give(host, port, connection)


@asynccontextmanager
async def provider() -> AsyncIterator[Provider]:
    """Run the provider; for `Actor`."""
    playing = Provider()
    runner = web.ServerRunner(web.Server(playing.handle, access_log=None))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024, shutdown_timeout=0.1).start()
    host, port = runner.addresses[0][:2]
    playing.base_url = f"http://{host}:{port}"
    try:
        yield playing
    finally:
        await runner.cleanup()


def callback_body(task: str, image: str) -> bytes:
    """Return what the provider sends on a callback URL."""
    return orjson.dumps({"id": task, "status": "done", "image": image})


def _json(value: object) -> web.Response:
    return web.Response(body=orjson.dumps(value), content_type="application/json")


def picture() -> bytes:
    """Return a JPEG of about IMAGE_BYTES."""
    noise = random.Random(1).randbytes(160 * 160 * 3)
    image = Image.frombytes("RGB", (160, 160), noise)
    for quality in range(30, 96):
        file = BytesIO()
        image.save(file, "JPEG", quality=quality)
        if file.tell() >= IMAGE_BYTES:
            break
    return file.getvalue()


def unlike(image: bytes, number: int) -> bytes:
    """Return the JPEG with a comment in it, so that no two are equal: equal bytes are kept only once."""
    comment = b"%012d" % number
    return image[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + image[2:]
