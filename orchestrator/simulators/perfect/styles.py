"""The predefined styles of the six features that have some, and the paged lists of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from typing import Any, Final, TypeVar

from orchestrator.simulators.perfect.refusal import invalid

PAGE_MAX: Final = 20
STYLES_A_GROUP: Final = 24
"""More than fit on one page."""

_TITLES: Final[Mapping[str, tuple[str, ...]]] = {
    "hair_style": ("Women's", "Men's", "Short", "Long", "Curly", "Braids"),
    "wig": ("Long", "Middle length", "Short", "Coily"),
    "hair_ext": ("Straight", "Wavy", "Curly"),
    "hair_bang": ("Curtain", "Straight", "Side-swept"),
    "hair_vol": ("Light", "Medium", "Full"),
    "image_generator": ("Landscape", "Portrait", "Fantasy", "Poster"),
}
_PRINTED: Final = {"hair_style Women's": 18213963761051864, "hair_style Women's 1": 22205685004925400}
"""Ids a reader of the document may want to try."""


@dataclass(frozen=True, slots=True)
class Style:
    """One style. *seed* decides what it looks like."""

    id: int
    title: str
    seed: int


@dataclass(frozen=True, slots=True)
class Group:
    """One group of styles."""

    id: int
    title: str
    styles: tuple[Style, ...]


_Item = TypeVar("_Item", Group, Style)


@cache
def groups(feature: str) -> tuple[Group, ...]:
    """Return the groups of *feature*, always the same ones; empty for a feature without styles."""
    return tuple(_group(feature, title) for title in _TITLES.get(feature, ()))


def _group(feature: str, title: str) -> Group:
    name = f"{feature} {title}"
    styles = tuple(
        Style(_id(f"{name} {number}"), f"{title} {number}", _id(f"{name} {number}") % 10_007)
        for number in range(1, STYLES_A_GROUP + 1)
    )
    return Group(_id(name), title, styles)


def _id(name: str) -> int:
    """Return an id as large as the document's: above 2^53, where a float would change it."""
    drawn = int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "big")
    return _PRINTED.get(name, 10**16 + drawn % (9 * 10**16) | 1)


def style(feature: str, group_id: int, style_id: int) -> Style:
    """Return a style. Errors: Refusal 400 when there is no such group, or no such style in it."""
    for found in _group_by_id(feature, group_id).styles:
        if found.id == style_id:
            return found
    raise invalid(f"style_ids: {style_id} is no style of group {group_id}")


def list_groups(feature: str, query: Mapping[str, str]) -> dict[str, Any]:
    """Return one page of groups. Errors: Refusal 400."""
    page, next_token = _page(groups(feature), query)
    return {
        "next_token": next_token,
        "groups": [{"id": group.id, "info": {"title": group.title}} for group in page],
    }


def list_styles(feature: str, query: Mapping[str, str], thumbs: str) -> dict[str, Any]:
    """Return one page of styles, of all groups if none is named; *thumbs* precedes a thumbnail's name."""
    wanted = query.get("style_group_id")
    chosen = groups(feature)
    if wanted is not None:
        chosen = (_group_by_id(feature, _integer("style_group_id", wanted)),)
    page, next_token = _page([style for group in chosen for style in group.styles], query)
    return {
        "next_token": next_token,
        "styles": [
            {"id": style.id, "info": {"title": style.title, "thumb": thumbs + thumb_name(feature, style)}}
            for style in page
        ],
    }


def thumb_name(feature: str, style: Style) -> str:
    """Return the file name of a style's thumbnail."""
    return f"{feature}-{style.id}.jpg"


def _group_by_id(feature: str, group_id: int) -> Group:
    for group in groups(feature):
        if group.id == group_id:
            return group
    raise invalid(f"style_group_id: there is no group {group_id}")


def _page(items: Sequence[_Item], query: Mapping[str, str]) -> tuple[Sequence[_Item], str | None]:
    """Return the page that *query* asks for, and the token of the next one: the id it begins with."""
    size = _integer("page_size", query.get("page_size", str(PAGE_MAX)))
    if not 1 <= size <= PAGE_MAX:
        raise invalid(f"page_size must be between 1 and {PAGE_MAX}")
    token = query.get("starting_token", "null")
    starts = [str(item.id) for item in items]
    if token != "null" and token not in starts:
        raise invalid(f"starting_token: {token!r} was never given out")
    start = 0 if token == "null" else starts.index(token)
    end = start + size
    return items[start:end], starts[end] if end < len(items) else None


def _integer(name: str, text: str) -> int:
    if not (text.isascii() and text.isdecimal()):
        raise invalid(f"{name} must be an integer")
    return int(text)
