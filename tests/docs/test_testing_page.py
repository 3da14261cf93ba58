"""The page about dry runs and tests names every key there is, and its example passes."""

import shutil
from collections.abc import Iterable
from pathlib import Path

import pytest

from orchestrator.cli.validate import connected
from orchestrator.operations.plans import catalog
from orchestrator.rehearsal import reading, sandbox
from orchestrator.rehearsal.matching import MATCHERS
from orchestrator.rehearsal.runner import find, results, selected
from orchestrator.settings import Settings
from tests.docs.generate import DOCS
from tests.docs.reading import code_blocks, first_column, section

PAGE = DOCS / "testing.md"


@pytest.mark.parametrize(
    ("heading", "known"),
    [
        ("What goes in", reading.CASE_KEYS),
        ("What has to come of it", (*reading.EXPECT_KEYS, *MATCHERS)),
    ],
)
def test_every_key_of_a_case_is_in_its_table(heading: str, known: Iterable[str]) -> None:
    assert first_column(PAGE, heading) == set(known)


def test_every_key_of_what_is_expected_of_a_step_is_told() -> None:
    told = section(PAGE, "What has to come of it")

    assert all(f"`{key}`" in told for key in (*reading.STEP_KEYS, *reading.ERROR_KEYS))


def test_the_example_passes(tmp_path: Path) -> None:
    ((_, text),) = code_blocks(PAGE, "yml")
    shutil.copy(sandbox.SHIPPED / "fashion-shoot.yaml", tmp_path)
    (tmp_path / "fashion-shoot.test.yaml").write_text(text)
    found = find([tmp_path], catalog(connected(sandbox.priced(Settings()))))

    came = [result for _, result in results(selected(found.files, ""), Settings(), jobs=1, patience_s=60)]

    assert list(map(str, found.problems)) == []
    assert [[d.to_json() for d in result.differences] for result in came] == [[], [], []]
    assert all(f"✓ fashion-shoot  {result.case.name}" in PAGE.read_text() for result in came)
