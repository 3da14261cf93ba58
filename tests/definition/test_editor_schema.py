"""The JSON Schema for editors takes what the loader takes, and refuses what an editor should underline."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from orchestrator.cli.validate import any_account
from orchestrator.definition.catalog import Catalog
from orchestrator.definition.editor_schema import editor_schema
from orchestrator.definition.editor_texts import FIELDS
from orchestrator.definition.yaml_document import Unreadable, read
from orchestrator.operations.plans import catalog as catalog_of
from orchestrator.operations.workflows import is_test
from orchestrator.rehearsal.sandbox import SHIPPED

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture(scope="module")
def small(catalog: Catalog) -> Draft202012Validator:
    return Draft202012Validator(editor_schema(catalog))


@pytest.fixture(scope="module")
def whole() -> Draft202012Validator:
    """A validator for every operation of every kind of provider."""
    return Draft202012Validator(editor_schema(catalog_of(any_account())))


def wrong(validator: Draft202012Validator, text: str) -> list[str]:
    errors = validator.iter_errors(read(text).data)
    return [f"{error.json_path}: {error.message}" for error in errors]


def test_it_is_a_json_schema(whole: Draft202012Validator) -> None:
    Draft202012Validator.check_schema(whole.schema)


EXAMPLES = [file for file in sorted(SHIPPED.glob("*.yaml")) if not is_test(file)]


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_every_shipped_workflow_is_valid(whole: Draft202012Validator, file: Path) -> None:
    assert wrong(whole, file.read_text()) == []


GOOD = [
    file
    for file in sorted(GOLDEN.glob("*.yaml"))
    if all(": warning: " in line for line in file.with_suffix(".txt").read_text().splitlines())
]


@pytest.mark.parametrize("file", GOOD, ids=lambda file: file.stem)
def test_what_the_loader_takes_is_valid(small: Draft202012Validator, file: Path) -> None:
    assert wrong(small, file.read_text()) == []


def test_the_example_of_the_tests_is_valid(small: Draft202012Validator, example: str) -> None:
    assert wrong(small, example) == []


STEP = "name: w\nsteps: {s: {uses: pizi/create_model, with: {gender: male}}}\n"


@pytest.mark.parametrize(
    "text",
    [
        "name: w\n",
        "name: My Flow\nsteps: {s: {uses: pizi/get_credits}}",
        "name: w\nsteps: {}",
        "name: w\nsteps: {s: {}}",
        "name: w\nsteps: {s: {uses: pizi/create_modl, with: {gender: male}}}",
        "name: w\nsteps: {s: {uses: pizi/create_model}}",
        "name: w\nsteps: {s: {uses: pizi/create_model, with: {gender: mal}}}",
        "name: w\nsteps: {s: {uses: pizi/create_model, with: {gender: male, nam: x}}}",
        "name: w\nsteps: {s: {uses: pizi/create_model, with: {gender: male, attributes: {age: Old}}}}",
        "name: w\nsteps: {s-t: {uses: pizi/get_credits}}",
        "name: w\nsteps: {s: {uses: pizi/get_credits, timeout: 5 minutes}}",
        "name: w\nsteps: {s: {uses: pizi/get_credits, timeout: 30}}",
        "name: w\nsteps: {s: {uses: pizi/get_credits, retry: {attempts: 0}}}",
        "name: w\nsteps: {s: {uses: pizi/get_credits, retry: {on: [time_out]}}}",
        "name: w\nsteps: {s: {uses: pizi/get_credits, needs: other}}",
        "name: w\nsteps: {s: {uses: pizi/get_credits, when: x}}",
        STEP + "inputs: {a: string}",
        STEP + "inputs: {a: {type: text}}",
        STEP + "budget: {perfct: 3}",
        STEP + "budget: {pizi: 0}",
        STEP + "triggers: {webhook: {verify: {scheme: standart, secret: shop}}}",
        STEP + "triggers: {schedule: {timezone: UTC}}",
        STEP + "triggers: {run: {workflow: x, status: [done]}}",
        STEP + "notify: example.com",
        STEP + "concurrency: {limit: 2}",
        STEP + "on: push",
    ],
)
def test_what_an_editor_should_underline_is_invalid(small: Draft202012Validator, text: str) -> None:
    assert wrong(small, text)


def test_every_parameter_may_be_an_expression(whole: Draft202012Validator) -> None:
    schema: Any = whole.schema
    for key, params in schema["$defs"].items():
        if key.startswith("with.") and "anyOf" in params:
            fields = params["anyOf"][0].get("properties", {})
            for name, field in fields.items():
                given = Draft202012Validator({**field, "$defs": schema["$defs"]})
                assert given.is_valid("${{ inputs.x }}"), f"{key}: {name}"


def test_every_parameter_says_what_it_is_for(whole: Draft202012Validator) -> None:
    schema: Any = whole.schema

    silent = [
        f"{key}.{name}"
        for key, params in schema["$defs"].items()
        if key.startswith("with.")
        for form in params.get("anyOf", [params])
        for name, field in form.get("properties", {}).items()
        if not field.get("description")
    ]

    assert silent == []


def told(schema: Any) -> Iterator[str]:
    """Yield every description in a schema."""
    if isinstance(schema, dict):
        if isinstance(text := schema.get("description"), str):
            yield text
        for inner in schema.values():
            yield from told(inner)
    elif isinstance(schema, list):
        for inner in schema:
            yield from told(inner)


def test_every_text_is_shown_somewhere(small: Draft202012Validator) -> None:
    assert set(FIELDS.values()) <= set(told(small.schema))


def test_secrets_are_completed_where_they_are_known(catalog: Catalog) -> None:
    schema = Draft202012Validator(editor_schema(catalog, {"shop": False}))
    text = STEP + "triggers: {webhook: {verify: {scheme: token, secret: SECRET}}}"

    assert not wrong(schema, text.replace("SECRET", "shop"))
    assert wrong(schema, text.replace("SECRET", "shp"))


def test_what_is_no_yaml_is_none_for_editors_either() -> None:
    with pytest.raises(Unreadable):
        read("steps: [")
