"""`orchestrator db` from outside: what it prints, and its exit codes."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from orchestrator.store.sqlite import LockFile, migrations

Db = Callable[..., Result]


@pytest.fixture
def db(call: Any, tmp_path: Path) -> Db:
    """Call `orchestrator db` on a data folder that is not used by anybody."""
    config = tmp_path / "orchestrator.toml"
    config.write_text(
        f'store = "sqlite:///{tmp_path}/data/orchestrator.db"\nartifacts = "{tmp_path}/data/artifacts"\n'
    )
    (tmp_path / "data").mkdir()

    def db(*words: str) -> Result:
        result: Result = call("db", *words, "--config", str(config))
        return result

    return db


def made(db: Db, tmp_path: Path) -> Path:
    """Make the database of an earlier version."""
    path = tmp_path / "data" / "orchestrator.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        migrations.migrate(connection, migrations.known()[:3], 1)
    return path


def test_a_backup_says_what_is_in_it_and_what_is_not(db: Db, tmp_path: Path) -> None:
    made(db, tmp_path)

    done = db("backup", str(tmp_path / "backup.tar"))

    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    assert lines[0].endswith("holds the database (0 runs, 0 open)")
    assert lines[1].startswith("Not in it: artifacts: copy ")
    assert lines[2].startswith("Not in it: settings and workflow files")


def test_a_backup_is_told_to_machines_too(db: Db, tmp_path: Path) -> None:
    made(db, tmp_path)

    done = db("backup", str(tmp_path / "backup.tar"), "--json", "--artifacts")

    found = json.loads(done.stdout)
    assert found["file"] == str(tmp_path / "backup.tar")
    assert (found["runs"], found["secret_keys"], found["artifacts"], found["migration"]) == (0, False, 0, 3)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("backup", "{folder}/backup.tar"), "there is no database at"),
        (("backup", "{folder}/orchestrator.toml"), "exists already"),
        (("backup", "{folder}/nowhere/backup.tar"), "there is no folder"),
        (("restore", "{folder}/orchestrator.toml"), "is no backup"),
        (("migrate",), "there is no database at"),
    ],
)
def test_what_cannot_be_done_is_told_in_a_sentence(
    db: Db, tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    done = db(*(word.format(folder=tmp_path) for word in words))

    assert done.exit_code == 1
    assert said in done.stderr
    assert "Traceback" not in done.output


def test_restoring_what_is_not_there_is_wrong_usage(db: Db, tmp_path: Path) -> None:
    assert db("restore", str(tmp_path / "backup.tar")).exit_code == 2


def test_migrating_says_where_the_database_is_as_it_was(db: Db, tmp_path: Path) -> None:
    path = made(db, tmp_path)

    first, second = db("migrate"), db("migrate")

    assert "was brought from version 3 to" in first.stdout
    assert f"The database as it was: {path}.before-0004" in first.stdout
    assert "is up to date" in second.stdout
    assert (first.exit_code, second.exit_code) == (0, 0)


# --- prune -----------------------------------------------------------------------------------


def test_pruning_says_what_it_removed(db: Db, tmp_path: Path) -> None:
    made(db, tmp_path)

    counted, done = db("prune", "--dry-run", "--older-than", "90d"), db("prune", "--json")

    assert counted.stdout.splitlines() == [
        "Would remove 0 runs (0 events, 0 jobs)",
        "Would remove 0 deliveries",
        "Would remove 0 artifacts (0 B)",
    ]
    assert json.loads(done.stdout)["dry_run"] is False


def test_a_server_that_has_the_database_is_asked_to_prune_it(
    db: Db, tmp_path: Path, stage: Any, answer: Any
) -> None:
    told = {
        "dry_run": False,
        "runs": 3,
        "events": 70,
        "jobs": 9,
        "deliveries": 8,
        "artifacts": 2,
        "artifact_bytes": 2048,
        "database_bytes": 4096,
    }
    stage.on("/prune", answer(told))
    lock = LockFile(made(db, tmp_path))
    lock.take()

    done = db("prune", "--older-than", "90d", "--server", stage.url)

    lock.release()
    assert json.loads(stage.asked[0].body) == {"older_than": "90d", "dry_run": False}
    assert done.stdout.splitlines()[0] == "Removed 3 runs (70 events, 9 jobs)"
    assert done.exit_code == 0


def test_a_server_that_has_the_database_and_does_not_answer_is_not_reachable(db: Db, tmp_path: Path) -> None:
    lock = LockFile(made(db, tmp_path))
    lock.take()

    done = db("prune", "--server", "http://127.0.0.1:1")

    lock.release()
    assert done.exit_code == 3


@pytest.mark.parametrize(("age", "said"), [("soon", "not a duration"), ("90", "no unit")])
def test_an_age_that_is_none_is_wrong_usage(db: Db, tmp_path: Path, age: str, said: str) -> None:
    made(db, tmp_path)

    done = db("prune", "--older-than", age)

    assert done.exit_code == 2
    assert said in done.stderr
