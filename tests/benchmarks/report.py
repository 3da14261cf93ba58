"""What was measured, as a table for people and as JSON for machines."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """
    One figure beside its control.

    *figure* and *control* are in *unit*. A *target* is a ratio: at least so much,
    or with *at_most* at most so much; None where a figure is shown for orientation only.
    *processor* is the control's processor time for the same work, divided by the figure's:
    the ratio there would be if nothing else wanted the cores. Shown to people only.
    """

    id: str
    what: str
    unit: str
    figure: float
    control: float
    ratio: float
    target: float | None = None
    at_most: bool = False
    processor: float | None = None

    @property
    def is_ok(self) -> bool | None:
        """Whether the target is reached; None where there is none."""
        if self.target is None:
            return None
        return self.ratio <= self.target if self.at_most else self.ratio >= self.target

    def to_json(self) -> dict[str, Any]:
        """Return the object that `bench.json` holds for it."""
        return {
            "id": self.id,
            "figure": round(self.figure, 4),
            "control": round(self.control, 4),
            "ratio": round(self.ratio, 4),
            "target": self.target,
            "ok": self.is_ok,
        }


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn of figure and control: how much a second, and processor seconds for each unit of it."""

    figure: float
    control: float
    figure_processor_s: float
    control_processor_s: float

    @property
    def ratio(self) -> float:
        return self.figure / self.control

    @property
    def processor(self) -> float:
        return self.control_processor_s / self.figure_processor_s


def rate(id: str, what: str, target: float, turns: Sequence[Turn]) -> Result:
    """
    Return the medians over the turns.

    Ratios are taken turn by turn, because a machine that others use too is faster in one
    minute than in the next, and then it is so for both sides.
    """
    return Result(
        id=id,
        what=what,
        unit="/s",
        figure=median(turn.figure for turn in turns),
        control=median(turn.control for turn in turns),
        ratio=median(turn.ratio for turn in turns),
        target=target,
        processor=median(turn.processor for turn in turns),
    )


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the smallest value that at least *percent* of all *values* do not exceed."""
    ranked = sorted(values)
    rank = -(-len(ranked) * percent // 100)
    return ranked[max(int(rank), 1) - 1]


_HEADINGS = ("id", "what", "figure", "control", "processor", "ratio", "target", "")


def table(results: Sequence[Result]) -> str:
    """Return the results as lines of text in columns."""
    rows = [_HEADINGS, *map(_row, results)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS))]
    lines = []
    for row in rows:
        texts = [text.ljust(width) for text, width in zip(row[:2], widths[:2], strict=True)]
        numbers = [text.rjust(width) for text, width in zip(row[2:7], widths[2:7], strict=True)]
        lines.append("  ".join([*texts, *numbers, row[7]]).rstrip())
    return "\n".join(lines)


def _row(result: Result) -> tuple[str, ...]:
    target = "" if result.target is None else f"{'≤' if result.at_most else '≥'} {result.target:g}"
    verdict = {True: "reached", False: "MISSED", None: ""}[result.is_ok]
    return (
        result.id,
        result.what,
        f"{_number(result.figure)} {result.unit}",
        f"{_number(result.control)} {result.unit}",
        "" if result.processor is None else f"{result.processor:.2f}",
        f"{result.ratio:.2f}",
        target,
        verdict,
    )


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"


def write(results: Sequence[Result], path: Path) -> None:
    """Write the results as a JSON list."""
    objects = [result.to_json() for result in results]
    path.write_text(json.dumps(objects, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
