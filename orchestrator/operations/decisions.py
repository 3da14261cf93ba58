"""Answer a question that a workflow asks a person, checked before it is kept."""

from collections.abc import Sequence

from orchestrator.engine import triggers as t
from orchestrator.engine.state import Job, RunState
from orchestrator.errors import InputProblem, InvalidInput, InvalidValue, NotFound, WrongState
from orchestrator.operations.plans import Plans
from orchestrator.operations.runs import Driver
from orchestrator.operations.values import Values
from orchestrator.store.log import Log
from orchestrator.store.views import Views


class Decisions:
    """What people decide."""

    def __init__(self, driver: Driver, views: Views, log: Log, plans: Plans, values: Values) -> None:
        self._driver, self._views, self._log, self._plans = driver, views, log, plans
        self._values = values

    async def decide(
        self,
        run: str,
        step: str,
        index: int | None = None,
        *,
        approved: bool,
        chosen: Sequence[int] = (),
        comment: str | None = None,
        who: str | None = None,
    ) -> None:
        """
        Answer the question that *step* of *run* asks; of a step with `for_each` that of item *index*.

        Shape:   *chosen* are positions in the question's choices, from 0.
        Errors:  NotFound; InvalidInput for what cannot be chosen; WrongState when nothing is asked.
        """
        if await self._views.run(run) is None:
            raise NotFound(f"no run '{run}'")
        state = await self._driver.state(run)
        plan = await self._plans.pinned(state.digest, self._log.definition)
        if step not in plan.operations:
            raise NotFound(f"no step '{step}' in {run} (there are: {', '.join(plan.operations)})")
        job = _job(state, step, index)
        operation = plan.operations[step]
        if operation.waits != "person":
            raise WrongState(f"step '{step}' asks nobody: it is {job.connection}/{job.operation}")
        _check_open(state, job)
        if not approved and chosen:
            raise InvalidInput([InputProblem("chosen", "nothing is chosen where it is rejected")])
        try:
            if approved:
                await self._values.during(lambda: operation.picked(job, chosen))
        except InvalidValue as error:
            raise InvalidInput([InputProblem("chosen", str(error))]) from None
        await self._driver.handle(
            run, t.Decided, job=job.id, approved=approved, chosen=chosen, comment=comment, who=who
        )


def _job(state: RunState, step: str, index: int | None) -> Job:
    """Return the job of a step instance. Errors: InvalidInput; WrongState where it has none."""
    if step not in state.steps or state.steps[step].status == "pending":
        raise WrongState(f"step '{step}' has not begun, so it asks nothing yet")
    instance = state.instances.get((step, index))
    name = step if index is None else f"{step}[{index}]"
    items = [key[1] for key in state.instances if key[0] == step and key[1] is not None]
    if instance is None and items:
        which = f"step '{step}' has items: say which, as in {step}[0] (the last is {step}[{max(items)}])"
        raise InvalidInput([InputProblem("index", which)])
    if instance is None and (step, None) in state.instances:
        raise InvalidInput([InputProblem("index", f"step '{step}' has no items: write {step} alone")])
    if instance is None or instance.job is None:
        raise WrongState(f"{name} asks nothing")
    return state.jobs[instance.job]


def _check_open(state: RunState, job: Job) -> None:
    """Make sure that a question is open. Errors: WrongState."""
    name = job.step if job.index is None else f"{job.step}[{job.index}]"
    if not job.is_open:
        status = state.instances[job.key].status
        raise WrongState(f"{name} was answered already, or has ended: it is {status}")
    if job.status != "waiting":
        raise WrongState(f"{name} is just about to ask; try again in a moment")
