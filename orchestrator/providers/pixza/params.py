"""
What authors may write for each operation of Pixza: its own field names, its own values.

Where its document names no limits (sizes, steps, the prompt's length) none are made up.
The callback URL is not theirs to set. A null is the same as leaving out.
"""

from collections.abc import Iterator, Mapping, Set
from difflib import get_close_matches
from typing import Annotated, Any

from pydantic import Field

from orchestrator.providers.base import Image, Params
from orchestrator.providers.choice import OneOf, folded, quoted
from orchestrator.providers.identifiers import PlainId
from orchestrator.providers.pixza.models import DEFAULT_MODEL, MODELS, TYPES, models_of

# No further than JSON writers agree on.
Whole = Annotated[int, Field(strict=True, ge=-(2**63), le=2**63 - 1)]
Positive = Annotated[Whole, Field(ge=1)]


class Generate(Params):
    """Parameters of `generate`."""

    type: Annotated[str, OneOf(TYPES)] = Field(description="What to make.")
    prompt: str = Field(min_length=1, pattern=r"\S", description="What it shows, in words.")
    model: PlainId | None = Field(
        default=None,
        description=(
            f"Model to use, by default {DEFAULT_MODEL}. Images: {', '.join(models_of('image'))}. "
            f"Videos: {', '.join(models_of('video'))}. For 3d see `list_models`."
        ),
        json_schema_extra={"default": DEFAULT_MODEL, "examples": list(MODELS)},
    )
    input_image: Image | None = Field(
        default=None, description="Image to start from. flux-kontext and wan-i2v need one."
    )
    width: Positive | None = Field(default=None, description="Width in pixels. Pixza's default: 1024.")
    height: Positive | None = Field(default=None, description="Height in pixels. Pixza's default: 1024.")
    steps: Positive | None = Field(
        default=None, description="Inference steps. Pixza's default depends on the model."
    )
    seed: Whole | None = Field(default=None, description="The same seed gives the same result.")

    @property
    def model_name(self) -> str:
        """Return the model, Pixza's default included."""
        return self.model or DEFAULT_MODEL

    @classmethod
    def conflicts(cls, given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        name, type_ = given.get("model"), _type_in(given)
        model = MODELS.get(name) if isinstance(name, str) else None
        if model is not None and type_ is not None and model.type != type_:
            yield "model", f"{name} makes type {model.type}, not {type_}{_instead(type_)}"
        if isinstance(name, str) and model is None and type_ in ("image", "video"):
            yield "model", _unknown(name, type_)
        if model is not None and model.image == "unused" and given.get("input_image") is not None:
            yield "input_image", f"{name} works from the prompt alone and takes no input_image"

    @classmethod
    def needs(cls, given: Mapping[str, Any], there: Set[str]) -> Iterator[tuple[str, str]]:
        type_, name = _type_in(given), given.get("model")
        if type_ in ("video", "3d") and "model" not in there:
            yield "model", f"type {type_} needs a model: the default makes images{_instead(type_)}"
        model = MODELS.get(name) if isinstance(name, str) else None
        if model is not None and model.image == "required" and "input_image" not in there:
            yield "input_image", f"{name} needs an input_image to work on"


def _type_in(given: Mapping[str, Any]) -> str | None:
    type_ = given.get("type")
    return folded(type_) if isinstance(type_, str) and folded(type_) in TYPES else None


def _instead(type_: str) -> str:
    names = models_of(type_)
    return f" (models of type {type_}: {', '.join(names)})" if names else " (list_models may show some)"


def _unknown(name: str, type_: str) -> str:
    close = get_close_matches(name, MODELS, n=1)
    hint = f" (did you mean {quoted(close[0])}?)" if close else ""
    return f"{quoted(name)} is no model of type {type_}: {', '.join(models_of(type_))}{hint}"


class ById(Params):
    """Names one generation."""

    id: PlainId = Field(description="Id of the generation, such as steps.draw.output.id.")


class Nothing(Params):
    """Of the operations that have no parameters: `list_generations`, `list_models`, `get_credits`."""
