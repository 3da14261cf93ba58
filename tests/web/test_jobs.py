from asyncio import gather
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import pytest
from aiohttp.test_utils import TestClient
from aiohttp.web import Application, Request

from orchestrator.clock import SECOND, rfc3339
from orchestrator.engine import triggers as t
from orchestrator.engine.state import RunState
from orchestrator.errors import Failure, WrongState
from orchestrator.operations.workflows import Library
from orchestrator.outcomes import (
    Accepted,
    Done,
    Failed,
    Pending,
    Rejected,
    ResultFile,
    Retry,
    Unauthorized,
    Unknown,
)
from orchestrator.runtime.limits import Limits
from orchestrator.runtime.worker import Worker
from orchestrator.store.rows import Delivery
from orchestrator.store.sqlite import SqliteStore

Client = TestClient[Request, Application]
Start = Callable[..., Awaitable[dict[str, Any]]]
Pages = Callable[[str], Awaitable[Sequence[Sequence[dict[str, Any]]]]]
MODEL = {"uuid": "b6e7a1b9-f421-45f3-9c18-22f1c63c1138", "name": "Ada"}


class World(Protocol):
    checks: dict[str, int]


async def job_of(client: Client, job: str) -> dict[str, Any]:
    answer = await client.get(f"/api/v1/jobs/{job}")
    assert answer.status == 200, await answer.text()
    found: dict[str, Any] = await answer.json()
    return found


async def test_a_job_shows_its_request_as_sent_but_for_what_is_secret(client: Client, start: Start) -> None:
    run = await start()

    job = await job_of(client, run["steps"][0]["job"])

    assert job["request"]["gender"] == "female"
    assert job["request"]["name"] == "Ada"
    assert job["request"]["callbackUrl"] == f"https://hooks.example.com/callbacks/pizi/{job['id']}"
    assert job["sent"]["method"] == "POST"
    assert job["sent"]["path"].endswith("/models")
    assert (job["status"], job["response"], job["answers"], job["deliveries"]) == ("submitting", None, [], [])
    assert "pizi-key-of-this-test" not in str(job)


async def test_a_job_shows_what_became_known_about_it(client: Client, start: Start, worker: Worker) -> None:
    run = await start()
    await start()
    id = run["steps"][0]["job"]
    await worker.handle(run["id"], t.SubmitAnswered, job=id, outcome=Accepted("task-1"))
    asked_at = worker.clock.now()
    done = Done(output=MODEL, files=(ResultFile("https://pizi.example/ada.png"),), credits=2)
    await worker.handle(run["id"], t.Checked, job=id, outcome=done, asked_at=asked_at)
    await worker.handle(run["id"], t.Collected, job=id, output=MODEL, artifacts=[])

    job = await job_of(client, id)

    assert (job["status"], job["task_id"], job["credits"]) == ("succeeded", "task-1", 2)
    assert job["response"] == MODEL
    assert job["request"]["gender"] == "female"
    assert [answer["type"] for answer in job["answers"]] == [
        "orchestrator.job.submitted",
        "orchestrator.job.collecting",
        "orchestrator.job.succeeded",
    ]


async def test_a_refused_job_shows_the_refusal(client: Client, start: Start, worker: Worker) -> None:
    run = await start()
    id = run["steps"][0]["job"]
    refusal = Rejected(Failure("invalid_request", "no such gender", "E17"))
    await worker.handle(run["id"], t.SubmitAnswered, job=id, outcome=refusal)

    job = await job_of(client, id)

    assert job["error"] == {"class": "invalid_request", "code": "E17", "message": "no such gender"}
    assert [answer["type"] for answer in job["answers"]] == [
        "orchestrator.job.rejected",
        "orchestrator.job.failed",
    ]


async def test_a_job_names_its_deliveries_oldest_first(
    client: Client, start: Start, store: SqliteStore
) -> None:
    run = await start()
    id = run["steps"][0]["job"]
    deliveries = [f"dlv_{n:026}" for n in range(3)]
    for n, delivery in enumerate(deliveries):
        await store.put(
            Delivery(
                id=delivery,
                job=id,
                connection="pizi",
                received_at=n * SECOND,
                method="POST",
                query="",
                headers=b"[]",
                content_type="application/json",
                body=b"{}",
                size=2,
                remote="127.0.0.1",
            )
        )

    assert (await job_of(client, id))["deliveries"] == deliveries


async def test_a_job_shows_nothing_of_its_neighbours(
    client: Client, shelf: Path, library: Library, worker: Worker
) -> None:
    model = "uses: pizi/create_model, with: {gender: female, name: ${name}}"
    steps = "".join(f"  {name}: {{{model.replace('${name}', name)}}}\n" for name in ("ada", "bea"))
    (shelf / "pair.yaml").write_text(f"name: pair\ndescription: Two models.\nsteps:\n{steps}")
    library.reload()
    run = await (await client.post("/api/v1/runs", json={"workflow": "pair"})).json()
    first, second = (step["job"] for step in run["steps"])
    await worker.handle(run["id"], t.SubmitAnswered, job=first, outcome=Accepted("task-1"))

    answered, other = await job_of(client, first), await job_of(client, second)

    assert (answered["request"]["name"], other["request"]["name"]) == ("ada", "bea")
    assert (len(answered["answers"]), len(other["answers"])) == (1, 0)


@pytest.mark.parametrize("job", ["job_00000000000000000000000000", "%00", "x"])
async def test_a_job_that_is_not_there_is_not_found(client: Client, job: str) -> None:
    assert (await client.get(f"/api/v1/jobs/{job}")).status == 404


async def test_jobs_are_listed_newest_first_and_filtered(client: Client, start: Start, pages: Pages) -> None:
    runs = [await start() for _ in range(3)]
    jobs = [run["steps"][0]["job"] for run in runs]

    async def found(query: str) -> list[str]:
        return [job["id"] for page in await pages(f"/api/v1/jobs?{query}") for job in page]

    assert await found("limit=1") == jobs[::-1]
    assert await found(f"run={runs[1]['id']}") == [jobs[1]]
    assert await found("status=submitting&connection=pizi") == jobs[::-1]
    assert await found("status=failed") == []
    assert await found("connection=perfect") == []


@pytest.mark.parametrize("query", ["status=running", "limit=999", "cursor=!", "step=model"])
async def test_a_query_that_is_wrong_is_refused(client: Client, query: str) -> None:
    assert (await client.get(f"/api/v1/jobs?{query}")).status == 422
    assert (await client.get(f"/api/v1/waiting?{query}")).status == 422


async def test_the_waiting_board_shows_what_is_open_the_longest_waiting_first(
    client: Client, start: Start, pages: Pages, worker: Worker, world: World
) -> None:
    runs = [await start() for _ in range(3)]
    jobs = [run["steps"][0]["job"] for run in runs]
    await worker.handle(runs[0]["id"], t.SubmitAnswered, job=jobs[0], outcome=Accepted("task-1"))
    refusal = Rejected(Failure("invalid_request", "no"))
    await worker.handle(runs[1]["id"], t.SubmitAnswered, job=jobs[1], outcome=refusal)
    world.checks[jobs[0]] = 7 * SECOND

    board = [entry for page in await pages("/api/v1/waiting?limit=1") for entry in page]

    first = await job_of(client, jobs[0])
    assert [entry["job"] for entry in board] == [jobs[0], jobs[2]]
    assert [entry["status"] for entry in board] == ["waiting", "submitting"]
    assert [entry["waiting_for"] for entry in board] == ["its result", "the answer to its submit"]
    assert board[0]["connection"] == "pizi"
    assert board[0]["since"] == first["submitted_at"]
    assert board[0]["deadline_at"] == first["deadline_at"]
    assert board[0]["next_check_at"] == first["next_check_at"]
    assert board[0]["last_check_at"] == rfc3339(7 * SECOND)
    assert board[1]["last_check_at"] is None


async def test_a_run_that_is_not_there_is_no_filter(client: Client) -> None:
    answer = await client.get("/api/v1/jobs?run=run_none")

    assert (answer.status, (await answer.json())["detail"]) == (404, "no run 'run_none'")


# --- resolve ---------------------------------------------------------------------------------


async def uncertain(start: Start, worker: Worker) -> tuple[str, str]:
    """Return a run and its job, whose submit nobody answered."""
    run = await start()
    job = run["steps"][0]["job"]
    await worker.handle(run["id"], t.SubmitLost, job=job, reason="connection lost")
    return run["id"], job


async def test_a_person_says_which_task_it_is(client: Client, start: Start, worker: Worker) -> None:
    _, id = await uncertain(start, worker)

    answer = await client.post(
        f"/api/v1/jobs/{id}/resolve", json={"action": "adopt", "task_id": "task-9", "comment": "seen there"}
    )

    job = await answer.json()
    assert (answer.status, job["status"], job["task_id"]) == (200, "waiting", "task-9")
    assert [each["type"] for each in job["answers"]] == [
        "orchestrator.job.uncertain",
        "orchestrator.operator.resolved",
        "orchestrator.job.adopted",
    ]
    told = job["answers"][1]["data"]
    assert (told["action"], told["who"], told["why"]) == ("adopt", None, "seen there")


async def test_a_person_gives_it_up(client: Client, start: Start, worker: Worker) -> None:
    run, id = await uncertain(start, worker)

    answer = await client.post(f"/api/v1/jobs/{id}/resolve", json={"action": "fail"})

    assert (await answer.json())["status"] == "failed"
    assert (await worker.state(run)).status == "failed"


async def test_a_person_lets_it_be_sent_again(client: Client, start: Start, worker: Worker) -> None:
    run, id = await uncertain(start, worker)

    await client.post(f"/api/v1/jobs/{id}/resolve", json={"action": "resubmit"})

    state = await worker.state(run)
    assert [job.attempt for job in state.jobs.values()] == [1, 2]
    assert state.status == "running"


async def test_only_an_uncertain_job_is_resolved(client: Client, start: Start) -> None:
    run = await start()
    job = run["steps"][0]["job"]

    answer = await client.post(f"/api/v1/jobs/{job}/resolve", json={"action": "fail"})

    assert answer.status == 409
    assert (await answer.json())["detail"] == f"{job} is submitting; only an uncertain job can be resolved"


async def test_of_two_who_resolve_at_the_same_moment_one_is_told_that_it_was_too_late(
    client: Client, start: Start, worker: Worker
) -> None:
    run, id = await uncertain(start, worker)
    asked = {"job": id, "action": "fail", "task_id": None, "comment": None}

    first, second = await gather(
        worker.handle(run, t.Resolve, **asked),
        worker.handle(run, t.Resolve, **asked),
        return_exceptions=True,
    )

    assert isinstance(first, RunState)
    assert isinstance(second, WrongState)


async def test_a_task_of_another_run_is_not_adopted(client: Client, start: Start, worker: Worker) -> None:
    other = await start()
    theirs = other["steps"][0]["job"]
    await worker.handle(other["id"], t.SubmitAnswered, job=theirs, outcome=Accepted("task-1"))
    _, id = await uncertain(start, worker)

    answer = await client.post(f"/api/v1/jobs/{id}/resolve", json={"action": "adopt", "task_id": "task-1"})

    assert answer.status == 409
    assert (await job_of(client, id))["status"] == "uncertain"


@pytest.mark.parametrize(
    "told",
    [Unknown("Pizi answered 404"), Failed(Failure("provider_error", "not known any more", "task_lost"))],
)
async def test_a_task_that_its_provider_does_not_have_is_not_adopted(
    client: Client, start: Start, worker: Worker, world: Any, told: Any
) -> None:
    run, id = await uncertain(start, worker)
    world.tasks["task-9"] = told

    answer = await client.post(f"/api/v1/jobs/{id}/resolve", json={"action": "adopt", "task_id": "task-9"})

    [error] = (await answer.json())["errors"]
    assert (answer.status, error["location"]) == (422, "task_id")
    assert error["message"].startswith("is no task of this job at pizi (")
    assert "--unchecked" in error["message"]
    assert (await worker.state(run)).jobs[id].status == "uncertain"


@pytest.mark.parametrize(
    "told", [Retry("Pizi answered 503"), Unauthorized(Failure("unauthorized", "Pizi answered 503"))]
)
async def test_nothing_is_adopted_while_its_provider_cannot_say_unless_the_person_insists(
    client: Client, start: Start, worker: Worker, world: Any, told: Any
) -> None:
    _, id = await uncertain(start, worker)
    world.tasks["task-9"] = told
    body = {"action": "adopt", "task_id": "task-9"}

    refused = await client.post(f"/api/v1/jobs/{id}/resolve", json=body)
    taken = await client.post(f"/api/v1/jobs/{id}/resolve", json=body | {"unchecked": True})

    assert refused.status == 409
    detail = (await refused.json())["detail"]
    assert detail.startswith(
        "nothing was adopted, because pizi could not say whether it has the task 'task-9'"
    )
    assert "(Pizi answered 503)" in detail
    job = await taken.json()
    assert (taken.status, job["status"], job["task_id"], job["unseen"]) == (200, "waiting", "task-9", True)


async def test_what_a_person_named_and_nobody_has_seen_can_be_settled_again_until_it_is_seen(
    client: Client, start: Start, worker: Worker
) -> None:
    run, id = await uncertain(start, worker)
    wrong = {"action": "adopt", "task_id": "task-8", "unchecked": True}
    await client.post(f"/api/v1/jobs/{id}/resolve", json=wrong)

    right = await client.post(f"/api/v1/jobs/{id}/resolve", json=wrong | {"task_id": "task-9"})
    await worker.handle(run, t.Checked, job=id, outcome=Pending("running"), asked_at=0, task_id="task-9")
    late = await client.post(f"/api/v1/jobs/{id}/resolve", json={"action": "fail"})

    assert (right.status, (await right.json())["task_id"]) == (200, "task-9")
    assert late.status == 409
    assert (
        "only an uncertain job can be resolved, or one whose task a person" in (await late.json())["detail"]
    )
    job = await job_of(client, id)
    assert (job["status"], job["task_id"], job["unseen"]) == ("waiting", "task-9", False)


async def test_where_nobody_can_be_asked_it_is_adopted_and_said_to_be_unseen(
    client: Client, start: Start, worker: Worker, world: Any
) -> None:
    _, id = await uncertain(start, worker)
    world.tasks["task-9"] = None

    answer = await client.post(f"/api/v1/jobs/{id}/resolve", json={"action": "adopt", "task_id": "task-9"})

    assert (answer.status, (await answer.json())["unseen"]) == (200, True)


@pytest.mark.parametrize(
    ("body", "location"),
    [
        ({}, "action"),
        ({"action": "retry"}, "action"),
        ({"action": "adopt"}, "task_id"),
        ({"action": "adopt", "task_id": ""}, "task_id"),
        ({"action": "adopt", "task_id": "a b"}, "task_id"),
        ({"action": "fail", "task_id": "task-1"}, "task_id"),
        ({"action": "fail", "unchecked": True}, "unchecked"),
        ({"action": "adopt", "task_id": "task-1", "unchecked": "yes"}, "unchecked"),
        ({"action": "fail", "reason": "x"}, "reason"),
    ],
)
async def test_a_resolution_that_says_too_little_or_too_much_is_refused_by_place(
    client: Client, start: Start, worker: Worker, body: dict[str, Any], location: str
) -> None:
    run, id = await uncertain(start, worker)

    answer = await client.post(f"/api/v1/jobs/{id}/resolve", json=body)

    assert answer.status == 422
    assert [error["location"] for error in (await answer.json())["errors"]] == [location]
    assert (await worker.state(run)).jobs[id].status == "uncertain"


async def test_a_job_that_nobody_knows_cannot_be_resolved(client: Client) -> None:
    answer = await client.post("/api/v1/jobs/job_x/resolve", json={"action": "fail"})

    assert answer.status == 404


async def test_the_waiting_board_says_that_the_disk_is_what_is_waited_for(
    serve: Any, start: Start, limits: Limits
) -> None:
    limits.stop_for("the disk is nearly full")
    await start()

    client = await serve()
    board = (await (await client.get("/api/v1/waiting")).json())["items"]

    assert [entry["waiting_for"] for entry in board] == ["the disk (/readyz says why)"]
