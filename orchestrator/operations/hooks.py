"""
The hooks of workflows: whether a request's sender is believed, and what a request asks for.

Both read the same: headers by name in lower case, those sent repeatedly joined. So what was
verified is what a run is started with.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qsl

import orjson
from pydantic import SecretStr

from orchestrator import signatures
from orchestrator.definition.workflow import Verification, WebhookTrigger
from orchestrator.errors import InvalidValue
from orchestrator.operations.workflows import Library
from orchestrator.store.rows import Delivery
from orchestrator.times import SECOND

EVENT_ID_MAX = 200
"""A longer id of a sender's event is known by its digest."""


class Hooks:
    """Finds the hook of a workflow; for the receiver."""

    def __init__(self, library: Library, secrets: Mapping[str, SecretStr]) -> None:
        self._library, self._secrets = library, secrets

    def __call__(self, workflow: str) -> "Hook | None":
        """Return the hook of the workflow of that name as it is now, or None where there is none."""
        found = self._library.find(workflow)
        trigger = found.triggers.webhook if found is not None else None
        if trigger is None:
            return None
        secret = self._secrets.get(trigger.verify.secret) if trigger.verify is not None else None
        return Hook(trigger.verify, secret)


@dataclass(frozen=True, slots=True)
class Hook:
    """One hook. *verify* None: its author lets everybody in. *secret* None: nobody has configured it."""

    verify: Verification | None
    secret: SecretStr | None

    @property
    def secret_header(self) -> str | None:
        """The header, in lower case, that holds the secret itself and is not kept."""
        if self.verify is None or self.verify.scheme != "token":
            return None
        return signatures.proof_header("token", self.verify.header)

    def refusal(self, headers: Mapping[str, str], body: bytes, now: int) -> str | None:
        """Return why the sender is not believed, or None when it is; *now* in microseconds."""
        if self.verify is None:
            return None
        if self.secret is None:
            return f"the secret '{self.verify.secret}' is not configured"
        return signatures.refusal(
            self.verify.scheme,
            self.secret.get_secret_value(),
            headers,
            body,
            now_s=now // SECOND,
            header=self.verify.header,
        )


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request on a hook asks for: a run with *inputs*, one for each *event*."""

    event: str
    inputs: dict[str, Any]


def read(trigger: WebhookTrigger, delivery: Delivery) -> Asked:
    """
    Return what a delivery asks for by the trigger's mapping.

    Shape:   two deliveries of one `event` ask for the same run. It is what `dedupe` gives, else the id
             that Standard Webhooks has for it, else each delivery stands for itself.
    Errors:  InvalidValue, naming the key of the mapping that could not be evaluated.
    """
    scope = request_scope(delivery)
    inputs = {name: _evaluated(f"inputs.{name}", value, scope) for name, value in trigger.inputs.items()}
    return Asked(_event(trigger, delivery, scope), inputs)


def request_scope(delivery: Delivery) -> dict[str, Any]:
    """
    Return what expressions over a request see: `body`, `query` and `headers`.

    Shape:   `body` is its JSON value, the fields of a form, else text, and null where there is none. JSON
             is known by itself, as many senders call it something else. Of a name that comes repeatedly,
             `query` and forms have the first value.
    """
    headers = header_fields(delivery.headers)
    return {"body": _body(delivery), "query": _fields(delivery.query), "headers": headers}


def header_fields(headers: bytes) -> dict[str, str]:
    """Return a delivery's headers by name in lower case; those sent repeatedly are joined."""
    fields: dict[str, str] = {}
    for name, value in orjson.loads(headers):
        fields[name.lower()] = f"{fields[name.lower()]}, {value}" if name.lower() in fields else value
    return fields


def _body(delivery: Delivery) -> Any:
    if not delivery.body:
        return None
    is_form = delivery.content_type.partition(";")[0].strip().lower() == "application/x-www-form-urlencoded"
    text = delivery.body.decode("utf-8", "replace")
    if is_form and not text.lstrip().startswith(("{", "[")):
        return _fields(text)
    try:
        return orjson.loads(delivery.body)
    except orjson.JSONDecodeError:
        return text


def _fields(text: str) -> dict[str, str]:
    pairs: Sequence[tuple[str, str]] = parse_qsl(text, keep_blank_values=True)
    return dict(reversed(pairs))


def _event(trigger: WebhookTrigger, delivery: Delivery, scope: Mapping[str, Any]) -> str:
    if trigger.dedupe is not None:
        value = _evaluated("dedupe", trigger.dedupe, scope)
        if value is None or value == "":
            raise InvalidValue("dedupe: gives nothing, so nobody can tell whether this event came before")
        text = value if isinstance(value, str) else orjson.dumps(value).decode()
        return f"event/{text if len(text) <= EVENT_ID_MAX else sha256(text.encode()).hexdigest()}"
    id = scope["headers"].get(signatures.ID_HEADER)
    # One that was never verified says nothing.
    is_signed = trigger.verify is not None and trigger.verify.scheme == "standard"
    return f"event/{id}" if is_signed and id else f"delivery/{delivery.id}"


def _evaluated(key: str, value: Any, scope: Mapping[str, Any]) -> Any:
    try:
        return value.evaluate(scope)
    except InvalidValue as error:
        raise InvalidValue(f"{key}: {error}") from error
