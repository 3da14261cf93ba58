"""Too many requests: nothing is asked again before the provider says so, whatever it was that was refused."""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from email.utils import formatdate
from itertools import pairwise
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import web
from pydantic import SecretStr

from orchestrator import app
from orchestrator.clock import SECOND, SystemClock
from orchestrator.errors import Failure
from orchestrator.outcomes import Callback, CallbackMeaning, Unreadable
from orchestrator.providers.base import (
    Accepted,
    CheckOutcome,
    ConnectionSettings,
    Connector,
    Done,
    Exchange,
    Failed,
    Login,
    Operation,
    Output,
    Params,
    Rejected,
    Reply,
    Request,
    ResultFile,
    Retry,
    Submit,
    SubmitOutcome,
    Task,
    Waiting,
)
from orchestrator.providers.replies import retry_after_s
from orchestrator.runtime.waits import retry_after
from orchestrator.settings import Address, Listen, Settings

SECONDS = {"seconds": lambda: "2", "date": lambda: formatdate(time.time() + 3, usegmt=True), "nothing": None}
"""What `Retry-After` says on each connection: two seconds, a moment in two or three, or nothing."""

WORKFLOW = """
name: storm
steps:
{steps}
"""


class Nothing(Params):
    """Takes nothing."""


class Made(Output):
    """Gives nothing but its file."""


class Stormy:
    """A connector to the provider below; it only answers polls, some of which keep the task alive."""

    kind = "stormy"

    def __init__(self, base_url: str) -> None:
        self.settings = ConnectionSettings(
            kind="stormy", base_url=base_url, rate_limits=[], first_check="100ms"
        )
        made: dict[str, Any] = {
            "params": Nothing,
            "output": Made,
            "submit": _submit,
            "read": _read,
            "spends": True,
        }
        self.operations: Mapping[str, Operation] = {
            "polled": Operation(name="polled", summary="", check=_check, waiting=Waiting.POLL, **made),
            "beating": Operation(
                name="beating", summary="", check=_check, waiting=Waiting.HEARTBEAT, poll_s=7.0, **made
            ),
        }

    def headers(self, token: str | None) -> Mapping[str, str]:
        return {}

    def secrets(self) -> Sequence[SecretStr]:
        return []

    def login(
        self, now_ms: int, seal: Callable[[str, bytes], bytes]
    ) -> Exchange[Login | Failed | Retry] | None:
        return None

    def read_callback(self, callback: Callback, task: Task) -> CallbackMeaning:
        return Unreadable("it does not call back")

    def read_credits(self, reply: Reply) -> float | None:
        return None


def _submit(params: Nothing, submit: Submit) -> Exchange[Request | SubmitOutcome]:
    yield from ()
    return Request(method="POST", path="/tasks", json={})


def _read(params: Nothing, reply: Reply) -> SubmitOutcome:
    if reply.status == 429:
        return Rejected(Failure("rate_limited", "not so fast"), wait=True, retry_after_s=retry_after_s(reply))
    return Accepted(orjson.loads(reply.body)["id"])


def _check(task: Task) -> Exchange[CheckOutcome]:
    reply = yield Request(method="GET", path=f"/tasks/{task.task_id}")
    if reply.status == 429:
        return Retry("not so fast", retry_after_s(reply))
    return Done(output={}, files=(ResultFile(orjson.loads(reply.body)["file"]),))


class Provider:
    """Refuses each first submit, look and download, and notes when what came."""

    def __init__(self) -> None:
        self.seen: defaultdict[str, list[float]] = defaultdict(list)
        self.url = ""

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        path = request.path
        connection = path.split("/")[1]
        self.seen[path].append(time.monotonic())
        if len(self.seen[path]) == 1:
            say = SECONDS[connection.split("_")[0]]
            return web.Response(status=429, headers={"Retry-After": say()} if say is not None else {})
        if request.method == "POST":
            return web.json_response({"id": "t1"})
        if path.endswith("/file"):
            return web.Response(body=b"some bytes")
        return web.json_response({"file": f"{self.url}/{connection}/file"})

    def gaps(self, what: str) -> list[float]:
        """Return the seconds between one request for *what*, a path, and the next."""
        times = self.seen[what]
        return [later - early for early, later in pairwise(times)]


@asynccontextmanager
async def provider() -> AsyncIterator[Provider]:
    one = Provider()
    runner = web.ServerRunner(web.Server(one.handle))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    one.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield one
    finally:
        await runner.cleanup()


async def test_each_refused_request_is_repeated_when_the_provider_says_so(tmp_path: Path) -> None:
    async with provider() as storm:
        names = [f"{said}_{kind}" for said in SECONDS for kind in ("polled", "beating")]
        connectors: dict[str, Connector] = {name: Stormy(f"{storm.url}/{name}") for name in names}
        steps = "\n".join(f"  s{n}: {{uses: {name}/{name.split('_')[1]}}}" for n, name in enumerate(names))
        (tmp_path / "workflows").mkdir()
        (tmp_path / "workflows" / "storm.yaml").write_text(WORKFLOW.format(steps=steps))
        settings = Settings(
            callbacks="off",
            store=f"sqlite:///{tmp_path / 'orchestrator.db'}",
            artifacts=tmp_path / "artifacts",
            workflows=tmp_path / "workflows",
            listen=Listen(public=Address("127.0.0.1", 0), admin=Address("127.0.0.1", 0)),
        )
        async with app.build(settings, connectors=connectors).running() as server:
            run = (await server.runs.start("storm", {})).state.id
            async with asyncio.timeout(30):
                while not (state := await server.worker.state(run)).has_ended:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)

    assert state.status == "succeeded", state.error
    for name in names:
        for what in ("tasks", "tasks/t1", "file"):
            [gap] = storm.gaps(f"/{name}/{what}")
            shortest = 0.9 if name.startswith("nothing") else 1.9
            assert shortest <= gap < 4.5, f"{name} {what}: after {gap:.2f} s"


@pytest.mark.parametrize(
    ("text", "date", "seconds"),
    [
        ("7", "", "7"),
        (" 0 ", "", "0"),
        ("9" * 30, "", "86400"),
        ("Wed, 21 Oct 2026 07:28:30 GMT", "Wed, 21 Oct 2026 07:28:00 GMT", "30"),
        ("Wed, 21 Oct 2026 07:28:30 GMT", "", "10"),
        ("Wednesday, 21-Oct-26 07:28:30 GMT", "", "10"),
        ("Wed, 21 Oct 2026 07:28:00 GMT", "Wed, 21 Oct 2026 07:28:30 GMT", "0"),
        ("Wed, 21 Oct 2099 07:28:00 GMT", "", "86400"),
        ("soon", "", None),
        ("-1", "", None),
        ("٣", "", None),
        ("", "", None),
        ("Wed, 99 Oct 2026 99:28:00 GMT", "", None),
    ],
)
def test_a_wait_is_given_on_in_seconds(text: str, date: str, seconds: str | None) -> None:
    class Then(SystemClock):
        def now(self) -> int:
            return 1792567700 * SECOND  # 10 seconds before half past

    headers: dict[str, Any] = {"Retry-After": text, **({"Date": date} if date else {})}

    assert retry_after(headers, Then()) == seconds
