"""Moments as text: inside, every `*_at` is whole microseconds since the epoch, UTC; outside, RFC 3339."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache

SECOND = 1_000_000
"""Microseconds."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@lru_cache(maxsize=4096)
def rfc3339(at: int | None) -> str | None:
    """Return *at* as `2026-11-20T17:00:00.000000Z`, or None for None."""
    if at is None:
        return None
    return (_EPOCH + timedelta(microseconds=at)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def from_rfc3339(text: str) -> int:
    """Return microseconds since the epoch. Errors: ValueError for anything but an aware RFC 3339 time."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is no time such as 2026-11-20T17:00:00Z") from None
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone (append Z for UTC)")
    delta = moment - _EPOCH
    return (delta.days * 86_400 + delta.seconds) * SECOND + delta.microseconds
