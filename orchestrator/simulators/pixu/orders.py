"""What Pixu accepts: one flat object an operation, with credentials, image and callback in it."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from orchestrator.simulators import bodies
from orchestrator.simulators.bodies import Fields, Wrong

HEIGHTS: Final = (192, 136)
BASELINES: Final = (1, 2)
RESOLUTIONS: Final = ("512,512", "512,768", "768,512")

_CREDENTIALS: Final = ("api_key", "app_uid")
_TRAINING: Final = (*_CREDENTIALS, "name", "height", "baseline", "callback_url")
_DRAWING: Final = (
    *_CREDENTIALS,
    "model_uid",
    "model_weight",
    "positive",
    "negative",
    "resolution",
    "callback_url",
)

FIELDS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "create_model": (*_TRAINING, "face_base64"),
        "create_model_from_url": (*_TRAINING, "url"),
        "txt2img_strict_portrait": _DRAWING,
        "txt2img_composition": (*_DRAWING, "comp_uid"),
    }
)
"""Operation → the fields it has."""

_MAY_BE_MISSING: Final = frozenset({"name", "model_uid", "comp_uid"})


@dataclass(frozen=True, slots=True)
class Order:
    """
    A valid body.

    Shape:   *makes_model* tells the two kinds of operations apart; *photo* is an address to learn a face
             from; *model_uid* is the model to be drawn, None for any face.
    """

    operation: str
    makes_model: bool
    callback: str
    photo: str | None
    model_uid: str | None


def read_order(operation: str, body: object) -> Order:
    """Return the order in the *body* of *operation*. Errors: Wrong."""
    known = FIELDS[operation]
    fields = Fields(body, known)
    fields.need(*(name for name in known if name not in _MAY_BE_MISSING))
    makes_model = "baseline" in known
    if makes_model:
        _check_training(fields)
    else:
        _check_drawing(fields)
    return Order(
        operation=operation,
        makes_model=makes_model,
        callback=fields.web_address("callback_url") or "",
        photo=fields.web_address("url"),
        model_uid=fields.text("model_uid"),
    )


def _check_training(fields: Fields) -> None:
    fields.text("name")
    if fields.integer("height") not in HEIGHTS:
        raise Wrong(f"height must be {bodies.listed(HEIGHTS)}")
    if fields.integer("baseline") not in BASELINES:
        raise Wrong(f"baseline must be {bodies.listed(BASELINES)}")
    face = fields.text("face_base64")
    if face is not None:
        bodies.picture(face, "face_base64")


def _check_drawing(fields: Fields) -> None:
    fields.text("comp_uid")
    fields.number("model_weight", least=0.0, most=1.0)
    fields.words("positive")
    fields.text("negative")
    fields.choice("resolution", RESOLUTIONS)
