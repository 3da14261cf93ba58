from typing import Any

import pytest
from pydantic import ValidationError

from orchestrator.providers.rates import Rate, parse
from orchestrator.providers.registry import KINDS

CREDENTIALS = {
    "pizi": {"api_key": "k"},
    "pixza": {"api_key": "k"},
    "trypi": {"api_key": "k"},
    "pixu": {"api_key": "k"},
    "perfect": {"client_id": "c", "client_secret": "MIGf", "base_url": "https://api.example.com"},
}


def settings(kind: str, **given: Any) -> Any:
    return KINDS[kind].settings.model_validate({"kind": kind, **CREDENTIALS[kind], **given})


@pytest.mark.parametrize("kind", list(KINDS))
@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("base_url", "ftp://x", "write the whole address"),
        ("base_url", "api.example.com", "write the whole address"),
        ("base_url", "https:// x", "write the whole address"),
        ("base_url", "https://api.example.com/v1?a=b", "write the whole address"),
        ("rate_limits", ["60 per minute"], "is no rate limit; write 60/1m"),
        ("rate_limits", ["60/1m", "2/0s"], "must be greater than zero"),
        ("first_check", "soon", "is not a duration"),
        ("max_check_interval", "5", "has no unit"),
        ("uncertain_grace", "-5s", "is not a duration"),
        ("request_timeout", "0s", "must be greater than zero"),
    ],
)
def test_a_slip_in_any_connection_is_refused_when_it_is_read(
    kind: str, key: str, value: Any, reason: str
) -> None:
    with pytest.raises(ValidationError) as told:
        settings(kind, **{key: value})

    (problem,) = told.value.errors()
    assert problem["loc"] == (key,)
    assert reason in problem["msg"]


@pytest.mark.parametrize("kind", list(KINDS))
def test_the_defaults_of_every_connection_would_be_taken_if_they_were_given(kind: str) -> None:
    defaults = settings(kind)
    names = ("base_url", "rate_limits", "first_check", "max_check_interval", "request_timeout")

    assert settings(kind, **{name: getattr(defaults, name) for name in names}) == defaults


def test_an_uncertain_submit_need_not_be_looked_for() -> None:
    assert settings("pizi", uncertain_grace="0s").uncertain_grace == "0s"


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("60/1m", Rate(60, 60.0, False)),
        ("2/500ms", Rate(2, 0.5, False)),
        ("100/5m host", Rate(100, 300.0, True)),
    ],
)
def test_a_rate_limit_is_a_count_and_a_period(text: str, rate: Rate) -> None:
    assert parse(text) == rate


@pytest.mark.parametrize("text", ["", "60", "60/", "/1m", "0/1m", "60/1x", "60/1m hosts"])
def test_what_is_no_rate_limit_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"rate limit|duration|period|unit"):
        parse(text)
