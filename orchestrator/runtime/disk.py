"""
Lets no submit start while a disk is nearly full or takes no files: what is paid for has to be kept.

Callbacks are received and stored all the same, and so are results of what was submitted before: that is
what the last of the room is for. Submits go on by themselves when there is room again.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import structlog

from orchestrator.errors import StoreUnavailable
from orchestrator.runtime.limits import Limits

log = structlog.get_logger()

EVERY_S = 5.0
"""How often it is looked; asking a file system for its free room costs microseconds."""


def free_bytes(path: Path) -> int:
    """Return how much may still be written to the file system of *path*. Errors: OSError."""
    found = os.statvfs(path)
    return found.f_bavail * found.f_frsize


class DiskWatch:
    """
    Watches the file systems of *places*, by what is kept there.

    *least*: bytes that have to be free on each, 0 for any; *on_room* is called when there are again.
    *check* raises StoreUnavailable where results could not be kept just now.
    """

    def __init__(
        self,
        places: Mapping[str, Path],
        least: int,
        limits: Limits,
        on_room: Callable[[], None],
        check: Callable[[], Awaitable[None]],
        *,
        free: Callable[[Path], int] = free_bytes,
    ) -> None:
        self._places, self._least, self._limits = places, least, limits
        self._on_room, self._check, self._free = on_room, check, free

    @property
    def shortage(self) -> str | None:
        """Why no submit starts just now; None while they do."""
        return self._limits.shortage

    async def run(self) -> None:
        """Look from time to time until cancelled."""
        while True:
            await asyncio.sleep(EVERY_S)
            await self.look()

    async def look(self) -> None:
        """Look now, in a thread: a file system may take its time."""
        before = self._limits.shortage
        now = await self._refusal() or await asyncio.to_thread(self._find_shortage)
        self._limits.stop_for(now)
        if now is not None and before is None:
            log.warning("disk.filled", reason=now)
        elif now is None and before is not None:
            log.info("disk.cleared")
            self._on_room()

    async def _refusal(self) -> str | None:
        try:
            await self._check()
        except StoreUnavailable as trouble:
            return f"{trouble}: nothing is submitted until files can be kept"
        return None

    def _find_shortage(self) -> str | None:
        for what, path in self._places.items():
            try:
                free = self._free(path)
            except OSError:
                continue  # Whoever writes there will tell, and better.
            if free < self._least:
                return (
                    f"the disk of the {what} ({path}) has {_gigabytes(free)} free, less than the "
                    f"{_gigabytes(self._least)} of min_free_disk: nothing is submitted until there is room"
                )
        return None


def _gigabytes(size: int) -> str:
    return f"{size / 10**9:,.2f} GB"
