"""What a job costs by the price list of its connection."""

from typing import Any

from pydantic import SecretStr

from orchestrator.engine.state import Job
from orchestrator.operations.planned import Planned, Sending
from orchestrator.providers.pizi import PiziSettings, connect

SENDING = Sending(key="k", callbacks=True, public_url="https://hooks.example.com")
PICTURES = {"shotType": "lifestyle", "variants": 3, "product": {"images": ["https://shop.example/bag.png"]}}


def price(prices: dict[str, Any], params: dict[str, Any]) -> float | None:
    connector = connect(PiziSettings(api_key=SecretStr("k"), prices=prices))
    planned = Planned(connector, connector.operations["create_pictures"], SENDING)
    job = Job(
        id="job_1",
        step="pictures",
        index=None,
        attempt=1,
        connection="pizi",
        operation="create_pictures",
        params=params,
        created_at=0,
    )
    return planned.price(job)


def test_a_price_is_counted_by_the_parameter_it_is_per() -> None:
    assert price({"create_pictures": {"credits": 2, "per": "variants"}}, PICTURES) == 6


def test_without_a_list_nobody_knows_it() -> None:
    assert price({}, PICTURES) is None


def test_parameters_that_this_version_does_not_know_have_no_price_and_do_no_harm() -> None:
    assert price({"create_pictures": 2}, PICTURES | {"of_old": True}) is None
