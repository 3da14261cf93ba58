"""What a dry run looks like in a terminal, and what it asks the server."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

SHOOT = {"name": "shoot", "inputs": {"photos": {"type": "array", "items": {"type": "string"}}}}

OUTLOOK: dict[str, Any] = {
    "dry_run": True,
    "workflow": "shoot",
    "possible": True,
    "problems": [],
    "warnings": ["pizi is paused"],
    "stages": [["model"], ["enhance"]],
    "steps": [
        {
            "id": "model",
            "uses": "pizi/create_model",
            "needs": [],
            "stage": 1,
            "runs": "yes",
            "why": None,
            "for_each": None,
            "times": {"min": 1, "max": 1},
            "max_parallel": None,
            "credits": {"pizi": {"min": 1, "max": 1}},
            "notes": [],
        },
        {
            "id": "enhance",
            "uses": "perfect/enhance",
            "needs": ["model"],
            "stage": 2,
            "runs": "yes",
            "why": None,
            "for_each": "steps.model.artifacts",
            "times": {"min": 0, "max": None},
            "max_parallel": 3,
            "credits": {"perfect": {"min": 0, "max": None}},
            "notes": [],
        },
    ],
    "paid_calls": {"min": 1, "max": None},
    "credits": {"pizi": {"min": 1, "max": 1}, "perfect": {"min": 0, "max": None}},
    "budget": [{"connection": "pizi", "credits": 4, "left": {"min": 3, "max": 3}}],
    "connections": [],
}


@pytest.fixture
def dry_run(call: Any, stage: Any, answer: Any) -> Callable[..., Any]:
    """Call the command; the server answers with *found*."""

    def dry_run(*args: str, found: Mapping[str, Any] = OUTLOOK) -> Any:
        stage.on("/workflows/shoot", answer(SHOOT))
        stage.on("/runs", answer(found))
        return call("run", "shoot", "--dry-run", "--server", stage.url, *args)

    return dry_run


def test_a_dry_run_shows_what_would_be_done_and_starts_nothing(dry_run: Any, stage: Any) -> None:
    result = dry_run()

    assert result.exit_code == 0
    assert "1  model    pizi/create_model  once           1" in result.stdout
    assert "2  enhance  perfect/enhance    once per item  unknown  model" in result.stdout
    assert "at least 1 paid call" in result.stdout
    assert "4, 3 left after it" in result.stdout
    assert "! pizi is paused" in result.stdout
    assert json.loads(stage.asked[-1].body)["dry_run"] is True


def test_a_dry_run_of_what_could_not_succeed_says_why_and_fails(dry_run: Any) -> None:
    result = dry_run(found=OUTLOOK | {"possible": False, "problems": ["step 'model': no"]})

    assert result.exit_code == 1
    assert "✗ step 'model': no" in result.stdout


def test_a_dry_run_sends_files_along_instead_of_storing_them(
    dry_run: Any, stage: Any, tmp_path: Path
) -> None:
    (tmp_path / "bag.png").write_bytes(b"png")

    dry_run("-i", f"photos=@{tmp_path / 'bag.png'}")

    assert json.loads(stage.asked[-1].body)["inputs"]["photos"] == ["data:;base64,cG5n"]
    assert [asked.path for asked in stage.asked] == ["/api/v1/workflows/shoot", "/api/v1/runs"]


def test_a_dry_run_cannot_be_waited_for(dry_run: Any) -> None:
    assert dry_run("--wait").exit_code == 2
