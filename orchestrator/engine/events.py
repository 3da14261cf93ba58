"""
Every fact the log can hold about a run, and its way to JSON and back.

An event is immutable and small, names what happened in the past tense, and never
holds a secret. Its JSON is kept for ever: a field may be added with a default,
never renamed or removed; what changes its meaning is a new schema version.

A value that is too large for an event is null in it, and the field of that name with `_ref`
says which artifact holds its JSON: `{"digest", "size"}`.

Nobody changes an event once it is made. The classes are not frozen all the same: that
would double the cost of making one, and two dozen are made for every run.
"""

from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import orjson

from orchestrator.engine.large import LargeValue

SCHEMA = 1
"""The version written beside each event's data."""

Verdict = Literal["accepted", "duplicate", "late", "mismatch", "unreadable"]


Resolution = Literal["adopt", "resubmit", "fail"]
"""How a person settles an uncertain submit: it is this task; send another one; give it up."""


@dataclass(slots=True, kw_only=True)
class Event:
    """One fact. *at* in microseconds since the epoch, UTC."""

    type: ClassVar[str] = ""
    at: int

    @property
    def subject(self) -> str:
        """What the fact is about: a job's id, a step instance, or nothing for the run itself."""
        return ""


@dataclass(slots=True, kw_only=True)
class JobEvent(Event):
    """A fact about one job."""

    job: str

    @property
    def subject(self) -> str:
        return self.job


@dataclass(slots=True, kw_only=True)
class StepEvent(Event):
    """A fact about one step, or about one instance of it where *index* is a number."""

    step: str
    index: int | None = None

    @property
    def subject(self) -> str:
        return self.step if self.index is None else f"{self.step}[{self.index}]"


# --- the run ---------------------------------------------------------------------------------


@dataclass(slots=True, kw_only=True)
class RunCreated(Event):
    """
    The run is durably ours, with its inputs. *digest* pins the definition it follows to its end.

    *group*: what it shares with other runs, of which at most *group_limit* go on at a time.
    *parent*: the job of another run that this run is.
    *trigger*: what started it, where no person or program asked for it; *kind* is `webhook`, `schedule`
    or `run`.
    *notify*: who is told of the end: `url`, `secret` (the name of one) and `on` (statuses).
    """

    type: ClassVar[str] = "run.created"
    run: str
    workflow: str
    digest: str
    inputs: dict[str, Any] | None
    labels: dict[str, str]
    deadline_at: int
    group: str | None = None
    group_limit: int | None = None
    parent: str | None = None
    trigger: dict[str, Any] | None = None
    notify: list[dict[str, Any]] = field(default_factory=list)
    inputs_ref: LargeValue | None = None


@dataclass(slots=True, kw_only=True)
class RunWaiting(Event):
    """So many runs of its group go on that this one has to wait for the end of another."""

    type: ClassVar[str] = "run.waiting"
    group: str


@dataclass(slots=True, kw_only=True)
class RunStarted(Event):
    """Steps may begin."""

    type: ClassVar[str] = "run.started"


@dataclass(slots=True, kw_only=True)
class RunCancelRequested(Event):
    """
    From here on nothing is begun but what asks for it, such as `always()`.

    *cause*: a person asked, or the run's own deadline passed. *deadline_at*: by when the
    steps that run all the same must have ended. *final*: that has passed as well, and
    they end too.
    """

    type: ClassVar[str] = "run.cancel_requested"
    cause: Literal["operator", "timeout"]
    reason: str | None = None
    deadline_at: int | None = None
    final: bool = False


@dataclass(slots=True, kw_only=True)
class RunRetried(Event):
    """
    The run goes on after its end: what did not succeed is done again, within a new *deadline_at*.

    *again*: *from_step* and everything downstream of it, done again though it may have succeeded.
    *parent*: the job of another run that waits for it from now on.
    """

    type: ClassVar[str] = "run.retried"
    deadline_at: int
    from_step: str | None = None
    again: list[str] = field(default_factory=list)
    parent: str | None = None


@dataclass(slots=True, kw_only=True)
class RunSucceeded(Event):
    """Every step has ended, and none failed that counts; *outputs* as evaluated."""

    type: ClassVar[str] = "run.succeeded"
    outputs: dict[str, Any] | None
    outputs_ref: LargeValue | None = None


@dataclass(slots=True, kw_only=True)
class RunFailed(Event):
    """Every step has ended, and *error* is why the run did not succeed."""

    type: ClassVar[str] = "run.failed"
    error: dict[str, Any]


@dataclass(slots=True, kw_only=True)
class RunCancelled(Event):
    """Every step has ended after a person asked for the end."""

    type: ClassVar[str] = "run.cancelled"


# --- who is told of the end ------------------------------------------------------------------


@dataclass(slots=True, kw_only=True)
class NotificationSent(Event):
    """Somebody was told how the run ended, and took it. *notice*: the message's id in every attempt."""

    type: ClassVar[str] = "notification.sent"
    notice: str
    url: str
    attempt: int
    status: int

    @property
    def subject(self) -> str:
        return self.notice


@dataclass(slots=True, kw_only=True)
class NotificationFailed(Event):
    """
    Somebody could not be told how the run ended; the next attempt is due at *due_at*, None: there is none.

    *status* of the answer, where there was one.
    """

    type: ClassVar[str] = "notification.failed"
    notice: str
    url: str
    attempt: int
    status: int | None
    error: str
    due_at: int | None

    @property
    def subject(self) -> str:
        return self.notice


# --- steps -----------------------------------------------------------------------------------


@dataclass(slots=True, kw_only=True)
class StepStarted(StepEvent):
    """All it needs has ended, its condition holds, and its parameters are evaluated."""

    type: ClassVar[str] = "step.started"


@dataclass(slots=True, kw_only=True)
class StepExpanded(StepEvent):
    """A `for_each` was evaluated. *digests*: one short digest an item, as evidence of what was evaluated."""

    type: ClassVar[str] = "step.expanded"
    count: int
    digests: list[str]


@dataclass(slots=True, kw_only=True)
class StepSkipped(StepEvent):
    """It will not run, for the *reason* given."""

    type: ClassVar[str] = "step.skipped"
    reason: str


@dataclass(slots=True, kw_only=True)
class StepSucceeded(StepEvent):
    """*job* is the one whose result won; None for a whole `for_each`."""

    type: ClassVar[str] = "step.succeeded"
    job: str | None = None


@dataclass(slots=True, kw_only=True)
class StepFailed(StepEvent):
    """No further attempt follows; of a whole `for_each`, at least one item failed."""

    type: ClassVar[str] = "step.failed"
    error: dict[str, Any]


@dataclass(slots=True, kw_only=True)
class StepCancelled(StepEvent):
    """It ended because the run was cancelled, or another item failed with `fail_fast`."""

    type: ClassVar[str] = "step.cancelled"


@dataclass(slots=True, kw_only=True)
class RetryScheduled(StepEvent):
    """
    Attempt *attempt* follows at *due_at*, because of *error*.

    *counts*: whether the one before it is among those that the step's policy allows.
    """

    type: ClassVar[str] = "retry.scheduled"
    attempt: int
    due_at: int
    error: dict[str, Any]
    counts: bool = True


# --- jobs ------------------------------------------------------------------------------------


@dataclass(slots=True, kw_only=True)
class JobCreated(JobEvent):
    """*params* as evaluated; not before *due_at* is it submitted."""

    type: ClassVar[str] = "job.created"
    step: str
    index: int | None
    attempt: int
    connection: str
    operation: str
    params: dict[str, Any] | None
    due_at: int
    params_ref: LargeValue | None = None


@dataclass(slots=True, kw_only=True)
class JobSubmitting(JobEvent):
    """
    Stored before the first byte of the spending request leaves. *template* rebuilds it byte for byte.

    *price*: what it will cost by the price list, in credits; so much is reserved, of the connection's
    *budget* too where there is one, in which all jobs together may have *most*.
    """

    type: ClassVar[str] = "job.submitting"
    template: dict[str, Any] | None
    number: int | None
    deadline_at: int
    price: float | None = None
    budget: str | None = None
    most: float | None = None
    template_ref: LargeValue | None = None


@dataclass(slots=True, kw_only=True)
class JobSubmitted(JobEvent):
    """
    Accepted. The first look is due at *check_at*; None where nobody can look.

    *deadline_at* where nothing had to be claimed first, so that no other event holds it.
    *answer*: what came with it, where the step's result is made of that too.
    """

    type: ClassVar[str] = "job.submitted"
    task_id: str
    check_at: int | None
    deadline_at: int | None = None
    answer: dict[str, Any] | None = None
    answer_ref: LargeValue | None = None


@dataclass(slots=True, kw_only=True)
class JobRejected(JobEvent):
    """
    Refused, or provably never sent (class `network`).

    *wait*: only for now, the same job is tried again at *due_at*; if not, `job.failed` follows.
    """

    type: ClassVar[str] = "job.rejected"
    wait: bool
    error: dict[str, Any]
    due_at: int | None = None


@dataclass(slots=True, kw_only=True)
class JobUncertain(JobEvent):
    """
    Nobody knows whether the submit was accepted. Looked for until *until*.

    The rest is there where the log holds no submit, because it was restored from an older backup: what
    the submit would have had. *template* comes with a second one, when the request was built again.
    """

    type: ClassVar[str] = "job.uncertain"
    reason: str
    until: int
    deadline_at: int | None = None
    price: float | None = None
    budget: str | None = None
    template: dict[str, Any] | None = None
    template_ref: LargeValue | None = None


@dataclass(slots=True, kw_only=True)
class JobAdopted(JobEvent):
    """
    The task of an uncertain submit was found. *source*: resend, look_up, callback or operator.

    *answer*: see `JobSubmitted`. *unseen*: a person named it, and the provider was not asked whether it is.
    """

    type: ClassVar[str] = "job.adopted"
    source: str
    task_id: str | None = None
    resource_id: str | None = None
    check_at: int | None = None
    answer: dict[str, Any] | None = None
    answer_ref: LargeValue | None = None
    unseen: bool = False


@dataclass(slots=True, kw_only=True)
class JobCallbackReceived(JobEvent):
    """
    A delivery was read. *digest* identifies its method, query and body, to know a repetition.

    *check_at*: the job had ended, and because of this its task is looked at once more.
    *redelivery_of*: it was not sent again; a person had that one processed once more.
    """

    type: ClassVar[str] = "job.callback_received"
    delivery: str
    verdict: Verdict
    digest: str
    duplicate_of: str | None = None
    error: str | None = None
    check_at: int | None = None
    redelivery_of: str | None = None


@dataclass(slots=True, kw_only=True)
class JobProgressed(JobEvent):
    """
    The provider's word for how it stands changed, or a hint turned out to be early.

    *check_at* is None where nobody looks any more: the job has ended, and its task will bring nothing.
    """

    type: ClassVar[str] = "job.progressed"
    progress: str | None
    check_at: int | None
    resource_id: str | None = None


@dataclass(slots=True, kw_only=True)
class JobContradicted(JobEvent):
    """Two sources of one fact disagree; the first one stands."""

    type: ClassVar[str] = "job.contradicted"
    reason: str


@dataclass(slots=True, kw_only=True)
class JobCollecting(JobEvent):
    """
    A result is there to be fetched. *output* and *files* where it is known already what it is.

    A job that has ended does not change its state by this; its late result is fetched beside it.
    """

    type: ClassVar[str] = "job.collecting"
    source: Literal["callback", "check", "submit"]
    output: dict[str, Any] | None = None
    files: list[dict[str, Any]] = field(default_factory=list)
    credits: float | None = None
    output_ref: LargeValue | None = None


@dataclass(slots=True, kw_only=True)
class ArtifactStored(JobEvent):
    """
    A file is ours. *artifact* without its bytes: digest, media_type, size, …

    *role*: a file of the job's result, or an input as it was converted for the provider.
    """

    type: ClassVar[str] = "artifact.stored"
    artifact: dict[str, Any]
    role: Literal["result", "input"] = "result"


@dataclass(slots=True, kw_only=True)
class JobSucceeded(JobEvent):
    """Its result and the bytes of it are ours: the artifacts stored just before this."""

    type: ClassVar[str] = "job.succeeded"
    output: dict[str, Any] | None
    credits: float | None = None
    output_ref: LargeValue | None = None


@dataclass(slots=True, kw_only=True)
class JobFailed(JobEvent):
    """It ended without a result; *error* says why. *credits*: what it is known to have cost all the same."""

    type: ClassVar[str] = "job.failed"
    error: dict[str, Any]
    credits: float | None = None


@dataclass(slots=True, kw_only=True)
class JobTimedOut(JobEvent):
    """Its deadline passed, and a last look brought no result. *credits* as in `JobFailed`."""

    type: ClassVar[str] = "job.timed_out"
    error: dict[str, Any]
    credits: float | None = None


@dataclass(slots=True, kw_only=True)
class JobCancelled(JobEvent):
    """*watched*: its task may still bring a result that was paid for. *credits* as in `JobFailed`."""

    type: ClassVar[str] = "job.cancelled"
    watched: bool
    credits: float | None = None


@dataclass(slots=True, kw_only=True)
class JobLateResult(JobEvent):
    """A result arrived for a job that had ended without one; it was paid for, so it is kept."""

    type: ClassVar[str] = "job.late_result"
    output: dict[str, Any] | None
    credits: float | None = None
    output_ref: LargeValue | None = None


@dataclass(slots=True, kw_only=True)
class DeliveryOverflow(JobEvent):
    """This job got more deliveries than are kept; from here on only their count grows."""

    type: ClassVar[str] = "delivery.overflow"
    limit: int


@dataclass(slots=True, kw_only=True)
class WatchdogHealed(Event):
    """
    The run was found in a state that it should not be in, and goes on. It tells of a fault of ours, or of
    somebody who wrote to the database.

    *problems*: what was wrong, for people. *jobs*: those of which the row is written anew.
    """

    type: ClassVar[str] = "watchdog.healed"
    problems: list[str]
    jobs: list[str]


# --- what a person did -----------------------------------------------------------------------


@dataclass(slots=True, kw_only=True)
class OperatorResolved(JobEvent):
    """
    A person settled an uncertain submit; what follows from it is told by the next events.

    *task_id* only with `adopt`. *who* is None where nobody had to say who they are.
    """

    type: ClassVar[str] = "operator.resolved"
    action: Resolution
    task_id: str | None = None
    who: str | None = None
    why: str | None = None


@dataclass(slots=True, kw_only=True)
class OperatorDecided(JobEvent):
    """
    A person answered a question of the workflow; what follows from it is told by the next events.

    *chosen*: those of the choices that they picked, as the question had them.
    """

    type: ClassVar[str] = "operator.decided"
    approved: bool
    chosen: list[Any] = field(default_factory=list)
    who: str | None = None
    why: str | None = None


@dataclass(slots=True, kw_only=True)
class OperatorRenotified(Event):
    """A person wants everybody told once more how the run ended."""

    type: ClassVar[str] = "operator.renotified"
    who: str | None = None
    why: str | None = None


def _leaves(cls: type[Event]) -> list[type[Event]]:
    return [leaf for sub in cls.__subclasses__() for leaf in (_leaves(sub) or [sub])]


# A slotted dataclass replaces the class it was written as, which may be collected later: its base
# classes can still be among the leaves here, and have no name.
KINDS: dict[str, type[Event]] = {cls.type: cls for cls in _leaves(Event) if cls.type}
"""Every event by its name in the log."""


def encode(event: Event) -> bytes:
    """Return the event's data as JSON."""
    return orjson.dumps(event)


def decode(type: str, data: bytes | str) -> Event:
    """Return the event that `encode` wrote. Errors: KeyError for a name this version does not know."""
    return KINDS[type](**orjson.loads(data))
