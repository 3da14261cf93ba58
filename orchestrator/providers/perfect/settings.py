"""What a connection to Perfect may set."""

import base64
import binascii
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any, Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_core import PydanticCustomError

from orchestrator import durations
from orchestrator.providers.base import ConnectionSettings
from orchestrator.providers.perfect.features import FEATURES, default_paths
from orchestrator.providers.prices import checked

LOST_AFTER_S = 10.0
"""A task that nobody polls for this long is lost, says the provider."""


class PerfectSettings(ConnectionSettings):
    """
    One account at Perfect. `base_url` has no default: the provider's page names no address.

    *client_secret*: the secret key as the console shows it, an RSA public key (X.509, base64).
    *paths*: overrides of the default paths, by what they are for: `auth`, `enhance.run`, …
    *request_id_start*: where the counter of request numbers starts in a fresh data folder.
    *poll_interval*, *poll_timeout*: between the starts of two polls, and for the answer to one.
    *rsa_padding*: of the sealed client id; the provider's page does not say which it wants.
    *invert_masks*: send masks with black and white exchanged, should white turn out to be what is kept.
    *enhance_long_side_max*: how long a side of an enhanced picture may be, in pixels. The
    provider states no limit; this one keeps a slip from being paid for.
    """

    kind: str = "perfect"
    client_id: SecretStr
    client_secret: SecretStr
    paths: dict[str, str] = Field(default_factory=default_paths)
    rate_limits: list[str] = Field(default_factory=lambda: ["100/5m host", "100/1m"])
    request_id_start: int | None = Field(default=None, ge=0, lt=2**31)
    poll_interval: str = "7s"
    poll_timeout: str = "2.5s"
    rsa_padding: Literal["pkcs1v15", "oaep"] = "pkcs1v15"
    invert_masks: bool = False
    enhance_long_side_max: int = Field(default=8192, ge=1)

    @field_validator("client_id")
    @classmethod
    def _is_there(cls, name: SecretStr) -> SecretStr:
        text = name.get_secret_value().strip()
        if not text:
            raise PydanticCustomError("client_id", "client_id is empty")
        return SecretStr(text)

    @field_validator("client_secret")
    @classmethod
    def _is_base64(cls, secret: SecretStr) -> SecretStr:
        text = "".join(secret.get_secret_value().split())
        try:
            decoded = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            decoded = b""
        if not decoded:
            raise PydanticCustomError(
                "client_secret", "client_secret is the secret key of the console: base64, without a header"
            )
        return SecretStr(text)

    @field_validator("paths", mode="before")
    @classmethod
    def _complete(cls, given: Any) -> Any:
        if not isinstance(given, Mapping):
            return given
        known = default_paths()
        overrides = dict(_flat(given))
        for name, path in overrides.items():
            if name not in known:
                close = get_close_matches(name, known, n=1)
                hint = f" (did you mean '{close[0]}'?)" if close else ""
                raise PydanticCustomError(
                    "path", "'{name}' is no known path{hint}", {"name": name, "hint": hint}
                )
            if not isinstance(path, str) or not path.startswith("/"):
                raise PydanticCustomError("path", "the path '{name}' has to start with /", {"name": name})
        return known | overrides

    @field_validator("prices")
    @classmethod
    def _name_what_costs(cls, prices: dict[str, Any]) -> dict[str, Any]:
        return checked(prices, {name: feature.params for name, feature in FEATURES.items()})

    @field_validator("poll_interval", "poll_timeout")
    @classmethod
    def _is_duration(cls, text: str) -> str:
        if not durations.seconds(text):
            raise ValueError("a duration must be greater than zero")
        return text

    @model_validator(mode="after")
    def _leave_time_to_repeat(self) -> Self:
        if self.poll_interval_s + self.poll_timeout_s >= LOST_AFTER_S:
            raise PydanticCustomError(
                "poll",
                "poll_interval and poll_timeout together have to stay below {limit}s, so that a poll that "
                "was not answered can be repeated before the task is lost",
                {"limit": int(LOST_AFTER_S)},
            )
        return self

    @property
    def poll_interval_s(self) -> float:
        """Return `poll_interval` in seconds."""
        return durations.seconds(self.poll_interval)

    @property
    def poll_timeout_s(self) -> float:
        """Return `poll_timeout` in seconds."""
        return durations.seconds(self.poll_timeout)


def _flat(table: Mapping[Any, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield `enhance.run` for `{"enhance.run": …}` and for `{"enhance": {"run": …}}`: TOML gives both."""
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
