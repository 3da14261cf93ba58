"""Telling subject from background, and filling a hole from what surrounds it."""

from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageStat

from orchestrator.simulators.pictures.canvas import Colour

_SMALL = 128
"""Long side, in pixels, of the picture that is searched for what belongs together."""

_DIFFERENT = 26
"""From this difference to the background (of 255, largest channel) on, a pixel belongs to the subject."""


def filled(image: Image.Image) -> Image.Image:
    """
    Return RGB where the transparent parts of *image* (RGBA) grew over from the opaque ones.

    The picture is halved until the holes have closed, then put together again
    from coarse to fine: what is far from any known pixel gets the average of its wide surroundings.
    """
    levels = [image]
    while min(levels[-1].size) > 1:
        width, height = levels[-1].size
        # Pillow weighs colours by their alpha when it resizes RGBA: holes do not darken the average.
        levels.append(levels[-1].resize(((width + 1) // 2, (height + 1) // 2), Image.Resampling.BOX))
    result = levels.pop().convert("RGB").convert("RGBA")
    for level in reversed(levels):
        result = result.resize(level.size, Image.Resampling.BILINEAR)
        result.alpha_composite(_solid(level))
    return result.convert("RGB")


def _solid(level: Image.Image) -> Image.Image:
    """Return *level* with everything that is not nearly transparent opaque, so that colours stay exact."""
    solid = level.copy()
    solid.putalpha(level.getchannel("A").point(lambda alpha: min(255, alpha * 2)))
    return solid


def subject(image: Image.Image) -> Image.Image:
    """Return *image* (RGB) as RGBA whose background is transparent."""
    result = image.copy()
    result.putalpha(_subject_mask(image))
    return result


def ground(image: Image.Image) -> Image.Image:
    """Return what the background of *image* (RGB) probably looks like behind its subject, much smaller."""
    small = _shrunk(image)
    small.putalpha(_frame(small))
    return filled(small).filter(ImageFilter.GaussianBlur(2))


def has_plain_ground(image: Image.Image) -> bool:
    """Return whether the edge of *image* (RGB) is smooth enough to be a background one can cut away."""
    small = _shrunk(image)
    uneven = ImageStat.Stat(_difference(small, ground(image)), _frame(small))
    return uneven.mean[0] < _DIFFERENT / 3


def _frame(small: Image.Image) -> Image.Image:
    """Return 255 where the edge of a picture shows its background."""
    frame = Image.new("L", small.size, 0)
    draw = ImageDraw.Draw(frame)
    width, height = small.size
    edge = max(2, width // 24)
    # Shoulders and tables leave the picture at its bottom; there the sides say nothing about the background.
    depth = height if _same_corners(small) else round(height * 0.5)
    draw.rectangle((0, 0, width, edge), fill=255)
    draw.rectangle((0, 0, edge, depth), fill=255)
    draw.rectangle((width - edge, 0, width, depth), fill=255)
    return frame


def _subject_mask(image: Image.Image) -> Image.Image:
    backdrop = ground(image)
    small = _shrunk(image)
    inside = _not_reached(_difference(small, backdrop))
    core = inside.filter(ImageFilter.MinFilter(5)).resize(image.size, Image.Resampling.BILINEAR)
    near = inside.filter(ImageFilter.MaxFilter(5)).resize(image.size, Image.Resampling.BILINEAR)
    fine = _difference(image, backdrop.resize(image.size, Image.Resampling.BICUBIC))
    edge = fine.point(lambda value: max(0, min(255, (value - 20) * 10)))
    mask = ImageChops.lighter(core.point(_hardened), ImageChops.darker(edge, near))
    return mask.filter(ImageFilter.GaussianBlur(0.7))


def _hardened(value: int) -> int:
    return max(0, min(255, (value - 128) * 3))


def _not_reached(difference: Image.Image) -> Image.Image:
    """Return 255 where the background, flooding in from the edges, does not come."""
    land = difference.point(lambda value: 255 if value >= _DIFFERENT else 0)
    width, height = land.size
    starts = [(0, 0), (width - 1, 0), (width // 2, 0)]
    starts += [(x, round(height * share)) for x in (0, width - 1) for share in (0.25, 0.5, 0.75, 0.99)]
    for start in starts:
        if land.getpixel(start) == 0:
            ImageDraw.floodfill(land, start, 128)
    islands = land.point(lambda value: 0 if value == 128 else 255)
    # What looks exactly like the background in the midst of the subject is a hole: a handle, a bent arm.
    same = difference.point(lambda value: 255 if value < 5 else 0).filter(ImageFilter.MinFilter(5))
    return ImageChops.subtract(islands, same.filter(ImageFilter.MaxFilter(5)))


def _difference(image: Image.Image, other: Image.Image) -> Image.Image:
    """Return how far the two are apart, in the channel where it is most."""
    red, green, blue = ImageChops.difference(image, other).split()
    return ImageChops.lighter(ImageChops.lighter(red, green), blue)


def _shrunk(image: Image.Image) -> Image.Image:
    factor = _SMALL / max(image.size)
    size = max(1, round(image.width * factor)), max(1, round(image.height * factor))
    return image.resize(size, Image.Resampling.BOX)


def _same_corners(small: Image.Image) -> bool:
    width, height = small.size
    return all(
        _apart(pixel(small, (x, 0)), pixel(small, (x, height - 1))) < 3 * _DIFFERENT for x in (0, width - 1)
    )


def _apart(first: Colour, second: Colour) -> int:
    return max(abs(a - b) for a, b in zip(first, second, strict=True))


def pixel(image: Image.Image, at: tuple[int, int]) -> Colour:
    """Return the colour of one pixel of an RGB picture."""
    value = image.getpixel(at)
    assert isinstance(value, tuple), "an RGB picture has three values per pixel"
    red, green, blue = value[:3]
    return int(red), int(green), int(blue)
