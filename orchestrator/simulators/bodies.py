"""Reads what a caller sends, field by field, and says exactly what is wrong with it."""

import base64
import binascii
from collections.abc import Collection, Iterable, Mapping
from hashlib import blake2b
from typing import Any

import orjson
from aiohttp import web
from yarl import URL

from orchestrator.simulators.sources import format_of


class Wrong(Exception):
    """A body breaks the provider's rules; the message names the field."""


class NotJson(Wrong):
    """A body is no JSON, or does not say that it is."""


async def read(request: web.Request) -> Any:
    """Return the JSON that *request* brings. Errors: NotJson."""
    if request.content_type != "application/json":
        raise NotJson("Content-Type must be application/json")
    try:
        return orjson.loads(await request.read())
    except orjson.JSONDecodeError as error:
        raise NotJson(f"the body is not JSON: {error}") from error


def fingerprint(body: object, *, without: Collection[str] = ()) -> str:
    """Return a digest of *body*; *without* names what differs from run to run, such as a callback address."""
    told = body
    if isinstance(body, dict):
        told = {key: value for key, value in body.items() if key not in without}
    return blake2b(orjson.dumps(told, option=orjson.OPT_SORT_KEYS), digest_size=16).hexdigest()


class Fields:
    """
    The fields of one object, each with its rules; *known* are all it may have, None for any.

    A field that is absent is None, or its default; null and a value of another type are refused
    with `Wrong`, as no document allows them.
    """

    def __init__(self, body: object, known: Collection[str] | None, at: str = "") -> None:
        if not isinstance(body, dict):
            raise Wrong(f"{at.removesuffix('.') or 'body'} must be an object")
        for name in body:
            if known is not None and name not in known:
                raise Wrong(f"{at}{name} is not a field")
        self.values: Mapping[str, Any] = body
        self._at = at

    def need(self, *names: str) -> None:
        """Refuse the body unless it has all *names*."""
        for name in names:
            if name not in self.values:
                raise Wrong(f"{self._at}{name} is required")

    def text(self, name: str, *, longest: int | None = None) -> str | None:
        """Return a string of at most *longest* characters."""
        if name not in self.values:
            return None
        value = self.values[name]
        if not isinstance(value, str):
            raise self._wrong(name, "must be a string")
        if longest is not None and len(value) > longest:
            raise self._wrong(name, f"has more than {longest} characters")
        return value

    def words(self, name: str, *, longest: int | None = None) -> str:
        """Return a required string in which something stands."""
        self.need(name)
        value = self.text(name, longest=longest) or ""
        if not value.strip():
            raise self._wrong(name, "must not be empty")
        return value

    def choice(self, name: str, allowed: Iterable[str]) -> str | None:
        """Return one of *allowed*, spelt just so."""
        value = self.text(name)
        choices = tuple(allowed)
        if value is not None and value not in choices:
            raise self._wrong(name, f"must be {listed(choices)}, not {value!r}")
        return value

    def integer(self, name: str, *, least: int | None = None, most: int | None = None) -> int | None:
        """Return a whole number from *least* to *most*; true and 1.0 are none."""
        if name not in self.values:
            return None
        value = self.values[name]
        if type(value) is not int:
            raise self._wrong(name, "must be an integer")
        self._check_range(name, value, least, most)
        return value

    def number(self, name: str, *, least: float, most: float) -> float | None:
        """Return a number from *least* to *most*."""
        if name not in self.values:
            return None
        value = self.values[name]
        if type(value) not in (int, float):
            raise self._wrong(name, "must be a number")
        self._check_range(name, value, least, most)
        return float(value)

    def web_address(self, name: str) -> str | None:
        """Return an http(s) URL as it was written."""
        value = self.text(name)
        if value is not None and not _is_web_address(value):
            raise self._wrong(name, "must be an http(s) URL")
        return value

    def _check_range(self, name: str, value: float, least: float | None, most: float | None) -> None:
        if (least is not None and value < least) or (most is not None and value > most):
            end = f" to {most}" if most is not None else ""
            raise self._wrong(name, f"must be from {least}{end}")

    def _wrong(self, name: str, what: str) -> Wrong:
        return Wrong(f"{self._at}{name} {what}")


def picture(text: str, at: str) -> bytes:
    """Return the picture that *text* holds as plain base64: JPEG, PNG or WebP. Errors: Wrong."""
    try:
        content = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Wrong(f"{at} is not base64: {error}") from error
    if format_of(content) is None:
        raise Wrong(f"{at} must be a JPEG, PNG or WebP")
    return content


def listed(values: Iterable[object]) -> str:
    """Return `a, b or c`."""
    *most, last = map(str, values)
    return f"{', '.join(most)} or {last}" if most else last


def _is_web_address(text: str) -> bool:
    if not text.isprintable() or " " in text:
        return False
    try:
        url = URL(text)
    except ValueError:
        return False
    return url.scheme in ("http", "https") and bool(url.host)
