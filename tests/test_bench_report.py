"""The benchmarks' figures are told the same to people and to machines, and no target is bent."""

import json
from pathlib import Path

import pytest

from tests.benchmarks.report import Result, Turn, percentile, rate, table, write

RATE = Result(
    id="B1",
    what="answered",
    unit="/s",
    figure=6500.0,
    control=10000.0,
    ratio=0.65,
    target=0.65,
    processor=0.62,
)
LATENCY = Result(
    id="B2 p99", what="chain", unit="ms", figure=6.123456, control=0.4, ratio=15.31, target=15.0, at_most=True
)
SHOWN = Result(id="B2 hint p50", what="chain", unit="ms", figure=2.0, control=0.4, ratio=5.0)


def test_a_target_is_reached_at_the_target_itself_and_missed_beyond() -> None:
    verdicts = [result.is_ok for result in (RATE, LATENCY, SHOWN)]

    assert verdicts == [True, False, None]


def test_the_json_is_a_list_with_six_keys_each(tmp_path: Path) -> None:
    write([RATE, LATENCY, SHOWN], tmp_path / "bench.json")

    written = json.loads((tmp_path / "bench.json").read_text())
    assert written[1] == {
        "id": "B2 p99",
        "figure": 6.1235,
        "control": 0.4,
        "ratio": 15.31,
        "target": 15.0,
        "ok": False,
    }
    assert [set(entry) for entry in written] == [set(written[1])] * 3
    assert (written[2]["target"], written[2]["ok"]) == (None, None)


def test_the_table_has_a_line_for_each_figure_in_equal_columns() -> None:
    lines = table([RATE, LATENCY, SHOWN]).splitlines()

    assert len(lines) == 4
    assert lines[1].split() == [
        "B1",
        "answered",
        "6,500",
        "/s",
        "10,000",
        "/s",
        "0.62",
        "0.65",
        "≥",
        "0.65",
        "reached",
    ]
    assert lines[2].endswith("15.31    ≤ 15  MISSED")
    assert {
        line.index(word) for line, word in zip(lines, ("what", "answered", "chain", "chain"), strict=True)
    } == {lines[0].index("what")}


def test_a_ratio_is_taken_turn_by_turn() -> None:
    # In the second turn the whole machine was half as fast, which says nothing about the ratio.
    turns = [Turn(60.0, 100.0, 4e-4, 1e-4), Turn(30.0, 50.0, 8e-4, 2e-4), Turn(66.0, 100.0, 4e-4, 1e-4)]

    result = rate("B1", "answered", 0.65, turns)

    assert (result.figure, result.control, result.ratio, result.processor) == (60.0, 100.0, 0.6, 0.25)


@pytest.mark.parametrize(("percent", "value"), [(50, 50), (99, 99), (100, 100), (0.5, 1)])
def test_a_percentile_is_a_value_that_was_measured(percent: float, value: float) -> None:
    values = [float(number) for number in range(100, 0, -1)]

    assert percentile(values, percent) == value
