"""
The local folder of artifacts: each file is named by the SHA-256 of what is in it.

    <folder>/sha256/ab/abcdef…      the bytes, nothing else
    <folder>/tmp/…                  being written; never read

A file's name is the whole digest and has no extension. The digest alone says
where the bytes are, whatever they are called elsewhere, and `sha256sum` on any
file must print its name. The media type is data beside it; downloads through the
API carry a proper file name.

A file appears under its name complete or not at all: it is written beside, synced,
renamed, and its directory is synced before anybody is told that it is there. One
sync for each of hundreds of pictures a second would be most of the work, so the
puts that wait at the same moment are one batch: written together, synced together
(by several threads, whose flushes the file system's journal joins), renamed, and
each touched directory synced once. Nobody waits to make a batch larger: it is
whatever came in while the one before was being written.
"""

import asyncio
import os
import re
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from math import inf
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

from orchestrator import telemetry
from orchestrator.artifacts.soundness import Soundness
from orchestrator.errors import NotFound, OrchestratorError, StoreUnavailable

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_NAME = re.compile(r"[0-9a-f]{64}")
_PIECE_BYTES = 1 << 20
_STALE_S = 86_400.0
_SYNC_THREADS = 4

T = TypeVar("T")

log = telemetry.logger()


class CorruptArtifact(OrchestratorError):
    """The file is there, but it does not hold the bytes that its name promises."""


@dataclass(slots=True)
class _Put:
    """One waiting `put`; *temporary* is set while its bytes are beside their place."""

    data: bytes
    done: "asyncio.Future[str]"
    digest: str = ""
    target: Path = field(default_factory=Path)
    temporary: Path | None = None
    descriptor: int = -1
    error: OSError | None = None


def artifact_files(folder: Path) -> list[Path]:
    """Return the file of every artifact in *folder*, in the order of their names."""
    found = (folder / "sha256").glob("[0-9a-f][0-9a-f]/*")
    return sorted(path for path in found if _NAME.fullmatch(path.name))


class Folder:
    """
    Content-addressed files. One `Folder` a process; several processes may share the directory.

    *on_damage* is told the digest of a file whenever somebody wanted it and it held other bytes.
    """

    def __init__(self, path: Path, *, on_damage: Callable[[str], None] = lambda digest: None) -> None:
        self._root = path
        self.on_damage = on_damage
        self._soundness = Soundness()
        self._files = path / "sha256"
        self._temporary = path / "tmp"
        # Between looking how old a file is and deleting it, nobody may begin to use it.
        self._turn = threading.Lock()
        self._waiting: list[_Put] = []
        self._writer: asyncio.Task[None] | None = None
        # Threads of its own: a long conversion elsewhere must not hold up what is to be kept.
        self._thread = ThreadPoolExecutor(1, "artifact-write")
        self._syncers = ThreadPoolExecutor(_SYNC_THREADS, "artifact-sync")
        self._prepare()
        self._disk = path.stat().st_dev

    def path(self, digest: str) -> Path:
        """Return where the bytes of *digest* are, or would be. Errors: NotFound for what is no digest."""
        if not _DIGEST.fullmatch(digest):
            raise NotFound(f"{digest!r} is not the digest of an artifact (sha256: and 64 hexadecimal digits)")
        name = digest[7:]
        return self._files / name[:2] / name

    def holds(self, digest: str) -> bool:
        """Return whether there is a file for *digest*."""
        return self.path(digest).is_file()

    async def put(self, data: bytes) -> str:
        """
        Keep *data* and return its digest; it is on disk when this returns.

        Errors:  StoreUnavailable when the disk refuses; nothing is left behind then.
        """
        put = _Put(data, asyncio.get_running_loop().create_future())
        self._waiting.append(put)
        if self._writer is None:
            self._writer = asyncio.create_task(self._write_batches())
        return await put.done

    async def put_stream(self, chunks: AsyncIterator[bytes]) -> tuple[str, int]:
        """
        Keep what *chunks* brings, without holding it in memory; return digest and size in bytes.

        What *chunks* raises passes through, and nothing is left behind then.
        Errors:  StoreUnavailable when the disk refuses.
        """
        incoming = self._begin()
        piece = bytearray()
        try:
            async for chunk in chunks:
                piece += chunk
                if len(piece) >= _PIECE_BYTES:
                    full, piece = piece, bytearray()
                    await _in_thread(partial(incoming.write, full))
            name = await _in_thread(lambda: self._accept(incoming, piece))
        finally:
            incoming.discard()
        return f"sha256:{name}", incoming.size

    def take_in(self, name: str, pieces: Iterable[bytes]) -> bool:
        """
        Keep the file *name*, 64 hexadecimal digits, of another folder; return whether it was not there yet.

        Errors:  CorruptArtifact when the bytes are others; StoreUnavailable when the disk refuses.
        """
        if self.holds(f"sha256:{name}"):
            return False
        incoming = self._begin()
        try:
            for piece in pieces:
                incoming.write(bytearray(piece))
            if incoming.digest.hexdigest() != name:
                log.error("artifact.damaged", digest=f"sha256:{name}")
                raise CorruptArtifact(f"the artifact sha256:{name} is corrupt: it holds other bytes")
            self._accept(incoming, bytearray())
        except OSError as error:
            raise _refused(error) from error
        finally:
            incoming.discard()
        return True

    async def read(self, digest: str, *, verify: bool = False) -> bytes:
        """
        Return the bytes of *digest*.

        Errors:  NotFound; StoreUnavailable when the disk refuses; with *verify*,
                 CorruptArtifact when they are not the bytes that were put.
        """
        path = self.path(digest)

        def load() -> tuple[bytes, bool]:
            data = path.read_bytes()
            return data, not verify or sha256(data).hexdigest() == path.name

        data, sound = await self._reading(digest, asyncio.to_thread(load))
        if not sound:
            raise self._damaged(digest)
        return data

    async def look(self, digest: str, at: Callable[[Path], T]) -> T:
        """Return what *at* makes of the file, in a thread. Errors: NotFound, StoreUnavailable."""
        return await self._reading(digest, asyncio.to_thread(at, self.path(digest)))

    async def sound(self, digest: str) -> Path:
        """
        Return the file of *digest*, which holds what its name promises; an unchanged one is read but once.

        Errors:  NotFound; CorruptArtifact; StoreUnavailable when the disk refuses.
        """
        path = self.path(digest)
        if not await self._reading(digest, self._soundness.holds(path)):
            raise self._damaged(digest)
        return path

    async def check(self) -> None:
        """Return when a file could be written here. Errors: StoreUnavailable."""

        def probe() -> None:
            incoming = self._begin()
            try:
                incoming.write(bytearray(b"ready?"))
            finally:
                incoming.discard()

        await _in_thread(probe)

    def hold(self, digest: str) -> bool:
        """
        Note that *digest* is about to be used, so that it counts as fresh; return whether it is there.

        From here on it is kept for as long as a fresh upload is, by when whatever uses it is in the log.
        """
        with self._turn:
            try:
                os.utime(self.path(digest))
            except FileNotFoundError:
                return False
            except PermissionError:
                pass  # It is another user's, brought back from a backup perhaps: it can be read all the same.
        return True

    def text(self, digest: str) -> bytes:
        """Return the bytes of *digest*, which are JSON; nothing where it is not there."""
        try:
            return self.path(digest).read_bytes()
        except FileNotFoundError:
            return b""
        except OSError as error:
            raise _refused(error) from error

    def stale(self, before: float) -> Iterator[str]:
        """Yield the digests of files that nobody has put, uploaded or used since *before*, epoch seconds."""
        for path in artifact_files(self._root):
            if _used_at(path) < before:
                yield f"sha256:{path.name}"

    def discard(self, digest: str, before: float, *, dry: bool = False) -> int:
        """
        Delete a file unless it was put or used since *before*; return its bytes, 0 where it stays.

        Only one process may do this with a folder; within it, nobody can begin to use the file meanwhile.
        Errors:  StoreUnavailable when the disk refuses.
        """
        path = self.path(digest)
        try:
            with self._turn:
                if _used_at(path) >= before:
                    return 0
                size = path.stat().st_size
                if not dry:
                    path.unlink()
                return size
        except OSError as error:
            raise _refused(error) from error

    async def remove(self, digest: str) -> None:
        """Delete the file of *digest*; its absence is no error. Errors: StoreUnavailable."""
        path = self.path(digest)
        await _in_thread(lambda: path.unlink(missing_ok=True))

    async def close(self) -> None:
        """Wait for what is being written."""
        while self._writer is not None and not self._writer.done():
            await asyncio.wait([self._writer])
        self._thread.shutdown()
        self._syncers.shutdown()

    # --- reading -----------------------------------------------------------------------------

    async def _reading(self, digest: str, work: Awaitable[T]) -> T:
        try:
            return await work
        except FileNotFoundError as error:
            if (why := self._why_away()) is not None:
                # Not this file is missing, but all of them.
                raise _refused(FileNotFoundError(2, why, str(self._root))) from error
            raise NotFound(f"there is no artifact {digest} here") from error
        except OSError as error:
            raise _refused(error) from error

    def _damaged(self, digest: str) -> CorruptArtifact:
        log.error("artifact.damaged", digest=digest)
        self.on_damage(digest)
        path = self.path(digest)
        return CorruptArtifact(f"the artifact {digest} is corrupt: its file {path} holds other bytes")

    # --- writing -----------------------------------------------------------------------------

    def _prepare(self) -> None:
        try:
            self._files.mkdir(parents=True, exist_ok=True)
            self._temporary.mkdir(exist_ok=True)
            # What a killed process left half written. Younger files may be another process's work.
            for left in self._temporary.iterdir():
                if left.stat().st_mtime < time.time() - _STALE_S:
                    left.unlink(missing_ok=True)
        except OSError as error:
            raise _refused(error) from error

    def _mend(self) -> None:
        """
        Make the folders inside again, should somebody have emptied ours. Errors: OSError when ours is gone.

        That one is not made again: it may be where another disk was mounted a moment ago.
        """
        if (why := self._why_away()) is not None:
            raise FileNotFoundError(2, why, str(self._root))
        if not self._temporary.is_dir() or not self._files.is_dir():
            self._files.mkdir(exist_ok=True)
            self._temporary.mkdir(exist_ok=True)

    def _why_away(self) -> str | None:
        try:
            disk = self._root.stat().st_dev
        except FileNotFoundError:
            return "it is gone; bring it back, or make an empty one"
        return None if disk == self._disk else "another disk is in its place; mount the one that was there"

    async def _write_batches(self) -> None:
        loop = asyncio.get_running_loop()
        batch: list[_Put] = []
        try:
            while self._waiting:
                batch, self._waiting = self._waiting, []
                await loop.run_in_executor(self._thread, self._write, batch)
                _answer(batch)
        finally:
            self._writer = None
            # Only when the loop is going down around us: nobody is left waiting for ever.
            for put in (*batch, *self._waiting):
                put.done.cancel()

    def _write(self, batch: list[_Put]) -> None:
        """Runs in a thread. Each put ends durable, or with its error and without a trace."""
        self._mend_for(batch)
        for put in batch:
            _attempt(put, self._stage)
        staged = [put for put in batch if put.temporary]
        self._each(_sync_file, staged)
        for put in staged:
            _attempt(put, self._put_in_place)
        touched: dict[Path, list[_Put]] = {}
        for put in batch:
            if put.error is None:
                touched.setdefault(put.target.parent, []).append(put)
        for directory, puts in touched.items():
            try:
                _sync_directory(directory)
            except OSError as error:
                for put in puts:
                    put.error = error

    def _mend_for(self, batch: list[_Put]) -> None:
        try:
            self._mend()
        except OSError as error:
            for put in batch:
                put.error = error

    def _stage(self, put: _Put) -> None:
        name = sha256(put.data).hexdigest()
        put.digest, put.target = f"sha256:{name}", self._files / name[:2] / name
        # Bytes we have already are compared, not trusted: putting them again repairs a corrupt file.
        if _holds(put.target, put.data) and self.hold(put.digest):
            return
        self._directory_for(put.target)
        put.temporary = self._temporary / uuid4().hex
        put.descriptor = os.open(put.temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        _write_all(put.descriptor, put.data)

    def _put_in_place(self, put: _Put) -> None:
        assert put.temporary is not None, "only what was staged is put in place"
        with self._turn:
            put.temporary.replace(put.target)

    def _each(self, work: Callable[[_Put], None], puts: list[_Put]) -> None:
        def one(put: _Put) -> None:
            _attempt(put, work)

        if len(puts) < _SYNC_THREADS:
            for put in puts:
                one(put)
        else:
            list(self._syncers.map(one, puts))

    def _begin(self) -> "_Incoming":
        try:
            self._mend()
            return _Incoming(self._temporary / uuid4().hex)
        except OSError as error:
            raise _refused(error) from error

    def _accept(self, incoming: "_Incoming", rest: bytearray) -> str:
        """Runs in a thread. Put what was streamed in its place and return its name."""
        incoming.write(rest)
        os.fsync(incoming.descriptor)
        name = incoming.digest.hexdigest()
        target = self._files / name[:2] / name
        self._directory_for(target)
        with self._turn:
            incoming.temporary.replace(target)
        _sync_directory(target.parent)
        return name

    def _directory_for(self, target: Path) -> None:
        try:
            target.parent.mkdir()
        except FileExistsError:
            return
        _sync_directory(self._files)


class _Incoming:
    """A file that is being streamed to disk, and the digest of what has arrived."""

    def __init__(self, temporary: Path) -> None:
        self.temporary = temporary
        self.digest = sha256()
        self.size = 0
        self.descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)

    def write(self, data: bytearray) -> None:
        self.digest.update(data)
        self.size += len(data)
        _write_all(self.descriptor, data)

    def discard(self) -> None:
        """Let go of the file, and delete it unless it has been put in its place."""
        os.close(self.descriptor)
        self.temporary.unlink(missing_ok=True)


def _write_all(descriptor: int, data: bytes | bytearray) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _attempt(put: _Put, work: Callable[[_Put], None]) -> None:
    if put.error is not None:
        return
    try:
        work(put)
    except OSError as error:
        put.error = error
        if put.descriptor >= 0:
            os.close(put.descriptor)
            put.descriptor = -1
        if put.temporary is not None:
            put.temporary.unlink(missing_ok=True)


def _sync_file(put: _Put) -> None:
    os.fsync(put.descriptor)
    descriptor, put.descriptor = put.descriptor, -1
    os.close(descriptor)


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _used_at(path: Path) -> float:
    """Return when the file was written or last noted as used; one that is gone is as if it were used now."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return inf


def _holds(path: Path, data: bytes) -> bool:
    try:
        return path.stat().st_size == len(data) and path.read_bytes() == data
    except FileNotFoundError:
        return False


def _answer(batch: Iterable[_Put]) -> None:
    for put in batch:
        if put.done.done():
            continue
        if put.error is None:
            put.done.set_result(put.digest)
        else:
            refusal = _refused(put.error)
            refusal.__cause__ = put.error
            put.done.set_exception(refusal)


def _refused(error: OSError) -> StoreUnavailable:
    place = error.filename or "disk"
    return StoreUnavailable(f"the artifacts folder refuses: {error.strerror or error} ({place})")


async def _in_thread(work: Callable[[], T]) -> T:
    future = asyncio.get_running_loop().run_in_executor(None, work)
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        # The thread still uses the file that the caller is about to close.
        await asyncio.wait([future])
        raise
    except OSError as error:
        raise _refused(error) from error
