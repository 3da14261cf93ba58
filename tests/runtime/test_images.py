from base64 import b64encode
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from urllib.parse import quote

import pytest
from aiohttp import web
from PIL import Image

from orchestrator.artifacts.artifact import Artifact
from orchestrator.artifacts.folder import Folder
from orchestrator.artifacts.sniff import Nature, describe
from orchestrator.providers.base import Accepts, ArtifactRef, PreparedBytes, PreparedUrl
from orchestrator.runtime import fitting
from orchestrator.runtime.images import ImageProblem, Images
from orchestrator.runtime.transport import Transport

ANYTHING = Accepts()
RED, WHITE = (255, 0, 0), (255, 255, 255)


@dataclass
class Gallery:
    """Images, their folder, and a server that shows whatever a test hangs up."""

    images: Images
    folder: Folder
    url: str
    shown: bytes = b""
    status: int = 200
    visits: int = 0
    kept: list[Artifact] = field(default_factory=list)

    async def prepare(self, image: str | ArtifactRef, accepts: Accepts = ANYTHING) -> PreparedBytes:
        prepared = await self.images.prepare(image, accepts, "own", self.kept.append)
        assert isinstance(prepared, PreparedBytes)
        return prepared


@pytest.fixture
async def gallery(tmp_path: Path) -> AsyncIterator[Gallery]:
    async def show(request: web.BaseRequest) -> web.Response:
        made.visits += 1
        return web.Response(body=made.shown, status=made.status, content_type="text/html")

    runner = web.ServerRunner(web.Server(show))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    folder = Folder(tmp_path)
    async with Transport({"own": url}) as transport:
        made = Gallery(Images(transport, folder, bytes_max=2_000_000, fetch_s=5), folder, url)
        yield made
    await folder.close()
    await runner.cleanup()


def encoded(picture: Image.Image, picture_format: str = "PNG", **options: object) -> bytes:
    buffer = BytesIO()
    picture.save(buffer, picture_format, **options)
    return buffer.getvalue()


def plain(size: tuple[int, int] = (8, 6), picture_format: str = "PNG") -> bytes:
    return encoded(Image.new("RGB", size, RED), picture_format)


def noise(size: tuple[int, int]) -> Image.Image:
    return Image.effect_noise(size, 100).convert("RGB")


def data_uri(data: bytes, media_type: str = "image/png") -> str:
    return f"data:{media_type};base64,{b64encode(data).decode()}"


def opened(data: bytes) -> Image.Image:
    picture = Image.open(BytesIO(data))
    picture.load()
    return picture


# --- where images come from ------------------------------------------------------------------


async def test_a_url_is_passed_on_unfetched_where_urls_are_taken(gallery: Gallery) -> None:
    prepared = await gallery.images.prepare("https://10.0.0.1/x.png", Accepts(url=True), "own")

    assert prepared == PreparedUrl("https://10.0.0.1/x.png")


async def test_a_data_uri_becomes_bytes_even_where_urls_are_taken(gallery: Gallery) -> None:
    prepared = await gallery.prepare(data_uri(plain()), Accepts(url=True))

    assert await gallery.folder.read(prepared.digest) == plain()


async def test_bytes_that_fit_are_not_changed(gallery: Gallery) -> None:
    prepared = await gallery.prepare(data_uri(plain(), "image/jpeg"))

    assert prepared == PreparedBytes(
        digest=await gallery.folder.put(plain()),
        media_type="image/png",
        size=len(plain()),
        width=8,
        height=6,
        name=f"{prepared.digest[7:19]}.png",
    )


async def test_an_artifact_is_found_by_its_text_and_by_its_object(gallery: Gallery) -> None:
    digest = await gallery.folder.put(plain())

    by_text = await gallery.prepare(f"artifact:{digest}")
    by_object = await gallery.prepare(ArtifactRef(digest=digest, name="dress.jpeg"))

    assert by_text.digest == by_object.digest == digest
    assert by_object.name == "dress.png"
    assert gallery.kept == []


async def test_a_url_is_fetched_for_who_takes_only_bytes_and_kept_with_its_source(gallery: Gallery) -> None:
    gallery.shown = plain()
    prepared = await gallery.prepare(f"{gallery.url}/shot.php?x=1")

    assert prepared.media_type == "image/png"
    assert prepared.name == "shot.png"
    assert [artifact.source_url for artifact in gallery.kept] == [f"{gallery.url}/shot.php?x=1"]


@pytest.mark.parametrize(
    ("status", "cls"),
    [(404, "invalid_request"), (403, "invalid_request"), (503, "network"), (429, "network")],
)
async def test_an_image_that_is_not_served_is_a_problem(gallery: Gallery, status: int, cls: str) -> None:
    gallery.status = status
    with pytest.raises(ImageProblem) as problem:
        await gallery.prepare(gallery.url)

    assert problem.value.failure.cls == cls


async def test_an_image_from_inside_is_refused(gallery: Gallery) -> None:
    with pytest.raises(ImageProblem) as problem:
        await gallery.images.prepare(gallery.url, Accepts(), "another connection")

    assert problem.value.failure.cls == "refused_url"
    assert gallery.visits == 0


async def test_an_image_that_is_too_large_is_not_fetched_to_its_end(gallery: Gallery) -> None:
    gallery.shown = bytes(3_000_000)
    with pytest.raises(ImageProblem, match="larger than 2000000 bytes"):
        await gallery.prepare(gallery.url)


async def test_an_artifact_that_is_not_here_is_a_problem(gallery: Gallery) -> None:
    with pytest.raises(ImageProblem, match="there is no artifact"):
        await gallery.prepare("artifact:sha256:" + "0" * 64)


@pytest.mark.parametrize(
    "uri",
    [
        "data:image/png;base64",
        "data:image/png;base64,%%%",
        "data:image/png;base64,ab!c",
        "data:image/png;base64,é",
        "data:image/png;base64," + "A" * 2_700_000,
        data_uri(b"GIF89a and nothing more"),
        data_uri(b"<html>"),
        "data:,",
    ],
)
async def test_a_data_uri_that_holds_no_image_is_a_problem(gallery: Gallery, uri: str) -> None:
    with pytest.raises(ImageProblem) as problem:
        await gallery.prepare(uri)

    assert problem.value.failure.cls == "invalid_request"


async def test_a_data_uri_becomes_an_artifact(gallery: Gallery) -> None:
    wrapped = "\n".join(b64encode(plain()).decode()[i : i + 20] for i in range(0, 200, 20))
    for uri in (data_uri(plain()), "data:;base64," + quote(b64encode(plain()).decode())):
        artifact = await gallery.images.internalize(uri)

        assert (artifact.media_type, artifact.width, artifact.height) == ("image/png", 8, 6)
        assert await gallery.folder.read(artifact.digest) == plain()
    assert (await gallery.images.internalize("data:text/plain,a%20b")).media_type == "text/plain"
    assert (await gallery.images.internalize(f"data:image/png;base64,{wrapped}")).media_type == "image/png"


# --- making them fit -------------------------------------------------------------------------


async def test_what_is_converted_is_kept_and_recorded(gallery: Gallery) -> None:
    digest = await gallery.folder.put(plain(picture_format="WEBP"))
    prepared = await gallery.prepare(f"artifact:{digest}")

    assert prepared.media_type == "image/jpeg"
    assert prepared.name.endswith(".jpg")
    assert [artifact.digest for artifact in gallery.kept] == [prepared.digest]
    assert (await gallery.folder.read(prepared.digest))[:3] == b"\xff\xd8\xff"


async def test_a_corrupt_artifact_is_not_converted(gallery: Gallery) -> None:
    digest = await gallery.folder.put(plain())
    gallery.folder.path(digest).write_bytes(plain((9, 9)))

    with pytest.raises(ImageProblem, match="corrupt"):
        await gallery.prepare(f"artifact:{digest}", Accepts(media_types=("image/jpeg",)))


@pytest.mark.parametrize(
    "accepts",
    [
        Accepts(media_types=("image/jpeg",), resize=False),
        Accepts(long_side_max=7, resize=False),
        Accepts(bytes_max=10, resize=False),
    ],
)
async def test_without_resize_what_does_not_fit_is_refused(gallery: Gallery, accepts: Accepts) -> None:
    with pytest.raises(ImageProblem, match="resize is false") as problem:
        await gallery.prepare(data_uri(plain()), accepts)

    assert problem.value.failure.cls == "invalid_request"


def fitted(data: bytes, **accepts: object) -> tuple[Image.Image, str, int]:
    made, media_type = fitting.fit(data, describe(data), Accepts(**accepts))  # type: ignore[arg-type]
    assert describe(made).media_type == media_type
    return opened(made), media_type, len(made)


def test_the_long_side_is_scaled_and_the_shape_kept() -> None:
    picture, media_type, _ = fitted(plain((400, 200)), long_side_max=100)

    assert (picture.size, media_type) == ((100, 50), "image/png")


def test_alpha_is_laid_on_white_where_the_format_has_none() -> None:
    glass = encoded(Image.new("RGBA", (4, 4), (255, 0, 0, 0)))
    picture, _, _ = fitted(glass, media_types=("image/jpeg",))

    assert picture.mode == "RGB"
    assert picture.getpixel((1, 1)) == WHITE


def test_alpha_is_kept_where_the_format_has_it() -> None:
    glass = encoded(Image.new("RGBA", (40, 40), (255, 0, 0, 128)), "WEBP", lossless=True)
    picture, _, _ = fitted(glass, media_types=("image/png",))

    assert picture.mode == "RGBA"
    assert picture.getchannel("A").getextrema() == (128, 128)


def test_a_mask_is_inverted_where_its_other_side_is_meant() -> None:
    half = Image.new("L", (40, 40), 0)
    half.paste(255, (0, 0, 20, 40))
    mask = encoded(half, "PNG")
    picture, _, _ = fitted(mask, media_types=("image/png",), invert=True)

    assert (picture.getpixel((1, 1)), picture.getpixel((39, 1))) == ((0, 0, 0), WHITE)
    assert not fitting.fits(describe(mask), len(mask), Accepts(media_types=("image/png",), invert=True))


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "L"])
@pytest.mark.parametrize("picture_format", ["PNG", "TIFF"])
def test_what_is_to_be_grey_has_one_channel_and_its_edges(mode: str, picture_format: str) -> None:
    half = Image.new("L", (40, 40), 0)
    half.paste(255, (0, 0, 20, 40))
    grey = Accepts(media_types=("image/png", "image/jpeg"), grey=True)
    mask = encoded(half.convert(mode), picture_format)

    picture, media_type, _ = fitted(mask, media_types=grey.media_types, grey=True)

    assert fitting.fits(describe(mask), len(mask), grey) == (mode == "L" and picture_format == "PNG")
    assert (picture.mode, media_type) == ("L", "image/png")
    assert [picture.getpixel((x, 1)) for x in (0, 19, 20, 39)] == [255, 255, 0, 0]


def test_a_grey_mask_in_colours_is_no_jpeg_afterwards() -> None:
    photo = plain((40, 20), "JPEG")

    _, media_type, _ = fitted(photo, media_types=("image/png", "image/jpeg"), grey=True)

    assert media_type == "image/png"


@pytest.mark.parametrize(("mode", "is_converted"), [("L", False), ("RGB", True)])
async def test_what_is_grey_already_is_sent_as_it_is(gallery: Gallery, mode: str, is_converted: bool) -> None:
    mask = encoded(Image.new(mode, (8, 6)))

    prepared = await gallery.prepare(data_uri(mask), Accepts(media_types=("image/png",), grey=True))

    assert (len(gallery.kept) == 2) == is_converted
    assert describe(await gallery.folder.read(prepared.digest)) == Nature("image/png", 8, 6, grey=True)


def test_transparency_of_a_palette_is_seen() -> None:
    palette = Image.new("P", (4, 4))
    palette.putpalette([255, 0, 0, 0, 255, 0])
    picture, _, _ = fitted(encoded(palette, "GIF", transparency=0), media_types=("image/jpeg",))

    assert picture.getpixel((1, 1)) == WHITE


def test_the_orientation_of_a_camera_is_applied() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    upright, _, _ = fitted(encoded(Image.new("RGB", (40, 20)), "JPEG", exif=exif), media_types=("image/png",))

    assert upright.size == (20, 40)
    assert upright.getexif().get(0x0112) is None


def test_a_file_that_is_too_large_is_made_smaller_until_it_fits() -> None:
    picture, media_type, size = fitted(
        encoded(noise((300, 200))), media_types=("image/png",), bytes_max=20_000
    )

    assert media_type == "image/png"
    assert size <= 20_000
    assert abs(picture.width / picture.height - 1.5) < 0.05


def test_a_photograph_that_is_too_large_as_png_becomes_a_jpeg_before_it_is_scaled() -> None:
    data = encoded(noise((300, 200)))
    picture, media_type, size = fitted(data, media_types=("image/png", "image/jpeg"), bytes_max=len(data) - 1)

    assert (picture.size, media_type) == ((300, 200), "image/jpeg")
    assert size < len(data)


def test_what_cannot_be_made_small_enough_is_refused() -> None:
    with pytest.raises(fitting.Unfit, match="small enough"):
        fitted(plain(), media_types=("image/png",), bytes_max=10)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "CMYK", "I;16", "YCbCr"])
def test_every_kind_of_colour_becomes_a_jpeg(mode: str) -> None:
    picture_format = {"CMYK": "TIFF", "YCbCr": "JPEG"}.get(mode, "PNG")
    picture, _, _ = fitted(
        encoded(Image.new(mode, (16, 16)), picture_format), media_types=("image/jpeg",), long_side_max=8
    )

    assert (picture.mode, picture.size) == ("RGB", (8, 8))


def test_sixteen_bits_keep_their_brightness() -> None:
    grey = Image.new("I;16", (4, 4), 0x8000)
    picture, _, _ = fitted(encoded(grey), media_types=("image/jpeg",))

    assert picture.getpixel((1, 1)) == (128, 128, 128)


def test_half_a_picture_is_not_converted() -> None:
    with pytest.raises(fitting.Unfit, match="incomplete or broken"):
        fitted(encoded(noise((64, 64)))[:2000], media_types=("image/jpeg",))


def test_a_picture_that_says_it_is_enormous_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fitting, "PIXELS_MAX", 100)

    with pytest.raises(fitting.Unfit, match="more than 100 pixels"):
        fitted(plain((11, 10)), media_types=("image/jpeg",))


def test_what_cannot_be_read_does_not_fit_as_it_is() -> None:
    assert not fitting.fits(Nature("image/png"), 100, Accepts())
    assert fitting.fits(Nature("image/png", 8, 6), 100, Accepts())
