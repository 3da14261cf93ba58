"""Settle an uncertain job: what a person says of a submit that nobody answered, checked before it is kept."""

from orchestrator.engine import triggers as t
from orchestrator.engine.events import Resolution
from orchestrator.engine.state import Job, RunState
from orchestrator.errors import InputProblem, InvalidInput, NotFound, WrongState
from orchestrator.operations.runs import Driver
from orchestrator.store.views import Views


class Jobs:
    """What can be done with jobs."""

    def __init__(self, driver: Driver, views: Views) -> None:
        self._driver, self._views = driver, views

    async def resolve(
        self, job: str, action: Resolution, *, task_id: str | None = None, comment: str | None = None
    ) -> None:
        """
        Settle the uncertain submit of *job*.

        Shape:   `adopt` takes the *task_id* that was found at the provider, and asks for it at once;
                 `resubmit` ends the job and sends another, which may be paid for twice; `fail` ends it.
        Errors:  NotFound; InvalidInput; WrongState when the job is not uncertain (any more), or the
                 task is another job's.
        """
        if (task_id is not None) != (action == "adopt"):
            message = "is needed to adopt a task" if action == "adopt" else f"has no meaning for '{action}'"
            raise InvalidInput([InputProblem("task_id", message)])
        run = await self._views.run_of_job(job)
        if run is None:
            raise NotFound(f"no job '{job}'")
        state = await self._driver.state(run)
        _check(state, state.jobs[job], task_id)
        await self._driver.handle(run, t.Resolve, job=job, action=action, task_id=task_id, comment=comment)


def _check(state: RunState, job: Job, task_id: str | None) -> None:
    if job.status != "uncertain":
        raise WrongState(f"{job.id} is {job.status}; only an uncertain job can be resolved")
    owner = state.tasks.get((job.connection, task_id), job.id) if task_id is not None else job.id
    if owner != job.id:
        raise WrongState(f"the task '{task_id}' is that of {owner}")
