"""
Errors as RFC 9457 problems, in one place: a handler raises, and this says it to the caller.

    InvalidInput      422, with `errors: [{location, message}]`
    NotFound          404
    WrongState        409
    Refused           409
    StoreUnavailable  503, with Retry-After
    anything else     500, logged once and told without details
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import orjson
from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from orchestrator import telemetry
from orchestrator.errors import (
    InvalidInput,
    NotFound,
    OrchestratorError,
    Refused,
    StoreUnavailable,
    WrongState,
)

RETRY_AFTER_S = 5
"""How long a caller is asked to wait when nothing can be written or the server is not ready."""

_log = telemetry.logger()

_STATUS: dict[type[OrchestratorError], int] = {
    InvalidInput: 422,
    NotFound: 404,
    WrongState: 409,
    Refused: 409,
    StoreUnavailable: 503,
}


def problem(
    status: int,
    detail: str | None = None,
    *,
    errors: list[dict[str, str]] | None = None,
    headers: Mapping[str, str] | None = None,
) -> web.Response:
    """Return an `application/problem+json` answer."""
    body: dict[str, Any] = {"title": HTTPStatus(status).phrase, "status": status}
    if detail is not None:
        body["detail"] = detail
    if errors is not None:
        body["errors"] = errors
    waits: dict[str, str] = {hdrs.RETRY_AFTER: str(RETRY_AFTER_S)} if status == 503 else {}
    return web.Response(
        body=orjson.dumps(body),
        status=status,
        headers=waits | dict(headers or {}),
        content_type="application/problem+json",
    )


@web.middleware
async def problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer whatever a handler raises."""
    try:
        return await handler(request)
    except web.HTTPException as refusal:
        return _of_http(request, refusal)
    except web.RequestPayloadError as error:
        # aiohttp writes a status and a line break before its reason.
        reason = " ".join(str(error).split()).removeprefix("400, message: ")
        return problem(400, f"the body is not what its headers say: {reason}")
    except ConnectionError:
        # The caller has gone; there is nobody to tell.
        raise
    except OrchestratorError as error:
        status = _STATUS.get(type(error))
        if status is None:
            return _unexpected(request)
        return problem(status, str(error), errors=_errors(error))
    except Exception:
        # A bug of ours: the caller gets an answer all the same, and the log the reason.
        return _unexpected(request)


def _errors(error: OrchestratorError) -> list[dict[str, str]] | None:
    if not isinstance(error, InvalidInput):
        return None
    return [{"location": each.location, "message": each.message} for each in error.problems]


def _of_http(request: web.Request, refusal: web.HTTPException) -> web.Response:
    said = refusal.text
    if refusal.status == 404:
        said = f"there is nothing at {request.path}; GET / lists what there is"
    elif refusal.status == 405:
        said = f"{request.path} does not take {request.method}"
    allow = refusal.headers.get(hdrs.ALLOW)
    return problem(refusal.status, said, headers={hdrs.ALLOW: allow} if allow else None)


def _unexpected(request: web.Request) -> web.Response:
    _log.exception("request.failed", method=request.method, path=request.path)
    return problem(500, "the server made a mistake; its log says which")
