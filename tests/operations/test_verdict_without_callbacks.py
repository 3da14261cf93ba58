"""An operation that only a callback ends is not paid for where no callback can arrive."""

import pytest
from pydantic import SecretStr

from orchestrator.operations.planned import Planned, Sending
from orchestrator.providers.base import Connector
from orchestrator.providers.pixu import PixuSettings
from orchestrator.providers.pixu import connect as connect_pixu
from orchestrator.providers.pixza import PixzaSettings
from orchestrator.providers.pixza import connect as connect_pixza

PIXU = connect_pixu(PixuSettings(api_key=SecretStr("k")))
PIXZA = connect_pixza(PixzaSettings(api_key=SecretStr("k")))
PORTRAIT = {"positive": "a bar", "resolution": "512,512"}
CAT = {"type": "image", "prompt": "a cat"}


def planned(connector: Connector, operation: str, *, callbacks: bool) -> Planned:
    sending = Sending(key="k", callbacks=callbacks, public_url="https://hooks.example.com")
    return Planned(connector, connector.operations[operation], sending)


@pytest.mark.parametrize("operation", ["create_model", "create_model_from_url", "txt2img_strict_portrait"])
def test_without_callbacks_a_verdict_is_refused_before_it_is_paid_for(operation: str) -> None:
    problem = planned(PIXU, operation, callbacks=False).problem(PORTRAIT)

    assert problem == f"{operation} ends with a callback alone, and callbacks are off"


def test_with_callbacks_it_is_not() -> None:
    assert planned(PIXU, "txt2img_strict_portrait", callbacks=True).problem(PORTRAIT) is None


def test_what_can_be_asked_for_needs_no_callbacks() -> None:
    assert planned(PIXZA, "generate", callbacks=False).problem(CAT) is None
