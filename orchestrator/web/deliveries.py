"""Deliveries: what came on callback URLs, exactly as it came, and what was refused there."""

from typing import get_args

from aiohttp import hdrs, web

from orchestrator.artifacts import sniff
from orchestrator.errors import NotFound
from orchestrator.operations import shapes
from orchestrator.store.rows import Delivery, DeliveryVerdict
from orchestrator.web import paging
from orchestrator.web.deps import DEPS
from orchestrator.web.query import Query
from orchestrator.web.replies import PREFIX, json_reply


async def index(request: web.Request) -> web.Response:
    """List deliveries, newest first; `status` is the verdict."""
    query = Query(request, "job", "hook", "status", "limit", "cursor")
    limit, before = paging.limit(query), paging.cursor(query)
    verdict = query.one_of("status", get_args(DeliveryVerdict))
    query.check()
    rows = await request.app[DEPS].inbox.find(
        job=query.text("job"), hook=query.text("hook"), verdict=verdict, before=before, limit=limit + 1
    )
    return paging.page(rows, limit, shapes.delivery)


async def refused(request: web.Request) -> web.Response:
    """List the latest requests on callback URLs that were turned away, newest first; memory holds them."""
    Query(request).check()
    return paging.whole(list(reversed(request.app[DEPS].rejects())))


async def show(request: web.Request) -> web.Response:
    """Show one delivery without its bytes."""
    return json_reply(shapes.delivery(await _delivery(request)))


async def body(request: web.Request) -> web.Response:
    """Give the exact bytes; the type is what they turn out to be, never what the sender called them."""
    delivery = await _delivery(request)
    if delivery.body is None:
        raise NotFound(f"the body of {delivery.id} was not kept: its job had too many deliveries")
    media_type = sniff.describe(delivery.body).media_type
    name = f"{delivery.id}.{sniff.EXTENSIONS.get(media_type, 'bin')}"
    headers = {hdrs.CONTENT_TYPE: media_type, hdrs.CONTENT_DISPOSITION: f'inline; filename="{name}"'}
    return web.Response(body=delivery.body, headers=headers)


async def redeliver(request: web.Request) -> web.Response:
    """Have it processed once more, as a delivery of its own."""
    Query(request).check()
    again = await request.app[DEPS].deliveries.redeliver(request.match_info["delivery"])
    headers = {"Location": f"{PREFIX}/deliveries/{again.id}"}
    return json_reply(shapes.delivery(again), status=202, headers=headers)


async def _delivery(request: web.Request) -> Delivery:
    Query(request).check()
    wanted = request.match_info["delivery"]
    found = await request.app[DEPS].inbox.get(wanted)
    if found is None:
        raise NotFound(f"no delivery '{wanted}'")
    return found


ROUTES = (
    web.get(f"{PREFIX}/deliveries", index),
    web.get(f"{PREFIX}/deliveries/refused", refused),
    web.get(f"{PREFIX}/deliveries/{{delivery}}", show),
    web.get(f"{PREFIX}/deliveries/{{delivery}}/body", body),
    web.post(f"{PREFIX}/deliveries/{{delivery}}/redeliver", redeliver),
)
