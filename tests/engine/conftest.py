"""What the engine's tests share: tiny workflows, operations of their own, and a world that feeds triggers."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from hashlib import blake2b
from types import SimpleNamespace
from typing import Any

import orjson
import pytest

from orchestrator.definition.workflow import Concurrency, LookUp, Retry, Scope, Step, Workflow
from orchestrator.engine import triggers as t
from orchestrator.engine.decide import decide
from orchestrator.engine.draft import Decision
from orchestrator.engine.effects import due_effects
from orchestrator.engine.events import Event
from orchestrator.engine.plan import Budget, DeadlineDecides, Plan, Waits
from orchestrator.engine.state import Job, RunState
from orchestrator.errors import ErrorClass, Failure, InvalidValue
from orchestrator.outcomes import (
    Callback,
    CallbackMeaning,
    Done,
    Failed,
    Hint,
    Meaningless,
    ResultFile,
    Unreadable,
    Verdict,
)
from orchestrator.times import SECOND


def shown(state: RunState | None) -> Any:
    """Return everything that makes a state what it is, as JSON."""
    return orjson.loads(orjson.dumps(_plain(state)))


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return {one.name: _plain(getattr(value, one.name)) for one in fields(value) if one.compare}
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value


NOON = 1_700_000_000 * SECOND
"""When every run begins."""


@dataclass(frozen=True, slots=True)
class Given:
    """A value that a function of the scope computes; *part* is what it reads of *steps*, None: all."""

    compute: Callable[[Scope], Any]
    steps: frozenset[str] = frozenset()
    part: str | None = None

    @property
    def looks_up(self) -> frozenset[LookUp]:
        return frozenset(("steps", step, self.part) for step in self.steps)

    def evaluate(self, scope: Scope) -> Any:
        return self.compute(scope)


def refused(scope: Scope) -> Any:
    """Be an expression that turns out wrong at run time."""
    raise InvalidValue("nothing is there")


def text(words: str, steps: Iterable[str] = ()) -> Given:
    """
    Return a value: `model.output` reads a step, `broken` cannot be evaluated, `a,b` is a list.

    Shape:   a list of nothing is written `-`.
    """
    if words == "broken":
        return Given(refused)
    step, dot, what = words.partition(".")
    if dot:
        return Given(lambda scope: scope["steps"][step][what], frozenset({step}))
    return Given(lambda scope: [] if words == "-" else words.split(","), frozenset(steps))


@dataclass(frozen=True, slots=True)
class If:
    """A condition in one word: a status function, or `never`, `odd` (of the index), `broken`."""

    word: str
    steps: frozenset[str] = frozenset()

    @property
    def looks_up(self) -> frozenset[LookUp]:
        return frozenset(("steps", step) for step in self.steps)

    @property
    def asks_status(self) -> bool:
        return self.word in ("success", "failure", "always", "cancelled")

    def holds(self, scope: Scope, status: Mapping[str, Callable[[], bool]]) -> bool:
        if self.word == "broken":
            raise InvalidValue("nothing is there")
        if self.word == "odd":
            return bool(scope["index"] % 2)
        return self.asks_status and status[self.word]()


@dataclass(slots=True, kw_only=True)
class Op:
    """An operation that knows what to submit, and reads callbacks written in words."""

    waits: Waits = "hint"
    spends: bool = True
    costs: bool = True
    resends: bool = False
    looks_up: bool = False
    checks: bool = True
    drops: bool = False
    timeout_s: float | None = 600.0
    budget: Budget | None = None
    first_check_s: float = 60.0
    max_check_interval_s: float = 240.0
    uncertain_grace_s: float = 120.0
    poll_s: float = 7.0
    credits: float | None = None
    rests_s: float = 3600.0
    default: DeadlineDecides = "fail"

    @property
    def first_look_s(self) -> float:
        return self.first_check_s

    def of(self, job: Job) -> "Op":
        return self

    def problem(self, params: Mapping[str, Any]) -> str | None:
        return "colour: is not one of red, blue" if params.get("colour") == "loud" else None

    def template(self, job: Job) -> dict[str, Any] | None:
        return None if self.waits in ("timer", "person") else {"body": job.step}

    def price(self, job: Job) -> float | None:
        return self.credits

    def due_at(self, job: Job) -> int:
        return job.created_at + int(self.rests_s * SECOND)

    def picked(self, job: Job, chosen: Sequence[int]) -> list[Any]:
        if any(n > 2 for n in chosen):
            raise InvalidValue("there are three")
        return [("a", "b", "c")[n] for n in chosen]

    def deadline_decides(self, job: Job) -> DeadlineDecides:
        return self.default

    def meaning(self, callback: Callback, job: Job) -> CallbackMeaning:
        match callback.body.decode().split():
            case ["hint", *task]:
                return Hint(task[0] if task else None)
            case ["done", task, *files]:
                return Verdict(task, done(*files))
            case ["failed", task]:
                return Verdict(task, Failed(Failure("task_failed", "it came out black")))
            case []:
                return Meaningless()
        return Unreadable("no words that are known")


OPERATIONS: dict[str, Op] = {
    "none": Op(waits="none", spends=False, checks=False),
    "hint": Op(),
    "hint+lookup": Op(looks_up=True),
    "hint+key": Op(resends=True),
    "verdict": Op(waits="verdict", checks=False),
    "heartbeat": Op(waits="heartbeat", drops=True, first_check_s=1.0, timeout_s=300.0),
    "timer": Op(waits="timer", spends=False, costs=False, checks=False, timeout_s=None),
    "person": Op(waits="person", spends=False, costs=False, checks=False, timeout_s=None),
}
"""One operation per waiting style, and hints with each way to resolve an uncertain submit."""


def done(*files: str, credits: float | None = 1.0, task_id: str | None = None) -> Done:
    """Return a result with *files* by name."""
    links = tuple(ResultFile(f"https://results.test/{name}") for name in files)
    return Done(output={"made": list(files)}, files=links, credits=credits, task_id=task_id)


def step(
    id: str,
    style: str = "hint",
    *,
    needs: Iterable[str] = (),
    params: Given | None = None,
    condition: str | None = None,
    for_each: Given | None = None,
    attempts: int = 1,
    max_backoff_s: float = 120.0,
    on: Iterable[ErrorClass] = ("provider_error", "network"),
    **rest: Any,
) -> Step:
    """Return a step of the operation *style*; without `retry` a step has one attempt."""
    params = params or Given(lambda scope: {"colour": "red"})
    reads = params.steps | (for_each.steps if for_each is not None else frozenset())
    return Step(
        id=id,
        connection="paint",
        operation=style,
        params=params,
        needs=frozenset(needs) | reads,
        condition=If(condition) if condition is not None else None,
        for_each=for_each,
        retry=Retry(attempts=attempts, max_backoff_s=max_backoff_s, on=frozenset(on)),
        **rest,
    )


def plan(
    *steps: Step,
    outputs: Mapping[str, Given] | None = None,
    timeout_s: float = 3600.0,
    group: str | None = None,
    allowance: float | None = None,
    per_day: float | None = None,
    **settings: Any,
) -> Plan:
    """
    Return the plan of a workflow with *steps*; *settings* replace those of every operation.

    Shape:   of its *group* one run may go on at a time. *allowance*: what a run may spend; *per_day*: what
             the connection may.
    """
    if per_day is not None:
        settings["budget"] = Budget(per_day, 86_400.0)
    workflow = Workflow(
        name="tiny",
        description="",
        digest="sha256:00",
        source="",
        inputs={},
        required=frozenset(),
        steps={one.id: one for one in steps},
        outputs=outputs or {},
        timeout_s=timeout_s,
        concurrency=Concurrency(group=Given(lambda scope: group), limit=1) if group is not None else None,
        budget={"paint": allowance} if allowance is not None else {},
    )
    return Plan(workflow, {s.id: replace(OPERATIONS[s.operation], **settings) for s in steps})


@dataclass(slots=True)
class World:
    """One run, its clock, and everything that was decided."""

    plan: Plan
    state: RunState | None = None
    now: int = NOON
    events: list[Event] = field(default_factory=list)
    asked: int = 0

    def send(self, kind: type[t.Trigger], room: int = 0, **fields: Any) -> Decision:
        """Let the engine decide on a trigger at the present moment, and keep what it decides."""
        self.asked += 1
        trigger = kind(at=self.now, entropy=self.entropy(self.asked), **fields)
        decision = decide(self.plan, self.state, trigger, room={"paint": room})
        self.state = decision.state
        self.events += decision.events
        return decision

    @staticmethod
    def entropy(n: int) -> bytes:
        """Return the 16 random bytes of the *n*-th trigger."""
        return blake2b(b"%d" % n, digest_size=16).digest()

    def start(
        self, room: int = 0, inputs: Mapping[str, Any] | None = None, *, admitted: bool = True
    ) -> Decision:
        return self.send(t.Start, room, run="run_1", inputs=dict(inputs or {}), labels={}, admitted=admitted)

    @property
    def run(self) -> RunState:
        assert self.state is not None, "the run was not started"
        return self.state

    def job(self, step: str, index: int | None = None, attempt: int | None = None) -> Job:
        """Return a job of a step instance; its latest where *attempt* is not given."""
        found = [
            job
            for job in self.run.jobs.values()
            if job.key == (step, index) and attempt in (None, job.attempt)
        ]
        return max(found, key=lambda job: job.attempt)

    def due(self) -> list[Any]:
        """Return everything that is due for the run, now or later."""
        return due_effects(self.run.jobs.values(), lambda job: self.plan.operations[job.step])


@pytest.fixture(scope="session")
def kit() -> SimpleNamespace:
    """Return the names above, for tests to build with."""
    return SimpleNamespace(
        NOON=NOON,
        OPERATIONS=OPERATIONS,
        Given=Given,
        If=If,
        Op=Op,
        World=World,
        done=done,
        plan=plan,
        refused=refused,
        shown=shown,
        step=step,
        text=text,
    )
