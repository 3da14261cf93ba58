"""Settle an uncertain job: what a person says of a submit that nobody answered, checked before it is kept."""

from collections.abc import Awaitable, Callable

from orchestrator.engine import triggers as t
from orchestrator.engine.events import Resolution
from orchestrator.engine.state import Job, RunState
from orchestrator.engine.uncertain import is_unsettled
from orchestrator.errors import InputProblem, InvalidInput, NotFound, WrongState
from orchestrator.operations.runs import Driver
from orchestrator.outcomes import CheckOutcome, Failed, Retry, Unauthorized, Unknown
from orchestrator.store.schedule import Schedule
from orchestrator.store.views import Views

Look = Callable[[str, str, str], Awaitable[CheckOutcome | None]]
"""Asks the provider for a task, given run, job and the task's id; None where nobody can be asked."""


_INSIST = "where you are sure of it, adopt it unchecked (--unchecked)"


class Jobs:
    """What can be done with jobs."""

    def __init__(self, driver: Driver, views: Views, schedule: Schedule, look: Look) -> None:
        self._driver, self._views, self._schedule, self._look = driver, views, schedule, look

    async def resolve(
        self,
        job: str,
        action: Resolution,
        *,
        task_id: str | None = None,
        comment: str | None = None,
        unchecked: bool = False,
    ) -> None:
        """
        Settle the uncertain submit of *job*.

        Shape:   `adopt` takes the *task_id* that was found at the provider, who is asked for it first,
                 unless that cannot be or is *unchecked*; what nobody has seen may be settled again.
                 `resubmit` ends the job and sends another, which may be paid for twice; `fail` ends it.
        Errors:  NotFound; InvalidInput, also where the provider has no such task for this job; WrongState
                 when the job is not uncertain (any more), the task is another job's, or the provider
                 cannot say just now.
        """
        _check_words(action, task_id, unchecked)
        run = await self._views.run_of_job(job)
        if run is None:
            raise NotFound(f"no job '{job}'")
        state = await self._driver.state(run)
        _check(state.jobs[job])
        unseen = False
        if task_id is not None:
            await self._check_owner(state, state.jobs[job], task_id)
            unseen = unchecked or not await self._is_seen(run, state.jobs[job], task_id)
        await self._driver.handle(
            run, t.Resolve, job=job, action=action, task_id=task_id, comment=comment, unseen=unseen
        )

    async def _check_owner(self, state: RunState, job: Job, task_id: str) -> None:
        owner = state.tasks.get((job.connection, task_id))
        if owner is None and await self._schedule.bound(job.connection, [task_id]):
            owner = "a job of another run"
        if owner not in (None, job.id):
            raise WrongState(f"the task '{task_id}' is that of {owner}")

    async def _is_seen(self, run: str, job: Job, task_id: str) -> bool:
        """Return whether the provider has the task; False where it cannot be asked, ever."""
        outcome = await self._look(run, job.id, task_id)
        match outcome:
            case Unknown(reason):
                raise _not_there(job, reason)
            case Failed(failure) if failure.cls == "provider_error":
                raise _not_there(job, failure.message)
            case Retry(reason):
                raise _not_known(job, task_id, reason)
            case Unauthorized(failure):
                raise _not_known(job, task_id, failure.message)
        return outcome is not None


def _check_words(action: Resolution, task_id: str | None, unchecked: bool) -> None:
    if (task_id is not None) != (action == "adopt"):
        message = "is needed to adopt a task" if action == "adopt" else f"has no meaning for '{action}'"
        raise InvalidInput([InputProblem("task_id", message)])
    if unchecked and action != "adopt":
        raise InvalidInput([InputProblem("unchecked", f"has no meaning for '{action}'")])


def _check(job: Job) -> None:
    if is_unsettled(job):
        return
    message = f"{job.id} is {job.status}; only an uncertain job can be resolved"
    if job.status in ("waiting", "collecting"):
        message += ", or one whose task a person named and nobody has seen yet"
    raise WrongState(message)


def _not_there(job: Job, reason: str) -> InvalidInput:
    again = "look at the provider's pages once more"
    message = f"is no task of this job at {job.connection} ({reason}); {again}, or {_INSIST}"
    return InvalidInput([InputProblem("task_id", message)])


def _not_known(job: Job, task_id: str, reason: str) -> WrongState:
    what = f"{job.connection} could not say whether it has the task '{task_id}' ({reason})"
    return WrongState(f"nothing was adopted, because {what}; try again later, or {_INSIST}")
