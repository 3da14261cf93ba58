"""A workflow in the terminal: the graph of its steps, what it takes, what starts it."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from rich.console import Console

from orchestrator.cli import workflow_view
from orchestrator.cli.step_graph import ASCII, draw
from orchestrator.cli.workflow_view import input_text


def drawn(needs: Mapping[str, Sequence[str]]) -> list[str]:
    return [f"{row.lanes} {row.step or ''}".rstrip() for row in draw(needs)]


@pytest.mark.parametrize(
    ("needs", "lines"),
    [
        ({"a": []}, ["● a"]),
        ({"a": [], "b": []}, ["● a", "● b"]),
        ({"a": [], "b": ["a"]}, ["● a", "│", "● b"]),
        (
            {"a": [], "b": ["a"], "c": ["a"], "d": ["a", "b", "c"]},
            ["● a", "├─╮", "│ ● b", "├─│─╮", "│ │ ● c", "├─┴─╯", "● d"],
        ),
        ({"a": [], "b": [], "c": ["a", "b"]}, ["● a", "│ ● b", "├─╯", "● c"]),
        (
            {"a": [], "b": ["a"], "c": ["a"], "d": ["b"], "e": ["c"]},
            ["● a", "├─╮", "│ ● b", "│ │", "│ ● d", "│", "● c", "│", "● e"],
        ),
    ],
    ids=["one", "apart", "chain", "diamond", "join", "branches"],
)
def test_steps_are_drawn_with_what_they_need(needs: Mapping[str, Sequence[str]], lines: list[str]) -> None:
    assert drawn(needs) == lines


def test_a_wide_fan_comes_together_again() -> None:
    middle = [f"m{n}" for n in range(12)]

    lines = drawn({"start": [], **{name: ["start"] for name in middle}, "end": middle})

    assert lines[0] == "● start"
    assert lines[-2:] == ["├" + "─┴" * 10 + "─╯", "● end"]


@st.composite
def graphs(draw_: Any) -> dict[str, list[str]]:
    steps = [f"s{n}" for n in range(draw_(st.integers(1, 12)))]
    return {
        step: draw_(st.lists(st.sampled_from(steps[:at]), unique=True, max_size=3)) if at else []
        for at, step in enumerate(steps)
    }


@given(graphs())
def test_every_step_stands_once_below_all_it_needs(needs: dict[str, list[str]]) -> None:
    rows = draw(needs)

    order = [row.step for row in rows if row.step is not None]
    assert sorted(order) == sorted(needs)
    assert all(order.index(need) < order.index(step) for step, others in needs.items() for need in others)


@given(graphs())
def test_what_needs_something_has_a_line_above_it(needs: dict[str, list[str]]) -> None:
    rows = draw(needs)

    for before, row in zip([None, *rows], rows, strict=False):
        if row.step is not None and needs[row.step]:
            assert before is not None
            assert before.step is None
            at = row.lanes.index("●")
            assert before.lanes[at] in "│├┤┼╮╭┬"


def test_every_character_of_a_drawing_has_a_plain_one() -> None:
    assert all(chr(code).isascii() for code in ASCII.values())
    assert {chr(code) for code in ASCII} == set("│─├┤┬┴┼╭╮╰╯●○")


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({}, "anything"),
        (True, "anything"),
        ({"type": "string"}, "text"),
        ({"type": "string", "format": "image"}, "image"),
        ({"type": ["integer", "null"]}, "whole number or null"),
        ({"enum": ["a", "b"]}, "a or b"),
        (
            {"type": "array", "items": {"type": "string", "format": "image"}, "minItems": 1},
            "list of images (at least 1)",
        ),
        ({"type": "array", "items": {"enum": [1, 2]}, "maxItems": 3}, "list of 1 or 2 (at most 3)"),
        ({"type": "integer", "minimum": 0, "maximum": 9}, "whole number from 0 to 9"),
        ({"type": "object", "properties": {"a": {}, "b": {}}}, "object with a, b"),
    ],
)
def test_an_input_is_told_in_a_few_words(schema: Any, words: str) -> None:
    assert input_text(schema) == words


STEPS = [
    {"id": "model", "uses": "pizi/create_model", "needs": [], "for_each": False, "if": None},
    {
        "id": "enhance",
        "uses": "perfect/enhance",
        "needs": ["model"],
        "for_each": True,
        "max_parallel": 3,
        "if": "inputs.large",
    },
]
WORKFLOW = {
    "name": "shoot",
    "description": "Two lines,\none sentence.",
    "digest": "sha256:1",
    "file": "shoot.yaml",
    "inputs": {"size": {"type": "integer", "default": 2, "description": "How large."}},
    "required": [],
    "steps": STEPS,
    "outputs": ["images"],
    "timeout_s": 7200.0,
    "budget": {"pizi": 40.0},
    "concurrency": {"group": "shop-${{ inputs.shop }}", "limit": 2},
    "notify": [{"url": "https://example.com/done", "on": ["failed"]}],
    "triggers": {
        "webhook": {"path": "/hooks/shoot", "scheme": None, "inputs": []},
        "schedules": [],
        "runs": [{"workflow": "other", "statuses": ["succeeded"]}],
    },
}


def shown(workflow: Any, tmp_path: Path, encoding: str = "utf-8") -> list[str]:
    file = tmp_path / "shown.txt"
    with file.open("w", encoding=encoding) as stream:
        workflow_view.show(workflow, Console(file=stream, width=120))
    return [line.rstrip() for line in file.read_text(encoding).splitlines()]


def test_everything_about_a_workflow_is_shown(tmp_path: Path) -> None:
    lines = shown(WORKFLOW, tmp_path)

    assert lines[:2] == ["shoot", "Two lines, one sentence."]
    assert "timeout    2h 00m" in lines
    assert "budget     pizi 40" in lines
    assert "at a time  2 of the group shop-${{ inputs.shop }}" in lines
    assert "tells      https://example.com/done (failed)" in lines
    assert "size   default 2  whole number  How large." in lines
    assert "○  enhance  perfect/enhance    for each, 3 at a time; if inputs.large" in lines
    assert "webhook     POST /hooks/shoot from anybody" in lines


def test_a_terminal_without_boxes_gets_plain_characters(tmp_path: Path) -> None:
    lines = shown(WORKFLOW, tmp_path, encoding="ascii")

    assert [line[:10] for line in lines if "e/" in line or line == "|"]
    assert "*  model    pizi/create_model" in lines
    assert "|" in lines


def test_a_graph_that_is_too_wide_is_a_list(tmp_path: Path) -> None:
    first = {"id": "a", "uses": "x/y", "needs": [], "for_each": False}
    many = [{"id": f"s{n}", "uses": "x/y", "needs": ["a"], "for_each": False} for n in range(50)]
    last = {"id": "z", "uses": "x/y", "needs": [step["id"] for step in many], "for_each": False}

    lines = shown({**WORKFLOW, "steps": [first, *many, last]}, tmp_path)

    assert "s7   x/y  after a" in lines


def test_the_schema_for_editors_needs_no_server(call: Any, tmp_path: Path) -> None:
    settings = tmp_path / "orchestrator.toml"
    settings.write_text('[providers.mine]\nkind = "pizi"\n')

    done = call("workflows", "schema", "--config", str(settings))

    schema = json.loads(done.stdout)
    Draft202012Validator.check_schema(schema)
    good = {"name": "w", "steps": {"a": {"uses": "mine/list_tasks"}}}
    bad = {"name": "w", "steps": {"a": {"uses": "pizi/list_tasks"}}}
    assert Draft202012Validator(schema).is_valid(good)
    assert not Draft202012Validator(schema).is_valid(bad)
