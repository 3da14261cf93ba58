"""What is said to Trypi and what its answers mean, with the examples of its own document."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from orchestrator.errors import Failure
from orchestrator.providers.base import (
    Accepted,
    Accepts,
    ArtifactRef,
    Callback,
    Done,
    Failed,
    Inline,
    Meaningless,
    Pending,
    Prepare,
    PreparedBytes,
    Rejected,
    Reply,
    Request,
    ResultFile,
    Retry,
    Submit,
    Task,
    Unauthorized,
    Unclear,
    Unknown,
    Waiting,
    check_params,
)
from orchestrator.providers.registry import KINDS
from orchestrator.providers.template import freeze
from orchestrator.providers.trypi import TrypiSettings, connect
from orchestrator.providers.trypi.params import GenerateAvatar

Drive = Callable[..., tuple[list[Request | Prepare], Any]]

GOLDEN = Path(__file__).parent / "golden" / "trypi"
JOB = "job_01jd0000000000000000000000"
UUID = "4cb74a64-83f1-4fb8-96cf-1098f145008f"
OTHER_UUID = "b6e7a1b9-f421-45f3-9c18-22f1c63c1138"
KEY = "pi_live_123"
SETTINGS = TrypiSettings(api_key=SecretStr(KEY))
TRYPI = connect(SETTINGS)
GENERATE = TRYPI.operations["generate_avatar"]
SAVE = TRYPI.operations["save_avatar"]
ARTIFACT = ArtifactRef(digest="sha256:" + "a" * 64)
PREPARED = PreparedBytes(
    digest=ARTIFACT.digest, media_type="image/webp", size=9, width=1, height=1, name="a.webp"
)
URL = "https://cdn.example.com/1.png"


def printed(name: str) -> Any:
    return json.loads((GOLDEN / f"{name}.json").read_text())["json"]


def reply(body: Any, status: int = 200, **headers: str) -> Reply:
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    return Reply(status, {name.replace("_", "-"): value for name, value in headers.items()}, content)


def read(answer: Reply, prompt: str = "a founder") -> Any:
    return GENERATE.read(GenerateAvatar(prompt=prompt), answer)


def submit(drive: Drive, params: dict[str, Any], *answers: Any, job: str = JOB) -> tuple[list[Any], Request]:
    exchange = GENERATE.submit(GenerateAvatar.model_validate(params), Submit(job=job))
    asked, request = drive(exchange, *answers)
    assert isinstance(request, Request)
    return asked, request


def check(drive: Drive, *answers: Reply, task_id: str | None = UUID) -> tuple[list[Any], Any]:
    assert GENERATE.check is not None
    return drive(GENERATE.check(Task(job=JOB, task_id=task_id, resource_id=None, params=None)), *answers)


def job(status: str, **data: Any) -> dict[str, Any]:
    """Return a job in the envelope of Trypi, whose id names the request."""
    return {
        "id": "req_pi_1",
        "object": "job",
        "status": status,
        "data": {"id": UUID, "status": status, **data},
    }


# --- the account -----------------------------------------------------------------------------


def test_the_registry_knows_the_kind() -> None:
    kind = KINDS["trypi"]

    assert kind.connect(kind.settings.model_validate({"api_key": KEY})).kind == "trypi"


def test_the_key_is_sent_as_a_bearer_token_without_a_login() -> None:
    assert TRYPI.headers(None) == {"Authorization": f"Bearer {KEY}"}
    assert TRYPI.login(0, lambda key, text: b"") is None
    assert [secret.get_secret_value() for secret in TRYPI.secrets()] == [KEY]
    assert SETTINGS.base_url == "https://api.trypi.ai/api/v1"
    assert TRYPI.read_credits(reply({"credits": 1})) is None


def test_generating_costs_money_may_be_resent_and_is_polled() -> None:
    assert GENERATE.spends
    assert GENERATE.resend
    assert GENERATE.waiting is Waiting.POLL
    assert GENERATE.look_up is None


def test_a_poll_is_given_more_time_than_it_is_held_open() -> None:
    assert GENERATE.poll_timeout_s is not None
    assert GENERATE.poll_timeout_s > printed("poll")["query"]["timeout_seconds"] + 5


def test_everything_else_answers_at_once_and_costs_nothing() -> None:
    at_once = {name: o for name, o in TRYPI.operations.items() if o is not GENERATE}

    assert set(at_once) == {"save_avatar", "list_avatars", "get_avatar", "get_job"}
    assert all(not o.spends and o.waiting is Waiting.NONE and o.check is None for o in at_once.values())


def test_an_avatar_costs_what_the_connections_price_list_says() -> None:
    priced = connect(TrypiSettings(api_key=SecretStr(KEY), prices={"generate_avatar": 3}))

    assert priced.operations["generate_avatar"].price(GenerateAvatar(prompt="x")) == 3
    assert GENERATE.price(GenerateAvatar(prompt="x")) is None


# --- parameters ------------------------------------------------------------------------------


def problems(**params: Any) -> list[str]:
    found = check_params(
        GenerateAvatar,
        {"prompt": "a founder", **params},
        is_unknown=lambda value: str(value).startswith("${{"),
    )
    return [".".join(map(str, problem.path)) for problem in found]


@pytest.mark.parametrize(
    "params",
    [
        {},
        printed("generate_request"),
        {"prompt": "x" * 5000},
        {"reference_images": ["https://example.com/a.jpg"] * 6},
        {"reference_images": "${{ steps.x.artifacts }}"},
        {"hints": {"accessories": ["hat", "scarf"], "anything_new": 1, "mood": None}},
        {"client_reference_id": "x" * 200},
        {"metadata": {f"k{n}": "x" * 500 for n in range(16)}},
        {"metadata": {}, "output": {}, "hints": {}},
        {"hints": None, "output": None, "metadata": None, "reference_images": None},
    ],
)
def test_what_the_document_allows_is_taken(params: dict[str, Any]) -> None:
    assert problems(**params) == []


@pytest.mark.parametrize(
    ("params", "place"),
    [
        ({"prompt": ""}, "prompt"),
        ({"prompt": " \n"}, "prompt"),
        ({"prompt": "x" * 5001}, "prompt"),
        ({"reference_images": []}, "reference_images"),
        ({"reference_images": ["https://example.com/a.jpg"] * 7}, "reference_images"),
        ({"reference_images": ["iVBORw0KGgo="]}, "reference_images.0"),
        ({"hints": {"a": {"b": 1}}}, "hints"),
        ({"hints": {"a": [["b"]]}}, "hints"),
        ({"hints": ["a"]}, "hints"),
        ({"output": {"resolutoin": "1K"}}, "output.resolutoin"),
        ({"output": {"resolution": ""}}, "output.resolution"),
        ({"client_reference_id": "x" * 201}, "client_reference_id"),
        ({"client_reference_id": ""}, "client_reference_id"),
        ({"metadata": {f"k{n}": "" for n in range(17)}}, "metadata"),
        ({"metadata": {"k": "x" * 501}}, "metadata.k"),
        ({"metadata": {"k": None}}, "metadata.k"),
        ({"metadata": {"k": ["v"]}}, "metadata.k"),
        ({"webhook_url": "https://example.com"}, "webhook_url"),
    ],
)
def test_what_the_document_forbids_is_refused_at_its_place(params: dict[str, Any], place: str) -> None:
    assert problems(**params) == [place]


def test_metadata_that_yaml_took_for_numbers_is_text() -> None:
    params = GenerateAvatar.model_validate({"prompt": "x", "metadata": {"a": 7, "b": True, "c": 1.5}})

    assert params.metadata == {"a": "7", "b": "true", "c": "1.5"}


# --- submits ---------------------------------------------------------------------------------


def test_an_avatar_is_asked_for_as_the_document_prints_it(drive: Drive) -> None:
    body = printed("generate_request")

    asked, request = submit(drive, body)

    assert asked == []
    assert request == Request(
        method="POST", path="/avatars/generate", headers={"Idempotency-Key": JOB}, json=body
    )


def test_a_job_is_its_own_reference_where_the_author_gives_none(drive: Drive) -> None:
    _, request = submit(drive, {"prompt": "x", "hints": {"mood": None}, "metadata": None})

    assert request.json == {"prompt": "x", "hints": {"mood": None}, "client_reference_id": JOB}


def test_reference_images_travel_inside_the_request_because_urls_are_not_taken(drive: Drive) -> None:
    images = ["https://example.com/a.jpg", "data:image/png;base64,AA=="]
    params = {"prompt": "x", "reference_images": [*images, ARTIFACT.model_dump()]}

    asked, request = submit(drive, params, *[PREPARED] * 3)

    accepts = Accepts(media_types=("image/jpeg", "image/png", "image/webp"), bytes_max=15_000_000)
    assert asked == [Prepare(images[0], accepts), Prepare(images[1], accepts), Prepare(ARTIFACT, accepts)]
    assert request.json["reference_images"] == [Inline(PREPARED, "data_uri")] * 3


def test_the_key_is_the_jobs_so_that_another_attempt_has_another_one(drive: Drive) -> None:
    _, first = submit(drive, {"prompt": "x"})
    _, again = submit(drive, {"prompt": "x"})
    _, second = submit(drive, {"prompt": "x"}, job="job_2")

    assert first == again
    assert second.headers == {"Idempotency-Key": "job_2"}


def test_the_key_is_kept_in_the_log_for_a_resend(drive: Drive) -> None:
    _, request = submit(drive, {"prompt": "x"})

    assert freeze(request, key="k", callbacks=True, link_exp=0).headers == {"Idempotency-Key": JOB}


@pytest.mark.parametrize("status", [200, 201, 202])
def test_a_submit_is_accepted_by_the_id_of_its_job_not_by_the_envelopes(status: int) -> None:
    answer = printed("generate_answer") | {"id": OTHER_UUID, "data": {"job_id": UUID}}

    assert read(reply(answer, status)) == Accepted(UUID, poll_s=0.0)


@pytest.mark.parametrize(
    "answer",
    [
        reply(printed("generate_answer"), 202),
        reply(printed("generate_answer") | {"id": UUID, "data": {}}, 202),
        reply({"id": UUID, "status": "queued"}, 202),
        reply({"data": [UUID]}, 202),
        reply(b"", 202),
        reply({"data": {"job_id": UUID}}, 302),
        reply({"data": {"job_id": UUID}}, 500),
        reply({"error": {"type": "api_error", "code": "job_trigger_failed", "message": "x"}}, 502),
        reply({}, 408),
    ],
)
def test_an_answer_that_neither_accepts_nor_refuses_leaves_the_submit_unclear(answer: Reply) -> None:
    assert isinstance(read(answer), Unclear)


@pytest.mark.parametrize(
    "body",
    [
        {"error": "idempotency_key_mismatch"},
        {"error": {"code": "idempotency_key_mismatch", "message": "The key was used with another body."}},
        {"message": "idempotency_key_mismatch"},
        b"409 idempotency_key_mismatch",
    ],
)
def test_a_key_that_was_used_with_another_body_ends_the_job_however_it_is_said(body: Any) -> None:
    outcome = read(reply(body, 409))

    assert isinstance(outcome, Failed)
    assert (outcome.failure.cls, outcome.failure.code) == ("invalid_request", "idempotency_key_mismatch")
    assert "another body" in outcome.failure.message or "mismatch" in outcome.failure.message


def test_any_other_conflict_may_be_about_our_own_first_request_and_proves_nothing() -> None:
    assert isinstance(read(reply({"error": {"code": "request_in_progress"}}, 409)), Unclear)


@pytest.mark.parametrize(
    ("status", "error", "outcome"),
    [
        (
            401,
            {"code": "invalid_api_key", "message": "Bad key."},
            Unauthorized(Failure("unauthorized", "Trypi answered 401: Bad key.", "invalid_api_key")),
        ),
        (402, {}, Rejected(Failure("insufficient_credits", "Trypi answered 402: out of credits"), True)),
        (
            429,
            {"code": "rate_limit_exceeded"},
            Rejected(
                Failure("rate_limited", "Trypi answered 429: too many requests", "rate_limit_exceeded"), True
            ),
        ),
        (
            400,
            {"code": "invalid_request_body", "message": "prompt is empty"},
            Failed(Failure("invalid_request", "Trypi answered 400: prompt is empty", "invalid_request_body")),
        ),
        (413, {}, Failed(Failure("invalid_request", "Trypi answered 413: the request is too large"))),
        (422, {}, Failed(Failure("invalid_request", "Trypi answered 422: invalid request"))),
        (403, {}, Failed(Failure("invalid_request", "Trypi answered 403: no explanation"))),
    ],
)
def test_a_refusal_carries_trypis_own_code_and_words(
    status: int, error: dict[str, Any], outcome: Any
) -> None:
    assert read(reply({"error": error}, status)) == outcome


@pytest.mark.parametrize(
    ("prompt", "status", "is_told"),
    [(4001, 400, True), (4001, 422, True), (4000, 400, False), (4001, 413, False)],
)
def test_a_refusal_of_a_long_prompt_says_that_it_is_long(prompt: int, status: int, is_told: bool) -> None:
    outcome = read(reply({}, status), prompt="x" * prompt)

    assert isinstance(outcome, Failed)
    assert ("4001 characters" in outcome.failure.message) is is_told


# --- polls -----------------------------------------------------------------------------------


def test_a_poll_is_held_open_and_asks_for_the_avatar_as_the_document_prints_it(drive: Drive) -> None:
    poll = printed("poll")

    [request], _ = check(drive, reply(job("queued")))

    path = poll["path"].removeprefix("/api/v1").replace(":job_id", UUID)
    assert request == Request(method="GET", path=path, query=poll["query"])


@pytest.mark.parametrize("status", ["queued", "processing", "Dreaming"])
def test_a_job_that_has_not_ended_is_polled_again_soon(drive: Drive, status: str) -> None:
    _, outcome = check(drive, reply(job(status)))

    assert outcome == Pending(status.lower(), poll_s=2.0)


def test_a_completed_job_is_done_with_its_image(drive: Drive) -> None:
    _, outcome = check(drive, reply(job("completed", avatar={"image_url": URL, "seed": 1})))

    assert outcome == Done(
        output={"image_url": URL, "seed": 1, "job_id": UUID}, files=(ResultFile(URL),), task_id=UUID
    )
    GENERATE.output.model_validate(outcome.output)


@pytest.mark.parametrize("holder", ["payload", "job_result"])
def test_the_image_is_found_where_the_avatar_was_not_expanded(drive: Drive, holder: str) -> None:
    data = {"result_url": f"avatars/{UUID}", holder: {"image_url": URL}}

    _, outcome = check(drive, reply(job("completed", **data)))

    assert isinstance(outcome, Done)
    assert outcome.files == (ResultFile(URL),)


@pytest.mark.parametrize(
    "data", [{}, {"avatar": None}, {"avatar": {"image_url": f"avatars/{UUID}"}}, {"result_url": URL}]
)
def test_a_completed_job_without_an_image_is_looked_at_again(drive: Drive, data: dict[str, Any]) -> None:
    _, outcome = check(drive, reply(job("completed", **data)))

    assert outcome == Retry("no image is named yet")


@pytest.mark.parametrize(
    ("data", "failure"),
    [
        ({}, Failure("task_failed", "the job failed; Trypi gives no reason")),
        ({"error_log": "face not found"}, Failure("task_failed", "face not found")),
        ({"error_log": {"code": "nsfw", "message": "no"}}, Failure("task_failed", "no", "nsfw")),
        ({"error": {"code": "nsfw", "message": "no"}}, Failure("task_failed", "no", "nsfw")),
    ],
)
@pytest.mark.parametrize("status", ["failed", "error", "cancelled", "canceled"])
def test_a_failed_job_is_the_final_word_with_its_reason(
    drive: Drive, status: str, data: dict[str, Any], failure: Failure
) -> None:
    assert check(drive, reply(job(status, **data)))[1] == Failed(failure)


def test_a_reason_in_the_envelope_alone_is_read_too(drive: Drive) -> None:
    body = {"id": OTHER_UUID, "status": "failed", "data": {}, "error": {"code": "nsfw", "message": "no"}}

    assert check(drive, reply(body))[1] == Failed(Failure("task_failed", "no", "nsfw"))


def test_a_state_in_the_envelope_alone_is_read_too(drive: Drive) -> None:
    body = {"id": OTHER_UUID, "status": "completed", "data": {"avatar": {"image_url": URL}}}

    assert isinstance(check(drive, reply(body))[1], Done)


@pytest.mark.parametrize("name", ["id", "job_id"])
def test_an_answer_about_another_job_is_not_believed(drive: Drive, name: str) -> None:
    body = job("failed", **{name: OTHER_UUID})

    assert isinstance(check(drive, reply(body))[1], Retry)


@pytest.mark.parametrize("status", [302, 400, 402, 403, 404, 409, 429, 500, 502, 504])
def test_no_answer_but_a_verdict_ends_a_job_that_was_paid_for(drive: Drive, status: int) -> None:
    _, outcome = check(drive, reply(job("failed"), status, retry_after="9"))

    assert isinstance(outcome, Retry)
    assert isinstance(outcome, Unknown) == (status == 404)
    assert outcome.retry_after_s == 9


def test_a_poll_is_not_held_open_for_who_has_no_patience(drive: Drive) -> None:
    assert GENERATE.check is not None
    task = Task(job=JOB, task_id=UUID, resource_id=None, params=None, patient=False)

    [request], _ = drive(GENERATE.check(task), reply(job("processing")))

    assert isinstance(request, Request)
    assert request.query == {"expand": "avatar"}


@pytest.mark.parametrize("body", [b"", b"<html>", [], {}, {"data": {}}])
def test_an_answer_without_a_state_is_looked_at_again(drive: Drive, body: Any) -> None:
    assert isinstance(check(drive, reply(body))[1], Retry)


def test_a_refused_key_is_said_to_be_so(drive: Drive) -> None:
    assert isinstance(check(drive, reply({}, 401))[1], Unauthorized)


@pytest.mark.parametrize("task_id", [None, "", "..", "req_pi_1", "https://example.com/"])
def test_an_id_that_is_none_is_never_put_into_a_path(drive: Drive, task_id: str | None) -> None:
    requests, outcome = check(drive, task_id=task_id)

    assert requests == []
    assert isinstance(outcome, Retry)


# --- saving ----------------------------------------------------------------------------------

SAVED = {"id": "av_1", "label": "CEO hero v2", "image_url": URL, "job_id": UUID, "created_at": 1710000000}


def save(drive: Drive, *answers: Reply, attempt: int = 1, **params: Any) -> tuple[list[Any], Any]:
    given = SAVE.params.model_validate({"job_id": UUID, **params})
    return drive(SAVE.submit(given, Submit(job=JOB, attempt=attempt)), *answers)


def test_an_avatar_is_saved_as_the_document_prints_it(drive: Drive) -> None:
    body = printed("save_request") | {"job_id": UUID}

    asked, request = save(drive, label=body["label"])

    assert asked == []
    assert request == Request(method="POST", path="/avatars/save", json=body)


@pytest.mark.parametrize("status", [200, 201])
@pytest.mark.parametrize(
    "body",
    [
        SAVED,
        {"id": "req_pi_1", "object": "saved_avatar", "data": SAVED},
        {"id": "req_pi_1", "data": {"id": "av_1", "image_url": URL, "created_at": "2026-01-01T00:00:00Z"}},
    ],
)
def test_a_saved_avatar_is_given_without_its_envelope(status: int, body: dict[str, Any]) -> None:
    for name in ("save_avatar", "get_avatar"):
        operation = TRYPI.operations[name]
        outcome = operation.read(operation.params.model_construct(), reply(body, status))

        assert outcome == Done(output=body.get("data", body))
        operation.output.model_validate(outcome.output)


@pytest.mark.parametrize(
    "body", [{"id": "req_1", "data": {"avatar": SAVED}}, {"id": "req_1", "avatar": SAVED}]
)
def test_a_saved_avatar_may_stand_under_its_name(body: dict[str, Any]) -> None:
    operation = TRYPI.operations["save_avatar"]

    assert operation.read(operation.params.model_construct(), reply(body)) == Done(output=SAVED)


def test_a_second_attempt_to_save_takes_what_the_first_one_saved(drive: Drive) -> None:
    other = SAVED | {"id": "av_0", "job_id": OTHER_UUID}

    [request], outcome = save(drive, reply({"data": {"data": [other, SAVED]}}), attempt=2)

    assert request == Request(method="GET", path="/avatars", query=printed("list_query"))
    assert outcome == Done(output=SAVED)


@pytest.mark.parametrize(
    "entry", [SAVED | {"job_id": OTHER_UUID}, SAVED | {"job_id": None}, SAVED | {"label": "another"}]
)
def test_a_second_attempt_saves_where_nothing_like_it_was_saved(drive: Drive, entry: dict[str, Any]) -> None:
    _, outcome = save(drive, reply({"data": [entry]}), attempt=2, label="CEO hero v2")

    assert isinstance(outcome, Request)


def test_a_second_attempt_reads_on_while_there_are_more(drive: Drive) -> None:
    page = {"data": [SAVED | {"job_id": OTHER_UUID}] * 20, "has_more": True}

    asked, outcome = save(drive, reply(page), reply({"data": [SAVED]}), attempt=2)

    assert [request.query["offset"] for request in asked] == [0, 20]
    assert outcome == Done(output=SAVED)


def test_a_second_attempt_does_not_read_for_ever(drive: Drive) -> None:
    page = reply({"data": [SAVED | {"job_id": OTHER_UUID}] * 20, "has_more": True})

    asked, outcome = save(drive, *[page] * 10, attempt=2)

    assert len(asked) == 10
    assert isinstance(outcome, Request)


def test_a_second_attempt_that_cannot_look_does_not_save_blindly(drive: Drive) -> None:
    _, outcome = save(drive, reply({}, 503), attempt=2)

    assert isinstance(outcome, Failed)
    assert outcome.failure.cls == "provider_error"


# --- at once ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "params", "request_"),
    [
        ("list_avatars", {}, Request(method="GET", path="/avatars")),
        (
            "list_avatars",
            printed("list_query"),
            Request(method="GET", path="/avatars", query={"limit": 20, "offset": 0}),
        ),
        ("get_avatar", {"id": "av_1"}, Request(method="GET", path="/avatars/av_1")),
        (
            "get_job",
            {"job_id": UUID},
            Request(method="GET", path=f"/jobs/{UUID}", query={"expand": "avatar"}),
        ),
    ],
)
def test_what_answers_at_once_is_one_request(
    drive: Drive, name: str, params: dict[str, Any], request_: Request
) -> None:
    operation = TRYPI.operations[name]

    _, request = drive(operation.submit(operation.params.model_validate(params), Submit(job=JOB)))

    assert request == request_


@pytest.mark.parametrize(
    ("params", "body", "next_"),
    [
        ({}, {"data": [SAVED] * 3}, None),
        ({}, [SAVED] * 20, 20),
        ({"limit": 2, "offset": 4}, {"data": {"object": "list", "data": [SAVED] * 2}}, 6),
        ({"limit": 2}, {"data": {"data": [SAVED] * 2, "has_more": False}}, None),
        ({"limit": 9}, {"data": {"data": [SAVED] * 2, "has_more": True}}, 2),
        ({}, {"avatars": []}, None),
        ({"limit": 1}, {"items": [], "has_more": True}, None),
    ],
)
def test_a_page_names_the_next_one_where_there_may_be_one(
    params: dict[str, Any], body: Any, next_: int | None
) -> None:
    operation = TRYPI.operations["list_avatars"]

    outcome = operation.read(operation.params.model_validate(params), reply(body))

    assert isinstance(outcome, Done)
    assert outcome.output.get("next") == next_
    operation.output.model_validate(outcome.output)


def test_a_job_is_given_without_its_envelope() -> None:
    operation = TRYPI.operations["get_job"]

    outcome = operation.read(operation.params.model_construct(), reply(job("queued")))

    assert outcome == Done(output=job("queued")["data"])


@pytest.mark.parametrize(
    ("body", "output"),
    [
        ({"id": "req_1", "status": "queued", "data": {"job_id": UUID}}, {"status": "queued", "job_id": UUID}),
        (
            {"id": UUID, "object": "job", "status": "queued"},
            {"id": UUID, "object": "job", "status": "queued"},
        ),
    ],
)
def test_a_job_keeps_a_state_that_stands_in_the_envelope(
    body: dict[str, Any], output: dict[str, Any]
) -> None:
    operation = TRYPI.operations["get_job"]

    assert operation.read(operation.params.model_construct(), reply(body)) == Done(output=output)


@pytest.mark.parametrize("name", ["save_avatar", "list_avatars", "get_avatar", "get_job"])
def test_an_unreadable_answer_at_once_is_a_provider_error_and_a_refusal_a_refusal(name: str) -> None:
    operation = TRYPI.operations[name]

    for answer in (reply(b""), reply("x"), reply({"id": "req"}), reply({}, 500), reply({}, 408)):
        outcome = operation.read(operation.params.model_construct(), answer)
        assert isinstance(outcome, Failed)
        assert outcome.failure.cls == "provider_error"
    assert operation.read(operation.params.model_construct(), reply({}, 404)) == Failed(
        Failure("invalid_request", "Trypi answered 404: no such job or avatar")
    )


# --- anything at all -------------------------------------------------------------------------


def test_nobody_calls_back() -> None:
    task = Task(job=JOB, task_id=UUID, resource_id=None, params=None)
    callback = Callback(method="POST", query="", content_type="", body=orjson.dumps(job("completed")))

    assert TRYPI.read_callback(callback, task) == Meaningless()


_WORDS = st.sampled_from(
    [
        *("id", "data", "status", "job_id", "avatar", "payload", "image_url", "error_log", "error", "code"),
        *("message", "items", "has_more", "avatars", "completed", "failed", "queued", UUID, URL, "http://["),
        *("idempotency_key_mismatch", ""),
    ]
)
_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | _WORDS
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_WORDS | st.text(), inner, max_size=6),
    max_leaves=12,
)
_REPLY = st.builds(
    Reply,
    st.sampled_from([200, 202, 204, 301, 400, 401, 402, 404, 408, 409, 422, 429, 500, 503]),
    st.dictionaries(st.just("retry-after"), st.text(), max_size=1),
    st.binary(max_size=100) | _JSON.map(orjson.dumps),
)


@settings(max_examples=300, deadline=None)
@given(answer=_REPLY)
def test_no_answer_whatever_makes_a_reader_raise(answer: Reply) -> None:
    for operation in TRYPI.operations.values():
        params = operation.params.model_construct(prompt="x")  # type: ignore[call-arg]  # read by one of them
        outcome = operation.read(params, answer)
        if isinstance(outcome, Done):
            orjson.dumps(outcome.output)
    assert GENERATE.check is not None
    exchange = GENERATE.check(Task(job=JOB, task_id=UUID, resource_id=None, params=None))
    next(exchange)
    with pytest.raises(StopIteration):
        exchange.send(answer)


@settings(max_examples=200, deadline=None)
@given(answer=_REPLY)
def test_no_list_whatever_makes_a_second_save_raise_or_take_another_jobs_avatar(answer: Reply) -> None:
    exchange = SAVE.submit(SAVE.params.model_validate({"job_id": UUID}), Submit(job=JOB, attempt=2))
    next(exchange)
    with pytest.raises(StopIteration) as end:
        exchange.send(answer)

    outcome = end.value.value
    if isinstance(outcome, Done):
        assert outcome.output["job_id"] == UUID
