"""Start a run, cancel it, let it go on: what a person or a program asks for, checked before it is stored."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Protocol

import orjson

from orchestrator import ids
from orchestrator.clock import Clock
from orchestrator.definition.inputs import check_inputs
from orchestrator.definition.workflow import Notify, Workflow
from orchestrator.engine import triggers as t
from orchestrator.engine.state import RETRIABLE, Instance, Job, RunState
from orchestrator.errors import InputProblem, InvalidInput, NotFound, Refused, WrongState
from orchestrator.operations.files import TakeFile, take_files
from orchestrator.operations.needs import Needs
from orchestrator.operations.notices import check_targets
from orchestrator.operations.workflows import Library
from orchestrator.store.rows import IdempotencyKey, Settled
from orchestrator.store.views import Views


class Driver(Protocol):
    """Whoever decides and writes down; the runtime's worker."""

    async def start(
        self,
        run: str,
        workflow: Workflow,
        key: IdempotencyKey | None = None,
        settled: Sequence[Settled] = (),
        **fields: Any,
    ) -> RunState: ...

    async def handle(self, run: str, kind: type[t.Trigger], **fields: Any) -> RunState: ...

    async def state(self, run: str) -> RunState: ...


@dataclass(frozen=True, slots=True)
class Started:
    """A run, and whether this call made it or an earlier one with the same idempotency key did."""

    state: RunState
    is_new: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """
    What starts a run besides a person.

    *key*: one run is started for it, however often it comes. *trigger*: how the run tells of it, with
    its `kind`. *delivery*: the request on a hook that asks for it, settled when the run is stored.
    """

    key: str
    trigger: dict[str, Any]
    delivery: str | None = None

    def settled(self, run: str) -> Sequence[Settled]:
        """Return what becomes of the delivery when *run* is the one that it started."""
        if self.delivery is None:
            return ()
        return [Settled(delivery=self.delivery, verdict="accepted", run=run)]


@dataclass(frozen=True, slots=True)
class Retried:
    """
    A run that goes on, and what that may cost besides what was never bought.

    *paid_again*: steps of which something had succeeded that is paid for once more. *maybe_twice*: steps
    that are done again although an earlier submit of theirs may have been accepted, and may be paid for.
    """

    state: RunState
    paid_again: Sequence[str]
    maybe_twice: Sequence[str]


class Runs:
    """What can be done with runs."""

    def __init__(
        self,
        driver: Driver,
        views: Views,
        library: Library,
        take_file: TakeFile,
        clock: Clock,
        needs: Needs,
    ) -> None:
        self._driver, self._views, self._library = driver, views, library
        self._take_file, self._clock, self._needs = take_file, clock, needs

    async def start(
        self,
        workflow: str,
        inputs: Mapping[str, Any],
        labels: Mapping[str, str] | None = None,
        key: str | None = None,
        *,
        run: str | None = None,
        parent: str | None = None,
        notify: Sequence[Notify] = (),
    ) -> Started:
        """
        Start a run, durably.

        Shape:   with *key*, the same call again gives the same run. *run* is its id where the caller
                 makes that; *parent* the job of another run that it is. *notify*: who is told of its end
                 besides those that the workflow names.
        Errors:  NotFound (workflow), InvalidInput with every problem, WrongState (the key came
                 with another body before).
        """
        targets = [one.to_json() for one in notify]
        call = _key(key, workflow, inputs, labels, targets)
        # Asked first: what such a call gave once does not change with the files and settings of today.
        if (known := await self._of_key(call)) is not None:
            return known
        definition = self._library.get(workflow)
        check_targets(notify, self._library.secrets)
        return await self._start(
            run or self._new_id(),
            definition,
            inputs,
            call,
            labels=dict(labels or {}),
            parent=parent,
            notify=targets,
        )

    async def trigger(self, workflow: Workflow, inputs: Mapping[str, Any], cause: Cause) -> Started:
        """
        Start a run for *cause*, or return the one that was started for it before.

        Shape:   *workflow* is the definition that the trigger was read from.
        Errors:  InvalidInput with every problem.
        """
        run, labels = self._new_id(), {"trigger": cause.trigger["kind"]}
        # With a space in it: a key that comes in a header has none.
        key = IdempotencyKey(key=f"trigger {cause.key}", body_digest="")
        if (known := await self._of_key(key)) is not None:
            return known
        return await self._start(
            run, workflow, inputs, key, cause.settled(run), labels=labels, trigger=cause.trigger
        )

    async def _start(
        self,
        run: str,
        definition: Workflow,
        inputs: Mapping[str, Any],
        key: IdempotencyKey | None,
        settled: Sequence[Settled] = (),
        **fields: Any,
    ) -> Started:
        checked, problems = check_inputs(definition, inputs)
        if problems:
            raise InvalidInput(problems)
        checked = await take_files(definition, checked, self._take_file)
        try:
            state = await self._driver.start(run, definition, key, settled, inputs=checked, **fields)
        except Refused:
            # The same key came twice at the same moment; the other call was first.
            if (known := await self._of_key(key)) is None:
                raise
            return known
        return Started(state, is_new=True)

    def _new_id(self) -> str:
        return ids.typeid("run", self._clock.now(), self._clock.entropy())

    async def _of_key(self, key: IdempotencyKey | None) -> Started | None:
        if key is None:
            return None
        found = await self._views.run_of_key(key.key)
        if found is None:
            return None
        run, stored = found
        if stored.body_digest != key.body_digest:
            raise WrongState(f"the idempotency key {key.key!r} was used with another body, for {run}")
        return Started(await self._driver.state(run), is_new=False)

    async def cancel(self, run: str, reason: str | None = None) -> RunState:
        """Ask a run to end. Errors: NotFound; WrongState when it has ended."""
        state = await self.get(run)
        if state.has_ended:
            raise WrongState(f"{run} has ended already: it is {state.status}")
        return await self._driver.handle(run, t.CancelAsked, reason=reason)

    async def retry(self, run: str, from_step: str | None = None) -> Retried:
        """
        Let a run go on that failed or was cancelled: what succeeded is kept, the rest is done again.

        Shape:   with *from_step*, that step and all downstream of it are done anew, whatever they have.
        Errors:  NotFound; InvalidInput for a step that is not there; WrongState, also where something
                 that it needs of what it had is not held any more.
        """
        before = await self.get(run)
        if before.status not in RETRIABLE:
            raise WrongState(f"{run} is {before.status}; only a run that failed or was cancelled is retried")
        if from_step is not None and from_step not in before.steps:
            message = f"there is no step '{from_step}' (there are: {', '.join(before.steps)})"
            raise InvalidInput([InputProblem("from", message)])
        await self._needs.check(before, from_step)
        after = await self._driver.handle(run, t.RetryAsked, from_step=from_step)
        lost = {key[0] for key, instance in before.instances.items() if _is_lost(instance, after)}
        unclear = {job.step for job in before.jobs.values() if job.may_bring_more and _is_redone(job, after)}
        return Retried(
            after,
            paid_again=[step for step in before.steps if step in lost],
            maybe_twice=[step for step in before.steps if step in unclear],
        )

    async def renotify(self, run: str, comment: str | None = None) -> RunState:
        """
        Let everybody be told once more how a run ended.

        Errors:  NotFound; WrongState when it has not ended, or there is nobody to tell.
        """
        state = await self.get(run)
        if not state.has_ended:
            raise WrongState(f"{run} is {state.status}: it has no end yet that anybody could be told of")
        if not state.notices:
            raise WrongState(f"nobody is to be told that {run} {state.status}")
        return await self._driver.handle(run, t.TellAgain, comment=comment)

    async def state(self, run: str) -> RunState:
        """Return a run that is known to be there. Errors: NotFound."""
        return await self._driver.state(run)

    async def get(self, run: str) -> RunState:
        """Return a run as it is now. Errors: NotFound."""
        if await self._views.run(run) is None:
            raise NotFound(f"no run '{run}'")
        return await self._driver.state(run)


def _is_lost(was: Instance, after: RunState) -> bool:
    """Whether an instance had succeeded and its result counts no more."""
    return was.status == "succeeded" and after.instances[was.step, was.index].job != was.job


def _is_redone(was: Job, after: RunState) -> bool:
    """Whether what a job was for is to be bought anew."""
    instance = after.instances.get(was.key)
    return instance is None or instance.status != "succeeded"


def _key(
    key: str | None,
    workflow: str,
    inputs: Mapping[str, Any],
    labels: Mapping[str, str] | None,
    notify: Sequence[Mapping[str, Any]] = (),
) -> IdempotencyKey | None:
    if key is None:
        return None
    told = [notify] if notify else []
    body = orjson.dumps([workflow, inputs, labels or {}, *told], option=orjson.OPT_SORT_KEYS)
    return IdempotencyKey(key=key, body_digest=sha256(body).hexdigest())
