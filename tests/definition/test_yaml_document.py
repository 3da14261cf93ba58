"""YAML as plain values, where everything was written, and what is refused."""

import time
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.definition.yaml_document import BYTES_MAX, Place, Unreadable, read


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("on", "on"),
        ("yes", "yes"),
        ("No", "No"),
        ("2001-01-01", "2001-01-01"),
        ("12:30:45", "12:30:45"),
        ("1_000", "1_000"),
        ("true", True),
        ("FALSE", False),
        ("~", None),
        ("", None),
        ("012", 12),
        ("0o14", 12),
        ("0xfF", 255),
        ("-7", -7),
        ("+1.5e3", 1500.0),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("'12'", "12"),
        ('"true"', "true"),
        ("! 12", "12"),
        ("!!str 12", "12"),
        ("!!int 12", 12),
        ("18446744073709551615", 2**64 - 1),
        ("|\n  a\n  b\n", "a\nb\n"),
    ],
)
def test_scalars_are_those_of_the_core_schema(text: str, expected: Any) -> None:
    found = read(f"key: {text}").data["key"]

    assert found == expected
    assert type(found) is type(expected)


def test_a_version_directive_changes_nothing() -> None:
    assert read("%YAML 1.1\n---\non: yes").data == {"on": "yes"}


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("a: 1\nb: {c: 2,\n    c: 3}", (3, 5), "the key 'c' is here twice (first in line 2)"),
        ("a: &x [1]\nb: *x", (2, 4), "aliases (*name) are not supported"),
        ("a: &x {b: *x}", (1, 11), "aliases (*name) are not supported"),
        ("<<: {a: 1}", (1, 1), "merge keys (<<) are not supported"),
        ("a:\n- !b.c x", (2, 3), "tags such as '!b.c' are not supported"),
        ("a: !!binary eA==", (1, 4), "tags such as"),
        ("a: !!python/object:os.system {}", (1, 4), "tags such as"),
        ("[a, b]: 1", (1, 1), "a key has to be a text"),
        ("'${{ a }}': 1", (1, 1), "a key cannot hold an expression"),
        ("a: .inf", (1, 4), ".inf is no number that JSON knows"),
        ("a: -.Inf", (1, 4), "is no number that JSON knows"),
        ("a: 1e999", (1, 4), "the number is too large"),
        ("a: 99999999999999999999", (1, 4), "the whole number is too large (over 64 bits): quote it"),
        ('a: "\\ud800"', (1, 4), "the text holds half of a character"),
    ],
)
def test_flaws_are_told_with_their_place(text: str, place: tuple[int, int], message: str) -> None:
    (flaw,) = read(text).flaws

    assert message in flaw[0]
    assert flaw[1] == Place(*place)


@pytest.mark.parametrize(
    ("text", "place", "message", "hint"),
    [
        ("a: ${{ b ? 'c' : 'd' }}", (1, 16), "mapping values", "quote this value"),
        ("a: ${{ {'b': 1} }}", (1, 12), "mapping values", "quote this value"),
        ("a: ${{ 'b: c' }}", (1, 10), "mapping values", "quote this value"),
        ("a: [${{ b }}, ${{ c }}]", (1, 6), "expected ',' or ']'", "quote this value"),
        ("a: 1\nb: {c: ${{ d }}}", (2, 9), "expected ',' or '}'", "quote this value"),
        ("a:\n\t- 1", (2, 1), "tab", "indent with spaces"),
        ("a: 'b", (1, 6), "end of stream", None),
        ("a: 1\n---\nb: 2", (2, 1), "one workflow a file", None),
        ("a: *gone", (1, 4), "", None),
        ("a: \x00", (1, 4), "special characters are not allowed", None),
        ("a: b: c", (1, 5), "mapping values", None),
        ("- " * 40 + "a", (1, 67), "nested more than 32 deep", None),
    ],
)
def test_what_is_no_yaml_is_told_with_its_place(
    text: str, place: tuple[int, int], message: str, hint: str | None
) -> None:
    try:
        document = read(text)
    except Unreadable as error:
        found = (error.message, error.place, error.hint or "")
    else:
        found = (document.flaws[0][0], document.flaws[0][1], document.flaws[0][2] or "")

    assert message in found[0]
    assert found[1] == Place(*place)
    assert (hint or "") in found[2]


@pytest.mark.parametrize(
    "bomb", ["[" * 100_000, "{" * 100_000, "- " * 100_000, "? " * 100_000, "a: {" * 50_000]
)
def test_deep_nesting_is_refused_in_no_time(bomb: str) -> None:
    began = time.process_time()

    with pytest.raises(Unreadable):
        read(bomb)

    assert time.process_time() - began < 3


def test_an_alias_bomb_stays_small() -> None:
    lines = ["a0: &a0 [x, x]"] + [f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 40)]

    document = read("\n".join(lines))

    assert document.data["a39"] == [None, None]
    assert len(document.flaws) == 78


def test_a_large_file_is_refused() -> None:
    with pytest.raises(Unreadable, match="larger than 256 KB"):
        read("#" + "x" * BYTES_MAX)


def test_places_of_keys_values_and_items() -> None:
    document = read("a:\n  b: [1, {c: x}]\n'd' : |\n  text\n")

    assert document.key(("a", "b")) == Place(2, 3)
    assert document.value(("a", "b")) == Place(2, 6)
    assert document.value(("a", "b", 1)) == Place(2, 10)
    assert document.key(("a", "b", 1, "c")) == Place(2, 11)
    assert document.value(("a", "b", 1, "c")) == Place(2, 14)
    assert document.key(("d",)) == Place(3, 1)


def test_the_place_of_what_is_not_there_is_that_of_what_it_is_missing_in() -> None:
    document = read("a:\n  b: {c: 1}\n")

    assert document.key(("a", "b", "x", "y")) == Place(2, 3)
    assert document.value(("x",)) == Place(1, 1)


@pytest.mark.parametrize(
    ("text", "find", "place"),
    [
        ("a: one two", "two", (1, 8)),
        ("a: 'one two'", "two", (1, 9)),
        ('a: "o\\u006Ee two"', "two", (1, 14)),
        ("a: 'it''s two'", "two", (1, 11)),
        ("a: |\n  one\n  two\n", "two", (3, 3)),
        ("a: >\n  one\n  two\n", "two", (3, 3)),
        ("a: >-\n    x x\n    x two x\n", "two", (3, 7)),
    ],
)
def test_the_place_inside_a_text(text: str, find: str, place: tuple[int, int]) -> None:
    document = read(text)

    assert document.inside(("a",), document.data["a"].index(find)) == Place(*place)


def test_of_equal_snippets_the_right_one_is_found() -> None:
    document = read("a: |\n  ${{ x }}\n  ${{ x }}\n")

    assert document.inside(("a",), document.data["a"].rindex("x")) == Place(3, 7)


@given(st.text(st.sampled_from("ab:-?[]{}&*!|>'\"#%@,\n\t \\x0${"), max_size=60))
@settings(max_examples=300, deadline=None)
def test_no_text_breaks_the_reader(text: str) -> None:
    with suppress(Unreadable):
        assert read(text).value(()) >= Place(1, 1)
