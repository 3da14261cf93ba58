"""
The requests to Perfect. Every name the provider gives a field of a body is written here, once.

The page shows the names of most nested objects only as "object": `file_sets`,
`actions` and `params` are known from public clients of the same API.
"""

import base64
from collections.abc import Mapping
from typing import Any

from orchestrator.providers.base import Credential, Params, PreparedBytes, Request, RequestNumber
from orchestrator.providers.perfect.features import FILE_SETS, Feature


def id_token_text(client_id: str, now_ms: int) -> bytes:
    """Return what is sealed into an id_token. The time is in it, so each serves one login, now."""
    return f"client_id={client_id}&timestamp={now_ms}".encode()


def log_in(path: str, sealed: bytes) -> Request:
    """Ask for an access token."""
    body = {"client_id": Credential("client_id"), "id_token": base64.b64encode(sealed).decode("ascii")}
    return Request(method="POST", path=path, json=body)


def open_slot(path: str, image: PreparedBytes) -> Request:
    """Ask where to upload *image*, and for its file id."""
    file = {"content_type": image.media_type, "file_name": image.name}
    return Request(method="POST", path=path, json={"files": [file]})


def run(path: str, feature: Feature, params: Params, file_ids: Mapping[str, str]) -> Request:
    """Start a task: the request that spends. *file_ids* by image parameter."""
    payload: dict[str, Any] = {}
    if file_ids:
        payload["file_sets"] = {FILE_SETS[name]: [file_id] for name, file_id in file_ids.items()}
    payload["actions"] = [_action(feature, params)]
    payload["output_ext"] = getattr(params, "output_ext")  # noqa: B009  (every feature's model has it)
    return Request(method="POST", path=path, json={"request_id": RequestNumber(), "payload": payload})


def _action(feature: Feature, params: Params) -> dict[str, Any]:
    given: dict[str, Any] = {name: getattr(params, name) for name in feature.action}
    if "style_id" in given:
        given["style_ids"] = [given.pop("style_id")]
    return {"id": 0, "params": given} if given else {"id": 0}


def check(path: str, task_id: str, timeout_s: float) -> Request:
    """Ask how a task stands, which also keeps it alive. The runtime encodes the + and / of its id."""
    return Request(method="GET", path=path, query={"task_id": task_id}, timeout_s=timeout_s)


def page(
    path: str, *, page_size: int, starting_token: str | None, style_group_id: int | None = None
) -> Request:
    """Ask for one page of a list. The first page is asked for without a token, not with an empty one."""
    query: dict[str, str | int] = {"page_size": page_size}
    if starting_token is not None:
        query["starting_token"] = starting_token
    if style_group_id is not None:
        query["style_group_id"] = style_group_id
    return Request(method="GET", path=path, query=query)
