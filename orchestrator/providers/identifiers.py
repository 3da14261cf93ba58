"""Ids that providers and authors give us, checked before they stand in a path."""

import re
from typing import Annotated, Any
from urllib.parse import quote

from pydantic import AfterValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_PLAIN = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.:-]{0,199}")


def at(path: str, id: str) -> str:
    """Return the path of one thing; its id may come from a person or a provider, so it is quoted."""
    return f"{path}/{quote(id, safe='')}"


def is_uuid(value: Any) -> bool:
    """Whether *value* is a UUID, and so can stand in a path."""
    return isinstance(value, str) and _UUID.fullmatch(value) is not None


def is_plain(value: Any) -> bool:
    """Whether *value* is an id of letters, digits and - _ . : that can stand in a path."""
    return isinstance(value, str) and _PLAIN.fullmatch(value) is not None


def _uuid(text: str) -> str:
    if not is_uuid(text):
        raise PydanticCustomError(
            "uuid",
            "a uuid looks like b6e7a1b9-f421-45f3-9c18-22f1c63c1138, not like '{text}'",
            {"text": text[:60]},
        )
    return text


def _plain(text: str) -> str:
    if not is_plain(text):
        raise PydanticCustomError(
            "id", "an id consists of letters, digits and - _ . :, unlike '{text}'", {"text": text[:60]}
        )
    return text


Uuid = Annotated[str, AfterValidator(_uuid), WithJsonSchema({"type": "string", "format": "uuid"})]
PlainId = Annotated[str, AfterValidator(_plain), WithJsonSchema({"type": "string", "minLength": 1})]
