"""Artifacts: take bytes for use in inputs, and give those we hold."""

import asyncio
from collections.abc import AsyncIterator

from aiohttp import BodyPartReader, MultipartReader, hdrs, web

from orchestrator.artifacts import sniff
from orchestrator.artifacts.artifact import Artifact
from orchestrator.artifacts.folder import CorruptArtifact, Folder
from orchestrator.errors import InputProblem, InvalidInput
from orchestrator.web.deps import DEPS
from orchestrator.web.query import Query
from orchestrator.web.replies import PREFIX, json_reply

_PIECE_BYTES = 1 << 16
_AS_SENT = ("", "binary", "8bit", "7bit")
_SHOWN = ("image/", "video/", "audio/")
"""What a browser may show in its place; everything else is offered to be saved."""

_MENDED = (
    "they are given to nobody. What mends it: the right ones, sent to POST /api/v1/artifacts, from a backup, "
    "from the provider's pages, or from the artifact's source_url while that lives"
)


async def upload(request: web.Request) -> web.Response:
    """Keep the one file of a multipart body, or the whole body where it is anything else."""
    deps = request.app[DEPS]
    query = Query(request, "name")
    query.check()
    limit = deps.artifact_bytes_max
    if request.content_type.startswith("multipart/"):
        artifact = await _from_form(request, deps.folder, limit, query.text("name"))
    else:
        if (request.content_length or 0) > limit:
            raise _too_large(limit, request.content_length or 0)
        pieces = _bounded(request.content.iter_chunked(_PIECE_BYTES), limit)
        artifact = await _keep(deps.folder, pieces, query.text("name"))
    return json_reply(
        artifact.to_json(), status=201, headers={"Location": f"{PREFIX}/artifacts/{artifact.digest}"}
    )


async def _from_form(request: web.Request, folder: Folder, limit: int, name: str | None) -> Artifact:
    try:
        reader = await request.multipart()
        part = await reader.next()
    except (ValueError, AssertionError) as error:
        raise _malformed(error) from error
    if not isinstance(part, BodyPartReader):
        raise InvalidInput([InputProblem("body", "the form holds no file")])
    if part.headers.get(hdrs.CONTENT_ENCODING) or (
        part.headers.get(hdrs.CONTENT_TRANSFER_ENCODING, "").lower() not in _AS_SENT
    ):
        raise web.HTTPUnsupportedMediaType(text="send the file's bytes as they are, without an encoding")
    return await _keep(folder, _bounded(_pieces(reader, part), limit), name or part.filename)


async def _pieces(reader: MultipartReader, part: BodyPartReader) -> AsyncIterator[bytes]:
    """Yield the bytes of *part*; raise unless the form ends well, so that nothing of a broken one is kept."""
    try:
        while piece := await part.read_chunk(_PIECE_BYTES):
            yield piece
        another = await reader.next()
    except (ValueError, AssertionError) as error:
        raise _malformed(error) from error
    if another is not None:
        problem = InputProblem("body", "the form holds more than one field: send one file at a time")
        raise InvalidInput([problem])


def _malformed(error: Exception) -> web.HTTPBadRequest:
    return web.HTTPBadRequest(text=f"the multipart body is malformed: {error}")


async def _bounded(pieces: AsyncIterator[bytes], limit: int) -> AsyncIterator[bytes]:
    size = 0
    async for piece in pieces:
        size += len(piece)
        if size > limit:
            raise _too_large(limit, size)
        yield piece


def _too_large(limit: int, size: int) -> web.HTTPRequestEntityTooLarge:
    return web.HTTPRequestEntityTooLarge(
        max_size=limit, actual_size=size, text=f"an artifact has at most {limit} bytes"
    )


async def _keep(folder: Folder, pieces: AsyncIterator[bytes], name: str | None) -> Artifact:
    digest, size = await folder.put_stream(pieces)
    if size == 0:
        await folder.remove(digest)
        raise InvalidInput([InputProblem("body", "there are no bytes in it")])
    nature = await asyncio.to_thread(sniff.describe_file, folder.path(digest))
    return Artifact(
        digest=digest,
        media_type=nature.media_type,
        size=size,
        width=nature.width,
        height=nature.height,
        name=sniff.file_name(digest, nature.media_type, name),
    )


async def download(request: web.Request) -> web.FileResponse:
    """Give the bytes, in ranges where asked, none that are damaged; the type is what they turn out to be."""
    folder, digest = request.app[DEPS].folder, request.match_info["digest"]
    try:
        path = await folder.sound(digest)
        nature = await folder.look(digest, sniff.describe_file)
    except CorruptArtifact as damage:
        raise web.HTTPInternalServerError(text=f"{damage}; {_MENDED}") from None
    shown = "inline" if nature.media_type.startswith(_SHOWN) else "attachment"
    name = sniff.file_name(digest, nature.media_type)
    return web.FileResponse(
        path,
        headers={
            hdrs.CONTENT_TYPE: nature.media_type,
            hdrs.CONTENT_DISPOSITION: f'{shown}; filename="{name}"',
            # The digest names these bytes and no others.
            hdrs.CACHE_CONTROL: "private, max-age=31536000, immutable",
        },
    )


ROUTES = (
    web.post(f"{PREFIX}/artifacts", upload),
    web.get(f"{PREFIX}/artifacts/{{digest}}", download),
)
