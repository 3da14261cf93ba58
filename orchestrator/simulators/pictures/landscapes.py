"""Making a picture from a prompt: a landscape, with somebody in front of it where the words name a person."""

import math
import random
import zlib

from orchestrator.simulators.pictures.canvas import (
    Colour,
    Sketch,
    dark,
    encode,
    gradient,
    light,
    mix,
    oval,
)
from orchestrator.simulators.pictures.looks import HAIR_COLOURS, looks
from orchestrator.simulators.pictures.people import draw_person, placing

_PEOPLE = ("woman", "man", "girl", "boy", "person", "portrait", "face", "model", "lady", "people")
_SKIES: tuple[tuple[Colour, Colour, Colour], ...] = (
    ((46, 62, 118), (244, 168, 136), (250, 222, 160)),
    ((92, 162, 214), (222, 238, 240), (255, 250, 226)),
    ((24, 30, 66), (94, 92, 158), (240, 240, 250)),
    ((242, 142, 122), (252, 216, 164), (255, 244, 214)),
    ((70, 128, 128), (214, 232, 198), (252, 246, 206)),
)


def from_prompt(
    prompt: str, style_seed: int, *, size: tuple[int, int] = (1024, 1024), format: str = "jpg"
) -> bytes:
    """Return a landscape by words and style, with somebody in front where the words name a person."""
    words = prompt.lower().replace(",", " ").split()
    seed = zlib.crc32(f"{style_seed} {prompt}".encode())
    rng = random.Random(f"prompt-{seed}")
    high, low, sun = _SKIES[style_seed % len(_SKIES)]
    sketch = Sketch(gradient(size, high, low))
    _sun(sketch, size, sun, rng)
    _hills(sketch, size, high, low, rng)
    if any(word in _PEOPLE for word in words):
        origin, unit = placing(size)
        draw_person(sketch.at(origin, unit * 0.9), looks(seed, _said(prompt.lower(), words)))
    return encode(sketch.done(), format)


def _said(prompt: str, words: list[str]) -> dict[str, object]:
    gender = (
        "male" if {"man", "boy"} & set(words) else "female" if {"woman", "girl", "lady"} & set(words) else ""
    )
    hair = next((name for name in HAIR_COLOURS if f"{name} hair" in prompt), "")
    return {"gender": gender, "hairColor": hair}


def _sun(sketch: Sketch, size: tuple[int, int], colour: Colour, rng: random.Random) -> None:
    width, height = size
    centre = (width * rng.uniform(0.22, 0.78), height * rng.uniform(0.22, 0.42))
    radius = height * rng.uniform(0.05, 0.09)
    sketch.soft(oval(centre, radius * 2, radius * 2), colour, blur=radius, strength=0.5)
    sketch.disc(centre, radius, colour)
    for _ in range(rng.randint(2, 5)):
        x, y = rng.uniform(0, width), height * rng.uniform(0.08, 0.4)
        cloud = oval((x, y), width * rng.uniform(0.08, 0.2), height * rng.uniform(0.01, 0.025))
        sketch.soft(cloud, light(colour, 0.3), blur=height * 0.012, strength=0.5)


def _hills(sketch: Sketch, size: tuple[int, int], high: Colour, low: Colour, rng: random.Random) -> None:
    width, height = size
    near = dark(mix(high, rng.choice(((62, 98, 84), (92, 72, 96), (54, 84, 112))), 0.6), 0.35)
    count = 5
    for index in range(count):
        depth = index / (count - 1)
        base = height * (0.5 + 0.42 * depth)
        waves = [
            (rng.uniform(1, 3) * (1 + depth), rng.uniform(0, 6.3), rng.uniform(0.3, 1)) for _ in range(4)
        ]
        ridge = [(width * step / 60, base - _ridge(step / 60, waves) * height * 0.05) for step in range(61)]
        colour = mix(mix(low, near, 0.3), near, depth)
        sketch.shape([*ridge, (width, height), (0, height)], colour, curved=False)
        mist = [
            (0, base + height * 0.06),
            (width, base + height * 0.06),
            (width, base + height * 0.1),
            (0, base + height * 0.1),
        ]
        sketch.soft(mist, light(low, 0.3), blur=height * 0.02, strength=0.3 * (1 - depth))


def _ridge(share: float, waves: list[tuple[float, float, float]]) -> float:
    return sum(strength * math.sin(share * 6.3 * often + shift) for often, shift, strength in waves)
