"""
The rows behind the protocols: what a run, a job and a delivery look like at rest.

A row of `runs` or `jobs` is a projection: it equals what folding the stream gives,
but for `wake_at` and `asks`, which the schedule may move between events.
Every `*_at` is whole microseconds since the epoch, UTC.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from orchestrator.engine.events import Event
from orchestrator.engine.holds import Hold

Lane = Literal["submit", "look"]
"""What a job's wake-up is for: to be submitted, or to be looked at (checked, collected, resolved)."""

DeliveryVerdict = Literal["pending", "accepted", "duplicate", "late", "mismatch", "unreadable"]


@dataclass(slots=True, kw_only=True)
class RunRow:
    """
    One run, as lists and pages show it. JSON columns hold JSON text.

    *version* is the stream's after the events of the same append.
    *wake_at* is the run's own deadline while it is open; once it has ended, when somebody is told of that.
    *waits_for*: the resource of which it needs a place before it may go on.
    """

    id: str
    workflow: str
    digest: str
    status: str
    version: int
    labels: bytes
    inputs: bytes
    outputs: bytes | None
    error: bytes | None
    created_at: int
    started_at: int | None
    finished_at: int | None
    wake_at: int | None
    waits_for: str | None = None


@dataclass(slots=True, kw_only=True)
class JobRow:
    """
    One job. *lane* and *wake_at* say what is due next and when; both None: nothing, ever.

    *reserved*: credits that it has or may have cost. *asks*: credits of its connection's budget that it
    waits for; below 0, so many are promised to it.
    """

    id: str
    run: str
    step: str
    index: int | None
    attempt: int
    connection: str
    operation: str
    status: str
    task_id: str | None
    lane: Lane | None
    wake_at: int | None
    deadline_at: int | None
    created_at: int
    submitted_at: int | None
    finished_at: int | None
    credits: float | None
    error: bytes | None
    reserved: float = 0.0
    asks: float | None = None


@dataclass(slots=True, kw_only=True)
class Delivery:
    """
    One request on a callback URL or a hook, exactly as it came.

    *job* and *connection* are empty for a request on a hook: *hook* is the workflow it is for then,
    None otherwise, and *run* the run that it started, or would have started a second time.
    *headers* is JSON text of [name, value] pairs without credentials; *body* the raw bytes,
    None when it was not kept (overflow); *remote* the peer's address. *redelivery_of*: the one
    that it repeats, because a person asked for that.
    """

    id: str
    job: str
    connection: str
    received_at: int
    method: str
    query: str
    headers: bytes
    content_type: str
    body: bytes | None
    size: int
    remote: str
    verdict: DeliveryVerdict = "pending"
    duplicate_of: str | None = None
    error: str | None = None
    redelivery_of: str | None = None
    hook: str | None = None
    run: str | None = None


@dataclass(slots=True, kw_only=True)
class Settled:
    """What became of a delivery. *run*: the one that a request on a hook led to."""

    delivery: str
    verdict: DeliveryVerdict
    duplicate_of: str | None = None
    error: str | None = None
    run: str | None = None


@dataclass(slots=True, kw_only=True)
class IdempotencyKey:
    """
    A key of `POST /runs`, and the digest of the body it came with.

    The key of a trigger has no digest: whatever comes with it a second time, it starts no second run.
    """

    key: str
    body_digest: str


@dataclass(slots=True, kw_only=True)
class Append:
    """
    One decision to be written whole or not at all.

    *expected* is the stream version it was decided on; 0 starts the stream, and then
    *definition* (digest, name, source) is stored too unless it is known.
    *run* is the projection after *events*; *jobs* the final rows of the jobs touched.
    *numbers*: (scope, number) pairs of persisted counters that must not go back.
    *holds*: what is taken of what runs share; where there is not enough left nothing is written.
    *wakes*: (job, at) pairs of jobs, of other runs too, that have something to look at.
    """

    run: RunRow
    expected: int
    events: Sequence[Event]
    jobs: Sequence[JobRow] = ()
    settled: Sequence[Settled] = ()
    numbers: Sequence[tuple[str, int]] = ()
    holds: Sequence[Hold] = ()
    wakes: Sequence[tuple[str, int]] = ()
    definition: tuple[str, str, str] | None = None
    idempotency: IdempotencyKey | None = None


@dataclass(slots=True, kw_only=True)
class Recorded:
    """One event as the log holds it. *data* is its JSON."""

    seq: int
    stream: str
    version: int
    type: str
    at: int
    subject: str
    data: bytes


@dataclass(frozen=True, slots=True)
class WaitingJob:
    """An open job, and the workflow of its run."""

    job: JobRow
    workflow: str


@dataclass(frozen=True, slots=True)
class GroupLine:
    """A group that runs wait for. *most*: None where nobody knows how many may go on."""

    resource: str
    used: float
    most: float | None
    waiting: int


@dataclass(frozen=True, slots=True)
class Lap:
    """
    How far the turns of runs have come, in numbers that are the store's own; `Lap()` is the beginning.

    Those up to *at* had theirs in this lap, those after *last* have theirs in the next.
    """

    at: int = 0
    last: int = 0


@dataclass(frozen=True, slots=True)
class Purse:
    """
    The budget of a connection in one period, a resource that has *credits*.

    *claimed*: how much of it jobs are about to take, by their ids.
    """

    connection: str
    resource: str
    credits: float
    claimed: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Promised:
    """
    How many jobs in line for a budget were promised what they ask for, and how far turns have come with that.

    *passed*: the first run that had its turn while nothing of it was cheap enough.
    """

    jobs: int
    lap: Lap
    passed: int | None


@dataclass(frozen=True, slots=True)
class Epoch:
    """The database was restored from a backup: it knows nothing of what happened in between."""

    taken_at: int
    restored_at: int


@dataclass(slots=True, kw_only=True)
class Due:
    """One job whose wake-up has come."""

    job: str
    run: str
    status: str
    wake_at: int
