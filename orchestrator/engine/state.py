"""
What a run is at a moment: the fold of its events.

A `RunState` is changed in two places only: `fold.apply`, and nowhere else. What
was committed is never changed again: a decision works on a `fork`, which shares
everything with its origin and copies a job, step or instance when it first
writes to it. So throwing a decision away costs nothing, and keeping it is free.

A job's states (every arrow is an event; terminal ones are doubled):

    created ──▶ submitting ──▶ waiting ◀──▶ collecting ──▶ ║succeeded║
       ▲            │  │          │  └──────────┬───────▶  ║failed║
       └─ rejected ─┘  └▶ uncertain ──────────▶ ┴───────▶  ║timed_out║
          (for now)        adopted ──▶ waiting            ║cancelled║

and from waiting or collecting back to uncertain, as long as the task is `unseen`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields
from operator import attrgetter
from typing import Any, Literal, TypeVar

from orchestrator.engine.large import LargeValue
from orchestrator.engine.layers import Layers

RunStatus = Literal["pending", "running", "succeeded", "failed", "cancelled"]
StepStatus = Literal["pending", "running", "succeeded", "failed", "skipped", "cancelled"]
JobStatus = Literal[
    "created",
    "submitting",
    "waiting",
    "collecting",
    "uncertain",
    "succeeded",
    "failed",
    "timed_out",
    "cancelled",
]

OPEN: frozenset[JobStatus] = frozenset({"created", "submitting", "waiting", "collecting", "uncertain"})
"""A job in one of these may still change its state."""

AT_PROVIDER: frozenset[JobStatus] = frozenset({"submitting", "waiting", "collecting", "uncertain"})
"""A job in one of these holds a slot of its connection."""

RETRIABLE: frozenset[RunStatus] = frozenset({"failed", "cancelled"})
"""A run that ended like this may go on, when somebody asks for it."""

Key = tuple[str, int | None]
"""A step instance: the step's id, and the item's index with `for_each`."""

_Row = TypeVar("_Row", "Job", "StepState", "Instance", "RunState")


def _copied(row: _Row) -> _Row:
    return type(row)(*_VALUES[type(row)](row))


@dataclass(slots=True)
class Job:
    """
    One submission of a step instance. Lists and dicts in it are replaced, never changed.

    *wake_at*: when something is due next by what the log says (the schedule may be later).
    *seen*: digest of each delivery to the id of the first that had it. *repeats*: the latest of the
    others, to know one that the inbox offers again.
    *unseen*: that the provider has the task is only a person's word, and nobody has seen it there yet.
    *watched*: it ended without a result, but its task may still bring one, and holds its slot until then.
    *reserved*: credits that it has or may have cost, by *price* until it is known; *budget* is
    the connection's that they count against.
    """

    id: str
    step: str
    index: int | None
    attempt: int
    connection: str
    operation: str
    params: dict[str, Any] | LargeValue
    created_at: int
    status: JobStatus = "created"
    wake_at: int | None = None
    deadline_at: int | None = None
    template: dict[str, Any] | LargeValue | None = None
    number: int | None = None
    task_id: str | None = None
    resource_id: str | None = None
    submitted_at: int | None = None
    finished_at: int | None = None
    uncertain_until: int | None = None
    rejections: int = 0
    progress: str | None = None
    output: dict[str, Any] | LargeValue | None = None
    files: list[dict[str, Any]] = field(default_factory=list)
    artifacts: list[dict[str, Any]] = field(default_factory=list)
    credits: float | None = None
    error: dict[str, Any] | None = None
    seen: dict[str, str] = field(default_factory=dict)
    repeats: tuple[str, ...] = ()
    deliveries: int = 0
    unseen: bool = False
    watched: bool = False
    late: bool = False
    answer: dict[str, Any] | LargeValue | None = None
    price: float | None = None
    budget: str | None = None
    reserved: float = 0.0
    memo: Any = field(default=None, compare=False, repr=False)

    @property
    def key(self) -> Key:
        return self.step, self.index

    @property
    def is_open(self) -> bool:
        return self.status in OPEN

    @property
    def is_known(self) -> bool:
        """Whether it is known which task it has, or what came of it."""
        return self.task_id is not None or self.resource_id is not None

    @property
    def may_bring_more(self) -> bool:
        """Whether it ended without a result, and the task that it may have started can still have one."""
        if self.is_open or self.late or self.status == "succeeded":
            return False
        if self.submitted_at is None and self.uncertain_until is None and self.output is None:
            return False
        return self.error is None or self.error["class"] in ("uncertain", "timeout", "result_unavailable")


@dataclass(slots=True)
class Instance:
    """
    A step that was started, or one item of it. *job* is its latest attempt, or the one that won.

    *attempt* only ever grows; the retry policy counts from *base*, where the run was last retried, and
    after attempts that do not count.
    *kept*: a job whose result was paid for and is nobody's yet, because it came after the job's end.
    *stale*: results of attempts up to this one are not wanted any more, a person asked for new ones.
    """

    step: str
    index: int | None
    status: StepStatus = "pending"
    job: str | None = None
    attempt: int = 0
    base: int = 0
    kept: str | None = None
    stale: int = 0
    error: dict[str, Any] | None = None
    started_at: int | None = None
    finished_at: int | None = None


@dataclass(frozen=True, slots=True)
class Notice:
    """
    One message about the run's end, for one receiver.

    *id* is the same in every attempt. *due_at* None: it was delivered, or is given up.
    """

    id: str
    url: str
    secret: str
    attempts: int = 0
    due_at: int | None = None
    delivered_at: int | None = None
    error: str | None = None

    @property
    def shown_url(self) -> str:
        """Its URL without what may let its holder do things."""
        return self.url.partition("?")[0]


@dataclass(slots=True)
class StepState:
    """
    A whole step. For `for_each`: *count* items, of which those below *begun* were begun.

    *digests*: of the items when they were last evaluated. *tally*: how many instances have
    ended in each status. *spared*: it was begun while the run was being cancelled, because
    its condition says so, and is not cancelled with it.
    """

    id: str
    status: StepStatus = "pending"
    spared: bool = False
    count: int | None = None
    digests: list[str] = field(default_factory=list)
    begun: int = 0
    running: int = 0
    tally: dict[str, int] = field(default_factory=dict)
    error: dict[str, Any] | None = None
    started_at: int | None = None
    finished_at: int | None = None

    @property
    def has_ended(self) -> bool:
        return self.status not in ("pending", "running")


@dataclass(frozen=True, slots=True)
class Result:
    """
    What a step has brought.

    *seen*: `output`, `artifacts`, `status` and `error`; lists where it has `for_each`.
    *large*: those of its outputs that are not in the log, which expressions must not see as they are.
    """

    seen: dict[str, Any]
    large: tuple[LargeValue, ...] = ()


@dataclass(slots=True)
class RunState:
    """
    One run.

    *version*: how many events were folded. *cancelling*: why nothing is begun any more but
    what asks for it; *halting*: nothing at all. *tasks*: whose a connection's task is.
    *trigger*, *notify*: see `RunCreated`. *notices*: who is told of its latest end, and how far that is;
    replaced, never changed.
    *items*: what each `for_each` gave, *results*: what expressions see of steps that have
    ended; computed when first needed and derived from the rest, so they take no part in
    comparisons.
    *fresh*: what was written to since the fork; None for a state that was folded.
    *group*: the resource of which it needs a place in order to go on.
    *parent*: the job of another run that waits for this one.
    *spending*: per connection what its jobs have or may have cost, in credits.
    """

    id: str
    workflow: str
    digest: str
    inputs: dict[str, Any] | LargeValue
    labels: dict[str, str]
    created_at: int
    deadline_at: int
    trigger: dict[str, Any] | None = None
    notify: list[dict[str, Any]] = field(default_factory=list)
    notices: dict[str, Notice] = field(default_factory=dict)
    status: RunStatus = "pending"
    version: int = 0
    last_at: int = 0
    started_at: int | None = None
    finished_at: int | None = None
    cancelling: Literal["operator", "timeout"] | None = None
    halting: bool = False
    group: str | None = None
    group_limit: int | None = None
    parent: str | None = None
    spending: dict[str, float] = field(default_factory=dict)
    outputs: dict[str, Any] | LargeValue | None = None
    error: dict[str, Any] | None = None
    steps: dict[str, StepState] = field(default_factory=dict)
    instances: Layers[Key, Instance] = field(default_factory=Layers)
    jobs: Layers[str, Job] = field(default_factory=Layers)
    tasks: Layers[tuple[str, str], str] = field(default_factory=Layers)
    open: Layers[str, None] = field(default_factory=Layers)
    items: dict[str, list[Any]] = field(default_factory=dict, compare=False, repr=False)
    results: dict[str, Result] = field(default_factory=dict, compare=False, repr=False)
    fresh: dict[Any, None] | None = field(default=None, compare=False, repr=False)

    @property
    def has_ended(self) -> bool:
        return self.status in ("succeeded", "failed", "cancelled")

    @property
    def waits_for(self) -> str | None:
        """What it has to have before it may go on, while it has not."""
        return self.group if self.status == "pending" else None

    def kept_result(self, key: Key, params: dict[str, Any] | LargeValue) -> Job | None:
        """Return the job whose result an instance can have without paying again for the same *params*."""
        instance = self.instances.get(key)
        job = self.jobs[instance.kept] if instance is not None and instance.kept is not None else None
        return job if job is not None and job.params == params else None

    def dooms(self, step: str) -> bool:
        """Return whether what is open of *step* ends because the run is being cancelled."""
        return self.halting or (self.cancelling is not None and not self.steps[step].spared)

    def fork(self) -> "RunState":
        """Return a state that may be written to, while this one stays as it is."""
        twin = _copied(self)
        twin.steps, twin.instances = dict(self.steps), self.instances.fork()
        twin.jobs, twin.open, twin.tasks = self.jobs.fork(), self.open.fork(), self.tasks.fork()
        twin.items, twin.results = dict(self.items), dict(self.results)
        twin.fresh = {}
        return twin

    def touched(self) -> Iterator[Job]:
        """Yield the jobs that were written to since the fork, in the order in which they first were."""
        for mark in self.fresh or ():
            if type(mark) is str and mark in self.jobs:
                yield self.jobs[mark]

    def own_job(self, job: str) -> Job:
        """Return the job to be written to."""
        if self.fresh is not None and job not in self.fresh:
            self.fresh[job] = None
            self.jobs[job] = _copied(self.jobs[job])
        return self.jobs[job]

    def own_step(self, step: str) -> StepState:
        """Return the step to be written to, made when it is not there yet."""
        mark = ("step", step)
        if step not in self.steps:
            self.steps[step] = StepState(step)
        elif self.fresh is not None and mark not in self.fresh:
            self.steps[step] = _copied(self.steps[step])
        if self.fresh is not None:
            self.fresh[mark] = None
        return self.steps[step]

    def own_instance(self, key: Key) -> Instance:
        """Return the instance to be written to, made when it is not there yet."""
        if key not in self.instances:
            self.instances[key] = Instance(*key)
        elif self.fresh is not None and key not in self.fresh:
            self.instances[key] = _copied(self.instances[key])
        if self.fresh is not None:
            self.fresh[key] = None
        return self.instances[key]


_VALUES: dict[type, Callable[[Any], tuple[Any, ...]]] = {
    cls: attrgetter(*(f.name for f in fields(cls))) for cls in (Job, Instance, StepState, RunState)
}
"""What of a row its copy is made with: every field, in the order in which the class takes them."""
