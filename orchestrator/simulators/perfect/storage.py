"""Where files are uploaded to, under addresses that are checked like signed ones, and kept for their time."""

import base64
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any, Final

from aiohttp import web

from orchestrator.simulators.options import Options
from orchestrator.simulators.perfect.orders import FileOrder

UPLOAD_LINK_LIFE_S: Final = 2 * 3600
UPLOAD_LIFE_S: Final = 24 * 3600
RESULT_LIFE_S: Final = 30 * 24 * 3600

SHARED: Final = 32
"""How many different uploads are looked through for one that is the same."""

_METHOD: Final = "PUT"


@dataclass(slots=True)
class Slot:
    """
    A file id with its upload address.

    Shape:   *query* exactly as it must arrive; *content* None until the upload is complete.
    """

    file_id: str
    key: str
    query: str
    headers: dict[str, str]
    created_at: float
    content: bytes | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """
    An input of a task: *read* gives its bytes now, *again* at any later time, in a thread.

    A result is drawn again rather than remembered, so that a long chain of tasks stays small.
    """

    read: Callable[[], Awaitable[bytes]]
    again: Callable[[], bytes]


class Storage:
    """The files of one account: uploads for a day, results for thirty."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._slots: dict[str, Slot] = {}
        self._by_key: dict[str, Slot] = {}
        self._results: dict[str, tuple[Source, float]] = {}
        self._shared: OrderedDict[bytes, bytes] = OrderedDict()

    def slot(self, order: FileOrder, *key: object) -> Slot:
        """Return a place to upload a file to; *key* names the request."""
        self._forget_old()
        digest = self._options.digest("perfect", "file", *key)
        now = self._options.clock()
        file_id = opaque(digest + self._options.digest("perfect", "file id", *key))
        slot = Slot(file_id, digest.hex(), _signed(now, digest.hex()), _headers(order), now)
        self._slots[slot.file_id] = self._by_key[slot.key] = slot
        return slot

    def instructions(self, slot: Slot, base: str) -> dict[str, Any]:
        """Return how to upload, with an address below *base*."""
        return {"headers": slot.headers, "url": f"{base}/storage/{slot.key}?{slot.query}", "method": _METHOD}

    def keep_result(self, dst_id: str, source: Source, made_at: float) -> None:
        """Let a result be used as input under its `dst_id`."""
        self._results[dst_id] = source, made_at

    def find(self, file_id: str) -> Source | None:
        """Return an upload or a result; None if it was never uploaded, or is too old."""
        now = self._options.clock()
        slot = self._slots.get(file_id)
        if slot is not None:
            is_there = slot.content is not None and now - slot.created_at <= UPLOAD_LIFE_S
            return _upload(slot.content or b"") if is_there else None
        source, made_at = self._results.get(file_id, (None, now))
        return source if now - made_at <= RESULT_LIFE_S else None

    async def receive(self, request: web.Request) -> web.Response:
        """Answer an upload; like a bucket with signed addresses, any deviation is refused."""
        slot = self._by_key.get(request.match_info["key"])
        if slot is None:
            return _denied(404, "NoSuchKey", "there is no such key")
        problem = self._problem(request, slot)
        if problem is not None:
            return problem
        slot.content = self._share(await request.read())
        return web.Response(status=200)

    def _share(self, content: bytes) -> bytes:
        """Return the same bytes as one object: thousands of tasks with the same picture keep it once."""
        digest = blake2b(content, digest_size=16).digest()
        shared = self._shared.setdefault(digest, content)
        self._shared.move_to_end(digest)
        while len(self._shared) > SHARED:
            self._shared.popitem(last=False)
        return shared

    def _problem(self, request: web.Request, slot: Slot) -> web.Response | None:
        if "Authorization" in request.headers:
            return _denied(400, "InvalidArgument", "the address is signed; no Authorization header beside it")
        # The path as it came over the line: a client that re-quotes it has broken the signature.
        query = request.raw_path.partition("?")[2]
        if request.method != _METHOD or query != slot.query:
            return _denied(403, "SignatureDoesNotMatch", "method and address must be used exactly as given")
        for name, value in slot.headers.items():
            if request.headers.get(name) != value:
                return _denied(403, "SignatureDoesNotMatch", f"header {name} must be {value!r}")
        if self._options.clock() - slot.created_at > UPLOAD_LINK_LIFE_S:
            return _denied(403, "AccessDenied", "Request has expired")
        return None

    def _forget_old(self) -> None:
        """Drop uploads past their day; they stand in order of age."""
        now = self._options.clock()
        while self._slots:
            oldest = next(iter(self._slots.values()))
            if now - oldest.created_at <= UPLOAD_LIFE_S:
                return
            del self._slots[oldest.file_id], self._by_key[oldest.key]


def _upload(content: bytes) -> Source:
    async def read() -> bytes:
        return content

    return Source(read, lambda: content)


def opaque(digest: bytes) -> str:
    """Return an id like the document's: 64 characters of base64, among them `+` and `/`."""
    text = base64.b64encode(digest[:48]).decode()
    return f"{text[:15]}+{text[16:40]}/{text[41:]}"


def _headers(order: FileOrder) -> dict[str, str]:
    return {"Content-Type": order.content_type, "x-amz-meta-retention": "1d"}


def _signed(now: float, signature: str) -> str:
    day = datetime.fromtimestamp(now, UTC)
    # Both %2F and %7E are there on purpose: careless clients decode one of them.
    return (
        "X-Amz-Algorithm=AWS4-HMAC-SHA256"
        f"&X-Amz-Credential=SIMULATED%2F{day:%Y%m%d}%2Fus-east-1%2Fs3%2Faws4_request"
        f"&X-Amz-Date={day:%Y%m%dT%H%M%SZ}&X-Amz-Expires={UPLOAD_LINK_LIFE_S}"
        "&X-Amz-SignedHeaders=content-type%3Bhost%3Bx-amz-meta-retention"
        f"&response-content-disposition=inline%3B%7Ephoto&X-Amz-Signature={signature}"
    )


def _denied(status: int, code: str, message: str) -> web.Response:
    text = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    return web.Response(status=status, text=text, content_type="application/xml")
