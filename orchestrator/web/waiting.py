"""The waiting board: everything that waits, in pages, with filters, and what there is for it."""

from aiohttp import web

from orchestrator.operations.waiting import REASONS, Wanted
from orchestrator.web import paging
from orchestrator.web.deps import DEPS
from orchestrator.web.query import Query
from orchestrator.web.replies import PREFIX, json_reply


async def index(request: web.Request) -> web.Response:
    """List everything that waits, the longest waiting first."""
    query = Query(request, "connection", "workflow", "reason", "limit", "cursor")
    limit, after = paging.limit(query), paging.cursor(query)
    reason = query.one_of("reason", REASONS)
    query.check()
    board = request.app[DEPS].board
    wanted = Wanted(query.text("connection"), query.text("workflow"), reason, after)
    found = await board.find(wanted, limit + 1)
    items = [await board.show(item) for item in found[:limit]]
    following = paging.encode(found[limit - 1].id) if len(found) > limit else None
    return json_reply({"items": items, "next_cursor": following, **await board.totals()})


ROUTES = (web.get(f"{PREFIX}/waiting", index),)
