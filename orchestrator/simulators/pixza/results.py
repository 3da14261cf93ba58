"""What a generation makes: a picture, a clip that pans over one, or a cube that shows one."""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Final

from PIL import Image, ImageOps

from orchestrator.simulators import pictures
from orchestrator.simulators.pixza import h264, mp4, solid
from orchestrator.simulators.pixza.orders import Order
from orchestrator.simulators.sources import Picture

FRAMES: Final = 24
FRAMES_PER_SECOND: Final = 12
_SIDE_OF_CUBE: Final = (512, 512)


@dataclass(frozen=True, slots=True)
class Format:
    """How a type of generation is delivered."""

    suffix: str
    content_type: str


FORMATS: Final[Mapping[str, Format]] = MappingProxyType(
    {
        "image": Format("jpg", "image/jpeg"),
        "video": Format("mp4", "video/mp4"),
        "3d": Format("glb", "model/gltf-binary"),
    }
)


def made(order: Order, source: Picture, style: int) -> bytes:
    """
    Return the file that *order* asks for.

    Shape:   *source* gives the input image where there is one to be had; it stays visible in the
             result. *style* is for what is drawn; the seed of the order comes first.
    """
    draw = partial(_drawn, order, source, style if order.seed is None else order.seed)
    if order.type == "video":
        return _clip(draw, order.width, order.height)
    if order.type == "3d":
        return solid.cube(_jpeg(draw(_SIDE_OF_CUBE)))
    return _jpeg(draw((order.width, order.height)))


def _clip(draw: "partial[Image.Image]", width: int, height: int) -> bytes:
    # Colour is kept for two by two pixels, so a clip has an even width and height.
    seen = width - width % 2, height - height % 2
    picture = draw(h264.coded_size(*seen, FRAMES))
    return mp4.packed(h264.panned(picture, *seen, FRAMES), frames_per_second=FRAMES_PER_SECOND)


def _drawn(order: Order, source: Picture, style: int, size: tuple[int, int]) -> Image.Image:
    content = source()
    if content is not None:
        try:
            # An image that was edited has other colours; one that is animated keeps its own.
            shown = pictures.colorized(content) if order.type == "image" else content
            return ImageOps.fit(_opened(shown), size)
        except pictures.NotAPicture:
            pass
    return _opened(pictures.from_prompt(order.prompt, style, size=size))


def _opened(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(pictures.converted(content, format="jpg"))).convert("RGB")


def _jpeg(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=90)
    return buffer.getvalue()
