"""
Capability tokens in callback URLs, and signed links to artifacts.

A callback token is `<job id>.<tag>`. The tag is HMAC-SHA256 over
`callback\\n<connection>\\n<job id>`, cut to 128 bits, base64url without padding,
so a token for one job is useless for any other job and any other connection.
Several keys may be valid at a time, for rotation: the newest signs, all verify.
A key is known by its id, which is a digest and may be logged; the key may not.
"""

import hashlib
import hmac
import re
from base64 import urlsafe_b64encode
from collections.abc import Sequence

_TOKEN = re.compile(rb"(job_[0-9a-z]{26}(?:\.|%2[Ee]))[A-Za-z0-9_-]{22}")
_LINK = re.compile(rb"(sha256(?::|%3[Aa])[0-9a-f]{64}\?exp=[0-9]+(?:&|&amp;|\\u0026)sig=)[A-Za-z0-9_-]{22}")


def unsigned(data: bytes) -> bytes:
    """Return *data* without the signatures of callback tokens and of links to artifacts that it mentions."""
    if b"job_" in data:
        data = _TOKEN.sub(rb"\1[redacted]", data)
    if b"sig=" in data:
        data = _LINK.sub(rb"\1[redacted]", data)
    return data


class Keyring:
    """The server's secret keys, newest first."""

    def __init__(self, secrets: Sequence[str]) -> None:
        if not secrets:
            raise ValueError("a keyring needs at least one secret key")
        self._keys = {hashlib.sha256(s.encode()).hexdigest()[:8]: s.encode() for s in secrets}
        self.newest = next(iter(self._keys))

    def callback_token(self, connection: str, job: str, *, key: str | None = None) -> str:
        """Return the token for *job*; *key* names an older key, for a resend that must be identical."""
        tag = self._tag(key or self.newest, f"callback\n{connection}\n{job}")
        return f"{job}.{tag}"

    def job_of(self, connection: str, token: str) -> str | None:
        """Return the job id that *token* was made for, or None when nobody here made it."""
        job, dot, tag = token.partition(".")
        if not dot or len(tag) != 22 or not token.isascii():
            return None
        return job if self._verify(f"callback\n{connection}\n{job}", tag) else None

    def link_signature(self, digest: str, exp: int, *, key: str | None = None) -> str:
        """Return the signature of a link to an artifact; *exp* in seconds since the epoch."""
        return self._tag(key or self.newest, f"artifact\n{digest}\n{exp}")

    def link_is_valid(self, digest: str, exp: int, signature: str) -> bool:
        """Return whether the link was signed here. Whether it has expired is the caller's to ask."""
        return signature.isascii() and self._verify(f"artifact\n{digest}\n{exp}", signature)

    def _tag(self, key: str, message: str) -> str:
        digest = hmac.digest(self._keys[key], message.encode(), "sha256")
        return urlsafe_b64encode(digest[:16])[:22].decode()

    def _verify(self, message: str, tag: str) -> bool:
        valid = False
        for key in self._keys:
            valid |= hmac.compare_digest(self._tag(key, message), tag)
        return valid
