"""How a task stands, asked of its provider."""

from orchestrator.clock import SECOND, Clock
from orchestrator.outcomes import CheckOutcome, Failed, Retry
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

    async def ask(self, work: Work, *, patient: bool = True) -> CheckOutcome:
        """
        Ask how the task stands. A heartbeat without an answer is repeated at once: a life hangs on it.

        Shape:   *patient*: the provider may hold its answer back until the task has ended.
        """
        outcome = await self._asked(work, patient)
        if isinstance(outcome, _Silence) and work.planned.drops:
            outcome = await self._asked(work, patient)
        if self._cannot_be_lost_yet(work, outcome):
            return Retry("the provider does not know the task yet")
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

    def _cannot_be_lost_yet(self, work: Work, outcome: CheckOutcome) -> bool:
        """
        Whether a task is said to be lost that is younger than a task can be lost.

        Another one would be paid for, while this one is only not to be seen yet.
        """
        lost_after_s = work.planned.operation.lost_after_s
        if lost_after_s is None or not isinstance(outcome, Failed) or outcome.failure.cls != "provider_error":
            return False
        age = self._clock.now() - (work.job.submitted_at or 0)
        return age < lost_after_s * SECOND
