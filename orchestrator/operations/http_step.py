"""
A step of `core/http`: its own expressions, its own secrets, and whether this one spends.

What the other side sends is kept in the log, so whatever is ours in it is taken out first: the secrets
that the request carried, and the part of a callback URL that lets its holder call back.
"""

import copy
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pydantic import SecretStr, ValidationError

from orchestrator import signatures
from orchestrator.core.answers import Answer, Heard
from orchestrator.core.http import Http, Result, Verify
from orchestrator.definition.workflow import Step
from orchestrator.engine.large import Unavailable, opened
from orchestrator.engine.state import Job
from orchestrator.errors import Failure, InvalidValue
from orchestrator.operations.planned import Planned, Sending
from orchestrator.outcomes import (
    Accepted,
    Callback,
    CallbackMeaning,
    Failed,
    SubmitOutcome,
    Unreadable,
    Untrusted,
    Verdict,
)
from orchestrator.providers.base import Connector, Exchange, Operation, Reply, Request
from orchestrator.times import SECOND

ANSWER_S = 60.0
"""How long an answer that is the result is waited for, where the step has no `timeout`."""
ANSWER_MAX_S = 600.0
ACCEPTANCE_S = 30.0
"""How long the answer to a request is waited for whose result comes in a callback."""


class HttpStep(Planned):
    """One step that sends a request of the author's own."""

    def __init__(self, connector: Connector, operation: Operation, sending: Sending, step: Step) -> None:
        super().__init__(connector, operation, sending, name=step.connection)
        self._step, self._result = step, Result(step.deferred)
        self._needs_callbacks = False
        self._secrets: Mapping[str, SecretStr] = getattr(connector.settings, "shared", {})
        self._kinds: dict[tuple[bool, bool], HttpStep] = {}

    def of(self, job: Job) -> "HttpStep":
        """Return the operation as its parameters make it: whether it spends, and may be sent again."""
        try:
            params: Http = self.parsed(job)
        except (ValidationError, Unavailable):
            # Of an earlier version, or not held: what nobody knows is treated as what must not be sent twice.
            return self
        kind = params.is_spending, params.idempotency_header is not None
        if kind not in self._kinds:
            twin = copy.copy(self)
            twin.spends, twin.resends = kind
            self._kinds[kind] = twin
        return self._kinds[kind]

    def problem(self, params: Mapping[str, Any]) -> str | None:
        """Say everything that is wrong with the evaluated parameters, or nothing."""
        if (problem := super().problem(params)) is not None:
            return problem
        _, asked = self._checked
        if missing := asked.secrets - self._secrets.keys():
            return f"there is no secret '{min(missing)}' in [secrets] of the settings"
        if not self.sending.callbacks and (asked.wait == "callback" or asked.asks_for_callback):
            return "it asks for a callback, and callbacks are off"
        return None

    def submit(self, job: Job) -> Exchange[Request | SubmitOutcome]:
        """Make the request, with the time that it has."""
        request = yield from super().submit(job)
        if isinstance(request, Request):
            request = replace(request, timeout_s=self._answer_s(self.parsed(job)))
        return request

    def _answer_s(self, params: Http) -> float:
        own_s = self._step.timeout_s
        if params.wait == "callback":
            return min(own_s or ACCEPTANCE_S, ACCEPTANCE_S)
        return min(own_s or ANSWER_S, ANSWER_MAX_S)

    def read(self, job: Job, reply: Reply) -> SubmitOutcome:
        """Say what the answer means: a refusal, the result, or that a callback will bring it."""
        params: Http = self.parsed(job)
        hide = _Hiding(job.id, {name: self._secrets[name] for name in params.secrets & self._secrets.keys()})
        headers = {name: hide.text(value) for name, value in reply.headers.items()}
        outcome = self.operation.read(params, replace(reply, headers=headers, body=hide.body(reply.body)))
        if not isinstance(outcome, Accepted):
            return outcome
        if params.wait == "callback":
            return replace(outcome, task_id=job.id)
        try:
            return self._result.of(Answer.from_json(outcome.answer))
        except InvalidValue as error:
            return Failed(Failure("invalid_value", str(error)))

    def meaning(self, callback: Callback, job: Job) -> CallbackMeaning:
        """
        Say what a callback means. Never raises.

        One of which no result can be made is not the one that is waited for: services tell of their
        progress on the same address.
        """
        try:
            params: Http = self.parsed(job)
        except (ValidationError, Unavailable):
            return Unreadable("its parameters are those of an earlier version, or not held any more")
        if params.verify is not None and (why := self._refusal(params.verify, callback)) is not None:
            return Untrusted(why)
        hide = _Hiding(job.id, {})
        query, body = hide.text(callback.query), hide.body(callback.body)
        try:
            heard = Heard.of(replace(callback, query=query, body=body))
            done = self._result.of(Answer.from_json(opened(job.answer)), heard)
        except InvalidValue as error:
            return Unreadable(str(error))
        return Verdict(job.id, done)

    def _refusal(self, verify: Verify, callback: Callback) -> str | None:
        """Return why the sender of a callback is not believed, or None."""
        secret = self._secrets.get(verify.secret)
        if secret is None:
            return f"the secret '{verify.secret}' is not configured"
        header = signatures.proof_header(verify.scheme, verify.header)
        if verify.scheme == "token":
            proofs = callback.headers.get(signatures.PROOF, "").split(", ")
            return None if f"{header} {verify.secret}" in proofs else f"'{header}' does not hold the secret"
        return signatures.refusal(
            verify.scheme,
            secret.get_secret_value(),
            callback.headers,
            callback.body,
            now_s=_age_from(callback),
            header=verify.header,
        )


def _age_from(callback: Callback) -> int:
    """Return the time by which a signature's age is judged, in seconds; its own where it says nothing."""
    if callback.received_at is not None:
        return callback.received_at // SECOND
    stamp = callback.headers.get(signatures.TIMESTAMP_HEADER, "")
    return int(stamp) if stamp.isascii() and stamp.isdigit() and len(stamp) <= 12 else 0


class _Hiding:
    """Takes out of a text what nobody may read in the log."""

    def __init__(self, job: str, secrets: Mapping[str, SecretStr]) -> None:
        self._token = re.compile(re.escape(job) + r"\.[A-Za-z0-9_-]{22}")
        self._job, self._secrets = job, secrets

    def text(self, text: str) -> str:
        for name, secret in self._secrets.items():
            text = text.replace(secret.get_secret_value(), f"[{name}]")
        return self._token.sub(self._job, text)

    def body(self, body: bytes) -> bytes:
        for name, secret in self._secrets.items():
            body = body.replace(secret.get_secret_value().encode(), f"[{name}]".encode())
        # Latin-1 takes every byte and gives it back.
        is_named = self._job.encode() in body
        return self._token.sub(self._job, body.decode("latin-1")).encode("latin-1") if is_named else body
