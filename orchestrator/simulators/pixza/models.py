"""The models that Pixza offers, as its table has them, and one of ours where the table has none."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

TYPES: Final = ("image", "video", "3d")
DEFAULT: Final = "flux-schnell"
DEFAULT_3D: Final = "simulated-3d"
"""The document has the type `3d` and no model for it, so this one stands in under a name of its own."""


@dataclass(frozen=True, slots=True)
class Model:
    """
    One model.

    Shape:   *input_image* says whether it must have one (`required`), may (`optional`) or must not (`none`).
    """

    id: str
    type: str
    credits: int
    description: str
    input_image: str = "optional"

    def to_json(self) -> dict[str, Any]:
        """Return the model as GET /models lists it."""
        return {"id": self.id, "type": self.type, "credits": self.credits, "description": self.description}


_ALL: Final = (
    Model(DEFAULT, "image", 1, "Fastest image generation — 4 steps"),
    Model("flux-dev", "image", 2, "Balanced quality and speed"),
    Model("flux-pro", "image", 4, "Highest quality FLUX model"),
    Model("flux-kontext", "image", 4, "Image-to-image editing with FLUX", "required"),
    Model("seedream", "image", 3, "ByteDance Seedream 4.5"),
    Model("gemini-imagen-4", "image", 3, "Google Imagen 4 via Gemini"),
    Model("veo-3-fast", "video", 50, "Google Veo 3 Fast — text to video", "none"),
    Model("wan-i2v", "video", 20, "Image to video animation", "required"),
    Model(DEFAULT_3D, "3d", 10, "Stands in for the 3D models that the document does not name"),
)

MODELS: Final[Mapping[str, Model]] = MappingProxyType({model.id: model for model in _ALL})
"""Every model by its id."""
