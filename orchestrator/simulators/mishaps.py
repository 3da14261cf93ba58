"""The faults that can befall any request, whoever the provider: refused, broken, answered late or never."""

import asyncio
from typing import Final

from aiohttp import web

from orchestrator.simulators.files import cut
from orchestrator.simulators.options import Occasions, Options

BURST: Final = 5
"""How many requests in a row one `rate_limit` fault refuses."""


class Mishaps:
    """What goes wrong at the simulator of one *kind*, as its options ask."""

    def __init__(self, options: Options, kind: str) -> None:
        self._options = options
        self._kind = kind
        self._occasions = Occasions()

    def is_rate_limited(self) -> bool:
        """Return whether the request that just came in is one of a burst that is refused."""
        burst = (self._occasions.next("request") - 1) // BURST
        return self._options.hits("rate_limit", self._kind, burst)

    def breaks(self, *key: object) -> bool:
        """Return whether what *key* names is answered with a 5xx and not done; each time anew."""
        if self._options.faults.chance("error_before") == 0:
            return False
        return self._options.hits("error_before", self._kind, *key, self._occasions.next("break", *key))

    def lags(self, task: str, created_at: float) -> bool:
        """Return whether *task* is still too fresh to be looked up."""
        fresh = self._options.clock() - created_at < self._options.lag_s
        return fresh and self._options.hits("lookup_lag", task)

    async def answer(
        self, request: web.Request, answer: web.Response, *, task: str, broken: web.Response
    ) -> web.Response:
        """Return how the submit of *task* is answered in the end: *answer*, late, cut off, or *broken*."""
        if self._options.hits("slow_answer", task):
            await asyncio.sleep(self._options.lag_s)
        if self._options.hits("answer_lost", task):
            return cut(request)
        return broken if self._options.hits("error_after", task) else answer
