"""
How the sender of a request proves who it is: three schemes, to verify what comes and to sign what goes.

standard   Standard Webhooks: `webhook-id`, `webhook-timestamp` and `webhook-signature`, whose
           base64 HMAC-SHA256 is over `<id>.<timestamp>.<body>`. A message older than five minutes,
           or from as far ahead, is refused. The sender may send several signatures while
           its secret is being replaced: one that fits is enough.
hmac       hex HMAC-SHA256 of the body alone, with or without `sha256=` before it
token      the secret itself, by default as `Authorization: Bearer …`

Pure: the time is handed in. Every comparison of something secret takes the same time however much of it fits.
"""

import hashlib
import hmac
from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Literal

Scheme = Literal["standard", "hmac", "token"]

TOLERANCE_S = 300
"""How far a message's timestamp may be from now, either way."""

ID_HEADER, TIMESTAMP_HEADER, SIGNATURE_HEADER = "webhook-id", "webhook-timestamp", "webhook-signature"
DEFAULT_HEADERS: Mapping[Scheme, str] = {
    "standard": SIGNATURE_HEADER,
    "hmac": "x-signature",
    "token": "authorization",
}
"""Where the proof stands when nobody says otherwise; names in lower case."""

PROOF = ":proof"
"""
The entry among a delivery's headers that says which header was which of our secrets: `authorization shop`.

It is kept instead of the secret. No header that comes over the network can have this name.
"""

_PREFIX = "whsec_"
_SIGNATURES_MAX = 20
_ID_MAX = 256


def proof_header(scheme: Scheme, header: str | None = None) -> str:
    """Return the name of the header with the proof, in lower case; the standard leaves no choice."""
    return DEFAULT_HEADERS[scheme] if header is None or scheme == "standard" else header.lower()


def refusal(
    scheme: Scheme,
    secret: str,
    headers: Mapping[str, str],
    body: bytes,
    *,
    now_s: int,
    header: str | None = None,
) -> str | None:
    """
    Return why a request is not believed, or None when it is. What is returned repeats nothing secret.

    Shape:   *headers* by name in lower case, one that was sent repeatedly joined by `, `; *body* the raw
             bytes; *now_s* seconds since the epoch; *header*: where `hmac` and `token` look instead of
             in their default one.
    """
    proof = headers.get(proof_header(scheme, header))
    if proof is None:
        return f"there is no header '{proof_header(scheme, header)}'"
    if scheme == "standard":
        return _standard_refusal(secret, headers, proof, body, now_s)
    if scheme == "hmac":
        given = proof.strip().removeprefix("sha256=").lower()
        return _unless(_equal(given, sign_body(secret, body)), "the signature does not fit the body")
    given = proof.strip()
    if header is None and given[:7].lower() == "bearer ":
        given = given[7:].strip()
    return _unless(_equal(given, secret), "the token is another one")


def sent_secret(value: str, secrets: Mapping[str, str]) -> str | None:
    """
    Return the name of the secret that a header's *value* is, or None.

    Shape:   *secrets* by name. `Bearer` before it does not matter.
    """
    given = value.strip()
    if given[:7].lower() == "bearer ":
        given = given[7:].strip()
    found = [name for name, secret in secrets.items() if _equal(given, secret)]
    return found[0] if found else None


def key_of(secret: str) -> bytes:
    """
    Return the key that a Standard Webhooks secret stands for.

    Shape:   `whsec_` and base64, with or without its padding.
    Errors:  ValueError for any other text: whether it is base64 or the key itself nobody could tell.
    """
    prefix, text = secret[: len(_PREFIX)], secret[len(_PREFIX) :]
    try:
        key = b64decode(text + "=" * (-len(text) % 4), validate=True)
    except ValueError:
        key = b""
    if prefix != _PREFIX or not key:
        raise ValueError(f"a Standard Webhooks secret is {_PREFIX} and base64")
    return key


def sign(secret: str, id: str, timestamp_s: int, body: bytes) -> str:
    """Return `v1,<base64>`, the signature of a Standard Webhooks message. Errors: ValueError as `key_of`."""
    message = f"{id}.{timestamp_s}.".encode() + body
    return f"v1,{b64encode(hmac.digest(key_of(secret), message, 'sha256')).decode()}"


def signed_headers(secret: str, id: str, timestamp_s: int, body: bytes) -> dict[str, str]:
    """Return the headers of a Standard Webhooks message; *id* stays the same when it is sent again."""
    return {
        ID_HEADER: id,
        TIMESTAMP_HEADER: str(timestamp_s),
        SIGNATURE_HEADER: sign(secret, id, timestamp_s, body),
    }


def sign_body(secret: str, body: bytes) -> str:
    """Return the hex HMAC-SHA256 of *body*."""
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def _standard_refusal(
    secret: str, headers: Mapping[str, str], proof: str, body: bytes, now_s: int
) -> str | None:
    id, stamp = headers.get(ID_HEADER), headers.get(TIMESTAMP_HEADER)
    if not id or stamp is None:
        return f"there is no header '{TIMESTAMP_HEADER if id else ID_HEADER}'"
    if len(id) > _ID_MAX or not id.isascii():
        return f"'{ID_HEADER}' is not ASCII of at most {_ID_MAX} characters"
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= 12):
        return f"'{TIMESTAMP_HEADER}' is not a number of seconds since the epoch"
    if (late_s := now_s - int(stamp)) > TOLERANCE_S:
        return f"it was signed {late_s} s ago; at most {TOLERANCE_S} s are accepted"
    if late_s < -TOLERANCE_S:
        return f"it was signed {-late_s} s in the future; check the clocks"
    try:
        expected = sign(secret, id, int(stamp), body)
    except ValueError as error:
        return f"the configured secret cannot be used: {error}"
    fits = [_equal(signature, expected) for signature in proof.split(" ")[:_SIGNATURES_MAX]]
    return _unless(any(fits), "no signature fits: another secret, or the body was changed on its way")


def _equal(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode())


def _unless(holds: bool, reason: str) -> str | None:
    return None if holds else reason
