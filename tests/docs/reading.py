"""Reads pages as the tests need them: their code blocks and their tables."""

import re
from collections.abc import Iterator
from pathlib import Path

_FENCED = re.compile(r"(?ms)^```(\w*)\n(.*?)^```$")


def code_blocks(page: Path, language: str) -> Iterator[tuple[int, str]]:
    """Yield the line and the text of every block in *language*."""
    text = page.read_text("utf-8")
    for found in _FENCED.finditer(text):
        if found[1] == language:
            yield text.count("\n", 0, found.start()) + 1, found[2]


def section(page: Path, heading: str) -> str:
    """Return what stands below a heading, up to the next one."""
    text = page.read_text("utf-8")
    found = re.search(rf"(?ms)^#+ {re.escape(heading)}\n(.*?)(?=^#+ |\Z)", text)
    if found is None:
        raise ValueError(f"{page.name} has no heading '{heading}'")
    return found[1]


def rows(page: Path, heading: str) -> list[list[str]]:
    """Return the cells of the tables below a heading, without their head lines."""
    lines = [line for line in section(page, heading).splitlines() if line.startswith("|")]
    split = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    heads = {at - 1 for at, cells in enumerate(split) if set(cells) == {"---"}}
    return [
        [cell.replace("\\|", "|") for cell in cells]
        for at, cells in enumerate(split)
        if at not in heads and set(cells) != {"---"}
    ]


def first_column(page: Path, heading: str) -> set[str]:
    """Return the words in code in the first cells of the tables below a heading."""
    return {word for cells in rows(page, heading) for word in re.findall(r"`([^`]+)`", cells[0])}
