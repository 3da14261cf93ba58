"""The instants of a cron line: each of them once, also where the clocks are changed."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator import cron
from orchestrator.times import SECOND, from_rfc3339, rfc3339

HOUR = 3600 * SECOND
BERLIN = "Europe/Berlin"
"""Forward on 29 March 2026 at 02:00, to 03:00; back on 25 October 2026 at 03:00, to 02:00."""

LINES = [
    "30 2 * * *",
    "0 2,3 * * *",
    "0,30 0-3 * * *",
    "15 * * * *",
    "*/20 * * * *",
    "0 */2 * * *",
    "45 1 * * 0",
]
ZONES = ["UTC", BERLIN, "America/Santiago", "Australia/Lord_Howe", "America/New_York", "Asia/Kathmandu"]


def walk(line: str, zone: str, start: str, until: str) -> list[str]:
    """Return every instant in a time, one asked for after the other, as the local time has it."""
    at, end, found = from_rfc3339(start), from_rfc3339(until), []
    while (following := cron.following(line, zone, at)) is not None and following <= end:
        found.append(following)
        at = following
    return [str((datetime.fromtimestamp(at // SECOND, UTC)).astimezone(ZoneInfo(zone))) for at in found]


def test_a_line_is_read_in_its_time_zone() -> None:
    found = cron.following("0 9 * * 1-5", BERLIN, from_rfc3339("2026-11-21T00:00:00Z"))

    assert rfc3339(found) == "2026-11-23T08:00:00.000000Z"


def test_an_instant_is_later_than_what_is_asked_for_by_whatever_little() -> None:
    noon = from_rfc3339("2026-11-21T12:00:00Z")

    assert cron.following("0 12 * * *", "UTC", noon - 1) == noon
    assert cron.following("0 12 * * *", "UTC", noon) == noon + 24 * HOUR
    assert cron.following("0 12 * * *", "UTC", noon + 1) == noon + 24 * HOUR


def test_a_time_that_does_not_exist_comes_right_after_the_gap_and_once() -> None:
    days = ("2026-03-28T12:00:00Z", "2026-03-30T12:00:00Z")

    assert walk("30 2 * * *", BERLIN, *days) == ["2026-03-29 03:00:00+02:00", "2026-03-30 02:30:00+02:00"]
    assert walk("0,30 2,3 29 3 *", BERLIN, *days) == [
        "2026-03-29 03:00:00+02:00",
        "2026-03-29 03:30:00+02:00",
    ]


def test_a_time_that_exists_twice_comes_the_first_time_only() -> None:
    days = ("2026-10-24T12:00:00Z", "2026-10-26T12:00:00Z")

    assert walk("30 2 * * *", BERLIN, *days) == ["2026-10-25 02:30:00+02:00", "2026-10-26 02:30:00+01:00"]


@pytest.mark.parametrize("minute", [0, 10, 30, 50])
def test_asked_for_within_the_second_time_it_does_not_come_again(minute: int) -> None:
    second = from_rfc3339(f"2026-10-25T01:{minute:02}:00Z")

    assert rfc3339(cron.following("30 2 * * *", BERLIN, second)) == "2026-10-26T01:30:00.000000Z"


def test_what_comes_every_hour_goes_on_by_elapsed_time() -> None:
    fold = walk("30 * * * *", BERLIN, "2026-10-24T23:45:00Z", "2026-10-25T02:45:00Z")
    gap = walk("30 * * * *", BERLIN, "2026-03-28T23:45:00Z", "2026-03-29T01:45:00Z")

    assert fold == ["2026-10-25 02:30:00+02:00", "2026-10-25 02:30:00+01:00", "2026-10-25 03:30:00+01:00"]
    assert gap == ["2026-03-29 01:30:00+01:00", "2026-03-29 03:30:00+02:00"]


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("line", LINES)
def test_instants_are_the_same_from_wherever_they_are_looked_for(line: str, zone: str) -> None:
    for day in ("2026-03-28", "2026-04-04", "2026-09-05", "2026-10-03", "2026-10-24"):
        start = from_rfc3339(f"{day}T00:00:00Z")
        known, at = [], start
        while (following := cron.following(line, zone, at)) is not None and following < start + 60 * HOUR:
            assert following > at
            known.append(following)
            at = following

        for asked in range(start, start + 48 * HOUR, 7 * 60 * SECOND):
            expected = next(instant for instant in [*known, 0] if instant > asked or instant == 0)
            if expected:
                assert cron.following(line, zone, asked) == expected


@settings(deadline=None)
@given(
    line=st.sampled_from([*LINES, "* * * * *", "* 3 * * *", "0 0 1 * *", "0 0 29 2 *"]),
    zone=st.sampled_from(ZONES),
    start=st.integers(1_770_000_000, 1_800_000_000),
    hours=st.integers(0, 200),
)
def test_the_latest_instant_is_the_last_one_that_a_walk_finds(
    line: str, zone: str, start: int, hours: int
) -> None:
    after, until = start * SECOND, start * SECOND + hours * HOUR
    last, at = None, after
    while (following := cron.following(line, zone, at)) is not None and following <= until:
        last = at = following

    assert cron.latest(line, zone, after, until) == last


def test_after_ten_years_the_latest_instant_of_every_minute_is_found_at_once() -> None:
    until = from_rfc3339("2026-11-21T12:00:30Z")

    found = cron.latest("* * * * *", BERLIN, from_rfc3339("2016-11-21T12:00:30Z"), until)

    assert rfc3339(found) == "2026-11-21T12:00:00.000000Z"


@pytest.mark.parametrize(
    ("line", "zone", "why"),
    [
        ("0 9 * *", "UTC", "five fields"),
        ("0 0 9 * * *", "UTC", "five fields"),
        ("@daily", "UTC", "five fields"),
        ("61 * * * *", "UTC", "bad minute"),
        ("* * 31 2 *", "UTC", "bad day-of-month"),
        ("* * * * MOON", "UTC", "bad day-of-week"),
        ("* * * * *", "Berlin", "no time zone 'Berlin'"),
        ("* * * * *", "../etc/passwd", "no time zone"),
        ("* * * * *", "", "no time zone"),
        ("* * * * *", "Europe", "no time zone"),
    ],
)
def test_what_is_wrong_with_a_schedule_is_told(line: str, zone: str, why: str) -> None:
    told = cron.problem(line, zone)

    assert told is not None
    assert why in told


def test_nothing_is_wrong_with_a_good_schedule() -> None:
    assert cron.problem("*/5 9-17 * JAN-JUN MON,WED", BERLIN) is None
