"""What is said to Pizi and what its answers mean, with the examples of its own document."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from pydantic import ValidationError

from orchestrator.errors import Failure
from orchestrator.providers.base import (
    Accepted,
    Accepts,
    ArtifactRef,
    Callback,
    CallbackUrl,
    Done,
    Failed,
    Hint,
    Inline,
    Link,
    Operation,
    Prepare,
    PreparedBytes,
    PreparedUrl,
    Rejected,
    Reply,
    Request,
    Submit,
    Task,
    Unauthorized,
    Unclear,
    Unreadable,
    Waiting,
)
from orchestrator.providers.pizi import PiziSettings, connect
from orchestrator.providers.registry import KINDS

Drive = Callable[..., tuple[list[Request | Prepare], Any]]

GOLDEN = Path(__file__).parent / "golden" / "pizi"
UUID = "b6e7a1b9-f421-45f3-9c18-22f1c63c1138"
JOB = "job_01jd0000000000000000000000"
KEY = "pk-live-123"
SETTINGS = PiziSettings.model_validate({"api_key": KEY})
PIZI = connect(SETTINGS)
TASK = Task(job=JOB, task_id=None, resource_id=None, params=None)
ARTIFACT = ArtifactRef(digest="sha256:" + "a" * 64)
PREPARED = PreparedBytes(
    digest=ARTIFACT.digest, media_type="image/png", size=9, width=1, height=1, name="a.png"
)


def printed(name: str) -> Any:
    return json.loads((GOLDEN / f"{name}.json").read_text())["json"]


def reply(body: Any, status: int = 200, **headers: str) -> Reply:
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    return Reply(status, {name.replace("_", "-"): value for name, value in headers.items()}, content)


def submit(drive: Drive, name: str, params: dict[str, Any], *answers: Any) -> tuple[list[Any], Request]:
    operation = PIZI.operations[name]
    exchange = operation.submit(operation.params.model_validate(params), Submit(job=JOB))
    asked, request = drive(exchange, *answers)
    assert isinstance(request, Request)
    return asked, request


def read(name: str, answer: Reply, **params: Any) -> Any:
    operation = PIZI.operations[name]
    return operation.read(operation.params.model_construct(**params), answer)


# --- the account -----------------------------------------------------------------------------


def test_the_registry_makes_a_connector_from_validated_settings() -> None:
    kind = KINDS["pizi"]
    connector = kind.connect(kind.settings.model_validate({"api_key": KEY}))

    assert kind.settings is PiziSettings
    assert connector.kind == kind.name == connector.settings.kind == "pizi"


def test_the_key_is_sent_as_a_bearer_token_without_a_login_and_beside_the_header_of_all_requests() -> None:
    assert PIZI.headers(None) == {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
    assert PIZI.login(0, lambda key, text: b"") is None
    assert [secret.get_secret_value() for secret in PIZI.secrets()] == [KEY]


def test_the_defaults_of_a_connection_are_pizis_address_and_a_polite_pace() -> None:
    assert SETTINGS.base_url == "https://api.media.pizi.app"
    assert SETTINGS.rate_limits == ["2/1s"]
    assert SETTINGS.max_in_flight is None


def test_a_key_is_cleared_of_the_line_end_of_its_file() -> None:
    settings = PiziSettings.model_validate({"api_key": f" {KEY}\n"})

    assert settings.api_key.get_secret_value() == KEY


@pytest.mark.parametrize("key", ["", "  ", "two words", "line\nbreak", "schlüssel"])
def test_a_key_that_fits_no_header_is_refused_without_being_shown(key: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        PiziSettings.model_validate({"api_key": key})

    assert not key.strip() or key not in str(refusal.value)


@pytest.mark.parametrize(
    ("prices", "said"),
    [
        ({"create_modell": 1}, "'create_modell' is no operation that costs credits"),
        ({"create_model": "1"}, "is a number of credits"),
        ({"create_model": -1}, "is a number of credits"),
        ({"create_pictures": {"credits": 1, "for": "variants"}}, "nothing else"),
        ({"create_pictures": {"per": "variants"}}, "nothing else"),
        ({"create_pictures": {"credits": 1, "per": "varaints"}}, "is no parameter of it"),
    ],
)
def test_a_price_list_that_prices_nothing_is_refused(prices: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        PiziSettings.model_validate({"api_key": KEY, "prices": prices})


@pytest.mark.parametrize(
    ("params", "credits"),
    [
        ({"shotType": "studio"}, 2.0),
        ({"shotType": "studio", "variants": 5}, 10.0),
        ({"shotType": "mix"}, 18.0),
    ],
)
def test_pictures_are_priced_by_their_number_the_default_included(
    params: dict[str, Any], credits: float
) -> None:
    prices = {"create_model": 3, "create_pictures": {"credits": 2, "per": "variants"}}
    pictures = connect(PiziSettings(api_key=SETTINGS.api_key, prices=prices)).operations["create_pictures"]

    given = pictures.params.model_validate(params | {"product": {"images": ["https://example.com/a.jpg"]}})

    assert pictures.price(given) == credits


def test_without_a_price_list_the_price_is_unknown() -> None:
    model = PIZI.operations["create_model"]

    assert model.price(model.params.model_validate({"gender": "female"})) is None


def test_two_operations_cost_money_and_wait_for_a_hint_and_seven_answer_at_once() -> None:
    def is_paid(operation: Operation) -> bool:
        return operation.spends and operation.waiting is Waiting.HINT and not operation.resend

    paid = {name for name, operation in PIZI.operations.items() if is_paid(operation)}
    at_once = {
        name
        for name, operation in PIZI.operations.items()
        if not operation.spends and operation.waiting is Waiting.NONE and operation.check is None
    }

    assert paid == {"create_model", "create_pictures"}
    assert at_once == {
        *("list_models", "get_model", "delete_model", "list_pictures", "get_picture"),
        *("list_tasks", "get_task"),
    }


def test_models_may_take_twice_as_long_as_pictures() -> None:
    assert PIZI.operations["create_model"].timeout_s == 3600
    assert PIZI.operations["create_pictures"].timeout_s == 1800


@pytest.mark.parametrize(
    ("value", "credits"),
    [("42", 42.0), (" 0 ", 0.0), ("12.5", 12.5), ("-3", -3.0)]
    + [(junk, None) for junk in ("", "many", "nan", "inf", "1e9", "1_000", "٣", "4,2", "9" * 99)],
)
def test_the_balance_is_read_from_its_header_or_not_at_all(value: str, credits: float | None) -> None:
    assert PIZI.read_credits(reply({}, x_credits_remaining=value)) == credits


def test_an_answer_without_the_header_shows_no_balance() -> None:
    assert PIZI.read_credits(reply({})) is None


# --- submits ---------------------------------------------------------------------------------


def test_a_model_is_asked_for_as_the_document_prints_it() -> None:
    request = printed("create_model_request")
    del request["callbackUrl"]
    request["referenceImages"] = request["referenceImages"][:1]
    operation = PIZI.operations["create_model"]
    exchange = operation.submit(operation.params.model_validate(request), Submit(job=JOB))

    with pytest.raises(StopIteration) as end:
        next(exchange)

    request["attributes"] |= {
        "age": "Young adult",
        "bodyType": "Slim",
        "breastSize": "Small",
        "hairColor": "Blonde",
        "hairLength": "Medium",
        "eyeColor": "Green",
        "height": "Medium",
        "distinctiveFeatures": ["Freckles", "Small moles"],
    }
    request["metadata"]["orchestrator_job"] = JOB
    assert end.value.value == Request(
        method="POST", path="/models", json=request | {"callbackUrl": CallbackUrl()}
    )


def test_pictures_are_asked_for_as_the_document_prints_them(drive: Drive) -> None:
    request = printed("create_pictures_request")
    del request["callbackUrl"]
    request["product"]["images"] = request["product"]["images"][:1]

    asked, sent = submit(drive, "create_pictures", request)

    request["metadata"]["orchestrator_job"] = JOB
    assert asked == []
    assert sent == Request(method="POST", path="/pictures", json=request | {"callbackUrl": CallbackUrl()})


def test_what_the_author_leaves_out_or_null_is_left_out(drive: Drive) -> None:
    _, request = submit(
        drive, "create_model", {"gender": "FEMALE", "attributes": {"age": None}, "name": None}
    )

    assert request.json == {
        "gender": "female",
        "attributes": {},
        "metadata": {"orchestrator_job": JOB},
        "callbackUrl": CallbackUrl(),
    }


def test_a_null_inside_the_authors_metadata_stays(drive: Drive) -> None:
    _, request = submit(drive, "create_model", {"gender": "female", "metadata": {"a": {"b": None}}})

    assert request.json["metadata"] == {"a": {"b": None}, "orchestrator_job": JOB}


def test_images_that_are_no_urls_travel_inside_the_request(drive: Drive) -> None:
    images = ["https://example.com/a.jpg", "data:image/gif;base64,AA==", f"artifact:{ARTIFACT.digest}"]
    asked, request = submit(
        drive,
        "create_model",
        {"referenceImages": [*images, ARTIFACT.model_dump()]},
        *[PREPARED] * 3,
    )

    accepts = Accepts(media_types=("image/jpeg", "image/png"), url=True, bytes_max=10_000_000)
    assert asked == [Prepare(images[1], accepts), Prepare(images[2], accepts), Prepare(ARTIFACT, accepts)]
    assert request.json["referenceImages"] == [images[0], *[Inline(PREPARED, "data_uri")] * 3]


def test_the_picture_of_a_model_travels_as_a_link_because_only_urls_are_taken(drive: Drive) -> None:
    params = {
        "shotType": "studio",
        "product": {"images": ["data:image/png;base64,AA=="]},
        "modelImageUrl": ARTIFACT.model_dump(),
    }

    _, request = submit(drive, "create_pictures", params, PREPARED, PREPARED)

    assert request.json["modelImageUrl"] == Link(PREPARED)
    assert request.json["product"] == {"images": [Inline(PREPARED, "data_uri")]}


def test_an_image_that_is_prepared_as_a_url_is_sent_as_one(drive: Drive) -> None:
    params = {"referenceImages": [ARTIFACT.model_dump()]}

    _, request = submit(drive, "create_model", params, PreparedUrl("https://example.com/x.png"))

    assert request.json["referenceImages"] == ["https://example.com/x.png"]


def test_a_model_inside_a_picture_request_carries_no_mark_of_its_own(drive: Drive) -> None:
    model = {"gender": "male", "attributes": {"age": "senior"}, "referenceImages": [ARTIFACT.model_dump()]}
    params = {"shotType": "mix", "model": model, "product": {"images": ["https://example.com/a.jpg"]}}

    _, request = submit(drive, "create_pictures", params, PREPARED)

    assert request.json["model"] == {
        "gender": "male",
        "attributes": {"age": "Senior"},
        "referenceImages": [Inline(PREPARED, "data_uri")],
    }


def test_how_large_an_image_may_be_is_a_setting(drive: Drive) -> None:
    settings = PiziSettings(api_key=SETTINGS.api_key, image_bytes_max=1000)
    operation = connect(settings).operations["create_model"]
    params = operation.params.model_validate({"referenceImages": [ARTIFACT.model_dump()]})

    [prepare], _ = drive(operation.submit(params, Submit(job=JOB)), PREPARED)

    assert isinstance(prepare, Prepare)
    assert prepare.accepts.bytes_max == 1000


@pytest.mark.parametrize("name", ["create_model", "create_pictures"])
@pytest.mark.parametrize("status", [200, 201, 202])
def test_a_submit_is_accepted_by_any_2xx_that_names_its_task(name: str, status: int) -> None:
    answer = printed(f"{name}_answer")

    assert read(name, reply(answer, status)) == Accepted(answer["data"]["taskUuid"])


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b""),
        (200, b"<html>"),
        (200, []),
        (200, {"success": True}),
        (200, {"success": True, "data": []}),
        (200, {"success": True, "data": {"taskUuid": None}}),
        (200, {"success": True, "data": {"taskUuid": "1"}}),
        (200, {"success": True, "data": {"taskUuid": f"{UUID}\n"}}),
        (200, {"success": False, "data": {"taskUuid": UUID}}),
        (200, {"data": {"taskUuid": UUID}}),
        (204, b""),
        (302, b""),
        (500, {"success": False, "message": "Internal server error."}),
        (502, b"<html>Bad Gateway"),
        (503, {"success": True, "data": {"taskUuid": UUID}}),
        (599, b""),
    ],
)
def test_an_answer_that_neither_accepts_nor_refuses_leaves_the_submit_unclear(status: int, body: Any) -> None:
    assert isinstance(read("create_pictures", reply(body, status)), Unclear)


@pytest.mark.parametrize(
    ("body", "failure"),
    [
        (
            {"success": False, "code": 400, "message": "variants is wrong"},
            Failure("invalid_request", "Pizi answered 400: variants is wrong", "400"),
        ),
        (
            {"error": {"code": "bad_variants", "message": "no"}},
            Failure("invalid_request", "Pizi answered 400: no", "bad_variants"),
        ),
        ({"error": "no"}, Failure("invalid_request", "Pizi answered 400: no")),
        (b"oops", Failure("invalid_request", "Pizi answered 400: missing or invalid parameter")),
        (
            {"message": {"a": 1}, "code": True},
            Failure("invalid_request", "Pizi answered 400: missing or invalid parameter"),
        ),
    ],
)
def test_a_refusal_carries_pizis_own_words_wherever_they_are(body: Any, failure: Failure) -> None:
    assert read("create_model", reply(body, 400)) == Failed(failure)


@pytest.mark.parametrize("status", [400, 403, 404, 409, 415, 422, 499])
@pytest.mark.parametrize("name", ["create_model", "get_model", "delete_model", "list_tasks"])
def test_a_refused_request_is_refused_for_good(name: str, status: int) -> None:
    outcome = read(name, reply({}, status))

    assert isinstance(outcome, Failed)
    assert outcome.failure.cls == "invalid_request"


@pytest.mark.parametrize("name", ["create_model", "create_pictures", "get_picture", "list_models"])
def test_a_key_that_is_refused_is_said_to_be_so(name: str) -> None:
    outcome = read(name, reply({"message": "Invalid API Key."}, 401))

    assert outcome == Unauthorized(Failure("unauthorized", "Pizi answered 401: Invalid API Key."))


def test_without_credits_the_submit_waits() -> None:
    outcome = read("create_model", reply({}, 402))

    assert outcome == Rejected(
        Failure("insufficient_credits", "Pizi answered 402: insufficient credits"), True
    )


@pytest.mark.parametrize(
    ("header", "wait_s"),
    [
        ({}, None),
        ({"retry_after": "7"}, 7.0),
        ({"retry_after": " 120 "}, 120.0),
        ({"retry_after": "999999999"}, 86_400.0),
        ({"retry_after": "Wed, 21 Oct 2026 07:28:00 GMT"}, None),
        ({"retry_after": "-1"}, None),
        ({"retry_after": "soon"}, None),
        ({"retry_after": "9" * 400}, None),
    ],
)
def test_too_many_requests_make_the_submit_wait_as_long_as_pizi_says(
    header: dict[str, str], wait_s: float | None
) -> None:
    outcome = read("create_pictures", reply({}, 429, **header))

    assert outcome == Rejected(
        Failure("rate_limited", "Pizi answered 429: rate limit exceeded"), True, wait_s
    )


# --- at once ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "params", "request_"),
    [
        ("get_model", {"uuid": UUID}, Request(method="GET", path=f"/models/{UUID}")),
        ("delete_model", {"uuid": UUID}, Request(method="DELETE", path=f"/models/{UUID}")),
        ("get_picture", {"uuid": UUID}, Request(method="GET", path=f"/pictures/{UUID}")),
        ("get_task", {"uuid": UUID}, Request(method="GET", path=f"/tasks/{UUID}")),
        ("list_tasks", {}, Request(method="GET", path="/tasks")),
        ("list_models", {}, Request(method="GET", path="/models")),
        (
            "list_models",
            {"page": 2, "limit": 10, "filter": "project:Autumn", "status": "Deleted"},
            Request(
                method="GET",
                path="/models",
                query={"page": 2, "limit": 10, "filter": "project:Autumn", "status": "deleted"},
            ),
        ),
        (
            "list_pictures",
            {"shotType": "creative"},
            Request(method="GET", path="/pictures", query={"shotType": "creative"}),
        ),
    ],
)
def test_what_answers_at_once_is_one_request(
    drive: Drive, name: str, params: dict[str, Any], request_: Request
) -> None:
    asked, request = submit(drive, name, params)

    assert asked == []
    assert request == request_


@pytest.mark.parametrize("name", ["get_model", "get_picture", "get_task"])
def test_a_thing_is_given_without_its_envelope(name: str) -> None:
    answer = printed(f"{name}_answer")

    assert read(name, reply(answer)) == Done(output=answer["data"])
    PIZI.operations[name].output.model_validate(answer["data"])


@pytest.mark.parametrize("name", ["list_models", "list_pictures", "list_tasks"])
def test_a_list_is_given_without_its_envelope(name: str) -> None:
    answer = printed(f"{name}_answer")

    assert read(name, reply(answer)) == Done(output={"items": answer["data"]})
    PIZI.operations[name].output.model_validate({"items": answer["data"]})


@pytest.mark.parametrize(
    ("name", "params", "count", "next_"),
    [
        ("list_models", {}, 49, None),
        ("list_models", {}, 50, 2),
        ("list_models", {"page": 3, "limit": 2}, 2, 4),
        ("list_models", {"page": 3, "limit": 2}, 1, None),
        ("list_pictures", {"limit": 2}, 2, 2),
        ("list_pictures", {}, 50, None),
        ("list_tasks", {}, 50, None),
    ],
)
def test_after_a_full_page_there_may_be_another_one(
    name: str, params: dict[str, Any], count: int, next_: int | None
) -> None:
    items = [{"uuid": UUID}] * count

    outcome = read(name, reply({"success": True, "data": items}), **params)

    assert outcome == Done(output={"items": items} | ({} if next_ is None else {"next": next_}))


@pytest.mark.parametrize("body", [printed("delete_model_answer"), b"", {}])
def test_a_deletion_is_done_when_pizi_does_not_deny_it(body: Any) -> None:
    assert read("delete_model", reply(body)) == Done(output={"deleted": True})


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("get_model", reply(b"")),
        ("get_model", reply({"success": True, "data": []})),
        ("get_model", reply({"success": False, "data": {"uuid": UUID}})),
        ("list_tasks", reply({"success": True, "data": {}})),
        ("delete_model", reply({"success": False, "message": "no"})),
        ("delete_model", reply(b"", 500)),
        ("get_task", reply(b"", 503)),
        ("list_pictures", reply(b"", 302)),
    ],
)
def test_an_unreadable_answer_at_once_is_a_provider_error_which_is_safe_to_repeat(
    name: str, answer: Reply
) -> None:
    outcome = read(name, answer)

    assert isinstance(outcome, Failed)
    assert outcome.failure.cls == "provider_error"


# --- callbacks -------------------------------------------------------------------------------


def delivery(body: Any, method: str = "POST", content_type: str = "application/json") -> Callback:
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    return Callback(method=method, query="", content_type=content_type, body=content)


def test_the_callback_that_the_document_prints_is_a_hint_about_its_task() -> None:
    body = printed("callback")

    assert PIZI.read_callback(delivery(body), TASK) == Hint(task_id=body["taskUuid"])


@pytest.mark.parametrize(
    "body",
    [
        {"taskUuid": UUID},
        {"taskUuid": UUID, "resourceUrl": 7},
        {"taskUuid": UUID, "resourceUrl": "http://169.254.169.254/latest"},
        {"taskUuid": UUID, "status": "failed", "anything": {"else": []}},
    ],
)
def test_a_callback_is_never_more_than_a_hint(body: Any) -> None:
    assert PIZI.read_callback(delivery(body, content_type="text/plain"), TASK) == Hint(task_id=UUID)


@pytest.mark.parametrize(
    "callback",
    [
        delivery(b""),
        delivery(b"\xff\xfe"),
        delivery(f"taskUuid={UUID}".encode()),
        delivery([UUID]),
        delivery({}),
        delivery({"taskUuid": 1}),
        delivery({"taskUuid": "../models"}),
        delivery({"taskuuid": UUID}),
        delivery({"taskUuid": UUID}, method="GET"),
    ],
)
def test_a_callback_without_a_task_is_unreadable_and_says_why(callback: Callback) -> None:
    meaning = PIZI.read_callback(callback, TASK)

    assert isinstance(meaning, Unreadable)
    assert meaning.reason
