"""What is said to Perfect: logins, uploads, the request that spends, polls and lists."""

import base64
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import orjson
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from pydantic import ValidationError

from orchestrator.errors import Failure
from orchestrator.providers.base import (
    Accepted,
    Accepts,
    Callback,
    Credential,
    Done,
    Failed,
    Login,
    Meaningless,
    Operation,
    Prepare,
    PreparedBytes,
    Rejected,
    Reply,
    Request,
    RequestNumber,
    Retry,
    Submit,
    Task,
    Unauthorized,
    Waiting,
    check_params,
)
from orchestrator.providers.perfect import PerfectSettings, connect
from orchestrator.providers.perfect.features import FEATURES
from orchestrator.providers.perfect.params import FileFeature, StyleFeature

Drive = Callable[..., tuple[list[Any], Any]]

GOLDEN = Path(__file__).parent / "golden" / "perfect"
BASE = {
    "client_id": "BMIL1PIJjCV96JlSl64RlVksHK1cD0PQ",
    "client_secret": "a2V5",
    "base_url": "https://p.example",
}
PERFECT = connect(PerfectSettings.model_validate(BASE))
URL = "https://images.example/a.jpg"
GROUP, STYLE = 18213963761051864, 22205685004925400
STYLED = {"style_group_id": GROUP, "style_id": STYLE}
UPLOADED = Reply(200, {}, b"")

MINIMAL: dict[str, dict[str, Any]] = {
    "hair_style": {"image": URL, **STYLED},
    "wig": {"image": URL, **STYLED},
    "hair_ext": {"image": URL, **STYLED},
    "hair_bang": {"image": URL, **STYLED},
    "hair_vol": {"image": URL, **STYLED},
    "aging": {"image": URL},
    "makeup_transfer": {"image": URL, "reference": URL},
    "object_removal": {"image": URL, "mask": URL},
    "colorize": {"image": URL},
    "background_removal": {"image": URL},
    "enhance": {"image": URL, "scale": 2},
    "image_generator": {"prompt": "a red fox", **STYLED},
}
JPG, STYLE_ACTION = ("jpg",), {"style_group_id": GROUP, "style_ids": [STYLE]}
# Per feature: the file sets, the action's parameters, the formats of the result, the longest side.
DOCUMENTED: dict[str, tuple[list[str], dict[str, Any], tuple[str, ...], int | None]] = {
    "hair_style": (["src_ids"], STYLE_ACTION, JPG, 1024),
    "wig": (["src_ids"], STYLE_ACTION, JPG, 1024),
    "hair_ext": (["src_ids"], STYLE_ACTION, JPG, 1024),
    "hair_bang": (["src_ids"], STYLE_ACTION, JPG, 1024),
    "hair_vol": (["src_ids"], STYLE_ACTION, JPG, 1024),
    "aging": (["src_ids"], {}, JPG, 1024),
    "makeup_transfer": (["src_ids", "ref_ids"], {}, JPG, 1024),
    "object_removal": (["src_ids", "mask_ids"], {}, ("jpg", "webp"), 4096),
    "colorize": (["src_ids"], {}, ("jpg", "webp"), 4096),
    "background_removal": (["src_ids"], {}, ("png", "webp"), 4096),
    "enhance": (["src_ids"], {"scale": 2}, ("jpg", "webp"), 4096),
    "image_generator": ([], {"prompt": "a red fox", **STYLE_ACTION}, JPG, None),
}


def golden(name: str) -> Any:
    return orjson.loads((GOLDEN / f"{name}.json").read_bytes())["body"]


def answer(body: Any, status: int = 200, **headers: str) -> Reply:
    return Reply(status, headers, orjson.dumps(body))


def prepared(
    width: int | None = 800, height: int | None = 600, media_type: str = "image/jpeg"
) -> PreparedBytes:
    return PreparedBytes(
        digest="sha256:" + "0" * 64,
        media_type=media_type,
        size=9,
        width=width,
        height=height,
        name="face.jpg",
    )


def submitting(name: str, values: dict[str, Any], *, attempt: int = 1, **settings: Any) -> Any:
    connector = connect(PerfectSettings.model_validate({**BASE, **settings})) if settings else PERFECT
    operation = connector.operations[name]
    return operation.submit(operation.params.model_validate(values), Submit(job="job_1", attempt=attempt))


def uploads_of(name: str) -> list[Any]:
    """Return what a submit with URLs as images is sent: all images, then slot and storage for each."""
    count = len(FEATURES[name].images)
    return [prepared()] * count + [answer(golden("file")), UPLOADED] * count


def task(task_id: str | None) -> Task:
    return Task(job="job_1", task_id=task_id, resource_id=None, params=None)


# --- settings --------------------------------------------------------------------------------


def test_the_default_paths_are_the_published_pattern() -> None:
    settings = PerfectSettings.model_validate(BASE)

    assert settings.paths == golden("paths")


@pytest.mark.parametrize("table", [{"enhance.run": "/v9/run"}, {"enhance": {"run": "/v9/run"}}])
def test_one_path_can_be_changed_in_either_way_of_writing_it(table: dict[str, Any]) -> None:
    settings = PerfectSettings.model_validate({**BASE, "paths": table})

    assert settings.paths == golden("paths") | {"enhance.run": "/v9/run"}


def test_an_unknown_path_is_refused_with_the_name_that_was_meant() -> None:
    with pytest.raises(ValidationError, match=r"enhanse\.run.*did you mean 'enhance\.run'"):
        PerfectSettings.model_validate({**BASE, "paths": {"enhanse.run": "/v9/run"}})


@pytest.mark.parametrize("path", ["v9/run", "", 7])
def test_a_path_that_does_not_start_with_a_slash_is_refused(path: Any) -> None:
    with pytest.raises(ValidationError, match="has to start with /"):
        PerfectSettings.model_validate({**BASE, "paths": {"auth": path}})


def test_there_is_no_default_address() -> None:
    with pytest.raises(ValidationError, match="base_url"):
        PerfectSettings.model_validate({key: value for key, value in BASE.items() if key != "base_url"})


def test_the_documented_limits_are_the_defaults() -> None:
    settings = PerfectSettings.model_validate(BASE)

    assert settings.rate_limits == ["100/5m host", "100/1m"]


def test_a_poll_must_leave_time_for_another_before_the_task_is_lost() -> None:
    with pytest.raises(ValidationError, match="stay below 10s"):
        PerfectSettings.model_validate({**BASE, "poll_interval": "8s", "poll_timeout": "2s"})


def test_a_secret_that_is_not_base64_is_refused_without_being_shown() -> None:
    with pytest.raises(ValidationError) as refused:
        PerfectSettings.model_validate({**BASE, "client_secret": "-----BEGIN xyzzy-----"})

    assert "client_secret" in str(refused.value)
    assert "xyzzy" not in str(refused.value)


def test_a_price_for_what_does_not_exist_is_refused() -> None:
    with pytest.raises(ValidationError, match="enhanced"):
        PerfectSettings.model_validate({**BASE, "prices": {"enhanced": 1}})


def test_line_breaks_in_pasted_credentials_do_no_harm() -> None:
    settings = PerfectSettings.model_validate({**BASE, "client_id": "me\n", "client_secret": "a2\nV5\n"})

    assert settings.client_id.get_secret_value() == "me"
    assert settings.client_secret.get_secret_value() == "a2V5"


# --- login -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=1024)


def seal(public_key: str, text: bytes) -> bytes:
    loaded = serialization.load_der_public_key(base64.b64decode(public_key))
    assert isinstance(loaded, rsa.RSAPublicKey)
    return loaded.encrypt(text, padding.PKCS1v15())


def secret_of(key: rsa.RSAPrivateKey) -> str:
    der = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return base64.b64encode(der).decode()


def test_an_id_token_holds_the_client_id_and_the_time_and_is_as_long_as_the_documented_one(
    key: rsa.RSAPrivateKey, drive: Drive
) -> None:
    secret = secret_of(key)
    connector = connect(PerfectSettings.model_validate({**BASE, "client_secret": secret}))

    (request,), login = drive(connector.login(1736467200123, seal), answer(golden("auth")))

    id_token = request.json["id_token"]
    opened = key.decrypt(base64.b64decode(id_token), padding.PKCS1v15())
    assert opened == b"client_id=BMIL1PIJjCV96JlSl64RlVksHK1cD0PQ&timestamp=1736467200123"
    assert (len(secret), len(id_token)) == (216, 172)
    assert len(id_token) == len(golden("auth_request")["id_token"])
    assert request == Request(
        method="POST",
        path="/s2s/v1.0/client/auth",
        json={"client_id": Credential("client_id"), "id_token": id_token},
    )
    assert login == Login("v1.token/With+signs==", 6600.0)


def test_the_padding_of_the_seal_is_as_the_settings_say(key: rsa.RSAPrivateKey, drive: Drive) -> None:
    oaep = {"client_secret": secret_of(key), "rsa_padding": "oaep"}
    connector = connect(PerfectSettings.model_validate({**BASE, **oaep}))
    said: list[bool] = []

    def sealing(public_key: str, text: bytes, *, oaep: bool = False) -> bytes:
        said.append(oaep)
        return b"sealed"

    drive(connector.login(1736467200123, sealing), answer(golden("auth")))

    assert said == [True]


def test_a_secret_that_is_no_key_fails_the_login_before_anything_is_sent(drive: Drive) -> None:
    asked, outcome = drive(PERFECT.login(1736467200123, seal))

    assert asked == []
    assert isinstance(outcome, Failed)
    assert outcome.failure.cls == "unauthorized"


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (answer({"status": 401, "error_code": "InvalidApiKey"}, 401), Failed),
        (answer({"status": 400, "error_code": "InvalidParameters"}), Failed),
        (answer({}, 429), Retry),
        (Reply(503, {}, b"<html>"), Retry),
        (answer(golden("collapsed")), Retry),
        (answer({"status": 200, "result": {"access_token": "two\r\nlines"}}), Retry),
    ],
)
def test_a_login_fails_for_good_only_where_the_provider_refuses_it(
    reply: Reply, kind: type, drive: Drive
) -> None:
    _, outcome = drive(PERFECT.login(0, lambda public_key, text: b"sealed"), reply)

    assert isinstance(outcome, kind)


def test_the_token_travels_as_a_bearer() -> None:
    assert PERFECT.headers("abc") == {"Authorization": "Bearer abc"}
    assert PERFECT.headers(None) == {}


def test_both_credentials_are_named_as_secrets() -> None:
    assert [secret.get_secret_value() for secret in PERFECT.secrets()] == [BASE["client_id"], "a2V5"]


# --- the request that spends -----------------------------------------------------------------


def test_the_tables_cover_every_feature() -> None:
    assert set(MINIMAL) == set(DOCUMENTED) == set(FEATURES)
    assert set(get_args(FileFeature)) == {name for name, feature in FEATURES.items() if feature.has_files}
    assert set(get_args(StyleFeature)) == {name for name, feature in FEATURES.items() if feature.has_styles}
    assert len(PERFECT.operations) == 12 + 3


@pytest.mark.parametrize("name", FEATURES)
def test_a_task_is_asked_for_as_documented(name: str, drive: Drive) -> None:
    file_sets, action, formats, _ = DOCUMENTED[name]

    _, run = drive(submitting(name, MINIMAL[name]), *uploads_of(name))

    payload: dict[str, Any] = (
        {"file_sets": {each: ["U1pVk9/abc+1=="] for each in file_sets}} if file_sets else {}
    )
    payload["actions"] = [{"id": 0, "params": action} if action else {"id": 0}]
    payload["output_ext"] = formats[0]
    assert run == Request(
        method="POST",
        path=golden("paths")[f"{name}.run"],
        json={"request_id": RequestNumber(), "payload": payload},
    )


@pytest.mark.parametrize("name", FEATURES)
def test_a_feature_gives_the_documented_formats_and_no_others(name: str) -> None:
    model, formats = PERFECT.operations[name].params, DOCUMENTED[name][2]

    for given in ("jpg", "png", "webp", "gif", ""):
        if given in formats:
            assert model.model_validate({**MINIMAL[name], "output_ext": given})
        else:
            with pytest.raises(ValidationError):
                model.model_validate({**MINIMAL[name], "output_ext": given})


@pytest.mark.parametrize("name", FEATURES)
def test_an_operation_is_kept_alive_by_polls_and_may_be_sent_again(name: str) -> None:
    operation = PERFECT.operations[name]

    assert (operation.waiting, operation.resend, operation.spends) == (Waiting.HEARTBEAT, True, True)
    assert (operation.poll_s, operation.poll_timeout_s, operation.lost_after_s) == (7.0, 2.5, 10.0)
    assert operation.timeout_s == 300.0
    assert operation.look_up is None


@pytest.mark.parametrize("name", get_args(FileFeature))
def test_an_image_is_made_to_fit_before_it_is_uploaded(name: str, drive: Drive) -> None:
    asked, _ = drive(submitting(name, {**MINIMAL[name], "resize": False}), *uploads_of(name))

    prepare = asked[0]
    assert isinstance(prepare, Prepare)
    assert prepare.accepts == Accepts(
        media_types=("image/jpeg",) if name == "hair_style" else ("image/jpeg", "image/png"),
        bytes_max=9_999_999,
        long_side_max=DOCUMENTED[name][3],
        resize=False,
    )


def test_an_upload_asks_for_a_slot_and_does_exactly_what_it_says(drive: Drive) -> None:
    image = prepared()

    asked, _ = drive(submitting("colorize", {"image": URL}), image, answer(golden("file")), UPLOADED)

    _, slot, upload = asked
    assert slot == Request(
        method="POST",
        path="/s2s/v1.0/file/colorize",
        json={"files": [{"content_type": "image/jpeg", "file_name": "face.jpg"}]},
    )
    assert upload == Request(
        method="PUT",
        url="https://storage.example.com/up/face.jpg?X-Signature=a%2Fb%7Ec&X-Expires=7200",
        headers={"Content-Type": "image/jpeg", "Content-Length": "50485"},
        content=image,
    )


def test_a_file_that_the_provider_holds_is_used_without_an_upload(drive: Drive) -> None:
    asked, run = drive(submitting("enhance", {"image": {"file_id": "dst/1+a=="}, "scale": 4}))

    assert asked == []
    assert run.json["payload"]["file_sets"] == {"src_ids": ["dst/1+a=="]}


def test_the_order_is_images_first_and_uploads_then(drive: Drive) -> None:
    asked, _ = drive(
        submitting("makeup_transfer", MINIMAL["makeup_transfer"]), *uploads_of("makeup_transfer")
    )

    kinds = ["prepare" if isinstance(each, Prepare) else each.method for each in asked]
    assert kinds == ["prepare", "prepare", "POST", "PUT", "POST", "PUT"]


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        (answer({}, 500), Failed(Failure("provider_error", "Perfect answered 500"))),
        (
            answer(golden("collapsed")),
            Failed(Failure("provider_error", "the answer holds no upload address")),
        ),
        (
            answer({}, 429, **{"retry-after": "12"}),
            Rejected(Failure("rate_limited", "Perfect answered 429"), wait=True, retry_after_s=12.0),
        ),
        (answer({}, 401), Unauthorized(Failure("unauthorized", "Perfect answered 401"))),
        (
            answer({"error": "bad name", "error_code": "InvalidParameters"}, 400),
            Rejected(
                Failure(
                    "invalid_request",
                    "Perfect answered 400: InvalidParameters: bad name",
                    "InvalidParameters",
                )
            ),
        ),
    ],
)
def test_a_slot_that_was_not_given_ends_the_submit_before_anything_was_spent(
    reply: Reply, outcome: object, drive: Drive
) -> None:
    _, concluded = drive(submitting("colorize", {"image": URL}), prepared(), reply)

    assert concluded == outcome


@pytest.mark.parametrize("status", [301, 403, 404, 500])
def test_a_storage_that_refuses_the_bytes_says_nothing_about_our_credentials(
    status: int, drive: Drive
) -> None:
    _, concluded = drive(
        submitting("colorize", {"image": URL}),
        prepared(),
        answer(golden("file")),
        Reply(status, {}, b"<xml/>"),
    )

    assert concluded == Failed(Failure("provider_error", f"the upload was refused with {status}"))


# --- sizes -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("side", "scale", "fits"), [(2048, 4, True), (2049, 4, False), (4096, 2, True)])
def test_an_enhanced_picture_must_stay_within_the_bound(
    side: int, scale: int, fits: bool, drive: Drive
) -> None:
    answers = [prepared(side, 10), *([answer(golden("file")), UPLOADED] if fits else [])]

    _, concluded = drive(submitting("enhance", {"image": URL, "scale": scale}), *answers)

    assert isinstance(concluded, Request) == fits
    if not fits:
        assert concluded.failure.cls == "invalid_request"
        assert "enhance_long_side_max" in concluded.failure.message


def test_a_mask_of_another_size_is_refused_before_anything_is_uploaded(drive: Drive) -> None:
    asked, concluded = drive(
        submitting("object_removal", MINIMAL["object_removal"]), prepared(800, 600), prepared(600, 800)
    )

    assert all(isinstance(each, Prepare) for each in asked)
    assert concluded.failure.cls == "invalid_request"
    assert "600×800" in concluded.failure.message


def test_a_mask_is_shrunk_with_its_image_and_kept_lossless_where_it_must_be_converted(drive: Drive) -> None:
    asked, _ = drive(submitting("object_removal", MINIMAL["object_removal"]), *uploads_of("object_removal"))

    mask = asked[1].accepts
    assert mask.long_side_max == 800
    assert mask.media_types == ("image/png", "image/jpeg")


def test_a_mask_is_sent_in_shades_of_grey_and_nothing_else_is(drive: Drive) -> None:
    asked, _ = drive(submitting("object_removal", MINIMAL["object_removal"]), *uploads_of("object_removal"))

    assert [prepare.accepts.grey for prepare in asked[:2]] == [False, True]


@pytest.mark.parametrize("mask", [{"file_id": "m"}, URL])
def test_what_is_not_known_about_sizes_is_left_to_the_provider(mask: Any, drive: Drive) -> None:
    images = [prepared(), *([] if isinstance(mask, dict) else [prepared(None, None)])]
    answers: list[Any] = [*images, *[answer(golden("file")), UPLOADED] * len(images)]

    _, concluded = drive(submitting("object_removal", {"image": URL, "mask": mask}), *answers)

    assert isinstance(concluded, Request)


def test_a_mask_is_inverted_where_the_settings_say_so(drive: Drive) -> None:
    given = MINIMAL["object_removal"]
    asked, _ = drive(submitting("object_removal", given, invert_masks=True), *uploads_of("object_removal"))

    assert [prepare.accepts.invert for prepare in asked[:2]] == [False, True]


SPARE = {"file_id": "f1", "artifact": {"digest": "sha256:" + "a" * 64}}


def test_a_file_that_the_provider_holds_is_not_uploaded_though_we_hold_it_too(drive: Drive) -> None:
    asked, concluded = drive(submitting("colorize", {"image": SPARE}))

    assert asked == []
    assert concluded.json["payload"]["file_sets"] == {"src_ids": ["f1"]}


def test_a_later_attempt_uploads_what_we_hold_of_a_file_that_may_be_gone(drive: Drive) -> None:
    asked, concluded = drive(submitting("colorize", {"image": SPARE}, attempt=2), *uploads_of("colorize"))

    assert isinstance(asked[0], Prepare)
    assert concluded.json["payload"]["file_sets"]["src_ids"] != ["f1"]


@pytest.mark.parametrize(("image", "cls"), [(SPARE, "provider_error"), ({"file_id": "f1"}, "task_failed")])
def test_a_file_that_is_gone_is_worth_another_attempt_where_we_hold_it(
    image: dict[str, Any], cls: str, drive: Drive
) -> None:
    operation: Operation = PERFECT.operations["colorize"]
    assert operation.check is not None
    params = operation.params.model_validate({"image": image})
    gone = {"status": 200, "result": {"status": "error", "error": "error_download_image"}}

    _, outcome = drive(operation.check(replace(task("t1"), params=params)), answer(gone))

    assert isinstance(outcome, Failed)
    assert (outcome.failure.cls, outcome.failure.code) == (cls, "error_download_image")


# --- polls -----------------------------------------------------------------------------------


def checking(name: str, task_id: str | None) -> Any:
    operation: Operation = PERFECT.operations[name]
    assert operation.check is not None
    return operation.check(task(task_id))


@pytest.mark.parametrize("name", FEATURES)
def test_a_poll_hands_the_task_id_over_unencoded(name: str, drive: Drive) -> None:
    task_id = golden("run")["result"]["task_id"]

    (request,), _ = drive(checking(name, task_id), answer(golden("check_running")))

    assert request == Request(
        method="GET", path=golden("paths")[f"{name}.check"], query={"task_id": task_id}, timeout_s=2.5
    )


def test_a_task_that_is_not_known_for_a_moment_is_asked_for_once_more(drive: Drive) -> None:
    asked, outcome = drive(checking("enhance", "t"), answer({}, 404), answer(golden("check_success")))

    assert asked[0] == asked[1]
    assert isinstance(outcome, Done)


def test_a_task_that_is_unknown_twice_is_lost(drive: Drive) -> None:
    _, outcome = drive(checking("enhance", "t"), answer({}, 404), answer({}, 404))

    assert (outcome.failure.cls, outcome.failure.code) == ("provider_error", "task_lost")


def test_without_a_task_id_nothing_is_asked(drive: Drive) -> None:
    asked, outcome = drive(checking("enhance", None))

    assert asked == []
    assert isinstance(outcome, Retry)


def test_the_first_poll_is_asked_for_at_once() -> None:
    operation = PERFECT.operations["hair_style"]

    outcome = operation.read(None, answer(golden("run")))

    assert isinstance(outcome, Accepted)
    assert outcome.task_id == golden("run")["result"]["task_id"]
    assert outcome.poll_s is not None
    assert outcome.poll_s <= 1.0


# --- at once ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["upload_file", "list_style_groups", "list_styles"])
def test_what_answers_at_once_spends_nothing(name: str) -> None:
    operation = PERFECT.operations[name]

    assert (operation.waiting, operation.spends, operation.check) == (Waiting.NONE, False, None)


def test_an_upload_by_itself_gives_the_file_id(drive: Drive) -> None:
    asked, outcome = drive(
        submitting("upload_file", {"feature": "hair_style", "image": URL}),
        prepared(),
        answer(golden("file")),
        UPLOADED,
    )

    assert asked[0].accepts.media_types == ("image/jpeg",)
    assert asked[1].path == "/s2s/v1.0/file/hair-style"
    assert outcome == Done(output={"file_id": "U1pVk9/abc+1=="})


def test_the_first_page_is_asked_for_without_a_token(drive: Drive) -> None:
    (request,), outcome = drive(
        submitting("list_style_groups", {"feature": "wig"}), answer(golden("style_groups"))
    )

    assert request == Request(method="GET", path="/s2s/v1.0/task/style-group/wig", query={"page_size": 20})
    assert outcome == Done(
        output={"items": [{"id": GROUP, "info": {"title": "Women's"}}], "next": "13045969587275114"}
    )


def test_the_last_page_has_no_next(drive: Drive) -> None:
    values = {"feature": "image_generator", "style_group_id": GROUP, "page_size": 5, "starting_token": "7"}

    (request,), outcome = drive(submitting("list_styles", values), answer(golden("styles")))

    assert request == Request(
        method="GET",
        path="/s2s/v1.0/task/style/text-to-image",
        query={"page_size": 5, "starting_token": "7", "style_group_id": GROUP},
    )
    assert outcome.output["items"][0]["id"] == STYLE
    assert "next" not in outcome.output


def test_groups_are_found_under_their_other_name_too(drive: Drive) -> None:
    body = {"status": 200, "result": {"style_groups": [{"id": 1}, "odd"], "next_token": 13}}

    _, outcome = drive(submitting("list_style_groups", {"feature": "wig"}), answer(body))

    assert outcome == Done(output={"items": [{"id": 1}], "next": "13"})


@pytest.mark.parametrize(
    ("reply", "cls"),
    [
        (answer(golden("collapsed")), "provider_error"),
        (Reply(502, {}, b"bad gateway"), "provider_error"),
        (answer({"status": 404, "error": "nothing here"}), "invalid_request"),
        (answer({}, 429), "rate_limited"),
    ],
)
def test_a_list_that_did_not_come_is_a_failure_with_its_class(reply: Reply, cls: str, drive: Drive) -> None:
    _, outcome = drive(submitting("list_styles", {"feature": "wig"}), reply)

    assert outcome.failure.cls == cls


@pytest.mark.parametrize("operation", PERFECT.operations.values(), ids=lambda operation: operation.name)
def test_every_operation_has_schemas_for_the_checks_of_a_workflow(operation: Operation) -> None:
    accepted = operation.params.model_json_schema()

    images = {name for name, shown in accepted["properties"].items() if shown.get("format") == "image"}
    assert images == {"image", "reference", "mask"} & set(operation.params.model_fields)
    assert operation.output.model_json_schema(mode="serialization")["type"] == "object"


def test_a_style_that_is_not_known_yet_is_no_problem() -> None:
    later = object()
    values = {"image": later, "style_group_id": later, "style_id": 2.5}

    problems = check_params(FEATURES["wig"].params, values, is_unknown=lambda value: value is later)

    assert [problem.path for problem in problems] == [("style_id",)]


# --- the rest --------------------------------------------------------------------------------


def test_prices_come_from_the_connection() -> None:
    connector = connect(
        PerfectSettings.model_validate(
            {**BASE, "prices": {"enhance": {"credits": 2, "per": "scale"}, "aging": 3}}
        )
    )
    cost = {
        name: connector.operations[name].price(
            connector.operations[name].params.model_validate(MINIMAL[name])
        )
        for name in ("enhance", "aging", "wig")
    }

    assert cost == {"enhance": 4.0, "aging": 3.0, "wig": None}


def test_nobody_calls_back_for_perfect() -> None:
    callback = Callback(method="POST", query="", content_type="", body=b"{}")

    assert PERFECT.read_callback(callback, task("t")) == Meaningless()
