"""Write a backup: everything that a server needs to go on somewhere else, in one file, while it runs."""

import os
import sqlite3
import tarfile
from dataclasses import asdict, dataclass
from hashlib import file_digest
from pathlib import Path
from tempfile import TemporaryDirectory

import orchestrator
from orchestrator.artifacts.folder import artifact_files
from orchestrator.clock import Clock, rfc3339
from orchestrator.errors import StoreUnavailable, WrongState
from orchestrator.settings import Settings, secret_keys_file
from orchestrator.store.sqlite import copying, migrations
from orchestrator.upkeep import archive as archives
from orchestrator.upkeep.archive import Manifest


@dataclass(frozen=True, slots=True)
class Written:
    """A backup that is complete and on disk. *size* in bytes; *left_out* says what else is to be kept."""

    file: Path
    size: int
    manifest: Manifest
    left_out: tuple[str, ...]

    def to_json(self) -> dict[str, object]:
        """Return the backup as `--json` prints it."""
        whole = asdict(self.manifest) | {"taken_at": rfc3339(self.manifest.taken_at)}
        return {"file": str(self.file), "size": self.size, **whole, "left_out": list(self.left_out)}


def write(settings: Settings, target: Path, clock: Clock, *, artifacts: bool) -> Written:
    """
    Back the data up into the new file *target*; nobody is held up, and it is there whole or not at all.

    Shape:   with *artifacts*, their files are in it too.
    Errors:  WrongState when *target* exists; StoreUnavailable; OSError.
    """
    if target.exists():
        raise WrongState(f"{target} exists already; a backup is written to a new file")
    folder = target.absolute().parent
    if not folder.is_dir():
        raise WrongState(f"there is no folder {folder}")
    # Beside the target: there has to be room there, and the last step must be a mere renaming.
    with TemporaryDirectory(dir=folder, prefix=f".{target.name}-") as scratch:
        database, whole = Path(scratch) / archives.DATABASE, Path(scratch) / "whole"
        manifest = _copy_database(settings, database, clock, artifacts=artifacts)
        _pack(whole, settings, database, manifest)
        size = whole.stat().st_size
        _put_in_place(whole, target)
    return Written(target, size, manifest, tuple(_left_out(settings, manifest)))


def _copy_database(settings: Settings, copy: Path, clock: Clock, *, artifacts: bool) -> Manifest:
    # The time before the copy: what happens during it counts as unknown to the backup.
    taken_at = clock.now()
    with copying.opened(settings.store_path) as db:
        migration = max(migrations.applied(db), default=0)
        copying.copy(db, copy)
    with copying.opened(copy) as db:
        runs, open_runs = _runs(db)
    with copy.open("rb") as file:
        digest = file_digest(file, "sha256").hexdigest()
    # Counted after the database was copied: whatever it names is there by now.
    count = len(artifact_files(settings.artifacts)) if artifacts else None
    return Manifest(
        taken_at=taken_at,
        version=orchestrator.__version__,
        migration=migration,
        sha256=digest,
        runs=runs,
        open_runs=open_runs,
        secret_keys=_keys_file(settings) is not None,
        artifacts=count,
    )


def _runs(db: sqlite3.Connection) -> tuple[int, int]:
    ended = "('succeeded', 'failed', 'cancelled')"
    found = db.execute(f"SELECT count(*), count(*) FILTER (WHERE status NOT IN {ended}) FROM runs").fetchone()
    return found[0], found[1]


def _keys_file(settings: Settings) -> Path | None:
    """Return the file of the secret keys; None where they are in the settings, or not made yet."""
    path = secret_keys_file(settings)
    return path if not settings.secret_keys and path.exists() else None


def _pack(whole: Path, settings: Settings, database: Path, manifest: Manifest) -> None:
    descriptor = os.open(whole, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w+b") as file:
        with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as archive:
            archives.write_manifest(archive, manifest)
            archives.add_file(archive, archives.DATABASE, database, manifest.taken_at)
            if (keys := _keys_file(settings)) is not None:
                archives.add_file(archive, archives.KEYS, keys, manifest.taken_at)
            for path in artifact_files(settings.artifacts) if manifest.artifacts is not None else ():
                archives.add_file(archive, archives.ARTIFACTS + path.name, path, manifest.taken_at)
        file.flush()
        os.fsync(file.fileno())


def _put_in_place(whole: Path, target: Path) -> None:
    try:
        os.link(whole, target)
    except FileExistsError:
        raise WrongState(f"{target} exists already; a backup is written to a new file") from None
    except OSError:
        # A file system without links: the name was free a moment ago.
        whole.rename(target)
    _sync(target.absolute().parent)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        raise StoreUnavailable(f"cannot write {folder}: {error.strerror}") from error
    finally:
        os.close(descriptor)


def _left_out(settings: Settings, manifest: Manifest) -> list[str]:
    """Return what else has to be kept, a sentence each."""
    left = []
    if manifest.artifacts is None:
        left.append(f"artifacts: copy {settings.artifacts} as well, or use --artifacts")
    if settings.secret_keys:
        left.append("secret keys: they are in the settings")
    left.append(f"settings and workflow files ({settings.workflows})")
    return left
