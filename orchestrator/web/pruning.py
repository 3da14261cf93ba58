"""Remove what need not be kept any more, while the server runs."""

from aiohttp import web

from orchestrator.web import bodies
from orchestrator.web.deps import DEPS
from orchestrator.web.replies import PREFIX, json_reply


class _Prune(bodies.Body):
    older_than: str | None = None
    dry_run: bool = False


async def prune(request: web.Request) -> web.Response:
    """Remove it, or only count it; answered when all is done, which may take minutes."""
    body = await bodies.read(request, _Prune, optional=True)
    done = await request.app[DEPS].pruning.prune(body.older_than, dry=body.dry_run)
    return json_reply(done.to_json())


ROUTES = (web.post(f"{PREFIX}/prune", prune),)
