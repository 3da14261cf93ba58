"""Rate limits as they are written in settings: `60/1m`, `100/5m host`."""

import re
from dataclasses import dataclass

from orchestrator.durations import seconds

_RATE = re.compile(r"(?P<limit>[1-9][0-9]{0,8})/(?P<period>\S+?)(?P<host>\s+host)?")


@dataclass(frozen=True, slots=True)
class Rate:
    """At most *limit* requests in any *period_s*; *is_of_host*: by all connections to the host together."""

    limit: int
    period_s: float
    is_of_host: bool


def parse(text: str) -> Rate:
    """Return what *text* says. Errors: ValueError with a sentence that says what to write instead."""
    match = _RATE.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is no rate limit; write 60/1m, or 100/5m host")
    period_s = seconds(match["period"])
    if not period_s:
        raise ValueError(f"the period of the rate limit {text!r} must be greater than zero")
    return Rate(int(match["limit"]), period_s, match["host"] is not None)
