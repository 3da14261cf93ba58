"""
A digest over the events of a run, carried on with each of them.

It is no seal, for it has no secret: it tells a log that a disk or a hand has changed from one that is as
it was written.
"""

from collections.abc import Iterable
from hashlib import blake2b

BEGINNING = b""
"""The chain of a run without events."""


def extend(chain: bytes, version: int, events: Iterable[tuple[str, int, str, bytes]]) -> bytes:
    """Return the chain after *events* (type, at, subject, data), the first of which gets *version*."""
    for number, (type, at, subject, data) in enumerate(events, version):
        head = f"{number}\n{type}\n{at}\n{subject}\n".encode()
        chain = blake2b(chain + head + data, digest_size=16).digest()
    return chain
