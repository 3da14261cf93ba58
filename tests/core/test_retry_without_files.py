"""A run that is retried when files of it were removed: it is said at once, and nothing is paid for."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from PIL import Image

WORKFLOW = """
name: poster
inputs:
  base: {type: string}
  photo: {type: string, format: image, default: 'https://example.com/none.png'}
steps:
  draw:
    uses: core/http
    with:
      url: ${{ inputs.base }}/draw
      json: {}
      result: ${{ response.json }}
      artifacts: ['${{ response.json.url }}', '${{ response.json.other }}']
  pay:
    uses: core/http
    needs: [draw]
    with: {url: '${{ inputs.base }}/pay', json: {}}
  print:
    uses: core/http
    needs: [pay]
    with: {url: '${{ inputs.base }}/print', json: READS}
"""

OVER = """
name: over
inputs:
  base: {type: string}
steps:
  sub:
    uses: core/run_workflow
    with: {workflow: poster, inputs: {base: '${{ inputs.base }}'}}
"""

READS_PICTURE = WORKFLOW.replace("READS", "{image: '${{ steps.draw.artifacts[0] }}'}")
READS_ID = WORKFLOW.replace("READS", "{id: '${{ steps.draw.output.id }}'}")
READS_PHOTO = WORKFLOW.replace("READS", "{image: '${{ inputs.photo }}'}")


def picture(color: str) -> bytes:
    file = BytesIO()
    Image.new("RGB", (8, 8), color).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def shop(service: Any) -> dict[str, Any]:
    """Let the service draw two pictures, and refuse to be paid for now."""
    answers: dict[str, Any] = {"text": "", "pays": False}
    urls = {"url": f"{service.url}/one.png", "other": f"{service.url}/two.png"}
    service.on("/draw")(lambda seen: web.json_response({**urls, "id": "d1", "text": answers["text"]}))
    service.on("/one.png")(lambda seen: web.Response(body=picture("teal"), content_type="image/png"))
    service.on("/two.png")(lambda seen: web.Response(body=picture("red"), content_type="image/png"))
    service.on("/pay")(lambda seen: web.json_response({}, status=200 if answers["pays"] else 400))
    service.on("/print")(lambda seen: web.json_response({}))
    return answers


def asked(service: Any, path: str) -> int:
    return [seen.path for seen in service.seen].count(path)


def path_of(server: Any, digest: str) -> Path:
    name = digest.removeprefix("sha256:")
    found: Path = server.folder / "artifacts" / "sha256" / name[:2] / name
    return found


async def failed(server: Any, service: Any, shop: dict[str, Any]) -> dict[str, Any]:
    """Return a run that has drawn, and could not pay; from now on it could."""
    run: dict[str, Any] = await server.ended(await server.begin("poster", base=service.url))
    assert run["error"]["message"].startswith("step 'pay' failed"), run["error"]
    shop["pays"] = True
    return run


async def test_what_is_not_held_any_more_is_said_before_anything_is_begun(
    serve: Callable[..., Any], service: Any, shop: dict[str, Any]
) -> None:
    server = await serve(READS_PICTURE)
    run = await failed(server, service, shop)
    digest = run["steps"][0]["artifacts"][0]["digest"]
    path_of(server, digest).unlink()
    status, problem = await server.post(f"/runs/{run['id']}/retry", {})
    code, _, said = await server.says("runs", "retry", run["id"])
    after, paid = await server.get(f"/runs/{run['id']}"), asked(service, "/pay")
    from_there, retried = await server.post(f"/runs/{run['id']}/retry", {"from": "draw"})
    ended = await server.ended(run["id"])

    assert status == 409
    assert "step 'print' needs what step 'draw' has brought" in problem["detail"]
    assert f"the artifact {digest} is not held any more" in problem["detail"]
    assert "--from draw" in problem["detail"]
    assert code == 1
    assert "--from draw" in said
    assert (after["status"], paid) == ("failed", 1)
    assert (from_there, retried["paid_again"]) == (202, ["draw"])
    assert ended["status"] == "succeeded", ended["error"]


@pytest.mark.parametrize(("workflow", "lost"), [(READS_ID, 0), (READS_PICTURE, 1)])
async def test_what_no_step_looks_at_may_be_gone(
    serve: Callable[..., Any], service: Any, shop: dict[str, Any], workflow: str, lost: int
) -> None:
    server = await serve(workflow)
    run = await failed(server, service, shop)
    path_of(server, run["steps"][0]["artifacts"][lost]["digest"]).unlink()
    status, _ = await server.post(f"/runs/{run['id']}/retry", {})
    ended = await server.ended(run["id"])

    assert status == 202
    assert ended["status"] == "succeeded", ended["error"]
    assert asked(service, "/draw") == 1


async def test_a_large_output_that_is_gone_is_said_as_well(
    serve: Callable[..., Any], service: Any, shop: dict[str, Any]
) -> None:
    shop["text"] = "long " * 60_000
    server = await serve(READS_ID)
    run = await failed(server, service, shop)
    path_of(server, run["steps"][0]["output_artifact"]["digest"]).unlink()
    status, problem = await server.post(f"/runs/{run['id']}/retry", {})

    assert status == 409
    assert "step 'print' needs what step 'draw' has brought" in problem["detail"]
    assert asked(service, "/pay") == 1


async def test_an_input_that_is_gone_asks_for_a_new_run(
    serve: Callable[..., Any], service: Any, shop: dict[str, Any]
) -> None:
    server = await serve(READS_PHOTO)
    (server.folder / "photo.png").write_bytes(picture("blue"))
    given = ("-i", f"base={service.url}", "-i", f"photo=@{server.folder / 'photo.png'}")
    await server.says("run", "poster", *given, "--wait")
    [run] = (await server.get("/runs"))["items"]
    path_of(server, run["inputs"]["photo"].removeprefix("artifact:")).unlink()
    shop["pays"] = True
    status, problem = await server.post(f"/runs/{run['id']}/retry", {})

    assert status == 409
    assert "step 'print' needs an input" in problem["detail"]
    assert "start a new run" in problem["detail"]


async def test_what_a_run_in_a_run_lacks_is_said_of_the_step_that_it_is(
    serve: Callable[..., Any], service: Any, shop: dict[str, Any]
) -> None:
    server = await serve(READS_PICTURE, OVER)
    run = await server.ended(await server.begin("over", base=service.url))
    child = await server.get(f"/runs/{run['steps'][0]['child']['run']}")
    path_of(server, child["steps"][0]["artifacts"][0]["digest"]).unlink()
    shop["pays"] = True
    status, problem = await server.post(f"/runs/{run['id']}/retry", {})
    from_there, _ = await server.post(f"/runs/{run['id']}/retry", {"from": "sub"})
    ended = await server.ended(run["id"])

    assert status == 409
    assert f"step 'sub' is {child['id']}, in which step 'print' needs" in problem["detail"]
    assert "--from sub" in problem["detail"]
    assert from_there == 202
    assert ended["status"] == "succeeded", ended["error"]


async def test_a_step_that_is_tried_again_by_itself_does_not_pay_for_a_run_that_lacks_a_file(
    serve: Callable[..., Any], service: Any, shop: dict[str, Any]
) -> None:
    again = "uses: core/run_workflow\n    retry: {attempts: 2, backoff: 10ms, on: [task_failed]}"
    server = await serve(READS_PICTURE, OVER.replace("uses: core/run_workflow", again))

    def refuses(seen: Any) -> web.Response:
        for file in (server.folder / "artifacts" / "sha256").glob("*/*"):
            file.unlink()
        return web.json_response({}, status=400)

    service.on("/pay")(refuses)
    run = await server.ended(await server.begin("over", base=service.url))

    error = run["steps"][0]["error"]
    assert (run["steps"][0]["attempt"], error["class"]) == (2, "result_unavailable")
    assert "cannot go on as it is: step 'print' needs what step 'draw' has brought" in error["message"]
    assert asked(service, "/pay") == 1
