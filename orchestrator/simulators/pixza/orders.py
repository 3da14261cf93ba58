"""
What Pixza accepts: the fields of its one submit, and how they must fit the model.

Source: Pixza API reference v1, sections "Request Body" and "Available Models".
Strict where it is silent, so that a mistake shows here: unknown fields, nulls,
a model of another type, an input image where there must be none.
"""

from dataclasses import dataclass
from typing import Final

from orchestrator.simulators.bodies import Fields, Wrong
from orchestrator.simulators.pixza.models import DEFAULT, DEFAULT_3D, MODELS, TYPES, Model

LEAST_SIDE, MOST_SIDE = 64, 2048
"""Pixels. The document has no bounds; these keep the simulator from drawing for minutes."""

DEFAULT_SIDE: Final = 1024
_STEPS_MOST: Final = 1000
_FIELDS: Final = frozenset(
    {"type", "prompt", "model", "input_image", "width", "height", "steps", "seed", "webhook_url"}
)


@dataclass(frozen=True, slots=True)
class Order:
    """A valid body of POST /generate, with the documented defaults filled in."""

    model: Model
    prompt: str
    input_image: str | None
    width: int
    height: int
    seed: int | None
    webhook: str | None

    @property
    def type(self) -> str:
        """image, video or 3d."""
        return self.model.type


def read_order(body: object) -> Order:
    """Return the order in *body*. Errors: Wrong."""
    fields = Fields(body, _FIELDS)
    fields.need("type", "prompt")
    model = _model(fields)
    fields.integer("steps", least=1, most=_STEPS_MOST)
    return Order(
        model=model,
        prompt=fields.words("prompt"),
        input_image=_input_image(fields, model),
        width=_side(fields, "width"),
        height=_side(fields, "height"),
        seed=fields.integer("seed"),
        webhook=fields.web_address("webhook_url"),
    )


def _model(fields: Fields) -> Model:
    type = fields.choice("type", TYPES)
    id = fields.text("model")
    if id is None:
        id = DEFAULT_3D if type == "3d" else DEFAULT
    model = MODELS.get(id)
    if model is None:
        raise Wrong(f"model {id!r} does not exist")
    if model.type != type:
        raise Wrong(f"model {id!r} makes type {model.type}, not {type}")
    return model


def _input_image(fields: Fields, model: Model) -> str | None:
    image = fields.web_address("input_image")
    if image is None and model.input_image == "required":
        raise Wrong(f"input_image is required by model {model.id!r}")
    if image is not None and model.input_image == "none":
        raise Wrong(f"input_image is not taken by model {model.id!r}")
    return image


def _side(fields: Fields, name: str) -> int:
    return fields.integer(name, least=LEAST_SIDE, most=MOST_SIDE) or DEFAULT_SIDE
