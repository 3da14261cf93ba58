"""
One run at a time, one decision at a time: the order in which things happen.

    take      what waits for a run is taken together (a mailbox per active run)
    load      its state from the cache, or folded from the log
    decide    the engine says which events that makes; pure. Where that depends on a value which is too
              large for the log, the value is read and all is decided again
    keep      what the events only refer to, on disk
    append    one transaction: events, projections, settled deliveries, counters
    perform   what the new state asks for, and not before the append is on disk

Append before you act. An act's answer is the next trigger. After a crash whatever
the state says was decided and not yet answered is done again; for the one act that
must not be done again, the spending request, `job.submitting` is the claim: only
the process that appended it sends, and a claim found at start is an uncertain submit.

What was committed is never written to again (`RunState.fork`), so a state may be
read by anybody while the mailbox works on the next one.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import structlog

from orchestrator.clock import Clock
from orchestrator.definition.workflow import Workflow
from orchestrator.engine import events as e
from orchestrator.engine import triggers as t
from orchestrator.engine.decide import decide
from orchestrator.engine.draft import Decision
from orchestrator.engine.effects import Effect, due_effects, effect_of
from orchestrator.engine.fold import fold
from orchestrator.engine.holds import Hold
from orchestrator.engine.large import LargeValue, NotLoaded
from orchestrator.engine.plan import Plan
from orchestrator.engine.state import Job, RunState
from orchestrator.errors import Conflict, NoRoom, NotFound, Refused, StoreUnavailable, WrongState
from orchestrator.operations.absent import Absent
from orchestrator.operations.plans import Plans
from orchestrator.operations.values import Values
from orchestrator.outcomes import Accepted, Done, Unclear
from orchestrator.runtime import notable
from orchestrator.runtime.limits import Limits
from orchestrator.store.epochs import Epochs
from orchestrator.store.inbox import Inbox
from orchestrator.store.log import Log
from orchestrator.store.projection import holds_slot, job_row, run_row
from orchestrator.store.rows import Append, IdempotencyKey, Settled
from orchestrator.store.schedule import Schedule
from orchestrator.store.views import Views
from orchestrator.times import SECOND

log = structlog.get_logger()

STATES_KEPT = 2_000
"""How many runs' folded states are cached; others are folded again when something happens to them."""

BOXES = 256
"""How many runs are worked on at a time before the intake waits; the receiver never does."""

_ASKED = (t.Start, t.CancelAsked, t.Asked)
"""What somebody asks for who is told how it went, and can ask again."""

_ENDS = (e.RunSucceeded, e.RunFailed, e.RunCancelled)
_WAKING = (*_ENDS, e.NotificationFailed, e.OperatorRenotified)

TOGETHER = 100
"""How many triggers of a run are decided in one go, while other runs and heartbeats wait for the loop."""

JOBS_KEPT = 20_000
"""Of how many jobs the run is remembered; of others the store is asked."""


class Store(Log, Inbox, Schedule, Views, Epochs, Protocol):
    """Everything durable, in one."""


class Performer(Protocol):
    """Does what a committed state asks for. Returns at once; answers come back as triggers."""

    def perform(self, run: str, effect: Effect, state: RunState, plan: Plan) -> None: ...

    def wake(self, run: str, job: str) -> None: ...

    def freed(self) -> None: ...


@dataclass(slots=True, eq=False)
class _Item:
    """One trigger in a mailbox, not made yet: its time is the moment it is decided on."""

    kind: type[t.Trigger]
    fields: dict[str, Any]
    done: asyncio.Future[RunState] | None = None
    plan: Plan | None = None
    key: IdempotencyKey | None = None
    settled: Sequence[Settled] = ()


@dataclass(slots=True)
class _Batch:
    """What one append will hold."""

    events: list[e.Event] = field(default_factory=list)
    touched: dict[str, None] = field(default_factory=dict)
    settled: list[Settled] = field(default_factory=list)
    postponed: dict[str, int | None] = field(default_factory=dict)
    asks: dict[str, float] = field(default_factory=dict)
    numbers: list[tuple[str, int]] = field(default_factory=list)
    holds: list[Hold] = field(default_factory=list)
    large: list[LargeValue] = field(default_factory=list)
    wakes: list[tuple[str, int]] = field(default_factory=list)
    claims: dict[str, int] = field(default_factory=dict)
    claimed: set[str] = field(default_factory=set)
    key: IdempotencyKey | None = None


class Worker:
    """Handles triggers. `performer` is set once, by whoever joins the parts."""

    performer: Performer

    def __init__(self, store: Store, plans: Plans, limits: Limits, clock: Clock, values: Values) -> None:
        self.store, self.plans, self.limits, self.clock = store, plans, limits, clock
        self.values = values
        self.trouble: str | None = None
        self.stopping = False
        self.run_of: OrderedDict[str, str] = OrderedDict()
        self._boxes: dict[str, deque[_Item]] = {}
        self._calm = asyncio.Event()
        self._calm.set()
        self._parked: dict[str, list[_Item]] = {}
        self._states: OrderedDict[str, RunState] = OrderedDict()
        self._tasks: set[asyncio.Task[None]] = set()

    # --- the way in ---

    def post(self, run: str, kind: type[t.Trigger], **fields: Any) -> None:
        """Let *run* handle a trigger; nobody waits for it."""
        self._put(run, _Item(kind, fields))

    async def handle(self, run: str, kind: type[t.Trigger], **fields: Any) -> RunState:
        """Let *run* handle a trigger, and return its state once the decision is on disk."""
        item = _Item(kind, fields, asyncio.get_running_loop().create_future())
        self._put(run, item)
        assert item.done is not None
        return await item.done

    async def start(
        self,
        run: str,
        workflow: Workflow,
        key: IdempotencyKey | None = None,
        settled: Sequence[Settled] = (),
        **fields: Any,
    ) -> RunState:
        """
        Create *run*, and return its state once it is on disk; *settled* is written with it.

        Errors: Refused when *key* is in use.
        """
        done: asyncio.Future[RunState] = asyncio.get_running_loop().create_future()
        plan = self.plans.of(workflow)
        self._put(run, _Item(t.Start, {"run": run, **fields}, done, plan, key, settled))
        return await done

    def _put(self, run: str, item: _Item) -> None:
        box = self._boxes.get(run)
        if box is not None:
            box.append(item)
            return
        self._boxes[run] = box = deque([item])
        task = asyncio.get_running_loop().create_task(self._work(run, box))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if len(self._boxes) >= BOXES:
            self._calm.clear()

    async def breathe(self) -> None:
        """Return when few enough runs are being worked on that more may be given."""
        await self._calm.wait()

    async def caught_up(self) -> None:
        """Return when the runs that are being worked on now are done; others may have come meanwhile."""
        if self._tasks:
            await asyncio.wait(set(self._tasks))

    async def settled(self) -> None:
        """Return when no mailbox has anything left."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    # --- the loop ---

    async def _work(self, run: str, box: deque[_Item]) -> None:
        while box:
            items = self._parked.pop(run, []) + [box.popleft() for _ in range(min(len(box), TOGETHER))]
            # An answer before the callbacks that wait for it: nothing else may come to take them up.
            items.sort(key=lambda item: item.kind is t.CallbackArrived)
            try:
                await self._persist(run, items)
            except Exception as error:
                # A trigger that breaks the engine must not take the others with it, nor the server.
                log.exception("trigger.broke", run_id=run, triggers=[item.kind.__name__ for item in items])
                _reject(items, error)
        del self._boxes[run]
        if len(self._boxes) < BOXES:
            self._calm.set()

    async def _persist(self, run: str, items: list[_Item]) -> None:
        """Handle *items* until they are on disk: a store in trouble keeps them waiting, not losing them."""
        needed: list[LargeValue] = []
        try:
            await self._insist(run, items, needed)
        finally:
            self.values.forgive(needed)

    async def _insist(self, run: str, items: list[_Item], needed: list[LargeValue]) -> None:
        """Note in *needed* which large values that took."""
        delay_s = 0.05
        while True:
            try:
                await self.values.load(needed)
                await self._handle_or_part(run, items)
            except NotLoaded as missing:
                needed += missing.values
            except Conflict:
                self._states.pop(run, None)
            except StoreUnavailable as trouble:
                items = self._without_people(run, items, trouble)
                if not items:
                    return None
                self.trouble = str(trouble)
                await asyncio.sleep(delay_s)
                delay_s = min(delay_s * 2, 2.0)
            else:
                self.trouble = None
                return None

    async def _handle_or_part(self, run: str, items: list[_Item]) -> None:
        """Handle *items*, one by one if together they are refused."""
        try:
            await self._handle(run, items)
        except Refused as refusal:
            self._states.pop(run, None)
            await self._one_by_one(run, items, refusal)

    def _without_people(self, run: str, items: list[_Item], trouble: StoreUnavailable) -> list[_Item]:
        """
        Tell those who wait for an answer that nothing can be written just now, and return what goes on.

        What they have asked for is not done later, when they have been told that it was not.
        """
        box = self._boxes[run]
        asked = [item for item in (*items, *box) if item.done is not None and issubclass(item.kind, _ASKED)]
        _reject(asked, trouble)
        waiting = [item for item in box if item not in asked]
        box.clear()
        box.extend(waiting)
        return [item for item in items if item not in asked]

    async def _one_by_one(self, run: str, items: list[_Item], refusal: Refused) -> None:
        if len(items) > 1:
            for item in items:
                await self._persist(run, [item])
            return
        item = items[0]
        outcome = item.fields.get("outcome")
        if isinstance(refusal, NoRoom):
            await self._without_room(run, item, refusal)
        elif item.kind is t.SubmitAnswered and isinstance(outcome, Accepted | Done):
            # The provider gave us a task id that another job has: whose task it is nobody can tell.
            item.fields["outcome"] = Unclear(str(refusal))
            await self._persist(run, items)
        elif item.kind is t.CallbackArrived and not item.fields.get("foreign"):
            item.fields["foreign"] = True
            await self._persist(run, items)
        elif item.kind is t.CallbackArrived:
            settled = Settled(delivery=item.fields["delivery"], verdict="mismatch", error=str(refusal))
            await self.store.settle([settled])
        elif item.kind is t.LookedUp:
            # What was found is another job's task: of ours nothing was found.
            await self._persist(run, [_Item(t.Woke, {"job": item.fields["job"]}, item.done)])
        else:
            _reject(items, refusal)

    async def _without_room(self, run: str, item: _Item, refusal: NoRoom) -> None:
        """Let wait what there is no room for: a run for its group, a job for its connection's budget."""
        if item.kind in (t.Start, t.RetryAsked) and item.fields.get("admitted", True):
            item.fields["admitted"] = False
            await self._persist(run, [item])
        elif item.kind is t.SubmitReady:
            await self._persist(run, [await self._in_line(run, item)])
        elif item.kind is not t.Admitted:
            # Nothing else takes without having asked first.
            _reject([item], refusal)

    async def _in_line(self, run: str, item: _Item) -> _Item:
        """Return what a job makes of it that its connection's budget has not enough left for it after all."""
        state = await self.state(run)
        job = state.jobs[item.fields["job"]]
        price = (await self.plan(state)).operation(job).price(job)
        return _Item(t.BudgetReached, {"job": job.id, "asks": price}, item.done)

    async def _handle(self, run: str, items: list[_Item]) -> None:
        starting = items[0].kind is t.Start
        try:
            state = None if starting else await self.state(run)
        except NotFound as gone:
            return await self._tell_gone(items, gone)
        plan = items[0].plan or await self.plan(state)
        expected = state.version if state is not None else 0
        batch = _Batch()
        room = {} if self.stopping else self.limits.room()
        refused: list[_Item] = []
        parked: list[_Item] = []
        for item in items:
            if item.kind is t.CallbackArrived and _is_absent(plan, state, item.fields["job"]):
                continue  # Nobody can read it: it waits in the inbox for a start with its connection.
            if item.kind is t.CallbackArrived and _awaits_answer(state, item.fields["job"]):
                parked.append(item)
                continue
            decision = self._decide(plan, state, item, room)
            state = decision.state
            self._collect(batch, item, decision, room)
            if issubclass(item.kind, t.Asked) and not decision.events:
                refused.append(item)
        if state is None:
            return
        effects = due_effects([state.jobs[job] for job in batch.touched], plan.operation)
        if parked:
            self._parked.setdefault(run, []).extend(parked)
        if batch.events:
            await self._append(state, expected, batch, plan if starting else None)
        elif batch.settled:
            await self.store.settle(batch.settled)
        await self._after(run, state, plan, batch, effects)
        _reject(refused, WrongState(f"{run} has gone on meanwhile, and does not allow it any more"))
        for item in items:
            if item.done is not None and not item.done.done():
                item.done.set_result(state)

    async def _tell_gone(self, items: list[_Item], gone: NotFound) -> None:
        """The run was pruned: what still comes for it is late."""
        arrived = [item.fields["delivery"] for item in items if item.kind is t.CallbackArrived]
        error = "its run is not kept any more"
        await self.store.settle([Settled(delivery=id, verdict="late", error=error) for id in arrived])
        _reject(items, gone)

    def _decide(self, plan: Plan, state: RunState | None, item: _Item, room: dict[str, int]) -> Decision:
        last_at = state.last_at if state is not None else 0
        trigger = item.kind(at=max(self.clock.now(), last_at), entropy=self.clock.entropy(), **item.fields)
        return decide(plan, state, trigger, room=room)

    def _collect(self, batch: _Batch, item: _Item, decision: Decision, room: dict[str, int]) -> None:
        batch.events.extend(decision.events)
        for job in decision.state.touched():
            batch.touched[job.id] = None
        batch.postponed.update(decision.postponed)
        if item.kind is t.BudgetReached:
            batch.asks[item.fields["job"]] = item.fields["asks"]
        batch.holds.extend(decision.holds)
        batch.large.extend(decision.large)
        batch.key = batch.key or item.key
        batch.settled.extend(item.settled)
        for event in decision.events:
            if type(event) is e.JobSubmitting:
                connection = decision.state.jobs[event.job].connection
                batch.claimed.add(event.job)
                if item.kind is not t.SubmitReady:  # That one's slot is claimed by who prepared it.
                    room[connection] = room.get(connection, 0) - 1
                    batch.claims[connection] = batch.claims.get(connection, 0) + 1
                if event.number is not None:
                    batch.numbers += [(name, event.number) for name in self.limits.counters_of(connection)]
            elif type(event) in _ENDS and decision.state.parent is not None:
                batch.wakes.append((decision.state.parent, event.at))
            elif type(event) is e.JobCallbackReceived:
                batch.settled.append(
                    Settled(
                        delivery=event.delivery,
                        verdict=event.verdict,
                        duplicate_of=event.duplicate_of,
                        error=event.error,
                    )
                )

    async def _append(self, state: RunState, expected: int, batch: _Batch, starts: Plan | None) -> None:
        workflow = starts.workflow if starts is not None else None
        append = Append(
            run=run_row(state),
            expected=expected,
            events=batch.events,
            jobs=[job_row(state.id, state.jobs[job]) for job in batch.touched],
            settled=batch.settled,
            numbers=batch.numbers,
            holds=batch.holds,
            wakes=batch.wakes,
            definition=(workflow.digest, workflow.name, workflow.source) if workflow is not None else None,
            idempotency=batch.key,
        )
        self.limits.claim(batch.claims)
        try:
            await self.values.keep(batch.large)
            await self.store.append(append)
        finally:
            self.limits.unclaim(batch.claims)

    async def _after(
        self, run: str, state: RunState, plan: Plan, batch: _Batch, effects: Sequence[Effect]
    ) -> None:
        """Remember the new state, count slots, and do what is due."""
        before = self._states.get(run)
        self._remember(run, state)
        jobs = [state.jobs[job] for job in batch.touched]
        for job in jobs:
            self.run_of[job.id] = run
            self._count(before.jobs.get(job.id) if before is not None else None, job)
        self._note(state, batch.events)
        notable.tell(run, batch.events)
        for job_id, wake_at in batch.postponed.items():
            with suppress(StoreUnavailable):  # Then it stays due, and comes back sooner than it has to.
                await self.store.postpone(job_id, wake_at, batch.asks.get(job_id))
            effect = effect_of(state.jobs[job_id], plan.operation(state.jobs[job_id]))
            if effect is not None and wake_at is not None:
                # It is not due before that, so this only tells when it will be.
                self.performer.perform(run, replace(effect, due_at=wake_at), state, plan)
        for effect in effects:
            # Sending is the right of the append that claimed it, and of no other that touches the job.
            if effect.kind != "send" or effect.job in batch.claimed:
                self.performer.perform(run, effect, state, plan)
        for job_id, _ in batch.wakes:
            if job_id in self.run_of:
                self.performer.wake(self.run_of[job_id], job_id)
            else:
                self.performer.freed()  # The scheduler finds out whose it is.
        if state.notices and any(type(event) in _WAKING for event in batch.events):
            self.performer.freed()  # The scheduler has others told.
        if any(_gives_back(hold, before) for hold in batch.holds):
            self.performer.freed()  # The scheduler asks who is next.

    def _count(self, before: Job | None, after: Job) -> None:
        held, holds = before is not None and holds_slot(before), holds_slot(after)
        if held != holds:
            self.limits.slot(after.connection, 1 if holds else -1)
            if held and self.limits.is_waited_for(after.connection):
                self.performer.freed()

    def _note(self, state: RunState, events: Sequence[e.Event]) -> None:
        """Tell the limits of refusals, and learn how long tasks take."""
        for event in events:
            if type(event) is e.JobSucceeded:
                self._learn(state.jobs[event.job])
            elif type(event) is e.JobRejected and event.wait and event.due_at is not None:
                self.limits.refused(state.jobs[event.job].connection, event.error, event.due_at)

    def _learn(self, job: Job) -> None:
        # Where callbacks come, what was found by a look says only how long nobody looked.
        if job.submitted_at is not None and (job.deliveries or not self.plans.callbacks):
            duration_s = ((job.finished_at or job.submitted_at) - job.submitted_at) / SECOND
            self.plans.usual.learn(job.connection, job.operation, duration_s)

    # --- states ---

    async def state(self, run: str) -> RunState:
        """Return the run's committed state; it is never changed again. Errors: NotFound."""
        state = self._states.get(run)
        if state is not None:
            self._states.move_to_end(run)
            return state
        records = await self.store.read(run)
        folded = fold(e.decode(record.type, record.data) for record in records)
        if folded is None:
            raise NotFound(f"no run {run!r}")
        # While it was read, the run's mailbox may have gone on.
        newer = self._states.get(run)
        if newer is not None and newer.version >= folded.version:
            return newer
        self._remember(run, folded)
        return folded

    async def plan(self, state: RunState | None) -> Plan:
        """Return the plan that the run was started with."""
        assert state is not None, "a run begins with Start"
        return await self.plans.pinned(state.digest, self.store.definition)

    def _remember(self, run: str, state: RunState) -> None:
        self._states[run] = state
        self._states.move_to_end(run)
        while len(self._states) > STATES_KEPT:
            self._states.popitem(last=False)
        while len(self.run_of) > JOBS_KEPT:
            self.run_of.popitem(last=False)


def _gives_back(hold: Hold, before: RunState | None) -> bool:
    """Return whether something is left that was not: a place in a group, or credits of a budget."""
    if hold.in_line or hold.most is not None:
        return hold.in_line and not hold.amount
    job = before.jobs.get(hold.holder) if before is not None else None
    return job is None or hold.amount < job.reserved


def _awaits_answer(state: RunState | None, job: str) -> bool:
    """Whether the job's submit is in flight: its callback waits for the answer, which names the task."""
    return state is not None and job in state.jobs and state.jobs[job].status == "submitting"


def _is_absent(plan: Plan, state: RunState | None, job: str) -> bool:
    """Whether what the job is of is not configured any more."""
    return state is not None and job in state.jobs and isinstance(plan.operation(state.jobs[job]), Absent)


def _reject(items: Sequence[_Item], error: Exception) -> None:
    for item in items:
        if item.done is not None and not item.done.done():
            item.done.set_exception(error)
