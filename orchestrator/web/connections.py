"""Connections: how each account stands."""

from aiohttp import web

from orchestrator.web import paging
from orchestrator.web.deps import DEPS
from orchestrator.web.query import Query
from orchestrator.web.replies import PREFIX


async def index(request: web.Request) -> web.Response:
    """List every connection."""
    Query(request).check()
    return paging.whole(request.app[DEPS].connections())


ROUTES = (web.get(f"{PREFIX}/connections", index),)
