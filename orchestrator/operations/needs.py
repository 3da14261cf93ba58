"""
What a run that is to go on needs of what it had, and whether that is still held.

Asked before anything is begun: a run that would fail in the middle, for want of a file that was removed
since, has paid for what comes before that in vain.
"""

from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from orchestrator.definition.workflow import LookUp, Step, Workflow
from orchestrator.engine.large import LargeValue, Unavailable
from orchestrator.engine.scope import ancestors
from orchestrator.engine.state import RETRIABLE, Job, RunState
from orchestrator.engine.steps import downstream
from orchestrator.errors import NotFound, WrongState
from orchestrator.operations.plans import Plans
from orchestrator.operations.relatives import States, child_of
from orchestrator.operations.values import Values
from orchestrator.store.log import Log

IsHeld = Callable[[str], Awaitable[bool]]
"""Says whether the artifact of a digest is there; from then on it is, for as long as a fresh one."""


@dataclass(frozen=True, slots=True)
class Missing:
    """What is missing, in words; *source* is the step that has brought it, None: it was given as an input."""

    source: str | None
    words: str


@dataclass(frozen=True, slots=True)
class _Looking:
    """A run that is looked at, as if it went on and did *again* anew. *seen*: digests that are held."""

    state: RunState
    workflow: Workflow
    again: Collection[str]
    seen: set[str] = field(default_factory=set)

    def is_redone(self, step: str) -> bool:
        """Return whether a step begins again; one that its condition had skipped is skipped once more."""
        at = self.state.steps.get(step)
        if step in self.again or at is None or at.status != "skipped":
            return step in self.again or at is None or at.status != "succeeded"
        before = ancestors(self.workflow, self.workflow.steps[step])
        return self.state.cancelling is not None or any(self.is_redone(need.id) for need in before)

    def brought(self, step: Step) -> dict[str, Any]:
        """Return what there is of a step that will not be bought again, as expressions see it."""
        if step.id in self.again:
            return {}
        if step.for_each is None:
            jobs = [self._job(step.id, None)]
        else:
            jobs = [self._job(step.id, index) for index in range(self.state.steps[step.id].count or 0)]
        outputs = [job.output if job is not None else None for job in jobs]
        artifacts = [artifact for job in jobs if job is not None for artifact in job.artifacts]
        return {"output": outputs[0] if step.for_each is None else outputs, "artifacts": artifacts}

    def _job(self, step: str, index: int | None) -> Job | None:
        """Return whose result an instance has, or will take."""
        instance = self.state.instances.get((step, index))
        if instance is None:
            return None
        id = instance.job if instance.status == "succeeded" else instance.kept
        return self.state.jobs[id] if id is not None else None


class Needs:
    """Looks at runs that are to go on."""

    def __init__(self, plans: Plans, log: Log, states: States, values: Values, is_held: IsHeld) -> None:
        self._plans, self._log, self._states = plans, log, states
        self._values, self._is_held = values, is_held

    async def check(self, state: RunState, from_step: str | None) -> None:
        """
        Make sure that the run *state* has what it needs to go on, from *from_step* where that is a step.

        Errors:  WrongState, with what is missing and how the run can go on; StoreUnavailable.
        """
        # Its definition is as old as the run; the settings may be newer.
        absent = self._plans.absent(await self._plans.workflow(state.digest, self._log.definition))
        if absent is not None:
            raise WrongState(f"{state.id} needs '{absent}', which is not configured any more")
        missing = await self.missing(state, from_step)
        if missing is not None:
            advice = await self._advice(state, missing)
            raise WrongState(f"{state.id} cannot go on as it is: {missing.words}; {advice}")

    async def _advice(self, state: RunState, missing: Missing) -> str:
        """Return what to do: retry from a step that has all that it needs, if there is one."""
        tried: list[str] = []
        step = missing.source
        while step is not None and step not in tried:
            further = await self.missing(state, step)
            if further is None:
                return f"retry it from step '{step}' (--from {step}), which is paid for again"
            tried.append(step)
            step = further.source
        return "start a new run"

    async def missing(self, state: RunState, from_step: str | None = None) -> Missing | None:
        """Return the first thing that is missing for the run to go on, None: nothing."""
        workflow = await self._plans.workflow(state.digest, self._log.definition)
        followers = [step.id for step in downstream(workflow, from_step)] if from_step is not None else []
        again = frozenset(followers if from_step is None else [from_step, *followers])
        looking = _Looking(state, workflow, again)
        for step in workflow.steps.values():
            if looking.is_redone(step.id) and (missing := await self._of_step(looking, step)) is not None:
                return missing
        for path in sorted(_of_outputs(workflow), key=str):
            if (missing := await self._of_path(looking, "an output of it", path, files=False)) is not None:
                return missing
        return None

    async def _of_step(self, looking: _Looking, step: Step) -> Missing | None:
        files = step.params.looks_up | (step.for_each.looks_up if step.for_each is not None else frozenset())
        for path in sorted(step.looks_up, key=str):
            missing = await self._of_path(looking, f"step '{step.id}'", path, files=path in files)
            if missing is not None:
                return missing
        return await self._of_children(looking, step)

    async def _of_children(self, looking: _Looking, step: Step) -> Missing | None:
        """Return what is missing for a run to go on that the step is: it goes on too."""
        if step.id in looking.again:
            return None
        for key, instance in looking.state.instances.items():
            job = looking.state.jobs[instance.job] if instance.job is not None else None
            run = child_of(job) if key[0] == step.id and job is not None else None
            if run is None or instance.status == "succeeded":
                continue
            try:
                child = await self._states.state(run)
            except NotFound:
                continue
            if child.status in RETRIABLE and (missing := await self.missing(child)) is not None:
                return Missing(step.id, f"step '{step.id}' is {run}, in which {missing.words}")
        return None

    async def _of_path(self, looking: _Looking, who: str, path: LookUp, *, files: bool) -> Missing | None:
        """Return what is missing of what is looked up; with *files* those count that it mentions."""
        source = str(path[1]) if path[0] == "steps" else None
        try:
            await self._go_through(looking, await self._found(looking, path), files=files)
        except Unavailable as lost:
            what = f"what step '{source}' has brought" if source is not None else "an input"
            return Missing(source, f"{who} needs {what}, and {lost}")
        return None

    async def _found(self, looking: _Looking, path: LookUp) -> Any:
        """Return what *path* leads to. Errors: Unavailable."""
        match path:
            case ("inputs", *rest):
                return await self._walked(looking, looking.state.inputs, rest)
            case ("steps", str() as source, *rest):
                # Which items a list that is not complete will have cannot be told.
                known = 1 if looking.is_redone(source) else None
                brought = looking.brought(looking.workflow.steps[source])
                return await self._walked(looking, brought, rest[:known])
            case _:
                return None

    async def _walked(self, looking: _Looking, value: Any, path: Sequence[str | int | None]) -> Any:
        """Return what *path* leads to in *value*, as far as that can be told. Errors: Unavailable."""
        for part in path:
            if part is None:
                break
            try:
                value = (await self._opened(looking, value))[part]
            except (LookupError, TypeError):
                return None
        return value

    async def _opened(self, looking: _Looking, value: Any) -> Any:
        """Return *value* itself, of which it does not count that it may still be in memory."""
        if isinstance(value, LargeValue):
            await self._hold(looking, value.digest)
        return await self._values.of(value)

    async def _hold(self, looking: _Looking, digest: str) -> None:
        """Make sure of an artifact. Errors: Unavailable."""
        if digest not in looking.seen and not await self._is_held(digest):
            raise Unavailable(f"the artifact {digest} is not held any more")
        looking.seen.add(digest)

    async def _go_through(self, looking: _Looking, value: Any, *, files: bool) -> None:
        """Make sure of everything in *value*; with *files* of those that it mentions. Errors: Unavailable."""
        todo = [value]
        while todo:
            at = todo.pop()
            if isinstance(at, LargeValue):
                todo.append(await self._opened(looking, at))
            elif files and (digest := _artifact(at)) is not None:
                await self._hold(looking, digest)
            elif isinstance(at, dict | list):
                todo += at.values() if isinstance(at, dict) else at


def _artifact(value: Any) -> str | None:
    """Return the digest of the artifact that *value* is, or refers to."""
    if isinstance(value, str) and value.startswith("artifact:sha256:"):
        return value.removeprefix("artifact:")
    if isinstance(value, dict) and str(value.get("href", "")).startswith("/api/v1/artifacts/sha256:"):
        return str(value.get("digest"))
    return None


def _of_outputs(workflow: Workflow) -> Iterator[LookUp]:
    for value in workflow.outputs.values():
        yield from value.looks_up
