"""What people ask for: runs and jobs, one at a time and in lists."""

from collections.abc import Sequence
from typing import Protocol

from orchestrator.store.rows import GroupLine, IdempotencyKey, JobRow, RunRow, WaitingJob


class Views(Protocol):
    """Reads only; every list is newest first and goes on below the last id it gave."""

    async def run(self, run: str) -> RunRow | None: ...

    async def runs(
        self,
        *,
        status: str | None = None,
        workflow: str | None = None,
        label: tuple[str, str] | None = None,
        before: str | None = None,
        limit: int = 50,
    ) -> Sequence[RunRow]: ...

    async def job(self, job: str) -> JobRow | None: ...

    async def jobs(
        self,
        *,
        run: str | None = None,
        status: str | None = None,
        connection: str | None = None,
        before: str | None = None,
        limit: int = 50,
    ) -> Sequence[JobRow]: ...

    async def waiting_jobs(
        self, *, connection: str | None, workflow: str | None, after: str | None, limit: int
    ) -> Sequence[WaitingJob]:
        """Return open jobs, the oldest first, that were made after the job or run *after*."""
        ...

    async def waiting_runs(self, *, workflow: str | None, after: str | None, limit: int) -> Sequence[RunRow]:
        """Return runs that wait for a place in their group, likewise; one that is a step follows its job."""
        ...

    async def group_lines(self) -> Sequence[GroupLine]:
        """Return the groups that runs wait for, at most a hundred."""
        ...

    async def budget_line(self, connection: str) -> int:
        """Return how many jobs stand in line for the connection's budget."""
        ...

    async def durations(self, *, called_back: bool, limit: int) -> Sequence[tuple[str, str, float]]:
        """
        Return how long the latest *limit* jobs that succeeded took, the oldest first.

        Shape:   (connection, operation, seconds from the submit's answer to the result); *called_back*:
                 only those that got a callback.
        """
        ...

    async def run_of_job(self, job: str) -> str | None:
        """Return the run that a job belongs to."""
        ...

    async def run_of_key(self, key: str) -> tuple[str, IdempotencyKey] | None:
        """Return the run that was started with an idempotency key."""
        ...
