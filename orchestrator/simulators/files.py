"""Result files: made when somebody first downloads them, and served with the faults that downloads have."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Mapping
from functools import partial

from aiohttp import web
from yarl import URL

from orchestrator.simulators.options import Occasions, Options
from orchestrator.simulators.pictures import plain

KEPT = 64
"""How many finished files are kept in memory; an older one is made again, and comes out the same."""

_PIECES = 10


def cut(request: web.Request) -> web.Response:
    """Cut the connection without an answer. The books show it as status 444."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=444)


class Files:
    """
    The result files of one simulator, each under a name such as `3f37b31f_1.png`.

    The making runs in a thread, so that a picture does not hold up other requests;
    hundreds of tasks cost nothing until somebody wants to see what they made.
    """

    def __init__(self, options: Options) -> None:
        self._options = options
        self._makers: dict[str, tuple[Callable[[], bytes], str]] = {}
        self._made: OrderedDict[str, asyncio.Task[bytes]] = OrderedDict()
        self._occasions = Occasions()

    def add(self, name: str, make: Callable[[], bytes], content_type: str) -> None:
        """Offer a file. *make* runs in a thread, perhaps several times, always to the same bytes."""
        kind, _, format = content_type.partition("/")
        if self._options.pictures == "plain" and kind == "image":
            make = partial(plain, name, format)
        self._makers[name] = (make, content_type)

    def remove(self, name: str) -> None:
        """Take a file away; its links answer 404 from now on."""
        self._makers.pop(name, None)
        self._made.pop(name, None)

    def __contains__(self, name: object) -> bool:
        return name in self._makers

    def link(self, base: str, name: str) -> str:
        """
        Return the address of a file below *base*, for example `http://127.0.0.1:8090/pizi/files`.

        Where links may expire, every look-up gives a new one, which may live while the old one is dead.
        """
        url = URL(f"{base}/{name}")
        if self._options.faults.chance("expired_link") > 0:
            url = url.with_query(issue=str(self._occasions.next("link", name)))
        return str(url)

    def make(self, name: str) -> bytes | None:
        """Return the bytes of a file, made in this thread, for another maker; None if it is gone."""
        made = self._made.get(name)
        if made is not None and _good(made):
            return made.result()
        make, _ = self._makers.get(name, (_gone, ""))
        return make()

    async def content(self, name: str) -> bytes:
        """Return the bytes of a file, made now if need be. Errors: KeyError, no such file."""
        make, _ = self._makers[name]
        making = self._made.pop(name, None)
        if making is None or (making.done() and not _good(making)):
            making = asyncio.ensure_future(asyncio.to_thread(make))
        self._made[name] = making
        while len(self._made) > KEPT:
            self._made.popitem(last=False)
        return await asyncio.shield(making)

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Answer the download of `{name}`: the file, or 404, or a fault."""
        name = request.match_info["name"]
        if name not in self._makers:
            return web.Response(status=404, text="NoSuchKey")
        if self._options.hits("expired_link", name, request.query.get("issue", "")):
            return web.Response(status=403, text="Request has expired")
        content, headers = await self.content(name), {"Content-Type": self._makers[name][1]}
        occasion = self._occasions.next("download", name)
        if self._options.hits("truncated_download", name, occasion):
            return await self._truncated(request, content, headers)
        if self._options.hits("slow_download", name, occasion):
            return await self._slow(request, content, headers)
        return web.Response(body=content, headers=headers)

    async def _truncated(
        self, request: web.Request, content: bytes, headers: Mapping[str, str]
    ) -> web.StreamResponse:
        response = await _begin(request, content, headers)
        await response.write(content[: len(content) // 2])
        if request.transport is not None:
            # Closing, unlike aborting, lets the first half arrive.
            request.transport.close()
        return response

    async def _slow(
        self, request: web.Request, content: bytes, headers: Mapping[str, str]
    ) -> web.StreamResponse:
        response = await _begin(request, content, headers)
        size = len(content) // _PIECES + 1
        for start in range(0, len(content), size):
            await asyncio.sleep(self._options.lag_s / _PIECES)
            await response.write(content[start : start + size])
        return response


def _gone() -> None:
    return None


def _good(making: "asyncio.Task[bytes]") -> bool:
    return making.done() and not making.cancelled() and making.exception() is None


async def _begin(request: web.Request, content: bytes, headers: Mapping[str, str]) -> web.StreamResponse:
    response = web.StreamResponse(headers={**headers, "Content-Length": str(len(content))})
    await response.prepare(request)
    return response
