"""One server a database: a lock file beside it, given up by the system when the process dies."""

import fcntl
import os
from pathlib import Path

from orchestrator.errors import StoreInUse, StoreUnavailable


class LockFile:
    """Held from `take` to `release`."""

    def __init__(self, database: Path) -> None:
        self._database = database
        self._path = database.with_name(database.name + ".lock")
        self._fd: int | None = None

    @property
    def exists(self) -> bool:
        """Whether the file is there; it stays when nobody holds it."""
        return self._path.exists()

    def take(self) -> None:
        """Take the lock. Errors: StoreInUse when another process has it; StoreUnavailable."""
        try:
            fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreUnavailable(f"cannot open {self._path}: {error.strerror}") from error
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.read(fd, 32).decode("ascii", "replace").strip() or "unknown"
            os.close(fd)
            raise StoreInUse(
                f"another server (process {holder}) is using {self._database}: "
                "stop it first, or give this one a data folder of its own"
            ) from error
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
        self._fd = fd

    def release(self) -> None:
        """Give the lock up. The file stays: removing it would let two processes hold "the" lock."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None
