"""The simulated Pizi answers as Pizi's document says, refuses what it forbids, and breaks on request."""

import asyncio
import base64
import io
import re
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from PIL import Image

from orchestrator.simulators.pizi_rules import ETHNICITIES
from orchestrator.simulators.pizi_shelf import matches

UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
NOBODY = "b6e7a1b9-f421-45f3-9c18-22f1c63c1138"
AT = 1761638400.0
"""2025-10-28T08:00:00Z, the document's own moment."""

MODEL = {
    "name": "Model 2025-10-28",
    "gender": "female",
    "attributes": {
        "ethnicity": "European \\ Northern European \\ Irish",
        "age": "young adult",
        "bodyType": "slim",
        "breastSize": "small",
        "hairColor": "blonde",
        "hairLength": "medium",
        "eyeColor": "green",
        "height": "medium",
        "distinctiveFeatures": ["freckles", "small moles"],
    },
    "referenceImages": ["https://cdn.example.com/uploads/ref1.jpg"],
    "metadata": {"project": "AutumnCollection", "note": "First test model"},
}
"""The document's example, without its callback."""

PICTURE: dict[str, Any] = {
    "shotType": "lifestyle",
    "variants": 3,
    "product": {
        "images": ["https://example.com/image1.jpg"],
        "info": "# Premium T-Shirt\n\n- Material: 100% organic cotton\n- Price: $29.99",
    },
    "output": {"aspectRatio": "16:9", "format": "png"},
    "metadata": {"campaign": "Winter2025", "productCategory": "apparel"},
}
"""The document's example, without its model and callback."""


def _image(format: str, colour: str = "navy") -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (40, 30), colour).save(buffer, format)
    return buffer.getvalue()


def _data_uri(format: str) -> str:
    return f"data:image/{format.lower()};base64,{base64.b64encode(_image(format)).decode()}"


def _size(content: bytes) -> tuple[str | None, int, int]:
    image = Image.open(io.BytesIO(content))
    return image.format, *image.size


async def test_the_documents_model_is_made(pizi: Any, receiver: Any) -> None:
    client = await pizi(clock=lambda: AT)

    submitted = await client.call("POST", "/models", {**MODEL, "callbackUrl": receiver.url})
    await client.running.idle()
    task = submitted.data["taskUuid"]
    shown = await client.call("GET", f"/tasks/{task}")
    uuid = shown.data["resourceUrl"].removeprefix("/models/")
    model = await client.call("GET", f"/models/{uuid}")

    assert submitted.body == {"success": True, "data": {"taskUuid": task}}
    assert re.fullmatch(UUID, task)
    assert uuid != task
    assert shown.data == {
        "uuid": task,
        "type": "model",
        "status": "completed",
        "resourceUrl": f"/models/{uuid}",
        "metadata": MODEL["metadata"],
        "createdAt": "2025-10-28T08:00:00Z",
        "completedAt": "2025-10-28T08:00:00Z",
    }
    assert model.data == {
        "uuid": uuid,
        "status": "completed",
        "name": "Model 2025-10-28",
        "gender": "female",
        "attributes": MODEL["attributes"],
        "mediaUrl": f"{client.url}/files/{uuid}.png",
        "metadata": MODEL["metadata"],
        "createdAt": "2025-10-28T08:00:00Z",
        "updatedAt": "2025-10-28T08:00:00Z",
    }
    assert receiver.bodies == [{"taskUuid": task, "resourceUrl": f"{client.url}/v1/models/{uuid}"}]


async def test_the_documents_pictures_are_made(pizi: Any, receiver: Any) -> None:
    client = await pizi(clock=lambda: AT)
    model = await client.model()

    task = await client.submit(
        "/pictures", {**PICTURE, "model": {"uuid": model}, "callbackUrl": receiver.url}
    )
    shown = await client.call("GET", f"/tasks/{task}")
    picture = await client.call("GET", f"/pictures/{task}")

    assert shown.data["type"] == "photo"
    assert shown.data["resourceUrl"] == f"/photos/{task}"
    assert picture.data == {
        "uuid": task,
        "shotType": "lifestyle",
        "status": "completed",
        "variants": 3,
        "result": [f"{client.url}/files/{task}_{n}.png" for n in (1, 2, 3)],
        "output": {"aspectRatio": "16:9", "format": "png"},
        "modelUuid": model,
        "metadata": PICTURE["metadata"],
        "createdAt": "2025-10-28T08:00:00Z",
    }
    assert receiver.bodies == [{"taskUuid": task, "resourceUrl": f"{client.url}/v1/photos/{task}"}]
    assert receiver.content_types == ["application/json"]


async def test_the_lists_have_the_documented_rows_newest_first(pizi: Any) -> None:
    client = await pizi(clock=lambda: AT)
    model = await client.model(name="Ann", metadata={"project": "AutumnCollection"})
    task = await client.submit("/pictures", {**PICTURE, "model": {"uuid": model}})

    models = await client.call("GET", "/models")
    pictures = await client.call("GET", "/pictures")
    tasks = await client.call("GET", "/tasks")

    stamp = "2025-10-28T08:00:00Z"
    assert models.body == {
        "success": True,
        "data": [
            {
                "uuid": model,
                "name": "Ann",
                "status": "completed",
                "metadata": {"project": "AutumnCollection"},
                "createdAt": stamp,
                "updatedAt": stamp,
            }
        ],
    }
    assert pictures.data == [
        {
            "uuid": task,
            "shotType": "lifestyle",
            "status": "completed",
            "metadata": PICTURE["metadata"],
            "createdAt": stamp,
        }
    ]
    assert [row["type"] for row in tasks.data] == ["photo", "model"]
    assert set(tasks.data[0]) == {"uuid", "type", "status", "resourceUrl", "createdAt"}


async def test_results_are_real_pictures(pizi: Any) -> None:
    client = await pizi()
    model = await client.model()
    wanted = {
        "shotType": "packshot",
        "model": {"uuid": model},
        "product": {"images": [_data_uri("PNG")]},
        "output": {"aspectRatio": "3:4", "format": "jpg"},
    }
    task = await client.submit("/pictures", wanted)
    links = [
        (await client.call("GET", f"/models/{model}")).data["mediaUrl"],
        *(await client.call("GET", f"/pictures/{task}")).data["result"],
    ]

    replies = [await client.http.get(link) for link in links]
    portrait, shot = [await reply.read() for reply in replies]

    assert [reply.content_type for reply in replies] == ["image/png", "image/jpeg"]
    assert _size(portrait) == ("PNG", 768, 1024)
    assert _size(shot) == ("JPEG", 768, 1024)


async def test_the_same_seed_makes_the_same_ids_and_pictures(pizi: Any) -> None:
    seen = []
    for seed in (1, 1, 2):
        client = await pizi(seed=seed)
        model = await client.model()
        reply = await client.http.get(f"{client.url}/files/{model}.png")
        seen.append((model, await reply.read()))

    assert seen[0] == seen[1]
    assert seen[0] != seen[2]


async def test_a_product_on_this_machine_is_fetched_and_shown(pizi: Any) -> None:
    async def product(request: web.Request) -> web.Response:
        return web.Response(body=_image("PNG", request.query["colour"]), content_type="image/png")

    app = web.Application()
    app.router.add_get("/product", product)
    shots = []
    async with TestServer(app) as server:
        client = await pizi()
        for colour in ("red", "blue"):
            url = str(server.make_url(f"/product?colour={colour}"))
            # Equal but for the product, so that nothing else can make the difference.
            task = await client.submit("/pictures", {"shotType": "packshot", "product": {"images": [url]}})
            reply = await client.http.get(f"{client.url}/files/{task}_1.png")
            shots.append(Image.open(io.BytesIO(await reply.read())).convert("RGB"))

    red, blue = (shot.getpixel((shot.width // 2, shot.height // 2)) for shot in shots)
    assert isinstance(red, tuple)
    assert isinstance(blue, tuple)
    assert red[0] > red[2]
    assert blue[2] > blue[0]


async def test_a_picture_of_its_own_may_be_the_product_of_the_next(pizi: Any) -> None:
    client = await pizi()
    model = await client.model()
    link = f"{client.url}/files/{model}.png"

    task = await client.submit("/pictures", {"shotType": "studio", "product": {"images": [link]}})
    reply = await client.http.get(f"{client.url}/files/{task}_1.png")

    assert _size(await reply.read()) == ("PNG", 1024, 1024)


async def test_a_broken_picture_does_not_break_the_download(pizi: Any) -> None:
    client = await pizi()
    broken = "data:image/png;base64," + base64.b64encode(_image("PNG")[:20]).decode()

    task = await client.submit("/pictures", {"shotType": "studio", "product": {"images": [broken]}})
    reply = await client.http.get(f"{client.url}/files/{task}_1.png")

    assert reply.status == 200


async def test_every_answer_shows_the_credits_left(pizi: Any) -> None:
    client = await pizi(credits=10)

    before = await client.call("GET", "/models")
    model = await client.call("POST", "/models", {"gender": "male"})
    high = await client.call("POST", "/models", {"gender": "male", "priority": "HIGH"})
    pictures = await client.call("POST", "/pictures", PICTURE)
    wrong = await client.call("POST", "/models", {})
    stranger = await client.call("GET", "/models", headers={"Authorization": "Bearer no"})

    answers = (before, model, high, pictures, wrong, stranger)
    assert [answer.headers["X-Credits-Remaining"] for answer in answers] == ["10", "9", "7", "4", "4", "4"]


async def test_too_few_credits_are_a_402_and_nothing_is_taken(pizi: Any) -> None:
    client = await pizi(credits=2)

    refused = await client.call("POST", "/pictures", PICTURE)
    accepted = await client.call("POST", "/pictures", {**PICTURE, "variants": 1})

    assert (refused.status, refused.body["message"]) == (402, "Insufficient credits.")
    assert accepted.status == 200
    assert client.running.books("pizi").balance == 1


@pytest.mark.parametrize("sent", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "{key}"}])
async def test_nothing_is_told_without_the_key(pizi: Any, sent: dict[str, str]) -> None:
    client = await pizi()
    headers = {name: value.format(key=client.key) for name, value in sent.items()}

    async with client.http.post(f"{client.url}/models", json={"gender": "male"}, headers=headers) as reply:
        body = await reply.json()

    assert (reply.status, body) == (401, {"success": False, "code": 401, "message": "Invalid API Key."})
    assert client.running.books("pizi").tasks == {}


PRODUCT = {"images": ["https://example.com/a.png"]}
SHOT = {"shotType": "studio", "product": PRODUCT}


@pytest.mark.parametrize(
    "body",
    [
        {"gender": "MALE"},
        {"gender": "female", "priority": "High"},
        {"referenceImages": ["https://example.com/a.jpg"]},
        {"attributes": {"age": "Adult"}, "referenceImages": ["https://example.com/a.jpg"]},
        {"gender": "male", "attributes": {"facialHair": "long beard", "eyeColor": "AMBER"}},
        {"gender": "male", "attributes": {"distinctiveFeatures": ["Sleeve Tattoo"]}},
        {"gender": "male", "attributes": {"ethnicity": "asian \\ east asian \\ korean"}},
        {"gender": "male", "name": "x" * 100},
        {"gender": "male", "referenceImages": [_data_uri("PNG"), _data_uri("JPEG")]},
    ],
)
async def test_a_valid_model_is_accepted(pizi: Any, body: object) -> None:
    client = await pizi()

    assert (await client.call("POST", "/models", body)).status == 200


@pytest.mark.parametrize(
    ("body", "status", "details"),
    [
        ({}, 400, "gender is required"),
        ([], 400, "body must be an object"),
        ({"gender": "other"}, 400, "gender must be female or male"),
        ({"gender": None}, 400, "gender must be a string"),
        ({"attributes": {"age": "Adult"}}, 400, "gender is required"),
        ({"gender": "male", "name": "x" * 101}, 400, "name has more than 100"),
        ({"gender": "male", "sex": "male"}, 400, "body.sex is not a field"),
        ({"gender": "male", "attributes": {"gender": "male"}}, 400, "attributes.gender is not a field"),
        ({"gender": "male", "attributes": {"hair_color": "Black"}}, 400, "attributes.hair_color is not"),
        ({"gender": "male", "attributes": {"age": "Ancient"}}, 400, "attributes.age must be"),
        ({"gender": "male", "attributes": {"ethnicity": "Korean"}}, 400, "attributes.ethnicity"),
        ({"gender": "male", "attributes": {"ethnicity": "Asian / East Asian"}}, 400, "attributes.ethnicity"),
        ({"gender": "male", "attributes": {"distinctiveFeatures": "Acne"}}, 400, "must be an array"),
        ({"gender": "male", "attributes": {"distinctiveFeatures": ["Horns"]}}, 400, "does not know 'Horns'"),
        ({"gender": "male", "priority": "urgent"}, 400, "priority must be high or standard"),
        ({"gender": "male", "metadata": "x"}, 400, "metadata must be an object"),
        ({"gender": "male", "callbackUrl": "client.app/hook"}, 400, "callbackUrl must be an http(s) URL"),
        ({"gender": "male", "referenceImages": "https://example.com/a.jpg"}, 400, "must be an array"),
        ({"gender": "male", "referenceImages": [""]}, 400, "referenceImages[0]"),
        ({"gender": "male", "referenceImages": ["http://127.0.0.1:1/a.png"]}, 400, "could not be fetched"),
        ({"gender": "male", "referenceImages": [_data_uri("GIF")]}, 415, "neither"),
    ],
)
async def test_a_wrong_model_is_refused(pizi: Any, body: object, status: int, details: str) -> None:
    client = await pizi()

    answer = await client.call("POST", "/models", body)

    assert answer.status == answer.body["code"] == status
    assert details in answer.body["details"]
    assert client.running.books("pizi").tasks == {}


@pytest.mark.parametrize(
    "body",
    [
        SHOT,
        {**SHOT, "shotType": "Packshot", "variants": 5},
        {**SHOT, "shotType": "mix"},
        {**SHOT, "shotType": "mix", "variants": 9},
        {**SHOT, "modelImageUrl": "https://example.com/m.png"},
        {**SHOT, "model": {"gender": "male", "attributes": {"age": "Senior"}}},
        {**SHOT, "output": {"aspectRatio": "21:9", "format": "JPG"}},
    ],
)
async def test_a_valid_picture_is_accepted(pizi: Any, body: object) -> None:
    client = await pizi()

    assert (await client.call("POST", "/pictures", body)).status == 200


@pytest.mark.parametrize(
    ("body", "status", "details"),
    [
        ({"product": PRODUCT}, 400, "shotType is required"),
        ({**SHOT, "shotType": "creative"}, 400, "shotType must be lifestyle, mix, packshot or studio"),
        ({**SHOT, "variants": 2}, 400, "variants must be 1, 3 or 5 for studio"),
        ({**SHOT, "variants": 9}, 400, "variants must be 1, 3 or 5 for studio"),
        ({**SHOT, "variants": "3"}, 400, "variants must be"),
        ({**SHOT, "variants": True}, 400, "variants must be"),
        ({**SHOT, "shotType": "mix", "variants": 3}, 400, "variants must be 9 for mix"),
        ({"shotType": "studio"}, 400, "product is required"),
        ({**SHOT, "product": {"info": "x"}}, 400, "product.images is required"),
        ({**SHOT, "product": {"images": []}}, 400, "product.images must be an array"),
        ({**SHOT, "product": {**PRODUCT, "name": "x"}}, 400, "product.name is not a field"),
        ({**SHOT, "output": {"aspectRatio": "2:1"}}, 400, "output.aspectRatio must be"),
        ({**SHOT, "output": {"format": "webp"}}, 400, "output.format must be jpg or png"),
        ({**SHOT, "name": "x"}, 400, "body.name is not a field"),
        ({**SHOT, "priority": "high"}, 400, "body.priority is not a field"),
        ({**SHOT, "model": {"uuid": NOBODY}}, 404, NOBODY),
        ({**SHOT, "model": {"uuid": NOBODY, "gender": "male"}}, 400, "not both"),
        ({**SHOT, "model": {}}, 400, "model.gender is required"),
        ({**SHOT, "model": {"uuid": NOBODY}, "modelImageUrl": "https://example.com/m.png"}, 400, "exclude"),
        ({**SHOT, "modelImageUrl": _data_uri("PNG")}, 400, "modelImageUrl must be an http(s) URL"),
        ({**SHOT, "modelImageUrl": "https://example.com/m.gif"}, 415, "m.gif"),
        ({**SHOT, "product": {"images": [_data_uri("WEBP")]}}, 415, "neither"),
    ],
)
async def test_a_wrong_picture_is_refused(pizi: Any, body: object, status: int, details: str) -> None:
    client = await pizi()

    answer = await client.call("POST", "/pictures", body)

    assert answer.status == answer.body["code"] == status
    assert details in answer.body["details"]
    assert client.running.books("pizi").tasks == {}


def test_there_are_113_ethnicities_on_every_level() -> None:
    levels = [name.count(" \\ ") for name in ETHNICITIES]

    assert (len(set(ETHNICITIES)), levels.count(0), levels.count(1), levels.count(2)) == (113, 5, 26, 82)


@pytest.mark.parametrize("content", [b"{", b"\xff", b""])
async def test_a_body_that_is_no_json_is_refused(pizi: Any, content: bytes) -> None:
    client = await pizi()
    headers = {"Authorization": f"Bearer {client.key}", "Content-Type": "application/json"}

    async with client.http.post(f"{client.url}/models", data=content, headers=headers) as reply:
        assert reply.status == 400


async def test_a_body_of_another_type_is_refused(pizi: Any) -> None:
    client = await pizi()

    answer = await client.call("POST", "/models", data={"gender": "male"})

    assert (answer.status, answer.body["details"]) == (400, "Content-Type must be application/json")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", f"/models/{NOBODY}"),
        ("GET", f"/pictures/{NOBODY}"),
        ("GET", f"/tasks/{NOBODY}"),
        ("GET", f"/photos/{NOBODY}"),
        ("GET", f"/v1/photos/{NOBODY}"),
        ("DELETE", f"/models/{NOBODY}"),
        ("DELETE", f"/pictures/{NOBODY}"),
        ("PUT", "/models"),
    ],
)
async def test_what_is_not_there_is_a_404(pizi: Any, method: str, path: str) -> None:
    client = await pizi()

    answer = await client.call(method, path)

    assert (answer.status, answer.body["message"]) == (404, "Resource not found.")


async def test_a_running_task_is_queued_or_processing_and_has_no_result(pizi: Any) -> None:
    client = await pizi(latency_s=3600.0)
    picture = (await client.call("POST", "/pictures", SHOT)).data["taskUuid"]
    await client.call("POST", "/models", {"gender": "male"})

    task = await client.call("GET", f"/tasks/{picture}")
    shown = await client.call("GET", f"/pictures/{picture}")
    model = (await client.call("GET", "/models?status=processing")).data[0]
    detail = await client.call("GET", f"/models/{model['uuid']}")
    used = await client.call("POST", "/pictures", {**SHOT, "model": {"uuid": model["uuid"]}})

    assert (task.data["status"], task.data["completedAt"]) == ("queued", None)
    assert (shown.data["status"], shown.data["result"]) == ("queued", [])
    assert (detail.data["status"], detail.data["mediaUrl"]) == ("processing", None)
    assert used.status == 400


async def test_lists_are_paged_and_filtered(pizi: Any) -> None:
    client = await pizi()
    for number in range(5):
        await client.model(metadata={"project": f"P{number}", "token": f"wf-{number}"})
    listed = [row["metadata"]["project"] for row in (await client.call("GET", "/models")).data]

    async def found(query: str) -> list[str]:
        answer = await client.call("GET", f"/models?{query}")
        return [row["metadata"]["project"] for row in answer.data]

    assert listed == ["P4", "P3", "P2", "P1", "P0"]
    assert await found("limit=2&page=2") == ["P2", "P1"]
    assert await found("limit=2&page=4") == []
    assert await found("filter=token:wf-3") == ["P3"]
    assert await found("filter=project:p") == listed
    assert await found("status=failed") == []


@pytest.mark.parametrize("query", ["page=0", "page=x", "limit=-1", "limit=0", "limit=", "status=queued"])
async def test_a_wrong_query_is_refused(pizi: Any, query: str) -> None:
    client = await pizi()

    assert (await client.call("GET", f"/models?{query}")).status == 400


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("", True),
        ("project:Autumn", True),
        ("PROJECT:autumncollection", True),
        ("autumn", True),
        ("note:first model", True),
        ("project:Winter", False),
        ("note:Autumn", False),
        ("autumn winter", False),
        ("missing:", False),
    ],
)
def test_the_filter_is_a_full_text_search_over_metadata(wanted: str, found: bool) -> None:
    metadata = {"project": "AutumnCollection", "note": "First test model"}

    assert matches(metadata, wanted) is found


async def test_pictures_are_filtered_by_shot_type_and_status(pizi: Any) -> None:
    client = await pizi()
    await client.submit("/pictures", SHOT)

    async def count(query: str) -> int:
        return len((await client.call("GET", f"/pictures?{query}")).data)

    assert await count("shotType=Studio") == 1
    assert await count("shotType=mix") == 0
    assert await count("status=completed") == 1
    assert await count("status=queued") == 0


async def test_deleting_a_model_deletes_what_was_made_with_it(pizi: Any) -> None:
    client = await pizi()
    model, other = await client.model(), await client.model(name="other")
    picture = await client.submit("/pictures", {**SHOT, "model": {"uuid": model}})

    answer = await client.call("DELETE", f"/models/{model}")

    assert answer.body == {"success": True, "code": 200, "message": "Model deleted successfully."}
    assert (await client.call("GET", f"/models/{model}")).status == 404
    assert (await client.call("GET", f"/pictures/{picture}")).status == 404
    assert (await client.http.get(f"{client.url}/files/{model}.png")).status == 404
    assert (await client.http.get(f"{client.url}/files/{picture}_1.png")).status == 404
    assert [row["uuid"] for row in (await client.call("GET", "/models")).data] == [other]
    assert [row["uuid"] for row in (await client.call("GET", "/models?status=deleted")).data] == [model]
    assert (await client.call("DELETE", f"/models/{model}")).status == 404
    assert (await client.call("POST", "/pictures", {**SHOT, "model": {"uuid": model}})).status == 404


async def test_a_model_deleted_while_it_is_made_stays_deleted(pizi: Any) -> None:
    client = await pizi(latency_s=0.05)
    await client.call("POST", "/models", {"gender": "male"})
    uuid = (await client.call("GET", "/models")).data[0]["uuid"]

    await client.call("DELETE", f"/models/{uuid}")
    await client.running.idle()

    assert (await client.call("GET", f"/models/{uuid}")).status == 404
    assert (await client.http.get(f"{client.url}/files/{uuid}.png")).status == 404


async def test_the_books_tell_what_happened(pizi: Any, receiver: Any) -> None:
    client = await pizi()
    body = {"gender": "male", "metadata": {"wf": "1"}, "callbackUrl": receiver.url}
    first = await client.submit("/models", body)
    second = await client.submit("/models", {**body, "callbackUrl": f"{receiver.url}?other"})

    books = client.running.books("pizi")
    entries = list(books.tasks.values())

    assert books.repeated() == {'{"wf":"1"}': (first, second)}
    assert entries[0].digest == entries[1].digest
    assert [(entry.operation, entry.status, entry.charged) for entry in entries] == [
        ("create_model", "completed", 1),
        ("create_model", "completed", 1),
    ]
    assert [(sent.task, sent.status) for sent in books.callbacks] == [(first, 204), (second, 204)]
    assert books.counts["POST /models 200"] == 2
    assert books.requests[0].path == "/models"


async def test_an_early_callback_overtakes_the_answer(pizi: Any, receiver: Any) -> None:
    client = await pizi("early")
    events = []
    receiver.on_call = lambda: events.append("callback")

    answer = await client.call("POST", "/models", {"gender": "male", "callbackUrl": receiver.url})
    events.append("answer")

    assert events == ["callback", "answer"]
    assert receiver.bodies[0]["taskUuid"] == answer.data["taskUuid"]
    assert (await client.call("GET", f"/tasks/{answer.data['taskUuid']}")).data["status"] == "completed"


async def test_an_answer_is_lost_but_the_task_is_not(pizi: Any, receiver: Any) -> None:
    client = await pizi("answer_lost")

    with pytest.raises(aiohttp.ServerDisconnectedError):
        await client.call("POST", "/models", {"gender": "male", "callbackUrl": receiver.url})
    await client.running.idle()

    books = client.running.books("pizi")
    assert [body["taskUuid"] for body in receiver.bodies] == list(books.tasks)
    assert (books.charged, books.counts["POST /models 444"]) == (1, 1)


@pytest.mark.parametrize(
    ("fault", "status", "tasks"),
    [("error_before", 500, 0), ("error_after", 500, 1), ("rate_limit", 429, 0), ("no_credits", 402, 0)],
)
async def test_a_submit_fails_as_asked(pizi: Any, fault: str, status: int, tasks: int) -> None:
    client = await pizi(fault)

    answer = await client.call("POST", "/models", {"gender": "male"})

    assert (answer.status, answer.body["code"], answer.body["success"]) == (status, status, False)
    assert len(client.running.books("pizi").tasks) == tasks
    assert client.running.books("pizi").charged == tasks


async def test_the_same_submit_may_succeed_the_next_time(pizi: Any) -> None:
    client = await pizi("error_before=0.5")

    answers = [await client.call("POST", "/models", {"gender": "male"}) for _ in range(20)]

    assert {answer.status for answer in answers} == {200, 500}


async def test_faults_do_not_depend_on_the_order_of_requests(pizi: Any) -> None:
    bodies = [{"gender": "male", "metadata": {"n": n}} for n in range(20)]
    fates = []
    for order in (bodies, bodies[::-1]):
        client = await pizi("error_before=0.3,task_failed=0.3", seed=1)
        for body in order:
            await client.call("POST", "/models", body)
        await client.running.idle()
        books = client.running.books("pizi")
        fates.append({entry.mark: (entry.id, entry.status) for entry in books.tasks.values()})

    assert fates[0] == fates[1]
    assert {status for _, status in fates[0].values()} == {"completed", "failed"}


async def test_look_ups_break_too(pizi: Any) -> None:
    client = await pizi("error_before=0.5")

    statuses = {(await client.call("GET", "/models")).status for _ in range(20)}

    assert statuses == {200, 500}


async def test_a_burst_of_requests_is_refused(pizi: Any) -> None:
    client = await pizi("rate_limit=0.5")

    statuses = [(await client.call("GET", "/models")).status for _ in range(50)]
    bursts = [set(statuses[start : start + 5]) for start in range(0, 50, 5)]

    assert {200} in bursts
    assert {429} in bursts
    assert all(len(burst) == 1 for burst in bursts)


async def test_a_failed_task_says_nothing_but_that(pizi: Any, receiver: Any) -> None:
    client = await pizi("task_failed")

    task = await client.submit("/pictures", {**SHOT, "callbackUrl": receiver.url})
    shown = await client.call("GET", f"/tasks/{task}")
    picture = await client.call("GET", f"/pictures/{task}")

    assert (shown.data["status"], picture.data["status"]) == ("failed", "failed")
    assert picture.data["result"] == []
    assert [set(body) for body in receiver.bodies] == [{"taskUuid", "resourceUrl"}]


async def test_a_failure_may_be_silent(pizi: Any, receiver: Any) -> None:
    client = await pizi("task_failed,silent_failure")

    await client.submit("/pictures", {**SHOT, "callbackUrl": receiver.url})

    assert receiver.bodies == []


async def test_a_fresh_task_can_not_be_found_at_once(pizi: Any) -> None:
    now = [AT]
    client = await pizi("lookup_lag", lag_s=3.0, clock=lambda: now[0])
    task = await client.submit("/pictures", {**SHOT, "metadata": {"wf": "1"}})
    paths = (f"/tasks/{task}", f"/pictures/{task}")

    early = [(await client.call("GET", path)).status for path in paths]
    listed_early = (await client.call("GET", "/pictures?filter=wf:1")).data
    now[0] += 3.0
    later = [(await client.call("GET", path)).status for path in paths]
    listed_later = (await client.call("GET", "/pictures?filter=wf:1")).data

    assert (early, listed_early) == ([404, 404], [])
    assert later == [200, 200]
    assert [row["uuid"] for row in listed_later] == [task]


async def test_a_slow_answer_comes_in_the_end(pizi: Any) -> None:
    client = await pizi("slow_answer", lag_s=0.01)

    assert (await client.call("POST", "/models", {"gender": "male"})).status == 200


async def test_a_picture_may_be_read_back_as_creative(pizi: Any) -> None:
    client = await pizi("creative")
    task = await client.submit("/pictures", SHOT)

    assert (await client.call("GET", f"/pictures/{task}")).data["shotType"] == "creative"
    assert (await client.call("GET", "/pictures?shotType=creative")).data[0]["shotType"] == "creative"


async def test_an_expired_link_is_refused_until_one_asks_for_a_new_one(pizi: Any) -> None:
    client = await pizi("expired_link=0.5")
    model = await client.model()
    links = [(await client.call("GET", f"/models/{model}")).data["mediaUrl"] for _ in range(10)]

    first = [(await client.http.get(link)).status for link in links]
    again = [(await client.http.get(link)).status for link in links]

    assert set(first) == {200, 403}
    assert again == first


async def test_a_truncated_download_is_noticed_by_the_client(pizi: Any) -> None:
    client = await pizi("truncated_download")
    model = await client.model()

    reply = await client.http.get(f"{client.url}/files/{model}.png")

    with pytest.raises(aiohttp.ClientPayloadError):
        await reply.read()


async def test_a_slow_download_is_whole_in_the_end(pizi: Any) -> None:
    client = await pizi("slow_download", lag_s=0.01)
    model = await client.model()

    reply = await client.http.get(f"{client.url}/files/{model}.png")

    assert _size(await reply.read()) == ("PNG", 768, 1024)


async def test_many_tasks_at_once_are_each_called_back_once(pizi: Any, receiver: Any) -> None:
    client = await pizi("duplicate=0.1,reorder=0.1,late=0.1", lag_s=0.05)
    bodies = [{**SHOT, "metadata": {"n": n}, "callbackUrl": receiver.url} for n in range(200)]

    answers = await asyncio.gather(*(client.call("POST", "/pictures", body) for body in bodies))
    await client.running.idle()

    tasks = {answer.data["taskUuid"] for answer in answers}
    assert len(tasks) == 200
    assert {body["taskUuid"] for body in receiver.bodies} == tasks
    assert 200 < len(receiver.bodies) < 250
