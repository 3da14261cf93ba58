"""The bodies of requests: JSON objects, checked against a model of ours with every problem's place."""

from typing import Any, TypeVar

import orjson
from aiohttp import web
from pydantic import BaseModel, ConfigDict, ValidationError

from orchestrator.errors import InputProblem, InvalidInput
from orchestrator.web.query import Query
from orchestrator.wording import complaint, did_you_mean, said

DEPTH_MAX = 64
"""Levels of lists and objects. Nothing meant is deeper, and what walks them must not run out of stack."""


class Body(BaseModel):
    """Base of every body: nothing is converted, and a name that we do not know is refused."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


_Body = TypeVar("_Body", bound=Body)


async def read(
    request: web.Request, model: type[_Body], *, bytes_max: int | None = None, optional: bool = False
) -> _Body:
    """
    Return the body as *model*; *optional*: an absent one counts as `{}`.

    A query is refused: `?dry_run=true` beside a body that does not say so would be no dry run.
    Errors:  400 for what is no JSON object, 413, 415; InvalidInput for what is in it, or in the query.
    """
    Query(request).check()
    if bytes_max is not None:
        request = request.clone(client_max_size=bytes_max)
    try:
        data = await request.read()
    except web.HTTPRequestEntityTooLarge as error:
        error.text = (
            f"the body has more than {request.client_max_size} bytes; "
            "send files to POST /api/v1/artifacts, and their references here"
        )
        raise
    if optional and not data:
        return model()
    _check_type(request)
    value = _object(data)
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise InvalidInput(_problems(error, model)) from error


def _check_type(request: web.Request) -> None:
    kind = request.content_type
    if kind != "application/json" and not kind.endswith("+json"):
        raise web.HTTPUnsupportedMediaType(text=f"send application/json, not {kind}")


def _object(data: bytes) -> dict[str, Any]:
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise web.HTTPBadRequest(text=f"the body is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise web.HTTPBadRequest(text="the body is not a JSON object")
    _check_depth(value)
    return value


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(DEPTH_MAX):
        level = [
            item
            for outer in level
            for item in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(item, dict | list)
        ]
        if not level:
            return
    raise web.HTTPBadRequest(text=f"the body is nested more than {DEPTH_MAX} levels deep")


def _problems(error: ValidationError, model: type[Body]) -> list[InputProblem]:
    found = []
    for detail in error.errors(include_url=False):
        message = said(*complaint(detail["type"], detail["msg"], detail.get("ctx", {}), detail["input"]))
        if detail["type"] == "extra_forbidden":
            names = (each.alias or name for name, each in model.model_fields.items())
            message = said("there is no such field", did_you_mean(str(detail["loc"][-1]), names))
        found.append(InputProblem(_location(detail["loc"]), message))
    return found


def _location(path: tuple[int | str, ...]) -> str:
    # pydantic marks a key that is wrong by `[key]` behind it.
    parts = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in path if part != "[key]"]
    return "".join(parts).removeprefix(".")
