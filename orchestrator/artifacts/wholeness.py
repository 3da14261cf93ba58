"""
Whether a picture can be read to its end, told before anybody is paid for trying.

A file that was cut off in the middle has the beginning of a picture, and would be noticed by
a provider alone, after the steps before have been paid. Nothing is decoded here: PNG and JPEG
say themselves where they end, and others are not even opened when they are cut, or count as whole.
"""

from io import BytesIO
from pathlib import Path
from typing import IO

from orchestrator.artifacts.sniff import FORMATS, Nature, describe, describe_file

_READ_BYTES = 1 << 20


def unreadable(path: Path) -> str | None:
    """Say why the file is no picture that can be read, or return None."""
    with path.open("rb") as file:
        return _unreadable(describe_file(path), file, path.stat().st_size)


def unreadable_bytes(data: bytes) -> str | None:
    """Say why *data* is no picture that can be read, or return None."""
    return _unreadable(describe(data), BytesIO(data), len(data))


def is_cut(nature: Nature, path: Path) -> bool:
    """Return whether the file, which is such, is a picture that ends in its middle."""
    with path.open("rb") as file:
        return not _reaches_its_end(nature.media_type, file, path.stat().st_size)


def is_cut_bytes(nature: Nature, data: bytes) -> bool:
    """Return whether *data*, which is such, is a picture that ends in its middle."""
    return not _reaches_its_end(nature.media_type, BytesIO(data), len(data))


def _unreadable(nature: Nature, file: IO[bytes], size: int) -> str | None:
    if not nature.media_type.startswith("image/"):
        return f"its bytes are {nature.media_type}"
    if nature.media_type in FORMATS and nature.width is None:
        return f"its bytes begin as {nature.media_type}, but do not go on so"
    if not _reaches_its_end(nature.media_type, file, size):
        return f"its bytes are {nature.media_type}, but end in the middle of the picture"
    return None


def _reaches_its_end(media_type: str, file: IO[bytes], size: int) -> bool:
    match media_type:
        case "image/png":
            return _png_ends(file, size)
        case "image/jpeg":
            return _jpeg_ends(file)
        case _:
            return True


def _png_ends(file: IO[bytes], size: int) -> bool:
    """Go from chunk to chunk: each is told by its length, and has four bytes of type and four of check."""
    place = 8
    while place + 12 <= size:
        file.seek(place)
        length, kind = int.from_bytes(file.read(4), "big"), file.read(4)
        place += 12 + length
        if kind == b"IEND":
            return place <= size
    return False


def _jpeg_ends(file: IO[bytes]) -> bool:
    """
    Go from segment to segment up to the pixels, and look for the end mark behind them.

    A preview in a segment has an end mark too, and phones put whole films behind that of the picture.
    """
    place = 2
    while True:
        file.seek(place)
        mark = file.read(4)
        if len(mark) < 4:
            return False
        if mark[:2] == b"\xff\xda":
            return _is_ahead(file, b"\xff\xd9")
        place += 1 if mark[:2] == b"\xff\xff" else 2 + int.from_bytes(mark[2:], "big")


def _is_ahead(file: IO[bytes], mark: bytes) -> bool:
    """Return whether *mark*, of two bytes, comes anywhere from here on."""
    before = b""
    while data := file.read(_READ_BYTES):
        if mark in before + data:
            return True
        before = data[-1:]
    return False
