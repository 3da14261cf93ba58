"""What a connection to Pixza may set."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field, field_validator, model_validator

from orchestrator.providers.base import ConnectionSettings
from orchestrator.providers.keys import ApiKey
from orchestrator.providers.pixza.models import RATE_LIMITS, Plan
from orchestrator.providers.pixza.params import Generate
from orchestrator.providers.prices import checked


class PixzaSettings(ConnectionSettings):
    """
    One account at Pixza.

    *plan*: of the account; it decides the rate limit where none is set.
    *prices*: only where they differ from the document's, which are known.
    *request_timeout*: long, since the answer to a submit may be the finished result.
    """

    kind: str = "pixza"
    base_url: str = "https://pixzaai.com/api/v1"
    api_key: ApiKey
    plan: Plan = "free"
    rate_limits: list[str] = Field(default_factory=lambda: [RATE_LIMITS["free"]])
    first_check: str = "10s"
    max_check_interval: str = "30s"
    request_timeout: str = "120s"

    @model_validator(mode="before")
    @classmethod
    def _limits_of_the_plan(cls, given: Any) -> Any:
        plan = given.get("plan") if isinstance(given, Mapping) else None
        if isinstance(plan, str) and plan in RATE_LIMITS and "rate_limits" not in given:
            return {**given, "rate_limits": [RATE_LIMITS[plan]]}
        return given

    @field_validator("prices")
    @classmethod
    def _name_what_costs(cls, prices: dict[str, Any]) -> dict[str, Any]:
        return checked(prices, {"generate": Generate})
