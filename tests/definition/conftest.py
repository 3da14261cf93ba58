"""A small catalog of operations for definitions to use, and the definition that the documentation shows."""

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field

from orchestrator.core.approve import Approve, Approved
from orchestrator.core.http import Gained, Http
from orchestrator.core.run_workflow import Outputs, RunWorkflow
from orchestrator.core.sleep import Sleep, Slept
from orchestrator.definition.catalog import Catalog, ConnectionSpec, FoundProblem, OperationSpec
from orchestrator.definition.loader import Loaded, load
from orchestrator.definition.workflow import CORE
from orchestrator.providers.base import Image, ImageOrFile, Output, Params, check_params


class Attributes(Params):
    age: Literal["Child", "Young adult", "Adult"] | None = None
    ethnicity: str | None = None


class CreateModel(Params):
    gender: Literal["female", "male"]
    name: str | None = None
    attributes: Attributes | None = None


class Model(Output):
    uuid: str
    name: str | None = None
    mediaUrl: str


class ModelReference(Params):
    uuid: str


class Product(Params):
    images: Annotated[list[Image], Field(min_length=1)]


class CreatePictures(Params):
    shotType: Literal["lifestyle", "mix"]
    product: Product
    variants: Literal[1, 3, 5, 9] | None = None
    model: ModelReference | None = None


class Pictures(Output):
    uuid: str
    result: list[str]


class Enhance(Params):
    image: ImageOrFile
    scale: Literal[1, 2, 4]
    resize: bool = True


class Results(Output):
    results: list[Model]


class NoParams(Params):
    pass


class Credits(Output):
    credits: int


def operation(
    name: str,
    params: type[Params],
    output: type[Output],
    *,
    gives_files: bool = True,
    priced: bool | None = None,
) -> OperationSpec:
    def check(values: Mapping[str, Any], is_unknown: Callable[[Any], bool]) -> Sequence[FoundProblem]:
        return check_params(params, values, is_unknown=is_unknown)

    return OperationSpec(
        name=name,
        summary=name,
        params_schema=params.model_json_schema(),
        output_schema=output.model_json_schema(),
        check=check,
        gives_files=gives_files,
        costs=priced is not None,
        priced=bool(priced),
    )


def connection(name: str, *operations: OperationSpec) -> ConnectionSpec:
    return ConnectionSpec(name=name, kind=name, operations={o.name: o for o in operations})


CATALOG: Catalog = {
    "pizi": connection(
        "pizi",
        operation("create_model", CreateModel, Model, priced=True),
        operation("create_pictures", CreatePictures, Pictures, priced=False),
        operation("get_credits", NoParams, Credits, gives_files=False),
    ),
    "perfect": connection("perfect", operation("enhance", Enhance, Results, priced=True)),
    CORE: connection(
        CORE,
        operation("sleep", Sleep, Slept, gives_files=False),
        operation("approve", Approve, Approved),
        operation("run_workflow", RunWorkflow, Outputs),
        operation("http", Http, Gained),
    ),
}

SECRETS = {"shop": False, "partner": True, "notify": True}
"""Of them `shop` is no key of Standard Webhooks."""

EXAMPLE = """\
name: fashion-shoot                 # slug, unique
description: A virtual model, product pictures with it, each enhanced to twice its size.
inputs:                             # JSON Schema per input; no default = required
  product_images:
    type: array
    items: {type: string, format: image}
    minItems: 1
  gender: {type: string, enum: [female, male], default: female}
defaults:
  timeout: 30m
  retry: {attempts: 3, backoff: 5s, max_backoff: 2m}
steps:
  enhance:
    uses: perfect/enhance
    for_each: ${{ steps.pictures.artifacts }}
    max_parallel: 3
    with: {image: '${{ item }}', scale: 2}
  model:
    uses: pizi/create_model
    with:
      gender: ${{ inputs.gender }}
      attributes: {age: Young adult, ethnicity: 'European \\ Northern European \\ Irish'}
  pictures:
    uses: pizi/create_pictures
    with:
      shotType: lifestyle
      variants: 3
      model: {uuid: '${{ steps.model.output.uuid }}'}
      product: {images: '${{ inputs.product_images }}'}
outputs:
  images: ${{ steps.enhance.artifacts }}
"""


@pytest.fixture(scope="session")
def catalog() -> Catalog:
    return CATALOG


@pytest.fixture(scope="session")
def example() -> str:
    return EXAMPLE


@pytest.fixture(scope="session")
def load_text() -> Callable[[str], Loaded]:
    """Load a definition of the file `w.yaml` against the small catalog."""
    return lambda text: load(text, file="w.yaml", catalog=CATALOG, secrets=SECRETS)
