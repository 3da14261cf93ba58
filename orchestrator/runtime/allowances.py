"""
Writes down what rate limits let out, a block ahead, and reads it at start.

Before a request leaves it is on disk that it may: with each block, what was sent so far and how many
more may follow. The next block is written while half of one is left, so that nobody waits for the disk
as long as it answers. Heartbeats do not wait for it in any case: a task's life is worth more than the
certainty that a limit holds should the process be killed while its disk stands still.
"""

import asyncio
from collections.abc import Sequence

import structlog

from orchestrator.clock import Clock
from orchestrator.errors import StoreUnavailable
from orchestrator.runtime.turnstile import Turnstile
from orchestrator.runtime.windows import Window
from orchestrator.store.windows import WindowRow, Windows

log = structlog.get_logger()

RETRY_S = 0.5
"""How long to wait before a disk that refused is asked again."""


class Allowances:
    """The way from the windows in memory to the store."""

    def __init__(self, store: Windows, turnstile: Turnstile, clock: Clock) -> None:
        self._store, self._turnstile, self._clock = store, turnstile, clock
        self._low: set[Window] = set()
        self._wanted = asyncio.Event()
        turnstile.on_low = self._want

    async def load(self) -> None:
        """Take up what an earlier process sent or may have sent; heartbeats can go on at once."""
        rows, now = await self._store.windows(), self._clock.now()
        for window in self._turnstile.windows():
            row = _row_of(window, rows)
            if row is not None:
                window.restore(row.sent, row.ahead, now)
            window.granted = 0
            if window.reserve():
                self._want(window)
        await self._grant()

    async def run(self) -> None:
        """Write the next blocks in time until cancelled."""
        while True:
            await self._wanted.wait()
            try:
                await self._grant()
            except StoreUnavailable as trouble:
                log.warning("store.unavailable", reason=str(trouble))
                await asyncio.sleep(RETRY_S)

    async def flush(self) -> None:
        """Write down what was sent, and that nothing follows: the process ends in good order."""
        try:
            await self._write(self._turnstile.windows(), ahead=False)
        except StoreUnavailable as trouble:
            log.warning("store.unavailable", reason=str(trouble))

    def _want(self, window: Window) -> None:
        self._low.add(window)
        self._wanted.set()

    async def _grant(self) -> None:
        windows = list(self._low)
        before = [window.granted or 0 for window in windows]
        await self._write(windows, ahead=True)
        for window, granted in zip(windows, before, strict=True):
            # What has left meanwhile is of the new block.
            window.granted = window.block + (window.granted or 0) - granted
        self._low = {window for window in self._low if window.is_low}
        if not self._low:
            self._wanted.clear()
        self._turnstile.stir_all()

    async def _write(self, windows: Sequence[Window], *, ahead: bool) -> None:
        if not windows:
            return
        now = self._clock.now()
        await self._store.put_windows(
            [
                WindowRow(
                    scope=window.scope,
                    requests=window.limit,
                    period=window.period,
                    sent=window.record(now),
                    ahead=window.block if ahead else 0,
                    written_at=now,
                )
                for window in windows
            ]
        )


def _row_of(window: Window, rows: Sequence[WindowRow]) -> WindowRow | None:
    """Return what is known of a window; of one that is new, what the longest of the same scope knows."""
    known = [row for row in rows if row.scope == window.scope]
    same = window.period, window.limit
    return max(known, key=lambda row: ((row.period, row.requests) == same, row.period), default=None)
