"""
Durations as people write them, in workflows and in settings: `30s`, `1h30m`, `PT8S`.

Years and months are refused wherever they appear: nobody can say how long one is.
"""

import re

LONGEST_S = 3650 * 86_400.0
"""Ten years; what is longer is a slip, and later sums with it could leave the calendar."""

_UNITS = {"d": 86_400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_NUMBER = r"[0-9]+(?:\.[0-9]+)?"
_SHORT = re.compile("".join(f"(?:({_NUMBER}){unit})?" for unit in _UNITS))
_ISO = re.compile(
    rf"P(?:({_NUMBER})W)?(?:({_NUMBER})D)?(?:T(?=[0-9])(?:({_NUMBER})H)?(?:({_NUMBER})M)?(?:({_NUMBER})S)?)?"
)
_ISO_CALENDAR = re.compile(rf"P(?:{_NUMBER}W)?(?:{_NUMBER}Y)?(?:{_NUMBER}M)?.*")
_FORMS = "write 500ms, 8s, 30m, 2h, 1d, 1h30m or ISO 8601 such as PT90S"


def seconds(text: str) -> float:
    """
    Return how long *text* says, in seconds.

    Shape:   units d, h, m, s, ms, largest first, each at most once; or ISO 8601 with
             weeks, days, hours, minutes, seconds. From 0 to `LONGEST_S`.
    Errors:  ValueError with a sentence that says what to write instead.
    """
    given = text.strip()
    amount = _read(given)
    if amount is None:
        raise ValueError(_complaint(given))
    if amount > LONGEST_S:
        raise ValueError(f"the duration {given!r} is longer than ten years")
    return amount


def written(amount_s: float) -> str:
    """Return how *amount_s*, in seconds, is written shortest: `3s`, `1h30m`."""
    parts, left = [], round(amount_s * 1e6)
    for unit in ("d", "h", "m", "s"):
        count, left = divmod(left, round(_UNITS[unit] * 1e6))
        parts.append(f"{count}{unit}" if count else "")
    return "".join([*parts, f"{left / 1000:g}ms" if left else ""]) or "0s"


def _read(given: str) -> float | None:
    if given and (short := _SHORT.fullmatch(given)):
        return _total(short, tuple(_UNITS.values()))
    if given != "P" and (iso := _ISO.fullmatch(given)):
        return _total(iso, (7 * 86_400.0, 86_400.0, 3600.0, 60.0, 1.0))
    return None


def _total(match: re.Match[str], units: tuple[float, ...]) -> float:
    # Rounded to the microsecond, the grain of our clock, so that 0.1s and 100ms are the same.
    parts = zip(match.groups(), units, strict=True)
    return round(sum(float(number) * unit for number, unit in parts if number), 6)


def _complaint(given: str) -> str:
    if re.fullmatch(_NUMBER, given):
        return f"the duration {given!r} has no unit: write {given}s for seconds or {given}m for minutes"
    if given.startswith("P") and _ISO_CALENDAR.fullmatch(given) and re.match(rf"P[^T]*{_NUMBER}[YM]", given):
        return f"the duration {given!r} has years or months, whose length varies: write days (P30D)"
    if _SHORT.fullmatch(lowered := given.lower()) and lowered:
        return f"{given!r} is not a duration: its units are written in lower case ({lowered})"
    return f"{given!r} is not a duration: {_FORMS}"
