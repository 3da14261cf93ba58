import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from orchestrator.artifacts.folder import Folder
from orchestrator.errors import StoreUnavailable
from orchestrator.providers.base import ResultFile
from orchestrator.runtime.collect import Collector, Gone, Retryable, Unusable
from orchestrator.runtime.guard import RefusedUrl
from orchestrator.runtime.transport import Transport


def picture() -> bytes:
    buffer = BytesIO()
    Image.new("RGB", (8, 6), "teal").save(buffer, "PNG")
    return buffer.getvalue()


def large_and_cut() -> bytes:
    buffer = BytesIO()
    Image.effect_noise((1500, 1500), 90).save(buffer, "PNG", compress_level=0)
    return buffer.getvalue()[:-10]


VIDEO = b"\0\0\0\x20ftypisom" + bytes(3_000_000)


def http(body: bytes, *, status: str = "200 OK", length: int | None = None, headers: str = "") -> bytes:
    size = len(body) if length is None else length
    return f"HTTP/1.1 {status}\r\nContent-Length: {size}\r\n{headers}\r\n".encode() + body


def chunked(*pieces: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    body = b"".join(f"{len(piece):x}\r\n".encode() + piece + b"\r\n" for piece in pieces)
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + body + end


class Files:
    """A collector, its folder, and a server that always gives *answer*, then closes or stalls."""

    def __init__(self, folder: Folder, collector: Collector, url: str, path: Path) -> None:
        self.folder, self.collector, self.url, self.path = folder, collector, url, path
        self.answer = b""
        self.stalls = False
        self.heads: list[bytes] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            self.heads.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(self.answer)
            await writer.drain()
            if self.stalls:
                await reader.read()
        except ConnectionError:
            pass
        finally:
            writer.close()

    def left_behind(self) -> list[Path]:
        return [path for path in self.path.rglob("*") if path.is_file()]


@asynccontextmanager
async def files(path: Path, **limits: float) -> AsyncIterator[Files]:
    made: Files
    listening = await asyncio.start_server(lambda r, w: made.serve(r, w), "127.0.0.1", 0)
    url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    folder = Folder(path)
    async with Transport({"own": url}) as transport:
        collector = Collector(transport, folder, **limits)  # type: ignore[arg-type]
        made = Files(folder, collector, url, path)
        yield made
    await folder.close()
    listening.close()


async def test_a_picture_is_kept_with_what_its_bytes_say(tmp_path: Path) -> None:
    async with files(tmp_path) as f:
        f.answer = http(picture(), headers="Content-Type: text/html\r\n")
        artifact = await f.collector.download("own", ResultFile(f"{f.url}/a/shot%20one.jpeg?sig=%2F"))

        assert await f.folder.read(artifact.digest, verify=True) == picture()
        assert (artifact.media_type, artifact.width, artifact.height) == ("image/png", 8, 6)
        assert artifact.size == len(picture())
        assert artifact.name == "shot_one.png"
        assert artifact.source_url == f"{f.url}/a/shot%20one.jpeg?sig=%2F"


async def test_a_name_that_the_connector_gives_is_used(tmp_path: Path) -> None:
    async with files(tmp_path) as f:
        f.answer = http(picture())
        artifact = await f.collector.download("own", ResultFile(f"{f.url}/x", name="variant-2"))

        assert artifact.name == "variant-2.png"


@pytest.mark.parametrize(
    "answer",
    [http(VIDEO), chunked(VIDEO[:500_000], VIDEO[500_000:]), b"HTTP/1.1 200 OK\r\n\r\n" + VIDEO],
    ids=["with length", "chunked", "until the connection's end"],
)
async def test_a_large_file_is_streamed_to_disk(tmp_path: Path, answer: bytes) -> None:
    async with files(tmp_path) as f:
        f.answer = answer
        artifact = await f.collector.download("own", ResultFile(f"{f.url}/x"))

        assert (artifact.media_type, artifact.size) == ("video/mp4", len(VIDEO))
        assert await f.folder.sound(artifact.digest)


async def test_the_bytes_are_asked_for_as_they_are_and_without_credentials(tmp_path: Path) -> None:
    async with files(tmp_path) as f:
        f.answer = http(picture())
        await f.collector.download("own", ResultFile(f"{f.url}/a%2Fb?sig=%7E"))

        assert f.heads[0].startswith(b"GET /a%2Fb?sig=%7E HTTP/1.1\r\n")
        assert b"Accept-Encoding: identity" in f.heads[0]
        assert b"Authorization" not in f.heads[0]


@pytest.mark.parametrize(
    "answer",
    [
        http(picture()[:-9], length=len(picture())),
        http(VIDEO[:-9], length=len(VIDEO)),
        chunked(VIDEO, end=b""),
        b"",
        b"HTTP/1.1 200 OK\r\n",
        http(b""),
    ],
    ids=["short", "short and large", "chunks without end", "no answer", "half a head", "empty"],
)
async def test_a_truncated_file_is_not_kept_and_may_be_tried_again(tmp_path: Path, answer: bytes) -> None:
    async with files(tmp_path) as f:
        f.answer = answer
        with pytest.raises(Retryable):
            await f.collector.download("own", ResultFile(f"{f.url}/x"))

        assert f.left_behind() == []


@pytest.mark.parametrize("status", ["400 Bad", "401 Who", "403 Expired", "404 Not Found", "410 Gone"])
async def test_a_link_that_does_not_work_is_gone(tmp_path: Path, status: str) -> None:
    async with files(tmp_path) as f:
        f.answer = http(b"sorry", status=status)
        with pytest.raises(Gone, match=status[:3]):
            await f.collector.download("own", ResultFile(f"{f.url}/x?sig=secret"))


@pytest.mark.parametrize(
    "status", ["408 Slow", "425 Early", "429 Many", "500 Oops", "503 Busy", "204 None", "300 Which"]
)
async def test_a_server_in_trouble_may_be_asked_again(tmp_path: Path, status: str) -> None:
    async with files(tmp_path) as f:
        f.answer = http(b"", status=status, headers="Retry-After: 7\r\n")
        with pytest.raises(Retryable) as problem:
            await f.collector.download("own", ResultFile(f"{f.url}/x?sig=secret"))

        assert problem.value.retry_after_s == 7.0
        assert "secret" not in str(problem.value)


@pytest.mark.parametrize(
    "answer",
    [http(picture()), chunked(picture()), http(VIDEO), chunked(VIDEO)],
    ids=["", "chunked", "large", "both"],
)
async def test_a_file_beyond_the_limit_is_not_kept(tmp_path: Path, answer: bytes) -> None:
    limit = 1_500_000 if len(answer) > 1_500_000 else 20
    async with files(tmp_path, file_bytes_max=limit) as f:
        f.answer = answer
        with pytest.raises(Unusable, match=f"larger than {limit} bytes"):
            await f.collector.download("own", ResultFile(f"{f.url}/x"))

        assert f.left_behind() == []


async def test_a_file_that_says_it_is_too_large_is_not_waited_for(tmp_path: Path) -> None:
    async with files(tmp_path, file_bytes_max=1000) as f:
        f.answer, f.stalls = http(b"", length=1001), True
        with pytest.raises(Unusable):
            await f.collector.download("own", ResultFile(f"{f.url}/x"))


@pytest.mark.parametrize("limits", [{"download_s": 0.2}, {"stall_s": 0.2}], ids=["slow", "stalled"])
async def test_a_file_that_does_not_come_in_time_may_be_tried_again(
    tmp_path: Path, limits: dict[str, float]
) -> None:
    async with files(tmp_path, **limits) as f:
        f.answer, f.stalls = http(VIDEO[:2_000_000], length=len(VIDEO)), True
        with pytest.raises(Retryable):
            await f.collector.download("own", ResultFile(f"{f.url}/x"))

        assert f.left_behind() == []


async def test_a_file_from_inside_is_refused_unless_it_is_the_connections_own_host(tmp_path: Path) -> None:
    async with files(tmp_path) as f:
        for url in (f.url, "http://169.254.169.254/", "file:///etc/passwd"):
            with pytest.raises(RefusedUrl):
                await f.collector.download("another", ResultFile(url))

        assert f.heads == []


@pytest.mark.parametrize(
    "body",
    [b"<html>expired</html>", b'{"error": "expired"}', VIDEO, picture()[:-10], large_and_cut()],
    ids=["page", "JSON", "video", "cut", "large and cut"],
)
async def test_a_file_of_another_kind_is_not_the_one_that_was_promised(tmp_path: Path, body: bytes) -> None:
    async with files(tmp_path) as f:
        f.answer = http(body, headers="Content-Type: image/png\r\n")
        with pytest.raises(Gone, match=r"no image|in the middle"):
            await f.collector.download("own", ResultFile(f"{f.url}/x"), ("image",))


async def test_a_format_that_nobody_here_knows_may_be_what_was_promised(tmp_path: Path) -> None:
    async with files(tmp_path) as f:
        f.answer = http(bytes(range(256)))
        artifact = await f.collector.download("own", ResultFile(f"{f.url}/x"), ("image",))

        assert artifact.media_type == "application/octet-stream"


async def test_many_small_files_are_kept_together(tmp_path: Path) -> None:
    async with files(tmp_path) as f:
        f.answer = http(picture())
        artifacts = await asyncio.gather(
            *(f.collector.download("own", ResultFile(f"{f.url}/{n}")) for n in range(50))
        )

        assert len({artifact.digest for artifact in artifacts}) == 1
        assert len(f.left_behind()) == 1


async def test_a_disk_that_refuses_is_not_the_links_fault(tmp_path: Path) -> None:
    async with files(tmp_path / "folder") as f:
        (tmp_path / "folder" / "sha256").rmdir()
        (tmp_path / "folder" / "tmp").rmdir()
        (tmp_path / "folder").rmdir()
        for answer in (http(picture()), http(VIDEO)):
            f.answer = answer
            with pytest.raises(StoreUnavailable):
                await f.collector.download("own", ResultFile(f"{f.url}/x"))
