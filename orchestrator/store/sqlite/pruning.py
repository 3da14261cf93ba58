"""What happens on the database thread when something is removed: one small transaction after the other."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

import orjson

from orchestrator import ids
from orchestrator.store import queries
from orchestrator.store.pruning import Removed

_SQL = queries.load("sqlite")

RUNS_A_STEP, EVENTS_A_STEP = 20, 300
"""No step removes more than this, but for a single run that has more: it goes whole or not at all."""

DELIVERIES_A_STEP = HOLDS_A_STEP = 300

EVENTS_READ = 5_000
"""How many events are looked through for artifacts at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OldRuns:
    """Which runs may go; see `Prunes.prune_runs`."""

    ended_before: int
    keys_before: int
    now: int
    after: str
    dry: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class OldDeliveries:
    """Which deliveries may go; see `Prunes.prune_deliveries`."""

    received_before: int
    after: str
    dry: bool


def prune_runs(db: sqlite3.Connection, old: OldRuns) -> Removed:
    """Remove the next runs, or only count them."""
    db.execute(_SQL["begin"])
    try:
        removed = _remove_runs(db, old)
        db.execute(_SQL["commit"])
    except BaseException:
        if db.in_transaction:
            db.execute(_SQL["rollback"])
        raise
    return removed


def _remove_runs(db: sqlite3.Connection, old: OldRuns) -> Removed:
    asked = {
        "after": old.after,
        "beyond": _first_id("run", old.ended_before),
        "ended": old.ended_before,
        "keys": old.keys_before,
        "now": old.now,
        "limit": RUNS_A_STEP,
    }
    found = _few(db.execute(_SQL["prunable"], asked).fetchall())
    if not found:
        return Removed()
    runs = {"runs": orjson.dumps([n for n, _, _ in found]).decode()}
    removed = Removed(
        runs=len(found),
        events=sum(version for _, _, version in found),
        jobs=db.execute(_SQL["count_jobs"], runs).fetchone()[0],
        deliveries=db.execute(_SQL["count_deliveries"], runs).fetchone()[0],
        last=found[-1][1],
    )
    if not old.dry:
        # What refers to a job or a run goes before it.
        db.execute(_SQL["prune_deliveries_of"], runs)
        db.execute(_SQL["merge_holds"], runs)
        db.execute(_SQL["prune_holds"], runs)
        db.execute(_SQL["prune_jobs"], runs)
        db.execute(_SQL["prune_events"], runs)
        db.execute(_SQL["prune_labels"], runs)
        db.execute(_SQL["prune_keys"], runs)
        db.execute(_SQL["prune_runs"], runs)
    return removed


def _few(found: Sequence[tuple[int, str, int]]) -> Sequence[tuple[int, str, int]]:
    """Return as many of the runs as have few enough events together, at least one."""
    total = 0
    for count, (_, _, version) in enumerate(found):
        total += version
        if count and total > EVENTS_A_STEP:
            return found[:count]
    return found


def prune_deliveries(db: sqlite3.Connection, old: OldDeliveries) -> Removed:
    """Remove the next deliveries, or only count them."""
    asked = {
        "after": old.after,
        "beyond": _first_id("dlv", old.received_before),
        "received": old.received_before,
    }
    count, last = db.execute(_SQL["old_deliveries"], asked | {"limit": DELIVERIES_A_STEP}).fetchone()
    if count and not old.dry:
        del asked["beyond"]
        db.execute(_SQL["prune_deliveries"], asked | {"last": last})
    return Removed(deliveries=count, last=last)


def drop_budget(db: sqlite3.Connection, resource: str) -> bool:
    """Remove the next of those who have something of a budget, and it after the last; say whether it went."""
    db.execute(_SQL["begin"])
    try:
        names = {"resource": resource}
        holders = [holder for (holder,) in db.execute(_SQL["holders"], names | {"limit": HOLDS_A_STEP})]
        db.execute(_SQL["drop_holds"], names | {"holders": orjson.dumps(holders).decode()})
        db.execute(_SQL["drop_resource"], names)
        db.execute(_SQL["commit"])
    except BaseException:
        if db.in_transaction:
            db.execute(_SQL["rollback"])
        raise
    return len(holders) < HOLDS_A_STEP


def _first_id(prefix: str, at: int) -> str:
    """Return an id that no other made at *at* or later is below."""
    return ids.typeid(prefix, at, bytes(10))
