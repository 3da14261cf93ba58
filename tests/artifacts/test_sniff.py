import zlib
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from orchestrator.artifacts.artifact import Artifact
from orchestrator.artifacts.sniff import Nature, describe, describe_file, file_name

DIGEST = "sha256:" + "ab" * 32


def picture(picture_format: str, size: tuple[int, int] = (7, 5)) -> bytes:
    buffer = BytesIO()
    Image.new("RGB", size, "teal").save(buffer, picture_format)
    return buffer.getvalue()


def bomb() -> bytes:
    """A PNG of a few bytes that says it has ten thousand million pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = zlib.crc32(kind + data).to_bytes(4, "big")
        return len(data).to_bytes(4, "big") + kind + data + check

    size = (100_000).to_bytes(4, "big")
    header = chunk(b"IHDR", size + size + b"\x08\x02\0\0\0")
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("picture_format", "media_type"),
    [
        ("PNG", "image/png"),
        ("JPEG", "image/jpeg"),
        ("WEBP", "image/webp"),
        ("GIF", "image/gif"),
        ("TIFF", "image/tiff"),
        ("BMP", "image/bmp"),
    ],
)
def test_a_picture_is_known_by_its_bytes_with_its_dimensions(
    picture_format: str, media_type: str, tmp_path: Path
) -> None:
    (tmp_path / "misleading.txt").write_bytes(picture(picture_format))

    assert describe(picture(picture_format)) == Nature(media_type, 7, 5)
    assert describe_file(tmp_path / "misleading.txt") == Nature(media_type, 7, 5)


@pytest.mark.parametrize(
    ("data", "media_type"),
    [
        (b"\0\0\0\x20ftypisom" + bytes(20), "video/mp4"),
        (b"\0\0\0\x20ftypqt  " + bytes(20), "video/quicktime"),
        (b"\x1a\x45\xdf\xa3\x9fB\x86\x81\x01B\x82\x84webm" + bytes(20), "video/webm"),
        (b"glTF\x02\0\0\0" + bytes(12), "model/gltf-binary"),
        (b'{"asset": {"version": "2.0"}, "scenes": []}', "model/gltf+json"),
        (b"PK\x03\x04" + bytes(30), "application/zip"),
        (b' {"a": [1, 2]}', "application/json"),
        (b"{not json", "text/plain"),
        ("Größe: 5 × 7\n".encode(), "text/plain"),
        (b"<html><script>alert(1)</script>", "text/plain"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "text/plain"),
        (b"BM and then some text, which is no picture", "text/plain"),
        (b"\x00\x01\x02\x03", "application/octet-stream"),
        (b"latin-1: \xe9t\xe9", "application/octet-stream"),
        (b"", "application/octet-stream"),
    ],
)
def test_other_things_are_known_by_their_bytes_too(data: bytes, media_type: str, tmp_path: Path) -> None:
    (tmp_path / "file.png").write_bytes(data)

    assert describe(data) == Nature(media_type)
    assert describe_file(tmp_path / "file.png") == Nature(media_type)


def test_a_character_cut_at_the_end_of_the_head_is_still_text(tmp_path: Path) -> None:
    text = ("x" * 4095 + "é" * 100).encode()
    (tmp_path / "text").write_bytes(text)

    assert describe_file(tmp_path / "text").media_type == "text/plain"


def test_a_picture_that_cannot_be_read_keeps_its_type_and_has_no_dimensions() -> None:
    assert describe(b"\x89PNG\r\n\x1a\nand no more") == Nature("image/png")


def test_a_decompression_bomb_is_not_opened() -> None:
    assert describe(bomb()) == Nature("image/png")


@pytest.mark.parametrize(
    ("suggestion", "media_type", "name"),
    [
        (None, "image/png", "abababababab.png"),
        ("https://cdn.example.com/a/shot.jpeg?sig=x/y#z", "image/jpeg", "shot.jpg"),
        ("shot.png", "image/webp", "shot.webp"),
        ("../../etc/passwd", "text/plain", "passwd.txt"),
        ("C:\\Users\\me\\dress.v2.png", "image/png", "dress.v2.png"),
        ("a b\r\nSet-Cookie: x", "image/png", "a_b_Set-Cookie_x.png"),
        ("...", "application/unknown", "abababababab.bin"),
        ("x" * 300, "image/png", "x" * 80 + ".png"),
        (".png", "image/png", "png.png"),
    ],
)
def test_a_file_name_is_safe_and_its_extension_tells_the_truth(
    suggestion: str | None, media_type: str, name: str
) -> None:
    assert file_name(DIGEST, media_type, suggestion) == name


def test_an_artifact_survives_its_json() -> None:
    artifact = Artifact(digest=DIGEST, media_type="image/png", size=3, width=1, height=2, name="x.png")

    assert artifact.to_json()["href"] == f"/api/v1/artifacts/{DIGEST}"
    assert Artifact.from_json(artifact.to_json()) == artifact


def test_the_longest_value_of_a_workflow_is_still_json(tmp_path: Path) -> None:
    path = tmp_path / "value"
    path.write_bytes(b'["' + b"x" * 4_000_000 + b'"]')

    assert describe_file(path).media_type == "application/json"
