"""Draws the pictures that a person would hand in, for examples that want some: a product, a face, a mask."""

import io
import random
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from orchestrator.simulators.pictures import makeup, portrait
from orchestrator.simulators.pictures.products import stand_in

PRODUCT_SEED = 4
"""Draws a handbag."""

_LOOK_SEED, _PALETTE_SEED, _ELDER_SEED = 11, 23, 31
_TAG = ((400, 560), (520, 640))
"""Where something lies in the photo that should not be there: left, top; right, bottom."""


def draw(inputs: Iterable[str], folder: Path) -> dict[str, Path]:
    """
    Draw a picture for each of *inputs*, and return the files.

    Shape:   each name to a PNG in *folder*: `look`, `photo`, `mask`, any other a product. A mask comes
             with the photo of a product with a price tag on it, which it marks; a photo alone is an old
             portrait.
    """
    wanted = set(inputs)
    drawers = {**_DRAWERS, "photo": _tagged} if "mask" in wanted else _DRAWERS
    drawn: dict[str, Path] = {}
    for name in sorted(wanted):
        path = folder / f"{_FILE_NAMES.get(name, name)}.png"
        drawers.get(name, _product)().save(path)
        drawn[name] = path
    return drawn


def is_picture(schema: Mapping[str, Any]) -> bool:
    """Return whether an input of this JSON Schema takes a picture, or a list of them."""
    items = schema.get("items")
    one = items if schema.get("type") == "array" and isinstance(items, Mapping) else schema
    return one.get("format") == "image"


def _product() -> Image.Image:
    return stand_in(random.Random(PRODUCT_SEED))


def _look() -> Image.Image:
    """Return a face with make-up on it."""
    woman = {"gender": "female"}
    return _opened(makeup(portrait(_LOOK_SEED, traits=woman), portrait(_PALETTE_SEED, traits=woman)))


def _old_photo() -> Image.Image:
    """Return an elderly face in shades of grey."""
    return _opened(portrait(_ELDER_SEED, traits={"age": "Senior"})).convert("L")


def _tagged() -> Image.Image:
    """Return the product with a price tag stuck to it."""
    photo = _product()
    pen = ImageDraw.Draw(photo)
    pen.rectangle(_TAG, fill=(250, 208, 40), outline=(120, 90, 10), width=3)
    pen.text((_TAG[0][0] + 30, _TAG[0][1] + 34), "9.99", fill=(40, 30, 0))
    return photo


def _mask() -> Image.Image:
    mask = Image.new("L", _product().size, 0)
    ImageDraw.Draw(mask).rectangle(_TAG, fill=255)
    return mask


def _opened(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content))


_DRAWERS: Mapping[str, Callable[[], Image.Image]] = {
    "product_images": _product,
    "look": _look,
    "photo": _old_photo,
    "mask": _mask,
}
_FILE_NAMES = {"product_images": "product"}
