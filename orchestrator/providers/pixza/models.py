"""The models that Pixza's document lists, with what each costs and takes, and what its plans allow."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

TYPES = ("image", "video", "3d")
DEFAULT_MODEL = "flux-schnell"
DEFAULT_SIDE = 1024
"""Width and height of an image where the request names none, in pixels."""

Plan = Literal["free", "pro", "agency"]
RATE_LIMITS: Mapping[str, str] = MappingProxyType({"free": "10/1m", "pro": "60/1m", "agency": "300/1m"})


@dataclass(frozen=True, slots=True)
class Model:
    """
    One model: what it makes, and the credits of one generation.

    *image*: whether it works on an input image: it must have one, may have one, cannot use one.
    """

    type: Literal["image", "video"]
    credits: int
    image: Literal["required", "optional", "unused"] = "optional"


MODELS: Mapping[str, Model] = MappingProxyType(
    {
        "flux-schnell": Model("image", 1),
        "flux-dev": Model("image", 2),
        "flux-pro": Model("image", 4),
        "flux-kontext": Model("image", 4, "required"),
        "seedream": Model("image", 3),
        "gemini-imagen-4": Model("image", 3),
        "veo-3-fast": Model("video", 50, "unused"),
        "wan-i2v": Model("video", 20, "required"),
    }
)
"""
Every documented model. That editing and animating an image need one is read from their
descriptions ("image-to-image editing", "image to video"; "text to video" for the opposite).
No model of type 3d is listed.
"""


def models_of(type: str) -> list[str]:
    """Return the documented models of *type*."""
    return [name for name, model in MODELS.items() if model.type == type]
