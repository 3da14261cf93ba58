"""Work that goes on after an answer was given: tasks that take their time, callbacks on their way."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from typing import Any

from aiohttp import web


class Timers:
    """Runs coroutines beside the requests; they end with the application."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[None]] = set()

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Let *work* run on its own. An exception in it is reported to the event loop's handler."""
        task = asyncio.get_running_loop().create_task(work)
        self._running.add(task)
        task.add_done_callback(self._ended)

    async def idle(self) -> None:
        """Return when nothing runs, counting also what the running work spawns meanwhile."""
        while self._running:
            await asyncio.wait(self._running)

    async def context(self, app: web.Application) -> AsyncIterator[None]:
        """Cancel what still runs when *app* stops; for `cleanup_ctx`."""
        yield
        running = list(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            context = {"message": "a simulator's work failed", "exception": error, "task": task}
            task.get_loop().call_exception_handler(context)
