"""What a run may be started with."""

from collections.abc import Callable
from typing import Any

import pytest

from orchestrator.definition.inputs import check_inputs
from orchestrator.definition.loader import Loaded
from orchestrator.definition.workflow import Workflow

DIGEST = "sha256:" + "0a" * 32

TEXT = """\
name: w
inputs:
  product_images: {type: array, items: {type: string, format: image}, minItems: 1, maxItems: 3}
  gender: {type: string, enum: [female, male], default: female}
  picture: {type: string, format: image, required: false}
  scale: {type: integer, minimum: 1, required: false}
  maybe: {type: [string, "null"], required: false}
  size:
    type: object
    required: [width]
    properties: {width: {type: integer}, height: {$ref: '#/$defs/side'}}
    additionalProperties: false
    $defs: {side: {type: integer, maximum: 100}}
    default: {width: 1}
steps:
  s: {uses: pizi/get_credits}
"""


@pytest.fixture(scope="module")
def workflow(load_text: Callable[[str], Loaded]) -> Workflow:
    loaded = load_text(TEXT)
    assert loaded.workflow is not None, loaded.problems
    return loaded.workflow


def problems(workflow: Workflow, **given: Any) -> list[tuple[str, str]]:
    _, found = check_inputs(workflow, {"product_images": ["https://example.com/1.png"], **given})
    return [(problem.location, problem.message) for problem in found]


def test_defaults_are_filled_in_and_what_else_is_optional_is_null(workflow: Workflow) -> None:
    inputs, found = check_inputs(workflow, {"product_images": ["data:image/png;base64,aa"]})

    assert not found
    assert inputs == {
        "product_images": ["data:image/png;base64,aa"],
        "gender": "female",
        "picture": None,
        "scale": None,
        "maybe": None,
        "size": {"width": 1},
    }


def test_null_counts_as_not_given_where_it_is_no_value(workflow: Workflow) -> None:
    inputs, found = check_inputs(workflow, {"product_images": ["http://x/1"], "gender": None, "scale": None})

    assert not found
    assert inputs["gender"] == "female"
    assert inputs["scale"] is None


@pytest.mark.parametrize(
    "image",
    ["https://example.com/a.png", "HTTP://x", "data:,x", f"artifact:{DIGEST}", {"digest": DIGEST, "size": 3}],
)
def test_an_image_may_be_given_in_many_ways(workflow: Workflow, image: Any) -> None:
    assert problems(workflow, picture=image, product_images=[image]) == []


@pytest.mark.parametrize(
    "image", ["", "1.png", "ftp://x/1", "http://", "artifact:sha256:12", {"digest": "x"}, {}]
)
def test_what_is_no_image_is_told(workflow: Workflow, image: Any) -> None:
    (problem,) = problems(workflow, product_images=["https://x/1", image])

    assert problem == (
        "inputs.product_images[1]",
        "must be an image: an http(s) URL, a data URI or an artifact (artifact:sha256:…)",
    )


@pytest.mark.parametrize(
    ("given", "location", "message"),
    [
        ({"gendr": "male"}, "inputs.gendr", "there is no such input (did you mean 'gender'?)"),
        (
            {"gender": "femal"},
            "inputs.gender",
            "must be female or male, not 'femal' (did you mean 'female'?)",
        ),
        ({"gender": 3}, "inputs.gender", "must be text, not a number"),
        ({"scale": "2"}, "inputs.scale", "must be a whole number, not text"),
        ({"scale": True}, "inputs.scale", "must be a whole number, not true or false"),
        ({"scale": 0}, "inputs.scale", "must be at least 1, not 0"),
        ({"product_images": []}, "inputs.product_images", "must have at least 1 item, not 0"),
        ({"product_images": ["data:,"] * 4}, "inputs.product_images", "must have at most 3 items, not 4"),
        ({"product_images": None}, "inputs.product_images", "must be a list, not null"),
        ({"product_images": [3]}, "inputs.product_images[0]", "must be text, not a number"),
        ({"picture": []}, "inputs.picture", "must be text, not a list"),
        ({"size": {"width": "1"}}, "inputs.size.width", "must be a whole number, not text"),
        (
            {"size": {"width": 1, "height": 101}},
            "inputs.size.height",
            "must be at most 100, not 101",
        ),
        ({"size": {}}, "inputs.size", "needs the field 'width'"),
    ],
)
def test_what_is_wrong_is_told_with_its_location(
    workflow: Workflow, given: dict[str, Any], location: str, message: str
) -> None:
    assert (location, message) in problems(workflow, **given)


def test_everything_wrong_is_told_at_once(workflow: Workflow) -> None:
    _, found = check_inputs(workflow, {"gender": "x", "scale": "x", "nothing": 1})

    assert [problem.location for problem in found] == [
        "inputs.nothing",
        "inputs.product_images",
        "inputs.gender",
        "inputs.scale",
    ]


def test_a_missing_input_is_required(workflow: Workflow) -> None:
    _, (problem,) = check_inputs(workflow, {})

    assert (problem.location, problem.message) == ("inputs.product_images", "is required")


def test_a_message_does_not_repeat_a_long_value(workflow: Workflow) -> None:
    for _, message in problems(workflow, size={"x" * 100_000: 1, "width": 1}):
        assert len(message) < 400
