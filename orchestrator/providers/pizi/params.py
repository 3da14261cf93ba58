"""
What authors may write for each operation of Pizi: its own field names, its own values.

The callback URL and our mark in the metadata are not theirs to set. Nothing is
filled in: what is left out is left out of the request, and Pizi's default
holds. A null is the same as leaving out.
"""

from collections.abc import Iterator, Mapping, Set
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    JsonValue,
    Tag,
)
from pydantic_core import PydanticCustomError

from orchestrator.providers.base import Image, Params
from orchestrator.providers.choice import OneOf, folded
from orchestrator.providers.identifiers import Uuid
from orchestrator.providers.pizi import values

MARK = "orchestrator_job"
"""The metadata key under which every submit carries its job id."""


def _without_mark(metadata: dict[str, JsonValue]) -> dict[str, JsonValue]:
    if MARK in metadata:
        raise PydanticCustomError(
            "metadata", "the metadata key '{mark}' is ours: it finds lost submits again", {"mark": MARK}
        )
    return metadata


def _no_truth_value(value: Any) -> Any:
    if isinstance(value, bool | float):
        raise PydanticCustomError("variants", "variants is a whole number: 1, 3, 5 or 9")
    return value


Metadata = Annotated[dict[str, JsonValue], AfterValidator(_without_mark)]
Images = Annotated[list[Image], Field(min_length=1)]
Gender = Annotated[str, OneOf(values.GENDERS)]
ShotType = Annotated[str, OneOf(values.SHOT_TYPES)]
Variants = Annotated[Literal[1, 3, 5, 9], BeforeValidator(_no_truth_value)]
Ethnicity = Annotated[str, OneOf(values.ETHNICITIES, values.fold_ethnicity, values.ethnicities_named)]
Feature = Annotated[str, OneOf(values.DISTINCTIVE_FEATURES)]


class Attributes(Params):
    """What a virtual model looks like. Everything may be left out."""

    age: Annotated[str, OneOf(values.AGES)] | None = Field(
        default=None, description="Age group. Pizi's default: Adult.", json_schema_extra={"default": "Adult"}
    )
    ethnicity: Ethnicity | None = Field(
        default=None,
        description=(
            "One to three levels with ' \\ ' between them, such as European \\ Northern European \\ Irish "
            "(single quotes in YAML). Pizi's default: European \\ Caucasian."
        ),
        json_schema_extra={"default": "European \\ Caucasian"},
    )
    bodyType: Annotated[str, OneOf(values.BODY_TYPES)] | None = Field(
        default=None, description="Build. Pizi's default: Average.", json_schema_extra={"default": "Average"}
    )
    height: Annotated[str, OneOf(values.HEIGHTS)] | None = Field(
        default=None, description="Height. Pizi's default: Medium.", json_schema_extra={"default": "Medium"}
    )
    breastSize: Annotated[str, OneOf(values.BREAST_SIZES)] | None = Field(
        default=None, description="Recommended for female models only."
    )
    hairLength: Annotated[str, OneOf(values.HAIR_LENGTHS)] | None = Field(
        default=None, description="Length of the hair."
    )
    hairColor: Annotated[str, OneOf(values.HAIR_COLORS)] | None = Field(
        default=None, description="Colour of the hair."
    )
    eyeColor: Annotated[str, OneOf(values.EYE_COLORS)] | None = Field(
        default=None, description="Colour of the eyes."
    )
    facialHair: Annotated[str, OneOf(values.FACIAL_HAIR)] | None = Field(
        default=None, description="Recommended for male models."
    )
    distinctiveFeatures: list[Feature] | None = Field(
        default=None, description="Freckles, scars, tattoos, piercings and the like."
    )


class Person(Params):
    """A virtual model described by attributes, by reference images, or by both."""

    gender: Gender | None = Field(
        default=None, description="Required unless reference images are given; recommended beside them."
    )
    attributes: Attributes | None = Field(default=None, description="What the model looks like.")
    referenceImages: Images | None = Field(
        default=None, description="Pictures of the person, JPG or PNG, at least one."
    )

    @classmethod
    def presence(cls, there: Set[str], perhaps: Set[str]) -> Iterator[tuple[str, str]]:
        if not {"gender", "referenceImages"} & (there | perhaps):
            yield "gender", "gender is required unless referenceImages are given"


class CreateModel(Person):
    """Parameters of `create_model`."""

    name: str | None = Field(
        default=None,
        max_length=100,
        description="Name of the model; by default Pizi makes one from the date and time.",
    )
    priority: Annotated[str, OneOf(values.PRIORITIES)] | None = Field(
        default=None,
        description="Place in Pizi's queue; billing may differ. Pizi's default: standard.",
        json_schema_extra={"default": "standard"},
    )
    metadata: Metadata | None = Field(
        default=None, description="Tags of your own; Pizi searches them with `filter`."
    )


class ModelReference(Params):
    """A model that exists already."""

    uuid: Uuid = Field(description="UUID of the model, such as steps.model.output.uuid.")


class InlineModel(Person):
    """A model made for these pictures only. To use it again, make it with `create_model`."""


def _which_model(value: Any) -> str | None:
    if isinstance(value, ModelReference) or (isinstance(value, Mapping) and "uuid" in value):
        return "existing-model"
    return "inline-model" if isinstance(value, InlineModel | Mapping) else None


# The tags are no identifiers, so that they are never taken for the name of a parameter in a problem's path.
ModelOfPictures = Annotated[
    Annotated[ModelReference, Tag("existing-model")] | Annotated[InlineModel, Tag("inline-model")],
    Discriminator(
        _which_model,
        custom_error_type="model",
        custom_error_message="model is an object: a model's uuid, or gender, attributes, referenceImages",
    ),
]


class Product(Params):
    """What is to be seen in the pictures."""

    images: Images = Field(description="Pictures of the product, JPG or PNG, at least one.")
    info: str | None = Field(default=None, description="Product details, Markdown or plain text.")


class PictureOutput(Params):
    """What the pictures are to be like as files."""

    aspectRatio: Annotated[str, OneOf(values.ASPECT_RATIOS)] | None = Field(
        default=None,
        description="Width to height. Pizi's default: 1:1.",
        json_schema_extra={"default": "1:1"},
    )
    format: Annotated[str, OneOf(values.FORMATS)] | None = Field(
        default=None, description="Kind of file. Pizi's default: png.", json_schema_extra={"default": "png"}
    )


class CreatePictures(Params):
    """Parameters of `create_pictures`."""

    shotType: ShotType = Field(description="Kind of picture; mix gives nine of all kinds.")
    product: Product = Field(description="The product to show.")
    variants: Variants | None = Field(
        default=None, description="How many pictures: 1 (default), 3 or 5; for mix always 9."
    )
    model: ModelOfPictures | None = Field(
        default=None, description="Who wears or shows the product. Not together with modelImageUrl."
    )
    modelImageUrl: Image | None = Field(
        default=None, description="A picture of who shows the product. Not together with model."
    )
    output: PictureOutput | None = Field(default=None, description="Shape and kind of the files.")
    metadata: Metadata | None = Field(
        default=None, description="Tags of your own; Pizi searches them with `filter`."
    )

    @property
    def pictures(self) -> int:
        """How many pictures this makes, Pizi's default included."""
        return self.variants or values.VARIANTS[self.shotType][0]

    @classmethod
    def conflicts(cls, given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        shot, variants = given.get("shotType"), given.get("variants")
        allowed = values.VARIANTS.get(folded(shot)) if isinstance(shot, str) else None
        # What no type of shot allows is the business of the field itself.
        if allowed and variants in (1, 3, 5, 9) and variants not in allowed:
            choice = " or ".join(str(number) for number in allowed)
            yield "variants", f"variants has to be {choice} when shotType is {shot}, not {variants}"

    @classmethod
    def presence(cls, there: Set[str], perhaps: Set[str]) -> Iterator[tuple[str, str]]:
        if {"model", "modelImageUrl"} <= there:
            yield "modelImageUrl", "model and modelImageUrl exclude each other: give one of them"


class ByUuid(Params):
    """Names one thing that Pizi holds."""

    uuid: Uuid = Field(description="UUID of the thing.")


class _Paged(Params):
    page: int | None = Field(default=None, ge=1, description="Which page, from 1.")
    limit: int | None = Field(default=None, ge=1, description="Items per page.")
    filter: str | None = Field(
        default=None, description="Full-text search over the metadata, such as project:Autumn."
    )


class ListModels(_Paged):
    """Parameters of `list_models`. Without `limit` Pizi gives 50 a page."""

    status: Annotated[str, OneOf(values.MODEL_STATUSES)] | None = Field(
        default=None, description="Only models in this state."
    )


class ListPictures(_Paged):
    """Parameters of `list_pictures`."""

    status: Annotated[str, OneOf(values.PICTURE_STATUSES)] | None = Field(
        default=None, description="Only pictures in this state."
    )
    # Not one of SHOT_TYPES: Pizi answers with types that it does not take (creative).
    shotType: str | None = Field(default=None, description="Only pictures of this type.")


class ListTasks(Params):
    """`list_tasks` has no parameters."""
