"""
The form of a backup: a tar archive, which `tar` can look into.

    manifest.json      what is in it, and of when
    orchestrator.db    the database, of one moment
    secret_keys        where they were in the data folder
    artifacts/…        one file each, named by its SHA-256, where they were asked for
"""

import io
import os
import re
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson

from orchestrator.errors import WrongState

FORMAT = 1
MANIFEST, DATABASE, KEYS, ARTIFACTS = "manifest.json", "orchestrator.db", "secret_keys", "artifacts/"

_ARTIFACT = re.compile(r"artifacts/([0-9a-f]{64})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """
    What a backup holds.

    *taken_at* in microseconds since the epoch, UTC; *migration*: the last one that the database went
    through; *sha256*: of the database file; *secret_keys*: whether they are in it; *artifacts*: how many
    files, None where they were not asked for.
    """

    taken_at: int
    version: str
    migration: int
    sha256: str
    runs: int
    open_runs: int
    secret_keys: bool
    artifacts: int | None
    format: int = FORMAT


def add_bytes(archive: tarfile.TarFile, name: str, data: bytes, at: int) -> None:
    """Put *data* into the archive as *name*."""
    archive.addfile(_entry(name, len(data), at), io.BytesIO(data))


def add_file(archive: tarfile.TarFile, name: str, path: Path, at: int) -> bool:
    """Put the file at *path* into the archive as *name*; return False where it has gone meanwhile."""
    try:
        with path.open("rb") as file:
            archive.addfile(_entry(name, os.fstat(file.fileno()).st_size, at), file)
    except FileNotFoundError:
        return False
    return True


def write_manifest(archive: tarfile.TarFile, manifest: Manifest) -> None:
    """Put the manifest into the archive; it comes first."""
    data = orjson.dumps(asdict(manifest), option=orjson.OPT_INDENT_2)
    add_bytes(archive, MANIFEST, data + b"\n", manifest.taken_at)


def _entry(name: str, size: int, at: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mtime, entry.mode = size, at // 1_000_000, 0o600
    return entry


@contextmanager
def reading(path: Path) -> Iterator[tarfile.TarFile]:
    """Open a backup. Errors: WrongState when it is none, or does not hold all that it should."""
    try:
        with tarfile.open(path, "r:") as archive:
            yield archive
    except (tarfile.TarError, EOFError) as error:
        raise WrongState(f"{path} is no backup that can be read: {error}") from error


def read_manifest(archive: tarfile.TarFile, path: Path) -> Manifest:
    """Return what the archive says of itself. Errors: WrongState when this version cannot read it."""
    first = archive.next()
    if first is None or first.name != MANIFEST:
        raise WrongState(f"{path} is no backup: it does not begin with {MANIFEST}")
    found = orjson.loads(content(archive, first))
    if found.get("format") != FORMAT:
        raise WrongState(f"{path} was written by a newer version ({found.get('version')}): use that one")
    return Manifest(**found)


def content(archive: tarfile.TarFile, entry: tarfile.TarInfo) -> bytes:
    """Return the bytes of a small file of the archive."""
    file = archive.extractfile(entry)
    return file.read() if file is not None else b""


def artifact_of(entry: tarfile.TarInfo) -> str | None:
    """Return the SHA-256 that an entry of the archive is named by; None for one that is no artifact."""
    found = _ARTIFACT.fullmatch(entry.name)
    return found[1] if found is not None and entry.isfile() else None
