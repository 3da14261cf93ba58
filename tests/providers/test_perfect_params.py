"""What authors may write for Perfect, and what is refused before it is paid for."""

from typing import Any

import pytest
from pydantic import ValidationError

from orchestrator.providers.base import FileRef
from orchestrator.providers.perfect import params

URL = "https://images.example/a.jpg"
BEYOND_FLOAT = 18213963761051865


@pytest.mark.parametrize("given", [BEYOND_FLOAT, str(BEYOND_FLOAT)])
def test_an_id_beyond_what_a_float_can_hold_stays_exact(given: Any) -> None:
    read = params.StyledPhoto.model_validate({"image": URL, "style_group_id": given, "style_id": 0})

    assert read.style_group_id == BEYOND_FLOAT


@pytest.mark.parametrize("given", [1.0, True, "1.0", "", " 7", -1, 2**63, "١", None, [7]])
def test_an_id_that_may_have_lost_digits_on_the_way_is_refused(given: Any) -> None:
    with pytest.raises(ValidationError, match="style_id"):
        params.StyledPhoto.model_validate({"image": URL, "style_group_id": 1, "style_id": given})


@pytest.mark.parametrize("given", [0, 3, 8, True, "2", None])
def test_a_scale_is_one_two_or_four(given: Any) -> None:
    with pytest.raises(ValidationError, match="scale"):
        params.Enhance.model_validate({"image": URL, "scale": given})


@pytest.mark.parametrize("given", ["", " \n", None])
def test_a_prompt_says_something(given: Any) -> None:
    with pytest.raises(ValidationError, match="prompt"):
        params.ImageGenerator.model_validate({"prompt": given, "style_group_id": 1, "style_id": 2})


@pytest.mark.parametrize("given", [0, 21])
def test_a_page_holds_one_to_twenty(given: int) -> None:
    with pytest.raises(ValidationError, match="page_size"):
        params.ListStyles.model_validate({"feature": "wig", "page_size": given})


def test_features_without_styles_or_files_are_not_offered_for_them() -> None:
    with pytest.raises(ValidationError, match="feature"):
        params.ListStyles.model_validate({"feature": "enhance"})
    with pytest.raises(ValidationError, match="feature"):
        params.UploadFile.model_validate({"feature": "image_generator", "image": URL})


def test_a_null_token_means_the_first_page() -> None:
    assert params.ListStyles.model_validate({"feature": "wig", "starting_token": None}).starting_token is None


def test_a_file_of_the_provider_is_an_image_but_nothing_to_upload() -> None:
    held = {"file_id": "f"}

    assert params.Colorize.model_validate({"image": held}).image == FileRef(file_id="f")
    with pytest.raises(ValidationError):
        params.UploadFile.model_validate({"feature": "wig", "image": held})


def test_the_image_generator_takes_no_photo() -> None:
    with pytest.raises(ValidationError, match="image"):
        params.ImageGenerator.model_validate(
            {"prompt": "a", "style_group_id": 1, "style_id": 2, "image": URL}
        )


def test_the_schema_shows_editors_what_an_id_may_be() -> None:
    shown = params.StyledPhoto.model_json_schema()["properties"]["style_id"]

    assert {"type": "integer", "minimum": 0, "maximum": 2**63 - 1} in shown["anyOf"]
    assert "list_styles" in shown["description"]
