"""JSON answers, and the headers that every answer carries."""

from collections.abc import Mapping
from typing import Any

import orjson
from aiohttp import hdrs, web

PREFIX = "/api/v1"
"""Where the API lives; in front of every path but those of health and the index."""


def json_reply(data: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """Return *data* as JSON."""
    return web.Response(
        body=orjson.dumps(data), status=status, headers=headers, content_type="application/json"
    )


async def set_headers(request: web.Request, response: web.StreamResponse) -> None:
    """For `on_response_prepare`: nothing is guessed, framed or kept by anybody, and no version is told."""
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    response.headers.setdefault(
        "Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; sandbox"
    )
    response.headers.setdefault("Referrer-Policy", "no-referrer")
    response.headers.setdefault(hdrs.CACHE_CONTROL, "no-store")
    response.headers.popall(hdrs.SERVER, None)
