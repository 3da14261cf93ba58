"""What is read of a request on the public listener, and within which limits."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import orjson
from aiohttp import StreamReader, http_exceptions, web

from orchestrator import signatures
from orchestrator.tokens import unsigned

HEADER_BYTES = 32 * 1024
"""All header fields of a request together."""

HEADER_FIELDS = 100
TARGET_BYTES = 8190
"""Path and query of a request."""

BODY_S = 30.0
"""How long a body may take to arrive; also how long a connection may say nothing."""

KEPT_BODY_BYTES = 4096
"""Of the body of a request that was turned away."""

_NONE: Mapping[str, str] = MappingProxyType({})
_SECRET = frozenset({b"authorization", b"cookie", b"proxy-authorization"})


class Rejected(Exception):
    """The request is turned away: *reason* and *detail* for the list, *status* and *allow* for the client."""

    def __init__(self, reason: str, status: int, detail: str = "", *, allow: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.detail = detail
        self.status = status
        self.allow = allow


@dataclass(frozen=True, slots=True, kw_only=True)
class Reject:
    """One request that was turned away. *path* is without signature, *body* is cut."""

    at: int
    reason: str
    detail: str
    method: str
    path: str
    query: str
    remote: str
    content_type: str
    user_agent: str
    body: bytes


def target(request: web.BaseRequest) -> str:
    """Return path and query exactly as they came, also of a proxy's `POST http://host/path`."""
    raw = request.raw_path
    if raw.startswith("/"):
        return raw
    _, _, rest = raw.partition("://")
    return "/" + rest.partition("/")[2]


def headers_of(
    request: web.BaseRequest, secret: str | None = None, known: Mapping[str, str] = _NONE
) -> tuple[bytes, str]:
    """
    Return the fields but for credentials as JSON, and the content type.

    Shape:   *secret*: the name of one more that holds a credential, in lower case. Of a field that is
             one of the *known* secrets only that is kept, as `signatures.PROOF` says.
    Errors:  Rejected.
    """
    hidden = _SECRET if secret is None else _SECRET | {secret.encode()}
    kept: list[tuple[str, str]] = []
    size, content_type = 0, ""
    for name, value in request.raw_headers:
        size += len(name) + len(value) + 4
        lower = name.lower()
        if known and (proven := signatures.sent_secret(value.decode("utf-8", "replace"), known)) is not None:
            kept.append((signatures.PROOF, f"{lower.decode('latin-1')} {proven}"))
        elif lower not in hidden:
            # Latin-1 takes every byte and gives it back.
            # A proxy may repeat the path in a field of its own.
            kept.append((name.decode("latin-1"), unsigned(value).decode("latin-1")))
            if lower == b"content-type":
                content_type = kept[-1][1]
    if size > HEADER_BYTES:
        raise Rejected("headers", 431)
    return orjson.dumps(kept), content_type


def joined(request: web.BaseRequest) -> dict[str, str]:
    """Return every field by its name in lower case; one that was sent repeatedly is joined."""
    fields: dict[str, str] = {}
    for raw_name, raw_value in request.raw_headers:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        fields[name] = f"{fields[name]}, {value}" if name in fields else value
    return fields


async def go_on(request: web.BaseRequest) -> None:
    """Tell a client that waits for it that its body may come."""
    if request.headers.get("Expect", "").lower() == "100-continue" and request.transport is not None:
        request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")


async def read_body(request: web.BaseRequest, limit: int, body_s: float) -> bytes:
    """
    Return the raw body.

    Shape:   *limit* in bytes; *body_s*: how long it may take, in seconds.
    Errors:  Rejected when it is too large, too slow or malformed.
    """
    try:
        if request.content.is_eof():
            return await request.read()
        if (request.content_length or 0) > limit:
            raise Rejected("too_large", 413)
        async with asyncio.timeout(body_s):
            await go_on(request)
            return await request.read()
    except web.HTTPRequestEntityTooLarge as error:
        raise Rejected("too_large", 413) from error
    except TimeoutError as error:
        raise Rejected("slow", 408) from error
    except (web.RequestPayloadError, http_exceptions.HttpProcessingError, ValueError) as error:
        raise Rejected("malformed", 400) from error


async def beginning(request: web.BaseRequest, wait_s: float) -> bytes:
    """Return the first bytes of the body, as far as they come within *wait_s*."""
    content: StreamReader = request.content
    body = b""
    try:
        async with asyncio.timeout(wait_s):
            while len(body) < KEPT_BODY_BYTES and not content.at_eof():
                body += await content.readany()
    except (TimeoutError, ConnectionError, web.RequestPayloadError, http_exceptions.HttpProcessingError):
        pass
    return body[:KEPT_BODY_BYTES]
