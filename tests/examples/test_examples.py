"""Every workflow that is shipped is sound, and comes out as the tests beside it say."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from orchestrator.cli.validate import any_account, connected
from orchestrator.definition.inputs import check_inputs
from orchestrator.operations.look_ahead import look_ahead
from orchestrator.operations.planned import Sending
from orchestrator.operations.plans import Plans, catalog
from orchestrator.operations.workflows import is_test, read
from orchestrator.rehearsal import sandbox
from orchestrator.rehearsal.drawings import is_picture
from orchestrator.rehearsal.runner import find, results, selected
from orchestrator.rehearsal.verdict import Result
from orchestrator.settings import Settings

EXAMPLES = sorted(path.stem for path in sandbox.SHIPPED.glob("*.yaml") if not is_test(path))
PICTURE = "https://shop.example/picture.png"


@pytest.fixture(scope="module")
def played() -> Mapping[str, Sequence[Result]]:
    """What came of the cases of each example."""
    found = find([sandbox.SHIPPED], catalog(connected(sandbox.priced(Settings()))))
    assert [str(problem) for problem in found.problems] == []
    came: dict[str, list[Result]] = {}
    for file, result in results(selected(found.files, ""), Settings(), jobs=2, patience_s=100):
        came.setdefault(file.workflow.name, []).append(result)
    return came


def test_no_example_has_problems_or_warnings() -> None:
    found = read([sandbox.SHIPPED], catalog(any_account()))

    assert list(map(str, found.problems)) == []
    assert {name: path.stem for name, path in found.files.items()} == {name: name for name in EXAMPLES}


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_example_begins_with_a_sentence_and_the_command_that_runs_it(name: str) -> None:
    lines = (sandbox.SHIPPED / f"{name}.yaml").read_text().splitlines()

    opening = lines[: lines.index(f"name: {name}")]

    assert all(line.startswith("#") for line in opening)
    assert opening[-1].startswith(f"#   orchestrator run {name} ")


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_comes_out_as_its_tests_say(played: Any, name: str) -> None:
    told = {result.case.name: [d.to_json() for d in result.differences] for result in played[name]}

    assert told == {case: [] for case in told}


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_first_case_of_an_example_says_what_it_costs_and_gives(played: Any, name: str) -> None:
    expect = played[name][0].case.expect

    assert expect.credits
    assert expect.outputs.keys() == read_example(name).outputs.keys()


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_dry_run_of_an_example_tells_what_it_costs(played: Any, name: str) -> None:
    connectors = connected(sandbox.priced(Settings()))
    plans = Plans(connectors, Sending(key="k", callbacks=True, public_url="https://hooks.example.com"))
    workflow, first = read_example(name), played[name][0]
    drawn: dict[str, Any] = {
        input: [PICTURE] if workflow.inputs[input].get("type") == "array" else PICTURE
        for input in workflow.required
        if is_picture(workflow.inputs[input])
    }
    inputs, problems = check_inputs(workflow, drawn | dict(first.case.scene.inputs))

    told = look_ahead(workflow, inputs, {}, operation_of=plans.planned, find=lambda name: None).credits

    assert problems == []
    assert {connection: (span.least, span.most) for connection, span in told.items()} == {
        connection: (cost, cost) for connection, cost in first.performance.run["credits"].items()
    }


def read_example(name: str) -> Any:
    path: Path = sandbox.SHIPPED / f"{name}.yaml"
    return read([path], catalog(any_account())).workflows[name]
