"""Things to show where nobody handed in a product: a bottle, a bag, a mug."""

import random
from collections.abc import Callable

from PIL import Image

from orchestrator.simulators.pictures.canvas import Colour, Point, Sketch, dark, light, oval, varied

_COLOURS: tuple[Colour, ...] = (
    (214, 130, 112),
    (96, 146, 178),
    (120, 158, 110),
    (218, 172, 92),
    (146, 124, 190),
    (150, 144, 140),
)


def stand_in(rng: random.Random) -> Image.Image:
    """Return a drawn bottle, bag or mug on white."""
    colour = varied(rng, rng.choice(_COLOURS), 20)
    sketch = Sketch(Image.new("RGB", (600, 720), (255, 255, 255)), origin=(300, 360), unit=3.0)
    draw: Callable[[Sketch, Colour], None] = rng.choice((_bottle, _bag, _mug))
    draw(sketch, colour)
    return sketch.done()


def _bottle(sketch: Sketch, colour: Colour) -> None:
    glass: list[Point] = [(-14, -50), (14, -50), (14, -38), (36, -24), (40, 0), (40, 86), (30, 96)]
    body = [*glass, (0, 97), (-30, 96), (-40, 86), (-40, 0), (-36, -24), (-14, -38)]
    sketch.shape(body, colour)
    sketch.soft(
        [(-34, -18), (-22, -18), (-22, 84), (-34, 84)], light(colour, 0.8), blur=4, strength=0.7, within=body
    )
    sketch.soft(
        [(20, -20), (44, -20), (44, 96), (20, 96)], dark(colour, 0.6), blur=8, strength=0.6, within=body
    )
    sketch.shape([(-19, -98), (19, -98), (19, -52), (-19, -52)], (58, 54, 60), curved=False)
    sketch.shape([(-13, -98), (-7, -98), (-7, -52), (-13, -52)], (120, 116, 124), curved=False)
    sketch.shape([(-25, 18), (25, 18), (25, 66), (-25, 66)], (250, 247, 240), curved=False)
    for row, half in ((30, 15), (40, 18), (50, 10)):
        sketch.stroke([(-half, row), (half, row)], dark(colour, 0.4), 2)


def _bag(sketch: Sketch, colour: Colour) -> None:
    body: list[Point] = [(-58, -20), (58, -20), (68, 20), (70, 74), (58, 92), (-58, 92), (-70, 74), (-68, 20)]
    sketch.stroke([(-32, -14), (-28, -74), (0, -92), (28, -74), (32, -14)], dark(colour, 0.5), 6)
    sketch.shape(body, colour)
    sketch.soft(
        [(20, -18), (80, -18), (80, 96), (40, 96)], dark(colour, 0.6), blur=12, strength=0.4, within=body
    )
    sketch.shape([(-62, -18), (62, -18), (46, 30), (0, 40), (-46, 30)], light(colour, 0.16), curved=False)
    sketch.disc((0, 32), 8, (222, 186, 104))
    sketch.disc((0, 32), 4.5, (172, 132, 62))


def _mug(sketch: Sketch, colour: Colour) -> None:
    sketch.stroke([(40, -22), (74, -22), (82, 10), (66, 44), (38, 46)], dark(colour, 0.2), 12)
    body: list[Point] = [(-52, -50), (52, -50), (50, 48), (40, 74), (-40, 74), (-50, 48)]
    sketch.shape(body, colour)
    sketch.soft([(-44, -40), (-28, -40), (-28, 64), (-42, 64)], light(colour, 0.8), blur=5, strength=0.6)
    sketch.soft(
        [(22, -48), (52, -48), (50, 66), (26, 70)], dark(colour, 0.6), blur=7, strength=0.4, within=body
    )
    sketch.shape(oval((0, -50), 52, 10), light(colour, 0.3))
    sketch.shape(oval((0, -48), 45, 7), (92, 58, 40))
