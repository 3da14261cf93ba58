"""
Whatever happens, in whatever order, and however often: what the engine promises holds.

Each example is a small workflow and a script of moves against it: answers, callbacks,
looks, wake-ups, cancels, most of them ill-timed, some of them impossible. Everything
is drawn from few values, so that things collide. After the script the world becomes
either kind or silent, and the run has to end.

ORCHESTRATOR_EXAMPLES=5000 asks for more than the few hundred of a quick round.
"""

import os
import pickle
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.engine import events as e
from orchestrator.engine import layers
from orchestrator.engine import triggers as t
from orchestrator.engine.decide import decide, overdue
from orchestrator.engine.draft import Decision
from orchestrator.engine.effects import Effect, due_effects, effect_of
from orchestrator.engine.fold import apply, fold
from orchestrator.engine.state import Instance, Job, RunState
from orchestrator.errors import Failure
from orchestrator.outcomes import (
    Accepted,
    Callback,
    Failed,
    Found,
    Pending,
    Rejected,
    Retry,
    Unauthorized,
    Unclear,
)
from orchestrator.times import SECOND

EXAMPLES = int(os.environ.get("ORCHESTRATOR_EXAMPLES", "120"))

OWN = ("timer", "person")
"""The operations that nobody is asked for: there is nothing to send, and the task is there at once."""

ENDED = {"succeeded", "failed", "timed_out", "skipped", "cancelled"}


# --- what may be drawn -----------------------------------------------------------------------

STYLES = st.sampled_from(
    ["none", "hint", "hint+lookup", "hint+key", "verdict", "heartbeat", "timer", "person"]
)

SHARED = st.fixed_dictionaries(
    {
        "group": st.sampled_from([None, None, "shop"]),
        "allowance": st.sampled_from([None, None, 5.0, 11.0]),
        "per_day": st.sampled_from([None, 100.0]),
        "credits": st.sampled_from([None, 3.0]),
    }
)
"""What the run shares with others, and what it may spend of it."""

STEPS = st.fixed_dictionaries(
    {
        "style": STYLES,
        "attempts": st.sampled_from([1, 2]),
        "on": st.sampled_from([("network", "provider_error"), ("task_failed", "timeout", "uncertain")]),
        "on_uncertain": st.sampled_from(["fail", "wait", "resubmit"]),
        "condition": st.sampled_from([None, None, None, "always", "always", "failure", "never", "broken"]),
        "continue_on_error": st.booleans(),
    }
)

FANS = st.fixed_dictionaries(
    {
        "for_each": st.sampled_from(["-", "x", "x,y,z", "x,y,z", "a.artifacts", "a.output"]),
        "max_parallel": st.sampled_from([1, 2]),
        "fail_fast": st.booleans(),
    }
)

SHAPES = st.tuples(st.lists(STEPS, min_size=3, max_size=3), FANS, st.booleans())
"""Three steps, of which the second fans out, and whether the third needs the first alone or both."""

OUTCOMES: list[Callable[[Job, Any], Any]] = [
    lambda job, kit: Accepted(_task(job)),
    lambda job, kit: Accepted(_task(job)),
    lambda job, kit: Accepted("t:a:None:1"),
    lambda job, kit: kit.done(),
    lambda job, kit: kit.done("a.png", task_id=_task(job)),
    lambda job, kit: Failed(Failure("task_failed", "black")),
    lambda job, kit: Rejected(Failure("invalid_request", "no")),
    lambda job, kit: Rejected(Failure("rate_limited", "later"), wait=True, retry_after_s=3.0),
    lambda job, kit: Unauthorized(Failure("unauthorized", "who?")),
    lambda job, kit: Unclear("HTTP 500"),
]

LOOKS: list[Callable[[Job, Any], Any]] = [
    lambda job, kit: Pending("half"),
    lambda job, kit: Pending(None, resource_id="r"),
    lambda job, kit: kit.done(),
    lambda job, kit: kit.done("a.png"),
    lambda job, kit: Failed(Failure("provider_error", "lost")),
    lambda job, kit: Retry("HTTP 503"),
]

WORDS: list[Callable[[Job], str]] = [
    lambda job: f"hint {_task(job)}",
    lambda job: "hint",
    lambda job: "hint t:a:None:1",
    lambda job: f"done {_task(job)}",
    lambda job: f"done {_task(job)} a.png",
    lambda job: f"failed {_task(job)}",
    lambda job: "garbled",
    lambda job: "",
]

VERBS = [
    "ready",
    "answer",
    "unsent",
    "lost",
    "callback",
    "callback",
    "check",
    "collected",
    "gone",
    "found",
    "resolve",
    "woke",
    "later",
    "cancel",
    "overdue",
    "retry",
    "decide",
    "dear",
    "admitted",
    "doubt",
]

FITTING = {
    "created": ["ready", "ready", "ready", "dear"],
    "submitting": ["answer", "answer", "answer", "lost", "lost", "unsent"],
    "waiting": ["check", "callback", "callback", "woke", "later", "decide", "resolve"],
    "collecting": ["collected", "check", "callback", "gone"],
    "uncertain": ["callback", "callback", "answer", "found", "resolve", "resolve", "woke", "later", "cancel"],
}
"""What may well happen to a job in each state."""

MOVES = st.tuples(st.sampled_from([None, None, *VERBS]), st.integers(0, 3), st.integers(0, 9))
"""What happens (None: something that fits), to which job, and which of the things that it may bring."""

SCRIPTS = st.integers(0, 3).flatmap(lambda n: st.lists(MOVES, min_size=8 * n, max_size=8 * n + 8))


def _task(job: Job) -> str:
    return f"t:{job.step}:{job.index}:{job.attempt}"


# --- the world that is played against --------------------------------------------------------


@dataclass(slots=True)
class Play:
    """
    A world whose every decision is held against the promises. *rows*: when each job is due.

    *held*: who has what of what is shared, as a store would keep it.
    """

    world: Any
    kit: SimpleNamespace
    shadow: RunState | None = None
    resubmitted: set[str] = field(default_factory=set)
    rows: dict[str, int | None] = field(default_factory=dict)
    deliveries: int = 0
    held: dict[tuple[str, str], float] = field(default_factory=dict)

    def send(self, kind: type[t.Trigger], room: int = 0, **fields: Any) -> Decision:
        world = self.world
        before: RunState | None = world.state
        frozen = pickle.dumps(before)

        decision: Decision = world.send(kind, room, **fields)

        assert pickle.dumps(before) == frozen, "a decision changed the state it was made on"
        world.asked -= 1
        again = decide(world.plan, before, _trigger(world, kind, fields), room={"paint": room})
        world.asked += 1
        assert (again.events, again.state, again.postponed, again.holds) == (
            decision.events,
            decision.state,
            decision.postponed,
            decision.holds,
        )
        self._follow(decision)
        if before is not None:
            _nothing_done_is_undone(before, decision)
            self._only_the_touched_ask(before, decision)
        self._everything_open_goes_on()
        self._schedule(decision)
        self._keeps_account(decision)
        found = overdue(world.plan, decision.state, t.Healed(at=world.now, entropy=bytes(16)))
        assert found == [], "the watchdog would find something"
        return decision

    def _keeps_account(self, decision: Decision) -> None:
        """What is held is what is needed or may have been spent: nothing is forgotten, nothing leaks."""
        state = decision.state
        for hold in decision.holds:
            self.held[hold.resource, hold.holder] = hold.amount
        if state.group is not None:
            has_a_place = self.held.get((state.group, state.id), 0) == 1
            assert has_a_place == (state.status == "running")
        for job in state.jobs.values():
            held = sum(amount for (_, holder), amount in self.held.items() if holder == job.id)
            assert held == (job.reserved if job.budget is not None else 0)
            if job.status in ("submitting", "waiting", "collecting", "uncertain") and job.price:
                assert job.reserved == job.price, "what may have to be paid is not reserved any more"
            if job.status == "succeeded" and job.credits is not None:
                assert job.reserved == job.credits
        reserved = sum(job.reserved for job in state.jobs.values())
        assert abs(state.spending.get("paint", 0.0) - reserved) < 1e-6

    def _follow(self, decision: Decision) -> None:
        """Fold what was read back from JSON, and look at each event as it comes."""
        for event in decision.events:
            written = e.decode(event.type, e.encode(event))
            assert written == event
            if self.shadow is not None:
                _fits(self.world.plan.workflow.steps, self.shadow, event, self.resubmitted)
            if isinstance(event, e.OperatorResolved) and event.action == "resubmit":
                self.resubmitted.add(event.job)
            self.shadow = apply(self.shadow, written)
        assert self.shadow == decision.state, "the fold of the events is not the decision's state"
        assert decision.state.version == len(self.world.events)

    def _only_the_touched_ask(self, before: RunState, decision: Decision) -> None:
        after = decision.state
        touched = {job.id for job in after.touched()}
        had, have = self._effects(before), self._effects(after)
        assert {job: have[job] for job in touched if job in have} == {
            effect.job: effect for effect in due_effects(after.touched(), self._operation)
        }
        assert all(had.get(job) == have.get(job) for job in after.jobs.keys() - touched)

    def _effects(self, state: RunState) -> dict[str, Effect]:
        return {effect.job: effect for effect in due_effects(state.jobs.values(), self._operation)}

    def _operation(self, job: Job) -> Any:
        return self.world.plan.operations[job.step]

    def _everything_open_goes_on(self) -> None:
        """Every job that may still change has somebody or some moment that changes it."""
        state = self.world.run
        tasks = [job.task_id for job in state.jobs.values() if job.task_id is not None]
        assert len(tasks) == len(set(tasks)), "two jobs have the same task"
        is_over = not state.open and state.waits_for is None
        assert state.has_ended == is_over, "a run goes on exactly as long as a job is open"
        for job in state.jobs.values():
            effect, operation = effect_of(job, self._operation(job)), self._operation(job)
            assert job.is_open == (job.id in state.open)
            assert (effect is not None) == (job.is_open or job.watched)
            if effect is None:
                continue
            assert not job.is_open or job.status == "submitting" or not state.dooms(job.step)
            if job.status == "waiting" and not operation.checks:
                due_at = operation.due_at(job) if operation.waits == "timer" else job.deadline_at
                assert job.wake_at == min(due_at, job.deadline_at or due_at), "it is woken for nothing"
            assert job.status == "submitting" or job.wake_at is not None
            assert effect.kind != "check" or operation.checks, "nobody can be asked"
            assert effect.kind != "resolve" or operation.resends or operation.looks_up
            assert effect.kind != "collect" or operation.checks or job.output is not None
            if job.status in ("waiting", "uncertain"):
                assert job.deadline_at is not None
            if job.status == "waiting" and job.wake_at is not None and job.deadline_at is not None:
                assert job.wake_at <= max(job.deadline_at, self.world.now)
        for step in state.steps.values():
            instances = [i for i in state.instances.values() if i.step == step.id]
            assert step.running == sum(i.status == "running" for i in instances)
            assert step.running <= self.world.plan.workflow.steps[step.id].max_parallel
            if step.count is not None:
                assert step.tally == Counter(i.status for i in instances if i.status in ENDED)

    def _schedule(self, decision: Decision) -> None:
        """Keep what a store would: the row of every job that was written to, and what was postponed."""
        for job in decision.state.touched():
            effect = effect_of(job, self._operation(job))
            self.rows[job.id] = None if effect is None or effect.kind == "send" else job.wake_at
        self.rows.update(decision.postponed)

    # --- moves ---

    def move(self, verb: str | None, which: int, what: int) -> None:
        """Let something happen, whether it makes sense or not."""
        jobs = list(self.world.run.jobs.values())[::-1]
        if verb is None and jobs:
            fitting = FITTING.get(
                jobs[which % len(jobs)].status, ["callback", "check", "collected", "answer"]
            )
            verb = fitting[(which + what) % len(fitting)]
        if verb == "later":
            self.world.now += [1, 5, 40, 130][which] * SECOND
        elif verb == "retry":
            self.retry([None, "a", "b", "c"][which])
        elif verb == "admitted":
            self.send(t.Admitted, room=1)
        elif verb in ("cancel", "overdue"):
            self.send(t.CancelAsked if verb == "cancel" else t.RunOverdue)
        elif verb == "callback" and jobs:
            self._callback(jobs[which % len(jobs)], what)
        elif verb is not None and jobs:
            self._about(jobs[which % len(jobs)], verb, what)

    def _about(self, job: Job, verb: str, what: int) -> None:
        if verb in ("ready", "answer", "unsent", "lost") and self._operation(job).waits in OWN:
            self.send(t.SubmitAnswered, job=job.id, outcome=Accepted(_task(job)))
        elif verb == "ready":
            self._ready(job)
        elif verb == "decide":
            self._decide(job, what)
        elif verb == "dear":
            self.send(t.BudgetReached, job=job.id, asks=1.0)
        elif verb == "answer":
            outcome = OUTCOMES[what](job, self.kit)
            self.send(t.SubmitAnswered, room=what % 2, job=job.id, outcome=outcome)
        elif verb == "unsent":
            self.send(t.SubmitNotSent, job=job.id, reason="no such host")
        elif verb == "lost":
            self._lost(job)
        elif verb == "doubt":
            self._doubt(job)
        elif verb == "check" and self._operation(job).checks:
            asked_at = self.world.now - (what // 6) * SECOND
            outcome = LOOKS[what % 6](job, self.kit)
            last = job.deadline_at is not None and asked_at >= job.deadline_at
            given = {"outcome": outcome, "asked_at": asked_at, "last": last, "task_id": job.task_id}
            told = self.send(t.Checked, job=job.id, **given).events
            if job.status == "collecting" and job.output is not None:
                assert all(isinstance(event, e.JobContradicted) for event in told), "the first word stands"
        elif verb == "collected":
            self._collected(job)
        elif verb == "gone":
            self.send(t.CollectFailed, job=job.id, failure=Failure("result_unavailable", "expired"))
        elif verb == "found":
            found = [Found(_task(job)), Found(None, "r"), Found("t:a:None:1")][what % 3]
            self.send(t.LookedUp, job=job.id, found=found)
        elif verb == "resolve":
            self._resolve(job, what)
        elif verb == "woke":
            self.send(t.Woke, job=job.id)

    def _ready(self, job: Job) -> None:
        """Nothing is claimed that would spend more than the run may."""
        most = self.world.plan.workflow.budget.get("paint")
        events = self.send(t.SubmitReady, job=job.id, template={"body": "x"}).events
        if most is not None and any(isinstance(event, e.JobSubmitting) for event in events):
            assert self.world.run.spending.get("paint", 0.0) <= most
            assert self.world.run.jobs[job.id].price is not None or not self._operation(job).costs

    def _decide(self, job: Job, what: int) -> None:
        """A question is answered once, by a person, and nothing else is ever decided so."""
        asks = self._operation(job).waits == "person" and job.status == "waiting"
        chosen = [0, 2] if what % 2 else []
        events = self.send(t.Decided, room=1, job=job.id, approved=what % 3 > 0, chosen=chosen).events
        assert bool(events) == asks
        if asks:
            assert self.world.run.jobs[job.id].status == ("succeeded" if what % 3 else "failed")

    def _resolve(self, job: Job, what: int) -> None:
        """What a person says is done at once where nobody knows better, and is not even noted elsewhere."""
        action = ["adopt", "resubmit", "fail"][what % 3]
        task_id = [_task(job), "t:a:None:1"][what % 2] if action == "adopt" else None
        task_id = (task_id and what == 6 and "t:typing:error") or task_id
        owner, unseen = self.world.run.tasks.get(("paint", task_id), job.id), what > 4
        events = self.send(t.Resolve, job=job.id, action=action, task_id=task_id, unseen=unseen).events
        if not (job.status == "uncertain" or (job.is_open and job.unseen)) or owner != job.id:
            assert events == []
            return
        expected = {"adopt": "waiting", "resubmit": "failed", "fail": "failed"}
        assert self.world.run.jobs[job.id].status == expected[action]
        again = [event for event in events if isinstance(event, e.JobCreated) and event.step == job.step]
        if action == "fail":
            assert not [event for event in again if event.index == job.index], "it was given up"
        if action == "resubmit":
            assert [event.attempt for event in again if event.index == job.index] == [job.attempt + 1]

    def _lost(self, job: Job) -> None:
        """A spending request that may have been accepted is not sent again."""
        events = self.send(t.SubmitLost, job=job.id, reason="connection lost").events
        if job.status == "submitting" and self._operation(job).spends:
            assert isinstance(events[0], e.JobUncertain)

    def _doubt(self, job: Job) -> None:
        """What a restored log takes for unsent is not sent; what it knows of is not touched."""
        before = self.world.now + SECOND
        events = self.send(t.SubmitDoubted, job=job.id, reason="restored", before=before).events
        if job.status in ("created", "submitting") and self._operation(job).spends:
            assert isinstance(events[0], e.JobUncertain)
        elif job.status != "submitting":
            assert events == []

    def _collected(self, job: Job) -> None:
        """A result whose bytes are ours is kept: as the job's, or beside it."""
        left = job.submitted_at is not None
        decision = self.send(t.Collected, room=1, job=job.id, output={"n": 1}, artifacts=[{"digest": "d"}])
        kept = [
            type(event) for event in decision.events if isinstance(event, e.JobSucceeded | e.JobLateResult)
        ]
        if job.status in ("waiting", "collecting"):
            assert kept == [e.JobSucceeded]
        elif left and job.status in ("cancelled", "timed_out") and not job.late:
            assert kept == [e.JobLateResult]
        else:
            assert len(kept) <= 1

    def _callback(self, job: Job, what: int) -> None:
        """Each delivery is recorded once, and one that is offered again leaves no trace."""
        body = WORDS[what % 8](job).encode()
        self.deliveries += 1
        seen = job.seen.get(body.hex())
        given: dict[str, Any] = {
            "job": job.id,
            "delivery": f"dlv_{self.deliveries}",
            "digest": body.hex(),
            "callback": Callback("POST", "", "text/plain", body),
        }
        events = self.send(t.CallbackArrived, **given).events
        received = [event for event in events if isinstance(event, e.JobCallbackReceived)]
        assert [event.delivery for event in received] == [given["delivery"]]
        assert (received[0].verdict == "duplicate") == (seen is not None)
        if seen is not None:
            assert events == received, "a repeated callback had an effect"
        else:
            assert self.send(t.CallbackArrived, **given).events == []

    def retry(self, from_step: str | None) -> None:
        """A run that has not succeeded goes on; what it has is kept, but for what is to be had anew."""
        before = self.world.run
        events = self.send(t.RetryAsked, room=1, from_step=from_step).events
        if before.status not in ("failed", "cancelled"):
            assert events == []
            return
        assert isinstance(events[0], e.RunRetried)
        after = self.world.run
        for key, was in before.instances.items():
            now = after.instances[key]
            if key[0] in events[0].again:
                assert now.job != was.job or was.job is None, "an old result took the place of a new one"
            elif was.status == "succeeded" and not self._is_other_item(before, key):
                assert (now.status, now.job) == ("succeeded", was.job), "it is paid for again"

    def _is_other_item(self, before: RunState, key: Any) -> bool:
        was, now = before.steps[key[0]].digests, self.world.run.steps[key[0]].digests
        return key[1] is not None and was[key[1] : key[1] + 1] != now[key[1] : key[1] + 1]

    # --- the end ---

    def end(self, silent: bool) -> None:
        """Give every answer that is waited for, kindly or not at all, until nothing is waited for."""
        for _ in range(2_000):
            due = self._next()
            if due is None:
                break
            if self.world.run.waits_for is not None:
                self.send(t.Admitted, room=1)
                continue
            told = len(self.world.events)
            self._answer(due, silent)
            row = self.rows[due]
            moved = row is None or row > self.world.now or len(self.world.events) > told
            assert moved, "a job is woken again and again for nothing"
        else:
            raise AssertionError(f"it does not end: {self.world.run}")
        assert self.world.run.has_ended
        assert not any(job.watched for job in self.world.run.jobs.values())
        assert fold(self.world.events) == self.world.run

    def _next(self) -> str | None:
        """Return the job that is due next, having waited for it; or None when none ever will be."""
        state = self.world.run
        for job in state.jobs.values():
            if job.status == "submitting":
                return str(job.id)
        rows = [(at, job) for job, at in self.rows.items() if at is not None]
        if state.waits_for is not None:
            return "any"
        overdue = state.deadline_at if not (state.has_ended or state.halting) else None
        if not rows and (overdue is None or state.has_ended):
            return None
        at, job = min(rows)
        if overdue is not None and overdue <= at:
            self.world.now = max(self.world.now, overdue)
            self.send(t.RunOverdue)
            return self._next()
        self.world.now = max(self.world.now, at)
        return str(job)

    def _answer(self, job_id: str, silent: bool) -> None:
        job = self.world.run.jobs[job_id]
        effect = effect_of(job, self._operation(job))
        assert effect is not None, "a row is due for a job that asks for nothing"
        busy = Rejected(Failure("rate_limited", "later"), wait=True)
        match effect.kind:
            case "submit" if self._operation(job).waits in OWN:
                self.send(t.SubmitAnswered, job=job_id, outcome=Accepted("own:" + job_id))
            case "submit":
                self._ready(job)
            case "send" if silent and job.rejections % 2 == 0:
                self.send(t.SubmitAnswered, job=job_id, outcome=busy)
            case "send" if silent:
                self.send(t.SubmitLost, job=job_id, reason="gone")
            case "send":
                self.send(t.SubmitAnswered, job=job_id, outcome=Accepted("own:" + job_id))
            case "check" | "collect":
                last = job.deadline_at is not None and self.world.now >= job.deadline_at
                outcome = Pending("slow") if silent else self.kit.done("a.png")
                known = job.output is not None
                if known and silent:
                    failure = Failure("result_unavailable", "expired")
                    self.send(t.CollectFailed, job=job_id, failure=failure)
                elif known:
                    self._collected(job)
                else:
                    self.send(t.Checked, job=job_id, outcome=outcome, asked_at=self.world.now, last=last)
            case "resolve" | "wake":
                self.send(t.Woke, job=job_id)


def _trigger(world: Any, kind: type[t.Trigger], fields: dict[str, Any]) -> t.Trigger:
    return kind(at=world.now, entropy=world.entropy(world.asked + 1), **fields)


# --- what always holds -----------------------------------------------------------------------


def _fits(steps: Any, state: RunState, event: e.Event, resubmitted: set[str]) -> None:
    """Hold an event against what is true just before it."""
    assert event.at >= state.last_at
    if isinstance(event, e.StepStarted | e.StepExpanded):
        key = event.step, event.index
        begun = state.instances.get(key) if isinstance(event, e.StepStarted) else None
        assert begun is None or begun.status == "pending", "a step begins once"
        assert all(state.steps[need].has_ended for need in _comes_before(steps, event.step))
        condition = steps[event.step].condition
        assert not state.cancelling or (condition is not None and condition.asks_status)
        assert not state.halting
    if isinstance(event, e.StepExpanded):
        assert event.step not in state.steps or state.steps[event.step].status == "pending"
    if isinstance(event, e.StepSucceeded | e.StepFailed | e.StepSkipped | e.StepCancelled):
        _ends_once(state, event)
    if isinstance(event, e.StepSucceeded) and event.job is not None:
        winner = state.jobs[event.job]
        assert winner.late or winner.status == "succeeded"
        if winner.key == (event.step, event.index):
            assert winner.attempt > state.instances[winner.key].stale, "an old result is taken for a new one"
    if isinstance(event, e.JobCreated):
        _is_the_next_attempt(steps, state, event, resubmitted)
    if isinstance(event, e.JobSubmitting):
        assert state.jobs[event.job].status == "created", "paid for twice"
    if isinstance(event, e.JobSubmitted):
        assert state.jobs[event.job].status in ("created", "submitting")
    if isinstance(event, e.JobRejected):
        assert state.jobs[event.job].status in ("created", "submitting"), "what may be accepted is sent again"
    if isinstance(event, e.JobUncertain):
        doubted = state.jobs[event.job]
        is_built_again = doubted.status == "uncertain" and doubted.template is None and event.template
        is_taken_back = doubted.is_open and doubted.unseen
        assert doubted.status in ("created", "submitting") or is_built_again or is_taken_back
    if isinstance(event, e.JobLateResult):
        job = state.jobs[event.job]
        assert not job.is_open
        assert job.status != "succeeded"
        assert not job.late, "a late result came twice"
    if isinstance(event, e.JobSucceeded | e.JobFailed | e.JobTimedOut | e.JobCancelled):
        assert state.jobs[event.job].is_open, "a job ends once"
    if isinstance(event, e.RunSucceeded | e.RunFailed | e.RunCancelled):
        assert not state.has_ended
        assert not state.open
        assert set(state.steps) == set(steps)
        assert all(step.has_ended for step in state.steps.values())


def _comes_before(steps: Any, step: str) -> set[str]:
    needs = set(steps[step].needs)
    return needs.union(*(_comes_before(steps, need) for need in needs))


def _ends_once(state: RunState, event: e.StepEvent) -> None:
    instance = state.instances.get((event.step, event.index))
    step = state.steps.get(event.step)
    if event.index is None and step is not None:
        assert not step.has_ended, "a step ends once"
        mine = [job for job in state.jobs.values() if job.step == event.step]
    else:
        mine = [job for job in state.jobs.values() if job.key == (event.step, event.index)]
    assert instance is None or instance.status in ("pending", "running"), "an instance ends once"
    assert not any(job.is_open for job in mine), "a step ends after its jobs"


def _is_the_next_attempt(steps: Any, state: RunState, event: e.JobCreated, resubmitted: set[str]) -> None:
    instance, step = state.instances[event.step, event.index], steps[event.step]
    all_earlier = [job for job in state.jobs.values() if job.key == (event.step, event.index)]
    assert not any(job.is_open for job in all_earlier)
    assert event.attempt == len(all_earlier) + 1
    for job in all_earlier[instance.stale :]:
        brought = job.late or job.status == "succeeded"
        assert not brought or job.params != event.params, "what was paid for is bought again"
    assert instance.status == "running"
    assert not state.has_ended
    assert not state.dooms(event.step), "something new is begun that would be cancelled"
    earlier = all_earlier[instance.base :]
    unsure = [job.id for job in earlier if job.error is not None and job.error["class"] == "uncertain"]
    beyond = [job for job in unsure if step.on_uncertain == "resubmit" or job in resubmitted]
    assert len(earlier) + 1 <= step.retry.attempts + len(beyond)
    last = earlier[-1].error if earlier else None
    if last is not None and last["class"] not in step.retry.on:
        assert earlier[-1].id in beyond, "it would be paid for again, and nobody said so"


def _nothing_done_is_undone(before: RunState, decision: Decision) -> None:
    after = decision.state
    retried = any(isinstance(event, e.RunRetried) for event in decision.events)
    for was, now in _pairs(before, after):
        # Only `run.retried` brings back what has ended, and never a job.
        if was.status in ENDED and (isinstance(was, Job) or not (retried or _is_retried(before, was))):
            assert (was.status, was.error, was.finished_at) == (now.status, now.error, now.finished_at)
    for job in before.jobs.values():
        if job.status == "succeeded" or job.late:
            now = after.jobs[job.id]
            assert (job.output, job.artifacts, job.credits) == (now.output, now.artifacts, now.credits)
    if before.has_ended and not retried:
        assert (before.status, before.outputs, before.error) == (after.status, after.outputs, after.error)
        assert not [x for x in decision.events if isinstance(x, e.StepEvent | e.JobCreated | e.JobSubmitting)]


def _is_retried(before: RunState, row: Any) -> bool:
    """Whether it is an item of a list that is to be evaluated again."""
    return isinstance(row, Instance) and before.steps[row.step].status == "pending"


def _pairs(before: RunState, after: RunState) -> Iterator[tuple[Any, Any]]:
    yield from ((job, after.jobs[id]) for id, job in before.jobs.items())
    yield from ((one, after.instances[key]) for key, one in before.instances.items())
    yield from ((step, after.steps[id]) for id, step in before.steps.items())


# --- the properties --------------------------------------------------------------------------


@pytest.fixture(autouse=True, scope="module")
def _small_layers() -> Iterator[None]:
    """Let runs of three items merge their layers as runs of a thousand do."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layers, "_MERGED_AT", 2)
        yield


def _play(kit: SimpleNamespace, shape: Any, room: int, shared: Any, admitted: bool) -> Play:
    (first, second, third), fan, both = shape
    steps = []
    for id, drawn, more in (
        ("a", first, {}),
        ("b", second, {**fan, "for_each": kit.text(fan["for_each"]), "needs": ["a"] if both else []}),
        ("c", third, {"needs": ["a", "b"] if both else ["a"]}),
    ):
        steps.append(kit.step(id, timeout_s=100.0, **drawn, **more))
    plan = kit.plan(*steps, timeout_s=400.0, outputs={"made": kit.text("b.output")}, rests_s=50.0, **shared)
    play = Play(kit.World(plan), kit)
    admitted = admitted or shared["group"] is None
    play.send(t.Start, room, run="run_1", inputs={}, labels={}, admitted=admitted)
    return play


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(
    shape=SHAPES,
    room=st.sampled_from([0, 9]),
    moves=SCRIPTS,
    silent=st.booleans(),
    retries=st.lists(st.sampled_from([None, "a", "b", "c"]), max_size=2),
    shared=SHARED,
    admitted=st.booleans(),
)
def test_whatever_happens_the_promises_hold_and_the_run_ends(
    kit: SimpleNamespace,
    shape: Any,
    room: int,
    moves: list[tuple[str | None, int, int]],
    silent: bool,
    retries: list[str | None],
    shared: dict[str, Any],
    admitted: bool,
) -> None:
    play = _play(kit, shape, room, shared, admitted)

    for move in moves:
        play.move(*move)
    play.end(silent)
    for from_step in retries:
        play.retry(from_step)
        for move in moves[:8]:
            play.move(*move)
        silent = not silent
        play.end(silent)


@pytest.mark.parametrize("kind", e.KINDS.values(), ids=lambda kind: kind.type)
def test_every_event_is_read_back_as_it_was_written(kind: type[e.Event]) -> None:
    event = kind(**{one.name: _sample(str(one.type)) for one in fields(kind)})

    assert e.decode(kind.type, e.encode(event)) == event


def _sample(annotation: str) -> Any:
    """Return a value of a type by its name."""
    for name, value in (("dict", {"a": [1, None, "ü"]}), ("list", [{"b": 0.5}]), ("bool", True), ("int", 7)):
        if name in annotation:
            return value
    return 0.5 if "float" in annotation else "ü"
