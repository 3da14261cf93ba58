"""What a workflow may write for Pizi, row by row of its document's tables."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from orchestrator.providers.base import ParamProblem, check_params
from orchestrator.providers.pizi import values
from orchestrator.providers.pizi.params import (
    Attributes,
    CreateModel,
    CreatePictures,
    ListModels,
    ListPictures,
)

UNKNOWN = object()
UUID = "b6e7a1b9-f421-45f3-9c18-22f1c63c1138"
GOLDEN = Path(__file__).parent / "golden" / "pizi"
PRODUCT = {"images": ["https://example.com/image1.jpg"]}


def printed(name: str) -> Any:
    return json.loads((GOLDEN / f"{name}.json").read_text())["json"]


def problems(model: type[Any], given: dict[str, Any]) -> list[ParamProblem]:
    return check_params(model, given, is_unknown=lambda value: value is UNKNOWN)


def complaint(model: type[Any], given: dict[str, Any]) -> str:
    return "; ".join(problem.message for problem in problems(model, given))


def places(model: type[Any], given: dict[str, Any]) -> set[str]:
    return {".".join(map(str, problem.path)) for problem in problems(model, given)}


# --- the words -------------------------------------------------------------------------------


def test_the_ethnicities_are_those_that_the_document_prints_in_its_order() -> None:
    assert list(values.ETHNICITIES) == printed("ethnicities")


def test_there_are_113_ethnicities_of_three_levels_below_five_roots() -> None:
    levels = Counter(path.count("\\") for path in values.ETHNICITIES)
    roots = Counter(path.split(" \\ ")[0] for path in values.ETHNICITIES)

    assert levels == {0: 5, 1: 26, 2: 82}
    assert roots == {"African": 31, "American": 17, "Asian": 29, "European": 25, "Oceanian": 11}


@pytest.mark.parametrize(("attribute", "words"), printed("attributes").items())
def test_an_attribute_takes_the_words_that_the_document_prints_and_no_others(
    attribute: str, words: list[str]
) -> None:
    def given(word: str) -> Any:
        return [word] if attribute == "distinctiveFeatures" else word

    for word in words:
        for spelling in (word, word.lower(), word.upper(), f" {word} "):
            assert getattr(Attributes(**{attribute: given(spelling)}), attribute) == given(word)
    with pytest.raises(ValidationError):
        Attributes(**{attribute: given("Purple")})


def test_the_attributes_are_those_of_the_table() -> None:
    assert set(Attributes.model_fields) == {*printed("attributes"), "ethnicity"}


@pytest.mark.parametrize("path", values.ETHNICITIES)
def test_every_ethnicity_is_taken_whatever_its_capitals_and_delimiters(path: str) -> None:
    for spelling in (path, path.lower(), path.replace(" \\ ", "\\"), path.replace("\\", "/").upper()):
        assert Attributes(ethnicity=spelling).ethnicity == path


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("European \\ Nothern European \\ Irish", "(did you mean 'European \\ Northern European \\ Irish'?)"),
        ("Irish", "(did you mean 'European \\ Northern European \\ Irish'?)"),
        ("European  Northern European  Irish", "(did you mean 'European \\ Northern European \\ Irish'?)"),
        (
            "afro-american",
            "(did you mean 'African \\ Afro-American' or 'American \\ Afro-American'?)",
        ),
        ("European \\ Caucasian (default)", "(did you mean 'European \\ Caucasian'?)"),
        ("zzz", "must be one of the 113 known values, not 'zzz'"),
    ],
)
def test_a_misspelt_ethnicity_is_refused_with_the_one_that_was_meant(written: str, meant: str) -> None:
    given = {"gender": "female", "attributes": {"ethnicity": written}}

    assert meant in complaint(CreateModel, given)
    assert places(CreateModel, given) == {"attributes.ethnicity"}


def test_the_defaults_that_the_document_names_are_in_the_schema_but_never_filled_in() -> None:
    schema = CreateModel.model_json_schema()["$defs"]["Attributes"]["properties"]
    documented = {name: field["default"] for name, field in schema.items() if field["default"] is not None}

    assert documented == {
        "age": "Adult",
        "ethnicity": "European \\ Caucasian",
        "bodyType": "Average",
        "height": "Medium",
    }
    assert Attributes().model_dump(exclude_none=True) == {}


def test_every_parameter_is_described_for_editors() -> None:
    for model in (CreateModel, CreatePictures, Attributes, ListModels, ListPictures):
        for name, field in model.model_fields.items():
            assert field.description, f"{model.__name__}.{name}"


# --- create_model ----------------------------------------------------------------------------


def test_the_request_that_the_document_prints_is_taken_but_for_its_callback_url() -> None:
    request = printed("create_model_request")
    callback = {"callbackUrl": request.pop("callbackUrl")}
    request["referenceImages"] = request["referenceImages"][:1]

    assert problems(CreateModel, request) == []
    assert places(CreateModel, request | callback) == {"callbackUrl"}


@pytest.mark.parametrize(
    "given",
    [
        {"gender": "female"},
        {"gender": "Male", "attributes": {}},
        {"referenceImages": ["https://example.com/a.jpg"]},
        {"referenceImages": ["data:image/png;base64,AA=="], "attributes": {"age": "adult"}},
        {"referenceImages": [{"digest": "sha256:" + "0" * 64}], "gender": "female"},
        {"gender": "female", "name": "x" * 100, "priority": "HIGH", "metadata": {"a": {"b": [None]}}},
        {"gender": "female", "attributes": {"age": None}, "referenceImages": None},
    ],
)
def test_a_model_is_made_from_attributes_or_images_or_both(given: dict[str, Any]) -> None:
    assert problems(CreateModel, given) == []


@pytest.mark.parametrize(
    ("given", "place"),
    [
        ({}, "gender"),
        ({"attributes": {"age": "Adult"}}, "gender"),
        ({"gender": None, "referenceImages": None}, "gender"),
        ({"attributes": {"age": UNKNOWN}}, "gender"),
        ({"gender": "other"}, "gender"),
        ({"gender": "female", "attributes": {"gender": "female"}}, "attributes.gender"),
        ({"gender": "female", "attributes": {"bodytype": "Slim"}}, "attributes.bodytype"),
        ({"gender": "female", "attributes": {"colour": UNKNOWN}}, "attributes.colour"),
        ({"gender": "female", "name": "x" * 101}, "name"),
        ({"gender": "female", "priority": "low"}, "priority"),
        ({"gender": "female", "metadata": "project:Autumn"}, "metadata"),
        ({"gender": "female", "metadata": {"orchestrator_job": "job_1"}}, "metadata"),
        ({"gender": "female", "referenceImages": []}, "referenceImages"),
        ({"gender": "female", "referenceImages": ["ref1.jpg"]}, "referenceImages.0"),
        ({"gender": "female", "callbackUrl": UNKNOWN}, "callbackUrl"),
    ],
)
def test_what_no_model_can_be_made_from_is_refused_where_it_stands(given: dict[str, Any], place: str) -> None:
    assert places(CreateModel, given) == {place}


@pytest.mark.parametrize(
    "given", [{"gender": UNKNOWN}, {"referenceImages": UNKNOWN}, {"gender": "male", "attributes": UNKNOWN}]
)
def test_what_an_expression_may_still_give_is_not_held_against_a_model(given: dict[str, Any]) -> None:
    assert problems(CreateModel, given) == []


# --- create_pictures -------------------------------------------------------------------------


def test_the_pictures_that_the_document_asks_for_are_taken_but_for_the_callback_url() -> None:
    request = printed("create_pictures_request")
    callback = {"callbackUrl": request.pop("callbackUrl")}
    request["product"]["images"] = request["product"]["images"][:1]

    assert problems(CreatePictures, request) == []
    assert places(CreatePictures, request | callback) == {"callbackUrl"}


@pytest.mark.parametrize("shot", ["packshot", "studio", "lifestyle", "mix", "Studio"])
@pytest.mark.parametrize("variants", [None, *range(-1, 12)])
def test_a_type_of_shot_has_its_own_numbers_of_variants(shot: str, variants: int | None) -> None:
    given = {"shotType": shot, "product": PRODUCT, "variants": variants}
    allowed = (None, 9) if shot == "mix" else (None, 1, 3, 5)

    assert places(CreatePictures, given) == (set() if variants in allowed else {"variants"})


@pytest.mark.parametrize(("shot", "pictures"), [("packshot", 1), ("studio", 1), ("lifestyle", 1), ("mix", 9)])
def test_without_variants_the_default_of_the_type_counts(shot: str, pictures: int) -> None:
    params = CreatePictures.model_validate({"shotType": shot, "product": PRODUCT})

    assert params.pictures == pictures
    assert params.variants is None


def test_the_default_of_every_type_is_a_number_it_allows() -> None:
    assert set(values.VARIANTS) == set(values.SHOT_TYPES)
    assert {number for allowed in values.VARIANTS.values() for number in allowed} == {1, 3, 5, 9}


@pytest.mark.parametrize("variants", [True, 3.0, "3", 2])
def test_variants_is_a_whole_number(variants: Any) -> None:
    given = {"shotType": "studio", "product": PRODUCT, "variants": variants}

    assert places(CreatePictures, given) == {"variants"}


@pytest.mark.parametrize(
    ("given", "place"),
    [
        ({"shotType": "creative"}, "shotType"),
        ({"shotType": "mix", "variants": 3}, "variants"),
        ({"shotType": UNKNOWN, "variants": 2}, "variants"),
        ({"model": {"uuid": UUID}, "modelImageUrl": "https://example.com/m.jpg"}, "modelImageUrl"),
        ({"model": {"uuid": UNKNOWN}, "modelImageUrl": "https://example.com/m.jpg"}, "modelImageUrl"),
        ({"model": {"uuid": UUID, "gender": "female"}}, "model.gender"),
        ({"model": {"uuid": "b6e7"}}, "model.uuid"),
        ({"model": {"uuid": UUID + "/.."}}, "model.uuid"),
        ({"model": {"attributes": {"age": "Adult"}}}, "model"),
        ({"model": {"gender": "female", "name": "Ann"}}, "model.name"),
        ({"model": {"gender": "female", "metadata": {}}}, "model.metadata"),
        ({"model": UUID}, "model"),
        ({"modelImageUrl": "m.jpg"}, "modelImageUrl"),
        ({"product": {}}, "product.images"),
        ({"product": {"images": []}}, "product.images"),
        ({"product": {"images": ["a.jpg"]}}, "product.images.0"),
        ({"product": {"images": UNKNOWN, "imges": UNKNOWN}}, "product.imges"),
        ({"output": {"aspectRatio": "16:10"}}, "output.aspectRatio"),
        ({"output": {"format": "jpeg"}}, "output.format"),
        ({"output": {"size": 1}}, "output.size"),
        ({"metadata": {"orchestrator_job": 1}}, "metadata"),
        ({"prompt": "a dog"}, "prompt"),
        ({"priority": "high"}, "priority"),
        ({"name": "x"}, "name"),
    ],
)
def test_what_no_pictures_can_be_made_from_is_refused_where_it_stands(
    given: dict[str, Any], place: str
) -> None:
    complete = {"shotType": "studio", "product": PRODUCT} | given

    assert places(CreatePictures, complete) == {place}


@pytest.mark.parametrize("missing", ["shotType", "product"])
def test_pictures_need_a_type_of_shot_and_a_product(missing: str) -> None:
    given = {"shotType": "studio", "product": PRODUCT}
    del given[missing]

    assert places(CreatePictures, given) == {missing}


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"model": {"uuid": UUID.upper()}},
        {"model": {"gender": "female", "attributes": {"age": "adult"}}},
        {"model": {"referenceImages": ["https://example.com/a.jpg"]}},
        {"model": None, "modelImageUrl": "https://example.com/m.jpg"},
        {"model": UNKNOWN, "modelImageUrl": UNKNOWN},
        {"model": {"uuid": UNKNOWN}},
        {"product": {"images": [UNKNOWN], "info": UNKNOWN}},
        {"shotType": UNKNOWN, "variants": 9},
        {"shotType": "mix", "variants": UNKNOWN},
        *({"output": {"aspectRatio": ratio, "format": "PNG"}} for ratio in values.ASPECT_RATIOS),
    ],
)
def test_what_pictures_can_be_made_from_is_taken(given: dict[str, Any]) -> None:
    assert problems(CreatePictures, {"shotType": "studio", "product": PRODUCT} | given) == []


def test_there_are_ten_aspect_ratios_two_formats_and_four_types_of_shot() -> None:
    sizes = [len(set(words)) for words in (values.ASPECT_RATIOS, values.FORMATS, values.SHOT_TYPES)]

    assert sizes == [10, 2, 4]


# --- lists -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "statuses"),
    [
        (ListModels, ("processing", "completed", "failed", "deleted")),
        (ListPictures, ("queued", "processing", "completed", "failed")),
    ],
)
def test_a_list_can_be_narrowed_to_the_states_that_its_things_have(
    model: type[Any], statuses: tuple[str, ...]
) -> None:
    every = {"queued", "processing", "completed", "failed", "deleted"}

    assert {status for status in every if not problems(model, {"status": status})} == set(statuses)


def test_a_list_of_pictures_can_be_narrowed_to_a_type_that_cannot_be_ordered() -> None:
    assert problems(ListPictures, {"shotType": "creative", "page": 2, "limit": 10, "filter": "a:b"}) == []
    assert places(ListPictures, {"page": 0, "limit": 0}) == {"page", "limit"}
