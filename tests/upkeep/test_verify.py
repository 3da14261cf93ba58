"""Whatever is changed in a log, or beside it, is found: in the store, and in an exported run."""

import asyncio
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from orchestrator.clock import SystemClock
from orchestrator.errors import StoreUnavailable
from orchestrator.operations import export
from orchestrator.store.sqlite import SqliteStore, migrations
from orchestrator.upkeep.verify import Verified, verify_file, verify_store

RUN = "run_" + "2".zfill(26)


@pytest.fixture
def lived(house: Callable[..., Any], a_run: Any) -> Any:
    """A data folder in which three runs have happened."""
    here = house()

    async def live(store: SqliteStore) -> None:
        for n in (1, 2, 3):
            await a_run(store, n)

    here.within(live)
    return here


def tampered(house: Any, *statements: str) -> Verified:
    """Verify the store after somebody has changed it by hand."""
    with closing(sqlite3.connect(house.settings.store_path, isolation_level=None)) as db:
        n = db.execute("SELECT n FROM runs WHERE id = ?", (RUN,)).fetchone()[0]
        for statement in statements:
            assert db.execute(statement.format(n=n)).rowcount == 1, statement
    return verify_store(house.settings)


def test_a_store_that_nobody_has_touched_is_as_it_was_written(lived: Any) -> None:
    done = verify_store(lived.settings)

    assert done.difference is None
    assert done.runs == 3
    assert done.events > 20


def test_a_store_is_verified_while_a_server_uses_it(lived: Any) -> None:
    async def beside(store: SqliteStore) -> Verified:
        return await asyncio.to_thread(verify_store, lived.settings)

    assert lived.within(beside).difference is None


def test_where_there_is_no_store_there_is_nothing_to_verify(house: Callable[..., Any]) -> None:
    with pytest.raises(StoreUnavailable, match="no database"):
        verify_store(house().settings)


@pytest.mark.parametrize(
    ("statement", "field"),
    [
        ("UPDATE runs SET status = 'failed' WHERE n = {n}", "runs.status"),
        ("UPDATE runs SET outputs = '{{}}' WHERE n = {n}", "runs.outputs"),
        ('UPDATE runs SET labels = \'{{"order":"8"}}\' WHERE n = {n}', "runs.labels"),
        ("UPDATE runs SET finished_at = finished_at + 1 WHERE n = {n}", "runs.finished_at"),
        ("UPDATE jobs SET task_id = 'other' WHERE run = {n}", "task_id"),
        ("UPDATE jobs SET credits = 99 WHERE run = {n}", "credits"),
        ("DELETE FROM jobs WHERE run = {n}", "jobs."),
    ],
)
def test_a_row_that_was_changed_is_found_with_run_and_column(lived: Any, statement: str, field: str) -> None:
    done = tampered(lived, statement)

    assert done.difference is not None
    assert done.difference.run == RUN
    assert field in done.difference.field
    assert done.runs == 1, "runs before it were well"


def changed(name: str, old: str, new: str) -> str:
    """Return the statement that puts another text into the data of an event."""
    return (
        f"UPDATE events SET data = CAST(replace(CAST(data AS TEXT), '{old}', '{new}') AS BLOB) "
        f"WHERE run = {{n}} AND type = (SELECT n FROM event_types WHERE name = '{name}') "
        f"AND instr(CAST(data AS TEXT), '{old}') > 0"
    )


@pytest.mark.parametrize(
    ("statement", "version", "field"),
    [
        (changed("run.created", "Ada", "Eve"), None, "runs.inputs"),
        (changed("job.submitted", "task-2", "task-9"), None, "task_id"),
        (changed("run.succeeded", "Ada", "Eve"), None, "runs.outputs"),
        # What nothing is computed from that a list shows.
        (changed("job.submitting", "female", "male"), None, "runs.chain"),
        (changed("job.succeeded", "Ada", "Eve"), None, "runs.chain"),
        ("UPDATE events SET data = 'nonsense' WHERE run = {n} AND version = 3", 3, "step.started"),
        ("UPDATE events SET at = at + 1 WHERE run = {n} AND version = 4", 4, "at"),
        ("UPDATE events SET subject = 'x' WHERE run = {n} AND version = 4", 4, "subject"),
        (
            "UPDATE events SET type = (SELECT n FROM event_types WHERE name = 'job.succeeded') "
            "WHERE run = {n} AND version = 3",
            3,
            "job.succeeded",
        ),
    ],
)
def test_an_event_that_was_changed_is_found(
    lived: Any, statement: str, version: int | None, field: str
) -> None:
    done = tampered(lived, statement)

    assert done.difference is not None
    assert done.difference.run == RUN
    assert version in (None, done.difference.version)
    assert field in done.difference.field


@pytest.mark.parametrize("version", [1, 5, "last"])
def test_an_event_that_is_missing_is_found(lived: Any, version: Any) -> None:
    where = "(SELECT max(version) FROM events WHERE run = {n})" if version == "last" else version

    done = tampered(lived, f"DELETE FROM events WHERE run = {{n}} AND version = {where}")

    assert done.difference is not None
    assert (done.difference.run, done.difference.field) == (RUN, "version")
    assert "missing" in done.difference.message
    assert version in ("last", done.difference.version)


def test_a_definition_that_was_changed_is_found(lived: Any) -> None:
    done = tampered(lived, "UPDATE definitions SET source = replace(source, 'female', 'male')")

    assert done.difference is not None
    assert done.difference.field == "definition"


def test_a_database_of_an_older_version_is_brought_up_to_date_first(house: Callable[..., Any]) -> None:
    here = house()
    with closing(sqlite3.connect(here.settings.store_path, isolation_level=None)) as db:
        migrations.migrate(db, migrations.known()[:3], 1)

    with pytest.raises(StoreUnavailable, match="orchestrator db migrate"):
        verify_store(here.settings)


# --- an exported run -------------------------------------------------------------------------


@pytest.fixture
def exported(lived: Any, tmp_path: Path) -> Path:
    async def write(store: SqliteStore) -> bytes:
        lines = export.lines(store, store, store, RUN, SystemClock().now())
        return b"".join([line async for line in lines])

    file = tmp_path / "run.jsonl"
    file.write_bytes(lived.within(write))
    return file


def test_an_export_holds_everything_about_a_run_in_its_order(exported: Path) -> None:
    events = [json.loads(line) for line in exported.read_text().splitlines()]

    types = [event["type"].removeprefix("orchestrator.") for event in events]
    assert types[:3] == ["export.begun", "export.definition", "run.created"]
    assert types[-5:] == ["run.succeeded", "export.run", "export.job", "export.delivery", "export.ended"]
    assert all(event["specversion"] == "1.0" and event["source"] == f"/runs/{RUN}" for event in events)
    assert len({event["id"] for event in events}) == len(events)
    assert events[-2]["data"]["body"] == "AP8="


def test_an_export_is_verified_alone(exported: Path) -> None:
    done = verify_file(exported)

    assert done.difference is None, str(done.difference)
    assert (done.runs, done.events) == (1, len(exported.read_text().splitlines()) - 6)


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ('"title":"Ada"', '"title":"Eve"', "runs.inputs"),
        ('"status":"succeeded"', '"status":"failed"', "runs.status"),
        ('"task_id":"task-2"', '"task_id":"task-9"', "task_id"),
        ("female", "male", "definition"),
        ("female", "nobody", "definition"),
        ('"body":"AP8="', '"body":"AP9="', "sha256"),
        ('"output":{"name":"Ada"}', '"output":{"name":"Eve"}', "sha256"),
    ],
)
def test_a_line_that_was_changed_is_found(exported: Path, old: str, new: str, field: str) -> None:
    text = exported.read_text()
    assert old in text
    exported.write_text(text.replace(old, new, 1))

    done = verify_file(exported)

    assert done.difference is not None
    assert field in done.difference.field


@pytest.mark.parametrize("which", range(1, 16))
def test_any_line_that_is_missing_is_found(exported: Path, which: int) -> None:
    lines = exported.read_text().splitlines(keepends=True)
    assert len(lines) == 15
    del lines[which - 1]
    exported.write_text("".join(lines))

    done = verify_file(exported)

    assert done.difference is not None
    assert "Error" not in done.difference.message


@pytest.mark.parametrize("text", ["", "nonsense\n", "{}\n", '{"type": "x"}\n', "[1]\n"])
def test_what_is_no_export_is_told(tmp_path: Path, text: str) -> None:
    file = tmp_path / "run.jsonl"
    file.write_text(text)

    done = verify_file(file)

    assert done.difference is not None
    assert str(done.difference).startswith("the file, line 1: ")


# --- files -----------------------------------------------------------------------------------


@pytest.fixture
def illustrated(lived: Any, a_run: Any) -> tuple[Any, Path]:
    """A data folder in which the job of a fourth run has brought a picture, and where that is."""
    digest = lived.put_artifact(b"a picture")
    artifact = {"digest": digest, "media_type": "image/png", "size": 9, "name": "a.png"}
    lived.within(lambda store: a_run(store, 4, artifacts=[artifact]))
    return lived, lived.settings.artifacts / "sha256" / digest[7:9] / digest[7:]


def test_files_that_runs_refer_to_are_read_once_where_that_is_asked_for(illustrated: Any) -> None:
    house, _ = illustrated

    alone, both = verify_store(house.settings), verify_store(house.settings, files=True)

    assert alone.files is None
    assert both.files is not None
    assert (both.files.count, both.files.bytes, both.is_sound) == (1, 9, True)


@pytest.mark.parametrize("problem", ["missing", "damaged"])
def test_a_file_that_is_not_as_it_was_is_named_with_run_and_step(illustrated: Any, problem: str) -> None:
    house, path = illustrated
    path.unlink()
    if problem == "damaged":
        path.write_bytes(b"a pic")

    done = verify_store(house.settings, files=True)

    assert done.files is not None
    assert [unsound.to_json() for unsound in done.files.unsound] == [
        {"digest": f"sha256:{path.name}", "problem": problem, "run": f"run_{4:026}", "step": "model"}
    ]
    assert not done.is_sound


def test_a_file_that_need_not_be_kept_any_more_is_not_missed(illustrated: Any) -> None:
    house, path = illustrated
    path.unlink()
    kept = house.settings.retention.model_copy(update={"artifacts": 60.0})
    settings, now = house.settings.model_copy(update={"retention": kept}), SystemClock().now()

    soon = verify_store(settings, files=True, now=now)
    later = verify_store(settings, files=True, now=now + 61_000_000)

    assert (soon.is_sound, later.is_sound) == (False, True)
