"""Values with expressions in them, and the conditions of steps."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.definition.expressions import ExpressionError
from orchestrator.definition.templates import Span, TemplateValue, condition, split, template_value
from orchestrator.errors import InvalidValue

SCOPE: dict[str, Any] = {
    "inputs": {"n": 3, "f": 1.5, "flag": True, "text": "a", "list": [1, "b"], "map": {"k": 1}, "null": None}
}

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


def compiled(template: Any) -> TemplateValue:
    def fail(place: Any, error: ExpressionError) -> None:
        raise error

    return template_value(template, fail)


@given(JSON)
def test_one_expression_keeps_the_type_of_its_value(known: Any) -> None:
    value = compiled("${{ inputs.x }}").evaluate({"inputs": {"x": known}})

    assert value is known


@given(JSON)
def test_a_value_without_expressions_is_itself(template: Any) -> None:
    value = compiled(template)

    assert value.evaluate({}) is template or "${{" in str(template)


@pytest.mark.parametrize("text", ["${{inputs.n}}", "  ${{ inputs.n }}\n", "${{\n  inputs.n\n}}"])
def test_white_space_around_one_expression_does_not_make_it_a_text(text: str) -> None:
    assert compiled(text).evaluate(SCOPE) == 3


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("n=${{ inputs.n }}", "n=3"),
        ("${{ inputs.n }}${{ inputs.text }}", "3a"),
        ("${{ inputs.f }} ${{ inputs.flag }}", "1.5 true"),
        ("${{ inputs.list }}: ${{ inputs.map }}", '[1,"b"]: {"k":1}'),
        ("a }} b ${{ inputs.n }} {{ c", "a }} b 3 {{ c"),
        ("${{ '}}' }} and ${{ {'a': {'b': 1}} }}", '}} and {"a":{"b":1}}'),
        ("a literal ${{ '${{' }} is written so", "a literal ${{ is written so"),
        ('${{ "it\'s" }}!', "it's!"),
    ],
)
def test_in_a_longer_text_the_value_is_inserted(text: str, expected: str) -> None:
    assert compiled(text).evaluate(SCOPE) == expected


def test_null_in_a_longer_text_is_refused() -> None:
    with pytest.raises(InvalidValue, match=r"inputs\.null }} inside a text: it is null"):
        compiled("Hello ${{ inputs.null }}").evaluate(SCOPE)


def test_texts_do_not_grow_without_bound() -> None:
    value = compiled("${{ inputs.long }}" * 3)

    with pytest.raises(InvalidValue, match="the text is too long"):
        value.evaluate({"inputs": {"long": "x" * 500_000}})


def test_expressions_are_found_at_any_depth() -> None:
    template = {"a": [1, {"b": "${{ inputs.n }}", "c": "x"}], "d": {"e": 1}}

    value = compiled(template)

    assert value.evaluate(SCOPE) == {"a": [1, {"b": 3, "c": "x"}], "d": {"e": 1}}
    assert [use.place for use in value.uses] == [("a", 1, "b")]
    assert template["a"] == [1, {"b": "${{ inputs.n }}", "c": "x"}]


def test_a_value_knows_the_steps_that_it_reads() -> None:
    value = compiled({"a": "${{ steps.one.output }}", "b": ["x ${{ steps.two.status }}", "${{ inputs.n }}"]})

    assert value.steps == {"one", "two"}


def test_values_that_were_written_alike_are_equal() -> None:
    assert compiled({"a": "${{ inputs.n }}"}) == compiled({"a": "${{ inputs.n }}"})
    assert compiled("${{ inputs.n }}") != compiled("${{ inputs.m }}")


@pytest.mark.parametrize(
    "text", ["${{ a", "x ${{ 'a }}'", "${{ {'a': 1 }}", "${{ a }", "${{" + "'\\" * 100_000]
)
def test_an_expression_that_is_not_closed_is_told(text: str) -> None:
    with pytest.raises(ExpressionError, match="not closed") as refused:
        split(text)

    assert text[refused.value.offset :].startswith("${{")


def test_the_place_of_an_expression_is_behind_white_space() -> None:
    (span,) = [piece for piece in split("ab ${{  inputs.n }}") if isinstance(piece, Span)]

    assert (span.offset, span.start) == (6, 8)


# --- conditions ------------------------------------------------------------------------------

STATUS = {
    "success": lambda: True,
    "failure": lambda: False,
    "always": lambda: True,
    "cancelled": lambda: False,
}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("inputs.n == 3", True),
        ("${{ inputs.n == 4 }}", False),
        (" ${{ inputs.flag }} ", True),
        (True, True),
        (False, False),
        ("always()", True),
        ("${{ failure() or cancelled() }}", False),
        ("success() and inputs.n > 2", True),
        ("inputs.list", True),
        ("inputs.null", False),
        ("[]", False),
    ],
)
def test_a_condition_holds_or_not(source: str | bool, expected: bool) -> None:
    assert condition(source).holds(SCOPE, STATUS) is expected


def test_a_condition_knows_whether_it_asks_for_the_status() -> None:
    assert condition("inputs.n == 1 or always()").asks_status
    assert not condition("steps.a.status == 'always()'").asks_status


def test_a_text_is_no_condition() -> None:
    with pytest.raises(InvalidValue, match="compare it"):
        condition("inputs.text").holds(SCOPE, STATUS)


def test_a_condition_beside_an_expression_is_refused() -> None:
    with pytest.raises(ExpressionError, match="would always be true"):
        condition("${{ inputs.n }} == 3")


def test_a_condition_that_cannot_be_evaluated_says_so() -> None:
    with pytest.raises(InvalidValue, match=r"\$\{\{ inputs\.gone }}: inputs has no field 'gone'"):
        condition("inputs.gone").holds(SCOPE, STATUS)
