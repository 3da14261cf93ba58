"""The pages agree with the code: what is generated, what they link to, what they tell to type."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import click
import pytest

from orchestrator.cli import cli
from orchestrator.engine.state import JobStatus, RunStatus, StepStatus
from orchestrator.providers.registry import KINDS
from orchestrator.simulators.server import SIMULATORS
from tests.docs.generate import BLOCKS, DOCS, TOP, marks, pages, rewritten
from tests.docs.reading import code_blocks, first_column

EVERY_PAGE = [*pages(), TOP / "README.md", TOP / "CONTRIBUTING.md", TOP / "deploy" / "README.md"]


def named(path: Path) -> str:
    return str(path.relative_to(TOP))


@pytest.mark.parametrize("page", pages(), ids=named)
def test_what_is_generated_is_as_the_code_has_it(page: Path) -> None:
    text = page.read_text("utf-8")

    assert text.count("<!-- generated") == len(list(marks(text))), "a mark is misspelt, or has no end"
    assert rewritten(text) == text, f"{named(page)} is older than the code: make docs"


def test_every_kind_of_provider_has_a_page_with_all_that_is_known_of_it() -> None:
    for kind in KINDS:
        text = (DOCS / "providers" / f"{kind}.md").read_text("utf-8")

        assert {(name, kind) for name in ("operations", "parameters", "settings", "errors")} <= set(
            marks(text)
        )
        for heading in ("Example", "Waiting", "After an unclear submit", "Known gaps"):
            assert f"\n## {heading}\n" in text


def test_every_page_of_a_provider_is_about_a_kind_there_is() -> None:
    assert {page.stem for page in (DOCS / "providers").glob("*.md")} == set(KINDS)


def test_the_readme_tells_which_providers_are_simulated() -> None:
    assert "All five providers are simulated." in (TOP / "README.md").read_text("utf-8")
    assert set(SIMULATORS) == set(KINDS)
    assert len(KINDS) == 5


def test_everything_that_can_be_generated_stands_somewhere() -> None:
    used = {name for page in pages() for name, _ in marks(page.read_text("utf-8"))}

    assert used == set(BLOCKS)


# --- links -----------------------------------------------------------------------------------


def anchors(page: Path) -> set[str]:
    """Return what the headings of a page can be linked as."""
    text = re.sub(r"(?ms)^```.*?^```$", "", page.read_text("utf-8"))
    headings = re.findall(r"(?m)^#+ (.+)$", text)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", EVERY_PAGE, ids=named)
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"(?ms)^```.*?^```$", "", page.read_text("utf-8"))

    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if link.startswith("https://"):
            continue
        file, _, anchor = link.partition("#")
        target = (page.parent / file).resolve() if file else page
        assert target.exists(), f"{link} leads nowhere"
        assert not anchor or anchor in anchors(target), f"{link}: there is no such heading"


# --- commands --------------------------------------------------------------------------------


def commands(page: Path) -> Iterator[list[str]]:
    """Yield the words after every `orchestrator` that a reader would type."""
    text = page.read_text("utf-8")
    typed = [line for _, body in code_blocks(page, "console") for line in body.splitlines()]
    lines = [line[2:] for line in typed if line.startswith(("$ ", "# "))]
    inline = re.findall(r"`([^`\n]+)`", re.sub(r"(?ms)^```.*?^```$", "", text))
    for line in [*lines, *inline]:
        if found := re.match(r"(?:\S*/)?orchestrator ([a-z][^#|>]*)", line):
            yield found[1].split()


@pytest.mark.parametrize("page", EVERY_PAGE, ids=named)
def test_commands_exist_with_their_options(page: Path) -> None:
    for words in commands(page):
        at: click.Command = cli
        while isinstance(at, click.Group) and words and not words[0].startswith("-"):
            found = at.commands.get(words[0])
            assert found is not None, f"there is no command 'orchestrator … {words[0]}'"
            at, words = found, words[1:]
        known = {option for param in at.params for option in (*param.opts, *param.secondary_opts)}
        told = {word.partition("=")[0] for word in words if re.match(r"--?[a-z]", word)}
        assert told <= known | {"--help", "-h"}, f"{at.name}: {told - known}"


# --- words -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("heading", "statuses"),
    [("Jobs", get_args(JobStatus)), ("Steps", get_args(StepStatus)), ("Runs", get_args(RunStatus))],
)
def test_every_status_is_explained(heading: str, statuses: tuple[str, ...]) -> None:
    assert first_column(DOCS / "operations.md", heading) == set(statuses)
