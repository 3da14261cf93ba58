"""
What authors may write for each operation of Trypi: its own field names, its own limits.

The document shows the words of `hints` and `output` by example only, so they are passed
on as they are. A null is the same as leaving out.
"""

from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, JsonValue
from pydantic_core import PydanticCustomError

from orchestrator.providers.base import Image, Params
from orchestrator.providers.identifiers import PlainId, Uuid

PROMPT_MAX = 5000
"""Characters, says the document."""
PROMPT_SURE = 4000
"""Characters that are known to be taken."""
REFERENCES_MAX = 6
IMAGE_BYTES_MAX = 15_000_000
PAGE_SIZE = 20
"""Avatars on a page where the request names no number."""


def _flat(hints: dict[str, JsonValue]) -> dict[str, JsonValue]:
    for name, value in hints.items():
        items = value if isinstance(value, list) else [value]
        if any(isinstance(item, dict | list) for item in items):
            raise PydanticCustomError(
                "hints", "hints are flat: '{name}' is a text, a number or a list of texts", {"name": name}
            )
    return hints


def _as_text(value: Any) -> Any:
    """Return a number or truth value as the text that YAML has for it: metadata maps text to text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else value


Hints = Annotated[dict[str, JsonValue], AfterValidator(_flat)]
Word = Annotated[str, Field(min_length=1)]
MetadataText = Annotated[str, Field(max_length=500), BeforeValidator(_as_text)]


class AvatarOutput(Params):
    """What the image is to be like as a file."""

    aspect_ratio: Word | None = Field(default=None, description="Width to height, such as auto.")
    resolution: Word | None = Field(default=None, description="Size, such as 1K.")
    thinking_intensity: Word | None = Field(
        default=None, description="How long to think about it, such as minimal."
    )


class GenerateAvatar(Params):
    """Parameters of `generate_avatar`."""

    prompt: str = Field(
        min_length=1,
        max_length=PROMPT_MAX,
        pattern=r"\S",
        description="What the avatar is like, in up to 5,000 characters.",
    )
    hints: Hints | None = Field(
        default=None,
        description=(
            "Flat object that steers composition, style and culture: filter_culture, avatar_composition, "
            "art_direction, … Trypi ignores keys that it does not know."
        ),
    )
    reference_images: Annotated[list[Image], Field(min_length=1, max_length=REFERENCES_MAX)] | None = Field(
        default=None,
        description=(
            "1 to 6 images to work from, JPEG, PNG or WebP, at most 15 MB each. "
            "Without them Trypi chooses one from its own library."
        ),
    )
    output: AvatarOutput | None = Field(default=None, description="Shape and size of the image.")
    client_reference_id: str | None = Field(
        default=None, min_length=1, max_length=200, description="An id of your own; by default the job's."
    )
    metadata: Annotated[dict[str, MetadataText], Field(max_length=16)] | None = Field(
        default=None, description="Up to 16 texts of your own, of up to 500 characters each."
    )


class SaveAvatar(Params):
    """Parameters of `save_avatar`."""

    job_id: Uuid = Field(description="A completed job, such as steps.avatar.output.job_id.")
    label: str | None = Field(default=None, min_length=1, description="Name of the avatar, for people.")


class ListAvatars(Params):
    """Parameters of `list_avatars`."""

    limit: int | None = Field(default=None, ge=1, strict=True, description="Avatars per page; by default 20.")
    offset: int | None = Field(default=None, ge=0, strict=True, description="How many avatars to skip.")


class ByAvatarId(Params):
    """Names one saved avatar."""

    id: PlainId = Field(description="Id of the saved avatar.")


class ByJobId(Params):
    """Names one job."""

    job_id: Uuid = Field(description="Id of the job.")
