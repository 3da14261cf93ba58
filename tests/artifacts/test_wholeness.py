from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from orchestrator.artifacts.wholeness import unreadable


def picture(picture_format: str, **options: object) -> bytes:
    buffer = BytesIO()
    Image.effect_noise((200, 150), 80).convert("RGB").save(buffer, picture_format, **options)
    return buffer.getvalue()


def camera_picture() -> bytes:
    """A JPEG with a preview of itself, as cameras write it: the preview is a whole JPEG."""
    whole = picture("JPEG")
    segment = b"Exif\0\0" + picture("JPEG", quality=5)
    return whole[:2] + b"\xff\xe1" + (len(segment) + 2).to_bytes(2, "big") + segment + whole[2:]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "bytes"


@pytest.mark.parametrize("picture_format", ["PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP", "AVIF"])
def test_a_whole_picture_can_be_read(file: Path, picture_format: str) -> None:
    file.write_bytes(picture(picture_format))

    assert unreadable(file) is None


@pytest.mark.parametrize(
    "data",
    [picture("PNG"), picture("JPEG"), picture("JPEG", progressive=True), picture("WEBP"), camera_picture()],
)
def test_a_picture_that_was_cut_off_is_told_from_its_bytes(file: Path, data: bytes) -> None:
    file.write_bytes(data)
    assert unreadable(file) is None

    for missing in (1, 12, 2000, len(data) // 2):
        file.write_bytes(data[:-missing])

        assert unreadable(file) is not None


@pytest.mark.parametrize("picture_format", ["PNG", "JPEG", "WEBP"])
def test_what_programs_and_phones_add_behind_a_picture_does_no_harm(file: Path, picture_format: str) -> None:
    file.write_bytes(picture(picture_format) + bytes(3 << 20))

    assert unreadable(file) is None


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"hello", "its bytes are text/plain"),
        (b"\x89PNG\r\n\x1a\n" + bytes(50), "its bytes begin as image/png, but do not go on so"),
        (b"\xff\xd8\xff\xe0" + bytes(50), "its bytes begin as image/jpeg, but do not go on so"),
    ],
)
def test_what_is_no_picture_is_told(file: Path, data: bytes, reason: str) -> None:
    file.write_bytes(data)

    assert unreadable(file) == reason
