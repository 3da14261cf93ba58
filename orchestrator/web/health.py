"""Whether the process lives, and whether it can do its work."""

from aiohttp import web

from orchestrator.web.deps import DEPS
from orchestrator.web.problems import problem
from orchestrator.web.replies import json_reply


async def live(request: web.Request) -> web.Response:
    """Answer: that is the whole question."""
    return json_reply({"status": "ok"})


async def ready(request: web.Request) -> web.Response:
    """Say whether what is asked for now would be done, and if not, why."""
    deps = request.app[DEPS]
    reason = await deps.ready()
    if reason is not None:
        return problem(503, reason)
    return json_reply({"status": "ready", "counts": deps.counts()})


ROUTES = (web.get("/healthz", live), web.get("/readyz", ready))
