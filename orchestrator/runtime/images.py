"""
Image parameters, in the form that an operation takes: a URL passed on, or bytes that fit.

Bytes that fit are sent unchanged. Whatever had to be fetched, decoded or converted
is kept as an artifact first, so that what was sent can be seen afterwards and a
resend sends the same.
"""

import asyncio
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from orchestrator.artifacts.artifact import Artifact
from orchestrator.artifacts.folder import CorruptArtifact, Folder
from orchestrator.artifacts.sniff import Nature, describe, describe_file, file_name
from orchestrator.errors import ErrorClass, Failure, NotFound, OrchestratorError
from orchestrator.providers.base import Accepts, ArtifactRef, PreparedBytes, PreparedUrl
from orchestrator.runtime.fitting import Unfit, fit, fits
from orchestrator.runtime.guard import RefusedUrl, read_url
from orchestrator.runtime.transport import Transport, TransportError

IMAGE_BYTES_MAX = 128 << 20
FETCH_S = 60.0

_CONVERSIONS_AT_A_TIME = 2
_IN_THREAD_BYTES = 1 << 20

Keep = Callable[[Artifact], None]
"""Is told of every artifact that was made on the way."""


class ImageProblem(OrchestratorError):
    """An image cannot be had in a form that fits; *failure* says why, as the job's failure."""

    def __init__(self, cls: ErrorClass, message: str) -> None:
        super().__init__(message)
        self.failure = Failure(cls, message)


@dataclass(frozen=True, slots=True)
class _Source:
    """An image we hold: its bytes are in the folder."""

    digest: str
    nature: Nature
    size: int
    name: str | None


class Images:
    """Turns image parameters into what providers take."""

    def __init__(
        self,
        transport: Transport,
        folder: Folder,
        *,
        bytes_max: int = IMAGE_BYTES_MAX,
        fetch_s: float = FETCH_S,
    ) -> None:
        self.folder = folder
        self._transport = transport
        self._bytes_max = bytes_max
        self._fetch_s = fetch_s
        # Each conversion holds a whole decoded picture, up to half a gigabyte.
        self._conversions = asyncio.Semaphore(_CONVERSIONS_AT_A_TIME)

    async def prepare(
        self,
        image: str | ArtifactRef,
        accepts: Accepts,
        connection: str,
        keep: Keep | None = None,
    ) -> PreparedUrl | PreparedBytes:
        """
        Return *image* in a form that *accepts* takes.

        Shape:   *connection* is on whose behalf a URL is fetched; *keep* is told of what was stored.
        Errors:  ImageProblem; StoreUnavailable when the disk refuses.
        """
        if isinstance(image, ArtifactRef):
            source = await self._held(image.digest, image.name)
        elif image.startswith("artifact:"):
            source = await self._held(image.removeprefix("artifact:"), None)
        elif image.startswith("data:"):
            source = _as_source(await self._stored(await self.decoded(image), None, keep))
        elif accepts.url:
            return PreparedUrl(image)
        else:
            source = _as_source(await self._stored(await self._fetch(image, connection), image, keep))
        return await self._fitting(source, accepts, keep)

    async def internalize(self, value: str) -> Artifact:
        """
        Return the artifact that a data URI becomes, so that its bytes do not travel through the log.

        Errors:  ImageProblem when it is no data URI that can be read; StoreUnavailable.
        """
        return await self._stored(await self.decoded(value), None, None)

    # --- where images come from ---------------------------------------------------------------

    async def _held(self, digest: str, name: str | None) -> _Source:
        try:
            nature, size = await self.folder.look(digest, lambda at: (describe_file(at), at.stat().st_size))
        except NotFound:
            raise ImageProblem("invalid_request", f"there is no artifact {digest} here") from None
        return _Source(digest, nature, size, name)

    async def _fetch(self, url: str, connection: str) -> bytes:
        try:
            reply = await self._transport.get(
                connection, read_url(url), timeout_s=self._fetch_s, body_bytes_max=self._bytes_max
            )
        except RefusedUrl as refused:
            raise ImageProblem("refused_url", f"the image's URL is not requested: {refused}") from refused
        except TransportError as error:
            raise ImageProblem("network", f"the image could not be fetched: {error.reason}") from error
        if reply.status == 200 and reply.body:
            return reply.body
        passing = reply.status >= 500 or reply.status in (408, 425, 429)
        raise ImageProblem(
            "network" if passing else "invalid_request",
            f"the image could not be fetched: its server answered {reply.status}",
        )

    async def decoded(self, uri: str) -> bytes:
        """Return the bytes of a data URI. Errors: ImageProblem when it is none that can be read."""
        if len(uri) < _IN_THREAD_BYTES:
            return _decode(uri, self._bytes_max)
        return await asyncio.to_thread(_decode, uri, self._bytes_max)

    async def _stored(self, data: bytes, source_url: str | None, keep: Keep | None) -> Artifact:
        large = len(data) > _IN_THREAD_BYTES
        nature = await asyncio.to_thread(describe, data) if large else describe(data)
        digest = await self.folder.put(data)
        artifact = _artifact(digest, nature, len(data), source_url, source_url)
        if keep is not None:
            keep(artifact)
        return artifact

    # --- making them fit ----------------------------------------------------------------------

    async def _fitting(self, source: _Source, accepts: Accepts, keep: Keep | None) -> PreparedBytes:
        if accepts.grey:
            # Which channels it has is told by its bytes alone.
            source = await self._held(source.digest, source.name)
        if not fits(source.nature, source.size, accepts):
            source = _as_source(await self._converted(source, accepts, keep))
        return PreparedBytes(
            digest=source.digest,
            media_type=source.nature.media_type,
            size=source.size,
            width=source.nature.width,
            height=source.nature.height,
            name=file_name(source.digest, source.nature.media_type, source.name),
        )

    async def _converted(self, source: _Source, accepts: Accepts, keep: Keep | None) -> Artifact:
        if not accepts.resize:
            raise ImageProblem("invalid_request", f"{_misfit(source, accepts)}, and resize is false")
        try:
            async with self._conversions:
                data = await self.folder.read(source.digest, verify=True)
                converted, _ = await asyncio.to_thread(fit, data, source.nature, accepts)
        except Unfit as error:
            raise ImageProblem("invalid_request", str(error)) from error
        except (NotFound, CorruptArtifact) as error:
            raise ImageProblem("invalid_request", str(error)) from error
        digest = await self.folder.put(converted)
        artifact = _artifact(digest, describe(converted), len(converted), None, source.name)
        if keep is not None:
            keep(artifact)
        return artifact


def _artifact(digest: str, nature: Nature, size: int, source_url: str | None, name: str | None) -> Artifact:
    return Artifact(
        digest=digest,
        media_type=nature.media_type,
        size=size,
        width=nature.width,
        height=nature.height,
        name=file_name(digest, nature.media_type, name),
        source_url=source_url,
    )


def _as_source(artifact: Artifact) -> _Source:
    nature = Nature(artifact.media_type, artifact.width, artifact.height)
    return _Source(artifact.digest, nature, artifact.size, artifact.name)


def _misfit(source: _Source, accepts: Accepts) -> str:
    nature = source.nature
    taken = [" or ".join(accepts.media_types)]
    if accepts.bytes_max is not None:
        taken.append(f"at most {accepts.bytes_max} bytes")
    if accepts.long_side_max is not None:
        taken.append(f"at most {accepts.long_side_max} pixels on the long side")
    if accepts.grey:
        taken.append("grey")
    given = f"{nature.media_type}, {source.size} bytes, {nature.width} × {nature.height} pixels"
    return f"the image ({given}) does not fit what is taken ({', '.join(taken)})"


def _decode(uri: str, bytes_max: int) -> bytes:
    """Return the bytes of a data URI. Source: RFC 2397."""
    head, comma, text = uri.partition(",")
    if not comma or not head.lower().startswith("data:"):
        raise ImageProblem("invalid_request", "not a data URI (data:image/png;base64,…)")
    if len(text) > bytes_max * 4 // 3 + 4:
        raise ImageProblem("invalid_request", f"the data URI holds more than {bytes_max} bytes")
    if not head.lower().endswith(";base64"):
        return unquote_to_bytes(text)
    try:
        encoded = unquote_to_bytes(text) if "%" in text else text.encode("ascii")
        return b64decode(b"".join(encoded.split()), validate=True)
    except (Base64Error, ValueError):
        raise ImageProblem("invalid_request", "the data URI does not hold valid base64") from None
