"""
The instants of a cron line in a time zone, each of them once, whatever the clocks do.

Where the clocks are put forward, a fixed time that does not exist (`30 2 * * *`) comes at the first moment
after the gap; where they are put back, it comes the first time only. What goes on every hour or every few
minutes goes on by elapsed time. That is what cron does on Debian.

Instants are whole microseconds since the epoch, UTC.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from orchestrator.times import SECOND

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIELDS = 5


def problem(cron: str, timezone: str) -> str | None:
    """Return what is wrong with a cron line or the name of a time zone, or nothing."""
    try:
        _zone(timezone)
        _instants(cron, timezone, 0)
    except ValueError as error:
        return str(error)
    return None


def following(cron: str, timezone: str, after: int) -> int | None:
    """Return the first instant later than *after*, None if there is none in 50 years. Errors: ValueError."""
    return next(_instants(cron, timezone, after), None)


def latest(cron: str, timezone: str, after: int, until: int) -> int | None:
    """
    Return the last instant later than *after* and not later than *until*, None if there is none.

    The time it takes does not grow with the time in between: a window before *until* is widened
    until it holds an instant.
    """
    width = 60 * SECOND
    while True:
        start = max(after, until - width)
        found = None
        for instant in _instants(cron, timezone, start):
            if instant > until:
                break
            found = instant
        if found is not None or start == after:
            return found
        width *= 4


def _instants(cron: str, timezone: str, after: int) -> Iterator[int]:
    """Return the instants later than *after*. Errors: ValueError, before the first is asked for."""
    zone = _zone(timezone)
    if len(cron.split()) != _FIELDS:
        raise ValueError("a cron line has five fields: minute, hour, day of month, month, day of week")
    start = (_EPOCH + timedelta(microseconds=after)).astimezone(zone)
    try:
        found = CronSim(cron, start)
    except CronSimError as error:
        raise ValueError(f"{str(error).lower()} in {cron!r}") from error
    # Begun in an hour that comes twice, it may give times of the first of the two.
    return (at for at in map(_microseconds, found) if at > after)


def _zone(timezone: str) -> ZoneInfo:
    try:
        return ZoneInfo(timezone)
    except (KeyError, ValueError, OSError):
        raise ValueError(f"there is no time zone {timezone!r} (write it as in Europe/Berlin)") from None


def _microseconds(moment: datetime) -> int:
    return (moment.astimezone(UTC) - _EPOCH) // timedelta(microseconds=1)
