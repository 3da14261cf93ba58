"""What is looked through while the server runs, to find what should not be; see `runtime.watchdog`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class OpenRun:
    """
    A run that has not ended, by its row.

    *recorded*, *sequence*: version and sequence of its last event at the same moment. *waits*: for an open
    job, or for a place in its group.
    """

    id: str
    version: int
    recorded: int
    sequence: int
    waits: bool


class Audit(Protocol):
    """Questions that cost little, however much is stored."""

    async def runs_asleep(self, *, limit: int) -> Sequence[str]:
        """Return runs with an open job that nothing will wake."""
        ...

    async def open_runs(self, *, after: str, limit: int) -> Sequence[OpenRun]:
        """Return runs that have not ended by id, with ids above *after*."""
        ...

    async def correct_version(self, run: str) -> None:
        """Set the version of the run's row to that of its stream, which is the truth."""
        ...
