"""What a model finds wrong is told in our own words, whatever kind of value it refuses."""

from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
from pydantic import BaseModel, Field, ValidationError, field_validator

from orchestrator.wording import complaint, either, said, wanted_kind


class Model(BaseModel):
    text: str = ""
    whole: int = 1
    number: float = 1
    flag: bool = True
    many: list[str] = []
    some: dict[str, str] = {}
    id: UUID | None = None
    choice: Literal["a b", "c'd", 3] = 3
    few: Annotated[list[int], Field(min_length=1, max_length=2)] = [1]
    short: Annotated[str, Field(min_length=2, max_length=3, pattern="^x")] = "xx"
    between: Annotated[int, Field(ge=1, le=9, multiple_of=2)] = 2
    over: Annotated[float, Field(gt=0, lt=1)] = 0.5
    own: str = ""

    @field_validator("own")
    @classmethod
    def _own(cls, text: str) -> str:
        if text:
            raise ValueError("must be as we say")
        return text


def told(value: dict[str, Any], *, show: bool = True) -> str:
    with pytest.raises(ValidationError) as refused:
        Model.model_validate(value)
    (one,) = refused.value.errors()
    return said(*complaint(one["type"], one["msg"], one.get("ctx", {}), one["input"], show=show))


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"text": 3}, "must be text, not a number"),
        ({"text": None}, "must be text, not null"),
        ({"whole": "many"}, "must be a whole number, not 'many'"),
        ({"whole": 1.5}, "must be a whole number, not 1.5"),
        ({"whole": []}, "must be a whole number, not a list"),
        ({"number": "x"}, "must be a number, not 'x'"),
        ({"flag": "perhaps"}, "must be true or false, not 'perhaps'"),
        ({"flag": 7}, "must be true or false, not 7"),
        ({"many": "x"}, "must be a list, not text"),
        ({"some": "x"}, "must be an object, not text"),
        ({"id": "x"}, "must be a UUID, not 'x'"),
        ({"choice": "a c"}, "must be a b, c'd or 3, not 'a c' (did you mean 'a b'?)"),
        ({"choice": 4}, "must be a b, c'd or 3, not 4"),
        ({"choice": ""}, "must be a b, c'd or 3, not an empty text"),
        ({"few": []}, "must have at least 1 item, not 0"),
        ({"few": [1, 2, 3]}, "must have at most 2 items, not 3"),
        ({"short": "x"}, "must have at least 2 characters, not 1"),
        ({"short": "xxxx"}, "must have at most 3 characters, not 4"),
        ({"short": "yy"}, "must have the form ^x, not 'yy'"),
        ({"between": 0}, "must be at least 1, not 0"),
        ({"between": 12}, "must be at most 9, not 12"),
        ({"between": 3}, "must be a multiple of 2, not 3"),
        ({"over": 0}, "must be greater than 0.0, not 0"),
        ({"over": 1}, "must be less than 1.0, not 1"),
        ({"own": "x"}, "must be as we say"),
    ],
)
def test_what_is_wrong_is_told_in_our_words(value: dict[str, Any], words: str) -> None:
    assert told(value) == words


@pytest.mark.parametrize("value", [{"whole": "s3cret"}, {"choice": "s3cret"}, {"short": "s3cret"}])
def test_what_was_given_is_left_out_where_it_may_be_a_secret(value: dict[str, Any]) -> None:
    assert "s3cret" not in told(value, show=False)


def test_a_long_choice_is_cut() -> None:
    assert either([str(n) for n in range(20)]).endswith("11, … (8 more)")


def test_only_a_wrong_kind_is_one() -> None:
    assert wanted_kind("string_type") == "text"
    assert wanted_kind("literal_error") is None
