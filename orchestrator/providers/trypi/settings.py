"""What a connection to Trypi may set."""

from typing import Any

from pydantic import Field, field_validator

from orchestrator.providers.base import ConnectionSettings
from orchestrator.providers.keys import ApiKey
from orchestrator.providers.prices import checked
from orchestrator.providers.trypi.params import GenerateAvatar


class TrypiSettings(ConnectionSettings):
    """
    One account at Trypi.

    *rate_limits*: Trypi documents no numbers; this one keeps us polite, held polls included.
    *prices*: Trypi documents none.
    *request_timeout*: long, since a submit may carry six images. One that is given up too
    early is repeated while the first may still be read, which a key does not surely protect.
    """

    kind: str = "trypi"
    base_url: str = "https://api.trypi.ai/api/v1"
    api_key: ApiKey
    rate_limits: list[str] = Field(default_factory=lambda: ["60/1m"])
    max_check_interval: str = "30s"
    request_timeout: str = "120s"

    @field_validator("prices")
    @classmethod
    def _name_what_costs(cls, prices: dict[str, Any]) -> dict[str, Any]:
        return checked(prices, {"generate_avatar": GenerateAvatar})
