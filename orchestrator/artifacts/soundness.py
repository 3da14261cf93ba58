"""
Whether a file still holds the bytes that its name promises, told without reading it for everybody who asks.

A file is read once for each state it is found in: its place on the disk, its size, and when it was
last written or touched, which the file system keeps. What damages a file without writing to it, as a
dying disk does, shows in none of these; such a file is found out when the next process reads it first.
"""

import asyncio
import os
from collections import OrderedDict
from functools import partial
from hashlib import sha256
from pathlib import Path

KEPT = 20_000
"""Of so many files it is remembered how they were found; others are read again."""

_PIECE_BYTES = 1 << 20

State = tuple[int, int, int, int, int]


class Soundness:
    """Reads files, and remembers what came of it."""

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._found: OrderedDict[Path, tuple[State, bool]] = OrderedDict()
        self._reading: dict[Path, asyncio.Task[bool]] = {}

    async def holds(self, path: Path) -> bool:
        """Return whether the file's SHA-256 is its name. Errors: OSError, FileNotFoundError among them."""
        # Two that ask at the same moment wait for one reading, which neither takes away from the other.
        reading = self._reading.get(path)
        if reading is None:
            reading = self._reading[path] = asyncio.create_task(self._look(path))
            reading.add_done_callback(partial(self._end, path))
        return await asyncio.shield(reading)

    def _end(self, path: Path, reading: asyncio.Task[bool]) -> None:
        del self._reading[path]
        if not reading.cancelled():
            reading.exception()  # Looked at here, in case that everybody who asked has given up.

    async def _look(self, path: Path) -> bool:
        known = self._found.get(path)
        state, sound = await asyncio.to_thread(_looked, path, known)
        self._found[path] = state, sound
        self._found.move_to_end(path)
        while len(self._found) > self._kept:
            self._found.popitem(last=False)
        return sound


def _looked(path: Path, known: tuple[State, bool] | None) -> tuple[State, bool]:
    """Runs in a thread. The state is that before the reading: what is written meanwhile makes another."""
    with path.open("rb") as file:
        state = _state(os.fstat(file.fileno()))
        if known is not None and known[0] == state:
            return known
        found = sha256()
        while piece := file.read(_PIECE_BYTES):
            found.update(piece)
        return state, found.hexdigest() == path.name


def _state(stat: os.stat_result) -> State:
    return stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns
