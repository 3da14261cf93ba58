"""Who is next of those that stand in line for what runs share: places in groups, credits of budgets."""

import sqlite3
from collections.abc import Iterator
from itertools import islice

import orjson

from orchestrator.store import queries
from orchestrator.store.rows import GroupLine, Lap, Promised, Purse
from orchestrator.store.sqlite.holds import DUST

_SQL = queries.load("sqlite")

ADMITTED = 100
"""So many runs of a group are let in at a time."""

SHOWN = 100
"""So many groups are shown to people."""

PROMISED, WALKED = 200, 500
"""To so many jobs, past so many runs, promises are made at a time: others wait for the thread that writes."""


def admissible(db: sqlite3.Connection) -> list[str]:
    """Return what `Schedule.admissible` does, a look-up for each group that is waited for."""
    found: list[str] = []
    for resource, left, _, _ in _groups(db):
        limit = 1 if left is None else min(int(left), ADMITTED)
        if limit > 0:
            rows = db.execute(_SQL["runs_in_line"], {"resource": resource, "limit": limit})
            found += [run for (run,) in rows]
    return found


def groups(db: sqlite3.Connection) -> list[GroupLine]:
    """Return what `Views.group_lines` does."""
    return [
        GroupLine(
            resource, used or 0.0, most, db.execute(_SQL["group_line"], {"resource": resource}).fetchone()[0]
        )
        for resource, _, used, most in islice(_groups(db), SHOWN)
    ]


def _groups(db: sqlite3.Connection) -> Iterator[tuple[str, float | None, float | None, float | None]]:
    """Yield the groups that are waited for: what is left of each, used, and there."""
    after: str | None = ""
    while after is not None:
        found = db.execute(_SQL["next_group_in_line"], {"after": after}).fetchone()
        if found[0] is not None:
            yield found
        after = found[0]


def spoken_for(db: sqlite3.Connection, purse: Purse, job: str) -> float:
    """Return what `Schedule.spoken_for` does."""
    claimed = {other: amount for other, amount in purse.claimed.items() if other != job}
    names = {"connection": purse.connection, "resource": purse.resource, "job": job}
    names["claimed"] = orjson.dumps(claimed).decode()
    return float(db.execute(_SQL["spoken_for"], names).fetchone()[0])


def promise(db: sqlite3.Connection, purse: Purse, now: int, lap: Lap) -> Promised:
    """Do what `Schedule.promise` does, in one transaction."""
    db.execute(_SQL["begin"])
    try:
        promised = _promise(db, purse, now, lap)
        db.execute(_SQL["commit"])
    except BaseException:
        if db.in_transaction:
            db.execute(_SQL["rollback"])
        raise
    return promised


def _promise(db: sqlite3.Connection, purse: Purse, now: int, lap: Lap) -> Promised:
    left = purse.credits + DUST - spoken_for(db, purse, "")
    jobs, passed = 0, None
    for _ in range(WALKED):
        if jobs == PROMISED or not _is_enough(db, purse, left):
            break
        run, lap = _next_run(db, purse, lap)
        names = {"connection": purse.connection, "run": run, "left": left}
        found = db.execute(_SQL["first_in_line"], names).fetchone()
        if found is None:
            passed = run if passed is None else passed
            continue
        job, asks = found
        db.execute(_SQL["promise"], {"job": job, "now": now})
        jobs, left = jobs + 1, left - asks
    return Promised(jobs, lap, passed)


def _is_enough(db: sqlite3.Connection, purse: Purse, left: float) -> bool:
    cheapest = db.execute(_SQL["cheapest"], {"connection": purse.connection}).fetchone()[0]
    return cheapest is not None and cheapest <= left


def _next_run(db: sqlite3.Connection, purse: Purse, lap: Lap) -> tuple[int, Lap]:
    """Return whose turn it is, of runs of which at least one stands in line."""
    names = {"connection": purse.connection, "after": lap.at, "last": lap.last}
    run = db.execute(_SQL["next_run_in_line"], names).fetchone()[0]
    if run is None:
        newest = db.execute(_SQL["last_run_number"]).fetchone()[0]
        run = db.execute(_SQL["next_run_in_line"], {**names, "after": 0, "last": newest}).fetchone()[0]
        lap = Lap(0, newest)
    return run, Lap(run, lap.last)


def ask_anew(db: sqlite3.Connection, connection: str, above: float, now: int) -> None:
    """Do what `Schedule.ask_anew` does."""
    db.execute(_SQL["ask_anew"], {"connection": connection, "above": above, "now": now})
