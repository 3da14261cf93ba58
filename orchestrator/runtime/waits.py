"""How long a server asks us to wait: `Retry-After`, in seconds or as a date, always given on in seconds."""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from math import ceil

from orchestrator.clock import SECOND, Clock, SystemClock

LONGEST_S = 86_400
_CLOCK = SystemClock()


def retry_after(headers: Mapping[str, str], clock: Clock = _CLOCK) -> str | None:
    """
    Return the seconds that `Retry-After` means, at most a day, as text; None where it means nothing.

    A date is measured by the server's own `Date`, where it tells it: its clock may not be ours.
    """
    text = headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return str(min(int(text[:12]), LONGEST_S))
    until = _moment(text)
    if until is None:
        return None
    now = _moment(headers.get("Date", "")) or datetime.fromtimestamp(clock.now() / SECOND, UTC)
    return str(min(max(ceil((until - now).total_seconds()), 0), LONGEST_S))


def _moment(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
