"""API keys as settings: secrets that can be sent."""

from typing import Annotated

from pydantic import AfterValidator, SecretStr
from pydantic_core import PydanticCustomError


def _sendable(key: SecretStr) -> SecretStr:
    # A key that is read from a file has a line end, which no header may hold.
    text = key.get_secret_value().strip()
    if not text or not text.isascii() or not text.isprintable() or " " in text:
        raise PydanticCustomError("api_key", "api_key is empty or holds characters that no key has")
    return SecretStr(text)


ApiKey = Annotated[SecretStr, AfterValidator(_sendable)]
"""A key without the white space around it; what fits no header is refused, without being shown."""
