"""
Who may ask while no key is needed: programs on this machine, and pages of this very server.

A listener bound to loopback is still within reach of every web page that the operator
opens: a page can send requests to 127.0.0.1, or to a name of its own that resolves to
it. The browser tells on both, by `Host`, `Origin` and `Sec-Fetch-Site`.
"""

import re
from urllib.parse import urlsplit

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

_LOOPBACK = re.compile(r"(?:localhost|127\.0\.0\.1|\[::1\])(?::[0-9]{1,5})?", re.IGNORECASE)


@web.middleware
async def loopback_only(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer 403 to whatever did not come from this machine on purpose."""
    reason = foreign(request)
    if reason is not None:
        raise web.HTTPForbidden(text=reason)
    return await handler(request)


def foreign(request: web.Request) -> str | None:
    """Say why the request must be refused, or None."""
    hosts = request.headers.getall(hdrs.HOST, [])
    if len(hosts) != 1 or not _LOOPBACK.fullmatch(hosts[0]):
        return (
            "without API keys this listener answers only to localhost, 127.0.0.1 and [::1], "
            f"not to {', '.join(hosts) or 'a request without Host'}"
        )
    for origin in request.headers.getall(hdrs.ORIGIN, []):
        if not _is_own(origin, hosts[0]):
            return f"without API keys this listener takes nothing from pages of {origin}"
    if "cross-site" in request.headers.getall("Sec-Fetch-Site", []):
        return "without API keys this listener takes nothing from pages of other sites"
    return None


def _is_own(origin: str, host: str) -> bool:
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and parts.netloc.lower() == host.lower()
