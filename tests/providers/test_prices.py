"""What a connection's price list says."""

from typing import Any

import pytest
from pydantic import ValidationError

from orchestrator.providers.pizi import PiziSettings
from orchestrator.providers.prices import price


@pytest.mark.parametrize(
    ("entry", "params", "credits"),
    [
        (2, {}, 2.0),
        (0, {}, 0.0),
        ({"credits": 0.5}, {}, 0.5),
        ({"credits": 1, "per": "variants"}, {"variants": 3}, 3.0),
        ({"credits": 2, "per": "images"}, {"images": ["a", "b"]}, 4.0),
        ({"credits": 1, "per": "variants"}, {}, None),
        ({"credits": 1, "per": "variants"}, {"variants": "3"}, None),
        ({"per": "variants"}, {"variants": 3}, None),
        (True, {}, None),
        ("2", {}, None),
    ],
)
def test_a_price_is_a_number_or_credits_per_parameter(
    entry: Any, params: dict[str, Any], credits: float | None
) -> None:
    assert price({"draw": entry}, "draw", params) == credits


def test_what_is_not_listed_has_no_known_price() -> None:
    assert price({}, "draw", {}) is None


@pytest.mark.parametrize(
    "budget",
    [
        {"credits": 0, "per": "1d"},
        {"credits": -1, "per": "1d"},
        {"credits": 5},
        {"credits": 5, "per": "0s"},
        {"credits": 5, "per": "daily"},
        {"credits": 5, "per": "1d", "of": "pizi"},
        {"credits": float("inf"), "per": "1d"},
    ],
)
def test_a_budget_is_a_number_of_credits_for_a_period(budget: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        PiziSettings.model_validate({"api_key": "k", "budget": budget})
