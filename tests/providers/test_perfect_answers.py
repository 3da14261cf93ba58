"""What Perfect's answers mean, the documented ones and all others."""

from pathlib import Path
from typing import Any, get_args

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import ErrorClass, Failure
from orchestrator.providers.base import (
    Accepted,
    Done,
    Failed,
    Login,
    Pending,
    Rejected,
    Reply,
    ResultFile,
    Retry,
    Unauthorized,
    Unclear,
)
from orchestrator.providers.perfect import answers, outputs

GOLDEN = Path(__file__).parent / "golden" / "perfect"


def golden(name: str) -> Any:
    return orjson.loads((GOLDEN / f"{name}.json").read_bytes())["body"]


def answer(body: Any, status: int = 200, **headers: str) -> Reply:
    return Reply(status, headers, orjson.dumps(body))


def checked(**result: Any) -> Any:
    return answers.read_check(answer({"status": 200, "result": result}))


# --- the run ---------------------------------------------------------------------------------


def test_a_task_id_means_accepted_whatever_stands_around_it() -> None:
    body = golden("run") | {"status": 500}

    outcome = answers.read_run(answer(body, 201))

    assert outcome == Accepted(body["result"]["task_id"], poll_s=1.0)


@pytest.mark.parametrize(
    "reply",
    [
        answer(golden("collapsed")),
        answer({"status": 200, "result": {"task_id": ""}}),
        answer({"status": 200, "result": {"task_id": 7}}),
        answer({"status": 400, "error_code": "InvalidParameters"}, 200),
        Reply(200, {}, b"<html>OK</html>"),
        Reply(204, {}, b""),
        answer(golden("run"), 302),
        Reply(408, {}, b""),
        Reply(409, {}, b""),
        answer(golden("run"), 500),
        Reply(502, {}, b"bad gateway"),
        Reply(504, {}, b""),
    ],
)
def test_without_proof_that_nothing_was_accepted_the_run_is_unclear(reply: Reply) -> None:
    assert isinstance(answers.read_run(reply), Unclear)


def test_what_is_unclear_says_what_the_provider_said() -> None:
    outcome = answers.read_run(answer({"status": 400, "error_code": "InvalidParameters"}))

    assert isinstance(outcome, Unclear)
    assert "400: InvalidParameters" in outcome.reason


@pytest.mark.parametrize(
    "reply", [answer(golden("refused"), 400), answer({}, 402), answer({"error": "CreditInsufficiency"}, 403)]
)
def test_a_lack_of_credits_waits_for_them(reply: Reply) -> None:
    outcome = answers.read_run(reply)

    assert isinstance(outcome, Rejected)
    assert outcome.wait
    assert outcome.failure.cls == "insufficient_credits"


@pytest.mark.parametrize(
    "reply",
    [
        answer({"status": 401, "error": "expired"}, 401),
        answer({}, 403),
        answer({"error_code": "InvalidAccessToken"}, 400),
    ],
)
def test_a_refused_token_asks_for_a_new_login(reply: Reply) -> None:
    outcome = answers.read_run(reply)

    assert isinstance(outcome, Unauthorized)
    assert outcome.failure.cls == "unauthorized"


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("30", 30.0), (" 0 ", 0.0), ("Fri, 10 Jan 2025 00:00:00 GMT", None), ("-1", None), ("9" * 400, None)],
)
def test_too_many_requests_wait_as_long_as_the_provider_says_in_seconds(
    header: str, seconds: float | None
) -> None:
    outcome = answers.read_run(answer({}, 429, **{"retry-after": header}))

    failure = Failure("rate_limited", "Perfect answered 429")
    assert outcome == Rejected(failure, wait=True, retry_after_s=seconds)


def test_any_other_4xx_is_a_refusal_for_good_with_the_providers_code() -> None:
    outcome = answers.read_run(answer({"error": "no such style", "error_code": "InvalidParameters"}, 400))

    assert outcome == Rejected(
        Failure(
            "invalid_request", "Perfect answered 400: InvalidParameters: no such style", "InvalidParameters"
        )
    )


def test_a_code_that_is_no_code_is_only_quoted() -> None:
    outcome = answers.read_run(answer({"error_code": "not a code " * 100}, 422))

    assert isinstance(outcome, Rejected)
    assert outcome.failure.code is None
    assert len(outcome.failure.message) < 600


# --- the check -------------------------------------------------------------------------------


def test_a_running_task_says_when_to_look_again() -> None:
    assert answers.read_check(answer(golden("check_running"))) == Pending("running", poll_s=0.5)


@pytest.mark.parametrize("interval", [None, 0, -500, True, "500", 1.5, [500]])
def test_an_interval_that_is_none_is_left_out(interval: Any) -> None:
    assert checked(status="running", polling_interval=interval) == Pending("running")


def test_a_word_that_is_not_documented_keeps_the_task_alive() -> None:
    assert checked(status="queued", polling_interval=2000) == Pending("queued", poll_s=2.0)


def test_a_finished_task_gives_its_pictures_and_files() -> None:
    outcome = answers.read_check(answer(golden("check_success")))

    url = "https://storage.example.com/out/1.jpg?sig=%2F"
    assert outcome == Done(
        output={"results": [{"dst_id": "dst/1+a==", "url": url}]}, files=(ResultFile(url),)
    )


def test_aging_leaves_out_the_uploaded_picture() -> None:
    outcome = answers.read_check(answer(golden("check_aging")))

    assert isinstance(outcome, Done)
    read = outputs.AgingResults.model_validate(outcome.output)
    assert [entry.res_age for entry in read.results] == [10, 60]
    assert [file.url for file in outcome.files] == [entry.url for entry in read.results]
    assert read.custom_info is not None
    assert (read.custom_info.age, read.custom_info.age_min, read.custom_info.age_max) == (33, 10, 60)


@pytest.mark.parametrize("index", [-1, 3, None, "1", True, 1.0])
def test_an_index_that_points_nowhere_leaves_nothing_out(index: Any) -> None:
    body = golden("check_aging")
    body["result"]["results"][0]["custom_info"]["age_idx"] = index

    outcome = answers.read_check(answer(body))

    assert isinstance(outcome, Done)
    assert len(outcome.files) == 3


def test_the_information_on_ages_is_found_one_level_higher_too() -> None:
    body = golden("check_aging")
    body["result"]["custom_info"] = body["result"]["results"][0].pop("custom_info")

    assert answers.read_check(answer(body)) == answers.read_check(answer(golden("check_aging")))


def test_a_recommendation_is_handed_on_under_the_name_it_came_with() -> None:
    outcome = answers.read_check(answer(golden("check_makeup")))

    assert isinstance(outcome, Done)
    assert outcome.output["recommend"] == {"lipstick": [{"sku": "x"}]}
    assert outcome.output["results"] == [{"dst_id": "m", "url": "https://storage.example.com/m.jpg"}]


@pytest.mark.parametrize(
    "results",
    [
        None,
        [],
        {},
        [None, {"id": 0}],
        [{"data": [None, "https://x/y"]}],
        [{"data": [{"dst_id": "a"}]}],
        [{"data": [{"url": "ftp://x/y"}]}],
        [{"data": [{"url": "https://x/a b"}]}],
        [{"data": [{"url": "https:///a"}]}],
    ],
)
def test_a_success_without_anything_to_download_is_looked_at_again(results: Any) -> None:
    assert isinstance(checked(status="success", results=results), Retry)


def test_a_success_counts_even_where_the_envelope_complains() -> None:
    assert isinstance(answers.read_check(answer(golden("check_success") | {"status": 500})), Done)


def test_every_documented_code_has_words() -> None:
    assert list(answers.TASK_ERRORS) == golden("error_codes")


@pytest.mark.parametrize("code", golden("error_codes"))
def test_a_failed_task_has_the_providers_code(code: str) -> None:
    outcome = checked(status="error", error=code)

    assert outcome == Failed(Failure("task_failed", answers.TASK_ERRORS[code], code))


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (None, Failure("task_failed", "the task failed without a reason")),
        ({"a": 1}, Failure("task_failed", "the task failed without a reason")),
        ("error_new", Failure("task_failed", "the task failed: error_new", "error_new")),
        ("Something went wrong!", Failure("task_failed", "Something went wrong!")),
    ],
)
def test_a_failed_task_with_another_reason_says_what_there_is(error: Any, failure: Failure) -> None:
    assert checked(status="error", error=error) == Failed(failure)


def test_a_task_whose_own_error_is_called_lost_has_failed_all_the_same() -> None:
    outcome = checked(status="error", error="task_lost")

    assert outcome.failure.cls == "task_failed"
    assert not answers.is_lost(outcome)


@pytest.mark.parametrize(
    "reply",
    [
        answer({}, 404),
        answer({"error_code": "InvalidTaskId"}, 404),
        answer({"error_code": "InvalidTaskId"}, 500),
        answer({"error_code": "TaskTimeout"}, 500),
        answer({"error_code": "InvalidParameters"}, 400),
        answer({"status": 404, "error": "gone"}, 200),
        answer({}, 410),
    ],
)
def test_a_task_that_the_provider_does_not_know_is_lost(reply: Reply) -> None:
    outcome = answers.read_check(reply)

    assert isinstance(outcome, Failed)
    assert answers.is_lost(outcome)
    assert outcome.failure.cls == "provider_error"


@pytest.mark.parametrize(
    "reply",
    [
        answer({}, 500),
        Reply(503, {}, b"busy"),
        answer({}, 429),
        answer({}, 408),
        answer({}, 302),
        Reply(200, {}, b"{"),
        answer(golden("collapsed")),
        answer({"status": 503, "result": {"status": "error", "error": "unknown_internal_error"}}),
        answer({"status": 200, "result": {"status": 200}}),
        answer({"status": 200, "result": None}),
        answer([]),
    ],
)
def test_a_poll_that_says_nothing_about_the_task_is_repeated(reply: Reply) -> None:
    assert isinstance(answers.read_check(reply), Retry)


@pytest.mark.parametrize("reply", [answer({}, 401), answer({"status": 401}, 200), answer({}, 403)])
def test_a_poll_with_an_old_token_asks_for_a_new_login(reply: Reply) -> None:
    assert isinstance(answers.read_check(reply), Unauthorized)


def test_credits_that_run_out_under_way_are_named() -> None:
    outcome = answers.read_check(answer(golden("refused"), 400))

    assert isinstance(outcome, Failed)
    assert outcome.failure.cls == "insufficient_credits"


# --- uploads ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        {"url": "file:///etc/passwd"},
        {"url": "https://s.example/a\r\nb"},
        {"url": None},
        {"method": "DELETE"},
        {"method": None},
        {"headers": {"X-A": "1\r\nX-B: 2"}},
        {"headers": {"X A": "1"}},
        {"headers": {"X-A": None}},
        {"headers": ["X-A"]},
    ],
)
def test_an_upload_that_cannot_be_done_as_told_is_not_done(change: dict[str, Any]) -> None:
    body = golden("file")
    body["result"]["files"][0]["requests"][0] |= change

    outcome = answers.read_slot(answer(body))

    assert outcome == Failed(Failure("provider_error", "the answer holds no upload address"))


def test_an_upload_may_need_no_headers_and_a_method_in_lower_case() -> None:
    body = golden("file")
    body["result"]["files"][0]["requests"] = [{"url": "https://s.example/a", "method": "put"}]

    slot = answers.read_slot(answer(body))

    assert isinstance(slot, answers.Slot)
    assert (slot.method, slot.headers) == ("PUT", {})


# --- anything --------------------------------------------------------------------------------

WORDS = st.sampled_from(
    ["success", "error", "running", "x", "https://a.example/b", "CreditInsufficiency", "InvalidTaskId", ""]
)
LEAVES = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | WORDS | st.text(max_size=5)
)
NAMES = st.sampled_from(
    [
        "status",
        "result",
        "results",
        "data",
        "url",
        "dst_id",
        "id",
        "custom_info",
        "age_idx",
        "task_id",
        "files",
        "file_id",
        "requests",
        "headers",
        "method",
        "groups",
        "styles",
        "next_token",
        "polling_interval",
        "error",
        "error_code",
        "access_token",
    ]
)
JSON: st.SearchStrategy[Any] = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=5),
    max_leaves=25,
)
BODIES = JSON.map(orjson.dumps) | st.binary(max_size=40)
PICTURE = st.fixed_dictionaries({"url": st.just("https://a.example/b"), "dst_id": LEAVES})
AGES = st.fixed_dictionaries({"age_idx": st.integers(-1, 3)})
ACTION = st.fixed_dictionaries(
    {"data": st.lists(PICTURE | JSON, max_size=3)}, optional={"custom_info": AGES | JSON}
)
FINISHED = st.fixed_dictionaries(
    {"status": st.just("success"), "results": st.lists(ACTION | JSON, max_size=3)}
)
STATUSES = st.sampled_from(
    [200, 200, 200, 201, 204, 302, 400, 401, 402, 403, 404, 408, 409, 429, 500, 503, 999]
)


@given(STATUSES, BODIES | FINISHED.map(lambda result: orjson.dumps({"result": result})), st.text(max_size=5))
def test_no_answer_is_too_strange_to_be_read(status: int, body: bytes, header: str) -> None:
    reply = Reply(status, {"retry-after": header}, body)
    read = (
        answers.read_login(reply),
        answers.read_slot(reply),
        answers.read_upload(reply),
        answers.read_page(reply, "groups", "styles"),
        answers.read_run(reply),
        answers.read_check(reply),
    )

    for outcome in read:
        failure = getattr(outcome, "failure", None)
        assert failure is None or failure.cls in get_args(ErrorClass)
        if isinstance(outcome, Done):
            assert len(outcome.output.get("results", [])) == len(outcome.files)
            orjson.dumps(outcome.output)


@given(st.integers(200, 599), BODIES)
def test_a_run_is_accepted_only_with_an_id_and_refused_only_by_a_4xx(status: int, body: bytes) -> None:
    outcome = answers.read_run(Reply(status, {}, body))

    if isinstance(outcome, Rejected | Unauthorized):
        assert 400 <= status < 500
    elif isinstance(outcome, Accepted):
        assert 200 <= status < 300
        assert orjson.loads(body)["result"]["task_id"] == outcome.task_id
    else:
        assert isinstance(outcome, Unclear)


@pytest.mark.parametrize("depth", [300, 900, 5000])
def test_what_is_nested_too_deeply_to_be_kept_is_unreadable(depth: int) -> None:
    body = b'{"result":{"access_token":"t","task_id":"t","status":"success","results":%s}}'
    reply = Reply(200, {}, body % (b"[" * depth + b"]" * depth))

    assert isinstance(answers.read_check(reply), Retry)
    assert not isinstance(answers.read_login(reply), Login)
