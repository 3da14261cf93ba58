"""
The public listener: check the token, keep the bytes, answer.

Nothing here knows what a callback means. A request on a callback URL whose token
was signed here is stored exactly as it came, and is answered with 200 only once it
is on disk; all else happens later and elsewhere. So is a request on the hook of a
workflow whose sender could prove who it is, and is answered with 202. Whatever is
turned away is remembered in a short list in memory, for the person who asks why it
never came.

It runs on aiohttp's low-level server: there are five paths, and every microsecond
here is paid by every callback, so there is no router, no middleware, and an answer
whose bytes are always the same is built once a second.
"""

from orchestrator.receiver.answers import Answer
from orchestrator.receiver.handling import (
    KEPT_REJECTS,
    ArtifactHandler,
    Hook,
    Hooks,
    Receiver,
    Stats,
    build,
)
from orchestrator.receiver.requests import (
    BODY_S,
    HEADER_BYTES,
    HEADER_FIELDS,
    KEPT_BODY_BYTES,
    TARGET_BYTES,
    Reject,
)
from orchestrator.receiver.serving import runner, serve

__all__ = [
    "BODY_S",
    "HEADER_BYTES",
    "HEADER_FIELDS",
    "KEPT_BODY_BYTES",
    "KEPT_REJECTS",
    "TARGET_BYTES",
    "Answer",
    "ArtifactHandler",
    "Hook",
    "Hooks",
    "Receiver",
    "Reject",
    "Stats",
    "build",
    "runner",
    "serve",
]
