"""The request of `core/http`, and what is made of answers and callbacks; pure."""

from collections.abc import Mapping
from typing import Any

import pytest
from pydantic import ValidationError

from orchestrator.core.answers import Answer, Heard, files_of, text_of
from orchestrator.core.http import Http, read, submit
from orchestrator.definition.scopes import CALLBACK_MARK
from orchestrator.errors import InvalidValue
from orchestrator.outcomes import Accepted, Callback, Failed, Rejected, ResultFile, Unclear
from orchestrator.providers.base import CallbackUrl, Reply, Request, SharedSecret, Submit, Text
from orchestrator.providers.template import Template, freeze


def http(**given: Any) -> Http:
    return Http.model_validate({"url": "https://example.com/tasks", **given})


def request(**given: Any) -> Request:
    exchange = submit(http(**given), Submit(job="job_1"))
    with pytest.raises(StopIteration) as end:
        next(exchange)
    made = end.value.value
    assert isinstance(made, Request)
    return made


@pytest.mark.parametrize(
    ("given", "method", "spends"),
    [
        ({}, "GET", False),
        ({"json": {}}, "POST", True),
        ({"body": ""}, "POST", True),
        ({"method": "HEAD"}, "HEAD", False),
        ({"method": "DELETE"}, "DELETE", True),
        ({"method": "POST", "spends": False}, "POST", False),
        ({"method": "GET", "spends": True}, "GET", True),
    ],
)
def test_all_but_questions_spend(given: dict[str, Any], method: str, spends: bool) -> None:
    assert (http(**given).verb, http(**given).is_spending) == (method, spends)


def test_only_what_does_not_spend_follows_redirects() -> None:
    assert request().follows
    assert not request(spends=True).follows
    assert not request(wait="callback").follows


@pytest.mark.parametrize(
    "given",
    [
        {"url": "example.com"},
        {"json": {}, "body": ""},
        {"headers": {"Host": "other.example"}},
        {"headers": {"X-A\r\nX-B": "1"}},
        {"idempotency_header": "Transfer-Encoding"},
        {"verify": {"scheme": "hmac", "secret": "shop"}},
        {"verify": {"scheme": "hmac", "secret": "shop"}, "wait": "none"},
        {"method": "TRACE"},
        {"headers": {"Authorization": {"secret": "shop", "sufix": "x"}}},
    ],
)
def test_what_makes_no_sense_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        http(**given)


def test_a_header_of_the_author_takes_the_place_of_ours() -> None:
    made = request(json={}, headers={"content-TYPE": "application/hat+json", "user-agent": "me"})

    assert made.headers == {"Accept": "*/*", "Content-Type": "application/hat+json", "User-Agent": "me"}


def test_secrets_and_the_callbacks_address_are_holes() -> None:
    made = request(
        url=f"https://example.com/?to={CALLBACK_MARK}",
        json={"a": [CALLBACK_MARK, f"<{CALLBACK_MARK}> {CALLBACK_MARK}"]},
        headers={"Authorization": {"secret": "shop", "prefix": "Bearer "}},
    )

    assert made.url == Text(("https://example.com/?to=", CallbackUrl()))
    assert made.json == {"a": [CallbackUrl(), Text(("<", CallbackUrl(), "> ", CallbackUrl()))]}
    assert made.headers["Authorization"] == SharedSecret("shop", "Bearer ")


def test_a_request_is_rebuilt_from_the_log() -> None:
    made = request(url=f"https://example.com/{CALLBACK_MARK}", body=f"to {CALLBACK_MARK}")
    template = freeze(made, key="k1", callbacks=True, link_exp=0, public_url="https://hooks.example.com")

    assert Template.from_json(template.to_json()) == template
    assert "hooks.example.com" not in (template.url or "")
    assert template.bytes_max == 1 << 20


def reply(status: int, body: bytes = b"", **headers: str) -> Reply:
    return Reply(status, {name.replace("_", "-"): value for name, value in headers.items()}, body)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (reply(200), Accepted),
        (reply(204), Accepted),
        (reply(301), Failed),
        (reply(404), Failed),
        (reply(408), Unclear),
        (reply(425), Rejected),
        (reply(429), Rejected),
        (reply(500), Unclear),
        (reply(503), Unclear),
        (reply(503, retry_after="5"), Rejected),
    ],
)
def test_a_status_says_whether_anything_was_accepted(answer: Reply, kind: type) -> None:
    assert isinstance(read(http(json={}), answer), kind)


def test_a_refusal_is_told_in_one_printable_line() -> None:
    outcome = read(
        http(json={}), reply(400, b"no\n\n  hats\x1b[31m " + b"x" * 900, content_type="text/plain")
    )

    assert isinstance(outcome, Failed)
    assert outcome.failure.message.startswith("it was answered with 400: no hats[31m xxx")
    assert len(outcome.failure.message) < 240


@pytest.mark.parametrize(
    ("body", "content_type", "text"),
    [
        (b"caf\xc3\xa9", "", "café"),
        (b"caf\xe9", "text/plain; charset=ISO-8859-1", "café"),
        (b"caf\xe9", "text/plain", "caf\ufffd"),
        (b"caf\xe9", "text/plain; charset=unicode_escape", "caf\ufffd"),
        (b"\x89PNG\r\n\x1a\n\0", "image/png", ""),
        (b"a\0b", "application/octet-stream", ""),
        (b"", "image/png", ""),
    ],
)
def test_text_is_read_by_its_content_type(body: bytes, content_type: str, text: str) -> None:
    assert text_of(body, content_type) == text


def test_what_could_let_somebody_in_is_no_header_that_expressions_see() -> None:
    seen = Answer.of(
        reply(200, b"{}", set_cookie="session=1", etag="x", content_type="application/json")
    ).scope()

    assert seen["headers"] == {"etag": "x", "content-type": "application/json"}
    assert seen["json"] == {}


@pytest.mark.parametrize(
    ("callback", "json", "text"),
    [
        (Callback("POST", "", "application/json", b'{"a": 1}'), {"a": 1}, '{"a": 1}'),
        (Callback("POST", "", "", b"[1]"), [1], "[1]"),
        (
            Callback("POST", "", "application/x-www-form-urlencoded", b"a=1&a=2&b=x+y"),
            {"a": "1", "b": "x y"},
            "a=1&a=2&b=x+y",
        ),
        (Callback("POST", "", "text/plain", b"hello"), None, "hello"),
        (Callback("GET", "a=1", "", b""), None, ""),
        (Callback("POST", "", "application/json", b"[" * 100_000), None, "[" * 100_000),
    ],
    ids=["json", "untyped", "form", "text", "query", "deep"],
)
def test_a_callback_is_read_by_its_content_type(callback: Callback, json: Any, text: str) -> None:
    heard = Heard.of(callback)

    assert (heard.json, heard.text) == (json, text)


def test_files_are_addresses_however_they_are_nested() -> None:
    found = files_of(["https://example.com/a", [None, ["http://example.com/b"]]])

    assert found == (ResultFile("https://example.com/a"), ResultFile("http://example.com/b"))
    assert files_of(None) == ()


@pytest.mark.parametrize(
    "value", [5, {"url": "https://example.com"}, "file:///etc/passwd", ["x"] * 2, ["https://e.com"] * 1001]
)
def test_what_is_no_address_is_no_file(value: Mapping[str, Any]) -> None:
    with pytest.raises(InvalidValue):
        files_of(value)
