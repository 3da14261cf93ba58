"""Joins the handlers to one application."""

import asyncio
from collections.abc import Sequence

from aiohttp import web

from orchestrator.web import (
    artifacts,
    connections,
    deliveries,
    events,
    health,
    jobs,
    pruning,
    runs,
    steps,
    stream,
    waiting,
    workflows,
)
from orchestrator.web.deps import DEPS, MIB, Deps
from orchestrator.web.guard import loopback_only
from orchestrator.web.problems import problems
from orchestrator.web.replies import json_reply, set_headers
from orchestrator.web.stream import STOPPING, close_streams

_ROUTES: Sequence[web.RouteDef] = (
    *runs.ROUTES,
    *events.ROUTES,
    *stream.ROUTES,
    *jobs.ROUTES,
    *waiting.ROUTES,
    *steps.ROUTES,
    *deliveries.ROUTES,
    *workflows.ROUTES,
    *artifacts.ROUTES,
    *connections.ROUTES,
    *pruning.ROUTES,
    *health.ROUTES,
)


def build(deps: Deps, *, loopback: bool) -> web.Application:
    """
    Return the admin listener.

    *loopback*: it is bound to loopback and needs no key, and takes only what comes from this machine.
    """
    guards = [loopback_only] if loopback else []
    app = web.Application(middlewares=[problems, *guards], client_max_size=MIB)
    app[DEPS] = deps
    app[STOPPING] = asyncio.Event()
    app.add_routes(_ROUTES)
    app.router.add_get("/", _index)
    app.on_response_prepare.append(set_headers)
    app.on_shutdown.append(close_streams)
    return app


async def _index(request: web.Request) -> web.Response:
    """List what there is."""
    paths: dict[str, list[str]] = {}
    for route in _ROUTES:
        paths.setdefault(route.path, []).append(route.method)
    return json_reply({"paths": paths})
