"""How things look in a terminal."""

import io
from datetime import datetime
from typing import Any

import pytest
from rich.console import Console, RenderableType
from rich.text import Text

from orchestrator.cli import render

NOW = datetime.fromisoformat("2026-11-20T17:02:05Z")


def shown(renderable: RenderableType, width: int = 120) -> list[str]:
    """Return the lines that a terminal of *width* shows, without colours."""
    console = Console(file=io.StringIO(), width=width, highlight=False)
    with console.capture() as capture:
        console.print(renderable)
    return [line.rstrip() for line in capture.get().splitlines()]


def step(name: str, status: str, **fields: Any) -> dict[str, Any]:
    empty = dict.fromkeys(("index", "job", "job_status", "progress", "error", "started_at", "finished_at"))
    return {**empty, "id": name, "status": status, "attempt": 1, "artifacts": [], **fields}


@pytest.mark.parametrize(
    ("trigger", "text"),
    [
        (None, ""),
        ({"kind": "webhook", "delivery": "dlv_1"}, "webhook: dlv_1"),
        ({"kind": "run", "run": "run_1", "status": "failed", "depth": 1}, "run: run_1 failed"),
        ({"kind": "moon"}, "moon"),
    ],
)
def test_what_started_a_run_is_told_in_words(trigger: Any, text: str) -> None:
    assert render.started_by(trigger) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, "0.0s"),
        (0.44, "0.4s"),
        (59.9, "59.9s"),
        (59.97, "1m 00s"),
        (125, "2m 05s"),
        (3 * 3600 + 12 * 60, "3h 12m"),
        (100 * 3600, "4d 4h"),
    ],
)
def test_a_duration_has_at_most_two_units(seconds: float, text: str) -> None:
    assert render.duration(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (34_400, "34 kB"),
        (999_700, "1.0 MB"),
        (2_500_000_000, "2.5 GB"),
    ],
)
def test_a_size_is_told_in_the_unit_that_reads_best(count: int, text: str) -> None:
    assert render.size(count) == text


def test_what_a_terminal_would_obey_is_made_visible() -> None:
    assert render.plain("a\x1b[31mred\x07\nnext\tcell") == "a\ufffd[31mred\ufffd\nnext\tcell"


def test_markup_in_a_cell_is_text() -> None:
    assert shown(render.table(("name",), [("[red]x[/red]",)])) == ["name", "[red]x[/red]"]


JOBS = ("job_01m7y2xrgnfynt7j50tx6488rz", "pictures", "2026-11-21 03:38:13", "f4bdb6d5-08bb-466b-a74c-4a15")


@pytest.mark.parametrize(
    ("width", "count"), [(200, 4), (91, 4), (90, 3), (61, 3), (60, 2), (40, 2), (39, 1), (9, 1)]
)
def test_a_narrow_terminal_shows_fewer_columns_rather_than_broken_ids(width: int, count: int) -> None:
    columns = ("id", "step", "created", "task")

    assert render.fitting(columns, [JOBS], width) == count
    assert len(shown(render.table(columns[:count], [JOBS[:count]]), max(width, 30))) == 2


@pytest.mark.parametrize(("width", "count"), [(83, 4), (82, 3)])
def test_words_in_the_last_column_are_folded_given_some_room(width: int, count: int) -> None:
    row = (*JOBS[:3], Text("task_failed no_face: there is no face in the picture"))

    assert render.fitting(("id", "step", "created", ""), [row], width) == count


def test_steps_show_where_each_instance_is_and_what_it_waits_for() -> None:
    picture = {"digest": "sha256:1", "media_type": "image/png", "size": 2000, "width": 20, "height": 30}
    begun = {"started_at": "2026-11-20T17:00:00Z"}
    steps = [
        step("model", "succeeded", **begun, finished_at="2026-11-20T17:00:04Z", artifacts=[picture, picture]),
        step("pictures", "running", **begun, job_status="waiting", progress="PROCESSING", attempt=2),
        step("wig", "failed", **begun, error={"class": "task_failed", "code": None, "message": "No face."}),
        step("enhance", "pending"),
    ]
    needs = {"pictures": ["model"], "enhance": ["model", "pictures", "wig"]}

    assert shown(render.step_table({"steps": steps}, needs, NOW)) == [
        "✓  model     done: image/png 20 × 30, 2.0 kB and 1 more              4.0s",
        "●  pictures  waits for its result (provider: PROCESSING), attempt 2  2m 05s",
        "✗  wig       task_failed: No face.                                   2m 05s",
        "○  enhance   waits for pictures and wig",
    ]


def test_instances_of_a_step_are_numbered() -> None:
    steps = [step("enhance", "running", index=0, job_status="created"), step("enhance", "skipped", index=1)]

    assert shown(render.step_table({"steps": steps}, {}, NOW)) == [
        "●  enhance[0]  waits for its turn",
        "–  enhance[1]  skipped",
    ]


def test_a_run_is_told_in_a_line() -> None:
    run = {
        "id": "run_1",
        "workflow": "shoot",
        "status": "running",
        "created_at": "2026-11-20T17:00:00Z",
        "credits": {"pizi": 4.0, "perfect": 1.5},
    }

    assert shown(render.run_heading(run, NOW)) == [
        "shoot  run_1  running  2m 05s  credits: pizi 4, perfect 1.5"
    ]


def test_outputs_are_told_a_line_for_each_file_or_value() -> None:
    file = {"digest": "sha256:1", "media_type": "image/png", "size": 5, "href": "/api/v1/artifacts/sha256:1"}
    outputs = {"images": [file, file], "best": file, "count": 2, "names": ["a", "b"]}

    assert render.output_lines(outputs, "http://host") == [
        "images[0]  image/png, 5 B  http://host/api/v1/artifacts/sha256:1",
        "images[1]  image/png, 5 B  http://host/api/v1/artifacts/sha256:1",
        "best  image/png, 5 B  http://host/api/v1/artifacts/sha256:1",
        "count  2",
        'names  ["a", "b"]',
    ]
