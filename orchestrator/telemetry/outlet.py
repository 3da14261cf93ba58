"""Where log lines leave the process: a line that cannot be written is lost, and is nobody's failure."""

from contextlib import suppress
from typing import BinaryIO


class Outlet:
    """
    Writes to *stream* as long as that takes anything.

    A full disk under the log, or a reader that has gone, must not cost a callback its answer.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def write(self, line: bytes) -> None:
        """Write *line*, if it can be."""
        with suppress(OSError):
            self._stream.write(line)

    def flush(self) -> None:
        """Let what was written leave, if it can."""
        with suppress(OSError):
            self._stream.flush()
