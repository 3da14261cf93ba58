"""
Does what a committed state asks for: one function per effect; each answer is the next trigger.

At most one thing is done for a job at a time. What fails for reasons that say nothing
about the task (network, a broken provider) is not an end: it is done again, later.
"""

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from contextlib import suppress
from dataclasses import replace
from typing import Any, Protocol

import structlog

from orchestrator.artifacts.artifact import Artifact
from orchestrator.clock import Clock
from orchestrator.engine import triggers as t
from orchestrator.engine.effects import Effect, effect_of
from orchestrator.engine.large import LargeValue, Unavailable
from orchestrator.engine.plan import Plan
from orchestrator.engine.state import Job, RunState
from orchestrator.errors import Failure, StoreUnavailable
from orchestrator.operations.absent import Absent
from orchestrator.operations.planned import needs_number
from orchestrator.outcomes import (
    Accepted,
    Alike,
    CheckOutcome,
    Done,
    Failed,
    Found,
    LookUpOutcome,
    Pending,
    Retry,
)
from orchestrator.providers.base import Reply, Request
from orchestrator.providers.template import Template
from orchestrator.runtime import likeness
from orchestrator.runtime.asking import Asker
from orchestrator.runtime.children import Children, Finished
from orchestrator.runtime.collect import Collector
from orchestrator.runtime.exchange import Exchanger
from orchestrator.runtime.limits import Lane, Limits
from orchestrator.runtime.numbers import Numbers
from orchestrator.runtime.purses import Purses
from orchestrator.runtime.results import Results
from orchestrator.runtime.transport import Lost, NotSent
from orchestrator.runtime.work import Work, planned_of
from orchestrator.runtime.worker import Worker
from orchestrator.store.schedule import Schedule

log = structlog.get_logger()

LOOKS_KEPT = 10_000

BUILT_AGAIN_LATER = 10_000_000
"""While submits of its connection are stopped, what is to be sent again looks after so many microseconds."""

STORE_ASKED_AGAIN_S = 2.0
"""After what a disk refused a job is taken up again so soon; its row may say so much later."""


PERSON_WAITS_S = 20.0
"""How long a person who asks for a task waits for its turn and its answer."""


class Alarm(Protocol):
    """Is told when something will be due."""

    def nudge(self, at: int = 0) -> None: ...


class Performer:
    """Performs effects. `alarm` and `children` are set once, by whoever joins the parts."""

    alarm: Alarm
    children: Children

    def __init__(
        self,
        worker: Worker,
        schedule: Schedule,
        exchanger: Exchanger,
        collector: Collector,
        limits: Limits,
        purses: Purses,
        numbers: Numbers,
        clock: Clock,
    ) -> None:
        self._worker, self._schedule, self._exchanger = worker, schedule, exchanger
        self._limits, self._numbers, self._clock = limits, numbers, clock
        self._purses = purses
        self._asker = Asker(exchanger, clock)
        self._results = Results(
            worker, schedule, collector, self._asker, clock, nudge=lambda at: self.alarm.nudge(at)
        )
        self._busy: dict[str, asyncio.Task[None]] = {}
        self._claims: dict[str, Work] = {}
        self.last_checks: dict[str, int] = {}
        self._unanswered: set[str] = set()
        self._grace: asyncio.Timeout | None = None

    # --- what starts work ---

    def perform(self, run: str, effect: Effect, state: RunState, plan: Plan) -> None:
        """Do *effect* now if it is due, or see to it that it is done when it is."""
        if effect.kind == "submit" or effect.due_at > self._clock.now():
            self.alarm.nudge(effect.due_at)
            return
        job = state.jobs[effect.job]
        if effect.kind == "send":
            # What its parameters make of the operation was read in order to claim it.
            self._claims[job.id] = Work(run, job, planned_of(plan, job))
        if job.id not in self._busy:
            self._start(job.id, lambda: self._taken_up(run, job, plan, effect))
        elif effect.kind in ("send", "collect"):
            # What is being done for it ends in a moment; this follows.
            self._after(job.id, lambda: self.wake(run, job.id))
        else:
            # Likewise, unless its row says by then that nothing is due any more.
            self._after(job.id, self.alarm.nudge)

    def freed(self) -> None:
        """A slot is free, and jobs wait for one."""
        self.alarm.nudge()

    def wake(self, run: str, job: str) -> None:
        """Do what is due for a job, after what is being done for it, which may have looked too early."""
        if job in self._busy:
            self._after(job, lambda: self.wake(run, job))
        else:
            self._start(job, lambda: self._woken(run, job))

    def _after(self, job: str, then: Callable[[], None]) -> None:
        """Go on with *then* when what is being done for the job is done, but not when that is cut short."""
        self._busy[job].add_done_callback(lambda done: None if done.cancelled() else then())

    def is_busy(self, job: str) -> bool:
        """Return whether something is being done for the job."""
        return job in self._busy

    async def _woken(self, run: str, job_id: str) -> None:
        state = await self._worker.state(run)
        plan = await self._worker.plan(state)
        # The row can be a moment ahead of the state; then whoever is writing it does what is due.
        if job_id in state.jobs:
            await self._taken_up(run, state.jobs[job_id], plan)

    async def _taken_up(self, run: str, job: Job, plan: Plan, effect: Effect | None = None) -> None:
        """Do *effect*, or what the job asks for, with its parameters in memory."""
        job = await self._opened(job)
        effect = effect or effect_of(job, plan.operation(job))
        if effect is None or isinstance(plan.operation(job), Absent):
            return
        work = Work(run, job, planned_of(plan, job))
        try:
            await self._do(work, effect)
        except Unavailable as lost:
            await self._without(work, effect, f"what it is to send cannot be read: {lost}")

    async def _opened(self, job: Job) -> Job:
        """Return *job* with its parameters themselves, or with a reference that says why they are missing."""
        if not isinstance(job.params, LargeValue):
            return job
        params: Any = LargeValue(job.params.digest, job.params.size)
        try:
            params = await self._worker.values.of(job.params)
        except Unavailable as lost:
            params.refuse(str(lost))
        return replace(job, params=params)

    async def _without(self, work: Work, effect: Effect, why: str) -> None:
        """Go on without a large value: nothing can be sent, but what was is waited for until its deadline."""
        asked_at = self._clock.now()
        last = work.job.deadline_at is not None and asked_at >= work.job.deadline_at
        match effect.kind:
            case "submit":
                failure = Failure("result_unavailable", why)
                await self._tell(work, t.SubmitAnswered, outcome=Failed(failure))
            case "check" | "collect":
                await self._tell(work, t.Checked, outcome=Retry(why), asked_at=asked_at, last=last)
            case _:
                await self._tell(work, t.Woke)

    def _start(self, job: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._busy[job] = asyncio.get_running_loop().create_task(self._guarded(job, work))

    async def _guarded(self, job: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        again = False
        try:
            # Called here: a stop may come before the task's first step, and leave no coroutine behind.
            await work()
        except StoreUnavailable as trouble:
            log.warning("store.unavailable", reason=str(trouble))
            self._unanswered.discard(job)
            await asyncio.sleep(STORE_ASKED_AGAIN_S)
            again = True
        except Exception:
            # One broken job must not take the server with it; its row brings it back.
            log.exception("effect.broke", job_id=job)
        finally:
            self._busy.pop(job, None)
            self._unanswered.discard(job)
        if again and (run := self._worker.run_of.get(job)) is not None:
            self.wake(run, job)

    async def stop(self, grace_s: float) -> None:
        """Wait for the answers of submits in flight, at most *grace_s*; then leave everything to its row."""
        with suppress(TimeoutError):
            async with asyncio.timeout(grace_s) as self._grace:
                # A submit that is just being written down as claimed leaves as soon as that is on disk.
                await self._worker.caught_up()
                while self._claims or self._unanswered:
                    submits = self._submits()
                    # Between the end of what claimed a submit and its sending nothing is busy for a moment.
                    await (asyncio.wait(submits) if submits else asyncio.sleep(0.01))
        self._grace = None
        for task in list(self._busy.values()):
            task.cancel()
        await asyncio.gather(*self._busy.values(), return_exceptions=True)

    def hurry(self) -> None:
        """Let a stop that waits for answers wait no longer; what they would have said is uncertain."""
        if self._grace is not None and not self._grace.expired():
            self._grace.reschedule(asyncio.get_running_loop().time())

    def _submits(self) -> list[asyncio.Task[None]]:
        """Return what sends a claimed request, or waits for its answer."""
        # One that was cancelled before its first step is done, and has not taken itself away.
        at_work = ((job, task) for job, task in self._busy.items() if not task.done())
        return [task for job, task in at_work if job in self._unanswered or job in self._claims]

    async def _do(self, work: Work, effect: Effect) -> None:
        match effect.kind:
            case "submit":
                await self._submit(work)
            case "send":
                await self._send(work)
            case "check":
                await self._check(work)
            case "collect":
                await self._results.collect(work)
            case "resolve":
                await self._resolve(work)
            case "wake":
                await self._tell(work, t.Woke)

    async def _tell(self, work: Work, kind: type[t.JobTrigger], **fields: Any) -> None:
        await self._worker.handle(work.run, kind, job=work.job.id, **fields)

    # --- submit ---

    async def _submit(self, work: Work) -> None:
        """Do what comes before the spending request, wait for its turn, then claim it."""
        if self._worker.stopping:
            return
        if self._limits.free(work.connection) <= 0:
            # Others took it since the scheduler counted; whoever gives one back has to know of this job.
            self._limits.queue(work.connection, waits=True)
            return
        if work.planned.waits == "run":
            outcome = await self.children.start(work.job, await self._worker.state(work.run))
            return await self._tell(work, t.SubmitAnswered, outcome=outcome)
        price = work.planned.price(work.job) if work.planned.costs else None
        # Asked before anything is uploaded for it; the append that claims the submit makes sure.
        if not await self._purses.claim(work.connection, work.job.id, price):
            return await self._tell(work, t.BudgetReached, asks=price)
        slot = {work.connection: 1}
        self._limits.claim(slot)
        try:
            await self._prepare(work, since=self._clock.now())
        finally:
            self._limits.unclaim(slot)
            self._purses.let_go(work.connection, work.job.id)

    async def _prepare(self, work: Work, *, since: int) -> None:
        made: list[Artifact] = []
        try:
            prepared = await self._exchanger.run(
                work.connection,
                lambda: work.planned.submit(work.job),
                lane=Lane.SUBMIT,
                run=work.run,
                keep=made.append,
            )
            if isinstance(prepared, Request):
                await self._limits.enter(work.connection, Lane.SUBMIT, work.run)
        except NotSent as error:
            return await self._tell(work, t.SubmitNotSent, reason=error.reason, after_s=error.retry_after_s)
        except Lost as error:
            # Nothing that spends was sent yet: as good as not sent.
            return await self._tell(work, t.SubmitNotSent, reason=error.reason)
        if not isinstance(prepared, Request):
            if isinstance(prepared, Accepted | Done):
                self._limits.pauses.accepted(work.connection, spent=work.planned.operation.spends)
            return await self._tell(work, t.SubmitAnswered, outcome=prepared)
        if self._limits.is_stopped(work.connection, since):
            # Its row stays due, and brings it back when submits go out again.
            return None
        if self._worker.stopping:
            return None  # Nothing is claimed any more; the job is still created.
        template = work.planned.sending.freeze(prepared, at=work.job.created_at)
        number = self._numbers.take(work.connection) if needs_number(template) else None
        return await self._tell(
            work,
            t.SubmitReady,
            template=template.to_json(),
            number=number,
            inputs=[artifact.to_json() for artifact in made],
        )

    async def _send(self, work: Work) -> None:
        """
        Send what was claimed, once: the one request that must never be sent blindly again.

        Only the append that holds `job.submitting` makes a claim, and sending uses it up.
        """
        claim = self._claims.pop(work.job.id, None)
        if claim is not None:
            self._unanswered.add(work.job.id)
            try:
                template = await self._worker.values.of(claim.job.template)
            except (Unavailable, StoreUnavailable) as lost:
                return await self._tell(claim, t.SubmitNotSent, reason=f"the request cannot be read: {lost}")
            try:
                await self._post_submit(claim, Template.from_json(template))
            except Exception:
                # A mistake of ours: whether anything had left nobody knows, and nobody else will ever tell.
                await self._tell(claim, t.SubmitLost, reason="the server met a mistake of its own at sending")
                raise

    async def _post_submit(self, work: Work, template: Template) -> None:
        job = work.job
        try:
            reply = await self._exchanger.send(
                work.connection, template, job=job.id, number=job.number, run=work.run
            )
        except NotSent as error:
            await self._tell(work, t.SubmitNotSent, reason=error.reason, after_s=error.retry_after_s)
        except Lost as error:
            await self._tell(work, t.SubmitLost, reason=error.reason)
        else:
            outcome = work.planned.read(job, reply) if isinstance(reply, Reply) else reply
            if isinstance(outcome, Accepted | Done):
                self._limits.pauses.accepted(work.connection, spent=work.planned.operation.spends)
            await self._tell(work, t.SubmitAnswered, outcome=outcome)

    async def _resolve(self, work: Work) -> None:
        """Find out what became of an uncertain submit, as far as the provider makes it possible."""
        job = work.job
        if not job.is_open:
            return await self._look_for(work)  # It is not wanted any more: nothing of it is sent again.
        if work.planned.resends and not work.planned.numbered and job.template is None:
            return await self._build_again(work)
        if self._clock.now() >= (job.uncertain_until or 0):
            return await self._tell(work, t.Woke)
        if work.planned.resends and job.template is not None:
            template = Template.from_json(await self._worker.values.of(job.template))
            await self._limits.enter(work.connection, Lane.SUBMIT, work.run)
            return await self._post_submit(work, template)
        return await self._look_for(work)

    async def _look_for(self, work: Work) -> None:
        """Search for what the submit made."""
        if self._clock.now() >= (work.job.uncertain_until or 0):
            return await self._tell(work, t.Woke)
        found = await self._look_up(work)
        if isinstance(found, Alike):
            found = await likeness.only_one(self._schedule, work.job, work.run, found, self._likeness)
        if isinstance(found, Found):
            return await self._tell(work, t.LookedUp, found=found)
        return await self._tell(work, t.Woke)

    async def _build_again(self, work: Work) -> None:
        """
        Make the request of a job of which a restored log knows nothing but its parameters.

        Its key is the job's: where it was sent before, the provider says what became of it, and it is not
        paid for again. It may be the first one all the same, so a pause holds it back, however long.
        """
        since = self._clock.now()
        if self._limits.is_stopped(work.connection, since=0):
            return await self._schedule.postpone(work.job.id, since + BUILT_AGAIN_LATER)
        try:
            prepared = await self._exchanger.run(
                work.connection, lambda: work.planned.submit(work.job), lane=Lane.SUBMIT, run=work.run
            )
        except (NotSent, Lost) as error:
            log.info("check.failed", job_id=work.job.id, reason=error.reason)
            prepared = None
        if not isinstance(prepared, Request) or self._limits.is_stopped(work.connection, since):
            return await self._tell(work, t.Woke)
        template = work.planned.sending.freeze(prepared, at=work.job.created_at)
        return await self._tell(work, t.SubmitReady, template=template.to_json(), number=None)

    async def _look_up(self, work: Work) -> LookUpOutcome | Failed:
        look_up = work.planned.operation.look_up
        if look_up is None:
            return None
        try:
            return await self._exchanger.run(
                work.connection,
                lambda: look_up(work.planned.task(work.job)),
                lane=Lane.CHECK,
                run=work.run,
            )
        except (NotSent, Lost) as error:
            return Retry(error.reason)

    async def _likeness(self, run: str, job: str) -> Hashable:
        state = await self._worker.state(run)
        plan = await self._worker.plan(state)
        opened = await self._opened(state.jobs[job])
        return planned_of(plan, opened).likeness(opened)

    # --- look ---

    async def _check(self, work: Work) -> None:
        if work.planned.waits == "run":
            return await self._look_at_run(work)
        asked_at = self._clock.now()
        last = work.job.deadline_at is not None and asked_at >= work.job.deadline_at
        self._note_check(work.job.id, asked_at)
        outcome = await self._asker.ask(work)
        if isinstance(outcome, Done) and not work.job.is_open:
            return await self._results.download(work, outcome)
        return await self._tell(
            work, t.Checked, outcome=outcome, asked_at=asked_at, last=last, task_id=work.job.task_id
        )

    async def look_for(self, run: str, job: str, task_id: str) -> CheckOutcome | None:
        """
        Ask the provider how it stands with *task_id*, as if that were the task of *job*; none of it is kept.

        Shape:   None where nobody can be asked; `Retry` too where a person would wait too long.
        """
        state = await self._worker.state(run)
        plan = await self._worker.plan(state)
        if isinstance(absent := plan.operation(state.jobs[job]), Absent):
            return Retry(f"{absent.name} is not configured any more")
        opened = await self._opened(state.jobs[job])
        work = Work(run, replace(opened, task_id=task_id, resource_id=None), planned_of(plan, opened))
        if work.planned.operation.check is None:
            return None
        try:
            async with asyncio.timeout(PERSON_WAITS_S):
                return await self._asker.ask(work, patient=False)
        except TimeoutError:
            return Retry(f"no answer within {PERSON_WAITS_S:g} seconds")
        except Unavailable as lost:
            return Retry(f"the job's parameters cannot be read: {lost}")

    async def _look_at_run(self, work: Work) -> None:
        """Look how the run stands that a step is; end it where the step has ended, or its time is over."""
        job, asked_at = work.job, self._clock.now()
        last = job.deadline_at is not None and asked_at >= job.deadline_at
        seen = await self.children.look(job)
        if isinstance(seen, Pending) and (last or not job.is_open):
            await self.children.cancel(job)
        self._note_check(job.id, asked_at)
        if isinstance(seen, Finished):
            return await self._tell(work, t.Collected, output=seen.output, artifacts=seen.artifacts)
        return await self._tell(work, t.Checked, outcome=seen, asked_at=asked_at, last=last)

    def _note_check(self, job: str, at: int) -> None:
        """Remember a look for the person who asks: one that brings no news leaves no trace in the log."""
        self.last_checks[job] = at
        while len(self.last_checks) > LOOKS_KEPT:
            del self.last_checks[next(iter(self.last_checks))]
