"""
How connections stand: a row each, and beside it a plain log of what changed.

The row is the truth: nobody folds these events. Their stream is `connections/<name>`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, Protocol

STREAM = "connections/"
"""What the name of a connection's stream begins with; a run's is its id."""

By = Literal["person", "system"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionRow:
    """
    One connection at rest.

    *paused_by* None: it is not paused, and *cause* to *paused_until* are None too. *cause* is the class
    of the refusal that paused it, None where a person did; *paused_until* None: until it is resumed.
    Times in microseconds since the epoch, UTC. *credits*: the balance last seen.
    """

    name: str
    paused_by: By | None = None
    cause: str | None = None
    reason: str | None = None
    paused_at: int | None = None
    paused_until: int | None = None
    credits: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionEvent:
    """One fact about a connection. *at* in microseconds since the epoch, UTC."""

    type: ClassVar[str] = ""
    at: int
    connection: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionPaused(ConnectionEvent):
    """No submits from here on. *until* None: until somebody resumes it; else it may be tried then."""

    type: ClassVar[str] = "connection.paused"
    by: By
    cause: str | None
    reason: str | None
    until: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionResumed(ConnectionEvent):
    """Submits go out again."""

    type: ClassVar[str] = "connection.resumed"
    by: By
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionCreditsChanged(ConnectionEvent):
    """The provider showed another balance than before. *before* None: it is the first one."""

    type: ClassVar[str] = "connection.credits_changed"
    credits: float
    before: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionBudgetReached(ConnectionEvent):
    """Of its budget of *credits* so much is *used* or reserved that a job has to wait, at most *until*."""

    type: ClassVar[str] = "connection.budget_reached"
    credits: float
    used: float
    until: int


KINDS: dict[str, type[ConnectionEvent]] = {
    cls.type: cls
    for cls in (ConnectionPaused, ConnectionResumed, ConnectionCreditsChanged, ConnectionBudgetReached)
}
"""Every event of a connection by its name in the log."""


class Connections(Protocol):
    """Where it is kept how connections stand."""

    async def put_connection(self, row: ConnectionRow, events: Sequence[ConnectionEvent] = ()) -> None:
        """
        Write the row and append *events* to the connection's stream, in one transaction.

        Errors:  StoreUnavailable, and then nothing was written.
        """
        ...

    async def connections(self) -> Sequence[ConnectionRow]:
        """Return every row, by name, also of connections that are not configured any more."""
        ...
