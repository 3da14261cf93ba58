"""The schedule: which jobs and runs are due, so that nothing waits in memory only."""

from collections.abc import Collection, Sequence
from typing import Protocol

from orchestrator.store.rows import Due, JobRow, Lane, Lap, Promised, Purse

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
        """Return, of each resource that runs wait for, as many as it has room for, the longest waiting."""
        ...

    async def held(self, resource: str) -> float:
        """Return how much of *resource* all its holders have together."""
        ...

    async def spoken_for(self, purse: Purse, job: str) -> float:
        """Return how much of *purse* is used, claimed by others than *job*, or promised to others."""
        ...

    async def cheapest_in_line(self, connection: str) -> float | None:
        """Return the least credits that a job in line for the connection's budget asks for; None: none is."""
        ...

    async def promise(self, purse: Purse, now: int, lap: Lap) -> Promised:
        """
        Promise what is left of *purse* to those in line for it, and let them be due.

        Runs take turns, going on from *lap*, each with its cheapest job, of equal ones the one that has
        waited longest. A run of which all jobs are too dear is passed by: what is left may suffice others.
        """
        ...

    async def ask_anew(self, connection: str, above: float, now: int) -> None:
        """Let jobs in line for the connection's budget be due that wait for more credits than *above*."""
        ...

    async def next_wake(self, *, after: int) -> int | None:
        """Return the earliest wake-up later than *after* over all jobs and runs, or None."""
        ...

    async def postpone(self, job: str, wake_at: int | None, asks: float | None = None) -> None:
        """
        Move the wake-up of a job or a run without an event: nothing had changed. None: never again.

        Shape:   *asks*: the job stands in line for so many credits of its connection's budget.
        """
        ...

    async def hurry(self, connection: str, now: int) -> None:
        """
        Let jobs of *connection* that were made to wait for their first submit be due at once.

        Later attempts keep the pause that their retry policy gave them, and who stands in line goes on to.
        """
        ...

    async def open_jobs(
        self, statuses: Sequence[str], *, after: str = "", limit: int = 1000
    ) -> Sequence[JobRow]:
        """Return jobs in one of *statuses*, by id, with ids above *after*; for recovery at start."""
        ...

    async def bound(self, connection: str, tasks: Collection[str]) -> set[str]:
        """Return which of *tasks*, ids at *connection*, belong to a job of ours."""
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
