"""What is asked of Pixu: one request an operation, with the credentials and the open slot in its body."""

from typing import Any

from orchestrator.providers.base import (
    Accepts,
    CallbackUrl,
    Credential,
    Exchange,
    Inline,
    Link,
    Params,
    Prepare,
    PreparedBytes,
    Request,
    Submit,
    SubmitOutcome,
)
from orchestrator.providers.images import sendable
from orchestrator.providers.pixu.answers import SLOT
from orchestrator.providers.pixu.params import CreateModel, CreateModelFromUrl
from orchestrator.providers.pixu.settings import PixuSettings

_PICTURES = ("image/jpeg", "image/png")


def create_model(
    settings: PixuSettings, params: CreateModel, submit: Submit
) -> Exchange[Request | SubmitOutcome]:
    """Make the exchange that ends with `POST /create_model`."""
    accepts = Accepts(media_types=_PICTURES, bytes_max=settings.image_bytes_max)
    prepared = yield Prepare(params.image, accepts)
    assert isinstance(prepared, PreparedBytes), "an operation that takes no URLs was given one"
    return _post("create_model", params, face_base64=Inline(prepared, settings.face_form))


def create_model_from_url(params: CreateModelFromUrl, submit: Submit) -> Exchange[Request | SubmitOutcome]:
    """Make the exchange that ends with `POST /create_model_from_url`."""
    url = yield from sendable(params.url, Accepts(media_types=_PICTURES, url=True), Link)
    return _post("create_model_from_url", params, url=url)


def txt2img(name: str, params: Params, submit: Submit) -> Exchange[Request | SubmitOutcome]:
    """Make the exchange that ends with the request of one of the two operations that make images."""
    yield from ()
    return _post(name, params)


def _post(name: str, params: Params, **image: Any) -> Request:
    given = params.model_dump(mode="json", exclude_none=True, exclude={"image", "url"})
    body = {
        "api_key": Credential("api_key"),
        "app_uid": Credential("app_uid"),
        **given,
        **image,
        "callback_url": CallbackUrl(slot=f"?{SLOT}="),
    }
    return Request(method="POST", path=f"/{name}", json=body)
