"""Others are told how a run ended, by a real server to a service that does what it likes."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

from aiohttp import web
from standardwebhooks import Webhook

SHARED = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
SECRETS = {"secrets": {"notify": SHARED, "other": OTHER, "token": "no-key-of-webhooks"}}

QUICK = """
name: quick
inputs:
  word: {type: string, default: hat}
steps:
  rest: {uses: core/sleep, with: {duration: 10ms}}
outputs:
  word: ${{ inputs.word }}
"""
DOOMED = """
name: doomed
steps:
  rest: {uses: core/run_workflow, with: {workflow: quick, inputs: {word: '${{ [] }}'}}}
"""


async def begin(server: Any, *notify: Any, **inputs: Any) -> str:
    body = {"workflow": "quick", "inputs": inputs, "notify": list(notify)}
    status, run = await server.post("/runs", body)
    assert status == 201, run
    return str(run["id"])


async def notices(server: Any, run: str, status: str) -> list[dict[str, Any]]:
    """Return the notices of a run once each has *status*."""
    found: list[dict[str, Any]] = []

    async def are_so() -> bool:
        found[:] = (await server.get(f"/runs/{run}"))["notifications"]
        return bool(found) and all(one["status"] == status for one in found)

    await server.until(are_so, f"the notices of {run} to be {status}", 30.0)
    return found


async def has_failed(server: Any, run: str, error: str) -> None:
    """Return once the only notice of a run could not be delivered because of *error*."""

    async def is_so() -> bool:
        found = (await server.get(f"/runs/{run}"))["notifications"]
        return any(error in (one["error"] or "") for one in found)

    await server.until(is_so, f"the notice of {run} to fail: {error}", 30.0)


async def test_the_end_is_told_in_a_signed_message(serve: Callable[..., Any], service: Any) -> None:
    service.on("/done")(lambda seen: web.Response(status=204))
    named = QUICK + f"notify:\n  - {service.url}/done\n  - {{url: '{service.url}/failed', on: [failed]}}\n"
    server = await serve(named, tables=SECRETS)
    run = await begin(server, {"url": f"{service.url}/done?key=5", "secret": "other"})
    first, second = await notices(server, run, "delivered")
    shown = await server.get(f"/runs/{run}")
    _, told, _ = await server.says("runs", "show", run)

    assert [seen.path for seen in service.seen] == ["/done", "/done"]
    for seen, secret in zip(sorted(service.seen, key=lambda s: len(s.query)), (SHARED, OTHER), strict=True):
        body = Webhook(secret).verify(seen.body, dict(seen.headers))
        assert body["type"] == "run.succeeded"
        assert body["timestamp"] == shown["finished_at"]
        assert body["data"] == {name: value for name, value in shown.items() if name != "notifications"}
    assert {seen.headers["webhook-id"] for seen in service.seen} == {first["id"], second["id"]}
    assert f"{service.url}/done  delivered, 1 attempt" in told
    assert "was told" in told
    assert "key=5" not in told
    assert SHARED not in server.log


async def test_who_does_not_answer_is_told_again_also_after_a_crash(
    serve: Callable[..., Any], service: Any
) -> None:
    answers = iter([None, web.Response(status=200)])
    service.on("/done")(lambda seen: next(answers))
    server = await serve(QUICK, tables=SECRETS)
    run = await begin(server, f"{service.url}/done")
    await has_failed(server, run, "closed before the answer")
    await server.kill()
    await server.start()
    [notice] = await notices(server, run, "delivered")
    events = await server.get(f"/events?run={run}&type=notification.*")

    first, second = service.seen
    assert first.headers["webhook-id"] == second.headers["webhook-id"] == notice["id"]
    assert first.body == second.body
    assert notice["attempts"] == 2
    [failed, sent] = [event["data"] for event in events["items"]]
    assert "closed before the answer" in failed["error"]
    assert sent["status"] == 200


async def test_who_is_gone_is_told_no_more_unless_a_person_wants_it(
    serve: Callable[..., Any], service: Any
) -> None:
    answers = iter([web.Response(status=410), web.Response(status=200)])
    service.on("/done")(lambda seen: next(answers))
    server = await serve(QUICK, tables=SECRETS)
    run = await begin(server, f"{service.url}/done")
    [given_up] = await notices(server, run, "given_up")
    code, out, _ = await server.says("runs", "renotify", run, "--comment", "it is there again")
    [delivered] = await notices(server, run, "delivered")

    assert given_up["error"] == "it was answered with 410"
    assert (code, out) == (0, f"{service.url}/done is told once more\n")
    assert delivered["id"] == given_up["id"]
    assert delivered["attempts"] == 1


async def test_a_redirect_is_not_followed_and_our_own_network_not_told(
    serve: Callable[..., Any], service: Any
) -> None:
    service.on("/done")(lambda seen: web.Response(status=302, headers={"Location": "/there"}))
    server = await serve(QUICK, tables=SECRETS)
    run = await begin(server, f"{service.url}/done")
    await has_failed(server, run, "it was answered with 302")
    await server.kill()
    server.private = False
    await server.start()
    other = await begin(server, f"{service.url}/done")
    await has_failed(server, run, "private or special network")
    await has_failed(server, other, "private or special network")

    assert [seen.path for seen in service.seen] == ["/done"]


async def test_a_secret_that_is_gone_is_told_as_such(serve: Callable[..., Any], service: Any) -> None:
    service.on("/done")(lambda seen: web.Response(status=500))
    server = await serve(QUICK, tables=SECRETS)
    run = await begin(server, {"url": f"{service.url}/done", "secret": "other"})
    await has_failed(server, run, "it was answered with 500")
    await server.kill()
    server.tables = {"secrets": {"notify": SHARED}}
    await server.start()
    await has_failed(server, run, "there is no secret 'other' in [secrets] of the settings")

    assert len(service.seen) == 1


async def test_what_cannot_be_told_is_refused_before_the_run_is_stored(
    serve: Callable[..., Any],
) -> None:
    server = await serve(QUICK, tables=SECRETS)
    target = {"url": "https://example.com"}
    wrong = ["example.com", {**target, "secret": "nobody"}, {**target, "secret": "token"}]
    status, problem = await server.post("/runs", {"workflow": "quick", "notify": wrong})
    listed = await server.get("/runs")

    assert status == 422
    assert [error["location"] for error in problem["errors"]] == [
        "notify[0].url",
        "notify[1].secret",
        "notify[2].secret",
    ]
    assert listed["items"] == []


async def test_a_retried_run_tells_its_new_end(serve: Callable[..., Any], service: Any) -> None:
    service.on("/done")(lambda seen: web.Response(status=200))
    server = await serve(QUICK, DOOMED, tables=SECRETS)
    _, run = await server.post("/runs", {"workflow": "doomed", "notify": [f"{service.url}/done"]})
    [first] = await notices(server, run["id"], "delivered")
    await server.post(f"/runs/{run['id']}/retry", {})
    await service.until_seen(2)
    [second] = await notices(server, run["id"], "delivered")

    assert first["id"] != second["id"]
    assert [json.loads(seen.body)["type"] for seen in service.seen] == ["run.failed", "run.failed"]


async def test_who_is_slow_holds_up_nobody_else(serve: Callable[..., Any], service: Any) -> None:
    is_over = asyncio.Event()

    async def slow() -> web.Response:
        await is_over.wait()
        return web.Response()

    service.on("/slow")(lambda seen: slow())
    service.on("/done")(lambda seen: web.Response())
    server = await serve(QUICK, tables=SECRETS)
    slow_url = f"{service.url.replace('127.0.0.1', 'localhost')}/slow"
    crowd = [await begin(server, slow_url) for _ in range(20)]
    await service.until_seen(4)
    run = await begin(server, f"{service.url}/done")
    await notices(server, run, "delivered")
    held_up = [seen for seen in service.seen if seen.path == "/slow"]
    is_over.set()
    for each in crowd:
        await notices(server, each, "delivered")

    assert len(held_up) == 4
