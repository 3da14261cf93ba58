"""Outputs and parameters that are too large for the log, over a real server: only who looks notices."""

import json
import os
import sqlite3
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

LIMIT = 256 * 1024

WORKFLOW = """
name: words
inputs:
  base: {type: string}
steps:
  read:
    uses: core/http
    with: {url: '${{ inputs.base }}/words', json: {}, result: '${{ response.json }}'}
  each:
    uses: core/http
    for_each: ${{ steps.read.output.chapters }}
    with:
      url: ${{ inputs.base }}/chapter
      json: {number: '${{ item.number }}'}
      result: ${{ response.json }}
  send:
    uses: core/http
    with: {url: '${{ inputs.base }}/send', json: '${{ steps.read.output }}', result: '${{ response.json }}'}
  status:
    uses: core/http
    needs: [send]
    with:
      url: ${{ inputs.base }}/status
      json: {is: '${{ steps.read.status }}'}
      result: ${{ response.json }}
outputs:
  words: ${{ steps.read.output }}
  seen: ${{ steps.send.output.seen }}
"""

OVER = """
name: over
inputs:
  base: {type: string}
steps:
  words:
    uses: core/run_workflow
    with: {workflow: words, inputs: {base: '${{ inputs.base }}'}}
  ask: {uses: core/approve, needs: [words], with: {message: Go on?}}
outputs:
  first: ${{ steps.words.output.words.chapters[0].number }}
  seen: ${{ steps.words.output.seen }}
"""

ASKS = """
name: asks
inputs:
  base: {type: string}
steps:
  read:
    uses: core/http
    with: {url: '${{ inputs.base }}/words', json: {}, result: '${{ response.json }}'}
  pick:
    uses: core/approve
    with: {message: Which?, choices: '${{ steps.read.output.chapters }}', pick: 1}
outputs:
  number: ${{ steps.pick.output.chosen[0].number }}
"""

WAITS = """
name: waits
inputs:
  base: {type: string}
steps:
  task:
    uses: core/http
    with:
      url: ${{ inputs.base }}/tasks
      json: {to: '${{ callback.url }}'}
      wait: callback
      result: {id: '${{ response.json.id }}', state: '${{ callback.json.state }}'}
outputs:
  task: ${{ steps.task.output }}
"""


def words(size: int) -> dict[str, Any]:
    """Return a text of about *size* bytes as JSON, a third of that as UTF-8, with its names in no order."""
    return {"z": 1, "chapters": [{"number": n, "text": "ä" * (size // 18)} for n in range(3)], "a": 2}


@pytest.fixture
def book(service: Any) -> Callable[[int], None]:
    """Let the service have a text of so many bytes."""

    def of(size: int) -> None:
        service.on("/words")(lambda seen: web.json_response(words(size)))
        service.on("/chapter")(lambda seen: web.json_response({"number": seen.json["number"]}))
        service.on("/send")(
            lambda seen: web.json_response({"seen": sha256(seen.body).hexdigest(), "keys": list(seen.json)})
        )
        service.on("/status")(lambda seen: web.json_response({"ok": True}))

    return of


def artifact_of(server: Any, digest: str) -> Path:
    name = digest.removeprefix("sha256:")
    found: Path = server.folder / "artifacts" / "sha256" / name[:2] / name
    return found


def step_of(run: dict[str, Any], name: str) -> dict[str, Any]:
    return next(step for step in run["steps"] if step["id"] == name)


async def fetched(server: Any, artifact: dict[str, Any]) -> Any:
    async with aiohttp.ClientSession() as session, session.get(server.address + artifact["href"]) as answer:
        return json.loads(await answer.read())


def longest_event(server: Any) -> int:
    with sqlite3.connect(server.folder / "orchestrator.db") as db:
        (longest,) = db.execute("SELECT max(length(data)) FROM events").fetchone()
    return int(longest)


async def test_a_large_output_does_what_a_small_one_does(
    serve: Callable[..., Any], service: Any, book: Callable[[int], None]
) -> None:
    server = await serve(WORKFLOW)
    seen, steps = [], []
    for size in (600, 900_000):
        book(size)
        run = await server.ended(await server.begin("words", base=service.url))
        assert run["status"] == "succeeded", run["error"]
        whole = run["outputs"] or await fetched(server, run["outputs_artifact"])
        assert list(whole["words"]) == ["z", "chapters", "a"]
        assert whole["words"] == words(size)
        seen.append(step_of(run, "send")["output"]["keys"])
        steps.append([(step["id"], step["index"], step["status"]) for step in run["steps"]])

    assert seen[0] == seen[1] == ["z", "chapters", "a"]
    assert steps[0] == steps[1]


async def test_the_log_holds_no_large_value_and_says_where_it_is(
    serve: Callable[..., Any], service: Any, book: Callable[[int], None]
) -> None:
    server = await serve(WORKFLOW)
    book(900_000)
    run = await server.ended(await server.begin("words", base=service.url))
    read = step_of(run, "read")
    job = await server.get(f"/jobs/{read['job']}")
    [listed] = (await server.get("/runs"))["items"]
    code, told, _ = await server.says("runs", "show", run["id"])

    assert longest_event(server) < LIMIT
    assert read["output"] is None
    assert read["output_artifact"]["media_type"] == "application/json"
    assert read["output_artifact"]["size"] > LIMIT
    assert await fetched(server, read["output_artifact"]) == words(900_000)
    assert job["response"] is None
    assert job["response_artifact"] == read["output_artifact"]
    assert run["outputs"] is None
    assert listed["outputs_artifact"] == run["outputs_artifact"]
    assert step_of(run, "send")["output_artifact"] is None
    assert code == 0
    assert "too large to be shown here  application/json" in told
    assert f"{server.address}{run['outputs_artifact']['href']}" in told
    assert "succeeded with outputs" in told


async def test_large_values_survive_a_kill_and_prove_true(
    serve: Callable[..., Any], service: Any, book: Callable[[int], None]
) -> None:
    server = await serve(WORKFLOW, OVER)
    book(900_000)
    run = await server.begin("over", base=service.url)
    await server.asked(run, "ask")
    await server.kill()
    await server.start()
    await server.decide(run, "ask", approved=True)
    ended = await server.ended(run)
    await server.kill()
    code, said, problem = await server.says("verify", "--config", str(server.folder / "orchestrator.toml"))

    assert ended["outputs"]["first"] == 0
    assert step_of(ended, "words")["output_artifact"] is not None
    assert code == 0, (said, problem)


async def test_a_question_with_large_choices_is_asked_and_answered(
    serve: Callable[..., Any], service: Any, book: Callable[[int], None]
) -> None:
    server = await serve(ASKS)
    book(900_000)
    run = await server.begin("asks", base=service.url)
    await server.asked(run, "pick")
    await server.kill()
    await server.start()
    asked = await server.asked(run, "pick")
    job = await server.get(f"/jobs/{step_of(await server.get(f'/runs/{run}'), 'pick')['job']}")
    status, _ = await server.decide(run, "pick", approved=True, chosen=[2])
    ended = await server.ended(run)

    assert [choice["number"] for choice in asked["choices"]] == [0, 1, 2]
    assert job["question"]["choices"] == asked["choices"]
    assert status == 200
    assert ended["outputs"] == {"number": 2}
    assert longest_event(server) < LIMIT


async def test_a_large_answer_waits_for_its_callback_outside_the_log(
    serve: Callable[..., Any], service: Any
) -> None:
    service.on("/tasks")(lambda seen: web.json_response(words(900_000) | {"id": "t1"}))
    server = await serve(WAITS)
    run = await server.begin("waits", base=service.url)
    [asked] = await service.until_seen(1)

    async def waits() -> bool:
        return bool(step_of(await server.get(f"/runs/{run}"), "task")["job_status"] == "waiting")

    await server.until(waits, "the job to wait for its callback", 20.0)
    await server.kill()
    await server.start()
    await service.send(asked.json["to"], {"state": "done"})
    ended = await server.ended(run)

    assert ended["outputs"] == {"task": {"id": "t1", "state": "done"}}
    assert longest_event(server) < LIMIT


@pytest.mark.parametrize("damage", ["missing", "damaged"])
async def test_a_step_that_needs_a_large_output_that_is_gone_says_so(
    serve: Callable[..., Any], service: Any, book: Callable[[int], None], damage: str
) -> None:
    server = await serve(
        """
name: later
inputs:
  base: {type: string}
steps:
  read:
    uses: core/http
    with: {url: '${{ inputs.base }}/words', json: {}, result: '${{ response.json }}'}
  ask: {uses: core/approve, needs: [read], with: {message: Go on?}}
  send:
    uses: core/http
    needs: [ask]
    with: {url: '${{ inputs.base }}/send', json: '${{ steps.read.output.a }}', result: '${{ response.json }}'}
  status:
    uses: core/http
    needs: [ask]
    with: {url: '${{ inputs.base }}/status', json: '${{ steps.read.status }}', result: '${{ response.json }}'}
"""
    )
    book(900_000)
    run = await server.begin("later", base=service.url)
    await server.asked(run, "ask")
    held = step_of(await server.get(f"/runs/{run}"), "read")["output_artifact"]["digest"]
    await server.kill()
    if damage == "missing":
        artifact_of(server, held).unlink()
    else:
        os.truncate(artifact_of(server, held), 1000)
    await server.start()
    await server.decide(run, "ask", approved=True)
    ended = await server.ended(run)

    error = step_of(ended, "send")["error"]
    assert error["class"] == "result_unavailable"
    assert "the output of step 'read' cannot be read" in error["message"]
    assert ("not held any more" if damage == "missing" else "damaged") in error["message"]
    assert step_of(ended, "status")["status"] == "succeeded"
    assert "Traceback" not in server.log


TAKES = """
name: takes
inputs:
  base: {type: string}
  text: {type: string}
steps:
  send:
    uses: core/http
    with: {url: '${{ inputs.base }}/send', json: {text: '${{ inputs.text }}'}, result: '${{ response.json }}'}
outputs:
  seen: ${{ steps.send.output.seen }}
"""


async def test_large_inputs_are_an_artifact_that_steps_read_like_any_other(
    serve: Callable[..., Any], service: Any, book: Callable[[int], None]
) -> None:
    book(LIMIT)
    server = await serve(TAKES)
    small = await server.ended(await server.begin("takes", base=service.url, text="ä"))
    large = await server.ended(await server.begin("takes", base=service.url, text="a" * LIMIT))
    [listed] = [run for run in (await server.get("/runs"))["items"] if run["id"] == large["id"]]
    _, told, _ = await server.says("runs", "show", large["id"])
    code, verified, _ = await server.says("verify", "--config", str(server.folder / "orchestrator.toml"))
    [created] = (await server.get(f"/runs/{large['id']}/events"))["items"][:1]

    sent = json.dumps({"text": "a" * LIMIT}, ensure_ascii=False, separators=(",", ":")).encode()
    assert small["inputs"]["text"] == "ä"
    assert small["inputs_artifact"] is None
    assert large["outputs"] == {"seen": sha256(sent).hexdigest()}
    for shown in (large, listed):
        assert shown["inputs"] is None
        assert shown["inputs_artifact"]["media_type"] == "application/json"
    assert created["data"]["inputs"] is None
    assert created["data"]["inputs_ref"]["digest"] == large["inputs_artifact"]["digest"]
    assert "too large to be shown here" in told
    assert (code, "As written" in verified) == (0, True)
