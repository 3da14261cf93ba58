"""Changing a picture that was handed in: hair, age, make-up, colour, size, background, unwanted things."""

import random
from dataclasses import replace

from PIL import Image, ImageChops, ImageDraw, ImageEnhance, ImageFilter, ImageOps

from orchestrator.simulators.pictures.canvas import (
    Colour,
    Sketch,
    dark,
    decode,
    decode_flat,
    encode,
    gradient,
    light,
    mix,
    oval,
)
from orchestrator.simulators.pictures.cutting import filled, pixel, subject
from orchestrator.simulators.pictures.looks import HAIR_COLOURS, Looks, looks
from orchestrator.simulators.pictures.people import draw_hair, draw_wrinkles, placing

_WIG_COLOURS: tuple[Colour, ...] = (
    (206, 92, 132),
    (88, 126, 190),
    (120, 88, 168),
    (62, 148, 140),
    (232, 224, 214),
)


def enlarge(image: bytes, scale: int, *, format: str = "jpg") -> bytes:
    """Return *image* exactly *scale* times as wide and high; 1 only sharpens it. Errors: NotAPicture."""
    picture = decode(image)
    size = picture.width * scale, picture.height * scale
    larger = picture.resize(size, Image.Resampling.LANCZOS) if scale > 1 else picture
    return encode(ImageEnhance.Sharpness(larger).enhance(1.6 if scale == 1 else 1.25), format)


def converted(image: bytes, *, format: str) -> bytes:
    """Return *image* unchanged in another format. Errors: NotAPicture."""
    return encode(decode(image), format)


def hair(image: bytes, *, style_seed: int, format: str = "jpg") -> bytes:
    """Return the portrait with another hairstyle. Errors: NotAPicture."""
    rng = random.Random(f"hair-{style_seed}")
    return encode(_with_hair(decode_flat(image), rng, rng.choice(list(HAIR_COLOURS.values())[:7])), format)


def wig(image: bytes, *, style_seed: int, format: str = "jpg") -> bytes:
    """Return the portrait wearing a wig, in a colour nobody is born with. Errors: NotAPicture."""
    rng = random.Random(f"wig-{style_seed}")
    return encode(_with_hair(decode_flat(image), rng, rng.choice(_WIG_COLOURS)), format)


def _with_hair(picture: Image.Image, rng: random.Random, colour: Colour) -> Image.Image:
    """Dye the hair that is there, then draw the new cut over it."""
    length = rng.choice(("long", "very long"))
    traits = {"gender": "female", "hairLength": length}
    person = _recoloured(looks(rng.randrange(1 << 30), traits), colour, _skin(picture))
    sketch = _face_sketch(_dyed(picture, colour))
    draw_hair(sketch, person)
    return sketch.done()


def _recoloured(person: Looks, colour: Colour, skin: Colour) -> Looks:
    return replace(person, hair=colour, skin=skin)


def _dyed(picture: Image.Image, colour: Colour) -> Image.Image:
    """Return *picture* with everything around the head that has the colour of its crown dyed."""
    (x, y), unit = placing(picture.size)
    crown = pixel(picture, _inside(picture, (x + 9 * unit, y - 21.5 * unit)))
    if _distance(crown, _skin(picture)) < 40 or _distance(crown, pixel(picture, (2, 2))) < 40:
        return picture
    red, green, blue = ImageChops.difference(picture, Image.new("RGB", picture.size, crown)).split()
    apart = ImageChops.lighter(ImageChops.lighter(red, green), blue)
    # Fair hair has lights and shades further apart than dark hair.
    reach = 14 + round(0.22 * max(crown))
    mask = apart.point(lambda value: max(0, min(255, (reach - value) * 8)))
    around = _hair_region(picture)
    tinted = ImageOps.colorize(
        picture.convert("L"), dark(colour, 0.7), light(colour, 0.6), colour, midpoint=_luma(crown)
    )
    return Image.composite(tinted, picture, ImageChops.multiply(mask, around))


def _hair_region(picture: Image.Image) -> Image.Image:
    """Return 255 where a portrait may have hair: around the head, but not on face and neck."""
    (x, y), unit = placing(picture.size)
    region = Image.new("L", picture.size, 0)
    draw = ImageDraw.Draw(region)
    draw.rectangle((x - 28 * unit, y - 30 * unit, x + 28 * unit, y + 30 * unit), fill=255)
    for side in (-1, 1):
        # Long hair falls over the clothes in two narrow locks.
        lock = ((12.6, 29), (22.4, 29), (21.6, 42), (17, 52), (14, 43))
        draw.polygon([(x + side * dx * unit, y + dy * unit) for dx, dy in lock], fill=255)
    draw.ellipse((x - 13.5 * unit, y - 13 * unit, x + 13.5 * unit, y + 21 * unit), fill=0)
    draw.rectangle((x - 8 * unit, y + 12 * unit, x + 8 * unit, y + 60 * unit), fill=0)
    return region


def aged(image: bytes, age: int, *, format: str = "jpg") -> bytes:
    """Return the portrait at *age* years: lines and grey hair, or smoother skin. Errors: NotAPicture."""
    picture = decode_flat(image)
    if age < 30:
        smoother = Image.blend(picture, picture.filter(ImageFilter.GaussianBlur(2)), 0.5)
        return encode(ImageEnhance.Color(smoother).enhance(1.0 + (30 - age) / 60), format)
    share = min(1.0, (age - 28) / 52)
    if age >= 50:
        grey = mix((112, 106, 104), (226, 224, 222), (min(age, 85) - 50) / 35)
        picture = _dyed(picture, grey)
    sketch = _face_sketch(ImageEnhance.Color(picture).enhance(1.0 - 0.25 * share))
    draw_wrinkles(sketch, share, dark(_skin(picture), 0.32))
    return encode(sketch.done(), format)


def makeup(image: bytes, reference: bytes, *, format: str = "jpg") -> bytes:
    """Return the portrait made up in the most vivid colour of *reference*. Errors: NotAPicture."""
    colour = _vivid(decode_flat(reference))
    lips = mix((186, 40, 66), colour, 0.45)
    sketch = _face_sketch(decode_flat(image))
    mouth = oval((0, 13.1), 5, 2.3)
    sketch.soft(mouth, lips, blur=0.5, strength=0.72)
    sketch.soft(oval((-0.6, 14.2), 1.6, 0.4), light(lips, 0.8), blur=0.4, strength=0.6)
    for side in (-1, 1):
        lid = [
            (side * x, y) for x, y in ((3, -2.4), (5.4, -4.4), (8.6, -4.6), (11.4, -3), (8, -2.8), (5, -2.9))
        ]
        sketch.soft(lid, mix(colour, (92, 58, 92), 0.4), blur=0.6, strength=0.7)
        liner = [(side * x, y) for x, y in ((3.2, -0.8), (6.8, -2.9), (10, -2.2), (12, -3.6))]
        sketch.stroke(liner, (32, 22, 28), 0.5)
        sketch.soft(oval((side * 10, 6), 3.6, 2.4), mix(lips, (240, 130, 120), 0.4), blur=1.8, strength=0.5)
    return encode(sketch.done(), format)


def remove_object(image: bytes, mask: bytes, *, format: str = "jpg") -> bytes:
    """
    Return *image* with what *mask* shows in white replaced by its surroundings.

    Errors:  NotAPicture; ValueError when the mask has another width or height.
    """
    picture, hole = decode_flat(image), decode_flat(mask).convert("L")
    if picture.size != hole.size:
        raise ValueError(f"the mask is {hole.size}, the picture {picture.size}")
    hole = hole.point(lambda value: 255 if value > 127 else 0).filter(ImageFilter.MaxFilter(9))
    if (box := _around(hole)) is not None:
        part, gap = picture.crop(box), hole.crop(box)
        known = part.convert("RGBA")
        known.putalpha(ImageChops.invert(gap))
        picture.paste(Image.composite(filled(known), part, gap.filter(ImageFilter.GaussianBlur(2))), box)
    return encode(picture, format)


def _around(hole: Image.Image, margin: int = 48) -> tuple[int, int, int, int] | None:
    """Return the box of the white parts with what lies around them, None without any."""
    box = hole.getbbox()
    if box is None:
        return None
    left, top, right, bottom = box
    return (
        max(0, left - margin),
        max(0, top - margin),
        min(hole.width, right + margin),
        min(hole.height, bottom + margin),
    )


def colorized(image: bytes, *, format: str = "jpg") -> bytes:
    """Return *image* in colours made from its light and shade, warm in the middle. Errors: NotAPicture."""
    grey = ImageOps.autocontrast(decode_flat(image).convert("L"), cutoff=1)
    warm = ImageOps.colorize(grey, (44, 28, 36), (255, 246, 226), (196, 134, 98), midpoint=128)
    cool = ImageOps.colorize(grey, (26, 36, 58), (238, 246, 250), (108, 146, 170), midpoint=128)
    fresh = ImageOps.colorize(grey, (26, 40, 34), (248, 246, 220), (126, 146, 96), midpoint=128)
    ramp = gradient(grey.size, (0, 0, 0), (255, 255, 255)).convert("L")
    middle = Image.radial_gradient("L").resize(grey.size).point(lambda value: max(0, 255 - 2 * value))
    surroundings = Image.composite(fresh, cool, ramp)
    return encode(Image.composite(warm, surroundings, middle), format)


def cut_out(image: bytes, format: str = "png") -> bytes:
    """
    Return *image* without its background, with real transparency.

    Shape:   *format* `png` or `webp`; what is transparent already stays so.
    Errors:  NotAPicture; ValueError for a format that knows no transparency.
    """
    if format not in ("png", "webp"):
        raise ValueError(f"{format!r} has no transparency")
    picture = decode(image)
    return encode(picture if picture.mode == "RGBA" else subject(picture), format)


def _face_sketch(picture: Image.Image) -> Sketch:
    """Return a sketch whose units fit a face where a portrait has it."""
    origin, unit = placing(picture.size)
    return Sketch(picture, origin=origin, unit=unit)


def _skin(picture: Image.Image) -> Colour:
    (x, y), unit = placing(picture.size)
    return pixel(picture, _inside(picture, (x - 4 * unit, y + 4 * unit)))


def _inside(picture: Image.Image, at: tuple[float, float]) -> tuple[int, int]:
    return max(0, min(picture.width - 1, round(at[0]))), max(0, min(picture.height - 1, round(at[1])))


def _distance(first: Colour, second: Colour) -> int:
    return max(abs(a - b) for a, b in zip(first, second, strict=True))


def _luma(colour: Colour) -> int:
    red, green, blue = colour
    return max(1, min(254, round(0.299 * red + 0.587 * green + 0.114 * blue)))


def _vivid(picture: Image.Image) -> Colour:
    small = picture.resize((24, 24), Image.Resampling.BOX)
    colours = [pixel(small, (x, y)) for x in range(24) for y in range(24)]
    return max(colours, key=lambda colour: max(colour) - min(colour))
