"""How a task at Pizi is followed to its result, and how a lost submit is found again."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from orchestrator import ids
from orchestrator.errors import Failure
from orchestrator.providers.base import (
    Callback,
    Done,
    Failed,
    Found,
    Hint,
    Pending,
    Prepare,
    Reply,
    Request,
    ResultFile,
    Retry,
    Task,
    Unauthorized,
    Unknown,
    Unreadable,
)
from orchestrator.providers.pizi import PiziSettings, connect

Drive = Callable[..., tuple[list[Request | Prepare], Any]]

GOLDEN = Path(__file__).parent / "golden" / "pizi"
PIZI = connect(PiziSettings(api_key=SecretStr("k")))
JOB = "job_01jd0000000000000000000000"
OTHER_JOB = "job_01jd0000000000000000000001"
TASK_ID = "2c92d9b2-33c4-4c1e-9d90-38e3d0e83f15"
MADE_ID = "b6e7a1b9-f421-45f3-9c18-22f1c63c1138"
IMAGE = "https://cdn.example.com/results/1.png"


def printed(name: str) -> Any:
    return json.loads((GOLDEN / f"{name}.json").read_text())["json"]


def reply(data: Any, status: int = 200, **headers: str) -> Reply:
    body = orjson.dumps({"success": status < 300, "data": data})
    return Reply(status, {name.replace("_", "-"): value for name, value in headers.items()}, body)


def task(task_id: str | None = TASK_ID, resource_id: str | None = None) -> Task:
    return Task(job=JOB, task_id=task_id, resource_id=resource_id, params=None)


def check(drive: Drive, name: str, of: Task, *answers: Reply) -> tuple[list[str], Any]:
    ask = PIZI.operations[name].check
    assert ask is not None
    asked, outcome = drive(ask(of), *answers)
    assert all(isinstance(request, Request) and request.method == "GET" for request in asked)
    return [request.path for request in asked if isinstance(request, Request)], outcome


def look_up(drive: Drive, name: str, *answers: Reply) -> tuple[list[Any], Any]:
    ask = PIZI.operations[name].look_up
    assert ask is not None
    return drive(ask(task(None)), *answers)


# --- from the task to its result -------------------------------------------------------------


def test_the_documents_own_task_leads_to_the_documents_own_pictures(drive: Drive) -> None:
    done, pictures = printed("get_task_answer"), printed("get_picture_answer")
    answers = [Reply(200, {}, orjson.dumps(body)) for body in (done, pictures)]
    uuid = done["data"]["uuid"]

    asked, outcome = check(drive, "create_pictures", task(uuid), *answers)

    assert asked == [f"/tasks/{uuid}", f"/pictures/{uuid}"]
    assert outcome == Done(
        output=pictures["data"], files=tuple(ResultFile(url) for url in pictures["data"]["result"])
    )
    PIZI.operations["create_pictures"].output.model_validate(outcome.output)


def test_a_model_is_asked_for_by_its_own_id_which_differs_from_the_tasks(drive: Drive) -> None:
    listed = printed("list_tasks_answer")["data"][1]
    model = printed("get_model_answer")["data"]

    asked, outcome = check(drive, "create_model", task(), reply(listed), reply(model))

    assert asked == [f"/tasks/{TASK_ID}", f"/models/{MADE_ID}"]
    assert outcome == Done(output=model, files=(ResultFile(model["mediaUrl"]),))
    PIZI.operations["create_model"].output.model_validate(outcome.output)


def test_a_known_result_is_asked_for_without_its_task(drive: Drive) -> None:
    model = printed("get_model_answer")["data"]

    asked, outcome = check(drive, "create_model", task(None, MADE_ID), reply(model))

    assert asked == [f"/models/{MADE_ID}"]
    assert isinstance(outcome, Done)


@pytest.mark.parametrize(
    "url",
    [
        f"/photos/{MADE_ID}",
        f"https://api.media.pizi.app/v1/photos/{MADE_ID}",
        f"https://evil.example.com/x/{MADE_ID}/?a=b#c",
        MADE_ID,
    ],
)
def test_of_a_resource_url_only_the_id_at_its_end_is_used(drive: Drive, url: str) -> None:
    done = {"status": "Completed", "type": "PHOTO", "resourceUrl": url}
    pictures = {"status": "completed", "shotType": "creative", "result": [IMAGE]}

    asked, outcome = check(drive, "create_pictures", task(), reply(done), reply(pictures))

    assert asked[1] == f"/pictures/{MADE_ID}"
    assert outcome == Done(output={"uuid": MADE_ID, **pictures}, files=(ResultFile(IMAGE),))


@pytest.mark.parametrize("status", ["queued", "processing", "Rendering", "deleted"])
def test_a_status_that_is_not_an_end_is_waited_on(drive: Drive, status: str) -> None:
    _, outcome = check(drive, "create_model", task(), reply({"status": status}))

    assert outcome == Pending(status.lower())


def test_a_task_without_a_status_is_waited_on(drive: Drive) -> None:
    _, outcome = check(drive, "create_model", task(), reply({}))

    assert outcome == Pending(None)


def test_a_failed_task_is_the_final_word_without_a_reason(drive: Drive) -> None:
    _, outcome = check(drive, "create_model", task(), reply({"status": "failed", "type": "model"}))

    assert outcome == Failed(Failure("task_failed", "the task failed; Pizi gives no reason"))


def test_a_reason_is_kept_should_pizi_ever_give_one(drive: Drive) -> None:
    failed = {"status": "failed", "message": "face not found", "code": 17}

    _, outcome = check(drive, "create_pictures", task(None, MADE_ID), reply(failed))

    assert outcome == Failed(Failure("task_failed", "face not found", "17"))


def test_a_completed_task_whose_result_is_not_ready_is_waited_on_by_the_result(drive: Drive) -> None:
    done = {"status": "completed", "resourceUrl": f"/models/{MADE_ID}"}

    _, outcome = check(drive, "create_model", task(), reply(done), reply({"status": "processing"}))

    assert outcome == Pending("processing", resource_id=MADE_ID)


def test_a_deleted_result_will_not_come(drive: Drive) -> None:
    _, outcome = check(drive, "create_model", task(None, MADE_ID), reply({"status": "deleted"}))

    assert isinstance(outcome, Failed)
    assert outcome.failure.cls == "result_unavailable"


@pytest.mark.parametrize("result", [None, [], "", [None, 7], ["/relative.png"], {"url": IMAGE}])
def test_a_completed_result_without_addresses_is_looked_at_again(drive: Drive, result: Any) -> None:
    pictures = {"status": "completed", "result": result}

    _, outcome = check(drive, "create_pictures", task(None, MADE_ID), reply(pictures))

    assert outcome == Retry("no result is named yet")


# --- what must not be believed ---------------------------------------------------------------


def test_a_task_that_is_not_known_yet_is_looked_at_again(drive: Drive) -> None:
    asked, outcome = check(drive, "create_model", task(), reply(None, 404), reply(None, 404))

    assert asked == [f"/tasks/{TASK_ID}", f"/models/{TASK_ID}"]
    assert isinstance(outcome, Unknown)


def test_a_task_of_which_only_a_part_answers_is_not_said_to_be_unknown(drive: Drive) -> None:
    _, outcome = check(drive, "create_model", task(), reply(None, 404), reply(None, 503))

    assert type(outcome) is Retry


@pytest.mark.parametrize(
    "first",
    [
        reply(None, 404),
        reply({"status": "completed"}),
        reply({"status": "completed", "resourceUrl": "/models/latest"}),
        reply({"status": "completed", "resourceUrl": "http://[bad/"}),
    ],
)
def test_the_tasks_id_is_taken_for_the_results_only_where_our_mark_proves_it(
    drive: Drive, first: Reply
) -> None:
    model = {"status": "completed", "mediaUrl": IMAGE}
    ours, foreign = {"metadata": {"orchestrator_job": JOB}}, {"metadata": {"orchestrator_job": OTHER_JOB}}

    def outcome_for(extra: dict[str, Any]) -> Any:
        return check(drive, "create_model", task(), first, reply(model | extra))[1]

    assert isinstance(outcome_for(ours), Done)
    assert isinstance(outcome_for(foreign), Retry)
    assert isinstance(outcome_for({}), Retry)


def test_what_carries_another_jobs_mark_is_not_ours(drive: Drive) -> None:
    foreign = {"metadata": {"orchestrator_job": OTHER_JOB}, "status": "failed"}

    _, by_task = check(drive, "create_model", task(), reply(foreign))
    _, by_result = check(drive, "create_model", task(None, MADE_ID), reply(foreign))

    assert isinstance(by_task, Unknown)
    assert isinstance(by_result, Unknown)


@pytest.mark.parametrize(("name", "type_"), [("create_pictures", "model"), ("create_model", "photo")])
def test_a_task_of_the_other_kind_is_not_ours(drive: Drive, name: str, type_: str) -> None:
    _, outcome = check(drive, name, task(), reply({"status": "failed", "type": type_}))

    assert isinstance(outcome, Unknown)


@pytest.mark.parametrize("task_id", [None, "", "../models", "job 1", "https://example.com/"])
def test_an_id_that_is_none_is_never_put_into_a_path(drive: Drive, task_id: str | None) -> None:
    asked, outcome = check(drive, "create_model", task(task_id))

    assert asked == []
    assert isinstance(outcome, Retry)


def test_a_result_id_that_is_none_is_never_put_into_a_path(drive: Drive) -> None:
    asked, outcome = check(drive, "create_model", task(TASK_ID, "../tasks"))

    assert asked == []
    assert isinstance(outcome, Retry)


@pytest.mark.parametrize("status", [302, 400, 402, 403, 415, 429, 500, 502])
def test_no_answer_but_a_verdict_ends_a_task_that_was_paid_for(drive: Drive, status: int) -> None:
    failing = reply(None, status, retry_after="9")
    done = reply({"status": "completed", "resourceUrl": f"/models/{MADE_ID}"})

    _, at_task = check(drive, "create_model", task(), failing)
    _, at_result = check(drive, "create_model", task(), done, failing)

    assert isinstance(at_task, Retry)
    assert at_task.retry_after_s == 9
    assert at_result == at_task


def test_a_refused_key_is_said_to_be_so_wherever_it_happens(drive: Drive) -> None:
    refused, gone = reply(None, 401), reply(None, 404)
    done = reply({"status": "completed", "resourceUrl": f"/models/{MADE_ID}"})

    for answers in ([refused], [gone, refused], [done, refused]):
        assert isinstance(check(drive, "create_model", task(), *answers)[1], Unauthorized)
    assert isinstance(look_up(drive, "create_model", refused)[1], Unauthorized)


# --- look-ups --------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "path"), [("create_model", "/models"), ("create_pictures", "/pictures")])
def test_a_lost_submit_is_searched_by_its_mark_and_adopted_by_its_result(
    drive: Drive, name: str, path: str
) -> None:
    near = {"uuid": TASK_ID, "metadata": {"orchestrator_job": JOB + "0"}}
    ours = {"uuid": MADE_ID, "status": "queued", "metadata": {"orchestrator_job": JOB, "a": 1}}

    asked, outcome = look_up(drive, name, reply([near, ours]))

    query: dict[str, str | int] = {"filter": f"orchestrator_job:{JOB}", "page": 1, "limit": 50}
    assert asked == [Request(method="GET", path=path, query=query)]
    assert outcome == Found(resource_id=MADE_ID)


@pytest.mark.parametrize(
    "item",
    [
        None,
        [],
        {"uuid": MADE_ID},
        {"uuid": MADE_ID, "metadata": JOB},
        {"uuid": MADE_ID, "metadata": {"orchestrator_job": [JOB]}},
        {"uuid": MADE_ID, "metadata": {"note": JOB}},
        {"uuid": "../x", "metadata": {"orchestrator_job": JOB}},
        {"metadata": {"orchestrator_job": JOB}},
    ],
)
def test_what_does_not_carry_exactly_our_mark_is_not_adopted(drive: Drive, item: Any) -> None:
    assert look_up(drive, "create_model", reply([item]), reply([]))[1] is None


def test_further_pages_are_read_while_they_are_full(drive: Drive) -> None:
    full = reply([{"uuid": TASK_ID}] * 50)
    ours = reply([{"uuid": MADE_ID, "metadata": {"orchestrator_job": JOB}}])

    asked, outcome = look_up(drive, "create_model", full, full, ours)

    assert [request.query["page"] for request in asked] == [1, 2, 3]
    assert outcome == Found(resource_id=MADE_ID)


def test_a_filter_that_is_ignored_does_not_make_us_read_for_ever(drive: Drive) -> None:
    asked, outcome = look_up(drive, "create_model", *[reply([{"uuid": TASK_ID}] * 50)] * 10, reply([]))

    assert len(asked) == 11
    assert outcome is None


def a_task(number: int, after_s: float = 1.0, **fields: Any) -> dict[str, Any]:
    made_at = ids.made_at(JOB)
    assert made_at is not None
    created = datetime.fromtimestamp(made_at / 1_000_000 + after_s, UTC).isoformat()
    return {"uuid": f"{TASK_ID[:-2]}{number:02}", "type": "model", "createdAt": created, **fields}


def test_what_the_search_does_not_show_is_found_among_the_tasks_of_its_time(drive: Drive) -> None:
    far, near, photo, early = a_task(1, 90), a_task(2, 0.5), a_task(3, 0.1, type="photo"), a_task(4, -600)
    detail = {**far, "metadata": {"orchestrator_job": JOB}}

    asked, outcome = look_up(
        drive,
        "create_model",
        reply([]),
        reply([photo, early, far, near, None, {}]),
        reply(near),
        reply(detail),
    )

    assert [r.path for r in asked] == ["/models", "/tasks", f"/tasks/{near['uuid']}", f"/tasks/{far['uuid']}"]
    assert outcome == Found(task_id=far["uuid"])


def test_no_more_than_ten_tasks_are_looked_at(drive: Drive) -> None:
    tasks = [a_task(number, float(number)) for number in range(30)]

    asked, outcome = look_up(drive, "create_model", reply([]), reply(tasks), *[reply({})] * 10)

    assert len(asked) == 12
    assert outcome is None


@pytest.mark.parametrize(
    "answer", [reply(None, 500), reply({}), reply([{"uuid": TASK_ID}]), Reply(404, {}, b"")]
)
def test_tasks_that_cannot_be_listed_or_dated_leave_it_at_the_search(drive: Drive, answer: Reply) -> None:
    assert look_up(drive, "create_model", reply([]), answer)[1] is None


@pytest.mark.parametrize("answer", [reply(None, 500), reply(None, 404), reply({}), Reply(200, {}, b"")])
def test_a_search_that_fails_says_nothing_and_is_repeated(drive: Drive, answer: Reply) -> None:
    assert isinstance(look_up(drive, "create_model", answer)[1], Retry)


def test_a_search_waits_as_long_as_pizi_says(drive: Drive) -> None:
    _, outcome = look_up(drive, "create_model", reply(None, 429, retry_after="30"))

    assert isinstance(outcome, Retry)
    assert outcome.retry_after_s == 30


# --- anything at all -------------------------------------------------------------------------

_WORDS = st.sampled_from(
    [
        *("success", "data", "uuid", "taskUuid", "status", "type", "resourceUrl", "metadata", "result"),
        *("mediaUrl", "message", "error", "code", "orchestrator_job", JOB, TASK_ID, IMAGE, "http://[", ""),
        *("completed", "failed", "deleted", "photo", "model", f"/models/{MADE_ID}"),
    ]
)
_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False)
    | _WORDS
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_WORDS | st.text(), inner, max_size=6),
    max_leaves=12,
)
_ENVELOPE = st.fixed_dictionaries({"success": st.booleans() | st.none(), "data": _JSON})
_BODY = st.binary(max_size=200) | (_JSON | _ENVELOPE).map(
    lambda value: orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS)
)
_REPLY = st.builds(
    Reply,
    st.sampled_from([200, 201, 204, 301, 400, 401, 402, 404, 415, 418, 429, 500, 503]),
    st.dictionaries(st.sampled_from(["retry-after", "x-credits-remaining"]), st.text(), max_size=2),
    _BODY,
)


@settings(max_examples=300, deadline=None)
@given(answer=_REPLY)
def test_no_answer_whatever_makes_a_reader_raise(answer: Reply) -> None:
    for operation in PIZI.operations.values():
        assert operation.read(operation.params.model_construct(), answer) is not None
    credits = PIZI.read_credits(answer)
    assert credits is None or abs(credits) < 1e16


@settings(max_examples=300, deadline=None)
@given(first=_REPLY, second=_REPLY, resource_id=st.sampled_from([None, MADE_ID, "x"]))
def test_no_answers_whatever_make_a_look_raise_or_ask_outside_of_its_endpoints(
    first: Reply, second: Reply, resource_id: str | None
) -> None:
    for operation in (PIZI.operations["create_model"], PIZI.operations["create_pictures"]):
        for ask in (operation.check, operation.look_up):
            assert ask is not None
            exchange = ask(task(TASK_ID, resource_id))
            answers = iter([first, second, *[Reply(500, {}, b"")] * 20])
            wanted: Any = None
            try:
                wanted = next(exchange)
                while True:
                    assert wanted.url is None
                    assert wanted.path in {
                        *("/models", "/pictures", "/tasks"),
                        *(
                            f"/{noun}/{uuid}"
                            for noun in ("models", "pictures", "tasks")
                            for uuid in (TASK_ID, MADE_ID)
                        ),
                    }
                    wanted = exchange.send(next(answers))
            except StopIteration as end:
                outcome = end.value
            assert outcome is None or isinstance(
                outcome, Pending | Done | Failed | Retry | Unauthorized | Found
            )


@settings(max_examples=300, deadline=None)
@given(body=_BODY, method=st.sampled_from(["POST", "GET", "post", "x" * 100]), query=st.text())
def test_no_delivery_whatever_makes_the_reader_raise_or_believe(body: bytes, method: str, query: str) -> None:
    callback = Callback(method=method, query=query, content_type="", body=body)

    assert isinstance(PIZI.read_callback(callback, task()), Hint | Unreadable)
