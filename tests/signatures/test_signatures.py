"""Who signed with the configured secret is believed, in each scheme, and nobody else."""

import hashlib
import hmac
from base64 import b64encode
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from orchestrator import signatures
from orchestrator.signatures import Scheme, refusal, sign, signed_headers

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "whsec_" + b64encode(b"another key of 24 bytes.").decode()
NOW = 1_800_000_000
BODY = b'{"event": "order.paid", "id": 7}'


def refused(headers: dict[str, str], body: bytes = BODY, *, now_s: int = NOW) -> str | None:
    return refusal("standard", SECRET, headers, body, now_s=now_s)


# --- Standard Webhooks -----------------------------------------------------------------------


def test_the_example_of_the_specification_is_signed_as_it_says() -> None:
    signature = sign(SECRET, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')

    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@given(id=st.from_regex(r"[\x21-\x7e]{1,60}", fullmatch=True), body=st.text(max_size=200))
def test_what_is_signed_here_is_what_the_reference_library_signs(id: str, body: str) -> None:
    theirs = Webhook(SECRET).sign(id, datetime.fromtimestamp(NOW, UTC), body)

    ours = signed_headers(SECRET, id, NOW, body.encode())

    assert ours["webhook-signature"] == theirs
    assert refused(ours, body.encode()) is None


def test_the_reference_library_believes_what_is_signed_here() -> None:
    now_s = int(datetime.now(UTC).timestamp())

    assert Webhook(SECRET).verify(BODY, signed_headers(SECRET, "msg_1", now_s, BODY)) == {
        "event": "order.paid",
        "id": 7,
    }
    with pytest.raises(WebhookVerificationError):
        Webhook(OTHER).verify(BODY, signed_headers(SECRET, "msg_1", now_s, BODY))


@pytest.mark.parametrize("late_s", [-300, -1, 0, 299, 300])
def test_a_message_is_believed_within_five_minutes(late_s: int) -> None:
    assert refused(signed_headers(SECRET, "msg_1", NOW - late_s, BODY)) is None


@pytest.mark.parametrize(("late_s", "why"), [(301, "301 s ago"), (-301, "301 s in the future")])
def test_a_message_from_another_time_is_refused_though_it_was_signed(late_s: int, why: str) -> None:
    reason = refused(signed_headers(SECRET, "msg_1", NOW - late_s, BODY))

    assert reason is not None
    assert why in reason


def test_one_signature_that_fits_is_enough_while_a_secret_is_being_replaced() -> None:
    headers = signed_headers(SECRET, "msg_1", NOW, BODY)
    old = sign(OTHER, "msg_1", NOW, BODY)

    assert refused({**headers, "webhook-signature": f"{old} v1a,xyz {headers['webhook-signature']}"}) is None
    assert refused({**headers, "webhook-signature": f"{old} v1a,xyz"}) is not None


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"webhook-id": "msg_2"}, "no signature fits"),
        ({"webhook-id": ""}, "webhook-id"),
        ({"webhook-id": "m" * 257}, "webhook-id"),
        ({"webhook-id": "é"}, "webhook-id"),
        ({"webhook-timestamp": str(NOW - 1)}, "no signature fits"),
        ({"webhook-timestamp": "soon"}, "not a number"),
        ({"webhook-timestamp": "-5"}, "not a number"),
        ({"webhook-timestamp": "9" * 400}, "not a number"),
        ({"webhook-timestamp": "²"}, "not a number"),
        ({"webhook-signature": ""}, "no signature fits"),
        ({"webhook-signature": "v1,"}, "no signature fits"),
        ({"webhook-signature": "v1,\udcff"}, "no signature fits"),
    ],
)
def test_whatever_is_changed_on_the_way_is_noticed(change: dict[str, str], why: str) -> None:
    reason = refused({**signed_headers(SECRET, "msg_1", NOW, BODY), **change})

    assert reason is not None
    assert why in reason


@pytest.mark.parametrize("gone", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_a_header_that_is_not_there_is_named(gone: str) -> None:
    headers = signed_headers(SECRET, "msg_1", NOW, BODY)
    del headers[gone]

    assert refused(headers) == f"there is no header '{gone}'"


def test_another_body_is_refused() -> None:
    assert refused(signed_headers(SECRET, "msg_1", NOW, BODY), BODY + b" ") is not None


def test_a_secret_counts_with_and_without_its_padding() -> None:
    padded = "whsec_" + b64encode(b"seven").decode()

    assert signatures.key_of(padded) == signatures.key_of(padded.rstrip("=")) == b"seven"


@pytest.mark.parametrize("secret", ["whsec_", "whsec_=", "whsec_no base64", "plain text", "whsec_a", ""])
def test_a_secret_that_is_none_of_the_standard_is_refused_and_not_told(secret: str) -> None:
    reason = refusal("standard", secret, signed_headers(SECRET, "msg_1", NOW, BODY), BODY, now_s=NOW)

    assert reason == "the configured secret cannot be used: a Standard Webhooks secret is whsec_ and base64"


# --- hex HMAC and tokens ---------------------------------------------------------------------

HEX = hmac.new(b"plain", BODY, hashlib.sha256).hexdigest()


@pytest.mark.parametrize(
    ("scheme", "header", "headers"),
    [
        ("hmac", None, {"x-signature": HEX}),
        ("hmac", None, {"x-signature": f"sha256={HEX}"}),
        ("hmac", None, {"x-signature": HEX.upper()}),
        ("hmac", "X-Hub-Signature-256", {"x-hub-signature-256": f"sha256={HEX}"}),
        ("token", None, {"authorization": "Bearer plain"}),
        ("token", None, {"authorization": "bearer  plain"}),
        ("token", "X-Token", {"x-token": "plain"}),
    ],
)
def test_a_request_with_the_right_proof_is_believed(scheme: Scheme, header: Any, headers: Any) -> None:
    assert refusal(scheme, "plain", headers, BODY, now_s=NOW, header=header) is None
    assert refusal(scheme, "another", headers, BODY, now_s=NOW, header=header) is not None


@pytest.mark.parametrize(
    ("scheme", "header", "headers"),
    [
        ("hmac", None, {}),
        ("hmac", None, {"x-signature": ""}),
        ("hmac", None, {"x-signature": "sha256="}),
        ("hmac", None, {"x-signature": f"sha512={HEX}"}),
        ("hmac", None, {"x-signature": HEX[:-2]}),
        ("hmac", "X-Mine", {"x-signature": HEX}),
        ("token", None, {}),
        ("token", None, {"authorization": ""}),
        ("token", None, {"authorization": "Basic plain"}),
        ("token", None, {"authorization": "Bearer plai"}),
        ("token", None, {"authorization": "Bearer pl\u00e4in"}),
        ("token", "X-Token", {"x-token": "Bearer plain"}),
        ("token", "X-Token", {"authorization": "Bearer plain"}),
    ],
)
def test_a_request_without_it_is_refused(scheme: Scheme, header: Any, headers: Any) -> None:
    reason = refusal(scheme, "plain", headers, BODY, now_s=NOW, header=header)

    assert reason is not None
    assert "plain" not in reason
