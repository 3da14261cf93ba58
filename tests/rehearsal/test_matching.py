"""What counts as the same, and how a difference is told."""

from typing import Any

import pytest

from orchestrator.rehearsal.matching import complaint, differences

FILE = {"digest": "sha256:1", "media_type": "image/png", "width": 1024, "height": 768}


@pytest.mark.parametrize(
    ("expected", "found"),
    [
        (4, 4.0),
        ({"a": 1}, {"a": 1, "b": 2}),
        ([{"width": 1024}], [FILE]),
        ({"file": "image/*"}, FILE),
        ({"count": 2}, [1, 2]),
        ({"matches": "^[a-f]+$"}, "abc"),
        ({"contains": "face"}, "no face was found"),
        ({"contains": {"width": 1024}}, [FILE]),
        ({"at_least": 1, "at_most": 3}, 2),
        ({"one_of": ["a", "b"]}, "b"),
        ({"any": True}, 0),
        ({"any": False}, None),
        ({"equals": {"a": 1}}, {"a": 1}),
    ],
)
def test_what_is_as_expected_makes_no_difference(expected: Any, found: Any) -> None:
    assert list(differences(expected, found, "outputs.x")) == []


@pytest.mark.parametrize(
    ("expected", "found", "told"),
    [
        ("a", "b", ("x", "a", "b")),
        (True, 1, ("x", "true", "1")),
        ({"a": {"b": 1}}, {"a": {"b": 2}}, ("x.a.b", "1", "2")),
        ({"a": 1}, {}, ("x.a", "1", "nothing")),
        ([1, 2], [1, 3], ("x[1]", "2", "3")),
        ([1], [1, 2], ("x", "[1]", "[1, 2]")),
        ({"count": 4}, [1, 2], ("x", "count: 4", "2: [1, 2]")),
        ({"equals": {"a": 1}}, {"a": 1, "b": 2}, ("x", 'equals: {"a": 1}', '{"a": 1, "b": 2}')),
        ({"file": "video/*"}, FILE, ("x", "file: video/*", "a file, image/png 1024 × 768")),
    ],
)
def test_a_difference_says_where_and_what(expected: Any, found: Any, told: tuple[str, str, str]) -> None:
    (difference,) = differences(expected, found, "x")

    assert (difference.at, difference.expected, difference.found) == told


def test_a_question_that_cannot_be_asked_is_told() -> None:
    assert complaint({"count": "many"}) == "'count' takes a whole number"
    assert complaint({"matches": "("}) is not None
    assert complaint({"count": 2}) is None
