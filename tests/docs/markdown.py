"""The few forms of Markdown that the generated parts of pages consist of."""

import re
from collections.abc import Iterable, Sequence


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; what would end a cell is escaped."""
    lines = [_line(columns), _line(["---"] * len(columns))]
    return "\n".join([*lines, *(_line(row) for row in rows)])


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def code(text: object) -> str:
    """Return *text* as code."""
    return f"`{text}`"


def codes(texts: Iterable[object]) -> str:
    """Return *texts* as code with commas between them."""
    return ", ".join(map(code, texts))


def folded(summary: str, body: str) -> str:
    """Return *body* in a block that is opened with a click."""
    return f"<details>\n<summary>{summary}</summary>\n\n{body}\n\n</details>"


def sentence(docstring: str | None) -> str:
    """Return a docstring as running text, with its *names* as code."""
    text = " ".join((docstring or "").split())
    return re.sub(r"(?<![\w*])\*(\w+)\*(?![\w*])", r"`\1`", text)
