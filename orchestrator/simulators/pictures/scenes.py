"""Composing a product into a scene: on white, in a studio, in a room with somebody."""

import math
import random

from PIL import Image, ImageChops, ImageDraw, ImageFilter

from orchestrator.simulators.pictures.canvas import (
    Colour,
    Point,
    Sketch,
    dark,
    decode,
    encode,
    glow,
    gradient,
    light,
    mix,
    oval,
    varied,
)
from orchestrator.simulators.pictures.cutting import has_plain_ground, subject
from orchestrator.simulators.pictures.looks import looks
from orchestrator.simulators.pictures.people import draw_person
from orchestrator.simulators.pictures.products import stand_in

_LONG_SIDE = 1024
_WHITE: Colour = (255, 255, 255)

_PAPERS = ((246, 246, 247), (243, 246, 248), (248, 246, 243))
_BACKDROPS: tuple[Colour, ...] = (
    (232, 176, 160),
    (156, 190, 208),
    (178, 200, 168),
    (236, 206, 148),
    (186, 170, 212),
    (204, 200, 196),
)
_WALLS: tuple[Colour, ...] = ((236, 226, 212), (206, 216, 210), (226, 212, 206), (214, 218, 228))
_WOODS: tuple[Colour, ...] = ((176, 124, 82), (142, 96, 66), (206, 162, 116))


def product_shot(
    product: bytes | None,
    *,
    seed: int,
    shot_type: str,
    aspect_ratio: str,
    format: str,
    model: bytes | None = None,
) -> bytes:
    """
    Return *product* composed into a scene, 1024 pixels on the long side.

    Shape:   *shot_type* packshot, studio, lifestyle or mix (one of the three, by seed);
             *aspect_ratio* like `16:9`; *model* is the portrait of the person shown with it in
             lifestyle (somebody is drawn by seed otherwise); no *product* means a stand-in.
    Errors:  ValueError for another shot type, ratio or format; NotAPicture.
    """
    size = _size(aspect_ratio)
    rng = random.Random(f"shot-{seed}")
    item = _item(product, rng)
    if shot_type == "mix":
        shot_type = ("packshot", "studio", "lifestyle")[seed % 3]
    if shot_type == "packshot":
        scene = _packshot(size, item, rng)
    elif shot_type == "studio":
        scene = _studio(size, item, rng)
    elif shot_type == "lifestyle":
        scene = _lifestyle(size, item, rng, model)
    else:
        raise ValueError(f"no such shot type: {shot_type!r}")
    return encode(scene, format)


def _size(aspect_ratio: str) -> tuple[int, int]:
    across, _, down = aspect_ratio.partition(":")
    if not (across.isdecimal() and down.isdecimal() and int(across) and int(down)):
        raise ValueError(f"an aspect ratio looks like 16:9, not {aspect_ratio!r}")
    width, height = int(across), int(down)
    longest = max(width, height)
    return max(1, round(_LONG_SIDE * width / longest)), max(1, round(_LONG_SIDE * height / longest))


def _item(product: bytes | None, rng: random.Random) -> Image.Image:
    """Return the product as RGBA, cropped to what can be seen of it."""
    image = stand_in(rng) if product is None else decode(product)
    image.thumbnail((_LONG_SIDE, _LONG_SIDE), Image.Resampling.LANCZOS)
    if image.mode == "RGB" and not has_plain_ground(image):
        return _card(image)
    cut = image if image.mode == "RGBA" else subject(image)
    visible = cut.getchannel("A").point(lambda alpha: 255 if alpha > 24 else 0)
    box = visible.getbbox()
    share = visible.resize((32, 32), Image.Resampling.BOX).histogram()
    covered = 1 - share[0] / (32 * 32)
    if box is None or not 0.02 < covered < 0.94:
        return _card(image.convert("RGB"))
    return cut.crop(box)


def _card(image: Image.Image) -> Image.Image:
    """Return a picture that cannot be cut out as a print with a white edge."""
    edge = max(image.size) // 36
    card = Image.new("RGBA", (image.width + 2 * edge, image.height + 2 * edge), (252, 251, 249, 255))
    card.paste(image, (edge, edge))
    return card


def _packshot(size: tuple[int, int], item: Image.Image, rng: random.Random) -> Image.Image:
    """Return the product on white: each variant a little turned, and from another distance."""
    width, height = size
    scene = gradient(size, _WHITE, rng.choice(_PAPERS))
    turned = item.rotate(rng.uniform(-7, 7), Image.Resampling.BICUBIC, expand=True)
    share = rng.uniform(0.62, 0.8)
    base = (width * rng.uniform(0.47, 0.53), height * 0.88)
    _stand(scene, turned, base, within=(width * share, height * 0.95 * share), reflection=0.16)
    return scene


def _studio(size: tuple[int, int], item: Image.Image, rng: random.Random) -> Image.Image:
    width, height = size
    colour = rng.choice(_BACKDROPS)
    short = min(size)
    centre = width * rng.uniform(0.47, 0.53)
    floor = height * 0.8
    sketch = Sketch(glow(size, light(colour, 0.55), dark(colour, 0.22), (centre / width, 0.4)))
    sketch.disc((centre, height * 0.42), short * 0.36, light(colour, 0.42))
    _podium(sketch, (centre, floor), short * 0.36, colour)
    scene = sketch.done()
    _stand(scene, item, (centre, floor + short * 0.01), within=(short * 0.62, height * 0.64), reflection=0.0)
    return scene


def _podium(sketch: Sketch, centre: Point, radius: float, colour: Colour) -> None:
    x, y = centre
    flat = radius * 0.2
    deep = radius * 0.24
    side = mix(colour, dark(colour, 0.4), 0.35)
    sketch.soft(
        oval((x, y + deep), radius * 1.15, flat * 1.3), dark(colour, 0.7), blur=radius * 0.1, strength=0.45
    )
    sketch.shape(oval((x, y + deep), radius, flat), side)
    sketch.shape(
        [(x - radius, y), (x + radius, y), (x + radius, y + deep), (x - radius, y + deep)], side, curved=False
    )
    sketch.soft(
        [(x - radius, y), (x - radius * 0.3, y), (x - radius * 0.3, y + deep), (x - radius, y + deep)],
        light(colour, 0.6),
        blur=radius * 0.1,
        strength=0.4,
    )
    sketch.shape(oval((x, y), radius, flat), light(colour, 0.3))


def _lifestyle(
    size: tuple[int, int], item: Image.Image, rng: random.Random, model: bytes | None
) -> Image.Image:
    width, height = size
    side = rng.choice((-1, 1))
    is_wide = width >= height
    table = height * (0.8 if is_wide else 0.76)
    person_at = width * (0.5 + side * (0.2 if is_wide else 0.1))
    sketch = Sketch(_wall(size, rng))
    _window(sketch, size, side, rng)
    _plant(sketch, (width * (0.5 - side * 0.4), table), height * 0.3, rng)
    if model is None:
        unit = height * (0.0092 if is_wide else 0.0076)
        draw_person(sketch.at((person_at, table - 46 * unit), unit), looks(rng.randrange(1 << 30)))
    else:
        scene = sketch.done()
        _place_model(scene, decode(model), person_at, table, height * (0.74 if is_wide else 0.62))
        sketch = Sketch(scene)
    _table(sketch, size, table, rng)
    scene = sketch.done()
    place = (width * (0.5 - side * (0.16 if is_wide else 0.18)), table + height * 0.1)
    _stand(scene, item, place, within=(width * (0.4 if is_wide else 0.56), height * 0.5), reflection=0.1)
    return scene


def _wall(size: tuple[int, int], rng: random.Random) -> Image.Image:
    colour = rng.choice(_WALLS)
    return glow(size, light(colour, 0.4), dark(colour, 0.16), (0.3, 0.2))


def _window(sketch: Sketch, size: tuple[int, int], side: int, rng: random.Random) -> None:
    width, height = size
    across, down = min(width * 0.34, height * 0.5), height * 0.5
    x, y = width * (0.5 - side * 0.24) - across / 2, height * 0.08
    sky = rng.choice(((196, 224, 240), (250, 226, 196), (206, 226, 214)))
    frame: Colour = (250, 248, 244)
    _rectangle(sketch, (x - 10, y - 10, x + across + 10, y + down + 10), frame)
    _rectangle(sketch, (x, y, x + across, y + down), sky)
    pane: list[Point] = [(x, y), (x + across, y), (x + across, y + down), (x, y + down)]
    hills: list[Point] = [
        (x, y + down * 0.7),
        (x + across * 0.4, y + down * 0.6),
        (x + across, y + down * 0.76),
    ]
    corners: list[Point] = [(x + across, y + down), (x, y + down)]
    sketch.shape([*hills, *corners], mix(sky, (122, 156, 120), 0.55), curved=False)
    sketch.soft(
        oval((x + across * 0.7, y + down * 0.2), across * 0.2, across * 0.2), _WHITE, blur=24, within=pane
    )
    _rectangle(sketch, (x + across / 2 - 5, y, x + across / 2 + 5, y + down), frame)
    _rectangle(sketch, (x, y + down * 0.45 - 5, x + across, y + down * 0.45 + 5), frame)


def _rectangle(sketch: Sketch, box: tuple[float, float, float, float], colour: Colour) -> None:
    left, top, right, bottom = box
    sketch.shape([(left, top), (right, top), (right, bottom), (left, bottom)], colour, curved=False)


def _plant(sketch: Sketch, foot: Point, tall: float, rng: random.Random) -> None:
    x, y = foot
    pot: Colour = (198, 124, 92)
    for index in range(9):
        lean = (index - 4) * 0.2 + rng.uniform(-0.06, 0.06)
        reach = tall * rng.uniform(0.75, 1.05)
        tip = (x + math.sin(lean) * reach, y - tall * 0.25 - math.cos(lean) * reach * 0.8)
        middle = ((x + tip[0]) / 2, (y - tall * 0.25 + tip[1]) / 2 - tall * 0.04)
        leaf = [
            (x, y - tall * 0.25),
            (middle[0] - tall * 0.06, middle[1]),
            tip,
            (middle[0] + tall * 0.06, middle[1]),
        ]
        sketch.shape(leaf, varied(rng, (86, 132, 92), 16))
    half = tall * 0.16
    sketch.shape(
        [(x - half, y - tall * 0.3), (x + half, y - tall * 0.3), (x + half * 0.7, y), (x - half * 0.7, y)],
        pot,
        curved=False,
    )


def _place_model(scene: Image.Image, model: Image.Image, x: float, foot: float, tall: float) -> None:
    figure = model if model.mode == "RGBA" else subject(model)
    factor = tall / figure.height
    figure = figure.resize(
        (max(1, round(figure.width * factor)), max(1, round(tall))), Image.Resampling.LANCZOS
    )
    # The table hides the lower edge.
    scene.paste(figure, (round(x - figure.width / 2), round(foot - tall * 0.97)), figure)


def _table(sketch: Sketch, size: tuple[int, int], top: float, rng: random.Random) -> None:
    wood = rng.choice(_WOODS)
    width, height = size
    _rectangle(sketch, (0, top, width, height), wood)
    for _ in range(14):
        y = rng.uniform(top + 8, height)
        start = rng.uniform(-0.2, 0.8) * width
        line = [(start, y), (start + width * 0.2, y + rng.uniform(-3, 3)), (start + width * 0.5, y)]
        sketch.stroke(line, dark(wood, rng.uniform(0.06, 0.16)), rng.uniform(1, 2.5))
    _rectangle(sketch, (0, top, width, top + 5), light(wood, 0.35))
    sketch.soft(
        [(0, top - 30), (width, top - 30), (width, top), (0, top)], dark(wood, 0.7), blur=8, strength=0.14
    )


def _stand(
    scene: Image.Image, item: Image.Image, base: Point, *, within: tuple[float, float], reflection: float
) -> None:
    """Put *item* with its foot at *base* into the scene, as large as *within* allows, with its shadow."""
    factor = min(within[0] / item.width, within[1] / item.height)
    size = max(1, round(item.width * factor)), max(1, round(item.height * factor))
    item = item.resize(size, Image.Resampling.LANCZOS)
    left, top = round(base[0] - size[0] / 2), round(base[1] - size[1])
    if reflection:
        _reflect(scene, item, (left, round(base[1]) - 2), reflection)
    _cast_shadow(scene, item, (left, top))
    scene.paste(item, (left, top), item)


def _reflect(scene: Image.Image, item: Image.Image, at: tuple[int, int], strength: float) -> None:
    mirror = item.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
    fade = (
        Image.linear_gradient("L").resize(item.size).point(lambda v: max(0, round((255 - 4 * v) * strength)))
    )
    scene.paste(mirror, at, ImageChops.multiply(mirror.getchannel("A"), fade))


def _cast_shadow(scene: Image.Image, item: Image.Image, at: tuple[int, int]) -> None:
    width, height = item.size
    flat = max(6, round(width * 0.13))
    margin = flat * 2
    shadow = Image.new("L", ((width + 2 * margin) // 2, (flat + 2 * margin) // 2), 0)
    foot = _foot(item)
    ellipse = ((margin + foot[0]) / 2, margin / 2, (margin + foot[1]) / 2, (margin + flat) / 2)
    ImageDraw.Draw(shadow).ellipse(ellipse, fill=150)
    shadow = shadow.filter(ImageFilter.GaussianBlur(flat / 4)).resize((shadow.width * 2, shadow.height * 2))
    scene.paste((24, 18, 24), (at[0] - margin, at[1] + height - margin - round(flat * 0.55)), shadow)


def _foot(item: Image.Image) -> tuple[int, int]:
    """Return from where to where, in pixels, the lowest part of *item* reaches."""
    width, height = item.size
    lowest = item.getchannel("A").crop((0, height - max(1, height // 12), width, height)).getbbox()
    return (lowest[0], lowest[2]) if lowest else (0, width)
