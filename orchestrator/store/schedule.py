"""The schedule: which jobs and runs are due, so that nothing waits in memory only."""

from collections.abc import Collection, Sequence
from typing import Protocol

from orchestrator.store.rows import Due, JobRow, Lane, Lap

BEGINNING = Lap()
"""Where turns begin."""


class Schedule(Protocol):
    """Wake-ups, held in the rows of the jobs and runs themselves."""

    async def due(
        self,
        *,
        connection: str,
        lane: Lane,
        now: int,
        limit: int,
        but: Collection[str] = (),
        lap: Lap = BEGINNING,
    ) -> tuple[Sequence[Due], Lap]:
        """
        Return jobs of *connection* whose wake-up has come, and how far the turns of runs have come with that.

        All of them, the longest overdue first, where they are not more than *limit*; else runs take
        turns, each with the job of it that is longest overdue, going on from *lap*.
        Shape:   *but*: jobs that are being worked on, and are not meant.
        """
        ...

    async def due_runs(self, *, now: int, limit: int) -> Sequence[str]:
        """Return open runs whose own deadline has come."""
        ...

    async def due_notices(self, *, now: int, limit: int) -> Sequence[str]:
        """Return runs that have ended, and of whose end somebody is to be told by now."""
        ...

    async def admissible(self) -> Sequence[str]:
        """Return, of each resource that runs wait for and that has room, the run that has waited longest."""
        ...

    async def held(self, resource: str) -> float:
        """Return how much of *resource* all its holders have together."""
        ...

    async def next_wake(self, *, after: int) -> int | None:
        """Return the earliest wake-up later than *after* over all jobs and runs, or None."""
        ...

    async def postpone(self, job: str, wake_at: int | None) -> None:
        """Move the wake-up of a job or a run without an event: nothing had changed. None: never again."""
        ...

    async def hurry(self, connection: str, now: int) -> None:
        """
        Let jobs of *connection* that were made to wait for their first submit be due at once.

        Later attempts keep the pause that their retry policy gave them.
        """
        ...

    async def open_jobs(
        self, statuses: Sequence[str], *, after: str = "", limit: int = 1000
    ) -> Sequence[JobRow]:
        """Return jobs in one of *statuses*, by id, with ids above *after*; for recovery at start."""
        ...

    async def in_flight(self) -> dict[str, int]:
        """Return per connection how many jobs hold a slot at the provider (rows say so, not memory)."""
        ...

    async def number(self, scope: str) -> int | None:
        """Return the last number taken from a persisted counter, None if none was."""
        ...

    async def positions(self) -> dict[str, int]:
        """Return how far each trigger has got that goes by what happens here."""
        ...

    async def put_positions(self, moved: dict[str, int], gone: Sequence[str] = ()) -> None:
        """Keep how far triggers have got, and forget those that are *gone*, in one transaction."""
        ...
