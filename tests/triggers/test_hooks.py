"""A whole server over real HTTP: what is posted to a hook starts one run, or says why it does not."""

import asyncio
import hashlib
import hmac
import time
from base64 import b64decode
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest

from orchestrator import app
from orchestrator.settings import Settings
from orchestrator.signatures import signed_headers

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ORDERS = """
name: orders
inputs:
  title: {type: string, minLength: 1}
  count: {type: integer, default: 1}
triggers:
  webhook:
    verify: {scheme: standard, secret: shop}
    dedupe: ${{ body.id }}
    inputs:
      title: ${{ body.title }}
      count: ${{ body.count | default(1) }}
steps:
  wait: {uses: core/sleep, with: {duration: 1h}}
"""
SIGNED = """
name: signed
inputs:
  all: {type: object}
triggers:
  webhook:
    verify: {scheme: hmac, secret: plain, header: X-Hub-Signature-256}
    inputs:
      all: {body: '${{ body }}', query: '${{ query }}', agent: "${{ headers['user-agent'] }}"}
steps:
  wait: {uses: core/sleep, with: {duration: 1h}}
"""
TOKEN = """
name: token
triggers: {webhook: {verify: {scheme: token, secret: plain}}}
steps:
  wait: {uses: core/sleep, with: {duration: 1h}}
"""
SILENT = """
name: silent
steps:
  wait: {uses: core/sleep, with: {duration: 1h}}
"""


@dataclass
class Site:
    """A server, and somebody who posts to it and looks at it."""

    server: app.Running
    http: aiohttp.ClientSession
    folder: Path

    async def post(self, path: str, body: bytes = b"", **headers: str) -> tuple[int, Any]:
        """Post to the public listener."""
        url = self.server.public_url + path
        async with self.http.post(url, data=body, headers=headers) as answer:
            return answer.status, await answer.json(content_type=None)

    async def order(
        self, n: int = 1, *, secret: str = SECRET, late_s: int = 0, **fields: Any
    ) -> tuple[int, Any]:
        """Post a signed order with the id *n*."""
        body = orjson.dumps({"id": n, "title": "Ada", **fields})
        headers = signed_headers(secret, f"msg_{n}", int(time.time()) - late_s, body)
        return await self.post("/hooks/orders", body, **headers)

    async def get(self, path: str) -> Any:
        """Ask the API."""
        async with self.http.get(f"{self.server.admin_url}/api/v1{path}") as answer:
            return await answer.json()

    async def runs(self) -> list[Any]:
        """Return all runs, newest first."""
        items: list[Any] = (await self.get("/runs?limit=200"))["items"]
        return items

    async def settled(self, delivery: str) -> Any:
        """Return a delivery once it is processed."""
        async with asyncio.timeout(10):
            while (found := await self.get(f"/deliveries/{delivery}"))["verdict"] == "pending":  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        return found


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    shelf = tmp_path / "workflows"
    shelf.mkdir()
    for name, text in {"orders": ORDERS, "signed": SIGNED, "token": TOKEN, "silent": SILENT}.items():
        (shelf / f"{name}.yaml").write_text(text)
    return Settings.model_validate(
        {
            "callbacks": "off",
            "store": f"sqlite:///{tmp_path}/orchestrator.db",
            "artifacts": str(tmp_path / "artifacts"),
            "workflows": str(shelf),
            "listen": {"public": "127.0.0.1:0", "admin": "127.0.0.1:0"},
            "secrets": {"shop": SECRET, "plain": "a-plain-secret"},
        }
    )


@pytest.fixture
async def site(settings: Settings, tmp_path: Path) -> AsyncIterator[Site]:
    async with app.build(settings).running() as server, aiohttp.ClientSession() as http:
        yield Site(server, http, tmp_path)


async def test_a_signed_request_starts_a_run_which_says_what_started_it(site: Site) -> None:
    status, answer = await site.order(7, count=3)

    assert (status, answer["ok"]) == (202, True)
    delivery = await site.settled(answer["delivery"])
    assert (delivery["verdict"], delivery["hook"], delivery["job"]) == ("accepted", "orders", None)
    run = await site.get(f"/runs/{delivery['run']}")
    assert (run["workflow"], run["inputs"]) == ("orders", {"title": "Ada", "count": 3})
    assert run["labels"] == {"trigger": "webhook"}
    assert run["trigger"] == {"kind": "webhook", "delivery": delivery["id"]}


async def test_a_request_that_is_not_signed_as_agreed_is_refused_and_remembered(site: Site) -> None:
    other = "whsec_" + SECRET[6:][::-1]

    assert (await site.order(1, secret=other))[0] == 403
    assert (await site.order(2, late_s=600))[0] == 403
    assert (await site.post("/hooks/orders", b"{}"))[0] == 403

    assert await site.runs() == []
    assert (await site.get("/deliveries"))["items"] == []
    refused = (await site.get("/deliveries/refused"))["items"]
    assert [one["reason"] for one in refused] == ["hook"] * 3
    assert [one["detail"].split(":")[0] for one in refused] == [
        "there is no header 'webhook-signature'",
        "it was signed 600 s ago; at most 300 s are accepted",
        "no signature fits",
    ]


async def test_a_workflow_without_a_hook_and_none_at_all_look_the_same(site: Site) -> None:
    assert await site.post("/hooks/silent", b"{}") == await site.post("/hooks/nothing", b"{}")
    assert (await site.post("/hooks/silent", b"{}"))[0] == 404


async def test_a_hex_signature_and_a_token_are_believed_too(site: Site) -> None:
    body = b"a=1&b=2"
    signature = "sha256=" + hmac.new(b"a-plain-secret", body, hashlib.sha256).hexdigest()
    headers = {"X-Hub-Signature-256": signature, "User-Agent": "shop/1"}
    form = {"Content-Type": "application/x-www-form-urlencoded"}

    status, answer = await site.post("/hooks/signed?shop=north", body, **headers, **form)
    assert status == 202
    delivery = await site.settled(answer["delivery"])
    run = await site.get(f"/runs/{delivery['run']}")
    assert run["inputs"]["all"] == {
        "body": {"a": "1", "b": "2"},
        "query": {"shop": "north"},
        "agent": "shop/1",
    }

    status, answer = await site.post("/hooks/token", b"", Authorization="Bearer a-plain-secret")
    assert status == 202
    assert (await site.settled(answer["delivery"]))["verdict"] == "accepted"
    assert (await site.post("/hooks/token", b"", Authorization="Bearer another"))[0] == 403


async def test_no_secret_is_kept_with_a_delivery(site: Site) -> None:
    _, answer = await site.post("/hooks/token", b"", Authorization="Bearer a-plain-secret")
    await site.settled(answer["delivery"])

    held = b"".join(path.read_bytes() for path in site.folder.glob("orchestrator.db*"))
    assert answer["delivery"].encode() in held
    assert b"a-plain-secret" not in held
    assert SECRET.encode() not in held


async def test_an_event_that_comes_fifty_times_at_once_starts_one_run(site: Site) -> None:
    answers = await asyncio.gather(*(site.order(7) for _ in range(50)))

    assert {status for status, _ in answers} == {202}
    deliveries = [await site.settled(answer["delivery"]) for _, answer in answers]
    assert Counter(one["verdict"] for one in deliveries) == {"accepted": 1, "duplicate": 49}
    (run,) = await site.runs()
    assert {one["run"] for one in deliveries} == {run["id"]}
    first = next(one["id"] for one in deliveries if one["verdict"] == "accepted")
    assert {one["duplicate_of"] for one in deliveries} == {None, first}


async def test_an_event_that_comes_again_after_a_restart_starts_no_second_run(
    settings: Settings, tmp_path: Path
) -> None:
    verdicts = []
    for _ in range(2):
        async with app.build(settings).running() as server, aiohttp.ClientSession() as http:
            site = Site(server, http, tmp_path)
            _, answer = await site.order(7)
            verdicts.append((await site.settled(answer["delivery"]))["verdict"])
            count = len(await site.runs())

    assert (verdicts, count) == (["accepted", "duplicate"], 1)


async def test_different_events_start_different_runs(site: Site) -> None:
    answers = await asyncio.gather(*(site.order(n) for n in range(80)))

    deliveries = [await site.settled(answer["delivery"]) for _, answer in answers]
    assert {one["verdict"] for one in deliveries} == {"accepted"}
    assert len(await site.runs()) == len({one["run"] for one in deliveries}) == 80


@pytest.mark.parametrize(
    ("fields", "verdict", "why"),
    [
        ({"title": ""}, "mismatch", "inputs.title"),
        ({"count": "many"}, "mismatch", "inputs.count"),
        ({"title": None}, "mismatch", "inputs.title"),
        ({"id": None}, "unreadable", "dedupe: gives nothing"),
    ],
)
async def test_what_starts_no_run_says_why(site: Site, fields: Any, verdict: str, why: str) -> None:
    status, answer = await site.order(**{"n": 1, **fields})

    assert status == 202
    delivery = await site.settled(answer["delivery"])
    assert (delivery["verdict"], delivery["run"]) == (verdict, None)
    assert why in delivery["error"]
    assert await site.runs() == []


async def test_a_body_that_is_no_json_is_text_and_maps_to_nothing(site: Site) -> None:
    headers = signed_headers(SECRET, "msg_1", int(time.time()), b"{broken")

    _, answer = await site.post("/hooks/orders", b"{broken", **headers)

    delivery = await site.settled(answer["delivery"])
    assert delivery["verdict"] == "unreadable"
    assert delivery["error"].startswith("inputs.title: ")


async def test_a_request_is_processed_once_more_after_the_workflow_was_mended(site: Site) -> None:
    _, answer = await site.order(7, name="Ada", title=None)
    assert (await site.settled(answer["delivery"]))["verdict"] == "mismatch"
    mended = ORDERS.replace("body.title", "body.name")
    (site.folder / "workflows" / "orders.yaml").write_text(mended)
    site.server.library.reload()

    url = f"{site.server.admin_url}/api/v1/deliveries/{answer['delivery']}/redeliver"
    async with site.http.post(url) as again:
        assert again.status == 202
        delivery = await site.settled((await again.json())["id"])

    assert (delivery["verdict"], delivery["hook"]) == ("accepted", "orders")
    (run,) = await site.runs()
    assert run["inputs"]["title"] == "Ada"
    _, answer = await site.order(7, name="Ada")
    assert (await site.settled(answer["delivery"]))["verdict"] == "duplicate"


async def test_the_request_that_started_a_run_is_exported_with_it(site: Site) -> None:
    _, answer = await site.order(7)
    run = (await site.settled(answer["delivery"]))["run"]

    async with site.http.get(f"{site.server.admin_url}/api/v1/runs/{run}/export") as exported:
        lines = [orjson.loads(line) for line in (await exported.read()).splitlines()]

    (delivery,) = [line["data"] for line in lines if line["type"] == "orchestrator.export.delivery"]
    assert delivery["id"] == answer["delivery"]
    assert orjson.loads(b64decode(delivery["body"]))["id"] == 7


async def test_deliveries_are_listed_by_hook(site: Site) -> None:
    _, first = await site.order(1)
    await site.post("/hooks/token", b"", Authorization="Bearer a-plain-secret")

    items = (await site.get("/deliveries?hook=orders"))["items"]

    assert [item["id"] for item in items] == [first["delivery"]]


async def test_a_hook_that_was_taken_away_meanwhile_settles_what_still_waits(site: Site) -> None:
    site.server.intake.held = True
    _, answer = await site.order(1)
    (site.folder / "workflows" / "orders.yaml").write_text(SILENT.replace("silent", "orders"))
    site.server.library.reload()

    site.server.intake.held = False
    await site.server.intake.drain()

    delivery = await site.settled(answer["delivery"])
    assert (delivery["verdict"], delivery["run"]) == ("late", None)
    assert "no webhook trigger any more" in delivery["error"]


async def test_what_was_acknowledged_before_a_crash_is_offered_again(
    settings: Settings, tmp_path: Path
) -> None:
    async with app.build(settings).running() as server, aiohttp.ClientSession() as http:
        site = Site(server, http, tmp_path)
        server.intake.held = True
        answers = [await site.order(n) for n in (1, 2, 2)]
        assert await site.runs() == []
    async with app.build(settings).running() as server, aiohttp.ClientSession() as http:
        site = Site(server, http, tmp_path)
        deliveries = [await site.settled(answer["delivery"]) for _, answer in answers]

        assert Counter(one["verdict"] for one in deliveries) == {"accepted": 2, "duplicate": 1}
        assert len(await site.runs()) == 2
