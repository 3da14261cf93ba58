"""Drawing with smooth edges in units instead of pixels, and reading and writing image bytes."""

import io
import random
from collections.abc import Iterable, Sequence
from copy import copy
from hashlib import blake2b

from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageOps, UnidentifiedImageError

Colour = tuple[int, int, int]
Point = tuple[float, float]

_FORMATS = {"jpg": "JPEG", "jpeg": "JPEG", "png": "PNG", "webp": "WEBP"}
_SAMPLES = 2
"""Everything is drawn this many times larger and reduced once: that is what makes the edges smooth."""

_CURVE_STEPS = 10


class NotAPicture(ValueError):
    """The bytes are not an image that can be read."""


def decode(data: bytes) -> Image.Image:
    """Return the picture upright, as RGB or, if it has transparency, RGBA. Errors: NotAPicture."""
    try:
        image = Image.open(io.BytesIO(data))
        image.load()
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, ValueError, SyntaxError) as error:
        raise NotAPicture(str(error)) from error
    upright = ImageOps.exif_transpose(image)
    transparent = "A" in upright.getbands() or "transparency" in upright.info
    return upright.convert("RGBA" if transparent else "RGB")


def decode_flat(data: bytes) -> Image.Image:
    """Return the picture as RGB, transparent parts white. Errors: NotAPicture."""
    image = decode(data)
    return image if image.mode == "RGB" else flattened(image)


def dimensions(data: bytes) -> tuple[int, int]:
    """Return width and height without reading the pixels. Errors: NotAPicture."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            return image.size
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, ValueError, SyntaxError) as error:
        raise NotAPicture(str(error)) from error


def examined(data: bytes) -> tuple[str, int, int]:
    """Return Pillow's name of the format, width and height; reads every pixel. Errors: NotAPicture."""
    width, height = decode(data).size
    with Image.open(io.BytesIO(data)) as image:
        return str(image.format), width, height


def is_grey(data: bytes) -> bool:
    """Whether the picture has one channel, of grey or of black and white. Errors: NotAPicture."""
    decode(data)
    with Image.open(io.BytesIO(data)) as image:
        return image.mode in ("L", "1")


def plain(name: str, format: str) -> bytes:
    """Return a picture of one colour, which *name* decides. *format* and errors as with `encode`."""
    colour = blake2b(name.encode(), digest_size=3).digest()
    return encode(Image.new("RGB", (512, 512), (colour[0], colour[1], colour[2])), format)


def encode(image: Image.Image, format: str) -> bytes:
    """Return the bytes of *image* as `jpg`, `jpeg`, `png` or `webp`. Errors: ValueError for any other."""
    name = _FORMATS.get(format.lower())
    if name is None:
        raise ValueError(f"pictures are made as {', '.join(_FORMATS)}, not {format!r}")
    buffer = io.BytesIO()
    if name == "JPEG":
        flattened(image).save(buffer, name, quality=90)
    elif name == "PNG":
        image.save(buffer, name, compress_level=1)
    else:
        image.save(buffer, name, quality=88, method=1)
    return buffer.getvalue()


def flattened(image: Image.Image) -> Image.Image:
    """Return *image* as RGB on white."""
    if image.mode != "RGBA":
        return image.convert("RGB")
    ground = Image.new("RGB", image.size, (255, 255, 255))
    ground.paste(image, mask=image.getchannel("A"))
    return ground


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """Return the colour *share* (0 to 1) of the way from *first* to *second*."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(first, second, strict=True))
    return red, green, blue


def dark(colour: Colour, share: float) -> Colour:
    """Return *colour* nearer to a warm black."""
    return mix(colour, (28, 18, 24), share)


def light(colour: Colour, share: float) -> Colour:
    """Return *colour* nearer to white."""
    return mix(colour, (255, 253, 248), share)


def varied(rng: random.Random, colour: Colour, by: int) -> Colour:
    """Return *colour* with every channel moved by at most *by*."""
    red, green, blue = (max(0, min(255, channel + rng.randint(-by, by))) for channel in colour)
    return red, green, blue


def gradient(size: tuple[int, int], top: Colour, bottom: Colour) -> Image.Image:
    """Return a vertical gradient."""
    ramp = Image.linear_gradient("L").resize(size, Image.Resampling.BILINEAR)
    return ImageOps.colorize(ramp, top, bottom)


def glow(size: tuple[int, int], inner: Colour, outer: Colour, centre: Point = (0.5, 0.42)) -> Image.Image:
    """Return a radial gradient; *centre* in shares of width and height."""
    width, height = size
    reach = 2.6 * max(width, height)
    # The ready-made ramp is round and its middle is darkest: crop the wanted part out of it.
    ramp = Image.radial_gradient("L")
    left = 0.5 - centre[0] * width / reach
    top = 0.5 - centre[1] * height / reach
    box = (left * 256, top * 256, (left + width / reach) * 256, (top + height / reach) * 256)
    part = ramp.resize(size, Image.Resampling.BICUBIC, box=box)
    return ImageOps.colorize(part, inner, outer, blackpoint=0, whitepoint=150)


def smooth(points: Sequence[Point], *, closed: bool = True) -> list[Point]:
    """Return a curve through *points* (Catmull-Rom)."""
    count = len(points)
    curve: list[Point] = []
    for index in range(count if closed else count - 1):
        before, start, end, after = (_neighbour(points, index + offset, closed) for offset in (-1, 0, 1, 2))
        curve.extend(_between(before, start, end, after, step / _CURVE_STEPS) for step in range(_CURVE_STEPS))
    return curve if closed else [*curve, points[-1]]


def _neighbour(points: Sequence[Point], index: int, closed: bool) -> Point:
    return points[index % len(points)] if closed else points[max(0, min(len(points) - 1, index))]


def _between(before: Point, start: Point, end: Point, after: Point, t: float) -> Point:
    def axis(p0: float, p1: float, p2: float, p3: float) -> float:
        bend = 2 * p0 - 5 * p1 + 4 * p2 - p3
        return 0.5 * (2 * p1 + (p2 - p0) * t + bend * t * t + (3 * p1 - p0 - 3 * p2 + p3) * t**3)

    return axis(before[0], start[0], end[0], after[0]), axis(before[1], start[1], end[1], after[1])


def mirrored(right: Sequence[Point]) -> list[Point]:
    """Return the closed outline whose right half, from top to bottom around x = 0, is *right*."""
    return [*right, *((-x, y) for x, y in reversed(right) if x != 0)]


def oval(centre: Point, rx: float, ry: float) -> list[Point]:
    """Return four points that `smooth` turns into an ellipse-like outline."""
    x, y = centre
    k = 0.7071
    return [
        (x, y - ry),
        (x + k * rx, y - k * ry),
        (x + rx, y),
        (x + k * rx, y + k * ry),
        (x, y + ry),
        (x - k * rx, y + k * ry),
        (x - rx, y),
        (x - k * rx, y - k * ry),
    ]


class Sketch:
    """
    A canvas one draws on in units of one's own; `done` gives the picture with smooth edges.

    Shape:   *origin* is where (0, 0) lies, in pixels of the finished picture, and
             *unit* how many of its pixels one unit is.
    """

    def __init__(self, ground: Image.Image, *, origin: Point = (0, 0), unit: float = 1.0) -> None:
        self._size = ground.size
        width, height = ground.size
        self._image = ground.resize((width * _SAMPLES, height * _SAMPLES), Image.Resampling.NEAREST)
        self._draw = ImageDraw.Draw(self._image)
        self._origin = origin
        self._unit = unit

    def done(self) -> Image.Image:
        """Return what was drawn, in the size of the ground."""
        return self._image.reduce(_SAMPLES)

    def at(self, origin: Point, unit: float) -> "Sketch":
        """Return a sketch on the same canvas with its own origin and unit."""
        other = copy(self)
        other._origin, other._unit = origin, unit
        return other

    def shape(self, outline: Sequence[Point], fill: Colour, *, curved: bool = True) -> None:
        """Fill *outline*."""
        self._draw.polygon(self._pixels(smooth(outline) if curved else outline), fill=fill)

    def disc(self, centre: Point, radius: float, fill: Colour) -> None:
        """Fill a circle."""
        (x, y), r = self._pixels([centre])[0], radius * self._unit * _SAMPLES
        self._draw.ellipse((x - r, y - r, x + r, y + r), fill=fill)

    def stroke(self, points: Sequence[Point], fill: Colour, width: float) -> None:
        """Draw a curve through *points*, round at both ends."""
        path = self._pixels(smooth(points, closed=False))
        thick = max(1, round(width * self._unit * _SAMPLES))
        self._draw.line(path, fill=fill, width=thick, joint="curve")
        for x, y in (path[0], path[-1]):
            r = thick / 2 - 0.5
            self._draw.ellipse((x - r, y - r, x + r, y + r), fill=fill)

    def soft(
        self,
        outline: Sequence[Point],
        fill: Colour,
        *,
        blur: float,
        strength: float = 1.0,
        within: Sequence[Point] | None = None,
    ) -> None:
        """Fill *outline* with a blurred edge (*blur* in units), only inside the outline *within*."""
        path = self._pixels(smooth(outline))
        margin = 3 * blur * self._unit * _SAMPLES
        box = self._box(path, margin)
        if box is None:
            return
        mask = self._soft_mask(path, box, blur, strength)
        if within is not None:
            limit = Image.new("L", mask.size, 0)
            ImageDraw.Draw(limit).polygon(_moved(self._pixels(smooth(within)), box[:2]), fill=255)
            mask = ImageChops.multiply(mask, limit)
        self._image.paste(fill, box, mask)

    def _soft_mask(
        self, path: Iterable[Point], box: tuple[int, int, int, int], blur: float, strength: float
    ) -> Image.Image:
        # A blurred thing has no detail: drawing it small and enlarging it costs a fraction.
        radius = blur * self._unit * _SAMPLES
        small = max(1, min(16, int(radius / 2)))
        size = (box[2] - box[0], box[3] - box[1])
        mask = Image.new("L", (max(1, size[0] // small), max(1, size[1] // small)), 0)
        shrunk = [(x / small, y / small) for x, y in _moved(path, box[:2])]
        ImageDraw.Draw(mask).polygon(shrunk, fill=round(255 * strength))
        return mask.filter(ImageFilter.GaussianBlur(radius / small)).resize(size, Image.Resampling.BILINEAR)

    def _box(self, path: Sequence[Point], margin: float) -> tuple[int, int, int, int] | None:
        left = max(0, int(min(x for x, _ in path) - margin))
        top = max(0, int(min(y for _, y in path) - margin))
        right = min(self._image.width, int(max(x for x, _ in path) + margin) + 1)
        bottom = min(self._image.height, int(max(y for _, y in path) + margin) + 1)
        return (left, top, right, bottom) if left < right and top < bottom else None

    def _pixels(self, points: Iterable[Point]) -> list[Point]:
        unit = self._unit * _SAMPLES
        x0, y0 = self._origin[0] * _SAMPLES, self._origin[1] * _SAMPLES
        return [(x0 + x * unit, y0 + y * unit) for x, y in points]


def _moved(path: Iterable[Point], by: tuple[int, int]) -> list[Point]:
    return [(x - by[0], y - by[1]) for x, y in path]
