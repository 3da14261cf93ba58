"""Whether the open file is still the one at its path; what is written to another is not found again."""

import os
from pathlib import Path


class Misplaced(Exception):
    """The database, or the log beside it, was moved, replaced or deleted while it is open."""


class Place:
    """
    Where a database was when it was opened. Its write-ahead log must be there already.

    SQLite goes on with a file that has no name any more: everything would seem well, callbacks would
    be acknowledged, and the next start would know nothing of it.
    """

    def __init__(self, path: Path) -> None:
        files = path, path.with_name(path.name + "-wal")
        self._files = {file: _identity(file) for file in files}

    def check(self) -> None:
        """Return when both files are where they were. Errors: Misplaced."""
        for path, identity in self._files.items():
            if _identity(path) != identity:
                raise Misplaced(f"{path} was moved, replaced or deleted: bring it back")


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino
