"""What authors may write for each of Perfect's operations, and what they are told when it is wrong."""

import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from orchestrator.providers.base import Image, ImageOrFile, Params

_ID_MAX = 2**63 - 1
_DIGITS = re.compile(r"[0-9]{1,19}")


def _exact_id(value: Any) -> Any:
    if isinstance(value, str) and _DIGITS.fullmatch(value):
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        # The documented examples exceed 2^53, so a float may already be another style's id.
        raise PydanticCustomError("style_id", "an id is a whole number, or its digits as text")
    return value


def _not_a_flag(value: Any) -> Any:
    if isinstance(value, bool):
        raise PydanticCustomError("scale", "a scale is 1, 2 or 4")
    return value


ProviderId = Annotated[
    int,
    Field(ge=0, le=_ID_MAX),
    BeforeValidator(_exact_id),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 0, "maximum": _ID_MAX},
                {"type": "string", "pattern": "^[0-9]{1,19}$"},
            ]
        }
    ),
]
"""An id of a style or a group: exact beyond 2^53, hence never a float; digits as text are taken too."""

FileFeature = Literal[
    "hair_style",
    "wig",
    "hair_ext",
    "hair_bang",
    "hair_vol",
    "aging",
    "makeup_transfer",
    "object_removal",
    "colorize",
    "background_removal",
    "enhance",
]
"""The features that work on files."""

StyleFeature = Literal["hair_style", "wig", "hair_ext", "hair_bang", "hair_vol", "image_generator"]
"""The features that have styles to choose from."""

_STYLE_GROUP = Field(description="Group of the style, as `list_style_groups` gives it.")
_STYLE = Field(description="Style to apply, as `list_styles` gives it for that group.")
_OUTPUT = Field(description="Format of the result.")


class PhotoParams(Params):
    """What every feature that works on a photo takes."""

    image: ImageOrFile = Field(description="The photo: URL, data URI, artifact, or {file_id: …}.")
    resize: bool = Field(
        default=True,
        description="Convert or shrink an image that the feature does not take; false refuses it instead.",
    )


class StyledPhoto(PhotoParams):
    """Of the five hair features."""

    style_group_id: Annotated[ProviderId, _STYLE_GROUP]
    style_id: Annotated[ProviderId, _STYLE]
    output_ext: Annotated[Literal["jpg"], _OUTPUT] = "jpg"


class Aging(PhotoParams):
    """Of `aging`."""

    output_ext: Annotated[Literal["jpg"], _OUTPUT] = "jpg"


class MakeupTransfer(PhotoParams):
    """Of `makeup_transfer`."""

    image: ImageOrFile = Field(description="The face that gets the make-up.")
    reference: ImageOrFile = Field(description="A photo of the look to transfer.")
    output_ext: Annotated[Literal["jpg"], _OUTPUT] = "jpg"


class ObjectRemoval(PhotoParams):
    """Of `object_removal`."""

    mask: ImageOrFile = Field(
        description="Grey-scale picture of exactly the image's size: white marks the object, black the rest."
    )
    output_ext: Annotated[Literal["jpg", "webp"], _OUTPUT] = "jpg"


class Colorize(PhotoParams):
    """Of `colorize`."""

    output_ext: Annotated[Literal["jpg", "webp"], _OUTPUT] = "jpg"


class BackgroundRemoval(PhotoParams):
    """Of `background_removal`: both formats can be transparent."""

    output_ext: Annotated[Literal["png", "webp"], _OUTPUT] = "png"


class Enhance(PhotoParams):
    """Of `enhance`."""

    scale: Annotated[Literal[1, 2, 4], BeforeValidator(_not_a_flag)] = Field(
        description="How many times as wide and high the result is."
    )
    output_ext: Annotated[Literal["jpg", "webp"], _OUTPUT] = "jpg"


class ImageGenerator(Params):
    """Of `image_generator`, the one feature without a photo."""

    prompt: str = Field(min_length=1, pattern=r"\S", description="What the picture shows.")
    style_group_id: Annotated[ProviderId, _STYLE_GROUP]
    style_id: Annotated[ProviderId, _STYLE]
    output_ext: Annotated[Literal["jpg"], _OUTPUT] = "jpg"


class UploadFile(Params):
    """Of `upload_file`: the id it gives works for this feature, for a day."""

    feature: FileFeature = Field(description="The feature that will use the file.")
    image: Image = Field(description="The image to upload: URL, data URI or artifact.")
    resize: bool = Field(default=True, description="Convert or shrink what does not fit; false refuses it.")


class ListStyleGroups(Params):
    """Of `list_style_groups`."""

    feature: StyleFeature = Field(description="The feature whose groups are listed.")
    page_size: int = Field(default=20, ge=1, le=20, description="Groups in one answer.")
    starting_token: str | None = Field(
        default=None, min_length=1, description="`next` of the previous answer; none for the first page."
    )


class ListStyles(Params):
    """Of `list_styles`."""

    feature: StyleFeature = Field(description="The feature whose styles are listed.")
    style_group_id: ProviderId | None = Field(
        default=None, description="Only styles of this group, as `list_style_groups` gives it."
    )
    page_size: int = Field(default=20, ge=1, le=20, description="Styles in one answer.")
    starting_token: str | None = Field(
        default=None, min_length=1, description="`next` of the previous answer; none for the first page."
    )
