"""
Which of the tasks that merely look like the one of an uncertain submit is its task.

A provider that keeps no mark of ours shows tasks that were ordered with the same parameters. Such
a task is taken only where nothing else can explain it: it is no other job's, it is the only one,
and of no other job with the same likeness it is open whether its submit was accepted. Else nobody
is sure, and a callback, a person or the end of the grace decides.
"""

from collections.abc import Awaitable, Callable, Hashable

from orchestrator.engine.state import Job
from orchestrator.outcomes import Alike, Found
from orchestrator.store.schedule import Schedule

LikenessOf = Callable[[str, str], Awaitable[Hashable]]
"""Returns the likeness of a job, given its run's id and its own."""


async def only_one(
    schedule: Schedule, job: Job, run: str, alike: Alike, likeness_of: LikenessOf
) -> Found | None:
    """Return what *alike* proves about *job* of *run*; None where it proves nothing."""
    taken = await schedule.bound(job.connection, alike.task_ids)
    free = [task for task in alike.task_ids if task not in taken]
    if len(free) != 1 or await _has_a_rival(schedule, job, run, likeness_of):
        return None
    return Found(task_id=free[0])


async def _has_a_rival(schedule: Schedule, job: Job, run: str, likeness_of: LikenessOf) -> bool:
    """Whether the task may as well be another's, of whose submit nobody knows yet what became of it."""
    looks, after = await likeness_of(run, job.id), ""
    while rows := await schedule.open_jobs(["submitting", "uncertain"], after=after):
        for row in rows:
            same = (row.connection, row.operation) == (job.connection, job.operation) and row.id != job.id
            if same and await likeness_of(row.run, row.id) == looks:
                return True
        after = rows[-1].id
    return False
