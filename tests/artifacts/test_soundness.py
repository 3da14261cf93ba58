"""Whether a file holds what its name promises, and how often it is read to tell."""

import asyncio
import os
from hashlib import sha256
from pathlib import Path

import pytest

from orchestrator.artifacts import soundness
from orchestrator.artifacts.folder import CorruptArtifact, Folder
from orchestrator.artifacts.soundness import Soundness
from orchestrator.errors import StoreUnavailable


class Reads:
    """Counts how often a file is really read."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        monkeypatch.setattr(soundness, "sha256", self._sha256)

    def _sha256(self) -> object:
        self.count += 1
        return sha256()


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Reads:
    return Reads(monkeypatch)


async def test_an_unchanged_file_is_read_once_however_many_want_it(folder: Folder, reads: Reads) -> None:
    digest = await folder.put(b"a picture")

    await asyncio.gather(*(folder.sound(digest) for _ in range(20)))
    await folder.sound(digest)

    assert reads.count == 1


async def test_a_file_that_was_written_to_is_read_again(folder: Folder, reads: Reads) -> None:
    digest = await folder.put(b"a picture")
    before = (await folder.sound(digest)).stat()

    # Of the same length, and with the times that it had: the file system knows all the same.
    folder.path(digest).write_bytes(b"a puncture"[:9])
    os.utime(folder.path(digest), ns=(before.st_atime_ns, before.st_mtime_ns))

    with pytest.raises(CorruptArtifact, match=digest):
        await folder.sound(digest)
    assert reads.count == 2


async def test_a_damaged_file_is_told_to_everybody_and_read_once(tmp_path: Path, reads: Reads) -> None:
    told: list[str] = []
    folder = Folder(tmp_path / "artifacts", on_damage=told.append)
    digest = await folder.put(b"a picture")
    folder.path(digest).write_bytes(b"")

    for _ in range(3):
        with pytest.raises(CorruptArtifact):
            await folder.sound(digest)

    assert (told, reads.count) == ([digest] * 3, 1)
    await folder.close()


async def test_a_file_that_was_mended_is_sound_again(folder: Folder) -> None:
    digest = await folder.put(b"a picture")
    folder.path(digest).write_bytes(b"other")
    with pytest.raises(CorruptArtifact):
        await folder.sound(digest)

    await folder.put(b"a picture")

    assert (await folder.sound(digest)).read_bytes() == b"a picture"


async def test_one_who_gives_up_does_not_take_the_answer_from_the_others(folder: Folder) -> None:
    digest = await folder.put(bytes(4_000_000))
    impatient = asyncio.create_task(folder.sound(digest))
    patient = asyncio.create_task(folder.sound(digest))
    await asyncio.sleep(0)

    impatient.cancel()

    assert (await patient).is_file()


async def test_what_is_remembered_does_not_grow_without_end(folder: Folder, reads: Reads) -> None:
    digests = [await folder.put(bytes([n])) for n in range(3)]
    remembers_two = Soundness(kept=2)

    for digest in (*digests, digests[2], digests[0]):
        assert await remembers_two.holds(folder.path(digest))

    assert reads.count == 4


async def test_a_folder_that_is_gone_is_in_trouble_and_its_files_are_not_missing(
    folder: Folder, tmp_path: Path
) -> None:
    digest = await folder.put(b"a picture")
    (tmp_path / "artifacts").rename(tmp_path / "away")

    for asked in (folder.sound(digest), folder.read(digest), folder.look(digest, Path.stat)):
        with pytest.raises(StoreUnavailable, match="gone"):
            await asked

    (tmp_path / "away").rename(tmp_path / "artifacts")
    assert await folder.read(digest) == b"a picture"
