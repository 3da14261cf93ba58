"""The only place that reads the time and makes randomness; a test hands in its own."""

import os
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

SECOND = 1_000_000
"""Microseconds: every `*_at` inside the system is whole microseconds since the epoch, UTC."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


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


def rfc3339(at: int | None) -> str | None:
    """Return *at* as `2026-11-20T17:00:00.000000Z`, or None for None."""
    if at is None:
        return None
    return (_EPOCH + timedelta(microseconds=at)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def from_rfc3339(text: str) -> int:
    """Return microseconds since the epoch. Errors: ValueError for anything but an aware RFC 3339 time."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone (append Z for UTC)")
    delta = moment - _EPOCH
    return (delta.days * 86_400 + delta.seconds) * SECOND + delta.microseconds
