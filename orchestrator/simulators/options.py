"""What a user may choose about the simulators, and what one simulator has to offer the server."""

import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from aiohttp import web

from orchestrator.simulators import faults as seeded
from orchestrator.simulators.books import Books
from orchestrator.simulators.faults import Faults

Deliver = Callable[[str, bytes], Awaitable[int]]
"""
Sends a callback (address, JSON body) and returns the receiver's status. An empty body asks for a GET.

Errors:  OSError, TimeoutError.
"""


@dataclass(frozen=True, slots=True)
class Options:
    """
    How the simulators behave.

    Shape:   *latency_s* is how long an ordinary task takes, or from where to where; *lag_s* is how long
             late callbacks, slow answers and downloads, and lagging look-ups hang behind; *credits* is
             each account's balance at the start; *clock* gives seconds since the epoch; *deliver*
             replaces HTTP for callbacks; *pictures* may be plain where nobody looks at them: one colour
             each, of one size, made in no time.
    """

    kinds: tuple[str, ...] = ("pizi", "pixza", "trypi", "pixu", "perfect")
    latency_s: float | tuple[float, float] = (1.0, 2.0)
    faults: Faults = field(default_factory=Faults)
    seed: int = 0
    limits: Literal["documented", "off"] = "documented"
    credits: int = 1000
    clock: Callable[[], float] = time.time
    lag_s: float = 3.0
    deliver: Deliver | None = None
    pictures: Literal["drawn", "plain"] = "drawn"

    def latency(self, *key: object, scale: float = 1.0) -> float:
        """Return how long the task that *key* names takes, in seconds; *scale* makes dear ones longer."""
        low, high = self.latency_s if isinstance(self.latency_s, tuple) else (self.latency_s, self.latency_s)
        return scale * (low + (high - low) * self.fraction("latency", *key))

    def hits(self, name: str, *key: object) -> bool:
        """Return whether the fault *name* happens to what *key* names."""
        return self.faults.hits(name, *key, seed=self.seed)

    def fraction(self, *key: object) -> float:
        """Return a number from 0 to below 1 that depends on the seed and *key* alone."""
        return seeded.fraction(self.seed, *key)

    def digest(self, *key: object) -> bytes:
        """Return 32 bytes that depend on the seed and *key* alone: ids, secrets, a picture's own seed."""
        return seeded.digest(self.seed, *key)


class Occasions:
    """Counts how often something was seen, so that its second time can have another fate than its first."""

    def __init__(self) -> None:
        self._seen: Counter[object] = Counter()

    def next(self, *key: object) -> int:
        """Return 1 for the first time, 2 for the second…"""
        self._seen[key] += 1
        return self._seen[key]


class Simulator(Protocol):
    """One simulated provider. Each module in `server.SIMULATORS` has a class `Simulator` like this."""

    def __init__(self, options: Options, books: Books) -> None: ...

    def build(self) -> web.Application:
        """Return an application with the provider's own paths; the server mounts it under `/<kind>`."""
        ...

    def settings(self, base_url: str) -> dict[str, Any]:
        """Return the `[providers.<kind>]` settings of a client. *base_url* ends with `/<kind>`."""
        ...

    async def idle(self) -> None:
        """Return when no task is running and no callback is on its way."""
        ...
