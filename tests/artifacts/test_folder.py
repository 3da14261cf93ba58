import asyncio
import os
import shutil
import time
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path

import pytest

from orchestrator.artifacts.folder import CorruptArtifact, Folder
from orchestrator.errors import NotFound, StoreUnavailable

ABSENT = "sha256:" + "0" * 64


def digest_of(data: bytes) -> str:
    return f"sha256:{sha256(data).hexdigest()}"


def files_below(path: Path) -> list[Path]:
    return sorted(found for found in path.rglob("*") if found.is_file())


async def in_chunks(data: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


async def test_what_is_put_is_read_back_under_its_digest(folder: Folder) -> None:
    digest = await folder.put(b"a picture")

    assert digest == digest_of(b"a picture")
    assert await folder.read(digest, verify=True) == b"a picture"


async def test_a_file_is_named_by_its_whole_digest_in_a_directory_of_its_beginning(
    folder: Folder, tmp_path: Path
) -> None:
    digest = await folder.put(b"a picture")

    name = digest.removeprefix("sha256:")
    assert files_below(tmp_path) == [tmp_path / "artifacts" / "sha256" / name[:2] / name]


async def test_the_same_bytes_twice_are_one_file(folder: Folder, tmp_path: Path) -> None:
    first, second = await asyncio.gather(folder.put(b"same"), folder.put(b"same"))
    third = await folder.put(b"same")

    assert first == second == third
    assert len(files_below(tmp_path)) == 1


async def test_nothing_is_as_good_a_content_as_any(folder: Folder) -> None:
    digest = await folder.put(b"")

    assert await folder.read(digest, verify=True) == b""


async def test_hundreds_that_are_put_at_once_are_all_there(folder: Folder) -> None:
    contents = [f"picture {n}".encode() for n in range(300)]

    digests = await asyncio.gather(*(folder.put(data) for data in contents))

    assert [await folder.read(digest, verify=True) for digest in digests] == contents


async def test_a_stream_becomes_the_same_file_as_its_bytes(folder: Folder, tmp_path: Path) -> None:
    data = os.urandom(3_000_000)

    digest, size = await folder.put_stream(in_chunks(data, 70_000))

    assert (digest, size) == (digest_of(data), len(data))
    assert await folder.put(data) == digest
    assert len(files_below(tmp_path)) == 1


async def test_a_stream_that_breaks_leaves_nothing_behind(folder: Folder, tmp_path: Path) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield bytes(2_000_000)
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await folder.put_stream(broken())

    assert files_below(tmp_path) == []


async def test_a_cancelled_stream_leaves_nothing_behind(folder: Folder, tmp_path: Path) -> None:
    arrived = asyncio.Event()

    async def stalled() -> AsyncIterator[bytes]:
        yield bytes(2_000_000)
        arrived.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(folder.put_stream(stalled()))
    await arrived.wait()
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert files_below(tmp_path) == []


async def test_a_put_whose_caller_gives_up_does_not_disturb_its_neighbours(folder: Folder) -> None:
    given_up = asyncio.create_task(folder.put(b"given up"))
    neighbour = asyncio.create_task(folder.put(b"neighbour"))
    await asyncio.sleep(0)
    given_up.cancel()

    assert await folder.read(await neighbour) == b"neighbour"


async def test_a_folder_whose_writing_was_cancelled_before_it_began_can_be_closed(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    put = asyncio.create_task(folder.put(b"too late"))
    await asyncio.sleep(0)
    for task in asyncio.all_tasks() - {asyncio.current_task(), put}:
        task.cancel()

    async with asyncio.timeout(5):
        await folder.close()
    put.cancel()


async def test_what_was_never_put_is_not_found(folder: Folder) -> None:
    with pytest.raises(NotFound):
        await folder.read(ABSENT)
    with pytest.raises(NotFound):
        await folder.sound(ABSENT)


@pytest.mark.parametrize(
    "digest", ["", "sha256:", "sha256:../../etc/passwd", "sha256:" + "A" * 64, ABSENT + "\n", ABSENT + "0"]
)
async def test_what_is_no_digest_leads_nowhere(folder: Folder, digest: str) -> None:
    with pytest.raises(NotFound, match="not the digest"):
        folder.path(digest)


async def test_a_corrupt_file_is_detected(folder: Folder) -> None:
    digest = await folder.put(b"the truth")
    folder.path(digest).write_bytes(b"a lie, of")

    with pytest.raises(CorruptArtifact):
        await folder.read(digest, verify=True)
    with pytest.raises(CorruptArtifact):
        await folder.sound(digest)


async def test_putting_the_bytes_again_repairs_a_corrupt_file(folder: Folder) -> None:
    digest = await folder.put(b"the truth")
    folder.path(digest).write_bytes(b"a lie, of")

    await folder.put(b"the truth")

    assert (await folder.sound(digest)).read_bytes()


async def test_a_disk_that_refuses_is_a_store_that_is_unavailable(folder: Folder, tmp_path: Path) -> None:
    # A file where the folder's directories should be refuses even the superuser.
    shutil.rmtree(tmp_path / "artifacts")
    (tmp_path / "artifacts").write_bytes(b"")

    with pytest.raises(StoreUnavailable):
        await folder.put(b"a picture")
    with pytest.raises(StoreUnavailable):
        await folder.put_stream(in_chunks(b"a picture", 4))
    with pytest.raises(StoreUnavailable):
        Folder(tmp_path / "artifacts")


async def test_a_disk_that_recovers_needs_no_restart(folder: Folder, tmp_path: Path) -> None:
    (tmp_path / "artifacts").rename(tmp_path / "away")
    with pytest.raises(StoreUnavailable):
        await folder.put(b"a picture")
    (tmp_path / "away").rename(tmp_path / "artifacts")

    digest = await folder.put(b"a picture")

    assert (await folder.sound(digest)).read_bytes()


async def test_one_that_fails_in_a_batch_fails_alone(folder: Folder, tmp_path: Path) -> None:
    unlucky, lucky = b"unlucky", b"lucky"
    in_the_way = folder.path(digest_of(unlucky)).parent
    in_the_way.write_bytes(b"")

    refused, kept = await asyncio.gather(folder.put(unlucky), folder.put(lucky), return_exceptions=True)

    assert isinstance(refused, StoreUnavailable)
    assert kept == digest_of(lucky)
    assert files_below(tmp_path / "artifacts" / "tmp") == []


async def test_what_cannot_be_put_in_its_place_leaves_nothing_behind(folder: Folder, tmp_path: Path) -> None:
    folder.path(digest_of(b"unlucky")).mkdir(parents=True)

    with pytest.raises(StoreUnavailable):
        await folder.put(b"unlucky")

    assert files_below(tmp_path) == []


async def test_what_a_killed_process_left_half_written_is_cleared_away_later(tmp_path: Path) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    (temporary / "yesterday").write_bytes(b"half")
    (temporary / "now").write_bytes(b"another process at work")
    two_days_ago = time.time() - 2 * 86_400
    os.utime(temporary / "yesterday", (two_days_ago, two_days_ago))

    await Folder(tmp_path).close()

    assert files_below(tmp_path) == [temporary / "now"]


async def test_removing_what_is_not_there_is_no_error(folder: Folder) -> None:
    digest = await folder.put(b"a picture")

    await folder.remove(digest)
    await folder.remove(digest)

    assert not folder.holds(digest)


async def test_a_folder_that_was_emptied_is_used_again(folder: Folder, tmp_path: Path) -> None:
    root = tmp_path / "artifacts"
    await folder.put(b"before")
    shutil.rmtree(root)

    with pytest.raises(StoreUnavailable, match="bring it back, or make an empty one"):
        await folder.put(b"while it is gone")
    root.mkdir()

    assert await folder.read(await folder.put(b"after")) == b"after"
