"""
Fold a log and hold the result against what is computed from it: the rows that lists and pages show.

The log is the truth. Where they differ, one of them was changed by something that is not this program, or
this program has a bug; either way somebody has to know which run, and where.
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any

import orjson

from orchestrator.definition.loader import parse
from orchestrator.engine import events as e
from orchestrator.engine.fold import apply
from orchestrator.engine.state import RunState
from orchestrator.errors import DefinitionError
from orchestrator.store.projection import job_row, run_row
from orchestrator.store.rows import JobRow, Recorded, RunRow

_JSON = frozenset({"labels", "inputs", "outputs", "error"})

_MOVES = frozenset({"wake_at", "asks"})
"""Fields of a job's row that the schedule moves without an event."""

_SHOWN = 80


@dataclass(eq=False)
class Difference(Exception):
    """
    Where log and rows part. *version*: the event, or the last one there is; None: it concerns no event.

    *field* is a column (`runs.status`, `jobs.<id>.status`), or a part of an event.
    """

    run: str
    version: int | None
    field: str
    message: str

    def __str__(self) -> str:
        at = f", version {self.version}" if self.version is not None else ""
        return f"{self.run}{at}, {self.field}: {self.message}"

    def to_json(self) -> dict[str, Any]:
        """Return it as `--json` prints it."""
        return {"run": self.run, "version": self.version, "field": self.field, "message": self.message}


class Folding:
    """Folds the events of one run, one at a time, and looks at each."""

    def __init__(self, run: str) -> None:
        self._run = run
        self.version = 0
        self.state: RunState | None = None

    def take(self, record: Recorded) -> None:
        """Fold the next event. Errors: Difference when it is not the next one, or makes no sense."""
        if record.version != self.version + 1:
            missing = self.version + 1
            raise Difference(self._run, missing, "version", f"the event is missing; {record.version} follows")
        self.version = record.version
        try:
            event = e.decode(record.type, record.data)
            for name, told in (("at", record.at), ("subject", record.subject)):
                if getattr(event, name) != told:
                    raise self._differs(name, told, getattr(event, name))
            self.state = apply(self.state, event)
        except Difference:
            raise
        except Exception as error:
            # Whatever it is, the log cannot be folded beyond this.
            message = f"it cannot be folded: {type(error).__name__}: {error}"
            raise Difference(self._run, record.version, record.type, message) from error

    def end(self, row: RunRow) -> RunState:
        """Hold the run's row against the fold. Errors: Difference."""
        if self.state is None or row.version > self.version:
            missing = self.version + 1
            raise Difference(self._run, missing, "version", f"the event is missing; there are {row.version}")
        self._compare("runs", row, run_row(self.state), frozenset())
        return self.state

    def compare_job(self, row: JobRow) -> None:
        """Hold the row of a job against the fold. Errors: Difference."""
        job = self.state.jobs.get(row.id) if self.state is not None else None
        if job is None:
            raise Difference(self._run, None, f"jobs.{row.id}", "the log has no such job")
        self._compare(f"jobs.{row.id}", row, job_row(self._run, job), _MOVES)

    def compare_jobs(self, rows: Iterable[JobRow]) -> None:
        """Hold all rows of jobs against the fold. Errors: Difference."""
        seen = set()
        for row in rows:
            self.compare_job(row)
            seen.add(row.id)
        for job in self.state.jobs if self.state is not None else ():
            if job not in seen:
                raise Difference(self._run, None, f"jobs.{job}", "there is no row of it")

    def _compare(self, table: str, row: Any, told: Any, moves: frozenset[str]) -> None:
        for one in fields(row):
            if one.name in moves:
                continue
            found, folded = (_value(one.name, getattr(each, one.name)) for each in (row, told))
            if found != folded:
                raise self._differs(f"{table}.{one.name}", found, folded)

    def _differs(self, field: str, found: Any, folded: Any) -> Difference:
        message = f"the log says {_short(folded)}, the row {_short(found)}"
        return Difference(self._run, self.version, field, message)


def check_definition(run: str, digest: str, source: str | None) -> None:
    """Hold the source of a definition against its digest. Errors: Difference."""
    if source is None:
        raise Difference(run, None, "definition", f"there is none with the digest {digest}")
    try:
        found = parse(source).digest
    except DefinitionError as error:
        raise Difference(
            run, None, "definition", f"it cannot be read: {error.problems[0].message}"
        ) from error
    if found != digest:
        raise Difference(run, None, "definition", f"it has the digest {found} and not {digest}")


def _value(name: str, value: Any) -> Any:
    return orjson.loads(value) if name in _JSON and value is not None else value


def _short(value: Any) -> str:
    text = orjson.dumps(value, default=str).decode()
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
