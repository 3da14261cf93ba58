"""
One operation of one connection as the engine and the runtime use it.

The engine knows no provider: a `Planned` is the connector's codec behind the engine's
words, with the connection's settings in it.
"""

from collections.abc import Collection, Hashable, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from orchestrator.durations import seconds
from orchestrator.engine.large import Unavailable, opened
from orchestrator.engine.plan import Budget, DeadlineDecides, Waits
from orchestrator.engine.state import Job
from orchestrator.operations.usual import UsualDurations
from orchestrator.outcomes import Callback, CallbackMeaning, SubmitOutcome, Unreadable
from orchestrator.providers.base import (
    Connector,
    Exchange,
    Operation,
    Reply,
    Request,
    Submit,
    Task,
    Waiting,
    check_params,
)
from orchestrator.providers.template import Template, freeze

LINK_LIFE_S = 86_400
"""How long a signed link in a submit stays valid; longer than any provider is given for a task."""

_WAITS: dict[Waiting, Waits] = {
    Waiting.NONE: "none",
    Waiting.HINT: "hint",
    Waiting.VERDICT: "verdict",
    Waiting.HEARTBEAT: "heartbeat",
    Waiting.POLL: "poll",
    Waiting.TIMER: "timer",
    Waiting.PERSON: "person",
    Waiting.RUN: "run",
}


class Sending:
    """What a spending request needs to know about this server: its address and the key that signs."""

    def __init__(self, *, key: str, callbacks: bool, public_url: str | None) -> None:
        self.key, self.callbacks, self.public_url = key, callbacks, public_url

    def freeze(self, request: Request, *, at: int) -> Template:
        """Return *request* as the log keeps it; *at* in microseconds."""
        return freeze(
            request,
            key=self.key,
            callbacks=self.callbacks,
            link_exp=at // 1_000_000 + LINK_LIFE_S,
            public_url=self.public_url,
        )


class Planned:
    """One operation of one connection, as the engine and the runtime use it. See `engine.plan`."""

    def __init__(
        self,
        connector: Connector,
        operation: Operation,
        sending: Sending,
        *,
        name: str = "",
        usual: UsualDurations | None = None,
    ) -> None:
        """*name*: the connection's; *usual*: what is known of how long its tasks take."""
        settings = connector.settings
        self._name, self._usual = name, usual or UsualDurations()
        self.operation = operation
        self.connector = connector
        self.sending = sending
        self.waits = _WAITS[operation.waiting]
        self._needs_callbacks = operation.waiting is Waiting.VERDICT
        self.spends = operation.spends
        self.costs = operation.priced is not None
        self.resends = operation.resend
        # Where the key is the job's id, and not a number, its request can be built again from its parameters.
        self.numbered = hasattr(settings, "request_id_start")
        self.looks_up = operation.look_up is not None
        self.checks = operation.check is not None or operation.waiting is Waiting.RUN
        budget = settings.budget
        self.budget = Budget(budget.credits, seconds(budget.per)) if budget is not None else None
        self.drops = operation.waiting is Waiting.HEARTBEAT
        self.timeout_s = operation.timeout_s
        self.first_check_s = seconds(settings.first_check)
        self.max_check_interval_s = seconds(settings.max_check_interval)
        self.uncertain_grace_s = seconds(settings.uncertain_grace)
        self.poll_s = operation.poll_s or self.max_check_interval_s
        # The parameters that were checked last, and their model: the job that follows needs it at once.
        self._checked: tuple[Mapping[str, Any] | None, Any] = (None, None)

    @property
    def first_look_s(self) -> float:
        """
        When to look at a task first, in seconds after it was accepted.

        Where a callback will tell, it is overdue when nearly all like it were done, and a little later;
        where none can come, half of them are.
        """
        usual = self._usual.of(self._name, self.operation.name) if self.waits == "hint" else None
        if usual is None:
            return self.first_check_s
        after_s = usual.p95 * 1.25 + 1.0 if self.sending.callbacks else usual.p50 * 0.8
        longest_s = min(self.max_check_interval_s, (self.timeout_s or self.max_check_interval_s) / 2)
        return max(min(after_s, longest_s), 1.0)

    def of(self, job: Job) -> "Planned":
        """Return the operation as it is for the parameters of *job*."""
        return self

    def problem(self, params: Mapping[str, Any]) -> str | None:
        """Say everything that is wrong with the evaluated parameters, or nothing."""
        if self._needs_callbacks and not self.sending.callbacks:
            # It would be paid for, and nobody would ever hear of it.
            return f"{self.operation.name} ends with a callback alone, and callbacks are off"
        if not isinstance(params, Mapping):
            return f"the parameters of {self.operation.name} must be an object"
        try:
            self._checked = params, self.operation.params.model_validate(params)
        except ValidationError:
            found = check_params(self.operation.params, params)
            return "; ".join(map(str, found))
        return None

    def parsed(self, job: Job) -> Any:
        """Return the job's parameters as the operation's model; they were checked before the job was made."""
        if job.memo is None:
            given = opened(job.params)
            params, parsed = self._checked
            job.memo = parsed if params is given else self.operation.params.model_validate(given)
        return job.memo

    def template(self, job: Job) -> dict[str, Any] | None:
        """Return the spending request when it is known without I/O and without a request number."""
        try:
            self.parsed(job)
        except Unavailable:
            return None  # Who submits it finds out as well, and can say so.
        exchange = self.submit(job)
        try:
            next(exchange)
        except StopIteration as concluded:
            if not isinstance(concluded.value, Request):
                return None
            template = self.sending.freeze(concluded.value, at=job.created_at)
            return None if needs_number(template) else template.to_json()
        exchange.close()
        return None

    def submit(self, job: Job) -> Exchange[Request | SubmitOutcome]:
        """Make the exchange that leads to the spending request."""
        return self.operation.submit(self.parsed(job), Submit(job=job.id, attempt=job.attempt))

    def read(self, job: Job, reply: Reply) -> SubmitOutcome:
        """Say what the reply to the spending request means."""
        return self.operation.read(self.parsed(job), reply)

    def task(self, job: Job, *, patient: bool = True) -> Task:
        """Return the job as check, look-up and callback know it."""
        return Task(
            job=job.id,
            task_id=job.task_id,
            resource_id=job.resource_id,
            params=self.parsed(job),
            patient=patient,
        )

    def likeness(self, job: Job) -> Hashable:
        """Return what a look-up without a mark goes by; jobs that have the same cannot be told apart."""
        return self.operation.likeness(self.parsed(job))

    def price(self, job: Job) -> float | None:
        """Return the credits that the job costs by the price list, None where it is silent. Never raises."""
        try:
            return self.operation.price(self.parsed(job))
        except (ValidationError, Unavailable):
            # They are those of an earlier version, or not held any more; that must not lose a result.
            return None

    def makes(self, job: Job) -> Collection[str]:
        """Return the kinds of file that the job's result has; empty: whatever comes. Never raises."""
        try:
            return self.operation.makes(self.parsed(job))
        except (ValidationError, Unavailable):
            return ()

    def due_at(self, job: Job) -> int:
        """Return when a task that waits for its time is done, microseconds."""
        due_at: int = self.parsed(job).due_at(job.created_at)
        return due_at

    def picked(self, job: Job, chosen: Sequence[int]) -> list[Any]:
        """Return the chosen of a question's choices. Errors: InvalidValue when that may not be chosen."""
        picked: list[Any] = self.parsed(job).picked(chosen)
        return picked

    def deadline_decides(self, job: Job) -> DeadlineDecides:
        """Say what becomes of a question that nobody has answered in time."""
        try:
            default: DeadlineDecides = self.parsed(job).default
        except Unavailable:
            return "fail"
        return default

    def meaning(self, callback: Callback, job: Job) -> CallbackMeaning:
        """Say what a callback means. Never raises."""
        try:
            return self.connector.read_callback(callback, self.task(job))
        except Unavailable as error:
            return Unreadable(f"the job's parameters cannot be read: {error}")
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            # A connector promises not to raise; should it, the delivery is kept and the job looked at.
            return Unreadable(f"the connector failed to read it: {type(error).__name__}")


def needs_number(template: Template) -> bool:
    """Return whether the request takes the next number of the connection's counter."""
    return any(hole["fill"] == "number" for hole in template.holes)
