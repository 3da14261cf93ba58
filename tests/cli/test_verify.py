"""`orchestrator export` and `verify` from outside: what they print, and their exit codes."""

import json
from pathlib import Path
from typing import Any


def test_an_export_is_printed_as_it_comes(call: Any, stage: Any, answer: Any) -> None:
    lines = b'{"type":"a"}\n{"type":"b"}\n'
    stage.on("/runs/run_1/export", answer(lines, content_type="application/x-ndjson"))

    done = call("export", "run_1", "--server", stage.url)

    assert done.stdout_bytes == lines
    assert done.exit_code == 0


def test_a_run_that_is_not_there_is_told(call: Any, stage: Any, answer: Any) -> None:
    problem = {"title": "Not Found", "status": 404, "detail": "no run 'run_1'"}
    stage.on("/runs/run_1/export", answer(problem, status=404, content_type="application/problem+json"))

    done = call("export", "run_1", "--server", stage.url)

    assert done.exit_code == 2
    assert done.stdout == ""
    assert "no run 'run_1'" in done.stderr


def test_the_first_difference_is_told_and_is_a_failure(call: Any, tmp_path: Path) -> None:
    file = tmp_path / "run.jsonl"
    file.write_text("nonsense\n")

    told, for_machines = call("verify", str(file)), call("verify", str(file), "--json")

    assert told.exit_code == for_machines.exit_code == 1
    assert told.stdout == "the file, line 1: is no event of an exported run\n"
    assert json.loads(for_machines.stdout)["difference"]["field"] == "line 1"


def test_where_there_is_no_database_nothing_can_be_verified(call: Any, tmp_path: Path) -> None:
    config = tmp_path / "orchestrator.toml"
    config.write_text(f'store = "sqlite:///{tmp_path}/orchestrator.db"\n')

    done = call("verify", "--config", str(config))

    assert done.exit_code == 1
    assert "there is no database" in done.stderr


def test_a_file_that_is_not_there_is_wrong_usage(call: Any, tmp_path: Path) -> None:
    assert call("verify", str(tmp_path / "run.jsonl")).exit_code == 2
