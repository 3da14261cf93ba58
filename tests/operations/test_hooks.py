"""What a request on a hook asks for: the mapping of its body, query and headers, and the id of its event."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
import pytest

from orchestrator.definition.workflow import LookUp, Scope, Verification, WebhookTrigger
from orchestrator.errors import InvalidValue
from orchestrator.operations import hooks
from orchestrator.store.rows import Delivery

FORM = "application/x-www-form-urlencoded; charset=utf-8"
STANDARD = Verification(scheme="standard", secret="shop")


@dataclass(frozen=True)
class From:
    """A value that is taken from what an expression sees."""

    take: Callable[[Mapping[str, Any]], Any]
    steps: frozenset[str] = frozenset()
    looks_up: frozenset[LookUp] = frozenset()

    def evaluate(self, scope: Scope) -> Any:
        try:
            return self.take(scope)
        except (KeyError, TypeError) as error:
            raise InvalidValue(f"there is no {error}") from error


ID = From(lambda scope: scope["body"]["id"])


def delivery(
    body: bytes = b'{"id": 7}', headers: Any = (), query: str = "", content_type: str = "application/json"
) -> Delivery:
    return Delivery(
        id="dlv_1",
        job="",
        connection="",
        hook="orders",
        received_at=1,
        method="POST",
        query=query,
        headers=orjson.dumps(list(headers)),
        content_type=content_type,
        body=body,
        size=len(body),
        remote="192.0.2.7",
    )


@pytest.mark.parametrize(
    ("body", "content_type", "seen"),
    [
        (b'{"a": [1, null]}', "application/json", {"a": [1, None]}),
        (b"[1]", "text/plain", [1]),
        (b"", "application/json", None),
        (b"null", "application/json", None),
        (b' {"a": "b=c"}', FORM, {"a": "b=c"}),
        (b"7", FORM, {"7": ""}),
        (b"{broken", "application/json", "{broken"),
        ("grün".encode(), "text/plain", "grün"),
        (b"\xff", "text/plain", "\ufffd"),
        (b"a=1&b=&a=2&c=%C3%BC+x", FORM, {"a": "1", "b": "", "c": "ü x"}),
    ],
)
def test_a_body_is_seen_as_what_it_is(body: bytes, content_type: str, seen: Any) -> None:
    assert hooks.request_scope(delivery(body, content_type=content_type))["body"] == seen


def test_headers_are_seen_in_lower_case_and_repeated_ones_joined() -> None:
    scope = hooks.request_scope(delivery(headers=[("X-Id", "1"), ("x-id", "2"), ("Host", "h")]))

    assert scope["headers"] == {"x-id": "1, 2", "host": "h"}


def test_a_query_gives_the_first_value_of_each_name() -> None:
    assert hooks.request_scope(delivery(query="a=1&a=2&b=%20&c"))["query"] == {"a": "1", "b": " ", "c": ""}


def test_inputs_are_what_the_mapping_gives() -> None:
    trigger = WebhookTrigger(inputs={"order": ID, "shop": From(lambda scope: scope["query"]["shop"])})

    asked = hooks.read(trigger, delivery(query="shop=north"))

    assert asked.inputs == {"order": 7, "shop": "north"}


@pytest.mark.parametrize("key", ["inputs.order", "dedupe"])
def test_what_cannot_be_evaluated_is_named(key: str) -> None:
    trigger = WebhookTrigger(inputs={"order": ID} if key != "dedupe" else {}, dedupe=ID)

    with pytest.raises(InvalidValue, match=f"^{key}: there is no 'id'"):
        hooks.read(trigger, delivery(b"{}"))


def test_an_event_is_known_by_what_dedupe_gives() -> None:
    trigger = WebhookTrigger(inputs={}, verify=STANDARD, dedupe=ID)

    events = [
        hooks.read(trigger, delivery(b'{"id": %s}' % id, [("webhook-id", "msg_1")])).event
        for id in (b"7", b'"7"', b'"a b"', b"[1]", b'"%s"' % (b"x" * 5000), b"false")
    ]

    assert events[:4] == ["event/7", "event/7", "event/a b", "event/[1]"]
    assert len(events[4]) == len("event/") + 64
    assert events[5] == "event/false"


@pytest.mark.parametrize("id", [b"null", b'""'])
def test_an_event_without_an_id_is_refused_where_one_was_promised(id: bytes) -> None:
    with pytest.raises(InvalidValue, match="dedupe: gives nothing"):
        hooks.read(WebhookTrigger(inputs={}, dedupe=ID), delivery(b'{"id": %s}' % id))


def test_the_id_of_standard_webhooks_is_that_of_the_event() -> None:
    signed = delivery(headers=[("Webhook-Id", "msg_1")])

    assert hooks.read(WebhookTrigger(inputs={}, verify=STANDARD), signed).event == "event/msg_1"
    assert hooks.read(WebhookTrigger(inputs={}), signed).event == "delivery/dlv_1"
    assert hooks.read(WebhookTrigger(inputs={}, verify=STANDARD), delivery()).event == "delivery/dlv_1"
