"""A backup holds what a server needs to go on elsewhere; a restore claims to know no more than it does."""

import asyncio
import sqlite3
import tarfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from orchestrator.clock import SystemClock
from orchestrator.errors import StoreInUse, StoreUnavailable, WrongState
from orchestrator.runtime.numbers import first_number
from orchestrator.settings import secret_keys_file
from orchestrator.store.sqlite import LockFile, SqliteStore, migrations
from orchestrator.upkeep import backup, restore
from orchestrator.upkeep.migrate import migrate

CLOCK = SystemClock()


def taken(house: Any, target: Path, *, artifacts: bool = False) -> Path:
    backup.write(house.settings, target, CLOCK, artifacts=artifacts)
    return target


def put_back(house: Any, source: Path, *, force: bool = False, pause: bool = True) -> restore.Restored:
    return restore.restore(house.settings, source, CLOCK, force=force, pause=pause)


def test_a_backup_of_a_server_that_writes_holds_what_was_written_last(
    house: Callable[..., Any], begun: Any, delivery: Any, tmp_path: Path
) -> None:
    here, there = house("here"), house("there")
    file = tmp_path / "backup.tar"

    async def write_and_back_up(store: SqliteStore) -> None:
        await store.append(begun())
        await store.put(delivery())
        await asyncio.to_thread(taken, here, file)
        await store.put(delivery(2))

    here.within(write_and_back_up)
    put_back(there, file)

    async def found(store: SqliteStore) -> Any:
        return await store.read("run_" + "1".zfill(26)), await store.find(), await store.get(delivery().id)

    events, deliveries, whole = there.within(found)
    assert len(events) == 1
    assert [each.id for each in deliveries] == [delivery().id]
    assert whole == delivery()


def test_a_backup_is_readable_by_its_owner_alone_and_leaves_nothing_beside_it(
    house: Callable[..., Any], begun: Any, tmp_path: Path
) -> None:
    here = house()
    here.within(lambda store: store.append(begun()))
    (tmp_path / "out").mkdir()

    file = taken(here, tmp_path / "out" / "backup.tar")

    assert file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["backup.tar"]
    with tarfile.open(file) as archive:
        assert archive.getnames() == ["manifest.json", "orchestrator.db", "secret_keys"]


def test_artifacts_are_in_it_where_they_are_asked_for(
    house: Callable[..., Any], begun: Any, tmp_path: Path
) -> None:
    here, there = house("here"), house("there")
    here.within(lambda store: store.append(begun()))
    digest = here.put_artifact(b"a picture")

    without = backup.write(here.settings, tmp_path / "without.tar", CLOCK, artifacts=False)
    found = put_back(there, taken(here, tmp_path / "with.tar", artifacts=True))

    assert "--artifacts" in without.left_out[0]
    assert found.artifacts == 1
    name = digest.removeprefix("sha256:")
    assert (there.settings.artifacts / "sha256" / name[:2] / name).read_bytes() == b"a picture"


def test_a_file_that_is_there_is_not_written_over(
    house: Callable[..., Any], begun: Any, tmp_path: Path
) -> None:
    here = house()
    here.within(lambda store: store.append(begun()))
    (tmp_path / "backup.tar").write_text("dear to me")

    with pytest.raises(WrongState, match="exists already"):
        taken(here, tmp_path / "backup.tar")

    assert (tmp_path / "backup.tar").read_text() == "dear to me"


def test_where_there_is_no_database_there_is_no_backup(house: Callable[..., Any], tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="no database"):
        taken(house(), tmp_path / "backup.tar")

    assert not (tmp_path / "backup.tar").exists()


def test_what_a_killed_server_left_in_its_log_is_in_the_backup(
    house: Callable[..., Any], begun: Any, tmp_path: Path
) -> None:
    here, there = house("here"), house("there")
    path = here.settings.store_path

    async def write(store: SqliteStore) -> None:
        await store.append(begun())
        # The file and its log as they are at this moment, as a killed process leaves them.
        for name in (path.name, f"{path.name}-wal"):
            (tmp_path / name).write_bytes(path.with_name(name).read_bytes())

    here.within(write)
    path.write_bytes((tmp_path / path.name).read_bytes())
    path.with_name(f"{path.name}-wal").write_bytes((tmp_path / f"{path.name}-wal").read_bytes())

    put_back(there, taken(here, tmp_path / "backup.tar"))

    assert len(there.within(lambda store: store.runs())) == 1


# --- restore ---------------------------------------------------------------------------------


@pytest.fixture
def a_backup(house: Callable[..., Any], begun: Any, tmp_path: Path) -> Path:
    """One with an open run, and a counter that stands at a number of long ago."""
    old = house("old")
    old.within(lambda store: store.append(begun(numbers=[("numbers/perfect", 41)])))
    return taken(old, tmp_path / "backup.tar")


def test_a_database_that_is_there_is_only_moved_aside_when_somebody_says_so(
    house: Callable[..., Any], a_backup: Path, begun: Any
) -> None:
    here = house()
    here.within(lambda store: store.append(begun(7)))

    with pytest.raises(WrongState, match="--force"):
        put_back(here, a_backup)
    found = put_back(here, a_backup, force=True)

    assert [run.id[-1] for run in here.within(lambda store: store.runs())] == ["1"]
    assert found.moved is not None
    with closing(sqlite3.connect(found.moved)) as moved:
        assert moved.execute("SELECT substr(id, -1) FROM runs").fetchall() == [("7",)]


def test_a_server_that_runs_is_not_robbed_of_its_database(house: Callable[..., Any], a_backup: Path) -> None:
    here = house()
    lock = LockFile(here.settings.store_path)
    lock.take()

    with pytest.raises(StoreInUse):
        put_back(here, a_backup, force=True)

    lock.release()


def test_callbacks_that_were_signed_before_the_loss_are_still_known(
    house: Callable[..., Any], a_backup: Path
) -> None:
    old, here = house("old"), house("new")
    before = secret_keys_file(here.settings).read_text().split()

    found = put_back(here, a_backup)

    assert found.keys
    ours = secret_keys_file(old.settings).read_text().split()
    assert secret_keys_file(here.settings).read_text().split() == [*before, *ours]


def test_request_numbers_go_on_beyond_all_that_may_have_been_used(
    house: Callable[..., Any], a_backup: Path
) -> None:
    here = house()

    put_back(here, a_backup)

    number = here.within(lambda store: store.number("numbers/perfect"))
    assert number >= first_number(CLOCK.now()) - 60


def test_triggers_begin_anew_because_what_they_started_after_the_backup_is_unknown(
    house: Callable[..., Any], tmp_path: Path
) -> None:
    here, there = house("here"), house("there")
    here.within(lambda store: store.put_positions({"schedule/report/0 3 * * */UTC": 5, "run/a/b": 7}))

    put_back(there, taken(here, tmp_path / "backup.tar"))

    assert there.within(lambda store: store.positions()) == {}


def test_connections_are_paused_where_runs_are_open_until_a_person_has_looked(
    house: Callable[..., Any], begun: Any, a_backup: Path, tmp_path: Path
) -> None:
    done, here, bold, idle = house("done"), house("here"), house("bold"), house("idle")
    done.within(lambda store: store.append(begun(status="succeeded")))
    quiet = taken(done, tmp_path / "quiet.tar")

    found = put_back(here, a_backup)
    put_back(bold, a_backup, pause=False)
    put_back(idle, quiet)

    assert found.paused == ["pizi", "perfect"]
    rows = here.within(lambda store: store.connections())
    assert {row.name: row.paused_by for row in rows} == {"pizi": "person", "perfect": "person"}
    assert "restored from a backup" in rows[0].reason
    assert bold.within(lambda store: store.connections()) == []
    assert idle.within(lambda store: store.connections()) == []


def test_a_restore_begins_an_epoch_that_a_server_takes_up_once(
    house: Callable[..., Any], a_backup: Path
) -> None:
    here = house()
    put_back(here, a_backup)

    async def take_up(store: SqliteStore) -> Any:
        epoch = await store.open_epoch()
        await store.take_up_epoch()
        return epoch, await store.open_epoch()

    epoch, then = here.within(take_up)
    assert epoch.taken_at < epoch.restored_at <= CLOCK.now()
    assert then is None


@pytest.mark.parametrize("harm", ["cut", "flipped", "other", "empty"])
def test_a_backup_that_is_damaged_changes_nothing(
    house: Callable[..., Any], a_backup: Path, begun: Any, harm: str
) -> None:
    here = house()
    here.within(lambda store: store.append(begun(7)))
    data = bytearray(a_backup.read_bytes())
    if harm == "cut":
        data = data[: len(data) // 2]
    elif harm == "flipped":
        data[len(data) // 2] ^= 1
    a_backup.write_bytes({"other": b"PK\x03\x04" * 300, "empty": b""}.get(harm, bytes(data)))

    with pytest.raises(WrongState, match="backup"):
        put_back(here, a_backup, force=True)

    assert [run.id[-1] for run in here.within(lambda store: store.runs())] == ["7"]
    assert not list(here.settings.data_folder.glob(".restore-*"))


def test_a_backup_of_a_newer_version_is_refused(house: Callable[..., Any], tmp_path: Path) -> None:
    here, there = house("here"), house("there")
    here.within(lambda store: store.runs())
    with closing(sqlite3.connect(here.settings.store_path)) as db, db:
        db.execute("INSERT INTO migrations VALUES (9999, 'later', 'x', 1)")

    with pytest.raises(StoreUnavailable, match="newer version"):
        put_back(there, taken(here, tmp_path / "backup.tar"))


# --- migrate ---------------------------------------------------------------------------------


def test_a_database_is_copied_before_it_is_brought_up_to_date(house: Callable[..., Any]) -> None:
    here = house()
    path = here.settings.store_path
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        migrations.migrate(db, migrations.known()[:1], 1)

    found = migrate(here.settings, CLOCK)

    assert (found.before, found.after) == (1, migrations.known()[-1].number)
    copy = path.with_name("orchestrator.db.before-0002")
    assert found.kept == copy
    with closing(sqlite3.connect(copy)) as kept:
        assert list(migrations.applied(kept)) == [1]
    with closing(sqlite3.connect(path)) as db:
        assert len(migrations.applied(db)) == found.after


def test_a_database_that_is_up_to_date_is_left_alone(house: Callable[..., Any]) -> None:
    here = house()
    here.within(lambda store: store.runs())

    found = migrate(here.settings, CLOCK)

    assert found.before == found.after
    assert found.kept is None
    assert not list(here.settings.data_folder.glob("*.before-*"))


def test_there_is_nothing_to_bring_up_to_date_before_the_first_start(house: Callable[..., Any]) -> None:
    with pytest.raises(WrongState, match="no database"):
        migrate(house().settings, CLOCK)
