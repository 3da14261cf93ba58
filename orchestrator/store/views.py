"""What people ask for: runs and jobs, one at a time and in lists."""

from collections.abc import Sequence
from typing import Protocol

from orchestrator.store.rows import IdempotencyKey, JobRow, RunRow


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
