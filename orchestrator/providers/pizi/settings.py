"""What a connection to Pizi may set."""

from typing import Any

from pydantic import Field, SecretStr, field_validator
from pydantic_core import PydanticCustomError

from orchestrator.providers.base import ConnectionSettings
from orchestrator.providers.pizi.params import CreateModel, CreatePictures
from orchestrator.providers.prices import complaints


class PiziSettings(ConnectionSettings):
    """
    One account at Pizi.

    *rate_limits*: Pizi documents no numbers; these keep us polite.
    *prices*: Pizi documents none either; a budget needs them here.
    *image_bytes_max*: a limit of our own, since images may travel inside the request.
    """

    kind: str = "pizi"
    base_url: str = "https://api.media.pizi.app"
    api_key: SecretStr
    rate_limits: list[str] = Field(default_factory=lambda: ["2/1s"])
    image_bytes_max: int = Field(default=10_000_000, ge=1)

    @field_validator("api_key")
    @classmethod
    def _fits_a_header(cls, key: SecretStr) -> SecretStr:
        text = key.get_secret_value().strip()
        if not text or not text.isascii() or not text.isprintable() or " " in text:
            raise PydanticCustomError("api_key", "api_key is empty or holds characters that no key has")
        return SecretStr(text)

    @field_validator("prices")
    @classmethod
    def _name_what_costs(cls, prices: dict[str, Any]) -> dict[str, Any]:
        wrong = "; ".join(
            complaints(prices, {"create_model": CreateModel, "create_pictures": CreatePictures})
        )
        if wrong:
            raise PydanticCustomError("prices", "{text}", {"text": wrong})
        return prices
