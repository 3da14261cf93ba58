"""How answers are read, and what statuses mean, for every provider alike."""

from typing import Any

import orjson
import pytest

from orchestrator import ids
from orchestrator.errors import Failure
from orchestrator.providers.base import Failed, Rejected, Reply, Retry, Unauthorized, Unclear
from orchestrator.providers.identifiers import at, is_plain
from orchestrator.providers.replies import (
    address_of,
    amount_of,
    complaint,
    number_of,
    parsed,
    retry_after_s,
    text_of,
)
from orchestrator.providers.statuses import Statuses

ACME = Statuses("Acme", {402: "no credits"}, unauthorized=frozenset({401, 403}))


def reply(status: int, body: Any = None, **headers: str) -> Reply:
    return Reply(status, {name.replace("_", "-"): text for name, text in headers.items()}, orjson.dumps(body))


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"nan", b"[" * 5000, b"[" * 400 + b"]" * 400])
def test_what_is_no_json_or_could_not_be_kept_is_nothing(body: bytes) -> None:
    assert parsed(body) is None


def test_an_answer_may_begin_with_a_byte_order_mark() -> None:
    assert parsed(b'\xef\xbb\xbf{"taskUuid": "t"}') == {"taskUuid": "t"}


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        ({"error": "insufficient_credits", "message": "You have 0."}, "insufficient_credits", "You have 0."),
        ({"error": "idempotency_key_mismatch"}, "idempotency_key_mismatch", "idempotency_key_mismatch"),
        ({"error": "No such model."}, None, "No such model."),
        ({"error": {"code": "invalid_api_key", "message": "no"}}, "invalid_api_key", "no"),
        ({"code": 7, "error": "too_long", "message": "m"}, "7", "m"),
        ({"message": " "}, None, None),
        ({"message": ["a"], "code": True}, None, None),
        (["error"], None, None),
        (None, None, None),
    ],
)
def test_a_complaint_is_found_wherever_it_stands(body: Any, code: str | None, message: str | None) -> None:
    assert complaint(body) == (code, message)


def test_a_long_text_is_cut() -> None:
    assert text_of("x" * 9000) == "x" * 500


@pytest.mark.parametrize(
    ("value", "number"), [(1, 1.0), (1.5, 1.5), (True, None), ("1", None), (float("inf"), None), (None, None)]
)
def test_only_a_number_is_a_number(value: Any, number: float | None) -> None:
    assert number_of(value) == number


@pytest.mark.parametrize(
    ("value", "amount"),
    [
        (1, 1.0),
        ("978", 978.0),
        (" 2.5 ", 2.5),
        ("-1", -1.0),
        ("1e3", None),
        ("4 credits", None),
        (True, None),
    ],
)
def test_an_amount_may_be_written_as_a_text(value: Any, amount: float | None) -> None:
    assert amount_of(value) == amount


@pytest.mark.parametrize(
    "value", ["ftp://a/b", "https://", "//a/b", "https://a/b c", "https://a\n", "https://a/\0", 7, None]
)
def test_what_cannot_be_asked_for_is_no_address(value: Any) -> None:
    assert address_of(value) is None


@pytest.mark.parametrize(
    ("header", "wait_s"),
    [("7", 7.0), (" 0 ", 0.0), ("999999999", 86_400.0), ("-1", None), ("٣", None), ("9" * 99, None)],
)
def test_a_wait_is_read_in_seconds_up_to_a_day(header: str, wait_s: float | None) -> None:
    assert retry_after_s(reply(429, retry_after=header)) == wait_s


@pytest.mark.parametrize("id_", ["", ".", "..", "../x", "a/b", "a b", "a\n", "a%2Fb", "x" * 201, None, 7])
def test_what_could_leave_its_place_in_a_path_is_no_id(id_: Any) -> None:
    assert not is_plain(id_)


def test_an_id_is_quoted_in_a_path_all_the_same() -> None:
    assert at("/x", "a/../b?c") == "/x/a%2F..%2Fb%3Fc"


@pytest.mark.parametrize(
    ("status", "refusal"),
    [
        (400, Failed(Failure("invalid_request", "Acme answered 400: no explanation"))),
        (401, Unauthorized(Failure("unauthorized", "Acme answered 401: no explanation"))),
        (402, Rejected(Failure("insufficient_credits", "Acme answered 402: no credits"), True, 3.0)),
        (403, Unauthorized(Failure("unauthorized", "Acme answered 403: no explanation"))),
        (408, None),
        (429, Rejected(Failure("rate_limited", "Acme answered 429: no explanation"), True, 3.0)),
        (200, None),
        (302, None),
        (500, None),
    ],
)
def test_only_a_4xx_that_answers_the_request_is_a_refusal(status: int, refusal: Any) -> None:
    assert ACME.refusal(reply(status, retry_after="3")) == refusal


def test_what_is_unclear_says_what_was_said() -> None:
    assert ACME.unclear(reply(200, {"error": "Sorry."}), "an id") == Unclear(
        "Acme answered 200 without an id (Sorry.)"
    )
    assert ACME.unclear(reply(503), "an id") == Unclear("Acme answered 503: no explanation")


def test_a_look_that_tells_nothing_is_repeated() -> None:
    assert isinstance(ACME.look_again(reply(404)), Retry)
    assert isinstance(ACME.look_again(reply(200)), Retry)
    assert isinstance(ACME.look_again(reply(403)), Unauthorized)


@pytest.mark.parametrize("at_", [0, 1_763_000_000_123_000, (2**48 - 1) * 1000])
def test_an_id_tells_when_it_was_made(at_: int) -> None:
    assert ids.made_at(ids.typeid("job", at_, b"\xff" * 10)) == at_


@pytest.mark.parametrize("text", ["", "job_", "job_01jd", "job_" + "8" + "0" * 25, "job_" + "l" * 26])
def test_what_is_no_id_was_never_made(text: str) -> None:
    assert ids.made_at(text) is None
