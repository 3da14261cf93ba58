"""What a link leads to is not believed to be the result because the answer to it says 200."""

from typing import Any

import pytest
from aiohttp import web

PAGE = b"<html>come again</html>"


@pytest.mark.parametrize("wrong", ["page", "cut", "not there yet"])
async def test_a_link_that_does_not_lead_to_a_picture_is_followed_until_it_does(
    serve: Any, pizi: Any, wrong: str
) -> None:
    show, whole = pizi.show, pizi.show(1).body
    first = {
        "page": {"body": PAGE, "content_type": "image/png"},
        "cut": {"body": whole[:-10]},
        "not there yet": {"status": 404},
    }
    pizi.show = lambda nth: show(nth) if nth > 1 else web.Response(**first[wrong])

    async with serve() as server:
        run = await server.ended(await server.begin())

    assert run["status"] == "succeeded", run["error"]
    assert [a["size"] for step in run["steps"] for a in step["artifacts"]] == [len(whole)]
    assert len(pizi.tasks) == 1


async def test_one_that_never_does_ends_the_job_at_its_deadline(serve: Any, pizi: Any) -> None:
    pizi.show = lambda nth: web.Response(body=PAGE)

    async with serve(timeout="2s") as server:
        run = await server.ended(await server.begin())

    assert (run["status"], run["error"]["class"]) == ("failed", "result_unavailable")
    assert "text/plain, and no image" in run["error"]["message"]
    assert pizi.shown > 1
