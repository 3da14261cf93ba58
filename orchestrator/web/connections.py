"""Connections: how each account stands; pause, resume, check."""

from aiohttp import web
from pydantic import Field

from orchestrator.web import bodies, paging
from orchestrator.web.deps import DEPS
from orchestrator.web.query import Query
from orchestrator.web.replies import PREFIX, json_reply


class _Pause(bodies.Body):
    reason: str | None = Field(default=None, max_length=1000)
    until: str | None = None


async def index(request: web.Request) -> web.Response:
    """List every connection."""
    Query(request).check()
    return paging.whole(await request.app[DEPS].connections.all())


async def pause(request: web.Request) -> web.Response:
    """Submit nothing any more, until somebody resumes it or a time has come."""
    body = await bodies.read(request, _Pause, optional=True)
    name = request.match_info["connection"]
    return json_reply(await request.app[DEPS].connections.pause(name, body.reason, body.until))


async def resume(request: web.Request) -> web.Response:
    """Submit again."""
    Query(request).check()
    return json_reply(await request.app[DEPS].connections.resume(request.match_info["connection"]))


async def check(request: web.Request) -> web.Response:
    """Ask the provider something that costs nothing, and say what it told."""
    Query(request).check()
    return json_reply(await request.app[DEPS].connections.check(request.match_info["connection"]))


_ONE = f"{PREFIX}/connections/{{connection}}"

ROUTES = (
    web.get(f"{PREFIX}/connections", index),
    web.post(f"{_ONE}/pause", pause),
    web.post(f"{_ONE}/resume", resume),
    web.post(f"{_ONE}/check", check),
)
