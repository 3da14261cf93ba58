"""What a connection to Pixu may set."""

from typing import Any, Literal

from pydantic import Field, field_validator

from orchestrator.providers.base import ConnectionSettings
from orchestrator.providers.keys import ApiKey
from orchestrator.providers.pixu.params import Composition, CreateModel, CreateModelFromUrl, StrictPortrait
from orchestrator.providers.prices import checked


class PixuSettings(ConnectionSettings):
    """
    One account at Pixu.

    *app_uid*: as negotiated in a contract; without one Pixu's text says API (its examples: api).
    *face_form*: how the face is written into the request; the document says base64 only.
    *image_bytes_max*: a limit of our own, since the face travels inside the request.
    *rate_limits*, *prices*: Pixu documents neither; a budget needs prices here.
    *uncertain_grace*: long, since only the callback tells what became of an unclear submit.
    """

    kind: str = "pixu"
    base_url: str = "https://pixu.ai/pixu/api"
    api_key: ApiKey
    app_uid: str = Field(default="API", min_length=1)
    face_form: Literal["base64", "data_uri"] = "base64"
    image_bytes_max: int = Field(default=10_000_000, ge=1)
    rate_limits: list[str] = Field(default_factory=lambda: ["1/1s"])
    uncertain_grace: str = "30m"

    @field_validator("prices")
    @classmethod
    def _name_what_costs(cls, prices: dict[str, Any]) -> dict[str, Any]:
        return checked(
            prices,
            {
                "create_model": CreateModel,
                "create_model_from_url": CreateModelFromUrl,
                "txt2img_strict_portrait": StrictPortrait,
                "txt2img_composition": Composition,
            },
        )
