"""
Why the engine is asked to decide: what happened outside, as values.

Every trigger carries *at*, microseconds since the epoch and never before the
stream's last event, and *entropy*, 16 random bytes, from which ids and jitter
come. So the same trigger on the same state always gives the same events.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.engine.events import Resolution
from orchestrator.errors import Failure
from orchestrator.outcomes import Callback, CheckOutcome, Found, SubmitOutcome


@dataclass(slots=True, kw_only=True)
class Trigger:
    """Something happened."""

    at: int
    entropy: bytes


@dataclass(slots=True, kw_only=True)
class Asked(Trigger):
    """A person asks for something that the state may not allow any more; then they have to be told."""


@dataclass(slots=True, kw_only=True)
class Start(Trigger):
    """
    A run was asked for, with inputs already checked and free of data URIs.

    *admitted*: there is a place for it in its group, if it has one. *parent*: the job that it is.
    *trigger*: see `RunCreated`. *notify*: who is told of the end besides those that the workflow names.
    """

    run: str
    inputs: dict[str, Any]
    labels: dict[str, str]
    admitted: bool = True
    parent: str | None = None
    trigger: dict[str, Any] | None = None
    notify: Sequence[dict[str, Any]] = ()


@dataclass(slots=True, kw_only=True)
class Admitted(Trigger):
    """There may be a place in the group of a run that waits for one."""


@dataclass(slots=True, kw_only=True)
class CancelAsked(Trigger):
    """A person wants the run to end."""

    reason: str | None = None


@dataclass(slots=True, kw_only=True)
class RetryAsked(Asked):
    """
    Somebody wants a run to go on that failed or was cancelled; *from_step* also does it all again.

    *admitted*, *parent*: see `Start`.
    """

    from_step: str | None = None
    admitted: bool = True
    parent: str | None = None


@dataclass(slots=True, kw_only=True)
class Healed(Trigger):
    """What is written of a run is not what its log says, or does not go on by itself; see the event."""

    problems: Sequence[str] = ()
    jobs: Sequence[str] = ()


@dataclass(slots=True, kw_only=True)
class Told(Trigger):
    """
    Somebody was told how the run ended; *error* None: they took it.

    *retry_after_s*: what they ask for before the next attempt.
    """

    notice: str
    status: int | None = None
    error: str | None = None
    retry_after_s: float | None = None


@dataclass(slots=True, kw_only=True)
class TellAgain(Asked):
    """A person wants everybody told once more how the run ended."""

    comment: str | None = None


@dataclass(slots=True, kw_only=True)
class RunOverdue(Trigger):
    """The run's own deadline has come."""


@dataclass(slots=True, kw_only=True)
class JobTrigger(Trigger):
    """Something happened to one job."""

    job: str


@dataclass(slots=True, kw_only=True)
class SubmitReady(JobTrigger):
    """
    All that comes before the spending request is done, and it may be sent now.

    *inputs*: artifacts that images were converted to on the way.
    """

    template: dict[str, Any]
    number: int | None = None
    inputs: Sequence[dict[str, Any]] = ()


@dataclass(slots=True, kw_only=True)
class BudgetReached(JobTrigger):
    """The connection's budget has not left the credits that the job *asks* for: it has to wait for them."""

    asks: float


@dataclass(slots=True, kw_only=True)
class SubmitAnswered(JobTrigger):
    """The spending request was answered, or was not needed, or could not even be made."""

    outcome: SubmitOutcome


@dataclass(slots=True, kw_only=True)
class SubmitNotSent(JobTrigger):
    """
    Provably nothing left us: the name did not resolve, the connection was refused.

    *after_s*: how long to wait, where somebody says so.
    """

    reason: str
    after_s: float | None = None


@dataclass(slots=True, kw_only=True)
class SubmitLost(JobTrigger):
    """The request may have left us, and no answer that tells anything came back."""

    reason: str


@dataclass(slots=True, kw_only=True)
class SubmitDoubted(JobTrigger):
    """
    The log may know less than the world: what it takes for unsent may have been accepted long ago.

    *before*: only of what was made before that moment; later ones are ours to send.
    """

    reason: str
    before: int


@dataclass(slots=True, kw_only=True)
class CallbackArrived(JobTrigger):
    """
    A delivery of the job. *digest* over method, query and body.

    *redelivery_of*: the one that a person had processed once more, and then equal bytes are no repetition.
    *foreign*: the task that it names is a job's of another run.
    """

    delivery: str
    digest: str
    callback: Callback
    redelivery_of: str | None = None
    foreign: bool = False


@dataclass(slots=True, kw_only=True)
class Checked(JobTrigger):
    """
    Somebody asked how the task stands, beginning at *asked_at*; *last*: nobody will ask again.

    *task_id*: that of the job at that moment, where it had one.
    """

    outcome: CheckOutcome
    asked_at: int
    last: bool = False
    task_id: str | None = None


@dataclass(slots=True, kw_only=True)
class Collected(JobTrigger):
    """The result and all its bytes are ours, on disk."""

    output: dict[str, Any]
    artifacts: Sequence[dict[str, Any]]
    credits: float | None = None


@dataclass(slots=True, kw_only=True)
class CollectFailed(JobTrigger):
    """The result is there, but its bytes cannot be had any more."""

    failure: Failure


@dataclass(slots=True, kw_only=True)
class LookedUp(JobTrigger):
    """A look-up of an uncertain submit found it."""

    found: Found


@dataclass(slots=True, kw_only=True)
class Resolve(JobTrigger, Asked):
    """
    A person settles an uncertain submit; *task_id* is what they found at the provider, to be adopted.

    *unseen*: the provider could not say, or was not asked, whether it has it.
    """

    action: Resolution
    task_id: str | None = None
    comment: str | None = None
    unseen: bool = False


@dataclass(slots=True, kw_only=True)
class Decided(JobTrigger, Asked):
    """A person answers a question; *chosen* are the positions of the choices that they picked, from 0."""

    approved: bool
    chosen: Sequence[int] = ()
    comment: str | None = None
    who: str | None = None


@dataclass(slots=True, kw_only=True)
class Woke(JobTrigger):
    """The job's own time has come: its grace is over, or its deadline with nobody to ask."""
