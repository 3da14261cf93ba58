"""What the HTTP statuses of a provider mean for us, with its own code and message where it gives any."""

from collections.abc import Mapping, Set
from dataclasses import dataclass
from typing import Any

from orchestrator.errors import ErrorClass, Failure
from orchestrator.providers.base import (
    Done,
    Failed,
    Rejected,
    Reply,
    Retry,
    SubmitOutcome,
    Unauthorized,
    Unclear,
    Unknown,
)
from orchestrator.providers.replies import complaint, is_success, parsed, retry_after_s

Refusal = Failed | Rejected | Unauthorized
"""Nothing was accepted."""

_NOT_FOUND, _REQUEST_TIMEOUT = 404, 408


@dataclass(frozen=True, slots=True)
class Statuses:
    """
    The statuses of one provider.

    *name*         of the provider, as messages say it.
    *meanings*     the document's own table, for answers that do not explain themselves.
    *unauthorized* the statuses that say something about the key, not about the request.
    """

    name: str
    meanings: Mapping[int, str]
    unauthorized: Set[int] = frozenset({401})

    def failure(self, cls: ErrorClass, reply: Reply) -> Failure:
        """Return the failure that *reply* describes."""
        code, message = complaint(parsed(reply.body))
        said = message or self.meanings.get(reply.status, "no explanation")
        return Failure(cls, f"{self.name} answered {reply.status}: {said}", code)

    def refusal(self, reply: Reply) -> Refusal | None:
        """
        Return what a 4xx means for the request it answers; None for every other status.

        A 408 is none: somebody gave up waiting, and nobody says what became of the request.
        """
        status = reply.status
        if status in self.unauthorized:
            return Unauthorized(self.failure("unauthorized", reply))
        if status == 402:
            return Rejected(self.failure("insufficient_credits", reply), True, retry_after_s(reply))
        if status == 429:
            return Rejected(self.failure("rate_limited", reply), True, retry_after_s(reply))
        if 400 <= status < 500 and status != _REQUEST_TIMEOUT:
            return Failed(self.failure("invalid_request", reply))
        return None

    def unclear(self, reply: Reply, missing: str, message: str | None = None) -> Unclear:
        """
        Say that nobody knows what became of a spending request, whose answer lacks *missing*.

        Shape:   *message* is what the answer says instead, where that is not in a usual place.
        """
        if not is_success(reply):
            return Unclear(self.failure("provider_error", reply).message)
        message = message or complaint(parsed(reply.body))[1]
        said = f" ({message})" if message else ""
        return Unclear(f"{self.name} answered {reply.status} without {missing}{said}")

    def unreadable(self, reply: Reply) -> Failed:
        """Return the failure of a request at once that was not answered as documented; it may be repeated."""
        if not is_success(reply):
            return Failed(self.failure("provider_error", reply))
        return Failed(
            Failure("provider_error", f"{self.name} answered {reply.status} with nothing that can be read")
        )

    def at_once(self, reply: Reply, output: dict[str, Any] | None) -> SubmitOutcome:
        """Return the outcome of a request at once: *output*, or what *reply* says where there is none."""
        if is_success(reply) and output is not None:
            return Done(output=output)
        return self.refusal(reply) or self.unreadable(reply)

    def look_again(self, reply: Reply) -> Retry | Unauthorized:
        """
        Say what an answer to a look means that tells nothing about the task.

        Whatever it is, it does not end a task that was paid for: its deadline does.
        """
        if reply.status in self.unauthorized:
            return Unauthorized(self.failure("unauthorized", reply))
        if is_success(reply):
            return Retry(f"{self.name} answered {reply.status} with nothing that can be read")
        if reply.status == _NOT_FOUND:
            return Unknown(self.failure("provider_error", reply).message, retry_after_s(reply))
        return Retry(self.failure("provider_error", reply).message, retry_after_s(reply))
