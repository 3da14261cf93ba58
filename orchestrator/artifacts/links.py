"""Signed, expiring links to artifacts on the public listener, for providers that take only URLs."""

from collections.abc import Awaitable, Callable

from aiohttp import web

from orchestrator.artifacts.folder import CorruptArtifact, Folder
from orchestrator.artifacts.sniff import describe_file
from orchestrator.clock import SECOND, Clock
from orchestrator.errors import NotFound
from orchestrator.tokens import Keyring


def signed_links(
    folder: Folder, keyring: Keyring, clock: Clock
) -> Callable[[web.BaseRequest, str], Awaitable[web.StreamResponse]]:
    """
    Return what answers `GET /artifacts/{digest}?exp=…&sig=…`.

    A wrong signature and a missing file look alike (404); an honest link that is too old is 410; where
    the file holds other bytes than it should nobody is given them (500).
    Errors:  StoreUnavailable when the disk refuses.
    """

    async def answer(request: web.BaseRequest, digest: str) -> web.StreamResponse:
        exp, signature = request.query.get("exp", ""), request.query.get("sig", "")
        if not exp.isdecimal() or len(exp) > 12 or not keyring.link_is_valid(digest, int(exp), signature):
            raise web.HTTPNotFound
        if int(exp) < clock.now() // SECOND:
            raise web.HTTPGone
        try:
            path = await folder.sound(digest)
        except NotFound:
            raise web.HTTPNotFound from None
        except CorruptArtifact:
            # Whoever asks will be paid for what it makes of them.
            raise web.HTTPInternalServerError(text=f"the bytes of {digest} are damaged") from None
        media_type = (await folder.look(digest, describe_file)).media_type
        headers = {"Content-Type": media_type, "X-Content-Type-Options": "nosniff"}
        return web.FileResponse(path, headers=headers)

    return answer
