"""A text parameter that is one of a provider's words, however the author spells its capitals."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from orchestrator.wording import either


def folded(text: str) -> str:
    """Return *text* as it is compared: without capitals, with single spaces."""
    return " ".join(text.casefold().split())


@dataclass(frozen=True, slots=True)
class OneOf:
    """
    Marks a `str` (in `Annotated`) as one of *values*; what is given becomes the spelling listed there.

    *fold* is how two spellings are compared. *suggest* may know better than likeness which
    values were meant. The JSON Schema lists the values, for completion in editors.
    """

    values: tuple[str, ...]
    fold: Callable[[str], str] = folded
    suggest: Callable[[str], Sequence[str]] = lambda given: ()

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._canonical, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {**handler(schema), "enum": list(self.values)}

    def _canonical(self, given: str) -> str:
        spellings = {self.fold(value): value for value in self.values}
        known = spellings.get(self.fold(given))
        if known is None:
            raise PydanticCustomError("choice", "{text}", {"text": self._complaint(given, spellings)})
        return known

    def _complaint(self, given: str, spellings: dict[str, str]) -> str:
        close = get_close_matches(self.fold(given)[:200], spellings, n=1, cutoff=0.6)
        meant = list(self.suggest(given)) or [spellings[spelling] for spelling in close]
        hint = f" (did you mean {' or '.join(quoted(value) for value in meant)}?)" if meant else ""
        if len(self.values) > 30:
            return f"must be one of the {len(self.values)} known values, not {quoted(given)}{hint}"
        return f"must be {either(self.values)}, not {quoted(given)}{hint}"


def quoted(text: str) -> str:
    """Return *text* in single quotes, shortened, its backslashes as they are, as YAML takes it."""
    return f"'{text[:100]}…'" if len(text) > 100 else f"'{text}'"
