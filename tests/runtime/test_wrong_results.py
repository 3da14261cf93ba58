"""What a link leads to is not believed to be the result because the answer to it says 200."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from PIL import Image

from orchestrator import app
from orchestrator.settings import Address, Listen, Settings

WORKFLOW = """
name: person
steps:
  person:
    uses: pizi/create_model
    timeout: %s
    with: {gender: FEMALE}
"""


def picture() -> bytes:
    buffer = BytesIO()
    Image.new("RGB", (8, 6), "teal").save(buffer, "PNG")
    return buffer.getvalue()


@dataclass
class Pizi:
    """A provider that has made its one picture at once, and shows at its link what the test says."""

    show: Callable[[int], web.Response] = lambda nth: web.Response(body=picture())
    url: str = ""
    asked: int = 0
    tasks: dict[str, Any] = field(default_factory=dict)

    async def handle(self, request: web.Request) -> web.Response:
        last = request.path.rpartition("/")[2]
        if request.method == "POST":
            last = str(uuid4())
            self.tasks[last] = (await request.json())["metadata"]
            return web.json_response({"success": True, "data": {"taskUuid": last}})
        if last == "file":
            self.asked += 1
            return self.show(self.asked)
        made = {"uuid": last, "status": "completed", "type": "model", "metadata": self.tasks[last]}
        made |= {"resourceUrl": f"/models/{last}", "mediaUrl": f"{self.url}/file"}
        return web.json_response({"success": True, "data": made})


@pytest.fixture
async def pizi() -> AsyncIterator[Pizi]:
    played = Pizi()
    application = web.Application()
    application.router.add_route("*", "/{tail:.*}", played.handle)
    async with TestServer(application) as server:
        played.url = str(server.make_url("")).rstrip("/")
        yield played


async def ended(folder: Path, pizi: Pizi, timeout: str = "30m") -> dict[str, Any]:
    """Return a run of the workflow once it has ended."""
    (folder / "workflows").mkdir()
    (folder / "workflows" / "person.yaml").write_text(WORKFLOW % timeout)
    free = Address("127.0.0.1", 0)
    settings = Settings(
        callbacks="off",
        listen=Listen(public=free, admin=free),
        store=f"sqlite:///{folder}/x.db",
        artifacts=folder / "artifacts",
        workflows=folder / "workflows",
        min_free_disk=0,
        providers={"pizi": {"api_key": "k", "base_url": pizi.url, "rate_limits": [], "first_check": "100ms"}},
    )
    async with app.build(settings).running() as server, aiohttp.ClientSession() as session:
        runs = f"{server.admin_url}/api/v1/runs"
        async with asyncio.timeout(30):
            async with session.post(runs, json={"workflow": "person", "inputs": {}}) as answer:
                run: dict[str, Any] = await answer.json()
            while run["status"] in ("pending", "running"):
                await asyncio.sleep(0.05)
                async with session.get(f"{runs}/{run['id']}") as answer:
                    run = await answer.json()
    return run


@pytest.mark.parametrize(
    "first",
    [
        web.Response(text="<html>come again</html>", content_type="image/png"),
        web.Response(body=picture()[:-10]),
        web.Response(status=404),
    ],
    ids=["page", "cut", "not there yet"],
)
async def test_a_link_that_does_not_lead_to_a_picture_is_followed_until_it_does(
    tmp_path: Path, pizi: Pizi, first: web.Response
) -> None:
    pizi.show = lambda nth: (
        web.Response(body=picture())
        if nth > 1
        else web.Response(body=first.body, status=first.status, content_type=first.content_type)
    )

    run = await ended(tmp_path, pizi)

    assert run["status"] == "succeeded", run["error"]
    assert [a["size"] for step in run["steps"] for a in step["artifacts"]] == [len(picture())]
    assert len(pizi.tasks) == 1


async def test_one_that_never_does_ends_the_job_at_its_deadline(tmp_path: Path, pizi: Pizi) -> None:
    pizi.show = lambda nth: web.Response(text="<html>come again</html>")

    run = await ended(tmp_path, pizi, timeout="2s")

    assert (run["status"], run["error"]["class"]) == ("failed", "result_unavailable")
    assert "text/plain, and no image" in run["error"]["message"]
    assert pizi.asked > 1
