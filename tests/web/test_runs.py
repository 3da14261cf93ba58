import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp.test_utils import TestClient
from aiohttp.web import Application, Request

from orchestrator.engine.events import decode
from orchestrator.engine.fold import fold
from orchestrator.engine.triggers import SubmitAnswered, SubmitLost
from orchestrator.errors import Failure
from orchestrator.operations.planned import Sending
from orchestrator.operations.plans import Plans
from orchestrator.outcomes import Done, Rejected
from orchestrator.runtime.worker import Worker
from orchestrator.store.projection import run_row
from orchestrator.store.sqlite import SqliteStore

Client = TestClient[Request, Application]
Start = Callable[..., Awaitable[dict[str, Any]]]
Pages = Callable[[str], Awaitable[Sequence[Sequence[dict[str, Any]]]]]

BODY = {"workflow": "portrait", "inputs": {"title": "Ada"}, "labels": {"season": "spring"}}


# --- start -----------------------------------------------------------------------------------


async def test_a_run_is_started_and_can_be_found_where_the_answer_says(client: Client) -> None:
    answer = await client.post("/api/v1/runs", json=BODY)

    run = await answer.json()
    assert answer.status == 201
    assert answer.headers["Location"] == f"/api/v1/runs/{run['id']}"
    assert run["inputs"] == {"title": "Ada", "gender": "female", "photo": ""}
    assert run["labels"] == {"season": "spring"}
    assert [(step["id"], step["status"]) for step in run["steps"]] == [("model", "running")]
    assert await (await client.get(answer.headers["Location"])).json() == run


async def test_a_dry_run_tells_what_would_be_done_and_leaves_nothing(client: Client) -> None:
    answer = await client.post("/api/v1/runs", json=BODY | {"dry_run": True})

    found = await answer.json()
    assert answer.status == 200
    assert (found["dry_run"], found["possible"], found["stages"]) == (True, True, [["model"]])
    assert found["credits"] == {"pizi": {"min": 0, "max": None}}
    assert (await (await client.get("/api/v1/runs")).json())["items"] == []


async def test_a_dry_run_refuses_the_inputs_that_a_run_would_refuse(client: Client) -> None:
    body = {"workflow": "portrait", "dry_run": True, "inputs": {"gender": "x", "photo": "data:,x"}}

    answer = await client.post("/api/v1/runs", json=body)

    assert answer.status == 422
    assert {error["location"] for error in (await answer.json())["errors"]} == {
        "inputs.title",
        "inputs.gender",
    }


async def test_the_same_key_gives_the_same_run_and_says_so(client: Client) -> None:
    first = await client.post("/api/v1/runs", json=BODY, headers={"Idempotency-Key": "order-7"})
    second = await client.post("/api/v1/runs", json=BODY, headers={"Idempotency-Key": "order-7"})

    assert (first.status, second.status) == (201, 200)
    assert await first.json() == await second.json()
    assert second.headers["Location"] == first.headers["Location"]


async def test_a_key_gives_its_run_also_when_its_workflow_has_gone(client: Client, shelf: Path) -> None:
    headers = {"Idempotency-Key": "order-7"}
    first = await client.post("/api/v1/runs", json=BODY, headers=headers)
    (shelf / "portrait.yaml").unlink()
    await client.post("/api/v1/workflows/reload")

    again = await client.post("/api/v1/runs", json=BODY, headers=headers)

    assert again.status == 200
    assert (await again.json())["id"] == (await first.json())["id"]


async def test_the_same_key_at_the_same_moment_makes_one_run(client: Client) -> None:
    headers = {"Idempotency-Key": "order-7"}

    answers = await asyncio.gather(
        *(client.post("/api/v1/runs", json=BODY, headers=headers) for _ in range(8))
    )

    assert sorted(answer.status for answer in answers) == [200] * 7 + [201]
    assert len({(await answer.json())["id"] for answer in answers}) == 1


async def test_a_key_with_another_body_is_refused(client: Client) -> None:
    headers = {"Idempotency-Key": "order-7"}
    await client.post("/api/v1/runs", json=BODY, headers=headers)

    answer = await client.post("/api/v1/runs", json=BODY | {"labels": {}}, headers=headers)

    assert answer.status == 409
    assert "order-7" in (await answer.json())["detail"]


@pytest.mark.parametrize("key", ["", "two words", "x" * 256, "ключ"])
async def test_a_key_that_is_none_is_refused(client: Client, key: str) -> None:
    answer = await client.post("/api/v1/runs", json=BODY, headers={"Idempotency-Key": key})

    assert answer.status == 422
    assert (await answer.json())["errors"][0]["location"] == "headers.Idempotency-Key"


async def test_an_unknown_workflow_is_not_found_and_the_known_ones_are_named(client: Client) -> None:
    answer = await client.post("/api/v1/runs", json=BODY | {"workflow": "portrat"})

    assert answer.status == 404
    assert answer.content_type == "application/problem+json"
    assert "portrait" in (await answer.json())["detail"]


async def test_bad_inputs_are_told_all_at_once_and_nothing_is_stored(client: Client) -> None:
    inputs = {"gender": "both", "colour": "red"}

    answer = await client.post("/api/v1/runs", json={"workflow": "portrait", "inputs": inputs})

    problem = await answer.json()
    assert answer.status == 422
    assert {error["location"] for error in problem["errors"]} == {
        "inputs.gender",
        "inputs.colour",
        "inputs.title",
    }
    assert (await (await client.get("/api/v1/runs")).json())["items"] == []


async def test_an_image_that_is_none_is_told_with_its_place(client: Client) -> None:
    inputs = {"title": "Ada", "photo": "data:text/plain,hello"}

    answer = await client.post("/api/v1/runs", json={"workflow": "portrait", "inputs": inputs})

    assert answer.status == 422
    assert (await answer.json())["errors"] == [{"location": "inputs.photo", "message": "this is no image"}]


@pytest.mark.parametrize(
    ("body", "location"),
    [
        ({"inputs": {}}, "workflow"),
        ({"workflow": "portrait", "input": {}}, "input"),
        ({"workflow": 7}, "workflow"),
        ({"workflow": ""}, "workflow"),
        ({"workflow": "portrait", "inputs": []}, "inputs"),
        ({"workflow": "portrait", "labels": {"a": 1}}, "labels.a"),
        ({"workflow": "portrait", "labels": {"a:b": "1"}}, "labels.a:b"),
        ({"workflow": "portrait", "labels": {"a": "x" * 256}}, "labels.a"),
        ({"workflow": "portrait", "labels": {"a": "line\nbreak"}}, "labels.a"),
        ({"workflow": "portrait", "labels": {"a": "nul\x00"}}, "labels.a"),
        ({"workflow": "portrait", "labels": {f"l{n}": "" for n in range(51)}}, "labels"),
        ({"workflow": "portrait", "notify": [""]}, "notify[0].url"),
        ({"workflow": "portrait", "notify": [{"url": "https://a.example", "on": ["no"]}]}, "notify[0].on[0]"),
        ({"workflow": "portrait", "notify": [7]}, "notify[0]"),
        ({"workflow": "portrait", "notify": ["example.com"], "dry_run": True}, "notify[0].url"),
    ],
)
async def test_a_field_that_is_wrong_is_told_with_its_place(client: Client, body: Any, location: str) -> None:
    answer = await client.post("/api/v1/runs", json=body)

    assert answer.status == 422
    assert location in [error["location"] for error in (await answer.json())["errors"]]


@pytest.mark.parametrize(
    "data",
    [b"", b"[]", b"null", b'"text"', b"{", b'{"workflow": NaN}', b"\xff\xfe", b'{"a": "\\ud800"}'],
)
async def test_what_is_no_json_object_is_a_bad_request(client: Client, data: bytes) -> None:
    answer = await client.post("/api/v1/runs", data=data, headers={"Content-Type": "application/json"})

    assert answer.status == 400
    assert answer.content_type == "application/problem+json"


@pytest.mark.parametrize("depth", [100, 900, 5000])
async def test_a_body_that_is_nested_too_deep_is_a_bad_request(client: Client, depth: int) -> None:
    nested = b"[" * depth + b"]" * depth
    data = b'{"workflow": "portrait", "inputs": {"title": %b}}' % nested

    answer = await client.post("/api/v1/runs", data=data, headers={"Content-Type": "application/json"})

    assert answer.status == 400


async def test_a_number_beyond_every_integer_breaks_nothing(client: Client) -> None:
    data = b'{"workflow": "portrait", "inputs": {"title": 123456789012345678901234567890}}'

    answer = await client.post("/api/v1/runs", data=data, headers={"Content-Type": "application/json"})

    assert answer.status == 422


async def test_only_json_is_taken(client: Client) -> None:
    answer = await client.post(
        "/api/v1/runs", data=orjson.dumps(BODY), headers={"Content-Type": "text/plain"}
    )

    assert answer.status == 415


async def test_a_body_that_is_too_long_is_refused(client: Client) -> None:
    answer = await client.post("/api/v1/runs", json=BODY | {"inputs": {"title": "x" * 100_001}})

    assert answer.status == 413
    assert "; send files to POST /api/v1/artifacts" in (await answer.json())["detail"]
    assert answer.content_type == "application/problem+json"


async def test_a_body_that_is_not_compressed_as_it_says_is_a_bad_request(client: Client) -> None:
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}

    answer = await client.post("/api/v1/runs", data=b"{}", headers=headers)

    assert answer.status == 400


# --- look ------------------------------------------------------------------------------------


@pytest.mark.parametrize("run", ["run_00000000000000000000000000", "nothing", "%00", "%ff", "..%2f"])
async def test_a_run_that_is_not_there_is_not_found(client: Client, run: str) -> None:
    answer = await client.get(f"/api/v1/runs/{run}")

    assert answer.status == 404
    assert answer.content_type == "application/problem+json"


async def test_a_run_can_be_looked_at_after_its_connection_has_gone(
    serve: Callable[..., Awaitable[Client]], start: Start
) -> None:
    run = await start()
    later = await serve(plans=Plans({}, Sending(key="k1", callbacks=False, public_url=None)))

    answer = await later.get(f"/api/v1/runs/{run['id']}")

    assert answer.status == 200
    assert (await answer.json())["steps"] == run["steps"]


async def test_runs_are_listed_newest_first_page_by_page(start: Start, pages: Pages) -> None:
    runs = [(await start())["id"] for _ in range(5)]

    found = await pages("/api/v1/runs?limit=2")

    assert [[run["id"] for run in page] for page in found] == [
        [runs[4], runs[3]],
        [runs[2], runs[1]],
        [runs[0]],
    ]


async def test_a_page_goes_on_where_the_last_one_ended_whatever_was_added(
    client: Client, start: Start
) -> None:
    old = [(await start())["id"] for _ in range(3)]
    first = await (await client.get("/api/v1/runs?limit=2")).json()
    await start()

    second = await (await client.get(f"/api/v1/runs?limit=2&cursor={first['next_cursor']}")).json()

    assert [run["id"] for run in second["items"]] == [old[0]]
    assert second["next_cursor"] is None


async def test_runs_are_found_by_label_workflow_and_status(client: Client, start: Start) -> None:
    spring = await start({"season": "spring", "url": "http://x"})
    await start({"season": "autumn"})

    async def found(query: str) -> list[str]:
        return [run["id"] for run in (await (await client.get(f"/api/v1/runs?{query}")).json())["items"]]

    assert await found("label=season:spring") == [spring["id"]]
    assert await found("label=url:http://x") == [spring["id"]]
    assert await found("label=season:summer") == []
    assert len(await found("workflow=portrait&status=running")) == 2
    assert await found("status=failed") == []
    assert await found("workflow=other") == []


@pytest.mark.parametrize(
    ("query", "location"),
    [
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=ten", "limit"),
        ("limit=1e1", "limit"),
        ("limit=%D9%A1", "limit"),
        ("limit=", "limit"),
        ("limit=1&limit=2", "limit"),
        ("cursor=x", "cursor"),
        ("cursor=!!", "cursor"),
        ("cursor=cnVuXw", "cursor"),
        ("cursor=%F0%9F%92%A5", "cursor"),
        ("status=done", "status"),
        ("label=season", "label"),
        ("label=:spring", "label"),
        ("stauts=failed", "stauts"),
    ],
)
async def test_a_query_that_is_wrong_is_told_with_its_name(client: Client, query: str, location: str) -> None:
    answer = await client.get(f"/api/v1/runs?{query}")

    assert answer.status == 422
    assert [error["location"] for error in (await answer.json())["errors"]] == [location]


async def test_everything_wrong_with_a_query_is_told_at_once(client: Client) -> None:
    answer = await client.get("/api/v1/runs?limit=0&status=done&colour=red")

    assert len((await answer.json())["errors"]) == 3


# --- cancel ----------------------------------------------------------------------------------


async def test_a_run_is_cancelled_with_the_reason_in_the_log(client: Client, start: Start) -> None:
    run = await start()

    answer = await client.post(f"/api/v1/runs/{run['id']}/cancel", json={"reason": "wrong photo"})

    asked = await (await client.get(f"/api/v1/runs/{run['id']}/events?type=run.cancel_requested")).json()
    assert answer.status == 202
    assert (await answer.json())["id"] == run["id"]
    assert [event["data"]["reason"] for event in asked["items"]] == ["wrong photo"]


async def test_a_cancel_needs_no_body(client: Client, start: Start) -> None:
    run = await start()

    answer = await client.post(f"/api/v1/runs/{run['id']}/cancel")

    assert answer.status == 202


@pytest.mark.parametrize(("body", "status"), [({"why": "x"}, 422), ({"reason": 1}, 422), ([], 400)])
async def test_a_cancel_with_a_wrong_body_changes_nothing(
    client: Client, start: Start, worker: Worker, body: Any, status: int
) -> None:
    run = await start()

    answer = await client.post(f"/api/v1/runs/{run['id']}/cancel", json=body)

    assert answer.status == status
    assert (await worker.state(run["id"])).cancelling is None


async def test_a_run_that_has_ended_cannot_be_cancelled(client: Client, start: Start, worker: Worker) -> None:
    run = await start()
    await client.post(f"/api/v1/runs/{run['id']}/cancel")
    await _refuse_the_submit(worker, run["id"])

    answer = await client.post(f"/api/v1/runs/{run['id']}/cancel")

    assert answer.status == 409
    assert "cancelled" in (await answer.json())["detail"]


async def _refuse_the_submit(worker: Worker, run: str) -> None:
    job = next(iter((await worker.state(run)).jobs))
    outcome = Rejected(Failure("invalid_request", "no"))
    await worker.handle(run, SubmitAnswered, job=job, outcome=outcome)


# --- retry -----------------------------------------------------------------------------------


async def test_a_run_that_failed_goes_on_as_the_same_run(
    client: Client, start: Start, worker: Worker
) -> None:
    run = await start()
    await _refuse_the_submit(worker, run["id"])

    answer = await client.post(f"/api/v1/runs/{run['id']}/retry")

    shown = await answer.json()
    assert answer.status == 202
    assert (shown["id"], shown["digest"], shown["status"]) == (run["id"], run["digest"], "running")
    assert (shown["error"], shown["finished_at"]) == (None, None)
    assert (shown["paid_again"], shown["maybe_paid_twice"]) == ([], [])
    assert [(step["status"], step["attempt"]) for step in shown["steps"]] == [("running", 2)]
    listed = await (await client.get("/api/v1/runs?status=running")).json()
    assert [item["id"] for item in listed["items"]] == [run["id"]]


async def test_the_answer_names_what_is_paid_for_again(client: Client, start: Start, worker: Worker) -> None:
    run = await start()
    job = run["steps"][0]["job"]
    await client.post(f"/api/v1/runs/{run['id']}/cancel")
    await worker.handle(run["id"], SubmitAnswered, job=job, outcome=Done(output={"uuid": "u"}, credits=1))

    answer = await client.post(f"/api/v1/runs/{run['id']}/retry", json={"from": "model"})

    shown = await answer.json()
    assert (answer.status, shown["status"], shown["paid_again"]) == (202, "running", ["model"])
    assert shown["credits"] == {"pizi": 1}
    retried = await (await client.get(f"/api/v1/runs/{run['id']}/events?type=run.retried")).json()
    assert [event["data"]["from_step"] for event in retried["items"]] == ["model"]


async def test_the_answer_names_what_may_be_paid_for_twice(
    client: Client, start: Start, worker: Worker
) -> None:
    run = await start()
    job = run["steps"][0]["job"]
    await worker.handle(run["id"], SubmitLost, job=job, reason="the connection broke")
    await client.post(f"/api/v1/jobs/{job}/resolve", json={"action": "fail"})

    answer = await client.post(f"/api/v1/runs/{run['id']}/retry")

    shown = await answer.json()
    assert (shown["paid_again"], shown["maybe_paid_twice"]) == ([], ["model"])


async def test_a_run_that_goes_on_is_not_retried(client: Client, start: Start) -> None:
    run = await start()

    answer = await client.post(f"/api/v1/runs/{run['id']}/retry")

    assert answer.status == 409
    assert "only a run that failed or was cancelled is retried" in (await answer.json())["detail"]


async def test_of_two_who_retry_at_the_same_moment_one_is_told_that_it_was_too_late(
    client: Client, start: Start, worker: Worker
) -> None:
    run = await start()
    await _refuse_the_submit(worker, run["id"])

    answers = await asyncio.gather(*(client.post(f"/api/v1/runs/{run['id']}/retry") for _ in range(2)))

    assert sorted(answer.status for answer in answers) == [202, 409]
    assert len((await worker.state(run["id"])).jobs) == 2


@pytest.mark.parametrize(
    ("body", "location"),
    [({"from": "modl"}, "from"), ({"from": 1}, "from"), ({"from_step": "model"}, "from_step")],
)
async def test_a_retry_with_a_wrong_body_changes_nothing(
    client: Client, start: Start, worker: Worker, body: Any, location: str
) -> None:
    run = await start()
    await _refuse_the_submit(worker, run["id"])

    answer = await client.post(f"/api/v1/runs/{run['id']}/retry", json=body)

    assert answer.status == 422
    assert [error["location"] for error in (await answer.json())["errors"]] == [location]
    assert (await worker.state(run["id"])).status == "failed"


async def test_a_retried_run_is_the_same_when_its_log_is_folded_again(
    client: Client, start: Start, worker: Worker, store: SqliteStore
) -> None:
    run = await start()
    await _refuse_the_submit(worker, run["id"])

    await client.post(f"/api/v1/runs/{run['id']}/retry")

    state = await worker.state(run["id"])
    records = await store.read(run["id"])
    assert fold(decode(record.type, record.data) for record in records) == state
    row = await store.run(run["id"])
    assert row == run_row(state)


async def test_a_run_can_be_taken_away_as_lines_of_its_own(client: Client, start: Any) -> None:
    run = await start()

    answer = await client.get(f"/api/v1/runs/{run['id']}/export")

    lines = (await answer.text()).splitlines()
    types = [json.loads(line)["type"] for line in lines]
    assert answer.headers["Content-Type"] == "application/x-ndjson"
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{run["id"]}.jsonl"'
    assert (types[0], types[-1]) == ("orchestrator.export.begun", "orchestrator.export.ended")
    assert "orchestrator.run.created" in types


async def test_a_run_that_is_not_there_cannot_be_taken_away(client: Client) -> None:
    assert (await client.get("/api/v1/runs/run_1/export")).status == 404
