"""What is said to Pixza and what its answers mean, with the examples of its own document."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from orchestrator.errors import Failure
from orchestrator.ids import typeid
from orchestrator.providers.base import (
    Accepted,
    Accepts,
    Alike,
    ArtifactRef,
    Callback,
    CallbackUrl,
    Done,
    Failed,
    Found,
    Hint,
    Link,
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
    Unreadable,
    Waiting,
    check_params,
)
from orchestrator.providers.pixza import PixzaSettings, connect
from orchestrator.providers.pixza.models import MODELS, RATE_LIMITS
from orchestrator.providers.pixza.params import ById, Generate
from orchestrator.providers.registry import KINDS

Drive = Callable[..., tuple[list[Request | Prepare], Any]]

GOLDEN = Path(__file__).parent / "golden" / "pixza"
NOON_S = 1_778_500_800
"""2026-05-11T12:00:00Z, when the document's own generation was made."""
JOB = typeid("job", (NOON_S - 5) * 1_000_000, bytes(10))
KEY = "pk_live_123"
SETTINGS = PixzaSettings(api_key=SecretStr(KEY))
PIXZA = connect(SETTINGS)
GENERATE = PIXZA.operations["generate"]
ARTIFACT = ArtifactRef(digest="sha256:" + "a" * 64)
PREPARED = PreparedBytes(
    digest=ARTIFACT.digest, media_type="image/png", size=9, width=1, height=1, name="a.png"
)
URL = "https://cdn.example.com/1.jpg"


def printed(name: str) -> Any:
    return json.loads((GOLDEN / f"{name}.json").read_text())["json"]


def reply(body: Any, status: int = 200, **headers: str) -> Reply:
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    return Reply(status, {name.replace("_", "-"): value for name, value in headers.items()}, content)


def asked(**params: Any) -> Generate:
    return Generate.model_validate({"type": "image", "prompt": "a cat", **params})


def read(answer: Reply, **params: Any) -> Any:
    return GENERATE.read(asked(**params), answer)


def task(task_id: str | None = "gen_1", **params: Any) -> Task:
    return Task(job=JOB, task_id=task_id, resource_id=None, params=asked(**params))


def check(drive: Drive, of: Task, *answers: Reply) -> tuple[list[Any], Any]:
    assert GENERATE.check is not None
    return drive(GENERATE.check(of), *answers)


def look_up(drive: Drive, answer: Reply, **params: Any) -> Any:
    assert GENERATE.look_up is not None
    [request], outcome = drive(GENERATE.look_up(task(None, **params)), answer)
    assert request == Request(method="GET", path="/generations")
    return outcome


# --- the account -----------------------------------------------------------------------------


def test_the_registry_knows_the_kind() -> None:
    kind = KINDS["pixza"]

    assert kind.connect(kind.settings.model_validate({"api_key": KEY})).kind == "pixza"


def test_the_key_is_a_secret_bearer_token_although_it_begins_with_pk() -> None:
    assert PIXZA.headers(None) == {"Authorization": f"Bearer {KEY}"}
    assert PIXZA.login(0, lambda key, text: b"") is None
    assert [secret.get_secret_value() for secret in PIXZA.secrets()] == [KEY]
    assert KEY not in repr(SETTINGS)


def test_the_base_url_holds_the_version_that_no_path_repeats() -> None:
    assert SETTINGS.base_url == "https://pixzaai.com/api/v1"
    for operation in PIXZA.operations.values():
        exchange = operation.submit(asked() if operation is GENERATE else ById(id="x"), Submit(job=JOB))
        with pytest.raises(StopIteration) as end:
            next(exchange)
        assert not end.value.value.path.startswith("/api")


@pytest.mark.parametrize("plan", ["free", "pro", "agency"])
def test_the_plan_decides_the_rate_limit(plan: str) -> None:
    settings = PixzaSettings.model_validate({"api_key": KEY, "plan": plan})

    assert settings.rate_limits == [RATE_LIMITS[plan]] == [f"{printed('rate_limits')[plan]}/1m"]


def test_a_rate_limit_of_ones_own_wins_over_the_plan() -> None:
    settings = PixzaSettings.model_validate({"api_key": KEY, "plan": "pro", "rate_limits": []})

    assert settings.rate_limits == []


def test_without_a_plan_the_smallest_one_is_respected() -> None:
    assert SETTINGS.rate_limits == ["10/1m"]


@pytest.mark.parametrize("plan", ["Free", "enterprise", None, 3])
def test_an_unknown_plan_is_refused(plan: Any) -> None:
    with pytest.raises(ValidationError, match="plan"):
        PixzaSettings.model_validate({"api_key": KEY, "plan": plan})


def test_only_generating_costs_money_and_only_it_is_waited_for() -> None:
    assert GENERATE.spends
    assert GENERATE.waiting is Waiting.HINT
    assert not GENERATE.resend
    at_once = {name: o for name, o in PIXZA.operations.items() if o is not GENERATE}
    assert set(at_once) == {"get_generation", "list_generations", "list_models", "get_credits"}
    assert all(not o.spends and o.waiting is Waiting.NONE and o.check is None for o in at_once.values())


# --- models and prices -----------------------------------------------------------------------


def test_the_models_are_those_of_the_document() -> None:
    assert [[name, m.type, m.credits] for name, m in MODELS.items()] == printed("models")


@pytest.mark.parametrize(("name", "type_", "credits"), printed("models"))
def test_a_generation_costs_what_the_document_says(name: str, type_: str, credits: int) -> None:
    needed = {"input_image": URL} if MODELS[name].image == "required" else {}

    assert GENERATE.price(asked(type=type_, model=name, **needed)) == credits


def test_the_default_model_costs_one_credit() -> None:
    assert GENERATE.price(asked()) == 1


def test_a_model_that_the_document_does_not_list_has_no_known_price_but_for_a_price_list() -> None:
    priced = connect(PixzaSettings(api_key=SecretStr(KEY), prices={"generate": 7})).operations["generate"]
    solid = asked(type="3d", model="trellis-2")

    assert GENERATE.price(solid) is None
    assert priced.price(solid) == 7


# --- parameters ------------------------------------------------------------------------------


def problems(**params: Any) -> list[str]:
    found = check_params(Generate, params, is_unknown=lambda value: str(value).startswith("${{"))
    return [f"{'.'.join(map(str, problem.path))}: {problem.message}" for problem in found]


def test_type_and_prompt_are_required() -> None:
    assert problems() == ["type: is required", "prompt: is required"]


@pytest.mark.parametrize(
    "params",
    [
        {"type": "image"},
        {"type": "Image", "model": "seedream", "input_image": URL},
        {"type": "image", "model": "flux-kontext", "input_image": URL},
        {"type": "video", "model": "veo-3-fast"},
        {"type": "video", "model": "wan-i2v", "input_image": ARTIFACT.model_dump()},
        {"type": "video", "model": "wan-i2v", "input_image": "${{ steps.x.artifacts[0] }}"},
        {"type": "video", "model": "${{ inputs.model }}"},
        {"type": "${{ inputs.type }}", "model": "veo-3-fast"},
        {"type": "${{ inputs.type }}", "model": "some-new-one"},
        {"type": "3d", "model": "trellis-2"},
        {"type": "image", "width": 512, "height": 512, "steps": 4, "seed": 0},
        {"type": "image", "model": None, "width": None},
    ],
)
def test_what_fits_together_is_taken(params: dict[str, Any]) -> None:
    assert problems(prompt="a cat", **params) == []


@pytest.mark.parametrize(
    ("params", "problem"),
    [
        ({"type": "gif"}, "type: must be image, video or 3d, not 'gif'"),
        (
            {"type": "video"},
            "model: type video needs a model: the default makes images "
            "(models of type video: veo-3-fast, wan-i2v)",
        ),
        (
            {"type": "3d"},
            "model: type 3d needs a model: the default makes images (list_models may show some)",
        ),
        (
            {"type": "video", "model": "flux-pro"},
            "model: flux-pro makes type image, not video (models of type video: veo-3-fast, wan-i2v)",
        ),
        (
            {"type": "3d", "model": "flux-pro"},
            "model: flux-pro makes type image, not 3d (list_models may show some)",
        ),
        (
            {"type": "video", "model": "veo3-fast"},
            "model: 'veo3-fast' is no model of type video: veo-3-fast, wan-i2v (did you mean 'veo-3-fast'?)",
        ),
        ({"type": "video", "model": "wan-i2v"}, "input_image: wan-i2v needs an input_image to work on"),
        (
            {"type": "image", "model": "flux-kontext", "input_image": None},
            "input_image: flux-kontext needs an input_image to work on",
        ),
        (
            {"type": "video", "model": "veo-3-fast", "input_image": URL},
            "input_image: veo-3-fast works from the prompt alone and takes no input_image",
        ),
        ({"type": "image", "width": 0}, "width: must be at least 1, not 0"),
        ({"type": "image", "steps": True}, "steps: must be a whole number, not true or false"),
        ({"type": "image", "seed": 2**63}, f"seed: must be at most {2**63 - 1}, not {2**63}"),
        ({"type": "image", "webhook_url": URL}, "webhook_url: there is no such field"),
    ],
)
def test_what_does_not_fit_together_is_refused_before_it_costs_anything(
    params: dict[str, Any], problem: str
) -> None:
    assert problems(prompt="${{ inputs.prompt }}", **params) == [problem]


def test_values_that_are_known_at_last_are_held_to_the_same_rules() -> None:
    with pytest.raises(ValidationError, match="type video needs a model"):
        Generate.model_validate({"type": "video", "prompt": "a cat"})


@pytest.mark.parametrize("prompt", ["", "  \n"])
def test_an_empty_prompt_is_refused(prompt: str) -> None:
    assert problems(type="image", prompt=prompt)


# --- submits ---------------------------------------------------------------------------------


def test_a_generation_is_asked_for_as_the_document_prints_it(drive: Drive) -> None:
    request = printed("generate_request")

    asked_for, sent = drive(GENERATE.submit(Generate.model_validate(request), Submit(job=JOB)))

    assert asked_for == []
    assert sent == Request(method="POST", path="/generate", json=request | {"webhook_url": CallbackUrl()})


def test_an_image_url_is_passed_on_and_other_images_become_links(drive: Drive) -> None:
    video = {"type": "video", "model": "wan-i2v"}

    _, by_url = drive(GENERATE.submit(asked(**video, input_image=URL), Submit(job=JOB)))
    [prepare], ours = drive(GENERATE.submit(asked(**video, input_image=ARTIFACT), Submit(job=JOB)), PREPARED)

    assert by_url.json["input_image"] == URL
    assert prepare == Prepare(ARTIFACT, Accepts(media_types=("image/jpeg", "image/png"), url=True))
    assert ours.json["input_image"] == Link(PREPARED)


def test_a_submit_may_be_answered_with_the_finished_result() -> None:
    answer = printed("generate_answer")

    outcome = read(reply(answer))

    assert outcome == Done(
        output=answer, files=(ResultFile(answer["output_url"]),), credits=4.0, task_id="gen_abc123xyz"
    )
    GENERATE.output.model_validate(outcome.output)


@pytest.mark.parametrize("status", ["queued", "pending", "processing", "Rendering", None])
def test_a_submit_that_is_not_finished_is_waited_for(status: str | None) -> None:
    answer = reply({"id": "gen_1", "status": status}, 202)

    assert read(answer) == Accepted("gen_1", poll_s=2.0)
    assert read(answer, type="video", model="veo-3-fast") == Accepted("gen_1", poll_s=10.0)


def test_a_submit_said_to_be_complete_without_a_result_is_waited_for() -> None:
    assert read(reply({"id": "gen_1", "status": "completed", "output_url": None})) == Accepted("gen_1", 2.0)


def test_a_generation_inside_an_envelope_is_read_too() -> None:
    body = {"status": "success", "data": {"id": 17, "status": "completed", "output_url": URL}}

    outcome = read(reply(body))

    assert outcome == Done(
        output={"id": "17", "status": "completed", "output_url": URL},
        files=(ResultFile(URL),),
        task_id="17",
    )


@pytest.mark.parametrize(
    "answer",
    [
        reply(b""),
        reply(b"<html>"),
        reply([]),
        reply({"status": "completed", "output_url": URL}),
        reply({"id": ""}),
        reply({"id": "../credits"}),
        reply({"id": ".."}),
        reply({"id": {"a": 1}}),
        reply({"id": "gen_1"}, 302),
        reply({}, 408),
        reply({"message": "oops"}, 500),
        reply({"id": "gen_1", "status": "completed", "output_url": URL}, 500),
        reply(b"bad gateway", 502),
        reply(b"", 504),
    ],
)
def test_an_answer_that_neither_accepts_nor_refuses_leaves_the_submit_unclear(answer: Reply) -> None:
    assert isinstance(read(answer), Unclear)


def test_a_generation_that_failed_at_once_was_accepted_and_is_asked_for_pixzas_reason() -> None:
    failed = {"id": "gen_1", "status": "failed", "error": "nsfw_content", "message": "not allowed"}

    # It is no refusal: it has an id, and may have been charged.
    assert read(reply(failed)) == Accepted("gen_1", 0.0)


def test_the_documents_own_error_is_a_want_of_credits_that_is_waited_out() -> None:
    error = printed("error")

    outcome = read(reply(error, 402))

    failure = Failure(
        "insufficient_credits", f"Pixza answered 402: {error['message']}", "insufficient_credits"
    )
    assert outcome == Rejected(failure, wait=True)
    assert PIXZA.read_credits(reply(error, 402)) == 0


def test_every_error_of_the_documents_table_has_its_meaning() -> None:
    meanings = {status: read(reply({}, int(status))) for status in printed("error_codes")}

    assert meanings == {
        "401": Unauthorized(Failure("unauthorized", "Pixza answered 401: missing or invalid API key")),
        "402": Rejected(
            Failure("insufficient_credits", "Pixza answered 402: the account has run out of credits"), True
        ),
        "422": Failed(Failure("invalid_request", "Pixza answered 422: invalid request parameters")),
        "429": Rejected(Failure("rate_limited", "Pixza answered 429: too many requests"), True),
        "500": Unclear("Pixza answered 500: something went wrong on Pixza's end"),
    }


@pytest.mark.parametrize("status", [400, 403, 404, 409, 413])
def test_an_undocumented_refusal_is_one_for_good(status: int) -> None:
    outcome = read(reply({"error": "no_such_model"}, status))

    assert outcome == Failed(
        Failure("invalid_request", f"Pixza answered {status}: no_such_model", "no_such_model")
    )


def test_too_many_requests_wait_as_long_as_pixza_says() -> None:
    outcome = read(reply({}, 429, retry_after="30"))

    assert isinstance(outcome, Rejected)
    assert outcome.retry_after_s == 30


# --- checks ----------------------------------------------------------------------------------


def test_a_completed_generation_is_done_with_its_file_and_its_credits(drive: Drive) -> None:
    answer = printed("generate_answer")

    [request], outcome = check(drive, task("gen_abc123xyz"), reply(answer))

    assert request == Request(method="GET", path="/generate/gen_abc123xyz")
    assert isinstance(outcome, Done)
    assert outcome.files == (ResultFile(answer["output_url"]),)
    assert outcome.credits == 4


@pytest.mark.parametrize(
    ("used", "credits"),
    [(0, 0.0), (2.5, 2.5), (-1, None), ("4", 4.0), ("many", None), (True, None), (None, None)],
)
def test_credits_that_are_no_number_are_unknown_and_not_zero(
    drive: Drive, used: Any, credits: float | None
) -> None:
    answer = {"status": "succeeded", "output_url": URL, "credits_used": used}

    _, outcome = check(drive, task(), reply(answer))

    assert isinstance(outcome, Done)
    assert outcome.credits == credits


@pytest.mark.parametrize("status", ["failed", "error", "canceled", "cancelled", "FAILED"])
def test_every_word_for_failure_ends_the_job(drive: Drive, status: str) -> None:
    _, outcome = check(drive, task(), reply({"id": "gen_1", "status": status}))

    assert outcome == Failed(Failure("task_failed", "the generation failed; Pixza gives no reason"))


def test_a_state_nobody_documented_is_still_running(drive: Drive) -> None:
    _, outcome = check(drive, task(), reply({"id": "gen_1", "status": "Upscaling"}))

    assert outcome == Pending("upscaling", poll_s=2.0)


@pytest.mark.parametrize("url", [None, "", "/relative.jpg", "ftp://x/y", 7, ["https://a/b"], "https://"])
def test_a_completed_generation_without_an_address_is_looked_at_again(drive: Drive, url: Any) -> None:
    _, outcome = check(drive, task(), reply({"status": "completed", "output_url": url}))

    assert outcome == Retry("no result is named yet")


def test_an_answer_about_another_generation_is_not_believed(drive: Drive) -> None:
    _, outcome = check(drive, task(), reply({"id": "gen_2", "status": "completed", "output_url": URL}))

    assert isinstance(outcome, Retry)


@pytest.mark.parametrize("status", [302, 400, 402, 403, 404, 422, 429, 500, 502])
def test_no_answer_but_a_verdict_ends_a_generation_that_was_paid_for(drive: Drive, status: int) -> None:
    _, outcome = check(drive, task(), reply({"status": "failed"}, status, retry_after="9"))

    assert isinstance(outcome, Retry)
    assert isinstance(outcome, Unknown) == (status == 404)
    assert outcome.retry_after_s == 9


def test_a_refused_key_is_said_to_be_so(drive: Drive) -> None:
    assert isinstance(check(drive, task(), reply({}, 401))[1], Unauthorized)
    assert isinstance(look_up(drive, reply({}, 401)), Unauthorized)


@pytest.mark.parametrize("task_id", [None, "", "..", "../credits", "a b", "https://example.com/"])
def test_an_id_that_is_none_is_never_put_into_a_path(drive: Drive, task_id: str | None) -> None:
    requests, outcome = check(drive, task(task_id))

    assert requests == []
    assert isinstance(outcome, Retry)


# --- look-ups --------------------------------------------------------------------------------


def entry(**fields: Any) -> dict[str, Any]:
    return {
        "id": "gen_1",
        "type": "image",
        "model": "flux-schnell",
        "prompt": "a cat",
        "width": 1024,
        "height": 1024,
        "created_at": "2026-05-11T12:00:00Z",
        **fields,
    }


def test_the_one_generation_that_was_asked_for_like_ours_is_ours(drive: Drive) -> None:
    others = [entry(id="gen_0", prompt="a dog"), entry(id="gen_2", model="flux-pro")]

    assert look_up(drive, reply({"generations": [*others, entry()]})) == Alike(("gen_1",))


@pytest.mark.parametrize(
    "fields",
    [
        {"type": "video"},
        {"model": "flux-dev"},
        {"model": None},
        {"prompt": "a cat."},
        {"prompt": None},
        {"width": 512},
        {"height": 2048},
        {"seed": 2},
        {"created_at": "2026-05-11T11:57:50Z"},
        {"created_at": "yesterday"},
        {"created_at": None},
        {"created_at": "0001-01-01T00:00:00"},
        {"id": None},
        {"id": "../x"},
        {"webhook_url": "https://hooks.example.com/callbacks/pixza/job_of_somebody_else.tag"},
    ],
)
def test_what_differs_from_what_was_asked_or_is_older_than_the_job_is_not_ours(
    drive: Drive, fields: dict[str, Any]
) -> None:
    assert look_up(drive, reply([entry(**fields)]), seed=1) is None


@pytest.mark.parametrize(
    "created_at",
    ["2026-05-11T11:59:00Z", "2026-05-11T17:30:00+05:30", "2026-05-11T12:00:00", NOON_S, NOON_S * 1000],
)
def test_a_time_is_read_however_it_is_written_and_clocks_may_differ_a_little(
    drive: Drive, created_at: Any
) -> None:
    assert look_up(drive, reply([entry(created_at=created_at)])) == Alike(("gen_1",))


def test_a_time_without_a_zone_is_utc_wherever_we_run(drive: Drive, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        found = look_up(drive, reply([entry(created_at="2026-05-11T12:00:00")]))
    time.tzset()

    assert found == Alike(("gen_1",))


def test_likeness_is_told_as_likeness_and_not_as_proof(drive: Drive) -> None:
    assert look_up(drive, reply([entry(), entry(id="gen_2"), entry()])) == Alike(("gen_1", "gen_2"))


def test_generations_differ_for_sure_in_type_model_and_prompt_alone() -> None:
    def of(**params: Any) -> Any:
        return GENERATE.likeness(GENERATE.params(**{"type": "image", "prompt": "a cat", **params}))

    assert of() == of(seed=2, width=512, steps=4) == of(prompt=" a cat ")
    assert len({of(), of(prompt="a dog"), of(model="flux-dev"), of(type="video", model="veo-3-fast")}) == 4


def test_our_own_callback_url_proves_which_one_is_ours(drive: Drive) -> None:
    mark = {"webhook_url": f"https://hooks.example.com/callbacks/pixza/{JOB}.c2ln"}
    items = [entry(), entry(id="gen_2", prompt="rewritten", created_at=None, **mark), entry(id="gen_3")]

    assert look_up(drive, reply({"data": items})) == Found(task_id="gen_2")


def test_a_video_is_found_whatever_its_size(drive: Drive) -> None:
    video = entry(type="video", model="veo-3-fast", width=1280, height=720)

    assert look_up(drive, reply([video]), type="video", model="veo-3-fast") == Alike(("gen_1",))


@pytest.mark.parametrize("answer", [reply({}), reply(b""), reply([], 500), reply({}, 404)])
def test_a_search_that_fails_says_nothing_and_is_repeated(drive: Drive, answer: Reply) -> None:
    assert isinstance(look_up(drive, answer), Retry)


# --- at once ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "params", "path"),
    [
        ("get_generation", {"id": "gen_abc123xyz"}, "/generate/gen_abc123xyz"),
        ("list_generations", {}, "/generations"),
        ("list_models", {}, "/models"),
        ("get_credits", {}, "/credits"),
    ],
)
def test_what_answers_at_once_is_one_request(
    drive: Drive, name: str, params: dict[str, Any], path: str
) -> None:
    operation = PIXZA.operations[name]

    _, request = drive(operation.submit(operation.params.model_validate(params), Submit(job=JOB)))

    assert request == Request(method="GET", path=path)


def read_at_once(name: str, answer: Reply) -> Any:
    operation = PIXZA.operations[name]
    outcome = operation.read(operation.params.model_construct(), answer)
    if isinstance(outcome, Done):
        operation.output.model_validate(outcome.output)
    return outcome


def test_one_generation_is_given_as_it_is() -> None:
    answer = printed("generate_answer")

    assert read_at_once("get_generation", reply(answer)) == Done(output=answer)


@pytest.mark.parametrize("name", ["list_generations", "list_models"])
@pytest.mark.parametrize("wrap", [None, "generations", "models", "data", "items", "results"])
def test_a_list_may_stand_bare_or_under_a_name(name: str, wrap: str | None) -> None:
    items = [{"id": "flux-pro"}, "junk"]
    if wrap in ("generations", "models") and wrap not in name:
        return

    outcome = read_at_once(name, reply(items if wrap is None else {wrap: items}))

    assert outcome == Done(output={"items": [{"id": "flux-pro"}]})


def test_of_two_lists_under_unknown_names_none_is_taken_for_the_answer() -> None:
    outcome = read_at_once("list_models", reply({"image": [{"id": "a"}], "video": [{"id": "b"}]}))

    assert isinstance(outcome, Failed)


@pytest.mark.parametrize(
    ("body", "credits"),
    [
        ({"credits_remaining": 42}, 42.0),
        ({"credits": 0}, 0.0),
        ({"data": {"balance": 1.5}}, 1.5),
        ({"remaining": "7"}, 7.0),
        ({"credits": "none left"}, None),
        ({"credits": {"remaining": 5, "total": 100}}, 5.0),
        ({"plan": "free"}, None),
    ],
)
def test_the_balance_is_read_or_unknown_but_never_made_up(body: Any, credits: float | None) -> None:
    outcome = read_at_once("get_credits", reply(body))

    assert outcome == Done(output={**body, "credits_remaining": credits})
    assert PIXZA.read_credits(reply(body)) == credits


@pytest.mark.parametrize("body", [978, "978", b"978"])
def test_a_balance_may_stand_bare(body: Any) -> None:
    assert read_at_once("get_credits", reply(body)) == Done(output={"credits_remaining": 978.0})


def test_what_a_generation_cost_is_no_balance() -> None:
    assert PIXZA.read_credits(reply(printed("generate_answer"))) is None
    assert PIXZA.read_credits(reply({"id": "gen_1", "credits": 4})) is None


@pytest.mark.parametrize("name", ["get_generation", "list_generations", "list_models", "get_credits"])
def test_an_unreadable_answer_at_once_is_a_provider_error_which_is_safe_to_repeat(name: str) -> None:
    for answer in (reply(b""), reply("x"), reply({}, 500), reply({}, 302), reply({}, 408)):
        outcome = read_at_once(name, answer)
        assert isinstance(outcome, Failed)
        assert outcome.failure.cls == "provider_error"
    refused = read_at_once(name, reply({}, 404))
    assert isinstance(refused, Failed)
    assert refused.failure.cls == "invalid_request"


# --- callbacks -------------------------------------------------------------------------------


def delivery(body: Any, method: str = "POST") -> Callback:
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    return Callback(method=method, query="", content_type="application/json", body=content)


@pytest.mark.parametrize("more", [{}, {"output_url": "http://169.254.169.254/"}, {"status": "failed"}])
def test_a_callback_is_never_more_than_a_hint(more: dict[str, Any]) -> None:
    body = printed("callback") | more

    assert PIXZA.read_callback(delivery(body), task()) == Hint("gen_xxx")


@pytest.mark.parametrize(
    "callback",
    [
        delivery(b""),
        delivery([]),
        delivery({}),
        delivery({"id": None}),
        delivery({"id": "../x"}),
        delivery(printed("callback"), "GET"),
    ],
)
def test_a_callback_without_a_generation_is_unreadable_and_says_why(callback: Callback) -> None:
    meaning = PIXZA.read_callback(callback, task())

    assert isinstance(meaning, Unreadable)
    assert meaning.reason


# --- anything at all -------------------------------------------------------------------------

_WORDS = st.sampled_from(
    [
        *("id", "status", "type", "model", "prompt", "output_url", "credits_used", "created_at", "data"),
        *("generations", "generation", "items", "credits", "credits_remaining", "webhook_url", "error"),
        *("message", "code", "width", "gen_1", "completed", "failed", "image", "a cat", "flux-schnell"),
        *("2026-05-11T12:00:00Z", URL, f"/{JOB}.", "http://[", ""),
    ]
)
_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | _WORDS
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_WORDS | st.text(), inner, max_size=8),
    max_leaves=12,
)
_BODY = st.binary(max_size=100) | _JSON.map(orjson.dumps)
_REPLY = st.builds(
    Reply,
    st.sampled_from([200, 201, 204, 301, 400, 401, 402, 404, 408, 422, 429, 500, 503]),
    st.dictionaries(st.just("retry-after"), st.text(), max_size=1),
    _BODY,
)


@settings(max_examples=300, deadline=None)
@given(answer=_REPLY)
def test_no_answer_whatever_makes_a_reader_raise(answer: Reply) -> None:
    for operation in PIXZA.operations.values():
        outcome = operation.read(asked(), answer)
        if isinstance(outcome, Done):
            orjson.dumps(outcome.output)
    PIXZA.read_credits(answer)
    for ask in (GENERATE.check, GENERATE.look_up):
        assert ask is not None
        exchange = ask(task())
        next(exchange)
        with pytest.raises(StopIteration):
            exchange.send(answer)


@settings(max_examples=200, deadline=None)
@given(body=_BODY, method=st.sampled_from(["POST", "GET", "x" * 100]), query=st.text())
def test_no_delivery_whatever_makes_the_reader_raise_or_believe(body: bytes, method: str, query: str) -> None:
    callback = Callback(method=method, query=query, content_type="", body=body)

    assert isinstance(PIXZA.read_callback(callback, task()), Hint | Unreadable)
