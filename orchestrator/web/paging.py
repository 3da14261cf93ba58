"""
Lists in pages: `limit`, an opaque `cursor`, and `{"items": […], "next_cursor": …}`.

A cursor holds the id of the last item that was given, so a page goes on right there
whatever has been added meanwhile. That it does is all that callers may rely on.
"""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

from aiohttp import web

from orchestrator.web.query import Query
from orchestrator.web.replies import json_reply

LIMIT = 50
LIMIT_MAX = 200

_PLACE = re.compile(r"[a-z]{2,8}_[0-9a-z]{26}|[0-9]{1,18}")


class Row(Protocol):
    """Anything with an id."""

    id: str


_Row = TypeVar("_Row", bound=Row)


def limit(query: Query, default: int = LIMIT, most: int = LIMIT_MAX) -> int:
    """Return how many items are wanted."""
    return query.number("limit", default, least=1, most=most)


def cursor(query: Query) -> str | None:
    """Return the id of the last item that the caller has."""
    return query.read("cursor", decode)


def decode(text: str) -> str:
    """Return the place that `encode` was given. Errors: ValueError."""
    try:
        place = urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode("ascii")
    except ValueError:
        place = ""
    if not _PLACE.fullmatch(place) or encode(place) != text:
        raise ValueError("this is no cursor that a list has given; leave it out to begin at the beginning")
    return place


def encode(place: str) -> str:
    """Return the cursor for what comes after *place*."""
    return urlsafe_b64encode(place.encode()).rstrip(b"=").decode()


def page(rows: Sequence[_Row], wanted: int, shape: Callable[[_Row], Any]) -> web.Response:
    """Return a page; *rows* was asked for one more than *wanted*, which tells whether there is more."""
    items = rows[:wanted]
    following = encode(items[-1].id) if len(rows) > wanted else None
    return json_reply({"items": [shape(row) for row in items], "next_cursor": following})


def whole(items: Sequence[Any]) -> web.Response:
    """Return a list that is short enough never to be cut."""
    return json_reply({"items": items, "next_cursor": None})
