"""Takes what appends want of what runs share, on the database thread, and gives it back."""

import sqlite3
from collections.abc import Sequence

from orchestrator.engine.holds import Hold
from orchestrator.errors import NoRoom
from orchestrator.store import queries

_SQL = queries.load("sqlite")

DUST = 1e-6
"""Sums of credits are not exact; less than this is nothing."""


def take(db: sqlite3.Connection, holds: Sequence[Hold]) -> NoRoom | None:
    """Write all of *holds*, or, where there is not enough left for one, none of them and say which."""
    last = list({(hold.resource, hold.holder): hold for hold in holds}.values())
    change: dict[str, float] = {}
    for hold in last:
        before = change.get(hold.resource, 0.0)
        if hold.most is not None and not _has_room(db, hold, before):
            return NoRoom(hold.resource)
        change[hold.resource] = before + hold.amount - _held(db, hold)[1]
    for hold in last:
        _write(db, hold)
    return None


def _has_room(db: sqlite3.Connection, hold: Hold, change: float) -> bool:
    """Return whether there is enough left for *hold*; *change* is what those before it in the append take."""
    used, own = _held(db, hold)
    if hold.amount <= own:
        return True  # It takes nothing more, so it may even where too much is taken already.
    if used + change - own + hold.amount > (hold.most or 0) + DUST:
        return False
    if not hold.in_line or own:
        return True
    names = {"resource": hold.resource, "holder": hold.holder}
    return db.execute(_SQL["is_waited_for"], names).fetchone() is None


def _held(db: sqlite3.Connection, hold: Hold) -> tuple[float, float]:
    """Return how much of the resource all have together, and how much of it this holder."""
    names = {"resource": hold.resource, "holder": hold.holder}
    used, own = db.execute(_SQL["held"], names).fetchone()
    return used, own


def _write(db: sqlite3.Connection, hold: Hold) -> None:
    _, own = _held(db, hold)
    if hold.amount:
        db.execute(_SQL["put_hold"], (hold.resource, hold.holder, hold.amount))
    elif own:
        db.execute(_SQL["drop_hold"], (hold.resource, hold.holder))
    if hold.amount != own:
        db.execute(_SQL["put_resource"], (hold.resource, hold.amount - own, hold.most))
    if own and not hold.amount:
        # Names of groups can be as many as there are runs.
        db.execute(_SQL["drop_resource"], {"resource": hold.resource})
