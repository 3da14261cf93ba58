"""
Which of the due jobs come next, where there are more than can be served: runs take turns.

A lap goes through the runs in the order in which they were started, one job each. A run that is
started meanwhile comes with the next lap, so that each lap ends however many are started.
"""

import sqlite3
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle, islice

import orjson

from orchestrator.store import queries
from orchestrator.store.rows import Due, Lane, Lap

_SQL = queries.load("sqlite")

WALK = 1_000
"""Past how many runs a lap goes at a time: most may have jobs that are not due yet."""

_RUNS = {"submit": _SQL["runs_to_submit"], "look": _SQL["runs_to_look_at"]}
_JOBS = {"submit": _SQL["jobs_to_submit"], "look": _SQL["jobs_to_look_at"]}


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked for, as in `Schedule.due`."""

    connection: str
    lane: Lane
    now: int
    limit: int
    but: frozenset[str]


def take(db: sqlite3.Connection, asked: Asked, lap: Lap) -> tuple[Sequence[Due], Lap]:
    """Return what `Schedule.due` does; one transaction, so that all of it is seen at one moment."""
    db.execute("BEGIN")
    try:
        found = _oldest(db, asked)
        oldest = [due for due in found if due.job not in asked.but]
        if len(found) < asked.limit + len(asked.but):
            return oldest[: asked.limit], lap
        runs, lap = _runs_in_turn(db, asked, lap)
        taken = {due.job: due for due in _jobs_in_turn(db, asked, runs)}
        # Where turns alone do not use what there is, age does.
        for due in oldest[: asked.limit]:
            taken.setdefault(due.job, due)
        return list(taken.values())[: asked.limit], lap
    finally:
        db.execute("COMMIT")


def _oldest(db: sqlite3.Connection, asked: Asked) -> list[Due]:
    limit = asked.limit + len(asked.but)
    names = {"connection": asked.connection, "lane": asked.lane, "now": asked.now, "limit": limit}
    return _due(db.execute(_SQL["due"], names))


def _runs_in_turn(db: sqlite3.Connection, asked: Asked, lap: Lap) -> tuple[list[int], Lap]:
    """Return whose turns are next, one entry for each turn, and how far that goes."""
    rest, walked = _walk(db, asked, lap.at, lap.last)
    if len(rest) >= asked.limit:
        rest = rest[: asked.limit]
        return rest, Lap(rest[-1], lap.last)
    if walked is not None:
        return rest, Lap(walked, lap.last)
    newest: int = db.execute(_SQL["last_run_number"]).fetchone()[0]
    again, walked = _walk(db, asked, 0, newest)
    left = asked.limit - len(rest)
    if walked is not None and len(again) < left:
        return rest + again, Lap(walked, newest)
    more = list(islice(cycle(again), left))
    return rest + more, Lap(more[-1] if more else 0, newest)


def _walk(db: sqlite3.Connection, asked: Asked, after: int, last: int) -> tuple[list[int], int | None]:
    """Return the runs with something due, and the last one that was looked at, None where none is left."""
    names = {"connection": asked.connection, "after": after, "last": last, "most": WALK}
    found = db.execute(_RUNS[asked.lane], names).fetchall()
    due = [run for run, wake_at in found if wake_at is not None and wake_at <= asked.now]
    return due, found[-1][0] if len(found) == WALK else None


def _jobs_in_turn(db: sqlite3.Connection, asked: Asked, runs: Sequence[int]) -> Iterator[Due]:
    names = {"connection": asked.connection, "now": asked.now, "but": orjson.dumps(list(asked.but)).decode()}
    jobs = {
        run: deque(_due(db.execute(_JOBS[asked.lane], {**names, "run": run, "limit": turns})))
        for run, turns in Counter(runs).items()
    }
    for run in runs:
        if jobs[run]:
            yield jobs[run].popleft()


def _due(rows: sqlite3.Cursor) -> list[Due]:
    return [Due(job=job, run=run, status=status, wake_at=at) for job, run, status, at in rows]
