"""Pictures that a caller hands in as text: a `data:` URI, or an address that can be fetched from here."""

import base64
import binascii
import ipaddress
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from hashlib import blake2b
from pathlib import PurePosixPath

import aiohttp
from aiohttp import web
from yarl import URL

from orchestrator.simulators.files import Files

Picture = Callable[[], bytes | None]
"""Gives a picture's bytes when they are needed, or None when nobody here can know them."""

MAX_BYTES = 25 * 1024 * 1024
KEPT = 32
"""How many pictures from callers are kept in memory. A forgotten one is drawn around, not missed."""

_TIMEOUT_S = 10.0
_OTHER_SUFFIXES = frozenset(
    {".avif", ".bmp", ".gif", ".heic", ".jfif", ".mp4", ".pdf", ".svg", ".tif", ".tiff", ".webp"}
)


class Unreadable(Exception):
    """This is no picture's address, or nothing came from there."""


class UnsupportedFormat(Exception):
    """This is neither a JPG nor a PNG, nor a WebP where one may be."""


def format_of(content: bytes) -> str | None:
    """Return `jpg`, `png` or `webp` by the first bytes, None for all else; no name or header matters."""
    if content.startswith(b"\xff\xd8\xff"):
        return "jpg"
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    return "webp" if content.startswith(b"RIFF") and content[8:12] == b"WEBP" else None


class Sources:
    """
    Takes pictures in and checks that they are JPG or PNG, or, where a provider takes them, WebP.

    Only addresses on this machine are fetched: the simulator must work without
    the internet, and `https://cdn.example.com/shirt.jpg` out of a document should
    do for a try. Such a picture is believed to be what its name says.
    """

    def __init__(self, files: Files, *, takes_webp: bool = False) -> None:
        self._files = files
        self._takes_webp = takes_webp
        self._kept: OrderedDict[bytes, bytes] = OrderedDict()
        self._session: aiohttp.ClientSession | None = None

    async def context(self, app: web.Application) -> AsyncIterator[None]:
        """Keep a client session while *app* runs; for `cleanup_ctx`."""
        timeout = aiohttp.ClientTimeout(total=_TIMEOUT_S)
        async with aiohttp.ClientSession(timeout=timeout) as self._session:
            yield
        self._session = None

    async def take(self, source: str, *, own: str) -> Picture:
        """
        Return the picture that *source* gives; addresses below *own* are files of this simulator.

        Errors:  Unreadable; UnsupportedFormat.
        """
        if source[:5].lower() == "data:":
            return self._keep(self._checked(_decoded(source)))
        url = _address(source)
        if source.startswith(f"{own}/"):
            return self._own(url)
        suffix = PurePosixPath(url.path).suffix.lower()
        if suffix in _OTHER_SUFFIXES and not (suffix == ".webp" and self._takes_webp):
            raise UnsupportedFormat(url.path)
        if not is_here(url):
            return _unknown
        return self._keep(self._checked(await self._fetch(url)))

    def _checked(self, content: bytes) -> bytes:
        """Return *content* when its first bytes are those of a picture that is taken."""
        taken = ("jpg", "png", "webp") if self._takes_webp else ("jpg", "png")
        if format_of(content) not in taken:
            raise UnsupportedFormat(f"the first bytes are those of neither {' nor '.join(taken)}")
        return content

    def _own(self, url: URL) -> Picture:
        name = url.name
        if name not in self._files:
            raise Unreadable(f"{url} is not there")
        return lambda: self._files.make(name)

    def _keep(self, content: bytes) -> Picture:
        key = blake2b(content, digest_size=16).digest()
        self._kept[key] = content
        self._kept.move_to_end(key)
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return lambda: self._kept.get(key)

    async def _fetch(self, url: URL) -> bytes:
        assert self._session is not None, "pictures are fetched while the application runs"
        content = bytearray()
        try:
            async with self._session.get(url, allow_redirects=False) as reply:
                if reply.status != 200:
                    raise Unreadable(f"{url} answered {reply.status}")
                async for piece in reply.content.iter_chunked(1 << 16):
                    content += piece
                    if len(content) > MAX_BYTES:
                        raise Unreadable(f"{url} is larger than {MAX_BYTES} bytes")
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise Unreadable(f"{url} could not be fetched: {type(error).__name__}") from error
        return bytes(content)


def is_here(url: URL) -> bool:
    """Return whether *url* points at this machine."""
    host = url.host or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _unknown() -> None:
    return None


def _address(source: str) -> URL:
    try:
        url = URL(source)
    except ValueError as error:
        raise Unreadable(f"not a URL: {error}") from error
    if url.scheme not in ("http", "https") or not url.host:
        raise Unreadable("neither an http(s) URL nor a data: URI")
    return url


def _decoded(source: str) -> bytes:
    """Return the bytes of a `data:image/png;base64,…` URI."""
    head, comma, text = source.partition(",")
    if not comma or not head.lower().endswith(";base64"):
        raise Unreadable("a data: URI must be base64 (data:image/png;base64,…)")
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise Unreadable(f"broken base64: {error}") from error
