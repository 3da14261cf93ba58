from collections.abc import AsyncIterator
from hashlib import sha256
from io import BytesIO
from pathlib import Path

import pytest
from aiohttp import FormData
from aiohttp.test_utils import TestClient
from aiohttp.web import Application, Request
from PIL import Image

from orchestrator.artifacts.folder import Folder

Client = TestClient[Request, Application]


def picture() -> bytes:
    out = BytesIO()
    Image.new("RGB", (40, 30), "teal").save(out, "PNG")
    return out.getvalue()


PICTURE = picture()
DIGEST = f"sha256:{sha256(PICTURE).hexdigest()}"


def files(folder: Folder) -> list[Path]:
    """Return every file below the folder, finished or not."""
    top = folder.path(DIGEST).parents[2]
    return [path for path in top.rglob("*") if path.is_file()]


# --- upload ----------------------------------------------------------------------------------


@pytest.mark.parametrize("content_type", ["image/png", "text/html", "application/x-www-form-urlencoded"])
async def test_a_raw_body_is_kept_and_known_by_its_bytes(
    client: Client, folder: Folder, content_type: str
) -> None:
    headers = {"Content-Type": content_type}

    answer = await client.post("/api/v1/artifacts?name=../holiday.jpeg", data=PICTURE, headers=headers)

    assert answer.status == 201
    assert answer.headers["Location"] == f"/api/v1/artifacts/{DIGEST}"
    assert await answer.json() == {
        "digest": DIGEST,
        "media_type": "image/png",
        "size": len(PICTURE),
        "width": 40,
        "height": 30,
        "name": "holiday.png",
        "source_url": None,
        "href": f"/api/v1/artifacts/{DIGEST}",
    }
    assert await folder.read(DIGEST, verify=True) == PICTURE


async def test_a_form_with_one_file_is_kept(client: Client, folder: Folder) -> None:
    form = FormData()
    form.add_field("file", PICTURE, filename="holiday.png", content_type="image/png")

    answer = await client.post("/api/v1/artifacts", data=form)

    artifact = await answer.json()
    assert (answer.status, artifact["digest"], artifact["name"]) == (201, DIGEST, "holiday.png")
    assert await folder.read(DIGEST, verify=True) == PICTURE


async def test_a_body_that_comes_in_pieces_is_kept(client: Client, folder: Folder) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for at in range(0, len(PICTURE), 10):
            yield PICTURE[at : at + 10]

    answer = await client.post("/api/v1/artifacts", data=pieces())

    assert (await answer.json())["digest"] == DIGEST


@pytest.mark.parametrize("as_form", [False, True])
async def test_no_bytes_are_no_artifact(client: Client, folder: Folder, as_form: bool) -> None:
    form = FormData()
    form.add_field("file", b"", filename="empty.png")

    answer = await client.post("/api/v1/artifacts", data=form if as_form else b"")

    assert answer.status == 422
    assert files(folder) == []


@pytest.mark.parametrize("way", ["raw", "pieces", "form"])
async def test_what_is_too_long_is_refused_and_leaves_nothing(
    client: Client, folder: Folder, way: str
) -> None:
    data = bytes(1_000_001)

    async def pieces() -> AsyncIterator[bytes]:
        yield data

    form = FormData()
    form.add_field("file", data, filename="long.bin")
    body = {"raw": data, "pieces": pieces(), "form": form}[way]

    answer = await client.post("/api/v1/artifacts", data=body)

    assert answer.status == 413
    assert answer.content_type == "application/problem+json"
    assert files(folder) == []


async def test_the_longest_artifact_there_may_be_is_taken_in_a_form(client: Client) -> None:
    form = FormData()
    form.add_field("file", bytes(1_000_000), filename="long.bin")

    assert (await client.post("/api/v1/artifacts", data=form)).status == 201


async def test_a_form_with_two_files_is_refused(client: Client, folder: Folder) -> None:
    form = FormData()
    form.add_field("one", PICTURE, filename="1.png")
    form.add_field("two", PICTURE, filename="2.png")

    answer = await client.post("/api/v1/artifacts", data=form)

    assert answer.status == 422
    assert files(folder) == []


@pytest.mark.parametrize(
    ("content_type", "data", "status"),
    [
        ("multipart/form-data", b"x", 400),
        ("multipart/form-data; boundary=b", b"no boundary in here", 400),
        ("multipart/form-data; boundary=b", b"", 400),
        ("multipart/form-data; boundary=b", b"--b--\r\n", 422),
        ("multipart/form-data; boundary=b", b"--b\r\n\r\nunfinished", 400),
        (
            "multipart/form-data; boundary=b",
            b"--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n--c",
            422,
        ),
        (
            "multipart/form-data; boundary=b",
            b"--b\r\nContent-Transfer-Encoding: base64\r\n\r\nAAAA\r\n--b--\r\n",
            415,
        ),
    ],
)
async def test_a_form_that_is_none_is_refused(
    client: Client, folder: Folder, content_type: str, data: bytes, status: int
) -> None:
    answer = await client.post("/api/v1/artifacts", data=data, headers={"Content-Type": content_type})

    assert answer.status == status, await answer.text()
    assert answer.content_type == "application/problem+json"
    assert files(folder) == []


# --- download --------------------------------------------------------------------------------


async def test_a_download_is_what_its_bytes_are(client: Client, folder: Folder) -> None:
    await folder.put(PICTURE)

    answer = await client.get(f"/api/v1/artifacts/{DIGEST}")

    assert await answer.read() == PICTURE
    assert answer.headers["Content-Type"] == "image/png"
    assert answer.headers["Content-Disposition"] == f'inline; filename="{DIGEST[7:19]}.png"'
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "immutable" in answer.headers["Cache-Control"]


@pytest.mark.parametrize(
    "data", [b"<html><script>alert(1)</script></html>", b"<svg onload='alert(1)'/>", b"\x00\x01", b"{}"]
)
async def test_what_a_browser_might_run_is_only_saved(client: Client, folder: Folder, data: bytes) -> None:
    digest = await folder.put(data)

    answer = await client.get(f"/api/v1/artifacts/{digest}")

    assert answer.headers["Content-Type"] in ("text/plain", "application/octet-stream", "application/json")
    assert answer.headers["Content-Disposition"].startswith("attachment; ")


async def test_a_part_can_be_asked_for(client: Client, folder: Folder) -> None:
    await folder.put(PICTURE)

    answer = await client.get(f"/api/v1/artifacts/{DIGEST}", headers={"Range": "bytes=1-3"})

    assert answer.status == 206
    assert await answer.read() == b"PNG"
    assert answer.headers["Content-Range"] == f"bytes 1-3/{len(PICTURE)}"


async def test_what_the_caller_has_already_is_not_sent_again(client: Client, folder: Folder) -> None:
    await folder.put(PICTURE)
    first = await client.get(f"/api/v1/artifacts/{DIGEST}")

    second = await client.get(f"/api/v1/artifacts/{DIGEST}", headers={"If-None-Match": first.headers["ETag"]})

    assert second.status == 304
    assert await second.read() == b""


@pytest.mark.parametrize("headers", [{}, {"Range": "bytes=1-3"}])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_nobody_is_given_damaged_bytes(
    client: Client, folder: Folder, method: str, headers: dict[str, str]
) -> None:
    await folder.put(PICTURE)
    whole = await client.get(f"/api/v1/artifacts/{DIGEST}")
    folder.path(DIGEST).write_bytes(PICTURE[:-1] + b"!")

    answer = await client.request(method, f"/api/v1/artifacts/{DIGEST}", headers=headers)
    known = {"If-None-Match": whole.headers["ETag"], **headers}
    again = await client.request(method, f"/api/v1/artifacts/{DIGEST}", headers=known)

    assert (answer.status, again.status) == (500, 500)
    assert answer.content_type == "application/problem+json"
    if method == "GET":
        detail = (await answer.json())["detail"]
        assert DIGEST in detail
        assert "POST /api/v1/artifacts" in detail

    mended = await client.post("/api/v1/artifacts", data=PICTURE)
    assert mended.status == 201
    answer = await client.request(method, f"/api/v1/artifacts/{DIGEST}", headers=headers)
    assert answer.status == (206 if headers else 200)


async def test_while_the_folder_is_away_nothing_is_said_to_be_missing(
    client: Client, folder: Folder, tmp_path: Path
) -> None:
    await folder.put(PICTURE)
    (tmp_path / "artifacts").rename(tmp_path / "away")

    answer = await client.get(f"/api/v1/artifacts/{DIGEST}")

    assert answer.status == 503
    assert "artifacts folder" in (await answer.json())["detail"]


@pytest.mark.parametrize(
    "digest",
    [DIGEST, "sha256:", DIGEST.upper(), DIGEST[7:], "sha256:..%2f..%2f..%2fetc%2fpasswd", "%00", "..%2ftmp"],
)
async def test_an_artifact_that_is_not_there_is_not_found(client: Client, digest: str) -> None:
    answer = await client.get(f"/api/v1/artifacts/{digest}")

    assert answer.status == 404
    assert answer.content_type == "application/problem+json"
