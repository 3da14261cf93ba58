"""
The log as it grows, as Server-Sent Events.

Each message's `id:` is the event's sequence. A reader that lost its connection says by
`Last-Event-ID` what it has, and gets what comes after, each event once: what is sent
is read from the log by sequence, and news of the log is only a hint to look again.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable
from typing import Final

import orjson
from aiohttp import hdrs, web

from orchestrator.errors import InputProblem, InvalidInput, StoreUnavailable
from orchestrator.operations import shapes
from orchestrator.store.log import Log
from orchestrator.store.rows import Recorded
from orchestrator.web.deps import DEPS
from orchestrator.web.events import Selection, check_run, select, sequence
from orchestrator.web.query import Query
from orchestrator.web.replies import PREFIX

STOPPING: Final = web.AppKey("STOPPING", asyncio.Event)

_AT_A_TIME = 200
_LOOK_S = 5.0
"""Should a hint get lost, an event is late by no more than this."""
_RECONNECT_MS = 2000

_HEADERS = {
    hdrs.CONTENT_TYPE: "text/event-stream; charset=utf-8",
    # Proxies that collect answers before passing them on would hold ours for ever.
    "X-Accel-Buffering": "no",
}


async def follow(request: web.Request) -> web.StreamResponse:
    """Send events until the caller goes or the server stops; the caller's own library comes back."""
    deps, stopping = request.app[DEPS], request.app[STOPPING]
    query = Query(request, "run", "type", "after")
    selection, after = select(query, run=query.text("run")), sequence(query)
    query.check()
    last = _last_event_id(request)
    if last is not None:
        after = last
    await check_run(deps.views, selection.stream)
    # Who has more than there is has read a log that a backup has replaced: for them everything is new.
    end = await deps.log.last_sequence()
    after = end if after is None else min(after, end)
    response = web.StreamResponse(headers=_HEADERS)
    await response.prepare(request)
    try:
        # An id without data is no message, but it is what a reader that loses us now will come back with.
        await response.write(f"retry: {_RECONNECT_MS}\nid: {after}\n\n".encode())
        async for records in _news(deps.log, selection, after, deps.keep_alive_s, stopping):
            await response.write(b"".join(map(_message, records)) or b": still here\n\n")
    except (StoreUnavailable, ConnectionError):
        # The answer has begun, so trouble cannot be told; the reader comes back for the rest, or has gone.
        pass
    return response


def _last_event_id(request: web.Request) -> int | None:
    """Return what the reader has: from the header it wins over `after`, which a reconnect repeats."""
    text = request.headers.get("Last-Event-ID")
    if text is None:
        return None
    if not re.fullmatch(r"[0-9]{1,18}", text):
        raise InvalidInput([InputProblem("headers.Last-Event-ID", f"'{text}' is not a sequence")])
    return int(text)


def _message(record: Recorded) -> bytes:
    # JSON has no line breaks of its own, so one data line holds it.
    return b"id: %d\ndata: %b\n\n" % (record.seq, orjson.dumps(shapes.event(record)))


async def _news(
    log: Log, selection: Selection, after: int, keep_alive_s: float, stopping: asyncio.Event
) -> AsyncIterator[list[Recorded]]:
    """Yield what was added, and nothing after *keep_alive_s* without any; end when *stopping* is set."""
    clock = asyncio.get_running_loop().time
    silent_until = clock() + keep_alive_s
    while not stopping.is_set():
        # Asked before looking: what is added from here on makes the wait below end at once.
        head = await log.last_sequence()
        records = await log.tail(
            after=after, types=selection.types, stream=selection.stream, limit=_AT_A_TIME
        )
        if records:
            after = records[-1].seq
        elif clock() < silent_until:
            await _first(log.wait(head, min(_LOOK_S, silent_until - clock())), stopping)
            continue
        yield list(records)
        silent_until = clock() + keep_alive_s


async def _first(wait: Awaitable[None], stopping: asyncio.Event) -> None:
    """Return when either has come about."""
    tasks = [asyncio.ensure_future(wait), asyncio.ensure_future(stopping.wait())]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    if not tasks[0].cancelled():
        tasks[0].result()


async def close_streams(app: web.Application) -> None:
    """For `on_shutdown`: let every stream end, so that the stop need not wait for its readers."""
    app[STOPPING].set()


# Asked by HEAD it would send nothing for ever.
ROUTES = (web.get(f"{PREFIX}/events/stream", follow, allow_head=False),)
