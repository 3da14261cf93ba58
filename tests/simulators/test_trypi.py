"""The simulated trypi answers as trypi's page says, refuses what it forbids, and breaks on request."""

import asyncio
import base64
import io
import json
import re
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest
from multidict import CIMultiDict
from PIL import Image

AT = 1710000000.0
"""The page's own moment."""

UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
NOBODY = "b6e7a1b9-f421-45f3-9c18-22f1c63c1138"
KEY = {"Idempotency-Key": "4cb74a64-83f1-4fb8-96cf-1098f145008f"}

EXAMPLE: dict[str, Any] = {
    "prompt": "confident founder vibe for a fintech app, modest professional outfit",
    "hints": {
        "filter_culture": "middle_east",
        "avatar_composition": "Portrait",
        "art_direction": "Ultra Realistic",
    },
    "output": {"aspect_ratio": "auto", "resolution": "1K", "thinking_intensity": "minimal"},
    "client_reference_id": "workflow-run-123-step-7",
    "metadata": {"workflow": "lead-enrichment", "customer_id": "cus_123"},
}
"""The page's example."""

SMALL = {"prompt": "a founder", "output": {"resolution": "512"}}
LOOK = "wait_for_completion=true&timeout_seconds=30&expand=avatar"
"""The page's query."""

Client = Any
Begin = Callable[..., Awaitable[Client]]


@pytest.fixture
def trypi(account: Any) -> Begin:
    """Return a function that starts trypi and gives a client of it."""

    async def go(faults: str = "", **options: Any) -> Client:
        return await account("trypi", faults, **options)

    return go


def _image(format: str, size: int = 8) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (size, size), "navy").save(buffer, format)
    return buffer.getvalue()


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _data_url(format: str) -> str:
    return f"data:image/{format.lower()};base64,{_base64(_image(format))}"


async def _generate(client: Client, body: object = SMALL, **headers: str) -> str:
    """Queue a job, and return its id."""
    answer = await client.call("POST", "/avatars/generate", body, headers=headers)
    assert answer.status == 202, answer.body
    return str(answer.data["job_id"])


async def _completed(client: Client, body: object = SMALL) -> dict[str, Any]:
    """Return the answer to a look at a job that has ended."""
    job = await _generate(client, body)
    return dict((await client.call("GET", f"/jobs/{job}?{LOOK}")).body)


async def _raw(client: Client, content: bytes, **headers: str) -> tuple[int, bytes, Any]:
    """Send the body exactly so, and return status, bytes and headers of the answer."""
    sent = {"Authorization": f"Bearer {client.key}", "Content-Type": "application/json", **headers}
    async with client.http.post(f"{client.url}/avatars/generate", data=content, headers=sent) as reply:
        return reply.status, await reply.read(), reply.headers


async def test_the_pages_example_is_queued(trypi: Begin) -> None:
    client = await trypi(clock=lambda: AT)

    answer = await client.call("POST", "/avatars/generate", EXAMPLE)

    job = answer.data["job_id"]
    assert answer.status == 202
    assert answer.body == {
        "id": answer.body["id"],
        "object": "job",
        "status": "queued",
        "created_at": 1710000000,
        "data": {"job_id": job},
    }
    assert re.fullmatch(UUID, job)
    assert re.fullmatch(f"req_pi_{UUID}", answer.body["id"])
    assert job not in answer.body["id"]


async def test_a_completed_job_has_the_picture_and_what_the_caller_wrote(trypi: Begin) -> None:
    client = await trypi(clock=lambda: AT)
    queued = await client.call("POST", "/avatars/generate", EXAMPLE)
    job = queued.data["job_id"]

    shown = await client.call("GET", f"/jobs/{job}?{LOOK}")

    url = f"{client.url}/images/{job}.png"
    assert (shown.status, shown.body["object"], shown.body["status"]) == (200, "job", "completed")
    assert shown.body["id"] not in (queued.body["id"], job)
    assert shown.data == {
        "id": job,
        "org_id": shown.data["org_id"],
        "type": "avatar_generation",
        "status": "completed",
        "payload": {"phase": "completed", "input": EXAMPLE, "image_url": url},
        "result_url": f"avatars/{job}",
        "error_log": None,
        "created_at": 1710000000,
        "updated_at": 1710000000,
        "avatar": {"image_url": url},
    }


async def test_without_expand_there_is_no_link(trypi: Begin) -> None:
    client = await trypi()
    job = (await _completed(client))["data"]["id"]

    shown = await client.call("GET", f"/jobs/{job}")

    assert shown.data["status"] == "completed"
    assert "avatar" not in shown.data
    assert "/images/" not in json.dumps(shown.body)


async def test_every_answer_has_a_request_id_of_its_own(trypi: Begin) -> None:
    client = await trypi()

    first = await client.call("POST", "/avatars/generate", SMALL)
    second = await client.call("GET", f"/jobs/{NOBODY}")

    headers = [CIMultiDict(answer.headers)["X-Request-Id"] for answer in (first, second)]
    assert headers == [first.body["id"], second.body["error"]["request_id"]]
    assert headers[0] != headers[1]


@pytest.mark.parametrize(
    ("output", "size"),
    [
        ({"resolution": "512"}, (384, 512)),
        ({"resolution": "512", "aspect_ratio": "1:1"}, (512, 512)),
        ({"aspect_ratio": "16:9"}, (1024, 576)),
        ({}, (768, 1024)),
    ],
)
async def test_the_picture_has_the_shape_asked_for(
    trypi: Begin, output: dict[str, str], size: tuple[int, int]
) -> None:
    client = await trypi()
    shown = await _completed(client, {"prompt": "a woman", "output": output})

    reply = await client.http.get(shown["data"]["avatar"]["image_url"])
    image = Image.open(io.BytesIO(await reply.read()))

    assert (reply.content_type, image.format, image.size) == ("image/png", "PNG", size)


async def test_references_decide_who_is_seen(trypi: Begin) -> None:
    client = await trypi()
    files = []
    for format in ("PNG", "JPEG", "WEBP"):
        for prompt in ("a founder", "a leader", "a teacher"):
            body = {**SMALL, "prompt": prompt, "reference_images": [_data_url(format)]}
            shown = await _completed(client, body)
            reply = await client.http.get(shown["data"]["avatar"]["image_url"])
            files.append(await reply.read())

    assert [len(set(files[start : start + 3])) for start in (0, 3, 6)] == [1, 1, 1]
    assert len(set(files)) > 1


async def test_a_running_job_is_queued_and_then_processing(trypi: Begin) -> None:
    client = await trypi(latency_s=3600.0)
    job = await _generate(client)

    shown = await client.call("GET", f"/jobs/{job}?expand=avatar")

    assert (shown.body["status"], shown.data["status"], shown.data["avatar"]) == ("queued", "queued", None)
    assert (shown.data["result_url"], "image_url" in shown.data["payload"]) == (None, False)


async def test_a_long_poll_answers_as_soon_as_the_job_has_ended(trypi: Begin) -> None:
    client = await trypi(latency_s=0.1)
    job = await _generate(client)

    at_once = await client.call("GET", f"/jobs/{job}")
    waited = await asyncio.wait_for(client.call("GET", f"/jobs/{job}?{LOOK}"), 5)

    assert at_once.body["status"] in ("queued", "processing")
    assert waited.body["status"] == "completed"


async def test_a_long_poll_ends_with_what_there_is_when_its_time_is_up(trypi: Begin) -> None:
    client = await trypi(latency_s=3600.0)
    job = await _generate(client)

    query = "wait_for_completion=true&timeout_seconds=1"
    shown = await asyncio.wait_for(client.call("GET", f"/jobs/{job}?{query}"), 5)

    assert (shown.status, shown.body["status"]) == (200, "queued")


@pytest.mark.parametrize(
    "query",
    [
        "wait_for_completion=yes",
        "wait_for_completion=1",
        "timeout_seconds=0",
        "timeout_seconds=31",
        "timeout_seconds=x",
        "expand=image",
        "expand=avatar,image",
    ],
)
async def test_a_wrong_look_is_refused(trypi: Begin, query: str) -> None:
    client = await trypi()
    job = await _generate(client)

    assert (await client.call("GET", f"/jobs/{job}?{query}")).status == 400


async def test_the_same_key_and_bytes_give_the_same_bytes_and_one_job(trypi: Begin) -> None:
    client = await trypi()
    content = json.dumps(SMALL).encode()

    first = await _raw(client, content, **KEY)
    await client.running.idle()
    again = await _raw(client, content, **KEY)

    assert (again[0], again[1]) == (first[0], first[1]) == (202, first[1])
    assert ("X-Idempotency-Replayed" in first[2], again[2]["X-Idempotency-Replayed"]) == (False, "true")
    books = client.running.books("trypi")
    assert (len(books.tasks), books.charged) == (1, 1)


@pytest.mark.parametrize("other", [{"prompt": "b"}, {"output": {}, "prompt": "a"}, {"prompt": "a "}])
async def test_the_same_key_with_another_body_is_a_conflict(trypi: Begin, other: object) -> None:
    client = await trypi()
    await _generate(client, {"prompt": "a", "output": {}}, **KEY)

    answer = await client.call("POST", "/avatars/generate", other, headers=KEY)

    assert (answer.status, answer.body["error"]["code"]) == (409, "idempotency_key_mismatch")
    assert answer.body["error"]["type"] == "invalid_request_error"
    assert len(client.running.books("trypi").tasks) == 1


async def test_without_a_key_or_with_another_one_a_repetition_is_a_second_job(trypi: Begin) -> None:
    client = await trypi()

    jobs = {
        await _generate(client),
        await _generate(client),
        await _generate(client, **{"Idempotency-Key": "a"}),
        await _generate(client, **{"Idempotency-Key": "b"}),
    }

    assert len(jobs) == 4


async def test_a_refused_request_leaves_no_trace_under_its_key(trypi: Begin) -> None:
    client = await trypi()

    refused = await client.call("POST", "/avatars/generate", {"prompt": ""}, headers=KEY)
    accepted = await client.call("POST", "/avatars/generate", SMALL, headers=KEY)

    assert (refused.status, accepted.status) == (400, 202)


@pytest.mark.parametrize(
    "body",
    [
        {"prompt": "x"},
        {"prompt": "x" * 5000},
        EXAMPLE,
        {"prompt": "x", "hints": {"anything": "goes", "accessories": ["hat", "scarf"], "n": 1}},
        {"prompt": "x", "reference_images": [_data_url(f) for f in ("PNG", "JPEG", "WEBP")]},
        {"prompt": "x", "reference_images": [_base64(_image("PNG"))] * 6},
        {"prompt": "x", "client_reference_id": "x" * 200},
        {"prompt": "x", "metadata": {str(n): "x" * 500 for n in range(16)}},
        {"prompt": "x", "output": {"thinking_intensity": "high", "resolution": "4K"}},
    ],
)
async def test_a_valid_avatar_is_queued(trypi: Begin, body: object) -> None:
    client = await trypi()

    assert (await client.call("POST", "/avatars/generate", body)).status == 202


@pytest.mark.parametrize(
    ("body", "details"),
    [
        ({}, "prompt is required"),
        ([], "body must be an object"),
        ({"prompt": "\n "}, "prompt must not be empty"),
        ({"prompt": ["x"]}, "prompt must be a string"),
        ({"prompt": "x" * 5001}, "prompt has more than 5000"),
        ({"prompt": "x", "mode": "library"}, "mode is not a field"),
        ({"prompt": "x", "callback_url": "https://example.com"}, "callback_url is not a field"),
        ({"prompt": "x", "hints": "x"}, "hints must be an object"),
        ({"prompt": "x", "hints": {"a": {"b": "c"}}}, "hints.a must be flat"),
        ({"prompt": "x", "hints": {"a": [["b"]]}}, "hints.a must be flat"),
        ({"prompt": "x", "reference_images": []}, "array of 1 to 6"),
        ({"prompt": "x", "reference_images": [_base64(_image("PNG"))] * 7}, "array of 1 to 6"),
        ({"prompt": "x", "reference_images": _base64(_image("PNG"))}, "array of 1 to 6"),
        ({"prompt": "x", "reference_images": [None]}, "reference_images[0] must be"),
        ({"prompt": "x", "reference_images": ["https://example.com/a.png"]}, "reference_images[0] must be"),
        ({"prompt": "x", "reference_images": ["data:image/gif;base64,R0lGODlh"]}, "reference_images[0]"),
        ({"prompt": "x", "reference_images": ["data:image/png,abc"]}, "reference_images[0] must be"),
        ({"prompt": "x", "reference_images": ["R0lGODlh"]}, "must be a JPEG, PNG or WebP"),
        ({"prompt": "x", "reference_images": ["%%%"]}, "is not base64"),
        ({"prompt": "x", "client_reference_id": "x" * 201}, "client_reference_id has more than 200"),
        ({"prompt": "x", "client_reference_id": 7}, "client_reference_id must be a string"),
        ({"prompt": "x", "metadata": {str(n): "" for n in range(17)}}, "more than 16 keys"),
        ({"prompt": "x", "metadata": {"a": "x" * 501}}, "metadata.a has more than 500"),
        ({"prompt": "x", "metadata": {"a": 1}}, "metadata.a must be a string"),
        ({"prompt": "x", "metadata": None}, "metadata must be an object"),
        ({"prompt": "x", "output": {"size": "1K"}}, "output.size is not a field"),
        ({"prompt": "x", "output": {"resolution": "1k"}}, "output.resolution must be"),
        ({"prompt": "x", "output": {"thinking_intensity": "low"}}, "output.thinking_intensity must be"),
        ({"prompt": "x", "output": {"aspect_ratio": "wide"}}, "output.aspect_ratio must be auto"),
        ({"prompt": "x", "output": {"aspect_ratio": "9:1"}}, "too far from a square"),
    ],
)
async def test_a_wrong_avatar_is_refused(trypi: Begin, body: object, details: str) -> None:
    client = await trypi()

    answer = await client.call("POST", "/avatars/generate", body)

    error = answer.body["error"]
    assert (answer.status, error["type"], error["code"]) == (
        400,
        "invalid_request_error",
        "invalid_request_body",
    )
    assert details in error["message"]
    assert client.running.books("trypi").tasks == {}


@pytest.mark.parametrize(("size", "status"), [(15_000_000, 202), (15_000_001, 400)])
async def test_a_reference_may_have_fifteen_megabytes(trypi: Begin, size: int, status: int) -> None:
    client = await trypi()
    head = _image("PNG")
    image = _base64(head + bytes(size - len(head)))

    body = io.BytesIO(json.dumps({"prompt": "x", "reference_images": [image]}).encode())
    headers = {"Content-Type": "application/json"}
    answer = await client.call("POST", "/avatars/generate", data=body, headers=headers)

    assert answer.status == status


@pytest.mark.parametrize(
    ("content", "headers"), [(b"{", {}), (b"", {}), (b"{}", {"Content-Type": "text/plain"})]
)
async def test_a_body_that_is_no_json_is_refused(
    trypi: Begin, content: bytes, headers: dict[str, str]
) -> None:
    client = await trypi()

    status, answer, _ = await _raw(client, content, **headers)

    assert (status, json.loads(answer)["error"]["code"]) == (400, "invalid_json_body")


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        ({}, "missing_authorization_header"),
        ({"Authorization": "Bearer pi_live_x"}, "invalid_api_key"),
        ({"Authorization": "{key}"}, "invalid_api_key"),
    ],
)
async def test_nothing_is_told_without_the_key(trypi: Begin, sent: dict[str, str], code: str) -> None:
    client = await trypi()
    headers = {name: value.format(key=client.key) for name, value in sent.items()}

    async with client.http.get(f"{client.url}/avatars", headers=headers) as reply:
        body = await reply.json()

    assert (reply.status, body["error"]["type"], body["error"]["code"]) == (401, "authentication_error", code)


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("GET", f"/jobs/{NOBODY}", "job_not_found"),
        ("GET", f"/avatars/{NOBODY}", "avatar_not_found"),
        ("GET", "/jobs", "not_found"),
        ("DELETE", f"/avatars/{NOBODY}", "not_found"),
        ("POST", "/api/v1/avatars/generate", "not_found"),
    ],
)
async def test_what_is_not_there_is_a_404(trypi: Begin, method: str, path: str, code: str) -> None:
    client = await trypi()

    answer = await client.call(method, path)

    assert (answer.status, answer.body["error"]["code"]) == (404, code)


async def test_a_job_is_not_found_by_the_id_of_its_request(trypi: Begin) -> None:
    client = await trypi()
    answer = await client.call("POST", "/avatars/generate", SMALL)

    for wrong in (answer.body["id"], answer.body["id"].removeprefix("req_pi_")):
        assert (await client.call("GET", f"/jobs/{wrong}")).status == 404


async def test_a_completed_avatar_is_saved_and_found_again(trypi: Begin) -> None:
    client = await trypi(clock=lambda: AT)
    job = (await _completed(client))["data"]["id"]

    saved = await client.call("POST", "/avatars/save", {"job_id": job, "label": " CEO hero v2 "})
    shown = await client.call("GET", f"/avatars/{saved.data['id']}")

    assert (saved.status, saved.body["object"]) == (201, "saved_avatar")
    assert saved.data == {
        "id": saved.data["id"],
        "label": "CEO hero v2",
        "image_url": f"{client.url}/images/{job}.png",
        "job_id": job,
        "created_at": 1710000000,
    }
    assert shown.data == saved.data
    assert saved.data["id"] not in (job, saved.body["id"])


async def test_saving_twice_makes_two_records(trypi: Begin) -> None:
    client = await trypi()
    job = (await _completed(client))["data"]["id"]

    saved = {(await client.call("POST", "/avatars/save", {"job_id": job})).data["id"] for _ in range(2)}

    assert len(saved) == 2


async def test_saved_avatars_are_listed_in_pages_newest_first(trypi: Begin) -> None:
    client = await trypi()
    job = (await _completed(client))["data"]["id"]
    for number in range(21):
        await client.call("POST", "/avatars/save", {"job_id": job, "label": str(number)})

    first = await client.call("GET", "/avatars")
    last = await client.call("GET", "/avatars?limit=20&offset=20")

    assert [row["label"] for row in first.data["data"]] == [str(n) for n in range(20, 0, -1)]
    assert (first.data["object"], first.data["has_more"], first.data["total_count"]) == ("list", True, 21)
    assert ([row["label"] for row in last.data["data"]], last.data["has_more"]) == (["0"], False)


@pytest.mark.parametrize("query", ["limit=0", "limit=x", "offset=-1", "limit="])
async def test_a_wrong_page_is_refused(trypi: Begin, query: str) -> None:
    client = await trypi()

    assert (await client.call("GET", f"/avatars?{query}")).status == 400


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"job_id": 1}, 400),
        ({"job_id": NOBODY, "name": "x"}, 400),
        ({"job_id": NOBODY, "label": "x" * 201}, 400),
        ({"job_id": NOBODY}, 404),
    ],
)
async def test_a_wrong_save_is_refused(trypi: Begin, body: object, status: int) -> None:
    client = await trypi()

    assert (await client.call("POST", "/avatars/save", body)).status == status


async def test_only_a_completed_job_can_be_saved(trypi: Begin) -> None:
    running, failing = await trypi(latency_s=3600.0), await trypi("task_failed")

    for client in (running, failing):
        job = await _generate(client)
        if client is failing:
            await client.running.idle()
        answer = await client.call("POST", "/avatars/save", {"job_id": job})

        assert (answer.status, answer.body["error"]["code"]) == (422, "job_not_completed")


async def test_a_failed_job_says_why_and_has_no_picture(trypi: Begin) -> None:
    client = await trypi("task_failed")

    shown = await _completed(client)

    assert (shown["status"], shown["data"]["status"], shown["data"]["avatar"]) == ("failed", "failed", None)
    assert shown["data"]["error_log"].startswith("generation_failed")


async def test_an_answer_that_was_lost_is_given_again_under_its_key(trypi: Begin) -> None:
    client = await trypi("answer_lost")
    content = json.dumps(SMALL).encode()

    with pytest.raises(aiohttp.ServerDisconnectedError):
        await _raw(client, content, **KEY)
    status, answer, _ = await _raw(client, content, **KEY)

    books = client.running.books("trypi")
    assert (status, list(books.tasks)) == (202, [json.loads(answer)["data"]["job_id"]])
    assert books.charged == 1


@pytest.mark.parametrize(
    ("fault", "status", "type", "code", "charged"),
    [
        ("error_before", 500, "api_error", "job_create_failed", 0),
        ("error_after", 500, "api_error", "internal_error", 1),
        ("trigger_failed", 502, "api_error", "job_trigger_failed", 0),
        ("rate_limit", 429, "rate_limit_error", "rate_limit_exceeded", 0),
        ("no_credits", 402, "permission_error", "insufficient_credits", 0),
    ],
)
async def test_a_submit_fails_as_asked(
    trypi: Begin, fault: str, status: int, type: str, code: str, charged: int
) -> None:
    client = await trypi(fault)

    answer = await client.call("POST", "/avatars/generate", SMALL, headers=KEY)

    assert (answer.status, answer.body["error"]["type"], answer.body["error"]["code"]) == (status, type, code)
    assert client.running.books("trypi").charged == charged


async def test_a_broken_answer_to_an_accepted_submit_is_good_when_repeated(trypi: Begin) -> None:
    client = await trypi("error_after")

    broken = await client.call("POST", "/avatars/generate", SMALL, headers=KEY)
    again = await client.call("POST", "/avatars/generate", SMALL, headers=KEY)

    assert (broken.status, again.status) == (500, 202)
    assert list(client.running.books("trypi").tasks) == [again.data["job_id"]]


async def test_a_job_that_could_not_be_started_is_left_behind_and_not_kept_under_its_key(
    trypi: Begin,
) -> None:
    client = await trypi("trigger_failed")

    await client.call("POST", "/avatars/generate", SMALL, headers=KEY)
    await client.call("POST", "/avatars/generate", SMALL, headers=KEY)

    books = client.running.books("trypi")
    assert [(entry.status, entry.charged) for entry in books.tasks.values()] == [("failed", 0)] * 2


async def test_a_burst_that_is_refused_says_until_when(trypi: Begin) -> None:
    client = await trypi("rate_limit", clock=lambda: AT, lag_s=3.0)

    answer = await client.call("GET", "/avatars")

    assert (answer.headers["X-RateLimit-Remaining"], answer.headers["X-RateLimit-Reset"]) == (
        "0",
        "1710000003",
    )


async def test_a_long_prompt_may_be_refused_although_it_is_documented(trypi: Begin) -> None:
    client = await trypi("short_prompts")

    short = await client.call("POST", "/avatars/generate", {"prompt": "x" * 4000})
    long = await client.call("POST", "/avatars/generate", {"prompt": "x" * 4001})

    assert (short.status, long.status) == (202, 400)


async def test_a_link_may_be_missing_at_the_first_look(trypi: Begin) -> None:
    client = await trypi("link_missing")

    first = await _completed(client)
    second = await client.call("GET", f"/jobs/{first['data']['id']}?expand=avatar")

    assert (first["status"], first["data"]["avatar"]) == ("completed", {"image_url": None})
    assert second.data["avatar"]["image_url"].endswith(".png")


async def test_a_fresh_job_can_not_be_found_at_once(trypi: Begin) -> None:
    now = [AT]
    client = await trypi("lookup_lag", lag_s=3.0, clock=lambda: now[0])
    job = await _generate(client)

    early = await client.call("GET", f"/jobs/{job}")
    now[0] += 3.0
    later = await client.call("GET", f"/jobs/{job}")

    assert (early.status, later.status) == (404, 200)


async def test_an_early_job_is_completed_before_it_is_answered_as_queued(trypi: Begin) -> None:
    client = await trypi("early", latency_s=3600.0)

    answer = await client.call("POST", "/avatars/generate", SMALL)
    shown = await client.call("GET", f"/jobs/{answer.data['job_id']}")

    assert (answer.body["status"], shown.body["status"]) == ("queued", "completed")


async def test_look_ups_break_too_and_not_for_ever(trypi: Begin) -> None:
    client = await trypi("error_before=0.5")

    assert {(await client.call("GET", "/avatars")).status for _ in range(20)} == {200, 500}


async def test_a_saved_avatar_may_be_answered_by_silence(trypi: Begin) -> None:
    client = await trypi("answer_lost=0.5")
    job = ""
    while not job:
        try:
            job = await _generate(client)
        except aiohttp.ServerDisconnectedError:
            continue
    await client.running.idle()

    lost = 0
    for number in range(20):
        try:
            await client.call("POST", "/avatars/save", {"job_id": job, "label": str(number)})
        except aiohttp.ServerDisconnectedError:
            lost += 1

    assert 0 < lost < 20
    assert (await client.call("GET", "/avatars")).data["total_count"] == 20


async def test_links_expire_and_downloads_break(trypi: Begin) -> None:
    expiring, breaking = await trypi("expired_link=0.5"), await trypi("truncated_download")
    shown = await _completed(expiring)
    links = [
        (await expiring.call("GET", f"/jobs/{shown['data']['id']}?expand=avatar")).data["avatar"]["image_url"]
        for _ in range(10)
    ]

    assert {(await expiring.http.get(link)).status for link in links} == {200, 403}
    reply = await breaking.http.get((await _completed(breaking))["data"]["avatar"]["image_url"])
    with pytest.raises(aiohttp.ClientPayloadError):
        await reply.read()


async def test_the_books_tell_what_happened(trypi: Begin) -> None:
    client = await trypi(credits=2)
    await _generate(client, EXAMPLE, **{"Idempotency-Key": "a"})
    await _generate(client, EXAMPLE, **{"Idempotency-Key": "b"})
    await client.running.idle()
    refused = await client.call("POST", "/avatars/generate", EXAMPLE)

    books = client.running.books("trypi")
    entries = list(books.tasks.values())
    assert [(e.operation, e.status, e.charged) for e in entries] == [("generate_avatar", "completed", 1)] * 2
    assert entries[0].digest == entries[1].digest
    assert books.repeated() == {"workflow-run-123-step-7": tuple(books.tasks)}
    assert (refused.status, books.balance) == (402, 0)
    assert books.counts["POST /avatars/generate 202"] == 2
