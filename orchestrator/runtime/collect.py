"""
Result files, downloaded and kept: a job has not succeeded before its bytes are ours.

What a download's failure means is data for the one who plans the next: a link that
is `Gone` needs a fresh one, a `Retryable` failure says nothing about the link, and
what is `Unusable` will be so every time. A page that stands in the place of a picture
is no picture, whatever the status says.
"""

import asyncio
from collections.abc import AsyncIterator, Collection
from urllib.parse import unquote

import aiohttp

from orchestrator.artifacts.artifact import Artifact
from orchestrator.artifacts.folder import Folder
from orchestrator.artifacts.sniff import UNKNOWN, Nature, describe, describe_file, file_name
from orchestrator.artifacts.wholeness import is_cut, is_cut_bytes
from orchestrator.errors import OrchestratorError
from orchestrator.providers.base import ResultFile
from orchestrator.runtime.guard import read_url
from orchestrator.runtime.transport import CONNECT_S_MAX, Transport, TransportError
from orchestrator.runtime.waits import retry_after

FILE_BYTES_MAX = 512 << 20
DOWNLOAD_S = 600.0

_STALL_S = 60.0
_SMALL_BYTES = 1 << 20
"""Files below this are kept together with others, in one batch."""

_PASSING = frozenset({408, 425, 429})


class DownloadProblem(OrchestratorError):
    """A result file was not downloaded. The message names the host and never the whole URL."""


class Gone(DownloadProblem):
    """The link does not work (any more), or leads to something else: a fresh one is needed."""


class Retryable(DownloadProblem):
    """The network or the server failed: the same link may work in a moment."""

    def __init__(self, reason: str, retry_after_s: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after_s = retry_after_s


class Unusable(DownloadProblem):
    """The file is there, and it is more than we take."""


class Collector:
    """Downloads result files into the folder of artifacts."""

    def __init__(
        self,
        transport: Transport,
        folder: Folder,
        *,
        file_bytes_max: int = FILE_BYTES_MAX,
        download_s: float = DOWNLOAD_S,
        stall_s: float = _STALL_S,
    ) -> None:
        self._transport = transport
        self._folder = folder
        self._file_bytes_max = file_bytes_max
        self._timeout = aiohttp.ClientTimeout(
            total=download_s, connect=min(CONNECT_S_MAX, download_s / 2), sock_read=min(stall_s, download_s)
        )

    async def download(self, connection: str, file: ResultFile, kinds: Collection[str] = ()) -> Artifact:
        """
        Return the artifact of *file*, one of *kinds* if any are named (see `Operation.makes`); its bytes are
        on disk when this returns.

        Without credentials, wherever it leads; a private address only where it is the
        host of the connection's own base URL.
        Errors:  Gone, Retryable, Unusable; RefusedUrl; StoreUnavailable when the disk refuses.
        """
        url = read_url(file.url)
        try:
            async with self._transport.stream(
                connection, url, headers={"Accept-Encoding": "identity"}, timeout=self._timeout
            ) as response:
                _check(response)
                return await self._keep(response, file, kinds)
        except TransportError as error:
            raise Retryable(f"the download failed: {error.reason}") from error

    async def _keep(
        self, response: aiohttp.ClientResponse, file: ResultFile, kinds: Collection[str]
    ) -> Artifact:
        if (response.content_length or 0) > self._file_bytes_max:
            raise self._too_large(response)
        beginning = bytearray()
        content = response.content
        while not content.at_eof() and len(beginning) < _SMALL_BYTES:
            beginning += await content.readany()
        if content.at_eof():
            return await self._keep_small(bytes(beginning), response, file, kinds)
        digest, size = await self._folder.put_stream(self._pieces(bytes(beginning), response))
        path = self._folder.path(digest)
        nature = await asyncio.to_thread(describe_file, path)
        if kinds:
            _verify(nature, await asyncio.to_thread(is_cut, nature, path), kinds, response)
        return _artifact(digest, size, nature, file)

    async def _keep_small(
        self, data: bytes, response: aiohttp.ClientResponse, file: ResultFile, kinds: Collection[str]
    ) -> Artifact:
        if not data:
            raise Retryable(f"the download was empty (host {response.url.host})")
        if len(data) > self._file_bytes_max:
            raise self._too_large(response)
        nature = describe(data)
        if kinds:
            _verify(nature, is_cut_bytes(nature, data), kinds, response)
        digest = await self._folder.put(data)
        return _artifact(digest, len(data), nature, file)

    async def _pieces(self, beginning: bytes, response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
        size = len(beginning)
        yield beginning
        async for piece in response.content.iter_any():
            size += len(piece)
            if size > self._file_bytes_max:
                raise self._too_large(response)
            yield piece

    def _too_large(self, response: aiohttp.ClientResponse) -> Unusable:
        return Unusable(f"the file is larger than {self._file_bytes_max} bytes (host {response.url.host})")


def _check(response: aiohttp.ClientResponse) -> None:
    status = response.status
    if status == 200:
        return
    answer = f"the download was answered with {status} (host {response.url.host})"
    if 400 <= status < 500 and status not in _PASSING:
        raise Gone(answer)
    after = retry_after(response.headers)
    raise Retryable(answer, float(after) if after is not None else None)


def _verify(nature: Nature, cut: bool, kinds: Collection[str], response: aiohttp.ClientResponse) -> None:
    """Refuse what is certainly not of *kinds*; a format that nobody here knows may well be."""
    place = f"(host {response.url.host})"
    if nature.media_type != UNKNOWN and nature.media_type.partition("/")[0] not in kinds:
        raise Gone(f"the download is {nature.media_type}, and no {' or '.join(kinds)} {place}")
    if cut:
        raise Gone(f"the download is {nature.media_type}, and ends in the middle of the picture {place}")


def _artifact(digest: str, size: int, nature: Nature, file: ResultFile) -> Artifact:
    suggestion = file.name or unquote(file.url.partition("?")[0])
    return Artifact(
        digest=digest,
        media_type=nature.media_type,
        size=size,
        width=nature.width,
        height=nature.height,
        name=file_name(digest, nature.media_type, suggestion),
        source_url=file.url,
    )
