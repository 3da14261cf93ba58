"""
Put a backup in the place of the data, and see to it that nothing is paid for twice because of that.

A backup knows less than the world: since it was taken, jobs that it takes for unsent may have been
submitted, and steps that it takes for not begun may have ended. So the restore begins a new epoch, in
which the server makes open jobs uncertain before it does anything else; the counters of request numbers
go on beyond what may have been used; and where runs are open, every connection is paused until a person
has looked.
"""

import asyncio
import os
import shutil
import sqlite3
import tarfile
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

from orchestrator.artifacts.folder import Folder
from orchestrator.clock import SECOND, Clock, rfc3339
from orchestrator.errors import WrongState
from orchestrator.runtime.numbers import first_number
from orchestrator.runtime.pauses import Pause, paused
from orchestrator.settings import Settings, connection_tables, secret_keys_file
from orchestrator.store.connections import ConnectionRow
from orchestrator.store.sqlite import LockFile, SqliteStore, migrations
from orchestrator.upkeep import archive as archives
from orchestrator.upkeep.archive import Manifest

PIECE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """
    What was put in place.

    *moved*: the database that was there, None where there was none; *paused*: the connections that
    submit nothing until a person resumes them; *artifacts*: how many files were not there before;
    *keys*: whether secret keys of the backup were put into the data folder.
    """

    manifest: Manifest
    database: Path
    moved: Path | None
    paused: Sequence[str]
    artifacts: int
    keys: bool

    def to_json(self) -> dict[str, object]:
        """Return it as `--json` prints it."""
        return {
            "database": str(self.database),
            "taken_at": rfc3339(self.manifest.taken_at),
            "moved": str(self.moved) if self.moved is not None else None,
            "runs": self.manifest.runs,
            "open_runs": self.manifest.open_runs,
            "paused": list(self.paused),
            "artifacts": self.artifacts,
            "secret_keys": self.keys,
        }


def restore(settings: Settings, source: Path, clock: Clock, *, force: bool, pause: bool) -> Restored:
    """
    Put the backup *source* in the place of the database, the secret keys and the artifacts.

    Shape:   with *force*, a database that is there is moved aside; with *pause*, connections are
             paused where the backup has open runs.
    Errors:  WrongState when there is a database already, or *source* is no whole backup; StoreInUse
             while a server runs; StoreUnavailable when it was made by a newer version; OSError.
    """
    target = settings.store_path
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = LockFile(target)
    lock.take()
    try:
        if target.exists() and not force:
            raise WrongState(f"there is a database at {target} already; --force moves it aside")
        with TemporaryDirectory(dir=target.parent, prefix=".restore-") as scratch:
            return _restore(settings, source, clock, Path(scratch), pause=pause)
    finally:
        lock.release()


def _restore(settings: Settings, source: Path, clock: Clock, scratch: Path, *, pause: bool) -> Restored:
    target, fresh = settings.store_path, scratch / archives.DATABASE
    with archives.reading(source) as archive:
        manifest = archives.read_manifest(archive, source)
        _unpack_database(archive, manifest, fresh)
        names = list(connection_tables(settings)) if pause and manifest.open_runs else []
        asyncio.run(_begin_epoch(fresh, manifest, names, clock))
        keys, artifacts = _unpack_rest(archive, settings)
    moved = _move_aside(target, clock)
    fresh.rename(target)
    _sync(target.parent)
    return Restored(
        manifest=manifest, database=target, moved=moved, paused=names, artifacts=artifacts, keys=keys
    )


def _unpack_database(archive: tarfile.TarFile, manifest: Manifest, fresh: Path) -> None:
    entry = archive.next()
    file = archive.extractfile(entry) if entry is not None and entry.name == archives.DATABASE else None
    if file is None:
        raise WrongState("the backup holds no database")
    digest = sha256()
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as written:
        while piece := file.read(PIECE_BYTES):
            digest.update(piece)
            written.write(piece)
        written.flush()
        os.fsync(written.fileno())
    if digest.hexdigest() != manifest.sha256:
        raise WrongState("the database in the backup is not the one that was put there: it is damaged")
    with closing(sqlite3.connect(fresh)) as db:
        migrations.check(migrations.applied(db), migrations.known())


async def _begin_epoch(fresh: Path, manifest: Manifest, names: Sequence[str], clock: Clock) -> None:
    """Bring the database up to date, and tell it what it is."""
    now = clock.now()
    store = await SqliteStore.open(fresh, clock=clock, keeps_old=False)
    try:
        await store.begin_epoch(taken_at=manifest.taken_at, restored_at=now, number=first_number(now))
        # What a schedule or the end of a run started after the backup has been paid for: begin anew.
        await store.put_positions({}, gone=list(await store.positions()))
        known = {row.name: row for row in await store.connections()}
        reason = f"restored from a backup of {rfc3339(manifest.taken_at)}: look at the providers' pages first"
        for name in names:
            why = Pause(by="person", cause=None, reason=reason, since=now, until=None)
            credits = known[name].credits if name in known else None
            row = ConnectionRow(name=name, paused_by="person", reason=reason, paused_at=now, credits=credits)
            await store.put_connection(row, [paused(name, why)])
    finally:
        await store.close()


def _unpack_rest(archive: tarfile.TarFile, settings: Settings) -> tuple[bool, int]:
    """Put keys and artifacts in their places; both are added to what is there."""
    keys, count, folder = False, 0, None
    for entry in archive:
        if entry.name == archives.KEYS:
            keys = _put_keys(settings, archives.content(archive, entry).decode().split())
        elif (name := archives.artifact_of(entry)) is not None:
            folder = folder or Folder(settings.artifacts)
            file = archive.extractfile(entry)
            assert file is not None, "a regular file of an archive can be read"
            count += folder.take_in(name, iter(partial(file.read, PIECE_BYTES), b""))
    return keys, count


def _put_keys(settings: Settings, ours: list[str]) -> bool:
    """Let callbacks count that were signed with the backup's keys; keys that are there go on signing."""
    if settings.secret_keys:
        return False
    path = secret_keys_file(settings)
    there = path.read_text("utf-8").split() if path.exists() else []
    missing = [key for key in ours if key not in there]
    if not missing:
        return False
    fresh = path.with_name(f".{path.name}-new")
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write("\n".join([*there, *missing]) + "\n")
        file.flush()
        os.fsync(file.fileno())
    fresh.rename(path)
    return True


def _move_aside(target: Path, clock: Clock) -> Path | None:
    """Move the database that is there out of the way, with all that belongs to it."""
    log, shared = (target.with_name(target.name + ending) for ending in ("-wal", "-shm"))
    at = datetime.fromtimestamp(clock.now() // SECOND, UTC)
    aside = target.with_name(f"{target.name}.before-restore-{at:%Y%m%dT%H%M%SZ}")
    was_there = target.exists()
    if was_there:
        _fold_log_in(target)
        target.rename(aside)
    # A log beside it would be taken for that of the database that comes now.
    if log.exists():
        shutil.move(log, aside.with_name(aside.name + "-wal"))
    shared.unlink(missing_ok=True)
    return aside if was_there else None


def _fold_log_in(path: Path) -> None:
    """Bring what is in the write-ahead log into the file, as far as the file is whole enough for that."""
    try:
        with closing(sqlite3.connect(path, timeout=1.0)) as db:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except sqlite3.Error:
        pass


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
