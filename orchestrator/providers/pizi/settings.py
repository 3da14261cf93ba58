"""What a connection to Pizi may set."""

from typing import Any

from pydantic import Field, field_validator

from orchestrator.providers.base import ConnectionSettings
from orchestrator.providers.keys import ApiKey
from orchestrator.providers.pizi.params import CreateModel, CreatePictures
from orchestrator.providers.prices import checked


class PiziSettings(ConnectionSettings):
    """
    One account at Pizi.

    *rate_limits*: Pizi documents no numbers; these keep us polite.
    *prices*: Pizi documents none.
    *image_bytes_max*: a limit of our own, since images may travel inside the request.
    """

    kind: str = "pizi"
    base_url: str = "https://api.media.pizi.app"
    api_key: ApiKey
    rate_limits: list[str] = Field(default_factory=lambda: ["2/1s"])
    image_bytes_max: int = Field(default=10_000_000, ge=1)

    @field_validator("prices")
    @classmethod
    def _name_what_costs(cls, prices: dict[str, Any]) -> dict[str, Any]:
        return checked(prices, {"create_model": CreateModel, "create_pictures": CreatePictures})
