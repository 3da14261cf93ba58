"""What is said to Pixu and what its answers and callbacks mean, with the examples of its own document."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from orchestrator.errors import Failure
from orchestrator.providers.base import (
    Accepted,
    Accepts,
    ArtifactRef,
    Callback,
    CallbackUrl,
    Credential,
    Done,
    Failed,
    Inline,
    Link,
    Meaningless,
    Prepare,
    PreparedBytes,
    Rejected,
    Reply,
    Request,
    Submit,
    Task,
    Unauthorized,
    Unclear,
    Unreadable,
    Verdict,
    Waiting,
    check_params,
)
from orchestrator.providers.pixu import PixuSettings, connect
from orchestrator.providers.registry import KINDS
from orchestrator.providers.template import Fill, freeze, render

Drive = Callable[..., tuple[list[Request | Prepare], Any]]

GOLDEN = Path(__file__).parent / "golden" / "pixu"
JOB = "job_01jd0000000000000000000000"
KEY = "my_api_key"
SETTINGS = PixuSettings(api_key=SecretStr(KEY), app_uid="api")
PIXU = connect(SETTINGS)
ARTIFACT = ArtifactRef(digest="sha256:" + "a" * 64)
PREPARED = PreparedBytes(
    digest=ARTIFACT.digest, media_type="image/png", size=9, width=1, height=1, name="a.png"
)
MODEL_UID = "upose_de2d19bbb30703a45df8d0366ec49099"
REQUEST_UID = "9d788755c7f5c894c7aca0519b1e46d04b538bdf"
MODELS = ("create_model", "create_model_from_url")
IMAGES = ("txt2img_strict_portrait", "txt2img_composition")
PARAMS: dict[str, dict[str, Any]] = {
    "create_model": {"image": ARTIFACT.model_dump(), "height": 192, "baseline": 1},
    "create_model_from_url": {"url": "https://example.com/a.jpg", "height": 136, "baseline": 2},
    "txt2img_strict_portrait": {"positive": "a bar", "resolution": "512,512"},
    "txt2img_composition": {"positive": "a bar", "resolution": "512,512"},
}


def printed(name: str) -> Any:
    return json.loads((GOLDEN / f"{name}.json").read_text())["json"]


def reply(body: Any, status: int = 200, **headers: str) -> Reply:
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    return Reply(status, {name.replace("_", "-"): value for name, value in headers.items()}, content)


def submit(
    drive: Drive, name: str, params: dict[str, Any], *answers: Any, connector: Any = PIXU
) -> tuple[list[Any], Request]:
    operation = connector.operations[name]
    asked, request = drive(
        operation.submit(operation.params.model_validate(params), Submit(job=JOB)), *answers
    )
    assert isinstance(request, Request)
    return asked, request


def read(answer: Reply, name: str = "create_model") -> Any:
    operation = PIXU.operations[name]
    return operation.read(operation.params.model_validate(PARAMS[name]), answer)


def filled(hole: Fill) -> str | int:
    """Fill a hole as the runtime does, with the values that the document prints."""
    match hole["fill"]:
        case "credential":
            value = getattr(SETTINGS, hole["name"])
            return value.get_secret_value() if isinstance(value, SecretStr) else str(value)
        case "callback":
            return f"https://my-site.com/callback{hole['slot']}"
        case form:
            return f"<{form}>"


# --- the account -----------------------------------------------------------------------------


def test_the_registry_knows_the_kind() -> None:
    kind = KINDS["pixu"]

    assert kind.connect(kind.settings.model_validate({"api_key": KEY})).kind == "pixu"


def test_the_defaults_are_pixus_address_and_its_generic_app() -> None:
    settings = PixuSettings.model_validate({"api_key": KEY})

    assert settings.base_url == "https://pixu.ai/pixu/api"
    assert settings.app_uid == "API"


def test_the_key_is_in_no_header_and_known_as_a_secret() -> None:
    assert PIXU.headers(None) == {}
    assert PIXU.login(0, lambda key, text: b"") is None
    assert [secret.get_secret_value() for secret in PIXU.secrets()] == [KEY]
    assert PIXU.read_credits(reply({"credits": 1})) is None


def test_every_operation_costs_money_and_ends_with_a_verdict_that_nobody_can_be_asked_for() -> None:
    assert set(PIXU.operations) == {*MODELS, *IMAGES}
    for operation in PIXU.operations.values():
        assert operation.spends
        assert operation.waiting is Waiting.VERDICT
        assert operation.check is operation.look_up is None
        assert not operation.resend


def test_an_operation_costs_what_the_connections_price_list_says() -> None:
    priced = connect(PixuSettings(api_key=SecretStr(KEY), prices={"create_model": 5})).operations

    assert priced["create_model"].price(priced["create_model"].params.model_construct()) == 5
    assert priced["txt2img_composition"].price(priced["create_model"].params.model_construct()) is None
    with pytest.raises(ValidationError, match="is no operation that costs credits"):
        PixuSettings.model_validate({"api_key": KEY, "prices": {"train": 1}})


# --- parameters ------------------------------------------------------------------------------


def problems(operation: str, params: dict[str, Any]) -> list[str]:
    found = check_params(PIXU.operations[operation].params, PARAMS[operation] | params)
    return [".".join(map(str, problem.path)) for problem in found]


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("create_model", {"name": "My Model", "height": 136, "baseline": 2}),
        ("create_model_from_url", {"url": ARTIFACT.model_dump(), "name": None}),
        ("txt2img_strict_portrait", {"model_uid": MODEL_UID, "model_weight": 0, "negative": "hands"}),
        ("txt2img_strict_portrait", {"resolution": "512x768"}),
        ("txt2img_composition", {"comp_uid": "53e7e0eb241903ed48829fbe3b43262a", "model_weight": 0.8}),
        ("txt2img_composition", {"resolution": "768, 512"}),
    ],
)
def test_what_the_document_allows_is_taken(name: str, params: dict[str, Any]) -> None:
    assert problems(name, params) == []


@pytest.mark.parametrize(
    ("name", "params", "place"),
    [
        ("create_model", {"height": 200}, "height"),
        ("create_model", {"height": 192.0}, "height"),
        ("create_model", {"baseline": 3}, "baseline"),
        ("create_model", {"baseline": True}, "baseline"),
        ("create_model", {"baseline": None}, "baseline"),
        ("create_model", {"name": ""}, "name"),
        ("create_model", {"url": "https://example.com/a.jpg"}, "url"),
        ("create_model", {"image": "iVBORw0KGgo="}, "image"),
        ("create_model_from_url", {"url": "example.com/a.jpg"}, "url"),
        ("create_model_from_url", {"callback_url": "https://example.com"}, "callback_url"),
        ("txt2img_strict_portrait", {"positive": " "}, "positive"),
        ("txt2img_strict_portrait", {"model_weight": 1.1}, "model_weight"),
        ("txt2img_strict_portrait", {"model_weight": -0.1}, "model_weight"),
        ("txt2img_strict_portrait", {"model_weight": True}, "model_weight"),
        ("txt2img_strict_portrait", {"resolution": "768,768"}, "resolution"),
        ("txt2img_strict_portrait", {"resolution": [512, 768]}, "resolution"),
        ("txt2img_strict_portrait", {"comp_uid": "53e7e0eb241903ed48829fbe3b43262a"}, "comp_uid"),
        ("txt2img_composition", {"model_uid": "a b"}, "model_uid"),
        ("txt2img_composition", {"api_key": "x"}, "api_key"),
    ],
)
def test_what_the_document_does_not_allow_is_refused_at_its_place(
    name: str, params: dict[str, Any], place: str
) -> None:
    assert problems(name, params) == [place]


@pytest.mark.parametrize("name", [*MODELS, *IMAGES])
def test_what_the_document_does_not_call_optional_is_required(name: str) -> None:
    required = {
        field for field, info in PIXU.operations[name].params.model_fields.items() if info.is_required()
    }

    assert required == set(PARAMS[name])


# --- submits ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*MODELS, *IMAGES])
def test_everything_is_asked_for_as_the_document_prints_it(drive: Drive, name: str) -> None:
    example = printed(f"{name}_request")
    given = {
        k: v for k, v in example.items() if k not in ("api_key", "app_uid", "face_base64", "callback_url")
    }
    image = {"image": ARTIFACT.model_dump()} if name == "create_model" else {}

    _, request = submit(drive, name, given | image, *([PREPARED] if image else []))

    body = render(freeze(request, key="k", callbacks=True, link_exp=0), filled)
    ours = {"callback_url": "https://my-site.com/callback?uid="}
    face = {"face_base64": "<base64>"} if name == "create_model" else {}
    assert body == example | ours | face
    assert (request.method, request.path, request.query) == ("POST", f"/{name}", {})


def test_what_is_left_out_has_the_recommended_values(drive: Drive) -> None:
    _, portrait = submit(drive, IMAGES[0], {"positive": "a bar", "resolution": "512x768"})
    _, shortest = submit(drive, IMAGES[1], {"positive": "a bar", "resolution": "512,512"})
    nulls = {"negative": None, "model_weight": None, "model_uid": None, "comp_uid": None}
    _, composition = submit(drive, IMAGES[1], {"positive": "a bar", "resolution": "512,512", **nulls})

    ours = {
        "api_key": Credential("api_key"),
        "app_uid": Credential("app_uid"),
        "callback_url": CallbackUrl(slot="?uid="),
    }
    assert portrait.json == ours | {
        "positive": "a bar",
        "negative": "",
        "resolution": "512,768",
        "model_weight": 1.0,
    }
    assert shortest.json == portrait.json | {"resolution": "512,512", "model_weight": 0.85}
    assert composition.json == shortest.json


def test_neither_key_nor_face_nor_callback_stand_in_what_the_log_keeps(drive: Drive) -> None:
    _, request = submit(drive, "create_model", PARAMS["create_model"], PREPARED)

    kept = freeze(request, key="k", callbacks=True, link_exp=0)

    assert {name for name, value in kept.body.items() if value is None} == {
        *("api_key", "app_uid", "face_base64", "callback_url")
    }
    assert KEY not in orjson.dumps(kept.to_json()).decode()


def test_the_callback_url_ends_in_the_slot_so_that_the_appended_uid_arrives_as_a_parameter(
    drive: Drive,
) -> None:
    _, request = submit(drive, "create_model_from_url", PARAMS["create_model_from_url"])
    given = render(freeze(request, key="k", callbacks=True, link_exp=0), filled)["callback_url"]

    called = urlsplit(given + MODEL_UID)

    assert PIXU.read_callback(delivery(called.query), task("create_model_from_url")) == Verdict(
        MODEL_UID, Done(output={"modelUid": MODEL_UID}, task_id=MODEL_UID)
    )


def test_a_face_is_sent_as_bytes_and_a_photo_as_a_url(drive: Drive) -> None:
    face, _ = submit(drive, "create_model", PARAMS["create_model"], PREPARED)
    photo, request = submit(
        drive, "create_model_from_url", PARAMS["create_model_from_url"] | {"url": ARTIFACT}, PREPARED
    )

    pictures = ("image/jpeg", "image/png")
    assert face == [Prepare(ARTIFACT, Accepts(media_types=pictures, bytes_max=10_000_000))]
    assert photo == [Prepare(ARTIFACT, Accepts(media_types=pictures, url=True))]
    assert request.json["url"] == Link(PREPARED)


def test_the_form_of_the_face_is_a_setting(drive: Drive) -> None:
    other = connect(PixuSettings(api_key=SecretStr(KEY), face_form="data_uri"))

    _, request = submit(drive, "create_model", PARAMS["create_model"], PREPARED, connector=other)

    assert request.json["face_base64"] == Inline(PREPARED, "data_uri")


@pytest.mark.parametrize("status", [200, 201, 202])
@pytest.mark.parametrize(
    ("name", "answer", "uid"),
    [
        *((name, "create_model_answer", MODEL_UID) for name in MODELS),
        *((name, "txt2img_answer", REQUEST_UID) for name in IMAGES),
    ],
)
def test_a_submit_is_accepted_by_its_uid_in_an_object_or_bare(
    status: int, name: str, answer: str, uid: str
) -> None:
    assert read(reply(printed(answer), status), name) == Accepted(uid)


@pytest.mark.parametrize("uid", ["upose_1", "m-7", "3f2b.9:1"])
def test_a_uid_under_its_own_name_need_not_look_like_those_of_the_document(uid: str) -> None:
    assert read(reply({"response": {"modelUid": uid}})) == Accepted(uid)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (reply(b""), "without a uid"),
        (reply([]), "without a uid"),
        (reply({"response": None}), "without a uid"),
        (reply({"response": {"modelUid": ""}}), "without a uid"),
        (reply({"response": {"modelUid": 7}}), "without a uid"),
        (reply({"response": {"modelUid": "../1"}}), "without a uid"),
        (reply({"modelUid": MODEL_UID}), "without a uid"),
        (reply({"response": "error"}), "(error)"),
        (reply({"response": "error500"}), "(error500)"),
        (reply({"response": "Invalid api key 1234567890"}), "(Invalid api key 1234567890)"),
        (reply({"response": "insufficient_credits"}), "(insufficient_credits)"),
        (reply({"response": {"error": "No face found."}}), "(No face found.)"),
        (reply({"error": "No face found."}), "(No face found.)"),
        (reply({"response": MODEL_UID}, 302), "302"),
        (reply({"response": MODEL_UID}, 500), "500"),
        (reply(b"bad gateway", 502), "502"),
        (reply({}, 408), "408"),
    ],
)
def test_an_answer_without_a_uid_leaves_the_submit_unclear_and_says_what_was_said(
    answer: Reply, said: str
) -> None:
    outcome = read(answer)

    assert isinstance(outcome, Unclear)
    assert said in outcome.reason


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (400, Failed(Failure("invalid_request", "Pixu answered 400: invalid request"))),
        (401, Unauthorized(Failure("unauthorized", "Pixu answered 401: the key was refused"))),
        (402, Rejected(Failure("insufficient_credits", "Pixu answered 402: out of credits"), True, 5.0)),
        (403, Unauthorized(Failure("unauthorized", "Pixu answered 403: the key was refused"))),
        (404, Failed(Failure("invalid_request", "Pixu answered 404: no such operation"))),
        (415, Failed(Failure("invalid_request", "Pixu answered 415: not JSON"))),
        (422, Failed(Failure("invalid_request", "Pixu answered 422: invalid request"))),
        (429, Rejected(Failure("rate_limited", "Pixu answered 429: too many requests"), True, 5.0)),
    ],
)
@pytest.mark.parametrize("name", [*MODELS, *IMAGES])
def test_a_refusal_is_read_by_its_status_since_no_error_is_documented(
    name: str, status: int, outcome: Any
) -> None:
    assert read(reply({}, status, retry_after="5"), name) == outcome


def test_a_refusal_carries_pixus_own_words_should_there_be_any() -> None:
    assert read(reply({"error": {"code": "no_face", "message": "No face."}}, 400)) == Failed(
        Failure("invalid_request", "Pixu answered 400: No face.", "no_face")
    )


# --- callbacks -------------------------------------------------------------------------------


def delivery(query: str, method: str = "GET", body: bytes = b"") -> Callback:
    return Callback(method=method, query=query, content_type="", body=body)


def task(name: str) -> Task:
    params = PIXU.operations[name].params.model_validate(PARAMS[name])
    return Task(job=JOB, task_id=None, resource_id=None, params=params)


@pytest.mark.parametrize("name", [*MODELS, *IMAGES])
def test_the_uid_that_the_document_appends_is_the_verdict_and_the_whole_result(name: str) -> None:
    kind, field = ("create_model", "modelUid") if name in MODELS else ("txt2img", "request_uid")
    uid = printed(f"{kind}_callback").partition("=")[2]

    meaning = PIXU.read_callback(delivery(f"uid={uid}"), task(name))

    assert meaning == Verdict(uid, Done(output={field: uid}, task_id=uid))
    PIXU.operations[name].output.model_validate({field: uid})


@pytest.mark.parametrize("query", ["", "uid=", "uid", "utm_source=chat", "uid=&uid="])
def test_an_empty_slot_means_nothing(query: str) -> None:
    assert PIXU.read_callback(delivery(query), task("create_model")) == Meaningless()


@pytest.mark.parametrize(
    "callback",
    [
        delivery("uid=error"),
        delivery("uid=None"),
        delivery("uid=training+failed+after+1234+s"),
        delivery("uid=..%2F..%2Fetc%2Fpasswd0000"),
        delivery(f"uid={MODEL_UID}&uid={REQUEST_UID}"),
        delivery(f"uid={'a1' * 200}"),
        delivery("&".join(["x=1"] * 50)),
        delivery(f"uid={MODEL_UID}", method="POST"),
        delivery("", method="POST", body=orjson.dumps({"uid": MODEL_UID})),
    ],
)
def test_what_is_no_uid_is_no_verdict(callback: Callback) -> None:
    meaning = PIXU.read_callback(callback, task("create_model"))

    assert isinstance(meaning, Unreadable)
    assert meaning.reason


@pytest.mark.parametrize("uid", ["upose_1", "req-7", f"{MODEL_UID}%0A"])
def test_a_callback_may_bring_a_uid_unlike_those_of_the_document(uid: str) -> None:
    meaning = PIXU.read_callback(delivery(f"uid={uid}"), task("create_model"))

    assert isinstance(meaning, Verdict)
    assert meaning.task_id == uid.removesuffix("%0A")


def test_a_tag_that_a_mail_program_adds_does_not_hide_the_uid() -> None:
    meaning = PIXU.read_callback(delivery(f"uid={MODEL_UID}&utm_source=mail"), task("create_model"))

    assert isinstance(meaning, Verdict)


# --- anything at all -------------------------------------------------------------------------

_WORDS = st.sampled_from(
    ["response", "modelUid", "error", "message", "code", MODEL_UID, REQUEST_UID, "error 1", ""]
)
_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | _WORDS
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_WORDS | st.text(), inner, max_size=4),
    max_leaves=8,
)
_REPLY = st.builds(
    Reply,
    st.sampled_from([200, 202, 204, 301, 400, 401, 402, 403, 404, 408, 422, 429, 500, 503]),
    st.dictionaries(st.just("retry-after"), st.text(), max_size=1),
    st.binary(max_size=100) | _JSON.map(orjson.dumps),
)


@settings(max_examples=300, deadline=None)
@given(answer=_REPLY)
def test_no_answer_whatever_makes_a_reader_raise_or_accept_without_a_uid(answer: Reply) -> None:
    outcome = read(answer)

    if isinstance(outcome, Accepted):
        assert 200 <= answer.status < 300
        assert outcome.task_id.encode() in answer.body
    else:
        assert isinstance(outcome, Failed | Rejected | Unauthorized | Unclear)


@settings(max_examples=300, deadline=None)
@given(
    query=st.text() | st.text().map("uid={}".format) | st.binary().map(lambda raw: raw.decode("latin-1")),
    method=st.sampled_from(["GET", "POST", "get", "x" * 100]),
    name=st.sampled_from([*MODELS, *IMAGES]),
)
def test_no_delivery_whatever_makes_the_reader_raise(query: str, method: str, name: str) -> None:
    meaning = PIXU.read_callback(delivery(query, method), task(name))

    assert isinstance(meaning, Verdict | Meaningless | Unreadable)
