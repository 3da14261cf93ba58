"""What parameters tell of a task before all of them are known: its price, and how many files it gives."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Annotated, Any

from pydantic import BaseModel, TypeAdapter, ValidationError

from orchestrator.providers.base import Operation


def known_part(
    model: type[BaseModel], values: Mapping[str, Any], is_known: Callable[[Any], bool]
) -> BaseModel:
    """
    Return *model* with the parameters of *values* that are known and valid, and the defaults of the others.

    Shape:   a parameter that is given and not known is not there at all: to read it is an AttributeError.
    """
    known: dict[str, Any] = {}
    for name in model.model_fields:
        if name in values and is_known(values[name]):
            try:
                known[name] = _alone(model, name).validate_python(values[name])
            except ValidationError:
                continue
    made = model.model_construct(**known)
    for name in values.keys() - known.keys():
        made.__dict__.pop(name, None)
    return made


@lru_cache(maxsize=1024)
def _alone(model: type[BaseModel], name: str) -> TypeAdapter[Any]:
    """Return what validates one parameter without the others."""
    field = model.model_fields[name]
    kind: Any = Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
    return TypeAdapter(kind)


def expected_price(operation: Operation, params: BaseModel) -> float | None:
    """Return the credits that a task costs; None where no list says so, or *params* lack what decides it."""
    try:
        return operation.price(params)
    except AttributeError:
        return None


def expected_files(operation: Operation, params: BaseModel) -> tuple[int, int] | None:
    """Return how many files a task gives, at least and at most; None where nobody knows."""
    if operation.files is None:
        return None
    try:
        return operation.files(params)
    except AttributeError:
        return None
