"""Events: the log in pages, as CloudEvents."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from aiohttp import web

from orchestrator.clock import SECOND, Clock, from_rfc3339
from orchestrator.durations import seconds
from orchestrator.errors import NotFound
from orchestrator.operations import shapes
from orchestrator.store.log import TYPES
from orchestrator.store.views import Views
from orchestrator.web import paging
from orchestrator.web.deps import DEPS
from orchestrator.web.query import Query
from orchestrator.web.replies import PREFIX, json_reply

LIMIT_MAX = 1000
SEQUENCE_MAX = 10**18 - 1

_PATTERN = re.compile(r"[a-z_.*]{1,100}")


@dataclass(frozen=True, slots=True)
class Selection:
    """Which events are wanted: of *types* (all when empty), and of the run *stream*."""

    types: Sequence[str]
    stream: str | None


async def index(request: web.Request) -> web.Response:
    """List events of all runs, oldest first."""
    query = Query(request, "after", "type", "run", "limit", "since", "cursor")
    return await _page(request, query, select(query, run=query.text("run")))


async def of_run(request: web.Request) -> web.Response:
    """List one run's events, oldest first."""
    query = Query(request, "after", "type", "limit", "since", "cursor")
    return await _page(request, query, select(query, run=request.match_info["run"]))


async def _page(request: web.Request, query: Query, selection: Selection) -> web.Response:
    deps = request.app[DEPS]
    limit = paging.limit(query, LIMIT_MAX, LIMIT_MAX)
    after, place = sequence(query), query.read("cursor", _place)
    since = query.read("since", lambda text: _moment(text, deps.clock))
    if after is not None and place is not None:
        query.complain("cursor", "give either after or cursor")
    query.check()
    await check_run(deps.views, selection.stream)
    records = await deps.log.tail(
        after=place if place is not None else after or 0,
        types=selection.types,
        stream=selection.stream,
        since=since,
        limit=limit + 1,
    )
    items = records[:limit]
    following = paging.encode(str(items[-1].seq)) if len(records) > limit else None
    return json_reply({"items": [shapes.event(record) for record in items], "next_cursor": following})


def select(query: Query, *, run: str | None) -> Selection:
    """Read `type`."""
    return Selection(query.read("type", _types) or (), run)


def sequence(query: Query) -> int | None:
    """Read `after`, the sequence of the last event that the caller has."""
    if query.text("after") is None:
        return None
    return query.number("after", 0, least=0, most=SEQUENCE_MAX)


async def check_run(views: Views, run: str | None) -> None:
    """Errors: NotFound for a run that is not there, of which a filter would find nothing for ever."""
    if run is not None and await views.run(run) is None:
        raise NotFound(f"no run '{run}'")


def _types(text: str) -> Sequence[str]:
    """Return the names that a comma list of patterns means. Errors: ValueError for one that means nothing."""
    wanted: dict[str, None] = {}
    for pattern in text.split(","):
        found = [name for name in sorted(TYPES) if _PATTERN.fullmatch(pattern) and fnmatchcase(name, pattern)]
        if not found:
            raise ValueError(f"no event is called '{pattern}' (for example job.succeeded, or job.*)")
        wanted.update(dict.fromkeys(found))
    # Asking for every name by name would be more work than not asking.
    return () if len(wanted) == len(TYPES) else tuple(wanted)


def _moment(text: str, clock: Clock) -> int:
    """Return microseconds since the epoch from a time, or from how long ago."""
    if re.match(r"[0-9]{4}-", text):
        return from_rfc3339(text)
    return max(clock.now() - int(seconds(text) * SECOND), 0)


def _place(text: str) -> int:
    place = paging.decode(text)
    if not place.isdecimal():
        raise ValueError("this is the cursor of another list")
    return int(place)


ROUTES = (
    web.get(f"{PREFIX}/events", index),
    web.get(f"{PREFIX}/runs/{{run}}/events", of_run),
)
