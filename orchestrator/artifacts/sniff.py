"""
What bytes are, told from the bytes alone: never from a header, a file name or a URL.

A server that labels a page as a picture, or a picture as a page, is believed in
neither case. Nothing here is ever called HTML or SVG: both are `text/plain`, so
that a result from outside is never served as something a browser would run.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import IO

import orjson
from PIL import Image, UnidentifiedImageError

PIXELS_MAX = 128_000_000
"""A picture of more pixels is not opened: a few kilobytes can claim to be terabytes."""

Image.MAX_IMAGE_PIXELS = PIXELS_MAX

HEAD_BYTES = 4096
"""So much of the beginning is enough to tell a type."""

_JSON_BYTES_MAX = 16 << 20
"""No value that a workflow can hold is longer as JSON; what is, counts as text."""

UNKNOWN = "application/octet-stream"
"""Bytes of a type that is not known here."""

EXTENSIONS = {
    "image/png": "png",
    "image/jpeg": "jpg",
    "image/webp": "webp",
    "image/gif": "gif",
    "image/avif": "avif",
    "image/heic": "heic",
    "image/tiff": "tiff",
    "image/bmp": "bmp",
    "video/mp4": "mp4",
    "video/quicktime": "mov",
    "video/webm": "webm",
    "video/x-matroska": "mkv",
    "audio/wav": "wav",
    "model/gltf-binary": "glb",
    "model/gltf+json": "gltf",
    "application/pdf": "pdf",
    "application/zip": "zip",
    "application/json": "json",
    "text/plain": "txt",
}

FORMATS = {
    "image/png": "PNG",
    "image/jpeg": "JPEG",
    "image/webp": "WEBP",
    "image/gif": "GIF",
    "image/avif": "AVIF",
    "image/tiff": "TIFF",
    "image/bmp": "BMP",
}
"""The pictures that we open, each only with the reader of its own format."""


@dataclass(frozen=True, slots=True)
class Nature:
    """
    What bytes turned out to be; *width* and *height* in pixels, None where they are no picture we read.

    *grey*: the picture has one channel, of grey or of black and white.
    """

    media_type: str
    width: int | None = None
    height: int | None = None
    grey: bool = False


def describe(data: bytes) -> Nature:
    """Return what *data* is."""
    media_type = _media_type(data[:HEAD_BYTES], lambda: data if len(data) <= _JSON_BYTES_MAX else None)
    return _picture(media_type, BytesIO(data))


def describe_file(path: Path) -> Nature:
    """Return what the file is, reading no more of it than its type needs."""
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)

        def whole() -> bytes | None:
            rest = file.read(_JSON_BYTES_MAX + 1)
            return head + rest if len(rest) <= _JSON_BYTES_MAX else None

        media_type = _media_type(head, whole)
        file.seek(0)
        return _picture(media_type, file)


def file_name(digest: str, media_type: str, suggestion: str | None = None) -> str:
    """
    Return a name to save the bytes under: safe in every file system, its extension told by *media_type*.

    *suggestion* may be a name, a path or a URL; the digest's beginning stands in for a missing one.
    """
    path = re.split(r"[?#]", suggestion or "", maxsplit=1)[0].replace("\\", "/")
    last = path.rstrip("/").rpartition("/")[2]
    clean = re.sub(r"[^\w.+-]+", "_", last).strip("._-")
    extension = EXTENSIONS.get(media_type, "bin")
    stem, dot, given = clean.rpartition(".")
    if not dot or not stem or len(given) > 5:
        stem = clean
    if not stem:
        stem = digest.removeprefix("sha256:")[:12]
    return f"{stem[:80]}.{extension}"


def _media_type(head: bytes, whole: Callable[[], bytes | None]) -> str:
    """*whole* gives all the bytes, or None when they are too many to be read for their type."""
    return _by_signature(head) or _as_text(head, whole) or UNKNOWN


_SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
    (b"glTF", "model/gltf-binary"),
    (b"PK\x03\x04", "application/zip"),
    (b"PK\x05\x06", "application/zip"),
    (b"%PDF-", "application/pdf"),
)

_BMP_HEADER_SIZES = tuple(size.to_bytes(4, "little") for size in (40, 108, 124))

_BRANDS = {
    b"avif": "image/avif",
    b"avis": "image/avif",
    b"heic": "image/heic",
    b"heix": "image/heic",
    b"mif1": "image/heic",
    b"qt  ": "video/quicktime",
}


def _by_signature(head: bytes) -> str | None:
    for signature, media_type in _SIGNATURES:
        if head.startswith(signature):
            return media_type
    if head[:4] == b"RIFF":
        return {b"WEBP": "image/webp", b"WAVE": "audio/wav"}.get(head[8:12])
    if head[4:8] == b"ftyp":
        return _BRANDS.get(head[8:12], "video/mp4")
    if head[:4] == b"\x1a\x45\xdf\xa3":
        return "video/webm" if b"webm" in head[:64] else "video/x-matroska"
    # Two letters are not much of a signature: the reserved bytes and a known header's size must fit.
    if head[:2] == b"BM" and head[6:10] == bytes(4) and head[14:18] in _BMP_HEADER_SIZES:
        return "image/bmp"
    return None


def _as_text(head: bytes, whole: Callable[[], bytes | None]) -> str | None:
    if not head or re.search(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]", head):
        return None
    if head.lstrip()[:1] in (b"{", b"["):
        data = whole()
        if data is not None:
            try:
                value = orjson.loads(data)
            except orjson.JSONDecodeError:
                pass
            else:
                is_gltf = isinstance(value, dict) and "asset" in value and "scenes" in value
                return "model/gltf+json" if is_gltf else "application/json"
    try:
        head.decode()
    except UnicodeDecodeError as error:
        # The head may end in the middle of a character.
        if error.start < len(head) - 3 or len(head) < HEAD_BYTES:
            return None
    return "text/plain"


def _picture(media_type: str, file: IO[bytes]) -> Nature:
    if (picture_format := FORMATS.get(media_type)) is None:
        return Nature(media_type)
    try:
        with Image.open(file, formats=(picture_format,)) as picture:
            return Nature(media_type, picture.width, picture.height, picture.mode in ("L", "1"))
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError):
        return Nature(media_type)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        return Nature(media_type)
