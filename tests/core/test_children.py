"""Runs that are steps of other runs, over a real server: what is seen, and what goes up and down."""

from collections.abc import Callable
from typing import Any

from aiohttp import web

CHILD = """
name: child
inputs:
  base: {type: string}
  asks: {type: boolean, default: false}
steps:
  first:
    uses: core/http
    with: {url: '${{ inputs.base }}/first', json: {}, result: '${{ response.json }}'}
  ask:
    uses: core/approve
    needs: [first]
    if: inputs.asks
    with: {message: May it go on?}
  second:
    uses: core/http
    needs: [first, ask]
    if: always() and steps.first.status == 'succeeded' and steps.ask.status in ['skipped', 'succeeded']
    with: {url: '${{ inputs.base }}/second', json: {}, result: '${{ response.json }}'}
outputs:
  both: ['${{ steps.first.output.n }}', '${{ steps.second.output.n }}']
"""


def parent(more: str = "") -> str:
    return f"""
name: parent
inputs:
  base: {{type: string}}
  asks: {{type: boolean, default: false}}
steps:
  sub:
    uses: core/run_workflow
    {more}
    with:
      workflow: child
      inputs: {{base: '${{{{ inputs.base }}}}', asks: '${{{{ inputs.asks }}}}'}}
outputs:
  both: ${{{{ steps.sub.output.both }}}}
"""


def counts(service: Any) -> tuple[int, int]:
    """Return how often each of the two paid requests was made."""
    paths = [seen.path for seen in service.seen]
    return paths.count("/first"), paths.count("/second")


def answers(service: Any) -> None:
    service.on("/first")(lambda seen: web.json_response({"n": 1}))
    service.on("/second")(lambda seen: web.json_response({"n": 2}))


async def child_of(server: Any, run: str) -> str:
    """Return the run that is the only step of *run*, once it is there."""
    found: list[str] = []

    async def is_there() -> bool:
        [step] = (await server.get(f"/runs/{run}"))["steps"]
        found[:] = [step["child"]["run"]] if step["child"] else []
        return bool(found)

    await server.until(is_there, f"{run} to have a child", 20.0)
    return found[0]


async def test_parent_and_child_show_each_other_and_survive_a_crash(
    serve: Callable[..., Any], service: Any
) -> None:
    answers(service)
    server = await serve(CHILD, parent())
    run = await server.begin("parent", base=service.url, asks=True)
    child = await child_of(server, run)
    await server.asked(child, "ask")
    above, below = await server.get(f"/runs/{run}"), await server.get(f"/runs/{child}")
    _, told, _ = await server.says("runs", "show", run)
    _, told_below, _ = await server.says("runs", "show", child)
    _, board, _ = await server.says("waiting")
    await server.kill()
    await server.start()
    await server.says("runs", "approve", child, "ask")
    ended = await server.ended(run)

    [step] = above["steps"]
    assert step["child"] == {"run": child, "progress": "running: ask"}
    assert below["parent"] == {"run": run, "job": step["job"]}
    assert above["parent"] is None
    assert f"waits for {child} (running: ask)" in told
    assert f"is the run {child} of child" in told
    assert f"step of {run}" in " ".join(told_below.split())
    assert "the end of its run" in board
    assert ended["outputs"] == {"both": [1, 2]}
    assert counts(service) == (1, 1)


async def test_cancelling_goes_down(serve: Callable[..., Any], service: Any) -> None:
    answers(service)
    server = await serve(CHILD, parent())
    run = await server.begin("parent", base=service.url, asks=True)
    child = await child_of(server, run)
    await server.asked(child, "ask")
    await server.says("runs", "cancel", run)
    above, below = await server.ended(run), await server.ended(child)

    assert (above["status"], below["status"]) == ("cancelled", "cancelled")
    assert counts(service) == (1, 0)


async def test_a_step_that_runs_out_of_time_ends_its_run(serve: Callable[..., Any], service: Any) -> None:
    answers(service)
    server = await serve(CHILD, parent("timeout: 2s"))
    run = await server.begin("parent", base=service.url, asks=True)
    child = await child_of(server, run)
    above, below = await server.ended(run), await server.ended(child)

    assert above["steps"][0]["error"]["class"] == "timeout"
    assert below["status"] == "cancelled"


async def test_a_failure_goes_up_and_a_retry_down_without_paying_again(
    serve: Callable[..., Any], service: Any
) -> None:
    answers(service)
    service.on("/second")(lambda seen: web.Response(status=422, text="no hats"))
    server = await serve(CHILD, parent())
    run = await server.begin("parent", base=service.url)
    failed = await server.ended(run)
    child = await child_of(server, run)
    answers(service)
    code, _, _ = await server.says("runs", "retry", run)
    ended = await server.ended(run)

    error = failed["steps"][0]["error"]
    assert error["class"] == "task_failed"
    assert error["message"] == f"{child} failed: step 'second' failed: it was answered with 422: no hats"
    assert code == 0
    assert ended["outputs"] == {"both": [1, 2]}
    assert await child_of(server, run) == child
    assert counts(service) == (1, 2)


async def test_another_attempt_lets_the_same_run_go_on(serve: Callable[..., Any], service: Any) -> None:
    answers(service)
    said = iter([web.Response(status=422), web.json_response({"n": 2})])
    service.on("/second")(lambda seen: next(said))
    server = await serve(CHILD, parent("retry: {attempts: 2, backoff: 10ms, on: [task_failed]}"))
    ended = await server.ended(await server.begin("parent", base=service.url))

    assert ended["outputs"] == {"both": [1, 2]}
    assert ended["steps"][0]["attempt"] == 2
    assert counts(service) == (1, 2)
