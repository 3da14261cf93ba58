"""Verify a log: that of the store, also beside a server that runs, or that of an exported run."""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson

from orchestrator.errors import StoreUnavailable
from orchestrator.operations.export import FORMAT, PREFIX
from orchestrator.operations.verification import Difference, Folding, check_definition
from orchestrator.settings import Settings
from orchestrator.store.chain import BEGINNING, extend
from orchestrator.store.rows import JobRow, Recorded, RunRow
from orchestrator.store.sqlite import copying, histories, migrations
from orchestrator.store.sqlite.histories import History
from orchestrator.times import SECOND, from_rfc3339
from orchestrator.upkeep.files import Files


@dataclass(slots=True)
class Verified:
    """What was gone through, and the first difference, if there is one; *files* where they were read too."""

    runs: int = 0
    events: int = 0
    difference: Difference | None = None
    files: Files | None = None

    @property
    def is_sound(self) -> bool:
        return self.difference is None and not (self.files is not None and self.files.unsound)

    def to_json(self) -> dict[str, Any]:
        """Return it as `--json` prints it."""
        found = self.difference.to_json() if self.difference is not None else None
        shown = {"runs": self.runs, "events": self.events, "difference": found}
        return shown if self.files is None else shown | {"artifacts": self.files.to_json()}


# --- the store -------------------------------------------------------------------------------


def verify_store(settings: Settings, *, files: bool = False, now: int = 0) -> Verified:
    """
    Fold the stream of every run and hold it against its rows, one run at a time.

    Shape:   with *files* those that its events refer to are read as well, but for runs whose files need
             not be kept any more at *now*, microseconds.
    Errors:  StoreUnavailable when there is no database, or it is too damaged to be read.
    """
    done = Verified(files=Files(settings.artifacts) if files else None)
    kept_s = settings.retention.artifacts
    ended_before = now - int(kept_s * SECOND) if kept_s is not None else 0
    with copying.opened(settings.store_path) as db:
        _check_version(db)
        try:
            for run in histories.runs(db):
                with histories.history(db, run) as history:
                    if history is not None:
                        _compare(history, done, ended_before)
        except Difference as difference:
            done.difference = difference
        _forget_pruned(db, done)
    return done


def _forget_pruned(db: sqlite3.Connection, done: Verified) -> None:
    """Leave out what is missing of runs that were removed meanwhile, with their files."""
    for unsound in list(done.files.unsound if done.files is not None else ()):
        with histories.history(db, unsound.run) as history:
            if history is None and done.files is not None:
                del done.files.unsound[unsound]


def _check_version(db: sqlite3.Connection) -> None:
    known, applied = migrations.known(), migrations.applied(db)
    migrations.check(applied, known)
    if len(applied) < len(known):
        raise StoreUnavailable(
            f"the database is of an older version ({max(applied, default=0)}; this one needs {len(known)}): "
            "bring it up to date first, with `orchestrator db migrate`"
        )


def _compare(history: History, done: Verified, ended_before: int) -> None:
    row = history.row
    folding, chain = Folding(row.id), BEGINNING
    files = done.files if row.finished_at is None or row.finished_at >= ended_before else None
    if files is not None:
        files.begin()
    for record in history.events:
        folding.take(record)
        if files is not None:
            files.look(record)
        chain = extend(chain, record.version, [(record.type, record.at, record.subject, record.data)])
        done.events += 1
    folding.end(row)
    folding.compare_jobs(history.jobs)
    if history.chain not in (None, chain):
        message = "an event of the run is not as it was written, although what is computed from it is"
        raise Difference(row.id, None, "runs.chain", message)
    check_definition(row.id, row.digest, history.definition)
    done.runs += 1


# --- a file ----------------------------------------------------------------------------------


def verify_file(path: Path) -> Verified:
    """Fold the events of an exported run and hold them against the rows in the same file. Errors: OSError."""
    done = Verified()
    reading = _Reading(done)
    try:
        with path.open("rb") as file:
            reading.go_through(file)
        done.runs = 1
    except Difference as difference:
        done.difference = difference
    return done


class _Reading:
    """Goes through the lines of an export, in their order."""

    def __init__(self, done: Verified) -> None:
        self._done = done
        self._run = "the file"
        self._folding = Folding("")
        self._digest, self._lines = sha256(), 0
        self._jobs: list[JobRow] = []
        self._order = ["begun", "definition", "events", "run", "job", "delivery", "ended"]

    def go_through(self, lines: Iterable[bytes]) -> None:
        """Read every line. Errors: Difference."""
        for line in lines:
            kind, event = self._parsed(line)
            self._in_order(kind)
            self._take(kind, event)
            self._digest.update(line)
            self._lines += 1
        if self._order[0] != "ended" or not self._lines:
            raise self._wrong("the file ends before its last line")

    def _parsed(self, line: bytes) -> tuple[str, dict[str, Any]]:
        try:
            event = orjson.loads(line)
            type = str(event["type"])
        except (ValueError, TypeError, KeyError):
            raise self._wrong("is no event of an exported run") from None
        return type.removeprefix(PREFIX) if type.startswith(PREFIX) else "events", event

    def _in_order(self, kind: str) -> None:
        if kind not in self._order:
            raise self._wrong(f"'{kind}' does not belong here")
        while self._order[0] != kind:
            self._leave(self._order.pop(0))

    def _leave(self, kind: str) -> None:
        if kind in ("begun", "definition", "run") and self._lines == 0:
            raise self._wrong("is no export of a run: it does not say so in the first line")
        if kind == "job":
            self._folding.compare_jobs(self._jobs)

    def _take(self, kind: str, event: dict[str, Any]) -> None:
        try:
            data = event["data"]
            match kind:
                case "begun":
                    self._begin(data)
                case "definition":
                    check_definition(self._run, data["digest"], data["source"])
                case "events":
                    self._done.events += 1
                    self._folding.take(_recorded(self._run, event))
                case "run":
                    self._folding.end(RunRow(**_encoded(data)))
                case "job":
                    self._jobs.append(JobRow(**_encoded(data)))
                case "ended":
                    self._end(data)
        except (KeyError, TypeError, ValueError) as error:
            raise self._wrong(f"cannot be read: {type(error).__name__}: {error}") from error

    def _begin(self, data: dict[str, Any]) -> None:
        if data["format"] != FORMAT:
            raise self._wrong("was written by a newer version: use that one")
        self._run = data["run"]
        self._folding = Folding(self._run)

    def _end(self, data: dict[str, Any]) -> None:
        if (data["lines"], data["sha256"]) != (self._lines, self._digest.hexdigest()):
            message = "a line is not as it was written, although what is computed from the events is"
            raise Difference(self._run, None, "sha256", message)

    def _wrong(self, message: str) -> Difference:
        return Difference(self._run, None, f"line {self._lines + 1}", message)


def _recorded(run: str, event: dict[str, Any]) -> Recorded:
    at = from_rfc3339(event["time"])
    return Recorded(
        seq=int(event["sequence"]),
        stream=run,
        version=event["streamversion"],
        type=event["type"].removeprefix("orchestrator."),
        at=at,
        subject=event["subject"] or "",
        data=orjson.dumps({"at": at, **event["data"]}),
    )


def _encoded(data: dict[str, Any]) -> dict[str, Any]:
    """Return a row whose JSON columns are text again."""
    columns = ("labels", "inputs", "outputs", "error")
    return {
        name: orjson.dumps(value) if name in columns and value is not None else value
        for name, value in data.items()
    }
