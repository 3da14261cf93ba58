"""The simulated Pixu answers as its page says, calls back by GET, and breaks on request."""

import base64
import io
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from PIL import Image

MODEL_UID = r"upose_[0-9a-f]{32}"
REQUEST_UID = r"[0-9a-f]{40}"


def _face(format: str = "PNG") -> str:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), "navy").save(buffer, format)
    return base64.b64encode(buffer.getvalue()).decode()


FACE: dict[str, Any] = {"name": "My Model", "face_base64": _face(), "height": 192, "baseline": 1}
PHOTO: dict[str, Any] = {
    "name": "My Model",
    "url": "http://images.mysite.com/image1.jpg",
    "height": 192,
    "baseline": 2,
}
PORTRAIT: dict[str, Any] = {
    "model_weight": 1.0,
    "positive": "woman in the bar",
    "negative": "(big hands, un-detailed skin, semi-realistic)",
    "resolution": "512,768",
}
COMPOSITION: dict[str, Any] = {
    **PORTRAIT,
    "comp_uid": "53e7e0eb241903ed48829fbe3b43262a",
    "model_weight": 0.8,
}
"""The page's examples, without credentials, models and callbacks."""

EXAMPLES = {
    "create_model": FACE,
    "create_model_from_url": PHOTO,
    "txt2img_strict_portrait": PORTRAIT,
    "txt2img_composition": COMPOSITION,
}

Client = Any
Begin = Callable[..., Awaitable[Client]]


@dataclass
class Answer:
    status: int
    body: Any


@dataclass
class Pixu:
    """A client of the simulated account; *calls* are what came back: method and address as received."""

    running: Any
    http: aiohttp.ClientSession
    settings: dict[str, Any]
    hook: str
    calls: list[tuple[str, str]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    on_call: Callable[[], None] = lambda: None

    async def submit(self, operation: str, body: Any = None, **changed: Any) -> Answer:
        """Send the page's example, or *body*, with credentials and callback, and with what is *changed*."""
        if body is None:
            body = EXAMPLES[operation]
        if isinstance(body, dict):
            own = {name: self.settings[name] for name in ("api_key", "app_uid")}
            body = {**own, "callback_url": f"{self.hook}?uid=", **body, **changed}
        async with self.http.post(f"{self.settings['base_url']}/{operation}", json=body) as reply:
            return Answer(reply.status, await reply.json())

    async def model(self) -> str:
        """Train a model, and return its uid."""
        answer = await self.submit("create_model")
        await self.running.idle()
        return str(answer.body["response"]["modelUid"])

    @property
    def books(self) -> Any:
        return self.running.books("pixu")


@pytest.fixture
async def pixu(begin: Any) -> AsyncIterator[Begin]:
    """Return a function that starts Pixu and a receiver, and gives a client with both."""
    clients: list[Pixu] = []

    async def receive(request: web.Request) -> web.Response:
        client = clients[int(request.match_info["n"])]
        client.calls.append((request.method, request.raw_path.removeprefix(f"/{clients.index(client)}")))
        client.bodies.append(await request.read())
        client.on_call()
        return web.Response()

    app = web.Application()
    app.router.add_route("*", "/{n}/{rest:.*}", receive)
    async with TestServer(app) as server, aiohttp.ClientSession() as http:

        async def go(faults: str = "", **options: Any) -> Client:
            running = await begin(faults, kinds=("pixu",), **options)
            hook = str(server.make_url(f"/{len(clients)}/hook"))
            clients.append(Pixu(running, http, running.client_settings("pixu"), hook))
            return clients[-1]

        yield go


@pytest.mark.parametrize("operation", ["create_model", "create_model_from_url"])
async def test_a_training_is_answered_with_an_object(pixu: Begin, operation: str) -> None:
    client = await pixu()

    answer = await client.submit(operation)

    assert answer.status == 200
    assert list(answer.body) == ["response"]
    assert list(answer.body["response"]) == ["modelUid"]
    assert re.fullmatch(MODEL_UID, answer.body["response"]["modelUid"])


@pytest.mark.parametrize("operation", ["txt2img_strict_portrait", "txt2img_composition"])
async def test_pictures_are_answered_with_a_bare_string(pixu: Begin, operation: str) -> None:
    client = await pixu()

    answer = await client.submit(operation)

    assert answer.status == 200
    assert list(answer.body) == ["response"]
    assert re.fullmatch(REQUEST_UID, answer.body["response"])


@pytest.mark.parametrize("operation", EXAMPLES)
@pytest.mark.parametrize("slot", ["?uid=", "?a=b&request_uid=", "/", "/?uid=", "?uid=%41+"])
async def test_the_call_back_is_a_get_with_the_uid_glued_to_the_address(
    pixu: Begin, operation: str, slot: str
) -> None:
    client = await pixu()

    answer = await client.submit(operation, callback_url=f"{client.hook}{slot}")
    await client.running.idle()

    response = answer.body["response"]
    uid = response if isinstance(response, str) else response["modelUid"]
    assert client.calls == [("GET", f"/hook{slot}{uid}")]
    assert client.bodies == [b""]


async def test_a_trained_model_can_be_drawn(pixu: Begin) -> None:
    client = await pixu()
    model = await client.model()

    for operation in ("txt2img_strict_portrait", "txt2img_composition"):
        assert (await client.submit(operation, model_uid=model)).status == 200


async def test_a_model_can_not_be_drawn_before_it_is_trained(pixu: Begin) -> None:
    slow, failing = await pixu(latency_s=3600.0), await pixu("task_failed")

    for client in (slow, failing):
        model = (await client.submit("create_model")).body["response"]["modelUid"]
        if client is failing:
            await client.running.idle()
        answer = await client.submit("txt2img_strict_portrait", model_uid=model)

        assert (answer.status, "is not trained" in answer.body["error"]) == (400, True)


async def test_a_model_that_is_none_can_not_be_drawn(pixu: Begin) -> None:
    client = await pixu()
    pictures = (await client.submit("txt2img_composition")).body["response"]
    await client.running.idle()

    for uid in ("upose_61d36be5f3ace3e064f7698c49c7fc5b", pictures, ""):
        assert (await client.submit("txt2img_composition", model_uid=uid)).status == 404


@pytest.mark.parametrize("app_uid", ["api", "API"])
async def test_both_spellings_of_the_generic_application_are_taken(pixu: Begin, app_uid: str) -> None:
    client = await pixu()

    assert (await client.submit("create_model", app_uid=app_uid)).status == 200


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"api_key": "my_api_key"}, 401),
        ({"api_key": None}, 401),
        ({"app_uid": "Api"}, 403),
        ({"app_uid": 1}, 403),
    ],
)
async def test_nothing_is_done_without_the_key(pixu: Begin, changed: dict[str, Any], status: int) -> None:
    client = await pixu()

    answer = await client.submit("create_model", **changed)

    assert (answer.status, list(answer.body)) == (status, ["error"])
    assert client.books.tasks == {}


async def test_a_key_in_the_address_or_in_a_header_is_none(pixu: Begin) -> None:
    client = await pixu()
    url = f"{client.settings['base_url']}/create_model?api_key={client.settings['api_key']}&app_uid=api"
    headers = {"Authorization": f"Bearer {client.settings['api_key']}"}

    async with client.http.post(url, json=FACE, headers=headers) as reply:
        assert reply.status == 401


@pytest.mark.parametrize(
    ("operation", "body"),
    [
        ("create_model", {**FACE, "height": 136, "baseline": 2}),
        ("create_model", {**FACE, "face_base64": _face("JPEG")}),
        ("create_model", {name: FACE[name] for name in FACE if name != "name"}),
        ("create_model_from_url", {**PHOTO, "url": "https://example.com/photo"}),
        ("txt2img_strict_portrait", {**PORTRAIT, "negative": "", "model_weight": 0}),
        ("txt2img_strict_portrait", {**PORTRAIT, "resolution": "512,512", "model_weight": 1}),
        ("txt2img_composition", {**PORTRAIT, "resolution": "768,512"}),
    ],
)
async def test_a_valid_body_is_accepted(pixu: Begin, operation: str, body: object) -> None:
    client = await pixu()

    assert (await client.submit(operation, body)).status == 200


@pytest.mark.parametrize("operation", EXAMPLES)
async def test_every_field_is_needed_but_those_that_may_be_left_out(pixu: Begin, operation: str) -> None:
    client = await pixu()
    example = EXAMPLES[operation]

    statuses = {}
    for name in example:
        body = {key: value for key, value in example.items() if key != name}
        statuses[name] = (await client.submit(operation, body)).status

    assert {name for name, status in statuses.items() if status == 200} <= {"name", "comp_uid"}
    assert {status for name, status in statuses.items() if name not in ("name", "comp_uid")} == {400}


@pytest.mark.parametrize(
    ("operation", "changed", "message"),
    [
        ("create_model", {"height": 512}, "height must be 192 or 136"),
        ("create_model", {"height": "192"}, "height must be an integer"),
        ("create_model", {"baseline": 3}, "baseline must be 1 or 2"),
        ("create_model", {"baseline": True}, "baseline must be an integer"),
        ("create_model", {"name": None}, "name must be a string"),
        ("create_model", {"face_base64": f"data:image/png;base64,{_face()}"}, "face_base64 is not base64"),
        ("create_model", {"face_base64": "base64 encoded cropped face"}, "face_base64 is not base64"),
        ("create_model", {"face_base64": "R0lGODlh"}, "face_base64 must be a JPEG, PNG or WebP"),
        ("create_model", {"face_base64": "https://example.com/a.png"}, "face_base64 is not base64"),
        ("create_model", {"url": "https://example.com/a.png"}, "url is not a field"),
        ("create_model_from_url", {"face_base64": _face()}, "face_base64 is not a field"),
        ("create_model_from_url", {"url": _face()}, "url must be an http(s) URL"),
        ("create_model_from_url", {"url": "http://127.0.0.1:1/a.png"}, "could not be fetched"),
        ("create_model_from_url", {"url": "https://example.com/a.gif"}, "url: /a.gif"),
        ("txt2img_strict_portrait", {"comp_uid": "x"}, "comp_uid is not a field"),
        ("txt2img_strict_portrait", {"model_weight": 1.1}, "model_weight must be from 0.0 to 1.0"),
        ("txt2img_strict_portrait", {"model_weight": "1.0"}, "model_weight must be a number"),
        ("txt2img_strict_portrait", {"positive": " "}, "positive must not be empty"),
        ("txt2img_strict_portrait", {"negative": None}, "negative must be a string"),
        ("txt2img_strict_portrait", {"resolution": "512, 768"}, "resolution must be"),
        ("txt2img_strict_portrait", {"resolution": "512x768"}, "resolution must be"),
        ("txt2img_strict_portrait", {"resolution": [512, 768]}, "resolution must be a string"),
        ("txt2img_strict_portrait", {"callback_url": 1}, "callback_url must be a string"),
        ("txt2img_strict_portrait", {"callback_url": "my-site.com/"}, "callback_url must be an http(s) URL"),
        ("txt2img_composition", {"comp_uid": None}, "comp_uid must be a string"),
        ("txt2img_composition", {"prompt": "x"}, "prompt is not a field"),
    ],
)
async def test_a_wrong_body_is_refused(
    pixu: Begin, operation: str, changed: dict[str, Any], message: str
) -> None:
    client = await pixu()

    answer = await client.submit(operation, **changed)

    assert answer.status == 400
    assert message in answer.body["error"]
    assert client.books.tasks == {}


async def test_a_submit_without_a_callback_is_refused(pixu: Begin) -> None:
    client = await pixu()
    body = {**PORTRAIT, "api_key": client.settings["api_key"], "app_uid": "api"}

    async with client.http.post(f"{client.settings['base_url']}/txt2img_strict_portrait", json=body) as reply:
        assert (reply.status, await reply.json()) == (400, {"error": "callback_url is required"})


@pytest.mark.parametrize(
    ("content", "content_type", "status"),
    [
        (b"{", "application/json", 400),
        (b"{}", "application/x-www-form-urlencoded", 400),
        (b"[]", "application/json", 401),
    ],
)
async def test_a_body_that_is_no_json_object_is_refused(
    pixu: Begin, content: bytes, content_type: str, status: int
) -> None:
    client = await pixu()
    url, headers = f"{client.settings['base_url']}/create_model", {"Content-Type": content_type}

    async with client.http.post(url, data=content, headers=headers) as reply:
        assert reply.status == status


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/create_model"),
        ("POST", "/pixu/api/create_model"),
        ("POST", "/txt2img_results"),
        ("GET", "/models"),
    ],
)
async def test_there_is_nothing_else(pixu: Begin, method: str, path: str) -> None:
    client = await pixu()

    async with client.http.request(method, f"{client.settings['base_url']}{path}", json={}) as reply:
        assert reply.status == 404


@pytest.mark.parametrize(
    ("fault", "status", "tasks"),
    [("error_before", 500, 0), ("error_after", 500, 1), ("rate_limit", 429, 0), ("no_credits", 402, 0)],
)
async def test_a_submit_fails_as_asked(pixu: Begin, fault: str, status: int, tasks: int) -> None:
    client = await pixu(fault)

    answer = await client.submit("txt2img_composition")
    await client.running.idle()

    assert (answer.status, list(answer.body)) == (status, ["error"])
    assert len(client.books.tasks) == client.books.charged == len(client.calls) == tasks


async def test_an_answer_is_lost_but_the_call_back_tells_the_uid(pixu: Begin) -> None:
    client = await pixu("answer_lost")

    with pytest.raises(aiohttp.ServerDisconnectedError):
        await client.submit("create_model")
    await client.running.idle()

    assert client.calls == [("GET", f"/hook?uid={next(iter(client.books.tasks))}")]


async def test_an_early_call_overtakes_the_answer(pixu: Begin) -> None:
    client = await pixu("early", latency_s=3600.0)
    events = []
    client.on_call = lambda: events.append("call")

    answer = await client.submit("txt2img_composition")
    events.append("answer")

    assert events == ["call", "answer"]
    assert client.calls == [("GET", f"/hook?uid={answer.body['response']}")]


@pytest.mark.parametrize(("fault", "calls"), [("loss", 0), ("duplicate", 2), ("late", 1), ("reorder", 1)])
async def test_calls_get_lost_come_twice_or_late(pixu: Begin, fault: str, calls: int) -> None:
    client = await pixu(fault)

    await client.model()

    assert len(client.calls) == calls
    assert len(set(client.calls)) == min(calls, 1)


async def test_what_fails_is_never_told(pixu: Begin) -> None:
    client = await pixu("task_failed")

    await client.submit("create_model")
    await client.submit("txt2img_composition")
    await client.running.idle()

    assert client.calls == []
    assert [entry.status for entry in client.books.tasks.values()] == ["failed", "failed"]


async def test_a_call_may_name_another_uid_of_the_same_kind(pixu: Begin) -> None:
    client = await pixu("wrong_uid")

    model = await client.model()
    request = (await client.submit("txt2img_composition")).body["response"]
    await client.running.idle()

    uids = [path.removeprefix("/hook?uid=") for _, path in client.calls]
    assert re.fullmatch(MODEL_UID, uids[0])
    assert re.fullmatch(REQUEST_UID, uids[1])
    assert not {model, request} & set(uids)


async def test_a_head_request_may_come_before_the_call(pixu: Begin) -> None:
    client = await pixu("head_probe")

    model = await client.model()

    path = f"/hook?uid={model}"
    assert client.calls == [("HEAD", path), ("GET", path)]
    assert len(client.books.callbacks) == 1


async def test_a_head_request_to_nobody_stops_nothing(pixu: Begin, unused_tcp_port: int) -> None:
    client = await pixu("head_probe")

    answer = await client.submit("create_model", callback_url=f"http://127.0.0.1:{unused_tcp_port}/?uid=")
    await client.running.idle()

    assert client.books.tasks[answer.body["response"]["modelUid"]].status == "completed"
    assert client.books.callbacks[0].status is None


async def test_a_repeated_submit_is_a_second_one_and_stands_in_the_books(pixu: Begin) -> None:
    client = await pixu(credits=3)

    first = await client.submit("create_model")
    second = await client.submit("create_model")
    other = await client.submit("create_model", callback_url=f"{client.hook}?other=")
    refused = await client.submit("create_model")
    await client.running.idle()

    uids = [answer.body["response"]["modelUid"] for answer in (first, second, other)]
    assert client.books.repeated() == {f"{client.hook}?uid=": tuple(uids[:2])}
    assert len({entry.digest for entry in client.books.tasks.values()}) == 1
    assert [entry.charged for entry in client.books.tasks.values()] == [1, 1, 1]
    assert (refused.status, client.books.balance) == (402, 0)
    assert client.books.counts["POST /create_model 200"] == 3


async def test_faults_do_not_depend_on_the_order_of_requests(pixu: Begin) -> None:
    fates = []
    for order in (range(20), range(19, -1, -1)):
        client = await pixu("error_before=0.3,task_failed=0.3", seed=1)
        for number in order:
            await client.submit("txt2img_composition", positive=f"woman {number}")
        await client.running.idle()
        fates.append({entry.digest: (entry.id, entry.status) for entry in client.books.tasks.values()})

    assert fates[0] == fates[1]
    assert {status for _, status in fates[0].values()} == {"completed", "failed"}
