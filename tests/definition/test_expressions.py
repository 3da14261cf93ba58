"""What expressions give, what they refuse, and that nobody can make them grow or hang."""

import time
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.definition.expressions import (
    LENGTH_MAX,
    ExpressionError,
    compile_expression,
)
from orchestrator.definition.filters import CONCATENATE, FILTERS
from orchestrator.definition.sandbox import SANDBOX
from orchestrator.definition.scopes import STATUS_FUNCTIONS
from orchestrator.errors import InvalidValue

LIMIT_S = 4.0
"""Far above what any of these takes, far below what they take where nothing is bounded."""

SCOPE: dict[str, Any] = {
    "inputs": {
        "count": 3,
        "note": "Hello",
        "nothing": None,
        "flag": True,
        "tags": ["b", "a", "b"],
        "odd": {"a-b": 1, "1": "one"},
        "long": "x" * 900_000,
        "many": list(range(20_000)),
    },
    "steps": {
        "model": {
            "output": {"uuid": "u-1", "items": [{"n": 1, "url": "one"}, {"n": 2}], "keys": 5, "values": None},
            "artifacts": [{"digest": "sha256:aa"}],
            "status": "succeeded",
            "error": None,
        }
    },
    "run": {"id": "run_1", "labels": {"team": "shoes"}, "created_at": "2026-11-20T17:00:00.000000Z"},
    "item": {"url": "https://example.com/1.png"},
    "index": 4,
}


def value(source: str) -> Any:
    return compile_expression(source).evaluate(SCOPE)


def refusal(source: str) -> str:
    """Return why *source* is refused, when it is loaded or when it is evaluated."""
    try:
        compile_expression(source).evaluate(SCOPE)
    except ExpressionError as error:
        return f"{error.message} ({error.hint})"
    except InvalidValue as error:
        return str(error)
    pytest.fail(f"{source} was not refused")


# --- values ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("inputs.count", 3),
        ("inputs['note']", "Hello"),
        ("inputs.odd['a-b']", 1),
        ("inputs.odd['1']", "one"),
        ("inputs.nothing", None),
        ("steps.model.output.items[0].url", "one"),
        ("steps.model.output.items[-1].n", 2),
        ("steps.model.output.items[inputs.count - 2].n", 2),
        ("run.labels.team ~ '-' ~ index", "shoes-4"),
        ("item.url", "https://example.com/1.png"),
        ("null", None),
        ("none", None),
        ("[1, (2, 3)]", [1, [2, 3]]),
        ("{'a': {'b': inputs.count}}", {"a": {"b": 3}}),
        ("inputs.count + 1.5", 4.5),
        ("7 // 2 * 2 ** 3 % 5 - -1", 5),
        ("[1] + [2]", [1, 2]),
        ("'a' + 'b'", "ab"),
        ("'yes' if inputs.flag and not inputs.nothing else 'no'", "yes"),
        ("1 < inputs.count <= 3", True),
        ("'a' in inputs.tags and 'z' not in inputs.tags", True),
        ("inputs.note[:2]", "He"),
        ("inputs.many[1:3]", [1, 2]),
        ("range(2, 5)", [2, 3, 4]),
        ("inputs.gone is defined", False),
        ("inputs.gone.deeper is undefined", True),
        ("inputs.nothing is none", True),
        ("inputs.count is odd and inputs.count is divisibleby(3)", True),
        ("'true: ' ~ true ~ ', ' ~ [1, none]", "true: true, [1,null]"),
    ],
)
def test_an_expression_gives_a_plain_value(source: str, expected: Any) -> None:
    result = value(source)

    assert result == expected
    assert type(result) is type(expected)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("inputs.gone | default('d')", "d"),
        ("inputs.gone.deeper | default('d')", "d"),
        ("inputs.nothing | default('d')", "d"),
        ("inputs.nothing.deeper | default('d')", "d"),
        ("'' | default('d')", ""),
        ("'' | default('d', true)", "d"),
        ("[] | first | default(0)", 0),
        ("inputs.tags | first ~ inputs.tags | last", "bb"),
        ("inputs.tags | length", 3),
        ("inputs.tags | unique | join(', ')", "b, a"),
        ("[1, 1.0, true, '1'] | unique | length", 4),
        ("inputs.tags | sort(reverse=true)", ["b", "b", "a"]),
        ("steps.model.output.items | map(attribute='n') | sum", 3),
        ("steps.model.output.items | map(attribute='url', default='-') | list", ["one", "-"]),
        ("inputs.tags | map('upper') | list", ["B", "A", "B"]),
        ("steps.model.output.items | selectattr('url') | map(attribute='n') | list", [1]),
        ("steps.model.output.items | rejectattr('url', 'defined') | map(attribute='n') | list", [2]),
        ("steps.model.output.items | selectattr('n', '>', 1) | length", 1),
        ("[1, 2, 3, 4] | select('even') | list", [2, 4]),
        ("[0, 1, none] | reject | list", [0, None]),
        ("[3, 1, 2] | min + [3, 1, 2] | max", 4),
        ("steps.model.output.items | max(attribute='n')", {"n": 2}),
        ("[1, 2, 3] | batch(2)", [[1, 2], [3]]),
        ("[[1], [2, 3], none, 4] | flatten", [1, 2, 3, 4]),
        ("[1, 2] | reverse", [2, 1]),
        ("{'a': 1} | keys + {'b': 2} | values", ["a", 2]),
        ("' A ' | trim | lower", "a"),
        ("'a-b-c' | replace('-', '+', 1)", "a+b-c"),
        ("'a,b' | split(',')", ["a", "b"]),
        ("' a  b ' | split", ["a", "b"]),
        ("{'a': [1]} | tojson", '{"a":[1]}'),
        ("'[1, {}]' | fromjson", [1, {}]),
        ("'12' | int + '1.5' | float", 13.5),
        ("'x' | int(7)", 7),
        ("2.5 | round", 3),
        ("2.345 | round(1, 'floor')", 2.3),
        ("-3 | abs", 3),
        ("3 | string", "3"),
    ],
)
def test_filters(source: str, expected: Any) -> None:
    result = value(source)

    assert result == expected
    assert type(result) is type(expected)


@pytest.mark.parametrize("name", ["items", "keys", "values", "get", "pop", "copy", "update"])
def test_a_field_is_never_taken_for_a_method(name: str) -> None:
    known = {"output": {name: "the field"}}

    found = compile_expression(f"item.output.{name}").evaluate({"item": known})

    assert found == "the field"


@pytest.mark.parametrize("name", ["items", "__class__", "clear", "__init__", "_mapping"])
def test_a_method_is_never_found_where_there_is_no_field(name: str) -> None:
    assert f"has no field '{name}'" in refusal(f"inputs.odd.{name}")


def test_what_is_looked_up_is_not_copied() -> None:
    assert value("inputs.many") is SCOPE["inputs"]["many"]


def test_a_simple_path_is_evaluated_fast() -> None:
    expression = compile_expression("steps.model.output.uuid")

    began = time.process_time()
    for _ in range(1000):
        expression.evaluate(SCOPE)

    assert time.process_time() - began < 0.2  # 5 µs each on a quiet machine


# --- what it reads ---------------------------------------------------------------------------


def test_references_are_whole_paths() -> None:
    expression = compile_expression(
        "steps.a.output['x y'][0][inputs.n].z if steps.b.status == 'x' else [item, steps.a.artifacts[1:]]"
    )

    assert {reference.path for reference in expression.references} == {
        ("steps", "a", "output", "x y", 0, None, "z"),
        ("inputs", "n"),
        ("steps", "b", "status"),
        ("item",),
        ("steps", "a", "artifacts"),
    }
    assert expression.steps == {"a", "b"}


def test_a_reference_knows_whether_it_may_be_missing() -> None:
    expression = compile_expression("inputs.a | default(inputs.b) if inputs.c is defined else inputs.d")

    guarded = {reference.path[1]: reference.guarded for reference in expression.references}

    assert guarded == {"a": True, "b": False, "c": True, "d": False}


def test_a_reference_knows_where_it_stands() -> None:
    (first, second) = compile_expression("[ inputs.a, steps['b'] . output ]").references

    assert (first.offset, second.offset) == (2, 12)


# --- refused while it is loaded --------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "message", "offset"),
    [
        ("", "the expression is empty", 0),
        ("1 +", "the expression ends too early", 3),
        ("1 2", "unexpected '2'", 0),
        ("inputs.a && true", "write `and` instead of &&", 9),
        ("inputs.a || 1", "write `or` instead of ||", 9),
        ("!inputs.a", "write `not` instead of !", 0),
        ("inputs.a ? 1 : 2", "write `a if condition else b`", 9),
        ("inputs.a ?? 1", "instead of ??", 9),
        ("inputs.a?.b", "instead of ?.", 8),
        ("inputs.a = 1", "write == to compare", 9),
        ("inputs.a === 1", "write == or != instead", 9),
        ("'a && b", "a text in quotes is not closed", 0),
        ("input.a", "unknown name 'input' (did you mean 'inputs'?)", 0),
        ("1 + env.HOME", "workflows see no environment variables", 4),
        ("secrets.KEY", "workflows see no secrets", 0),
        ("steps", "a step has to be named", 0),
        ("steps[inputs.note].output", "a step has to be named", 0),
        ("inputs.a | uper", "unknown filter 'uper' (did you mean 'upper'?)", 11),
        ("inputs.a | count", "did you mean 'length'?", 11),
        ("inputs.a is numbr", "unknown test 'numbr' (did you mean 'number'?)", 12),
        ("inputs.a | map('uper')", "unknown filter 'uper' in map", 11),
        ("inputs.a | selectattr('b', 'eqq', 1)", "unknown test 'eqq' in selectattr", 11),
        ("inputs.a | upper(1)", "does not go with these arguments", 11),
        ("inputs.a | join(seperator=',')", "does not go with these arguments", 11),
        ("inputs.a | join(*inputs.b)", "cannot be unpacked", 11),
        ("inputs.a.upper()", "values have no methods (write `value | upper`)", 9),
        ("lipsum()", "'lipsum' is no function", 0),
        ("success()", "success() has a meaning only in the `if` of a step", 0),
        ("1 if inputs.a", "`a if b` needs an else", 0),
        ("1j", "unexpected 'j'", 0),
        ("1" + "+1" * 50, "nested or chained more than 40 deep", 0),
        ("1e999", "inf is no value that a workflow can hold", 0),
    ],
)
def test_a_mistake_is_told_with_its_place_and_a_hint(source: str, message: str, offset: int) -> None:
    with pytest.raises(ExpressionError) as refused:
        compile_expression(source)

    assert message in f"{refused.value.message} ({refused.value.hint})"
    assert refused.value.offset == offset


def test_status_functions_take_no_arguments() -> None:
    with pytest.raises(ExpressionError, match=r"always\(\) takes no such arguments"):
        compile_expression("always(1)", frozenset(STATUS_FUNCTIONS))


def test_the_filter_behind_the_tilde_has_no_name_that_can_be_written() -> None:
    assert CONCATENATE in FILTERS
    with pytest.raises(ExpressionError):
        compile_expression(f"[1] | {CONCATENATE}")


# --- wrong when it is evaluated --------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (
            "steps.model.output.uid",
            "steps.model.output has no field 'uid' (it has uuid, items, keys, values; did",
        ),
        ("inputs.cuont", "did you mean 'count'?"),
        ("steps.model.output.items[2].url", "steps.model.output.items has 2 items, there is no [2]"),
        ("steps.model.output.items.url", "is a list and has no field 'url': take one item, such as [0]"),
        ("inputs.nothing.x", "inputs.nothing is null and has no field 'x'"),
        ("inputs.note.x", "inputs.note is text and has no field 'x'"),
        ("steps.gone.output", "steps has no field 'gone' (it has model)"),
        ("{}.x", "the value, an object, has no field 'x' (it is empty)"),
        ("inputs.tags | map(attribute='x')", "is text and has no field 'x'"),
        ("[inputs.gone]", "inputs has no field 'gone'"),
        ("inputs.gone or 1", "inputs has no field 'gone'"),
        ("not inputs.gone", "inputs has no field 'gone'"),
        ("inputs.gone == 1", "inputs has no field 'gone'"),
        ("inputs.gone < 1", "inputs has no field 'gone'"),
        ("inputs.gone + 1", "inputs has no field 'gone'"),
        ("inputs.gone ~ ''", "inputs has no field 'gone'"),
        ("inputs.gone[1:]", "inputs has no field 'gone'"),
        ("inputs.gone | upper", "inputs has no field 'gone'"),
        ("1 in inputs.gone", "inputs has no field 'gone'"),
        ("1 + 'a'", "+ does not go with a number and text: join them with ~"),
        ("true + 1", "+ does not go with true or false and a number"),
        ("-'a'", "- needs a number, not text"),
        ("1 < 'a'", "< does not go with a number and text"),
        ("1 / 0", "division by zero"),
        ("(-8) ** 0.5", "the result is no number"),
        ("inputs.nothing ~ 'a'", "it is null, which cannot stand in a text"),
        ("[] | first", "an empty list has no first item"),
        ("[] | max", "an empty list has no largest item"),
        ("'x' | int", "'x' cannot be read as a whole number"),
        ("'{' | fromjson", "the text is no JSON"),
        ("{'a': 1} | join", "a list is needed, not an object: take its | keys or | values"),
        ("[1, 'a'] | sort", "only numbers or only texts can be ordered"),
        ("{1: 2}", "the keys of an object are texts, not a number"),
        ("({'a': {1: 2}}).a", "the keys of an object are texts, not a number"),
        (r"'\ud800' ~ 'a'", "surrogates not allowed"),
        ("1e300 * 1e300", "the result is no number"),
    ],
)
def test_what_goes_wrong_is_said_with_the_expression(source: str, message: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        value(source)

    assert str(refused.value).startswith(f"${{{{ {source} }}}}: ")
    assert message in str(refused.value)


def test_a_name_that_is_not_in_scope_is_missing() -> None:
    with pytest.raises(InvalidValue, match="there is no 'item' here"):
        compile_expression("item.url").evaluate({"inputs": {}})


# --- attacks ---------------------------------------------------------------------------------

ATTACKS = [
    "'a' * 10**9",
    "10**9 * 'a'",
    "[1] * 10**9",
    "'%1000000000s' % 'a'",
    "'a'.ljust(900000000)",
    "'{:1000000000}'.format(1)",
    "'a' | center(900000000)",
    "'a' | indent(900000000)",
    "'%1000000000s' | format('a')",
    "10 ** 10 ** 10",
    "2 ** 64 ** 64",
    "9 ** 9 ** 9 ** 9",
    "(2 ** 63) * (2 ** 63)",
    "1 << 10**9",
    "range(10**9)",
    "range(0, 0 - 10**18, -1) | length",
    "range(10**30)",
    "inputs.long ~ inputs.long",
    "inputs.long + inputs.long",
    "'~'" + " ~ inputs.long" * 38,
    "inputs.long | replace('x', inputs.long)",
    "inputs.long | replace('', inputs.long)",
    "inputs.many | join(inputs.long)",
    "inputs.many | map('replace', 'x', inputs.long) | list",
    "inputs.many | map('string') | map('replace', '1', inputs.long) | list",
    "inputs.many | batch(10**12)",
    "inputs.many | batch(0)",
    "[" + "inputs.long," * 300 + "]",
    "[" + "inputs.long," * 300 + "] | tojson",
    "[" + "inputs.many," * 300 + "] | flatten",
    "{'a': [" + "inputs.many," * 300 + "]}",
    "inputs.many" + " + inputs.many" * 30,
    "inputs.tags | sum",
    "[[1], [2]] | sum(start=[])",
    "5 | round(-10**9)",
    "5 | round(10**9)",
    "('9' * 5000) | int",
    "inputs.long | replace('x', '9') | int",
    "('[' * 20) | fromjson",
    "('x' | batch(3, 'y' * 9))",
    "1" + "+1" * 1000,
    "1" + " ~ 1" * 1000 + " ~",
    "(" * 1000 + "1" + ")" * 1000,
    "[" * 1000 + "]" * 1000,
    "{'a':" * 500 + "1" + "}" * 500,
    "not " * 900 + "1",
    "-" * 4000 + "1",
    "1 if 1 else " * 300 + "1",
    "inputs" + ".a" * 2000,
    "inputs" + "[0]" * 1300,
    "1" + " | abs" * 600,
    "1 is " + "not " * 900 + "odd",
    "a" * (LENGTH_MAX + 1),
    "9" * LENGTH_MAX,
    "'" + "\\'" * 2000,
    "\"'" * 2000,
    "inputs.__class__.__mro__",
    "''.__class__.__base__.__subclasses__()",
    "inputs | attr('__class__')",
    "self",
    "range.__globals__",
    "(range)['__class__']",
    "cycler.__init__.__globals__.os.popen('id')",
    "namespace(a=1)",
    "inputs.update({'a': 1})",
    "inputs.tags.append(1)",
    "inputs.tags.sort()",
    "dict(a=1)",
    "{{ 1 }}",
    "{% for a in b %}",
    "1 }} {{ 2",
    "# comment",
]


@pytest.mark.parametrize("source", ATTACKS, ids=lambda source: source[:40])
def test_an_attack_is_refused_in_no_time(source: str) -> None:
    began = time.process_time()

    refusal(source)

    assert time.process_time() - began < LIMIT_S


def test_a_text_that_holds_deep_json_is_refused() -> None:
    deep = {"inputs": {"text": "[" * 500 + "]" * 500}}

    with pytest.raises(InvalidValue, match="nested more than"):
        compile_expression("inputs.text | fromjson").evaluate(deep)


def test_a_value_that_is_deeper_than_the_stack_is_refused() -> None:
    deep: list[Any] = []
    for _ in range(5000):
        deep = [deep]

    with pytest.raises(InvalidValue, match="nested"):
        compile_expression("[inputs.deep] == [[inputs.deep]]").evaluate({"inputs": {"deep": deep}})


def test_loading_computes_nothing() -> None:
    began = time.process_time()

    compile_expression("'a' * 10**9")

    assert time.process_time() - began < 0.2
    assert SANDBOX.optimized is False  # Constant filters would be computed, however long they take.


def test_a_long_chain_of_filters_over_a_long_list_ends_soon() -> None:
    began = time.process_time()

    assert value("inputs.many" + " | sort" * 15 + " | length") == 20_000
    assert time.process_time() - began < 6


# --- any text at all -------------------------------------------------------------------------

PIECES = st.sampled_from(
    [
        *"()[]{}.,:|~+-*/%<>!=&?'\"\\ \n",
        "inputs",
        "steps.model",
        ".output",
        "a",
        "1",
        "0.5",
        "'x'",
        " if ",
        " else ",
        *[
            " and ",
            " not ",
            " in ",
            " is ",
            "default",
            "map",
            "range",
            "null",
            "items",
            "${{",
            "}}",
            "é",
            "\x00",
        ],
    ]
)


@given(st.lists(PIECES, max_size=20).map("".join))
@settings(max_examples=300, deadline=None)
def test_no_text_breaks_the_reader(source: str) -> None:
    with suppress(ExpressionError, InvalidValue):
        compile_expression(source).evaluate(SCOPE)
