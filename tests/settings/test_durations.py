"""Durations read the way people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator import durations


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("500ms", 0.5),
        ("8s", 8),
        ("1.5s", 1.5),
        ("30m", 1800),
        ("2h", 7200),
        ("1d", 86_400),
        ("1h30m", 5400),
        ("1d2h3m4s5ms", 93_784.005),
        (" 30s ", 30),
        ("0s", 0),
        ("PT8S", 8),
        ("PT1H30M", 5400),
        ("P1DT12H", 129_600),
        ("P2W", 1_209_600),
        ("PT0.5S", 0.5),
        ("3650d", 315_360_000),
    ],
)
def test_a_duration_is_read_in_seconds(text: str, seconds: float) -> None:
    assert durations.seconds(text) == seconds


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("30", "has no unit: write 30s"),
        ("P1Y", "years or months"),
        ("P1M", "years or months"),
        ("P1Y2DT3H", "years or months"),
        ("8S", "lower case (8s)"),
        ("3651d", "longer than ten years"),
        ("9" * 400 + "d", "longer than ten years"),
        ("", "write 500ms"),
        ("-5s", "write 500ms"),
        ("30m1h", "write 500ms"),
        ("1h1h", "write 500ms"),
        ("soon", "write 500ms"),
        ("P", "write 500ms"),
        ("PT", "write 500ms"),
        ("P1DT", "write 500ms"),
        ("٣s", "write 500ms"),
        ("1 h", "write 500ms"),
    ],
)
def test_what_is_no_duration_is_refused_with_what_to_write(text: str, said: str) -> None:
    with pytest.raises(ValueError, match="duration") as refusal:
        durations.seconds(text)

    assert said in str(refusal.value)


@given(st.integers(0, 3600), st.integers(0, 59), st.integers(0, 59))
def test_both_spellings_of_a_duration_mean_the_same(hours: int, minutes: int, seconds: int) -> None:
    short = durations.seconds(f"{hours}h{minutes}m{seconds}s")

    assert short == durations.seconds(f"PT{hours}H{minutes}M{seconds}S")


@given(st.text(max_size=12))
def test_any_text_is_a_number_of_seconds_or_a_value_error(text: str) -> None:
    try:
        amount = durations.seconds(text)
    except ValueError:
        return

    assert 0 <= amount <= durations.LONGEST_S


@pytest.mark.parametrize(
    ("amount_s", "text"),
    [(0, "0s"), (3, "3s"), (90, "1m30s"), (3600, "1h"), (86_400, "1d"), (0.25, "250ms"), (1.0005, "1s0.5ms")],
)
def test_a_duration_is_written_as_short_as_people_would(amount_s: float, text: str) -> None:
    assert durations.written(amount_s) == text


@given(st.integers(0, 10**12))
def test_what_is_written_is_what_is_read(microseconds: int) -> None:
    assert durations.seconds(durations.written(microseconds / 1e6)) == microseconds / 1e6
