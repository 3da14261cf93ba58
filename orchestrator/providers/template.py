"""
A spending request as it is kept in the log, so that a resend is rebuilt byte for byte.

What must not be in the log, or is not known before it is sent (credentials, the
job's callback URL, the bytes of an image), is a *hole*: `null` in the body, and
an entry in `holes` that says where it is and what fills it. The holes stand
beside the body, not in it, so nothing an author writes can be taken for one.

What could change between the first sending and a resend is written down too:
the id of the key that signs, when a link expires, and the public address.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from orchestrator.providers.base import (
    CallbackUrl,
    Credential,
    Hole,
    Inline,
    Link,
    PreparedBytes,
    Request,
    RequestNumber,
    SharedSecret,
    Text,
)

Fill = Mapping[str, Any]
"""
One hole: `at` (the path to it in the body) and `fill`, which says with what:

    callback             `key` (id of the signing key), `base` (public address, where known),
                         `slot` (what ends the URL, where the provider appends its id to it)
    link                 `digest`, `exp` (seconds since the epoch), `key`, `base`
    data_uri, base64     `digest`, `media_type`
    credential           `name` (a field of the connection's settings)
    number               the request number that was taken for the job
    secret               `name` (of a shared secret), `prefix`
    text                 `parts`, each a text or what fills a hole in it
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """
    A request without what the log must not hold.

    *body* is None for none; *form* says whether it is written as JSON or is a text. *content* names
    the artifact whose bytes are the whole body instead: `digest`, `media_type`.
    *head*: holes in the URL and the headers, which are empty there; `at` is `[url]` or `[headers, name]`.
    """

    method: str
    path: str = ""
    url: str | None = None
    query: Mapping[str, str | int] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    holes: tuple[Fill, ...] = ()
    content: Mapping[str, str] | None = None
    timeout_s: float | None = None
    form: Literal["json", "text"] = "json"
    head: tuple[Fill, ...] = ()
    follows: bool = False
    bytes_max: int | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the template as the log keeps it."""
        return {
            "method": self.method,
            "path": self.path,
            "url": self.url,
            "query": dict(self.query),
            "headers": dict(self.headers),
            "body": self.body,
            "holes": [dict(hole) for hole in self.holes],
            "content": None if self.content is None else dict(self.content),
            "timeout_s": self.timeout_s,
            **self._rare(),
        }

    def _rare(self) -> dict[str, Any]:
        """Return what only few requests have; the log of all others does without."""
        rare = {
            "form": self.form,
            "head": [dict(hole) for hole in self.head],
            "follows": self.follows,
            "bytes_max": self.bytes_max,
        }
        return {name: value for name, value in rare.items() if value and value != "json"}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Template":
        """Return the template that `to_json` wrote."""
        return cls(
            method=data["method"],
            path=data["path"],
            url=data["url"],
            query=data["query"],
            headers=data["headers"],
            body=data["body"],
            holes=tuple(data["holes"]),
            content=data["content"],
            timeout_s=data["timeout_s"],
            form=data.get("form", "json"),
            head=tuple(data.get("head", ())),
            follows=data.get("follows", False),
            bytes_max=data.get("bytes_max"),
        )


def freeze(
    request: Request, *, key: str, callbacks: bool, link_exp: int, public_url: str | None = None
) -> Template:
    """
    Return *request* with its holes taken out of the body.

    Shape:   *key* is the id of the key that will sign; *link_exp* in seconds since the epoch.
             Without *callbacks* the callback URL is left out of the body, its key too.
             *public_url* is kept in the holes that need it, so that a resend is the same
             after the server's address has changed.
    """
    context = {"key": key} if public_url is None else {"key": key, "base": public_url}
    setting = _Setting(context, callbacks, link_exp)
    holes: list[Fill] = []
    body = _hollow(request.json if request.text is None else request.text, (), holes, setting)
    url, headers, head = _hollow_head(request, setting)
    content = request.content
    return Template(
        method=request.method,
        path=request.path,
        url=url,
        query=request.query,
        headers=headers,
        body=None if body is _GONE else body,
        holes=tuple(holes),
        content=None if content is None else _reference(content),
        timeout_s=request.timeout_s,
        form="json" if request.text is None else "text",
        head=tuple(head),
        follows=request.follows,
        bytes_max=request.bytes_max,
    )


def _hollow_head(request: Request, setting: "_Setting") -> tuple[str | None, Mapping[str, str], list[Fill]]:
    head: list[Fill] = []
    url, headers = request.url, dict(request.headers)
    if isinstance(url, Hole):
        head.append({"at": ["url"], **_filling(url, setting)})
    for name, value in headers.items():
        if isinstance(value, Hole):
            head.append({"at": ["headers", name], **_filling(value, setting)})
    kept = {name: "" if isinstance(value, Hole) else value for name, value in headers.items()}
    return "" if isinstance(url, Hole) else url, kept, head


def with_head(template: Template, fill: Callable[[Fill], str | int]) -> Template:
    """Return the template with every hole in its URL and headers filled by *fill*."""
    if not template.head:
        return template
    url, headers = template.url, dict(template.headers)
    for hole in template.head:
        if hole["at"][0] == "url":
            url = str(fill(hole))
        else:
            headers[hole["at"][1]] = str(fill(hole))
    return replace(template, url=url, headers=headers, head=())


def filled_text(hole: Fill, fill: Callable[[Fill], str | int]) -> str:
    """Return the text that a hole of the kind `text` stands for."""
    return "".join(part if isinstance(part, str) else str(fill(part)) for part in hole["parts"])


def render(template: Template, fill: Callable[[Fill], str | int]) -> Any:
    """
    Return the body with every hole filled by *fill*; the template is not changed.

    Shape:   what is not on the way to a hole is shared with the template, not copied.
    """
    body = template.body
    if not template.holes:
        return body
    top = [body]
    for hole in template.holes:
        # Copies the containers on the way to the hole. Those that several holes pass are
        # copied again for each, which is cheaper than remembering which ones are ours.
        here: Any = top
        step: str | int = 0
        for part in hole["at"]:
            inner = here[step]
            here[step] = inner = inner.copy()
            here, step = inner, part
        here[step] = fill(hole)
    return top[0]


@dataclass(frozen=True, slots=True)
class _Setting:
    context: Mapping[str, str]
    callbacks: bool
    link_exp: int


_GONE = object()
_Path = tuple[str | int, ...]


def _hollow(value: Any, at: _Path, holes: list[Fill], setting: _Setting) -> Any:
    if isinstance(value, str | int | float) or value is None:
        return value
    if isinstance(value, dict):
        hollowed = {k: _hollow(v, (*at, k), holes, setting) for k, v in value.items()}
        if _GONE in hollowed.values():
            return {k: v for k, v in hollowed.items() if v is not _GONE}
        return hollowed
    if isinstance(value, list | tuple):
        kept: list[Any] = []
        for item in value:
            # Numbered as they will stand once a hole that is left out is gone.
            if (inner := _hollow(item, (*at, len(kept)), holes, setting)) is not _GONE:
                kept.append(inner)
        return kept
    if isinstance(value, Hole):
        if isinstance(value, CallbackUrl) and not setting.callbacks:
            return _GONE
        holes.append({"at": list(at), **_filling(value, setting)})
        return None
    if isinstance(value, Mapping):
        return _hollow(dict(value), at, holes, setting)
    raise TypeError(f"a request body cannot hold {type(value).__name__} at {list(at)}")


def _filling(hole: Hole, setting: _Setting) -> dict[str, Any]:
    match hole:
        case CallbackUrl(slot):
            return {"fill": "callback", **({"slot": slot} if slot else {}), **setting.context}
        case Inline(image, form):
            return {"fill": form, **_reference(image)}
        case Link(image):
            return {"fill": "link", "digest": image.digest, "exp": setting.link_exp, **setting.context}
        case Credential(name):
            return {"fill": "credential", "name": name}
        case RequestNumber():
            return {"fill": "number"}
        case SharedSecret(name, prefix):
            return {"fill": "secret", "name": name, "prefix": prefix}
        case Text(parts):
            return {
                "fill": "text",
                "parts": [p if isinstance(p, str) else _filling(p, setting) for p in parts],
            }
        case _:
            raise TypeError(f"nobody knows how to fill {hole!r}")


def _reference(image: PreparedBytes) -> dict[str, str]:
    return {"digest": image.digest, "media_type": image.media_type}
