"""What is known of values while some of what they read is not."""

from typing import Any

import pytest

from orchestrator.definition.foresight import Unknown, foresee, foresee_condition, source_of
from orchestrator.definition.templates import condition, template_value
from orchestrator.errors import InvalidValue

PICTURES = Unknown("steps.pictures.artifacts", 3, 3)
PHOTOS = ["a", Unknown("steps.draw.artifacts[0]")]
SCOPE = {
    "inputs": {"n": 3, "photos": PHOTOS, "wide": True},
    "steps": {"pictures": {"artifacts": PICTURES, "status": "succeeded"}},
    "run": {"id": Unknown("run.id"), "labels": {"team": "x"}},
}


def value(template: Any) -> Any:
    def never(place: object, error: Exception) -> None:
        raise AssertionError(error)

    return foresee(template_value(template, never), SCOPE)


@pytest.mark.parametrize(
    ("template", "seen"),
    [
        ("${{ range(inputs.n) }}", [0, 1, 2]),
        ("n is ${{ inputs.n }}", "n is 3"),
        ({"a": ["${{ inputs.n + 1 }}", "b"]}, {"a": [4, "b"]}),
        ("${{ run.labels.team }}", "x"),
        ("${{ steps.pictures.status }}", "succeeded"),
    ],
)
def test_what_reads_only_what_is_known_has_its_value(template: Any, seen: Any) -> None:
    assert value(template) == seen


@pytest.mark.parametrize(
    ("template", "seen"),
    [
        ("${{ steps.pictures.artifacts }}", PICTURES),
        ("${{ steps.pictures.artifacts[0] }}", Unknown("steps.pictures.artifacts[0]")),
        ("${{ steps.pictures.artifacts | reverse }}", PICTURES),
        ("${{ steps.pictures.artifacts | unique }}", Unknown("steps.pictures.artifacts", 0, 3)),
        ("${{ steps.pictures.artifacts | length }}", Unknown("steps.pictures.artifacts")),
        ("run ${{ run.id }}", Unknown("run.id")),
        ("${{ inputs.photos | reverse }}", Unknown("steps.draw.artifacts[0]", 2, 2)),
    ],
)
def test_what_reads_something_unknown_says_what_and_how_long_its_list_is(
    template: str, seen: Unknown
) -> None:
    assert value(template) == seen


def test_what_is_only_looked_up_keeps_what_is_unknown_in_its_place() -> None:
    assert value("${{ inputs.photos }}") == PHOTOS
    assert value("${{ inputs.photos[0] }}") == "a"


def test_what_is_known_and_wrong_is_told_now() -> None:
    with pytest.raises(InvalidValue, match=r"has no field 'm'"):
        value("${{ inputs.m }}")


@pytest.mark.parametrize(
    ("source", "runs"),
    [
        ("inputs.wide", True),
        ("not inputs.wide", False),
        ("run.id == 'x'", None),
        ("failure()", False),
        ("success() and inputs.wide", None),
    ],
)
def test_a_condition_holds_or_not_or_nobody_knows(source: str, runs: bool | None) -> None:
    status = {"failure": lambda: False, "success": lambda: None}

    assert foresee_condition(condition(source), SCOPE, status) is runs


def test_an_expression_is_shown_as_its_author_wrote_it() -> None:
    one = template_value("${{ inputs.n }}", lambda place, error: None)

    assert (source_of(one), source_of(condition("${{ inputs.wide }}"))) == ("inputs.n", "inputs.wide")
