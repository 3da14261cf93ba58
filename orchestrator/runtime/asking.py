"""How a task stands, asked of its provider."""

from dataclasses import replace

from orchestrator.clock import SECOND, Clock
from orchestrator.outcomes import TASK_LOST, CheckOutcome, Failed, Pending, Retry
from orchestrator.runtime.exchange import Exchanger
from orchestrator.runtime.limits import Lane
from orchestrator.runtime.transport import Lost, NotSent
from orchestrator.runtime.work import Work


class _Silence(Retry):
    """There was no answer at all."""


class Asker:
    """Asks for the tasks of jobs."""

    def __init__(self, exchanger: Exchanger, clock: Clock) -> None:
        self._exchanger, self._clock = exchanger, clock
        self._began = clock.now()
        self._taken_over: set[str] = set()

    async def ask(self, work: Work, *, patient: bool = True) -> CheckOutcome:
        """
        Ask how the task stands. A heartbeat without an answer is repeated at once: a life hangs on it.

        Shape:   *patient*: the provider may hold its answer back until the task has ended.
        """
        outcome = await self._asked(work, patient)
        if isinstance(outcome, _Silence) and work.planned.drops:
            outcome = await self._asked(work, patient)
        if isinstance(outcome, Failed) and outcome.failure.code == TASK_LOST:
            return self._lost(work, outcome)
        self._note(work, outcome)
        return outcome

    async def _asked(self, work: Work, patient: bool) -> CheckOutcome:
        check = work.planned.operation.check
        assert check is not None, "an operation that nobody can ask is never checked"
        try:
            return await self._exchanger.run(
                work.connection,
                lambda: check(work.planned.task(work.job, patient=patient)),
                lane=Lane.HEARTBEAT if work.planned.drops else Lane.CHECK,
                run=work.run,
                timeout_s=work.planned.operation.poll_timeout_s,
            )
        except NotSent as error:
            kind = Retry if error.retry_after_s is not None else _Silence
            return kind(error.reason, error.retry_after_s)
        except Lost as error:
            return _Silence(error.reason)

    def _lost(self, work: Work, outcome: Failed) -> CheckOutcome:
        """Return what it means that the provider does not know the task, because nobody asked for it."""
        if self._cannot_be_lost_yet(work):
            return Retry("the provider does not know the task yet")
        return replace(outcome, excused=self._is_older(work) and work.job.id not in self._taken_over)

    def _note(self, work: Work, outcome: CheckOutcome) -> None:
        """Remember of a task that an earlier process began that it has survived the stop between the two."""
        if work.planned.drops and isinstance(outcome, Pending) and self._is_older(work):
            self._taken_over.add(work.job.id)

    def _is_older(self, work: Work) -> bool:
        """Whether an earlier process began the task."""
        return (work.job.submitted_at or 0) < self._began

    def _cannot_be_lost_yet(self, work: Work) -> bool:
        """
        Whether the task is younger than a task can be lost.

        Another one would be paid for, while this one is only not to be seen yet.
        """
        age = self._clock.now() - (work.job.submitted_at or 0)
        return age < (work.planned.operation.lost_after_s or 0.0) * SECOND
