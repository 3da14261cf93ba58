"""`orchestrator test` from outside: exit codes, lines, reports."""

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

KEEP = """
name: keep
description: An avatar.
inputs:
  prompt: {type: string, default: a baker}
steps:
  avatar: {uses: trypi/generate_avatar, with: {prompt: '${{ inputs.prompt }}'}}
outputs:
  avatar: ${{ steps.avatar.artifacts[0] }}
"""
GOOD = "  - {name: it is made, expect: {outputs: {avatar: {file: image/*}}, credits: {trypi: 1}}}\n"
BAD = "  - {name: it is a film, expect: {outputs: {avatar: {file: video/*}}}}\n"


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    (tmp_path / "keep.yaml").write_text(KEEP)
    (tmp_path / "keep.test.yaml").write_text(f"cases:\n{GOOD}{BAD}")
    return tmp_path


def test_a_line_for_each_case_and_what_came_instead(call: Any, shelf: Path) -> None:
    done = call("test", str(shelf), "-j", "1")

    assert done.exit_code == 1
    assert "✓ keep  it is made  " in done.stdout
    assert "✗ keep  it is a film  " in done.stdout
    assert "outputs.avatar\n      - expected file: video/*\n      + found    a file, image/" in done.stdout
    assert "accepted by trypi" in done.stdout
    assert done.stderr == "1 passed, 1 failed\n"


def test_cases_are_chosen_by_a_part_of_their_name(call: Any, shelf: Path) -> None:
    done = call("test", str(shelf / "keep.yaml"), "-k", "IS MADE")

    assert (done.exit_code, done.stderr) == (0, "1 passed\n")
    assert "accepted by trypi" not in done.stdout


def test_reports_for_machines_hold_every_case(call: Any, shelf: Path) -> None:
    done = call("test", str(shelf), "--json", "--junit", str(shelf / "out.xml"), "-j", "2")

    told = json.loads(done.stdout)
    assert (told["passed"], told["failed"]) == (1, 1)
    assert [(case["name"], case["passed"], case["line"]) for case in told["cases"]] == [
        ("it is made", True, 2),
        ("it is a film", False, 3),
    ]
    suites = ElementTree.parse(shelf / "out.xml").getroot()
    assert (suites.get("tests"), suites.get("failures")) == ("2", "1")
    (failure,) = suites.iter("failure")
    assert failure.get("message") == "outputs.avatar: expected file: video/*"


@pytest.mark.parametrize(
    ("text", "args", "told"),
    [
        ("cases: [{nam: x}]", (), "keep.test.yaml:1:10: unknown key 'nam' (did you mean 'name'?)"),
        (f"cases:\n{GOOD}", ("-k", "no such"), "no case has 'no such' in its name"),
    ],
)
def test_what_cannot_be_tested_ends_with_2(
    call: Any, shelf: Path, text: str, args: tuple[str, ...], told: str
) -> None:
    (shelf / "keep.test.yaml").write_text(text)

    done = call("test", str(shelf), *args)

    assert done.exit_code == 2
    assert told in done.output


def test_a_folder_without_tests_is_not_taken_for_one_that_passes(call: Any, tmp_path: Path) -> None:
    done = call("test", str(tmp_path))

    assert (done.exit_code, done.stderr) == (2, "orchestrator: there are no test files here\n")


def test_test_files_are_no_workflows(call: Any, shelf: Path) -> None:
    assert call("validate", str(shelf)).exit_code == 0


@pytest.mark.parametrize(
    "options",
    [
        ["--junit", "no-such-folder/results.xml"],
        *(["--timeout", text] for text in ("0", "-1", "nan", "inf", "-inf", "1e300")),
    ],
)
def test_an_option_that_cannot_be_met_is_told_before_anything_is_played(
    call: Any, shelf: Path, options: list[str]
) -> None:
    done = call("test", str(shelf), *options)

    assert (done.exit_code, done.stdout) == (2, "")
