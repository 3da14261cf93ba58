"""The only place that reads the time and makes randomness; a test hands in its own."""

import os
import time
from typing import Protocol

from orchestrator.times import SECOND as SECOND
from orchestrator.times import from_rfc3339 as from_rfc3339
from orchestrator.times import rfc3339 as rfc3339


class Clock(Protocol):
    """Where the time and the randomness come from."""

    def now(self) -> int:
        """Return microseconds since the epoch, UTC."""
        ...

    def entropy(self) -> bytes:
        """Return 16 random bytes."""
        ...


class SystemClock:
    """The machine's time and randomness."""

    def now(self) -> int:
        return time.time_ns() // 1000

    def entropy(self) -> bytes:
        return os.urandom(16)
