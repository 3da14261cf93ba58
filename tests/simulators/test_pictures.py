"""The simulators' pictures: the right size, really changed, and the same for the same seed."""

import io
from collections.abc import Callable

import pytest
from PIL import Image, ImageChops, ImageStat

from orchestrator.simulators import pictures


@pytest.fixture(scope="module")
def face() -> bytes:
    return pictures.portrait(7, format="jpg", traits={"gender": "female", "hairColor": "Brown"})


def opened(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def difference(first: bytes, second: bytes, box: tuple[int, int, int, int] | None = None) -> float:
    """Return how far two pictures are apart on average, of 255."""
    one, other = (opened(data).convert("RGB").crop(box) for data in (first, second))
    return sum(ImageStat.Stat(ImageChops.difference(one, other)).mean) / 3


def mask(size: tuple[int, int], hole: tuple[int, int, int, int]) -> bytes:
    image = Image.new("L", size, 0)
    image.paste(255, hole)
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def test_the_same_seed_draws_the_same_person_to_the_byte() -> None:
    assert pictures.portrait(3) == pictures.portrait(3)


def test_another_seed_draws_another_person() -> None:
    assert difference(pictures.portrait(3), pictures.portrait(4)) > 10


@pytest.mark.parametrize(("format", "name"), [("png", "PNG"), ("jpg", "JPEG"), ("webp", "WEBP")])
def test_a_portrait_has_the_size_and_format_asked_for(format: str, name: str) -> None:
    image = opened(pictures.portrait(1, size=(300, 400), format=format))

    assert (image.size, image.format) == ((300, 400), name)


def test_an_unknown_format_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="'bmp'"):
        pictures.portrait(1, size=(30, 40), format="bmp")


def test_hair_and_eyes_have_the_colours_asked_for_in_any_spelling() -> None:
    image = opened(
        pictures.portrait(1, traits={"gender": "Female", "hair_color": "ginger", "eyeColor": "Blue"})
    ).convert("RGB")

    red, _, blue = (ImageStat.Stat(image.crop((350, 190, 420, 240))).mean)[:3]
    assert red > blue + 60
    eye = ImageStat.Stat(image.crop((438, 424, 462, 436))).mean
    assert eye[2] > eye[0]


@pytest.mark.parametrize(
    "traits",
    [
        {"age": "Baby"},
        {"age": "elderly", "gender": "male", "facialHair": "Long Beard"},
        {"hairLength": "Bald", "gender": "male", "facialHair": "Mustache"},
        {"hairLength": "Buzz cut", "distinctiveFeatures": ["Freckles", "Ear piercings"]},
        {"hairLength": "Very long", "ethnicity": "African \\ East African \\ Kenyan"},
    ],
)
def test_every_kind_of_traits_gives_a_portrait_of_its_own(traits: dict[str, object]) -> None:
    assert difference(pictures.portrait(5), pictures.portrait(5, traits=traits)) > 0.3


def test_traits_nobody_knows_change_nothing() -> None:
    assert pictures.portrait(5, traits={"hairLength": 7, "aura": None}) == pictures.portrait(5)


@pytest.mark.parametrize(
    ("ratio", "size"),
    [("1:1", (1024, 1024)), ("9:16", (576, 1024)), ("16:9", (1024, 576)), ("21:9", (1024, 439))],
)
def test_a_product_shot_has_the_aspect_ratio_asked_for(ratio: str, size: tuple[int, int]) -> None:
    shot = pictures.product_shot(None, seed=1, shot_type="studio", aspect_ratio=ratio, format="jpg")

    assert pictures.dimensions(shot) == size


@pytest.mark.parametrize("shot_type", ["packshot", "studio", "lifestyle", "mix"])
def test_the_product_handed_in_is_really_in_the_scene(shot_type: str) -> None:
    buffer = io.BytesIO()
    product = Image.new("RGB", (400, 400), (255, 255, 255))
    product.paste((12, 200, 40), (100, 60, 300, 360))
    product.save(buffer, "PNG")

    shot = pictures.product_shot(
        buffer.getvalue(), seed=2, shot_type=shot_type, aspect_ratio="1:1", format="png"
    )

    green = [colour for count, colour in opened(shot).getcolors(1 << 24) or [] if colour == (12, 200, 40)]
    assert green == [(12, 200, 40)]


@pytest.mark.parametrize("shot_type", ["packshot", "studio", "lifestyle"])
def test_variants_of_a_shot_are_other_pictures(shot_type: str) -> None:
    one, other = (
        pictures.product_shot(None, seed=seed, shot_type=shot_type, aspect_ratio="1:1", format="png")
        for seed in (1, 2)
    )

    assert one != other


def test_the_model_handed_in_is_really_in_the_lifestyle_shot(face: bytes) -> None:
    def shot(model: bytes | None) -> bytes:
        return pictures.product_shot(
            None, seed=2, shot_type="lifestyle", aspect_ratio="3:4", format="png", model=model
        )

    assert difference(shot(face), shot(None)) > 2


@pytest.mark.parametrize(("shot_type", "ratio"), [("selfie", "1:1"), ("studio", "wide"), ("studio", "0:1")])
def test_an_unknown_shot_type_or_ratio_is_refused(shot_type: str, ratio: str) -> None:
    with pytest.raises(ValueError, match=r"shot type|aspect ratio"):
        pictures.product_shot(None, seed=1, shot_type=shot_type, aspect_ratio=ratio, format="jpg")


@pytest.mark.parametrize("scale", [1, 2, 4])
def test_an_enlargement_is_exactly_as_many_times_larger(scale: int) -> None:
    small = pictures.portrait(1, size=(99, 131), format="jpg")

    enlarged = pictures.enlarge(small, scale, format="webp")

    assert pictures.dimensions(enlarged) == (99 * scale, 131 * scale)


RETOUCHES: dict[str, Callable[[bytes], bytes]] = {
    "hair": lambda image: pictures.hair(image, style_seed=1),
    "wig": lambda image: pictures.wig(image, style_seed=1),
    "old": lambda image: pictures.aged(image, 75),
    "young": lambda image: pictures.aged(image, 18),
    "makeup": lambda image: pictures.makeup(image, pictures.portrait(2, format="jpg")),
    "removal": lambda image: pictures.remove_object(image, mask((768, 1024), (300, 300, 400, 420))),
    "colorized": pictures.colorized,
}


@pytest.mark.parametrize("name", RETOUCHES)
def test_a_retouched_picture_keeps_its_size_and_is_really_different(name: str, face: bytes) -> None:
    changed = RETOUCHES[name](face)

    assert pictures.dimensions(changed) == pictures.dimensions(face)
    assert difference(changed, face) > 0.3


@pytest.mark.parametrize("name", RETOUCHES)
def test_a_retouch_is_the_same_to_the_byte_each_time(name: str, face: bytes) -> None:
    assert RETOUCHES[name](face) == RETOUCHES[name](face)


@pytest.mark.parametrize("name", RETOUCHES)
def test_bytes_that_are_no_picture_are_refused_as_such(name: str) -> None:
    with pytest.raises(pictures.NotAPicture):
        RETOUCHES[name](b"GIF89a but not really")


def test_another_style_gives_other_hair(face: bytes) -> None:
    assert difference(pictures.hair(face, style_seed=1), pictures.hair(face, style_seed=4)) > 1


def test_only_what_the_mask_shows_in_white_is_removed(face: bytes) -> None:
    changed = pictures.remove_object(face, mask((768, 1024), (340, 380, 420, 460)))

    assert difference(changed, face, (340, 380, 420, 460)) > 5
    assert difference(changed, face, (0, 600, 768, 1024)) < 1


def test_a_mask_of_another_size_is_refused(face: bytes) -> None:
    with pytest.raises(ValueError, match="mask"):
        pictures.remove_object(face, mask((100, 100), (0, 0, 9, 9)))


@pytest.mark.parametrize("format", ["png", "webp"])
def test_a_cut_out_has_a_transparent_background_and_an_opaque_subject(format: str, face: bytes) -> None:
    alpha = opened(pictures.cut_out(face, format)).getchannel("A")

    assert [alpha.getpixel(corner) for corner in ((5, 5), (760, 5), (5, 400))] == [0, 0, 0]
    assert [alpha.getpixel(place) for place in ((384, 440), (384, 250), (384, 1000))] == [255, 255, 255]


def test_a_cut_out_in_a_format_without_transparency_is_refused(face: bytes) -> None:
    with pytest.raises(ValueError, match="transparency"):
        pictures.cut_out(face, "jpg")


def test_a_prompt_decides_the_picture_and_a_style_its_colours() -> None:
    valley = pictures.from_prompt("a quiet valley", 1)

    assert pictures.dimensions(valley) == (1024, 1024)
    assert valley == pictures.from_prompt("a quiet valley", 1)
    assert difference(valley, pictures.from_prompt("a quiet valley", 2)) > 10
    assert difference(valley, pictures.from_prompt("a woman in a quiet valley", 1)) > 10
