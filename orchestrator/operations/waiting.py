"""
The waiting board: everything that waits, since when, and what for.

Jobs that are open, and runs that wait for a place in their group, in the order in which they were made.
What there is for all of them, budgets and places, is told beside them.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, get_args

from orchestrator.clock import Clock, rfc3339
from orchestrator.definition.workflow import CORE
from orchestrator.operations import shapes
from orchestrator.operations.questions import asks
from orchestrator.operations.usual import Usual
from orchestrator.store.rows import GroupLine, JobRow, RunRow, WaitingJob

Object = dict[str, Any]

Obstacle = Literal["connection", "disk", "pause", "rate_limit", "slot"]

Reason = Literal[
    Obstacle,
    "budget",
    "group",
    "retry",
    "turn",
    "answer",
    "result",
    "callback",
    "files",
    "uncertain",
    "approval",
    "sleep",
    "run",
]
"""
connection  it is not configured any more
disk, pause, rate_limit, slot, budget, group   what keeps it from being submitted, or a run from going on
retry       it was refused for now, or is a further attempt, and its time has not come
turn        it is submitted in a moment
answer, result, callback, files, uncertain     what is awaited of the provider
approval, sleep, run                           what a task of our own is
"""

REASONS: Sequence[str] = [reason for each in get_args(Reason) for reason in get_args(each) or [each]]

_OWN: dict[str, Reason] = {"sleep": "sleep", "approve": "approval", "run_workflow": "run", "http": "callback"}
_OPEN: dict[str, Reason] = {
    "submitting": "answer",
    "waiting": "result",
    "collecting": "files",
    "uncertain": "uncertain",
}
_WORDS: dict[str, str] = {
    "connection": "its connection, which is not configured",
    "disk": "the disk (/readyz says why)",
    "pause": "its connection, which is paused",
    "rate_limit": "the rate limit",
    "slot": "a free slot",
    "budget": "its connection's budget",
    "retry": "the time of its next attempt",
}
_READ = 200
"""So many are read at a time where most of them may be left out."""


class Views(Protocol):
    """What the store is asked."""

    async def waiting_jobs(
        self, *, connection: str | None, workflow: str | None, after: str | None, limit: int
    ) -> Sequence[WaitingJob]: ...

    async def waiting_runs(
        self, *, workflow: str | None, after: str | None, limit: int
    ) -> Sequence[RunRow]: ...

    async def group_lines(self) -> Sequence[GroupLine]: ...

    async def budget_line(self, connection: str) -> int: ...


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which of those that wait; None: all. *after*: the id of the last one that is known already."""

    connection: str | None = None
    workflow: str | None = None
    reason: str | None = None
    after: str | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """One that waits, by the id of its job, or of itself where it is a run."""

    id: str
    reason: Reason
    row: WaitingJob | RunRow


@dataclass(frozen=True, slots=True)
class Known:
    """
    What only the running process knows.

    *obstacle*      what keeps a created job from being submitted.
    *last_check*    when the provider was last asked about a job, microseconds; looks that bring no news
                    leave no trace in the log.
    *usual*         how long tasks of a connection and operation take.
    *question*      what a job asks a person, for which its run is read.
    *most*          credits that the whole budget of a connection has, where there is one.
    *connections*   how they stand, as the API shows it, with their budgets.
    """

    obstacle: Callable[[JobRow], Obstacle | None]
    last_check: Callable[[str], int | None]
    usual: Callable[[str, str], Usual | None]
    question: Callable[[JobRow], Awaitable[Object | None]]
    most: Callable[[str], float | None]
    connections: Callable[[], Awaitable[Sequence[Object]]]


class Board:
    """What waits, in pages, and what there is for it."""

    def __init__(self, views: Views, known: Known, clock: Clock) -> None:
        self._views, self._known, self._clock = views, known, clock

    async def find(self, wanted: Wanted, limit: int) -> Sequence[Item]:
        """Return the next *limit* that wait, the longest waiting first."""
        found: list[Item] = []
        after, count = wanted.after, limit if wanted.reason is None else max(limit, _READ)
        while len(found) < limit:
            read = await self._read(wanted, after, count)
            found += [item for item in read if wanted.reason in (None, item.reason)]
            if len(read) < count:
                break
            after = read[-1].id
        return found[:limit]

    async def _read(self, wanted: Wanted, after: str | None, limit: int) -> list[Item]:
        jobs = await self._views.waiting_jobs(
            connection=wanted.connection, workflow=wanted.workflow, after=after, limit=limit
        )
        items = [Item(one.job.id, self._reason(one.job), one) for one in jobs]
        if wanted.connection is None:
            runs = await self._views.waiting_runs(workflow=wanted.workflow, after=after, limit=limit)
            items += [Item(run.id, "group", run) for run in runs]
        return sorted(items, key=lambda item: place(item.id))[:limit]

    def _reason(self, job: JobRow) -> Reason:
        if job.status != "created":
            return _OWN[job.operation] if _is_own_task(job) else _OPEN[job.status]
        if job.asks is not None and job.asks > 0:
            return "budget"
        obstacle = self._known.obstacle(job)
        if obstacle is None and job.wake_at is not None and job.wake_at > self._clock.now():
            return "retry"
        return obstacle or "turn"

    async def show(self, item: Item) -> Object:
        """Return one as the API shows it."""
        if isinstance(item.row, RunRow):
            return _run(item.row)
        job = item.row.job
        shown = shapes.waiting(
            job,
            self._known.last_check(job.id),
            self._known.usual(job.connection, job.operation),
            await self._known.question(job) if asks(job) else None,
        )
        shown["workflow"], shown["reason"] = item.row.workflow, item.reason
        shown["waiting_for"] = _WORDS.get(item.reason, shown["waiting_for"])
        shown["credits_asked"] = abs(job.asks) if job.asks is not None else None
        if item.reason == "budget":
            # Nobody looks at it again before there is more, and it waits as long as its run has time.
            shown["deadline_at"], shown["next_check_at"] = shown["next_check_at"], None
            most = self._known.most(job.connection)
            if most is not None and shown["credits_asked"] > most:
                shown["waiting_for"] = f"a larger budget: its connection's has {most:g} credits in all"
        return shown

    async def totals(self) -> Object:
        """
        Return what there is for all that wait: budgets of connections, and groups with runs that wait.

        Shape:   `budgets` as in a connection, each with its `connection` and how many jobs are `waiting`;
                 `groups` {"workflow", "group", "used", "limit", "waiting"}.
        """
        connections = await self._known.connections()
        budgets = [
            {
                "connection": each["name"],
                **each["budget"],
                "waiting": await self._views.budget_line(each["name"]),
            }
            for each in connections
            if each["budget"] is not None
        ]
        return {"budgets": budgets, "groups": [_group(line) for line in await self._views.group_lines()]}


def place(id: str) -> tuple[str, str]:
    """Return what the ids of jobs and of runs are sorted by: when they were made."""
    kind, _, made = id.partition("_")
    return made, kind


def _is_own_task(job: JobRow) -> bool:
    return job.connection == CORE and job.status == "waiting" and job.operation in _OWN


def _group(line: GroupLine) -> Object:
    _, workflow, name = line.resource.split("/", 2)
    return {
        "workflow": workflow,
        "group": name,
        "used": line.used,
        "limit": line.most,
        "waiting": line.waiting,
    }


def _run(row: RunRow) -> Object:
    """Return a run that waits for its group as the board shows it; it has no job yet."""
    _, _, name = (row.waits_for or "//").split("/", 2)
    return {
        "job": None,
        "run": row.id,
        "workflow": row.workflow,
        "step": None,
        "index": None,
        "attempt": None,
        "connection": None,
        "operation": None,
        "status": row.status,
        "reason": "group",
        "waiting_for": f"a place in the group {name}",
        "question": None,
        "task_id": None,
        "since": rfc3339(row.created_at),
        "last_check_at": None,
        "next_check_at": None,
        "deadline_at": rfc3339(row.wake_at),
        "usual_duration": None,
        "credits_held": None,
        "credits_asked": None,
    }
