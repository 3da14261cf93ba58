"""Test files in a folder of their own, beside the workflow that they are about."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from orchestrator.cli.validate import connected
from orchestrator.definition.catalog import Catalog
from orchestrator.operations.plans import catalog
from orchestrator.rehearsal import sandbox
from orchestrator.rehearsal.runner import Found, find, results, selected
from orchestrator.rehearsal.verdict import Result
from orchestrator.settings import Settings

SHOOT = """
name: shoot
description: A model, and a question.
inputs:
  gender: {type: string, enum: [female, male], default: female}
  photo: {type: string, format: image}
steps:
  rest: {uses: core/sleep, with: {duration: 3h}}
  model:
    uses: pizi/create_model
    needs: [rest]
    with: {gender: '${{ inputs.gender }}', referenceImages: ['${{ inputs.photo }}']}
  ask:
    uses: core/approve
    timeout: 2h
    with: {message: Well?, choices: '${{ steps.model.artifacts }}', default: reject}
  larger:
    uses: perfect/enhance
    for_each: ${{ steps.ask.output.chosen }}
    with: {image: '${{ item }}', scale: 2}
outputs:
  model: ${{ steps.model.output.uuid }}
  larger: ${{ steps.larger.artifacts }}
"""

Read = Callable[[str], Found]
Play = Callable[[str], Sequence[Result]]


@pytest.fixture(scope="session")
def known() -> Catalog:
    return catalog(connected(sandbox.priced(Settings())))


@pytest.fixture
def read_cases(tmp_path: Path, known: Catalog) -> Read:
    """Read a test file that lies beside the workflow `shoot`."""

    def read_cases(text: str) -> Found:
        (tmp_path / "shoot.yaml").write_text(SHOOT)
        (tmp_path / "shoot.test.yaml").write_text(text)
        return find([tmp_path], known)

    return read_cases


@pytest.fixture
def play(read_cases: Read) -> Play:
    """Play all cases of a test file."""

    def play(text: str) -> Sequence[Result]:
        found = read_cases(text)
        assert [str(problem) for problem in found.problems] == []
        cases = selected(found.files, "")
        return [result for _, result in results(cases, Settings(), jobs=1, patience_s=60)]

    return play
