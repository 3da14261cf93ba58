"""
What authors may write for each operation of Pixu: its own field names, its own values.

Only `name`, `model_uid` and `comp_uid` may be left out, says the document; what else has
a default here is always sent. The key, the app's id and the callback URL are not the
author's to set. A null is the same as leaving out.
"""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError

from orchestrator.providers.base import Image, Params
from orchestrator.providers.choice import OneOf, folded
from orchestrator.providers.identifiers import PlainId

RESOLUTIONS = ("512,512", "512,768", "768,512")


def _whole(value: Any) -> Any:
    # Without this, true would be taken for 1.
    if isinstance(value, bool) or not isinstance(value, int):
        raise PydanticCustomError("whole", "a whole number is needed here")
    return value


def _fold_resolution(text: str) -> str:
    """Return *text* as it is compared; 512x768 may stand for 512,768."""
    return folded(text).replace(" ", "").replace("x", ",")


def _or(default: str | float) -> BeforeValidator:
    return BeforeValidator(lambda value: default if value is None else value)


FaceHeight = Annotated[Literal[192, 136], BeforeValidator(_whole)]
Baseline = Annotated[Literal[1, 2], BeforeValidator(_whole)]
Weight = Annotated[float, Field(strict=True, ge=0.0, le=1.0)]
Resolution = Annotated[str, OneOf(RESOLUTIONS, _fold_resolution)]


class _NewModel(Params):
    name: str | None = Field(default=None, min_length=1, description="Name of the model.")
    height: FaceHeight = Field(
        description="Height of the face in the images made later, in pixels: 192 or 136."
    )
    baseline: Baseline = Field(description="Which of two sets of trained parameters to start from: 1 or 2.")


class CreateModel(_NewModel):
    """Parameters of `create_model`."""

    image: Image = Field(description="The person's face, cropped: nothing else should be in the picture.")


class CreateModelFromUrl(_NewModel):
    """Parameters of `create_model_from_url`."""

    url: Image = Field(
        description="A photo of one person. Of several faces in it, an arbitrary one is learned."
    )


class _Images(Params):
    positive: str = Field(min_length=1, pattern=r"\S", description="What the images show.")
    negative: Annotated[str, _or("")] = Field(default="", description="What they must not show.")
    resolution: Resolution = Field(description="Width and height in pixels.")
    model_uid: PlainId | None = Field(
        default=None,
        description="A trained model, such as steps.model.output.modelUid; without one the face is random.",
    )


class StrictPortrait(_Images):
    """Parameters of `txt2img_strict_portrait`."""

    model_weight: Annotated[Weight, _or(1.0)] = Field(
        default=1.0, description="Likeness: 1.0 is the most, lower values change the face."
    )


class Composition(_Images):
    """Parameters of `txt2img_composition`."""

    comp_uid: PlainId | None = Field(
        default=None, description="A composition to follow; without one it is random."
    )
    model_weight: Annotated[Weight, _or(0.85)] = Field(
        default=0.85, description="Likeness; 0.8 to 0.9 give the best images."
    )
