"""The event log: append-only, a version without gaps per stream, one sequence over all."""

from collections.abc import Sequence
from typing import Protocol

from orchestrator.engine.events import KINDS
from orchestrator.store import connections
from orchestrator.store.rows import Append, Recorded

TYPES = frozenset(KINDS) | frozenset(connections.KINDS)
"""The name of every event that the log can hold: those of runs, and those of connections."""


class Log(Protocol):
    """Where events are kept, together with the projections that the same append changes."""

    async def append(self, append: Append) -> None:
        """
        Write the whole decision durably; return only after it is on disk.

        Errors:  Conflict when the stream is not at *expected*; Refused when a rule of the
                 store forbids it (a task id bound to another job of the connection, an
                 idempotency key in use), NoRoom when there is not enough left of what the
                 append takes; StoreUnavailable when nothing can be written.
                 Nothing is written in any of these cases, and other appends that wait
                 at the same moment are not touched by it.
        """
        ...

    async def read(self, stream: str, *, after: int = 0) -> Sequence[Recorded]:
        """Return the stream's events with a version above *after*, oldest first."""
        ...

    async def tail(
        self,
        *,
        after: int,
        types: Sequence[str] = (),
        stream: str | None = None,
        since: int | None = None,
        limit: int = 1000,
    ) -> Sequence[Recorded]:
        """
        Return events with a sequence above *after*, in order.

        Shape:  *types* may end in `*`; *stream* is a run's id or `connections/<name>`; *since* in
                microseconds. A reader that goes on from the
                last sequence it was given misses none and sees none twice.
        """
        ...

    async def last_sequence(self) -> int:
        """Return the highest sequence, 0 for an empty log."""
        ...

    async def wait(self, after: int, timeout_s: float) -> None:
        """Return when there may be an event above *after*, or after *timeout_s*. A hint, no promise."""
        ...

    async def definition(self, digest: str) -> str | None:
        """Return the source of the workflow definition that runs were started with."""
        ...
