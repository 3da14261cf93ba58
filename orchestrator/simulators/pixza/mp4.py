"""Packs an H.264 stream into an MP4 file that can be played while it is being downloaded."""

import struct
from collections.abc import Sequence
from typing import Final

from orchestrator.simulators.pixza.h264 import Stream

_MATRIX: Final = struct.pack(">9i", 1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)
"""Shown as it is: neither turned nor enlarged."""

_UNDETERMINED: Final = struct.pack(">HH", 0x55C4, 0)
"""The language code of what is said in the track: nothing is."""


def packed(stream: Stream, *, frames_per_second: int) -> bytes:
    """Return *stream* as a file whose index comes first. Source: ISO/IEC 14496-12 and -15."""
    samples = [len(frame).to_bytes(4, "big") + frame for frame in stream.frames]
    head = _box(b"ftyp", b"isom", _u32(0x200), b"isom", b"iso2", b"avc1", b"mp41")
    # Where the samples begin does not change how long the index is.
    begin = len(head) + len(_index(stream, samples, frames_per_second, 0)) + 8
    return head + _index(stream, samples, frames_per_second, begin) + _box(b"mdat", *samples)


def _index(stream: Stream, samples: Sequence[bytes], rate: int, begin: int) -> bytes:
    times = _u32(0, 0, rate, len(samples))
    movie = _full(b"mvhd", 0, times, _u32(1 << 16), bytes(12), _MATRIX, bytes(24), _u32(2))
    size = _u32(stream.width << 16, stream.height << 16)
    # Flags 3: enabled, and part of the presentation.
    track = _full(b"tkhd", 3, _u32(0, 0, 1, 0, len(samples)), bytes(16), _MATRIX, size)
    here = _box(b"dinf", _full(b"dref", 0, _u32(1), _full(b"url ", 1)))
    media = _box(
        b"mdia",
        _full(b"mdhd", 0, times, _UNDETERMINED),
        _full(b"hdlr", 0, bytes(4), b"vide", bytes(12), b"VideoHandler\x00"),
        _box(b"minf", _full(b"vmhd", 1, bytes(8)), here, _table(stream, samples, begin)),
    )
    return _box(b"moov", movie, _box(b"trak", track, media))


def _table(stream: Stream, samples: Sequence[bytes], begin: int) -> bytes:
    """Return where each sample is, how long it lasts, and what it takes to decode it: one chunk of all."""
    count = len(samples)
    return _box(
        b"stbl",
        _full(b"stsd", 0, _u32(1), _entry(stream)),
        _full(b"stts", 0, _u32(1, count, 1)),
        _full(b"stss", 0, _u32(1, 1)),
        _full(b"stsc", 0, _u32(1, 1, count, 1)),
        _full(b"stsz", 0, _u32(0, count, *map(len, samples))),
        _full(b"stco", 0, _u32(1, begin)),
    )


def _entry(stream: Stream) -> bytes:
    configuration = _box(
        b"avcC",
        b"\x01",
        stream.sequence_set[1:4],
        b"\xff\xe1",
        _u16(len(stream.sequence_set)),
        stream.sequence_set,
        b"\x01",
        _u16(len(stream.picture_set)),
        stream.picture_set,
    )
    shape = _u16(stream.width, stream.height) + _u32(72 << 16, 72 << 16, 0) + _u16(1) + bytes(32)
    return _box(b"avc1", bytes(6), _u16(1), bytes(16), shape, _u16(24, 0xFFFF), configuration)


def _box(name: bytes, *content: bytes) -> bytes:
    body = b"".join(content)
    return _u32(len(body) + 8) + name + body


def _full(name: bytes, flags: int, *content: bytes) -> bytes:
    """Return a box of version 0."""
    return _box(name, _u32(flags), *content)


def _u32(*values: int) -> bytes:
    return struct.pack(f">{len(values)}I", *values)


def _u16(*values: int) -> bytes:
    return struct.pack(f">{len(values)}H", *values)
