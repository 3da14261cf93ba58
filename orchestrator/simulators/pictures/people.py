"""Drawing a person: head and shoulders, in units with the middle of the face at (0, 0)."""

import random
from collections.abc import Mapping

from orchestrator.simulators.pictures.canvas import (
    Colour,
    Point,
    Sketch,
    dark,
    encode,
    glow,
    light,
    mirrored,
    mix,
    oval,
    smooth,
)
from orchestrator.simulators.pictures.looks import Looks, looks

_BACKGROUNDS: tuple[tuple[Colour, Colour], ...] = (
    ((246, 222, 204), (206, 148, 132)),
    ((214, 230, 238), (112, 152, 182)),
    ((222, 232, 214), (126, 158, 132)),
    ((236, 226, 240), (150, 128, 172)),
    ((250, 236, 204), (216, 168, 98)),
    ((228, 228, 230), (140, 142, 152)),
)

Placing = tuple[Point, float]
"""Where the middle of the face lies in a picture, in pixels, and how many pixels a unit is."""


def portrait(
    seed: int,
    *,
    size: tuple[int, int] = (768, 1024),
    format: str = "png",
    traits: Mapping[str, object] | None = None,
) -> bytes:
    """
    Return a drawn head-and-shoulders portrait; the same seed is the same person.

    Shape:   *traits* in any spelling (`hairColor`, `hair_color`): gender, age, ethnicity, hair
             colour and length, eye colour, facial hair, distinctive features.
    Errors:  ValueError for a format other than jpg, png and webp.
    """
    rng = random.Random(f"background-{seed}")
    inner, outer = rng.choice(_BACKGROUNDS)
    origin, unit = placing(size)
    sketch = Sketch(glow(size, inner, outer), origin=origin, unit=unit)
    draw_person(sketch, looks(seed, traits))
    return encode(sketch.done(), format)


def placing(size: tuple[int, int]) -> Placing:
    """Return where a portrait of *size* has its face."""
    width, height = size
    return (width / 2, 0.43 * height), min(width / 78, height / 104)


def draw_person(sketch: Sketch, person: Looks) -> None:
    """Draw *person*, from the back of the hair to the front."""
    _back_hair(sketch, person)
    _body(sketch, person)
    _ears(sketch, person)
    _head(sketch, person)
    _eyes(sketch, person)
    _nose(sketch, person)
    _mouth(sketch, person)
    _age(sketch, person)
    _facial_hair(sketch, person)
    draw_hair(sketch, person)


def face_outline(person: Looks) -> list[Point]:
    """Return the outline of the face."""
    jaw = person.jaw + (1.5 if person.is_male else 0.0)
    young = 1.0 if person.age <= 1 else 0.0
    return mirrored(
        [
            (0, -21),
            (9, -19.5),
            (14.4, -11.5),
            (15.4, -1.5),
            (14.4 + 0.3 * jaw + 0.5 * young, 8),
            (10.6 + jaw + young, 16),
            (5 + 0.9 * jaw, 20.7 - 0.5 * young),
            (0, 21.8 + 0.5 * jaw - young),
        ]
    )


def _back_hair(sketch: Sketch, person: Looks) -> None:
    lengths: dict[str, list[Point]] = {
        "short": [(18.2, 0), (16.6, 12), (11, 17), (0, 17)] if not person.is_male else [(16.6, 2), (0, 8)],
        "medium": [(20, 0), (21, 14), (19.5, 25), (13, 28.5), (0, 24)],
        "long": [(20.6, 2), (22.4, 22), (23.6, 40), (19, 51), (11, 46), (0, 30)],
        "very long": [(20.8, 2), (23, 24), (25, 48), (22, 72), (11, 72), (0, 30)],
    }
    below = lengths.get(person.hair_length)
    if below is None:
        return
    back = dark(person.hair, 0.28)
    sketch.shape(mirrored([(0, -27), (10, -24.5), (17.4, -15), *below]), back)


def _body(sketch: Sketch, person: Looks) -> None:
    broad = 4.0 if person.is_male else 0.0
    neck = 7.2 + broad * 0.6
    torso = mirrored(
        [
            (0, 29),
            (neck + 3, 29.5),
            (22 + broad, 35.5),
            (33 + broad, 43),
            (38 + broad, 60),
            (41 + broad, 110),
            (0, 112),
        ]
    )
    shade = dark(person.skin, 0.14)
    sketch.shape(torso, person.clothes)
    sketch.soft(
        [(8, 34), (46, 40), (48, 110), (20, 110)],
        dark(person.clothes, 0.5),
        blur=6,
        strength=0.3,
        within=torso,
    )
    skin_area = mirrored([(0, 10), (neck, 12), (neck, 25), (neck + 2.2, 30.5), *_neckline(person, neck)])
    sketch.shape(skin_area, shade)
    sketch.soft(oval((0, 36), 11, 9), person.skin, blur=3.5, within=skin_area)
    sketch.soft(oval((1, 19), 11, 7.5), dark(person.skin, 0.55), blur=2.2, strength=0.55, within=skin_area)
    if person.neckline == "shirt":
        _collar(sketch, person, neck)


def _neckline(person: Looks, neck: float) -> list[Point]:
    if person.neckline == "crew":
        return [(neck - 0.5, 34), (neck - 5, 36.6), (0, 37.4)]
    return [(neck - 2, 36), (neck - 5.5, 44), (0, 49)]


def _collar(sketch: Sketch, person: Looks, neck: float) -> None:
    cloth = light(person.clothes, 0.2)
    for side in (-1, 1):
        flap = [(neck + 1.5, 28), (neck + 6.5, 33), (neck + 2, 43), (1.5, 48.5), (neck - 1.5, 36)]
        points = [(side * x, y) for x, y in flap]
        sketch.soft([(x, y + 1.2) for x, y in points], dark(person.clothes, 0.7), blur=1, strength=0.5)
        sketch.shape(points, cloth, curved=False)


def _ears(sketch: Sketch, person: Looks) -> None:
    for side in (-1, 1):
        sketch.shape(oval((side * 15.6, 1.5), 2.5, 4.4), dark(person.skin, 0.08))
        sketch.shape(oval((side * 15.8, 1.7), 1.3, 2.8), dark(person.skin, 0.24))
        if person.has_earrings:
            sketch.disc((side * 16.2, 6.6), 0.95, (226, 188, 104))


def _head(sketch: Sketch, person: Looks) -> None:
    face = face_outline(person)
    shadow, warm = dark(person.skin, 0.42), mix(person.skin, (222, 92, 84), 0.5)
    sketch.shape(face, person.skin)
    sketch.soft([(9, -22), (20, -14), (20, 14), (8, 26), (12, 8)], shadow, blur=3, strength=0.5, within=face)
    sketch.soft(
        [(-18, 14), (-6, 20), (6, 20), (18, 14), (8, 28), (-8, 28)], shadow, blur=2, strength=0.3, within=face
    )
    sketch.soft(oval((-4, -11), 8, 5), light(person.skin, 0.7), blur=3.5, strength=0.5, within=face)
    for side in (-1, 1):
        sketch.soft(oval((side * 9.2, 7.4), 3.6, 2.6), warm, blur=2, strength=0.45, within=face)
        sketch.soft(oval((side * 6.6, -2), 4.8, 2.6), shadow, blur=1.6, strength=0.32, within=face)
    if person.has_freckles:
        _freckles(sketch, person)


def _freckles(sketch: Sketch, person: Looks) -> None:
    rng = random.Random(f"freckles-{person}")
    for _ in range(46):
        spot = (rng.gauss(0, 5.8), rng.gauss(6, 1.7))
        sketch.disc(spot, rng.uniform(0.14, 0.3), mix(person.skin, (158, 88, 54), 0.5))


def _eyes(sketch: Sketch, person: Looks) -> None:
    size = 1.2 if person.age <= 1 else 1.0
    lash = dark(mix(person.hair, (40, 30, 30), 0.7), 0.5)
    for side in (-1, 1):
        x = side * 6.6

        def at(dx: float, dy: float, x: float = x, side: int = side) -> Point:
            return x + side * dx * size, -1 + dy * size

        almond = [
            at(-3.3, 0.5),
            at(-1.6, -1.3),
            at(0.4, -1.75),
            at(2.4, -1.1),
            at(3.5, -0.3),
            at(1.8, 1.2),
            at(-0.8, 1.4),
        ]
        sketch.shape(almond, (250, 247, 244))
        _iris(sketch, person, (x, -1.15), almond, size)
        sketch.soft(
            [at(-3.6, -2.4), at(3.6, -2.4), at(3.4, -0.9), at(-3.2, -0.5)],
            lash,
            blur=0.4,
            strength=0.5,
            within=almond,
        )
        sketch.stroke(
            [at(-3.3, 0.4), at(-1.6, -1.4), at(0.4, -1.85), at(2.4, -1.2), at(3.9, -0.9)], lash, _lash(person)
        )
        sketch.stroke([at(-2, 1.35), at(0.4, 1.5), at(2.4, 0.9)], dark(person.skin, 0.3), 0.16)
        sketch.stroke([at(-2.8, -1.7), at(0.2, -3), at(3.2, -2)], dark(person.skin, 0.32), 0.22)
        _brow(sketch, person, side)


def _lash(person: Looks) -> float:
    return 0.4 if person.is_male else 0.62


def _iris(sketch: Sketch, person: Looks, centre: Point, within: list[Point], size: float) -> None:
    x, y = centre
    # The lids cover the upper and lower edge of the iris: `soft` with hardly any blur can be cut.
    for radius, colour in ((1.72, dark(person.eyes, 0.45)), (1.45, person.eyes)):
        sketch.soft(oval(centre, radius * size, radius * size), colour, blur=0.06, within=within)
    sketch.soft(
        oval((x, y + 0.6), 0.95 * size, 0.6), light(person.eyes, 0.45), blur=0.25, strength=0.8, within=within
    )
    sketch.disc(centre, 0.72 * size, (18, 14, 18))
    sketch.disc((x - 0.5, y - 0.55), 0.36, (255, 255, 255))


def _brow(sketch: Sketch, person: Looks, side: int) -> None:
    thick = 0.75 if person.is_male else 0.0
    colour = mix(dark(person.hair, 0.25), dark(person.skin, 0.5), 0.3)
    brow = [
        (2.6, -5 - thick * 0.4),
        (6, -6.7 - thick * 0.4),
        (10.2, -5.9),
        (11.4, -4.7),
        (9.6, -5),
        (6, -5.4),
        (2.7, -4),
    ]
    sketch.shape([(side * x, y) for x, y in brow], colour)


def _nose(sketch: Sketch, person: Looks) -> None:
    shade = dark(person.skin, 0.42)
    sketch.soft([(0.8, -3), (2.1, 4), (3.2, 7), (1, 7.6), (0.9, 2)], shade, blur=0.9, strength=0.42)
    sketch.soft(
        [(-0.9, -3), (0.5, -3), (0.9, 5), (-0.9, 5.6)], light(person.skin, 0.7), blur=0.9, strength=0.5
    )
    sketch.soft(oval((0, 7.9), 2.7, 0.9), shade, blur=0.6, strength=0.5)
    for side in (-1, 1):
        sketch.shape(oval((side * 1.3, 7.5), 0.62, 0.32), dark(person.skin, 0.55))
        sketch.stroke([(side * 2.7, 5.8), (side * 3, 7.1), (side * 2.2, 7.7)], dark(person.skin, 0.3), 0.24)


def _mouth(sketch: Sketch, person: Looks) -> None:
    wide = 4.6 if person.is_male else 4.9
    full = 0.75 if person.is_male else 1.0
    upper = [
        (-wide, 12.6),
        (-1.6, 11.9 - 0.6 * full),
        (0, 11.9 - 0.2 * full),
        (1.6, 11.9 - 0.6 * full),
        (wide, 12.6),
    ]
    corner_line = [(-wide, 12.6), (-2, 12.95), (0, 13.1), (2, 12.95), (wide, 12.6)]
    lower = [
        (wide, 12.6),
        (2.7, 13.4 + 1.5 * full),
        (0, 13.9 + 1.7 * full),
        (-2.7, 13.4 + 1.5 * full),
        (-wide, 12.6),
    ]
    sketch.soft(oval((0, 17), 3.2, 0.8), dark(person.skin, 0.4), blur=0.7, strength=0.4)
    sketch.shape([*smooth(upper, closed=False), *smooth(lower, closed=False)], person.lips, curved=False)
    sketch.shape(
        [*smooth(upper, closed=False), *reversed(smooth(corner_line, closed=False))],
        dark(person.lips, 0.18),
        curved=False,
    )
    sketch.soft(oval((-0.4, 14), 1.9, 0.5), light(person.lips, 0.7), blur=0.4, strength=0.6)
    sketch.stroke(
        [(-wide - 0.3, 12.4), *corner_line[1:-1], (wide + 0.3, 12.4)], dark(person.lips, 0.55), 0.24
    )


def _age(sketch: Sketch, person: Looks) -> None:
    draw_wrinkles(sketch, person.wrinkles, dark(person.skin, 0.32))


def draw_wrinkles(sketch: Sketch, share: float, colour: Colour) -> None:
    """Draw the lines of a face: none for a share of 0, all of them for 1."""
    if share <= 0:
        return
    thin = 0.14 + 0.14 * share
    for side in (-1, 1):
        lines: list[list[Point]] = [
            [(3.6, 8), (5.4, 10.2), (6, 12.8)],
            [(4.2, 2), (6.4, 2.9), (8.6, 2.2)],
            [(11, -1), (12.4, -1.9)],
            [(11.2, 0), (12.9, 0.1)],
            [(1, -6), (0.8, -4.4)],
            [(5.2, 14.4), (5.7, 16.4)],
        ]
        for line in lines[: 1 + round(share * (len(lines) - 1))]:
            sketch.stroke([(side * x, y) for x, y in line], colour, thin)
    for height in (-10.6, -12.4)[: round(2 * share)]:
        sketch.stroke([(-6, height + 0.4), (-2, height), (2, height + 0.2), (6, height - 0.1)], colour, thin)


def _facial_hair(sketch: Sketch, person: Looks) -> None:
    face = face_outline(person)
    hair = mix(person.hair, dark(person.hair, 0.5), 0.4)
    jaw: list[Point] = [
        (-16, 4),
        (-11, 9.5),
        (-6, 10.3),
        (0, 9.9),
        (6, 10.3),
        (11, 9.5),
        (16, 4),
        (14, 17),
        (7, 24),
        (-7, 24),
        (-14, 17),
    ]
    if person.facial_hair == "stubble":
        sketch.soft(jaw, hair, blur=1.6, strength=0.3, within=face)
    if person.facial_hair in ("beard", "long beard"):
        _beard(sketch, person, hair, 10.0 if person.facial_hair == "long beard" else 2.0)
    if person.facial_hair in ("mustache", "beard", "long beard"):
        half: list[Point] = [(0, 9.6), (2.8, 9.4), (5.4, 11), (6.6, 13), (4.4, 12.2), (1.6, 11.7), (0, 11.5)]
        sketch.shape(mirrored(half), hair)
    if person.facial_hair != "clean-shaven" and person.facial_hair != "stubble":
        _mouth(sketch, person)


def _beard(sketch: Sketch, person: Looks, hair: Colour, length: float) -> None:
    half: list[Point] = [
        (0, 15.8),
        (3.4, 15.6),
        (6.2, 12.4),
        (10.4, 8.4),
        (15, -1),
        (15.2, 8),
        (12.8 + person.jaw, 17),
        (7, 22.6 + 0.6 * length),
        (0, 23 + length),
    ]
    sketch.shape(mirrored(half), hair)
    sketch.soft(oval((-5, 19), 3, 2.4), light(hair, 0.4), blur=2, strength=0.3, within=mirrored(half))


def draw_hair(sketch: Sketch, person: Looks) -> None:
    """Draw the hair that falls in front of the head."""
    if person.hair_length == "bald":
        sketch.soft(oval((-4, -16.5), 5, 2.4), light(person.skin, 0.8), blur=1.6, strength=0.5)
        return
    if person.hair_length == "buzz cut":
        stubble = mix(person.hair, person.skin, 0.25)
        sketch.shape(_cap(person.parting, tight=4.4, line=-0.6), stubble)
        return
    if person.hair_length in ("long", "very long"):
        _locks(sketch, person)
    cap = _cap(person.parting, tight=0.0, line=0.0)
    sketch.soft(
        [(x, y + 1.3) for x, y in cap],
        dark(person.skin, 0.6),
        blur=1,
        strength=0.4,
        within=face_outline(person),
    )
    sketch.shape(cap, person.hair)
    _shine(sketch, person, cap)


def _cap(parting: int, *, tight: float, line: float) -> list[Point]:
    """Return the hair on the skull: up one side, over the crown, back along the hairline."""
    outer: list[Point] = [
        (-15.4, 2),
        (-17.9 + tight * 0.5, -7),
        (-16.8 + tight * 0.5, -16),
        (-10, -24.9 + tight),
        (0, -28 + tight),
        (10, -24.9 + tight),
        (16.8 - tight * 0.5, -16),
        (17.9 - tight * 0.5, -7),
        (15.4, 2),
    ]
    hairline: list[Point] = [
        (14.2, -5),
        (12, -11 + line),
        (5.5, -15.6 + line),
        (-4.5, -19 + line),
        (-10, -14.6 + line),
        (-13.6, -7),
    ]
    return [(parting * x, y) for x, y in (*outer, *hairline)]


def _locks(sketch: Sketch, person: Looks) -> None:
    end = 50.0 if person.hair_length == "long" else 70.0
    for side in (-1, 1):
        lock: list[Point] = [
            (14.6, -8),
            (18.4, -4),
            (20.6, 14),
            (22, 0.62 * end),
            (17.4, end),
            (15.6, end + 0.4),
            (13, 0.7 * end),
            (14.6, 24),
            (14.4, 8),
        ]
        points = [(side * x, y) for x, y in lock]
        sketch.shape(points, person.hair)
        for offset in (0.0, 2.2):
            strand = [(17 + offset, 2), (17.4 + offset, 20), (16 + offset, end - 8)]
            sketch.stroke([(side * x, y) for x, y in strand], dark(person.hair, 0.12), 0.25)


def _shine(sketch: Sketch, person: Looks, cap: list[Point]) -> None:
    p = person.parting
    band: list[Point] = [(-14.5, -13), (-8, -20.5), (1, -23.6), (8, -22), (12, -17.5), (3, -20), (-6, -18)]
    sketch.soft([(p * x, y) for x, y in band], light(person.hair, 0.5), blur=1.6, strength=0.5, within=cap)
    sketch.soft(
        [(p * x, y) for x, y in ((16, -16), (20, -6), (15, 4), (13, -6))],
        dark(person.hair, 0.5),
        blur=2,
        strength=0.4,
        within=cap,
    )
    for share in (0.2, 0.45, 0.7, 0.92):
        strand = [_along(start, end, share) for start, end in _STRANDS]
        sketch.stroke([(p * x, y) for x, y in strand], dark(person.hair, 0.13), 0.22)
    sketch.stroke([(p * -4.6, -19.2), (p * -4.4, -23.5)], dark(person.hair, 0.25), 0.35)


_STRANDS: tuple[tuple[Point, Point], ...] = (
    ((-4.2, -19.6), (-4.2, -26.4)),
    ((1.5, -18.4), (4.5, -26.2)),
    ((7, -15.6), (12, -22.4)),
    ((11.8, -11.6), (16.4, -15.6)),
    ((14, -6), (17.4, -7)),
)
"""Two lines the hair follows from the parting to the temple: along the forehead, and along the crown."""


def _along(start: Point, end: Point, share: float) -> Point:
    return start[0] + (end[0] - start[0]) * share, start[1] + (end[1] - start[1]) * share
