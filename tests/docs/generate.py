"""
Writes those parts of the pages in docs/ that the code knows best: `make docs`.

Such a part stands between two marks, and only what is between them is replaced:

    <!-- generated: parameters pizi -->

    …

    <!-- end -->

Everything else on a page is written by hand.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from tests.docs import log_tables, provider_tables

TOP = Path(__file__).parent.parent.parent
DOCS = TOP / "docs"

BLOCKS: Mapping[str, Callable[[str], str]] = {
    "operations": provider_tables.operations,
    "parameters": provider_tables.parameters,
    "settings": provider_tables.settings,
    "errors": provider_tables.errors,
    "features": provider_tables.features,
    "paths": provider_tables.paths,
    "models": provider_tables.models,
    "kinds": provider_tables.kinds,
    "events": log_tables.events,
    "connection_events": log_tables.connection_events,
    "log_lines": log_tables.log_lines,
    "error_classes": log_tables.error_classes,
}
"""What can be generated, by the first word of a mark; the second is the argument."""

_BLOCK = re.compile(r"(?ms)^<!-- generated: (\w+) ?(\w*) -->$.*?^<!-- end -->$")


def pages() -> list[Path]:
    """Return every page of the documentation."""
    return sorted(DOCS.rglob("*.md"))


def marks(text: str) -> Iterator[tuple[str, str]]:
    """Yield (block, argument) of every mark on a page."""
    for found in _BLOCK.finditer(text):
        yield found[1], found[2]


def rewritten(text: str) -> str:
    """Return a page with everything between its marks as the code has it now."""

    def made(found: re.Match[str]) -> str:
        name, argument = found[1], found[2]
        opening = f"<!-- generated: {name}{f' {argument}' if argument else ''} -->"
        return f"{opening}\n\n{BLOCKS[name](argument).strip()}\n\n<!-- end -->"

    return _BLOCK.sub(made, text)


def main() -> None:
    """Rewrite every page that has changed, and name it."""
    for page in pages():
        before = page.read_text("utf-8")
        after = rewritten(before)
        if after != before:
            page.write_text(after, "utf-8")
            print(page.relative_to(TOP))
