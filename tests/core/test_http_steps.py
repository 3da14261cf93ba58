"""Requests of the author's own, over a real server and a service that does what it likes."""

import asyncio
import json
import signal
import sqlite3
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import web
from standardwebhooks import Webhook

from orchestrator import signatures

KEY = "key-of-the-shop-that-nobody-may-see"
SHARED = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
SECRETS = {"secrets": {"shop": KEY, "hook": SHARED}}
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360000002000100"
    "05fe02fea7a6059b0000000049454e44ae426082"
)


def workflow(with_: str, more: str = "") -> str:
    """Return a workflow of one request; *with_* is the inside of its `with`."""
    return f"""
name: ask
inputs:
  base: {{type: string}}
steps:
  ask:
    uses: core/http
    {more}
    with: {{{with_}}}
outputs:
  output: ${{{{ steps.ask.output }}}}
  artifacts: ${{{{ steps.ask.artifacts }}}}
"""


POST = "url: '${{ inputs.base }}/tasks', json: {prompt: a hat}"
CALLED = (
    "url: '${{ inputs.base }}/tasks', json: {prompt: a hat, callback: '${{ callback.url }}'}, wait: callback"
)
RESULT = "result: {id: '${{ response.json.id }}', said: '${{ callback.json.state }}'}"


def answered(body: Any, status: int = 200, **headers: str) -> web.Response:
    return web.json_response(body, status=status, headers=headers)


def everything_stored(server: Any) -> str:
    """Return all that the database holds but for the callbacks as they came, and what was logged."""
    found = [server.log]
    with sqlite3.connect(f"file:{server.folder}/orchestrator.db?mode=ro", uri=True) as db:
        for table in ("events", "jobs", "runs"):
            found += [
                value.decode("latin-1") if isinstance(value, bytes) else str(value)
                for row in db.execute(f"SELECT * FROM {table}")
                for value in row
            ]
        found += [str(row) for row in db.execute("SELECT headers FROM deliveries")]
    return "\n".join(found)


async def job_of(server: Any, run: str) -> dict[str, Any]:
    [job] = (await server.get(f"/jobs?run={run}"))["items"]
    shown: dict[str, Any] = await server.get(f"/jobs/{job['id']}")
    return shown


async def test_an_answer_is_the_result_and_its_files_are_kept(
    serve: Callable[..., Any], service: Any
) -> None:
    images = [f"{service.url}/a.png", f"{service.url}/b.png"]
    service.on("/tasks")(lambda seen: answered({"id": 7, "images": images, "you": seen.headers}))
    service.on("/a.png")(lambda seen: web.Response(body=PNG))
    service.on("/b.png")(lambda seen: web.Response(body=PNG + b"\0"))
    server = await serve(
        workflow(
            f"{POST}, headers: {{Authorization: {{secret: shop, prefix: 'Bearer '}}, X-Number: '5'}}, "
            "result: {id: '${{ response.json.id }}', status: '${{ response.status }}', "
            "mine: '${{ response.json.you.authorization }}'}, artifacts: '${{ response.json.images }}'"
        ),
        tables=SECRETS,
    )
    run = await server.begin("ask", base=service.url)
    ended = await server.ended(run)
    job = await job_of(server, run)

    assert ended["status"] == "succeeded", ended["error"]
    assert ended["outputs"]["output"] == {"id": 7, "status": 200, "mine": "Bearer [shop]"}
    assert [file["size"] for file in ended["outputs"]["artifacts"]] == [len(PNG), len(PNG) + 1]
    [sent] = [seen for seen in service.seen if seen.path == "/tasks"]
    assert (sent.method, sent.body) == ("POST", b'{"prompt":"a hat"}')
    assert sent.headers["authorization"] == f"Bearer {KEY}"
    assert (sent.headers["x-number"], sent.headers["content-type"]) == ("5", "application/json")
    assert job["sent"]["headers"]["Authorization"] == "Bearer [shop]"
    assert KEY not in everything_stored(server)
    assert KEY not in json.dumps([ended, job])


def standard(body: bytes) -> dict[str, str]:
    # By the standard's own library: what others sign is what we must understand.
    at = int(time.time())
    signature = Webhook(SHARED).sign("msg_1", datetime.fromtimestamp(at, UTC), body.decode())
    return {"webhook-id": "msg_1", "webhook-timestamp": str(at), "webhook-signature": signature}


def hmac(body: bytes) -> dict[str, str]:
    return {"X-Signature": f"sha256={signatures.sign_body(KEY, body)}"}


def token(body: bytes) -> dict[str, str]:
    return {"X-Token": KEY}


@pytest.mark.parametrize(
    ("verify", "sign"),
    [
        ("{scheme: standard, secret: hook}", standard),
        ("{scheme: hmac, secret: shop}", hmac),
        ("{scheme: token, secret: shop, header: X-Token}", token),
    ],
)
async def test_only_who_proves_who_it_is_ends_the_step(
    serve: Callable[..., Any], service: Any, verify: str, sign: Callable[[bytes], dict[str, str]]
) -> None:
    service.on("/tasks")(lambda seen: answered({"id": "t1", "webhook": seen.json["callback"]}, 202))
    server = await serve(workflow(f"{CALLED}, verify: {verify}, {RESULT}"), tables=SECRETS)
    run = await server.begin("ask", base=service.url)
    [asked] = await service.until_seen(1)
    url, body = asked.json["callback"], b'{"state": "done"}'
    forged = {name: value[:-4] + "AAAA" for name, value in sign(body).items()}
    statuses = [
        await service.send(url, body),
        await service.send(url, body, **forged),
        await service.send(url, b'{"state": "lie"}', **(sign(body) if sign is not token else {})),
        await service.send(url, body, **sign(body)),
    ]
    ended = await server.ended(run)
    job = await job_of(server, run)
    deliveries = [await server.get(f"/deliveries/{id}") for id in job["deliveries"]]

    assert statuses == [200, 200, 200, 200]
    assert ended["outputs"]["output"] == {"id": "t1", "said": "done"}
    assert [each["verdict"] for each in deliveries] == ["mismatch", "mismatch", "mismatch", "accepted"]
    assert all(each["error"] for each in deliveries[:3])
    stored = everything_stored(server)
    tag = url.rpartition(".")[2]
    assert KEY not in stored
    assert tag not in stored, "who reads the log could call back"


async def test_a_callback_of_which_no_result_can_be_made_is_not_the_one_waited_for(
    serve: Callable[..., Any], service: Any
) -> None:
    service.on("/tasks")(lambda seen: answered({"id": "t1"}))
    server = await serve(workflow(f"{CALLED}, artifacts: '${{{{ callback.json.files }}}}', {RESULT}"))
    service.on("/a.png")(lambda seen: web.Response(body=PNG))
    run = await server.begin("ask", base=service.url)
    [asked] = await service.until_seen(1)
    url = asked.json["callback"]
    await service.send(url, {"state": "queued"})
    await service.send(url, b"\xff\xfe not json")
    await service.send(url, {"state": "done", "files": [f"{service.url}/a.png"]})
    ended = await server.ended(run)
    job = await job_of(server, run)
    deliveries = [await server.get(f"/deliveries/{id}") for id in job["deliveries"]]

    assert ended["outputs"]["output"] == {"id": "t1", "said": "done"}
    assert len(ended["outputs"]["artifacts"]) == 1
    assert [each["verdict"] for each in deliveries] == ["unreadable", "unreadable", "accepted"]
    assert "callback.json.files" in deliveries[0]["error"]


async def test_the_callbacks_address_may_stand_anywhere(serve: Callable[..., Any], service: Any) -> None:
    service.on("/tasks")(lambda seen: answered({}))
    server = await serve(
        workflow(
            "url: '${{ inputs.base }}/tasks?to=${{ callback.url }}', method: PUT, "
            "headers: {X-Call: '<${{ callback.url }}>'}, body: 'call ${{ callback.url }}, please', "
            "wait: callback, result: '${{ callback.query.answer }}'"
        )
    )
    run = await server.begin("ask", base=service.url)
    [asked] = await service.until_seen(1)
    url = asked.query["to"]
    await service.send(f"{url}?answer=yes", b"", method="GET")
    ended = await server.ended(run)
    job = await job_of(server, run)

    assert url.startswith(f"{server.public_url}/callbacks/core/job_")
    assert asked.headers["x-call"] == f"<{url}>"
    assert asked.body == f"call {url}, please".encode()
    assert asked.headers["content-type"] == "text/plain; charset=utf-8"
    assert ended["outputs"]["output"] == "yes"
    assert job["request"] == f"call {server.public_url}/callbacks/core/{job['id']}, please"
    assert url.rpartition(".")[2] not in everything_stored(server)


async def test_a_server_killed_after_the_request_waits_on_and_sends_no_other(
    serve: Callable[..., Any], service: Any
) -> None:
    service.on("/tasks")(lambda seen: answered({"id": "t1"}))
    server = await serve(workflow(f"{CALLED}, {RESULT}"))
    run = await server.begin("ask", base=service.url)
    [asked] = await service.until_seen(1)

    async def waits() -> bool:
        return bool((await job_of(server, run))["status"] == "waiting")

    await server.until(waits, "the answer to be stored", 20.0)
    await server.kill()
    await server.start()
    await service.send(asked.json["callback"], {"state": "done"})
    ended = await server.ended(run)

    assert ended["outputs"]["output"] == {"id": "t1", "said": "done"}
    assert len(service.seen) == 1


async def test_a_request_that_spends_is_sent_once_when_its_answer_is_lost(
    serve: Callable[..., Any], service: Any
) -> None:
    service.on("/tasks")(lambda seen: None)
    server = await serve(workflow(f"{CALLED}, {RESULT}", "on_uncertain: wait"))
    run = await server.begin("ask", base=service.url)
    [asked] = await service.until_seen(1)

    async def is_uncertain() -> bool:
        return bool((await job_of(server, run))["status"] == "uncertain")

    await server.until(is_uncertain, "the job to be uncertain", 20.0)
    await server.kill()
    await server.start()
    await service.send(asked.json["callback"], {"state": "done"})
    await asyncio.sleep(0.5)
    job = await job_of(server, run)

    assert len(service.seen) == 1
    # What `result` reads of the answer nobody knows, so the callback cannot be used.
    assert "response.json" in (await server.get(f"/deliveries/{job['deliveries'][0]}"))["error"]


async def test_with_a_key_the_same_bytes_are_sent_again(serve: Callable[..., Any], service: Any) -> None:
    answers = iter([None, web.Response(status=500), answered({"id": "t1"})])
    service.on("/tasks")(lambda seen: next(answers))
    server = await serve(workflow(f"{CALLED}, idempotency_header: Idempotency-Key, {RESULT}"))
    run = await server.begin("ask", base=service.url)
    first, second, third = await service.until_seen(3)
    await service.send(first.json["callback"], {"state": "done"})
    ended = await server.ended(run)
    job = await job_of(server, run)

    assert first == second == third
    assert first.headers["idempotency-key"] == job["id"]
    assert ended["outputs"]["output"] == {"id": "t1", "said": "done"}
    assert ended["steps"][0]["attempt"] == 1


async def test_what_is_refused_fails_with_the_words_of_who_refused_it(
    serve: Callable[..., Any], service: Any
) -> None:
    answers: list[tuple[Callable[[], web.Response], str, str | None, str]] = [
        (
            lambda: answered({"error": "no hats today"}, 422),
            *("invalid_request", "422", 'it was answered with 422: {"error": "no hats today"}'),
        ),
        (lambda: web.Response(status=401), "unauthorized", "401", "it was answered with 401"),
        (
            lambda: web.Response(status=307, headers={"Location": "/elsewhere"}),
            *("invalid_request", "307"),
            "it was answered with 307, and a redirect of what spends is not followed",
        ),
        (
            lambda: web.Response(body=b"x" * (2 << 20)),
            *("result_unavailable", None, "the answer is longer than 1048576 bytes"),
        ),
    ]
    server = await serve(workflow(POST))
    errors = []
    for answer, *_ in answers:
        service.on("/tasks")(lambda seen, answer=answer: answer())
        ended = await server.ended(await server.begin("ask", base=service.url))
        errors.append(ended["steps"][0]["error"])

    assert errors == [{"class": cls, "code": code, "message": said} for _, cls, code, said in answers]
    assert len(service.seen) == len(answers)


async def test_to_be_asked_to_wait_uses_no_attempt(serve: Callable[..., Any], service: Any) -> None:
    answers = iter(
        [
            web.Response(status=429, headers={"Retry-After": "1"}),
            web.Response(status=503, headers={"Retry-After": "1"}),
            answered({"ok": True}),
        ]
    )
    service.on("/tasks")(lambda seen: next(answers))
    server = await serve(workflow(f"{POST}, result: '${{{{ response.json.ok }}}}'"))
    ended = await server.ended(await server.begin("ask", base=service.url))

    assert ended["outputs"]["output"] is True
    assert ended["steps"][0]["attempt"] == 1
    assert len(service.seen) == 3


async def test_a_question_follows_redirects_and_is_asked_again(
    serve: Callable[..., Any], service: Any
) -> None:
    answers = iter([web.Response(status=500), web.Response(status=302, headers={"Location": "/there"})])
    service.on("/tasks")(lambda seen: next(answers))
    service.on("/there")(
        lambda seen: web.Response(body=b"caf\xe9 \x00", content_type="text/plain", charset="latin-1")
    )
    server = await serve(workflow("url: '${{ inputs.base }}/tasks'", "retry: {backoff: 100ms}"))
    ended = await server.ended(await server.begin("ask", base=service.url))

    assert ended["status"] == "succeeded", ended["error"]
    assert ended["steps"][0]["attempt"] == 2
    assert ended["outputs"]["output"]["text"] == "café �"
    assert ended["outputs"]["output"]["json"] is None
    assert [seen.path for seen in service.seen] == ["/tasks", "/tasks", "/there"]


async def test_nothing_is_sent_into_our_own_network(serve: Callable[..., Any], service: Any) -> None:
    server = await serve(workflow(POST), private=False)
    port = service.url.rpartition(":")[2]
    hosts = ("127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0x7f.1")
    runs = [await server.begin("ask", base=f"http://{host}:{port}") for host in hosts]
    ends = [await server.ended(run) for run in runs]

    assert [ended["steps"][0]["error"]["class"] for ended in ends] == ["refused_url"] * len(hosts)
    assert service.seen == []


async def test_what_needs_a_callback_is_not_sent_where_there_are_none(
    serve: Callable[..., Any], service: Any
) -> None:
    server = await serve(workflow(CALLED), callbacks="off")
    ended = await server.ended(await server.begin("ask", base=service.url))

    assert ended["steps"][0]["error"]["class"] == "invalid_value"
    assert "callbacks are off" in ended["steps"][0]["error"]["message"]
    assert service.seen == []


async def test_an_orderly_stop_waits_for_the_answer(serve: Callable[..., Any], service: Any) -> None:
    service.on("/tasks")(lambda seen: answered({"id": "t1"}))
    server = await serve(workflow(POST))
    run = await server.begin("ask", base=service.url)
    await service.until_seen(1)
    server.process.send_signal(signal.SIGTERM)
    await server.process.wait()
    await server.start()
    ended = await server.ended(run)

    assert ended["status"] == "succeeded"
    assert len(service.seen) == 1


async def test_a_dry_run_sends_nothing(serve: Callable[..., Any], service: Any) -> None:
    server = await serve(workflow(f"{CALLED}, {RESULT}"))
    status, told = await server.post(
        "/runs", {"workflow": "ask", "inputs": {"base": service.url}, "dry_run": True}
    )

    assert (status, told["problems"]) == (200, []), told
    assert service.seen == []
