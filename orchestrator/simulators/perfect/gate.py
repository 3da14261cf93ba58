"""Who may come in, and how often: key and secret, access tokens, and the two rate limits."""

import base64
import binascii
import re
from collections import defaultdict, deque
from functools import cache
from typing import Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from orchestrator.simulators.options import Options
from orchestrator.simulators.perfect.refusal import Refusal, invalid

TOKEN_LIFE_S: Final = 2 * 3600
SKEW_S: Final = 300
"""How far the timestamp in an id_token may be off; the document names no figure."""

_KEY_BITS: Final = 1024
_ADDRESS_LIMIT: Final = (100, 300.0)
_TOKEN_LIMIT: Final = (100, 60.0)
_PLAIN: Final = re.compile(rb"client_id=([^&]*)&timestamp=([0-9]{1,15})")


@cache
def _private_key() -> rsa.RSAPrivateKey:
    """Return this process's key: short, but as long as the one of the document's sample."""
    return rsa.generate_private_key(public_exponent=65537, key_size=_KEY_BITS)


def _client_secret() -> str:
    """Return the public key as the provider hands it out: X.509 (SubjectPublicKeyInfo), base64."""
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    der = _private_key().public_key().public_bytes(serialization.Encoding.DER, form)
    return base64.b64encode(der).decode()


class Gate:
    """One account's credentials, the tokens that were given out, and the requests that were let in."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self.client_id = base64.b32encode(options.digest("perfect", "client_id")[:20]).decode()
        self.client_secret = _client_secret()
        self._expiry: dict[str, float] = {}
        self._windows: defaultdict[str, deque[float]] = defaultdict(deque)

    def log_in(self, body: dict[str, object]) -> str:
        """
        Return a new access token for `{client_id, id_token}`.

        Errors:  Refusal 400 for a member missing or of another type, 401 for the wrong key,
                 an id_token that is not encrypted as it should be, or a clock too far off.
        """
        client_id, id_token = body.get("client_id"), body.get("id_token")
        if not isinstance(client_id, str) or not isinstance(id_token, str):
            raise invalid("client_id and id_token are required strings")
        if client_id != self.client_id:
            raise Refusal(401, "InvalidApiKey", "no such client_id")
        self._check_id_token(id_token)
        digest = self._options.digest("perfect", "access_token", len(self._expiry))
        token = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        self._expiry[token] = self._options.clock() + TOKEN_LIFE_S
        return token

    def _check_id_token(self, id_token: str) -> None:
        try:
            plain = _private_key().decrypt(base64.b64decode(id_token, validate=True), padding.PKCS1v15())
        except (binascii.Error, ValueError):
            plain = b""
        # Newer OpenSSL answers a wrong padding with random bytes, so the content has to tell.
        found = _PLAIN.fullmatch(plain)
        if found is None or found[1].decode(errors="replace") != self.client_id:
            raise Refusal(401, "InvalidApiKey", "id_token does not decrypt to client_id and timestamp")
        if abs(int(found[2]) / 1000 - self._options.clock()) > SKEW_S:
            raise Refusal(401, "InvalidApiKey", "the timestamp in id_token is too far off")

    def admit_address(self, address: str) -> None:
        """Count a request from *address*. Errors: Refusal 429."""
        self._count(f"address {address}", _ADDRESS_LIMIT)

    def admit_token(self, authorization: str | None) -> None:
        """Count a request with this `Authorization` header. Errors: Refusal 401, 429."""
        scheme, _, token = (authorization or "").partition(" ")
        if scheme != "Bearer" or self._options.clock() >= self._expiry.get(token, 0.0):
            raise Refusal(401, "InvalidAccessToken", "the access token is missing, wrong or expired")
        self._count(f"token {token}", _TOKEN_LIMIT)

    def _count(self, who: str, limit: tuple[int, float]) -> None:
        if self._options.limits == "off":
            return
        most, within_s = limit
        now, seen = self._options.clock(), self._windows[who]
        while seen and seen[0] <= now - within_s:
            seen.popleft()
        if len(seen) >= most:
            by = who.partition(" ")[0]
            raise Refusal(429, "TooManyRequests", f"more than {most} requests in {within_s:g} s by this {by}")
        seen.append(now)
