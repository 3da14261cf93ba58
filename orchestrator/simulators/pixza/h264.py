"""
Writes a picture that pans as H.264, the video every player knows, without an encoder.

The first frame is stored sample by sample (I_PCM), every further one says only
"the last one, moved a little". Nothing is compressed, so nothing has to be
searched for: a clip is valid, exact, and made in a moment.

Source: ITU-T H.264, clauses 7.3 (syntax), 8.4.1 (motion vectors), 9.1 (Exp-Golomb codes).
"""

import re
from dataclasses import dataclass
from itertools import product
from typing import Final

from PIL import Image

MACROBLOCK: Final = 16
STEP: Final = 2
"""How far a frame moves, in pixels; even, so that the smaller colour planes move by whole pixels too."""

_PROFILE: Final = bytes((66, 0xC0, 51))
"""Constrained baseline, level 5.1: the least to decode and, up to 4096 pixels wide, the least to ask for."""

_I_PCM: Final = bytes((0b00001101, 0))
"""The type of a macroblock of plain samples, filled up to a whole byte."""

_MOVED: Final = "11111"
"""A macroblock like the one before: none skipped, moved as a whole, no change of motion, no residual."""


@dataclass(frozen=True, slots=True)
class Stream:
    """An H.264 stream: its parameter sets, and one coded picture a frame, without start codes."""

    width: int
    height: int
    sequence_set: bytes
    picture_set: bytes
    frames: tuple[bytes, ...]


def coded_size(width: int, height: int, frames: int) -> tuple[int, int]:
    """Return how large a picture is needed for *frames* of an even *width* and *height*."""
    return _whole(width + STEP * frames), _whole(height)


def panned(picture: Image.Image, width: int, height: int, frames: int) -> Stream:
    """
    Return *picture* passing by in *frames* frames.

    Shape:   *width* and *height* are even and what is seen; *picture* has the `coded_size` for them.
    """
    assert picture.size == coded_size(width, height, frames), "a picture is drawn as large as it is coded"
    moved = tuple(_inter(number, _macroblocks(picture)) for number in range(1, frames))
    return Stream(width, height, _sequence(picture, width, height), _PICTURE, (_intra(picture), *moved))


def _sequence(picture: Image.Image, width: int, height: int) -> bytes:
    across, down = picture.width // MACROBLOCK, picture.height // MACROBLOCK
    bits = _ue(0, 0, 2, 1) + "0" + _ue(across - 1, down - 1) + "11"
    # What is coded beyond the picture to be seen is cropped, in pairs of pixels.
    bits += "1" + _ue(0, (picture.width - width) // 2, 0, (picture.height - height) // 2) + "0"
    return _unit(3, 7, _PROFILE + _closed(bits))


def _intra(picture: Image.Image) -> bytes:
    head = _ue(0, 7, 0) + "0000" + _ue(0) + "00" + _se(0) + _ue(1)
    # The first macroblock's type follows the header bit by bit; all others begin with a byte.
    first = head + "000011010"
    first += "0" * (-len(first) % 8)
    samples = _I_PCM.join(_samples(picture))
    return _unit(3, 5, _bytes(first) + samples + b"\x80")


def _inter(number: int, macroblocks: int) -> bytes:
    head = _ue(0, 5, 0) + f"{number % 16:04b}" + "000" + _se(0) + _ue(1)
    # A macroblock moves like its neighbours unless it says otherwise, so only the first has to say.
    first = _ue(0, 0) + _se(4 * STEP) + _se(0) + _ue(0)
    return _unit(2, 1, _closed(head + first + _MOVED * (macroblocks - 1)))


def _samples(picture: Image.Image) -> list[bytes]:
    """Return each macroblock's samples: 256 of light, then 64 of each colour difference."""
    luma, *colours = picture.convert("YCbCr").split()
    half = (picture.width // 2, picture.height // 2)
    # Video keeps a margin; a sample of zero would also be illegal here.
    planes = [(luma.point(lambda value: 16 + value * 219 // 255).tobytes(), picture.width, 16)]
    for colour in colours:
        small = colour.resize(half, Image.Resampling.BOX)
        planes.append((small.point(lambda value: 16 + value * 224 // 255).tobytes(), half[0], 8))
    places = product(range(picture.height // MACROBLOCK), range(picture.width // MACROBLOCK))
    return [b"".join(_block(plane, row, column) for plane in planes) for row, column in places]


def _block(plane: tuple[bytes, int, int], row: int, column: int) -> bytes:
    content, width, side = plane
    start = row * side * width + column * side
    return b"".join(content[at : at + side] for at in range(start, start + side * width, width))


def _macroblocks(picture: Image.Image) -> int:
    return (picture.width // MACROBLOCK) * (picture.height // MACROBLOCK)


def _whole(pixels: int) -> int:
    return -(-pixels // MACROBLOCK) * MACROBLOCK


def _ue(*values: int) -> str:
    """Return unsigned numbers in Exp-Golomb code."""
    return "".join(f"{value + 1:0{2 * (value + 1).bit_length() - 1}b}" for value in values)


def _se(value: int) -> str:
    """Return a signed number in Exp-Golomb code."""
    return _ue(2 * value - 1 if value > 0 else -2 * value)


def _closed(bits: str) -> bytes:
    bits += "1"
    return _bytes(bits + "0" * (-len(bits) % 8))


def _bytes(bits: str) -> bytes:
    return int(bits, 2).to_bytes(len(bits) // 8, "big")


def _unit(importance: int, kind: int, payload: bytes) -> bytes:
    """Return a NAL unit: what looks like a start code inside of it is broken up."""
    return bytes((importance << 5 | kind,)) + re.sub(rb"\x00\x00(?=[\x00-\x03])", b"\x00\x00\x03", payload)


_PICTURE: Final = _unit(3, 8, _closed(_ue(0, 0) + "00" + _ue(0, 0, 0) + "000" + _se(0) * 3 + "100"))
"""One slice a picture, plain variable-length codes, and a say in each slice about the smoothing filter."""
