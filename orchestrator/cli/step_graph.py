"""
Draws which step needs which, from the top down, a line for each step.

A step that others need has a lane below it, from which each of them branches off; the last one ends it.

    ● model
    ├─╮
    │ ● portrait
    ├─│─╮
    │ │ ● pictures
    ├─┴─╯
    ● collage
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

ASCII: Mapping[int, int] = str.maketrans("│─├┤┬┴┼╭╮╰╯●○", "|-" + "+" * 9 + "*o")
"""For terminals without the characters of boxes."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the drawing; *step* is what stands in it, if it is no line between two steps."""

    lanes: str
    step: str | None = None


def draw(needs: Mapping[str, Sequence[str]], *, marks: Mapping[str, str] | None = None) -> list[Row]:
    """
    Return the lines of the drawing.

    Shape:   *needs*: of each step the steps that it needs directly; *marks*: what stands for some of them
             instead of `●`.
    """
    sketch = _Sketch(needs, marks or {})
    for step in _in_order(needs):
        sketch.place(step)
    return sketch.rows


def _in_order(needs: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Yield each step after all it needs, and as soon after the last of them as can be."""
    waiting = {step: set(others) & needs.keys() for step, others in needs.items()}
    ready = [step for step, others in waiting.items() if not others]
    while ready:
        step = ready.pop(0)
        yield step
        freed = []
        for other, left in waiting.items():
            if step in left:
                left.discard(step)
                if not left:
                    freed.append(other)
        ready = freed + ready


class _Sketch:
    """What was drawn so far. *lanes*: by column the step whose lane is there, or None."""

    def __init__(self, needs: Mapping[str, Sequence[str]], marks: Mapping[str, str]) -> None:
        self.rows: list[Row] = []
        self._needs, self._marks = needs, marks
        self._lanes: list[str | None] = []
        self._followers = {
            step: {other for other, others in needs.items() if step in others} for step in needs
        }

    def place(self, step: str) -> None:
        """Draw *step* below everything that it needs, which has been drawn."""
        sources = [at for at, lane in enumerate(self._lanes) if lane in self._needs[step]]
        for at in sources:
            self._followers[str(self._lanes[at])].discard(step)
        ended = {at for at in sources if not self._followers[str(self._lanes[at])]}
        column = min(ended) if ended else self._free_column()
        if sources:
            self.rows.append(Row(self._joint(sources, ended, column)))
        for at in ended:
            self._lanes[at] = None
        self._lanes[column] = step
        lanes = ["│" if lane is not None else " " for lane in self._lanes]
        lanes[column] = self._marks.get(step, "●")
        self.rows.append(Row(" ".join(lanes).rstrip(), step))
        if not self._followers[step]:
            self._lanes[column] = None

    def _free_column(self) -> int:
        if None in self._lanes:
            return self._lanes.index(None)
        self._lanes.append(None)
        return len(self._lanes) - 1

    def _joint(self, sources: Sequence[int], ended: set[int], column: int) -> str:
        """Return the line that leads from the lanes at *sources* to the step below it at *column*."""
        first, last = min(*sources, column), max(*sources, column)
        text = ""
        for at, lane in enumerate(self._lanes):
            left, right = first < at <= last, first <= at < last
            if at == column or at in sources:
                above, below = at in sources, at == column or at not in ended
                text += _CORNERS[above, below, left, right]
            else:
                text += "│" if lane is not None else "─" if left and right else " "
            text += "─" if right else " "
        return text.rstrip()


_CORNERS = {
    (True, True, False, False): "│",
    (True, True, False, True): "├",
    (True, True, True, False): "┤",
    (True, True, True, True): "┼",
    (True, False, False, True): "╰",
    (True, False, True, False): "╯",
    (True, False, True, True): "┴",
    (False, True, False, True): "╭",
    (False, True, True, False): "╮",
    (False, True, True, True): "┬",
}
"""The character that joins lines from above, below, the left and the right."""
