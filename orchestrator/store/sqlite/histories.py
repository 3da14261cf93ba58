"""Everything that a database says of one run, at one moment, read from a plain connection."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields

from orchestrator.store import queries
from orchestrator.store.rows import JobRow, Recorded, RunRow

_SQL = queries.load("sqlite")
_RUN, _JOB = (tuple(one.name for one in fields(row)) for row in (RunRow, JobRow))
_LAST = "~"
_PAGE = 1000


@dataclass(frozen=True, slots=True)
class History:
    """
    One run. Events and jobs are read as they are asked for.

    *chain*: the digest over its events, None where there is none; *definition*: the source of its workflow.
    """

    row: RunRow
    chain: bytes | None
    definition: str | None
    events: Iterator[Recorded]
    jobs: Iterator[JobRow]


def runs(db: sqlite3.Connection) -> Iterator[str]:
    """Yield the ids of all runs, in their order."""
    run = ""
    while (found := db.execute(_SQL["next_run"], {"after": run}).fetchone()) is not None:
        run = found[0]
        yield run


def at_providers(db: sqlite3.Connection, core: str) -> list[str]:
    """Return the runs of which a provider has a task, or may; *core*: the connection that is none."""
    return sorted({run for (run,) in db.execute(_SQL["runs_at_providers"], {"core": core})})


@contextmanager
def history(db: sqlite3.Connection, run: str) -> Iterator[History | None]:
    """Read one run, in one transaction for as long as the block lasts; None where it was just pruned."""
    db.execute("BEGIN")
    try:
        row = db.execute(_SQL["run"], {"run": run}).fetchone()
        yield None if row is None else _history(db, RunRow(**dict(zip(_RUN, row, strict=True))))
    finally:
        db.execute("COMMIT")


def _history(db: sqlite3.Connection, row: RunRow) -> History:
    chain = db.execute(_SQL["chain"], {"run": row.id}).fetchone()[0]
    definition = db.execute(_SQL["definition"], {"digest": row.digest}).fetchone()
    source = definition[0] if definition is not None else None
    return History(row, chain, source, _events(db, row.id), _jobs(db, row.id))


def _events(db: sqlite3.Connection, run: str) -> Iterator[Recorded]:
    rows = db.execute(_SQL["read_stream"], {"stream": run, "after": 0})
    for seq, version, type, at, subject, data in rows:
        yield Recorded(seq=seq, stream=run, version=version, type=type, at=at, subject=subject, data=data)


def _jobs(db: sqlite3.Connection, run: str) -> Iterator[JobRow]:
    before = _LAST
    asked = {"run": run, "status": None, "connection": None, "limit": _PAGE}
    while page := db.execute(_SQL["jobs_of_run"], asked | {"before": before}).fetchall():
        yield from (JobRow(**dict(zip(_JOB, row, strict=True))) for row in page)
        before = page[-1][0]
