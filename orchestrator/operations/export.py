"""
A run as a file of its own: CloudEvents, one a line, that can be verified without the store.

    orchestrator.export.begun       what this is
    orchestrator.export.definition  the workflow, as it was when the run was started
    orchestrator.…                  the events of the run, in their order
    orchestrator.export.run         its row, as it is computed from them
    orchestrator.export.job         one row each
    orchestrator.export.delivery    what started it on a hook, and what came for its jobs, oldest first;
                                    the body in base64
    orchestrator.export.ended       how many lines there were, and a digest over them
"""

from base64 import b64encode
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any

import orjson

from orchestrator.errors import NotFound, WrongState
from orchestrator.operations import shapes
from orchestrator.store.inbox import Inbox
from orchestrator.store.log import Log
from orchestrator.store.rows import Delivery, JobRow, Recorded, RunRow
from orchestrator.store.views import Views
from orchestrator.times import rfc3339

FORMAT = 1
PREFIX = "orchestrator.export."

DELIVERIES_MAX = 100_000
"""Of one job; those beyond the first hundred have no bodies."""

_TRIES = 20
_PAGE = 1000
_JSON = ("labels", "inputs", "outputs", "error")


@dataclass(frozen=True, slots=True)
class _Snapshot:
    """A run at one version."""

    row: RunRow
    jobs: Sequence[JobRow]
    events: Sequence[Recorded]


async def lines(log: Log, views: Views, inbox: Inbox, run: str, at: int) -> AsyncIterator[bytes]:
    """
    Yield the lines of *run*, each with its line feed.

    Shape:   *at* is the time of the export, in microseconds.
    Errors:  NotFound; WrongState for a run that goes on too fast to be seen at one moment.
    """
    snapshot = await _snapshot(log, views, run)
    digest, count = sha256(), 0
    async for line in _lines(log, inbox, snapshot, at):
        digest.update(line)
        count += 1
        yield line
    yield _line(run, "ended", None, {"lines": count, "sha256": digest.hexdigest()}, at)


async def _snapshot(log: Log, views: Views, run: str) -> _Snapshot:
    for _ in range(_TRIES):
        row = await views.run(run)
        if row is None:
            raise NotFound(f"no run '{run}'")
        jobs, events = await _jobs(views, run), await log.read(run)
        after = await views.run(run)
        if after is not None and after.version == row.version == len(events):
            return _Snapshot(row, jobs, events)
    raise WrongState(f"{run} goes on too fast to be seen at one moment; export it when it has ended")


async def _jobs(views: Views, run: str) -> Sequence[JobRow]:
    """Return all its jobs, oldest first."""
    found: list[JobRow] = []
    before = None
    while page := await views.jobs(run=run, before=before, limit=_PAGE):
        found += page
        before = page[-1].id
    return found[::-1]


async def _lines(log: Log, inbox: Inbox, snapshot: _Snapshot, at: int) -> AsyncIterator[bytes]:
    """Yield all lines but the last."""
    row = snapshot.row
    begun = {"format": FORMAT, "run": row.id, "workflow": row.workflow, "digest": row.digest}
    yield _line(row.id, "begun", None, begun, at)
    definition = {"digest": row.digest, "name": row.workflow, "source": await log.definition(row.digest)}
    yield _line(row.id, "definition", None, definition, at)
    for record in snapshot.events:
        yield orjson.dumps(shapes.event(record)) + b"\n"
    yield _line(row.id, "run", None, _row(row), at)
    for job in snapshot.jobs:
        yield _line(row.id, "job", job.id, _row(job), at)
    trigger = orjson.loads(snapshot.events[0].data).get("trigger") or {}
    if started := await inbox.get(trigger.get("delivery", "")):
        yield _line(row.id, "delivery", row.id, await _delivery(inbox, started), at)
    for job in snapshot.jobs:
        for delivery in reversed(await inbox.find(job=job.id, limit=DELIVERIES_MAX)):
            yield _line(row.id, "delivery", job.id, await _delivery(inbox, delivery), at)


async def _delivery(inbox: Inbox, row: Delivery) -> shapes.Object:
    whole = await inbox.get(row.id)
    body = whole.body if whole is not None else None
    return shapes.delivery(row) | {"body": b64encode(body).decode() if body is not None else None}


def _row(row: RunRow | JobRow) -> shapes.Object:
    """Return a row as it is stored, its JSON columns as values."""
    found = asdict(row)
    for name in _JSON:
        if found.get(name) is not None:
            found[name] = orjson.loads(found[name])
    return found


def _line(run: str, type: str, subject: str | None, data: Any, at: int) -> bytes:
    event = {
        "specversion": "1.0",
        "id": f"{run}/{type}" + (f"/{data.get('id')}" if subject else ""),
        "source": f"/runs/{run}",
        "type": PREFIX + type,
        "subject": subject,
        "time": rfc3339(at),
        "datacontenttype": "application/json",
        "data": data,
    }
    return orjson.dumps(event) + b"\n"
