"""Takes the files that come with the inputs of a run, or only looks whether they would be taken."""

import asyncio
from pathlib import Path

from orchestrator.artifacts.folder import CorruptArtifact, Folder
from orchestrator.artifacts.wholeness import unreadable, unreadable_bytes
from orchestrator.errors import NotFound
from orchestrator.runtime.images import ImageProblem, Images


class Files:
    """Data URIs and references to artifacts. See `operations.files.TakeFile`."""

    def __init__(self, images: Images, folder: Folder) -> None:
        self._images, self._folder = images, folder

    async def take(self, value: str, must_be_image: bool) -> str:
        """Return the reference of an artifact: a data URI becomes one. Errors: ValueError."""
        if not value.startswith("data:"):
            return await self._held(value, must_be_image)
        try:
            digest = (await self._images.internalize(value)).digest
        except ImageProblem as error:
            raise ValueError(error.failure.message) from error
        return await self._held(f"artifact:{digest}", must_be_image)

    async def check(self, value: str, must_be_image: bool) -> str:
        """Return *value* if `take` would take it; nothing is kept. Errors: ValueError."""
        if not value.startswith("data:"):
            return await self._held(value, must_be_image)
        try:
            data = await self._images.decoded(value)
        except ImageProblem as error:
            raise ValueError(error.failure.message) from error
        _refuse(await asyncio.to_thread(unreadable_bytes, data), must_be_image)
        return value

    async def is_held(self, digest: str) -> bool:
        """Return whether an artifact is there; if so, nobody removes it for being old. See `IsHeld`."""
        try:
            await self._folder.look(digest, Path.stat)
        except NotFound:
            return False
        return self._folder.hold(digest)

    async def _held(self, reference: str, must_be_image: bool) -> str:
        digest = reference.removeprefix("artifact:")
        try:
            # First: from here on nobody removes it for being old and unused.
            self._folder.hold(digest)
            await self._folder.sound(digest)
            problem = await self._folder.look(digest, unreadable)
        except NotFound:
            raise ValueError(
                "there is no such artifact here; upload it with POST /api/v1/artifacts"
            ) from None
        except CorruptArtifact:
            raise ValueError(
                "is damaged: its file holds other bytes; upload it again with POST /api/v1/artifacts"
            ) from None
        _refuse(problem, must_be_image)
        return f"artifact:{digest}"


def _refuse(problem: str | None, must_be_image: bool) -> None:
    if must_be_image and problem is not None:
        raise ValueError(f"is no image that can be read: {problem}")
