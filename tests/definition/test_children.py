"""Workflows that start each other: what they name is there, gets what it needs, and comes to an end."""

from collections.abc import Callable

import pytest

from orchestrator.definition.catalog import Catalog
from orchestrator.definition.loader import load, survey

Together = Callable[..., list[str]]

CHILD = """\
name: child
inputs: {gender: {enum: [male, female]}, size: {type: integer, default: 3}}
steps: {a: {uses: pizi/create_model, with: {gender: male}}}
outputs: {uuid: '${{ steps.a.output.uuid }}'}
"""


@pytest.fixture
def together(catalog: Catalog) -> Together:
    """Return what is wrong with the first of several definitions that are loaded together."""

    def problems(text: str, *others: str) -> list[str]:
        found = [survey(other) for other in (text, *others)]
        known = {one.name: one for one in found if one is not None}
        loaded = load(text, file="w.yaml", catalog=catalog, others=known)
        return [str(problem).removeprefix("w.yaml:") for problem in loaded.problems]

    return problems


def calling(inputs: str, *, name: str = "w", child: str = "child", outputs: str = "{}") -> str:
    """A definition whose only step, in line 2, runs another one."""
    step = f"{{uses: core/run_workflow, with: {{workflow: {child}, inputs: {inputs}}}}}"
    return f"name: {name}\nsteps: {{s: {step}}}\noutputs: {outputs}\n"


def test_a_child_that_gets_what_it_needs_is_no_problem(together: Together) -> None:
    text = calling("{gender: male, size: '${{ 1 + 1 }}'}", outputs="{x: '${{ steps.s.output.uuid }}'}")

    assert together(text, CHILD) == []


def test_a_workflow_that_is_not_there_is_told(together: Together) -> None:
    assert together(calling("{}", child="chld"), CHILD) == [
        "2:55: there is no workflow 'chld' (did you mean 'child'?)"
    ]


def test_what_a_child_needs_and_does_not_know_is_told(together: Together) -> None:
    assert together(calling("{gendr: male, size: big}"), CHILD) == [
        "2:62: the input 'gender' of the workflow 'child' is required (add gender: …)",
        "2:71: the workflow 'child' has no input 'gendr' (did you mean 'gender'?)",
        "2:90: the input 'size' of 'child' must be a whole number, not text",
    ]


def test_inputs_that_are_not_known_yet_are_given_the_benefit_of_the_doubt(together: Together) -> None:
    assert together(calling("'${{ run.labels }}'"), CHILD) == []


def test_the_outputs_of_a_child_are_known(together: Together) -> None:
    text = calling("{gender: male}", outputs="{x: '${{ steps.s.output.uid }}'}")

    assert together(text, CHILD) == ["3:19: steps.s.output has no field 'uid' (did you mean 'uuid'?)"]


def test_a_workflow_that_starts_itself_is_refused(together: Together) -> None:
    assert together(calling("{}", child="w")) == [
        "2:55: this would go on for ever: w → w (let one of them not start the next)"
    ]


def test_workflows_that_start_each_other_are_refused(together: Together) -> None:
    one, two = calling("{}", name="one", child="two"), calling("{}", name="two", child="one")

    assert together(one, two) == [
        "2:55: this would go on for ever: one → two → one (let one of them not start the next)"
    ]


FOLLOWING = "name: {name}\ntriggers: {{run: {{workflow: {other}{more}}}}}\n"
STEPS = "steps: {a: {uses: pizi/create_model, with: {gender: male}}}\n"


def test_a_workflow_that_follows_one_that_is_not_there_is_told(together: Together) -> None:
    text = FOLLOWING.format(name="w", other="chld", more="") + STEPS

    assert together(text, CHILD) == ["2:28: there is no workflow 'chld' (did you mean 'child'?)"]


def test_workflows_that_follow_each_other_are_refused(together: Together) -> None:
    one, two = (FOLLOWING.format(name=a, other=b, more="") + STEPS for a, b in ("xy", "yx"))

    assert together(one, two) == [
        "2:28: this would go on for ever: y → x → y (let one of them not start the next)"
    ]


def test_a_workflow_that_starts_another_and_follows_it_is_refused(together: Together) -> None:
    parent = calling("{gender: male}") + "triggers: {run: {workflow: child}}\n"

    assert together(parent, CHILD) == [
        "2:55: this would go on for ever: w → child → w (let one of them not start the next)",
        "4:28: this would go on for ever: child → w → child (let one of them not start the next)",
    ]


def test_what_a_workflow_starts_may_follow_it_too(together: Together) -> None:
    parent = calling("{}", name="parent", child="follower")
    follower = FOLLOWING.format(name="follower", other="parent", more="") + STEPS

    assert together(parent, follower) == together(follower, parent) == []


def test_what_a_followed_run_gives_is_known(together: Together) -> None:
    more = ", inputs: {id: '${{ run.outputs.uid }}', g: '${{ run.inputs.gender }}'}"
    text = FOLLOWING.format(name="w", other="child", more=more) + "inputs: {id: {}, g: {}}\n" + STEPS

    assert together(text, CHILD) == ["2:53: run.outputs has no field 'uid' (did you mean 'uuid'?)"]


def test_several_may_start_the_same_one(together: Together) -> None:
    left, right = (calling("{gender: male}", name=name) for name in ("left", "right"))
    both = "name: both\nsteps:\n" + "".join(
        f"  {name}: {{uses: core/run_workflow, with: {{workflow: {name}}}}}\n" for name in ("left", "right")
    )

    assert together(both, left, right, CHILD) == []


def test_of_a_file_that_cannot_be_read_nothing_is_known() -> None:
    assert survey("steps: [") is None
    assert survey("steps: {}") is None
