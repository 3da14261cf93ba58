"""The simulated Pixza answers as Pixza's page says, refuses what it forbids, and breaks on request."""

import io
import json
import re
import struct
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from PIL import Image

from orchestrator.simulators.books import Books
from orchestrator.simulators.options import Options
from orchestrator.simulators.pixza import Simulator, h264
from orchestrator.simulators.pixza.models import MODELS
from orchestrator.simulators.pixza.plans import REQUESTS_PER_MINUTE, Plan

AT = 1778500800.0
"""2026-05-11T12:00:00Z, the page's own moment."""

EXAMPLE = {
    "type": "image",
    "prompt": "A luxury product on marble surface, cinematic lighting",
    "model": "flux-pro",
    "width": 1024,
    "height": 1024,
}
"""The page's example."""

IMAGE = {"type": "image", "prompt": "hills"}
VIDEO = {"type": "video", "prompt": "hills", "model": "veo-3-fast", "width": 160, "height": 90}
SOLID = {"type": "3d", "prompt": "a cube"}
MOVING = {"type": "video", "prompt": "hills", "model": "wan-i2v"}
PICTURE = "https://example.com/a.png"

Client = Any
Begin = Callable[..., Awaitable[Client]]


@pytest.fixture
def pixza(account: Any) -> Begin:
    """Return a function that starts Pixza and gives a client of it."""

    async def go(faults: str = "", **options: Any) -> Client:
        return await account("pixza", faults, **options)

    return go


async def _submit(client: Client, body: object) -> dict[str, Any]:
    """Submit, and return the generation as it is in the end."""
    answer = await client.call("POST", "/generate", body)
    assert answer.status == 200, answer.body
    await client.running.idle()
    return dict((await client.call("GET", f"/generate/{answer.body['id']}")).body)


async def test_the_pages_example_is_made(pixza: Begin, receiver: Any) -> None:
    client = await pixza(clock=lambda: AT)

    made = await _submit(client, {**EXAMPLE, "webhook_url": receiver.url})

    assert made == {
        "id": made["id"],
        "status": "completed",
        "type": "image",
        "model": "flux-pro",
        "prompt": "A luxury product on marble surface, cinematic lighting",
        "output_url": made["output_url"],
        "width": 1024,
        "height": 1024,
        "credits_used": 4,
        "created_at": "2026-05-11T12:00:00Z",
    }
    assert list(made) == [
        "id",
        "status",
        "type",
        "model",
        "prompt",
        "output_url",
        "width",
        "height",
        "credits_used",
        "created_at",
    ]
    assert re.fullmatch(r"gen_[0-9a-z]{12}", made["id"])
    assert re.fullmatch(rf"{client.url}/gen/[0-9a-f]{{12}}\.jpg", made["output_url"])


async def test_a_submit_may_be_finished_or_not_and_then_has_no_result(pixza: Begin) -> None:
    client = await pixza()

    answers = [await client.call("POST", "/generate", {**IMAGE, "prompt": f"hill {n}"}) for n in range(20)]

    shapes = {(answer.body["status"], answer.body["output_url"] is None) for answer in answers}
    assert shapes == {("completed", False), ("processing", True)}


async def test_what_takes_long_is_never_finished_at_once(pixza: Begin) -> None:
    client = await pixza(latency_s=3600.0)

    image = await client.call("POST", "/generate", IMAGE)
    video = await client.call("POST", "/generate", VIDEO)
    shown = await client.call("GET", f"/generate/{video.body['id']}")

    assert (image.body["status"], video.body["status"]) == ("processing", "processing")
    assert (shown.body["status"], shown.body["output_url"]) == ("processing", None)


async def test_an_image_has_the_size_asked_for(pixza: Begin) -> None:
    client = await pixza()

    made = await _submit(client, {**IMAGE, "width": 320, "height": 200})
    reply = await client.http.get(made["output_url"])
    image = Image.open(io.BytesIO(await reply.read()))

    assert (reply.content_type, image.format, image.size) == ("image/jpeg", "JPEG", (320, 200))


async def test_the_same_seed_makes_the_same_image(pixza: Begin) -> None:
    client = await pixza()
    bodies = [{**IMAGE, "width": 64, "height": 64, "seed": 7, "steps": steps} for steps in range(1, 9)]

    links = [(await _submit(client, body))["output_url"] for body in bodies]
    files = [await (await client.http.get(link)).read() for link in links]

    assert (len(set(links)), len(set(files))) == (8, 1)


async def test_an_input_image_of_this_machine_is_what_becomes_the_result(pixza: Begin) -> None:
    first = await pixza()
    source = await _submit(first, {**IMAGE, "width": 96, "height": 64})

    body = {"type": "image", "prompt": "x", "model": "flux-kontext", "width": 96, "height": 64}
    edited = await _submit(first, {**body, "input_image": source["output_url"]})
    unknown = await _submit(first, {**body, "input_image": "https://example.com/a.webp"})
    files = [await (await first.http.get(made["output_url"])).read() for made in (edited, unknown)]

    assert files[0] != files[1]
    assert [Image.open(io.BytesIO(file)).size for file in files] == [(96, 64), (96, 64)]


def _boxes(content: bytes) -> Iterator[tuple[str, bytes]]:
    """Return the boxes of an MP4 file, one level deep."""
    at = 0
    while at < len(content):
        size, name = struct.unpack_from(">I4s", content, at)
        assert size >= 8, "a box is at least as long as its head"
        yield name.decode(), content[at + 8 : at + size]
        at += size
    assert at == len(content)


def _within(content: bytes, *path: str) -> bytes:
    for name in path:
        content = dict(_boxes(content))[name]
    return content


@pytest.fixture
async def clip(pixza: Begin) -> tuple[str, bytes]:
    client = await pixza()
    made = await _submit(client, VIDEO)
    reply = await client.http.get(made["output_url"])
    return reply.content_type, await reply.read()


def test_a_video_is_an_mp4_whose_index_comes_first(clip: tuple[str, bytes]) -> None:
    content_type, content = clip

    assert content_type == "video/mp4"
    assert [name for name, _ in _boxes(content)] == ["ftyp", "moov", "mdat"]
    track = _within(content, "moov", "trak", "tkhd")
    assert struct.unpack(">II", track[-8:]) == (160 << 16, 90 << 16)


def test_a_videos_frames_are_where_its_index_says(clip: tuple[str, bytes]) -> None:
    table = ("moov", "trak", "mdia", "minf", "stbl")
    sizes = _within(clip[1], *table, "stsz")
    begin = struct.unpack(">I", _within(clip[1], *table, "stco")[8:])[0]
    count = struct.unpack_from(">I", sizes, 8)[0]
    lengths = struct.unpack_from(f">{count}I", sizes, 12)

    kinds = []
    for length in lengths:
        assert struct.unpack_from(">I", clip[1], begin)[0] == length - 4
        kinds.append(clip[1][begin + 4] & 0x1F)
        begin += length
    assert kinds == [5] + [1] * 23
    assert begin == len(clip[1])


def test_a_videos_first_frame_shows_the_picture_and_looks_nowhere_like_a_start_code(
    clip: tuple[str, bytes],
) -> None:
    frames = _within(clip[1], "mdat")
    first = frames[4 : 4 + struct.unpack_from(">I", frames)[0]]

    # Eleven by six blocks of sixteen pixels hold 160 by 90, and three more columns are for the motion.
    assert first.count(b"\x0d\x00") >= 13 * 6 - 1
    assert re.search(rb"\x00\x00[\x00-\x02]", frames[4:8] + first) is None


def test_a_videos_frames_move_as_a_real_decoder_has_shown_them() -> None:
    size = h264.coded_size(16, 16, 4)

    stream = h264.panned(Image.new("RGB", size, "navy"), 16, 16, 4)

    # libavcodec played these bytes without complaint, each frame two pixels further than the last.
    assert size == (32, 16)
    assert (stream.sequence_set.hex(), stream.picture_set.hex()) == ("6742c033da2f89d0", "68ce3c80")
    assert [frame.hex() for frame in stream.frames[1:]] == ["419a22b087f8", "419a42b087f8", "419a62b087f8"]


async def test_a_video_of_odd_size_is_made_even(pixza: Begin) -> None:
    client = await pixza()

    made = await _submit(client, {**VIDEO, "width": 101, "height": 65})
    content = await (await client.http.get(made["output_url"])).read()

    assert struct.unpack(">II", _within(content, "moov", "trak", "tkhd")[-8:]) == (100 << 16, 64 << 16)


async def test_a_solid_is_binary_gltf_with_a_picture_on_it(pixza: Begin) -> None:
    client = await pixza()

    made = await _submit(client, SOLID)
    reply = await client.http.get(made["output_url"])
    content = await reply.read()
    magic, version, length, json_length = struct.unpack_from("<4sIII", content)
    document = json.loads(content[20 : 20 + json_length])
    binary = content[20 + json_length + 8 :]
    views = [binary[v["byteOffset"] :][: v["byteLength"]] for v in document["bufferViews"]]

    assert (reply.content_type, made["output_url"][-4:]) == ("model/gltf-binary", ".glb")
    assert (magic, version, length) == (b"glTF", 2, len(content))
    assert len(binary) == document["buffers"][0]["byteLength"]
    assert max(struct.unpack("<36H", views[3])) == 23
    assert [len(view) for view in views[:3]] == [24 * 12, 24 * 12, 24 * 8]
    assert Image.open(io.BytesIO(views[4])).format == "JPEG"


async def test_a_solids_sides_all_look_outwards(pixza: Begin) -> None:
    client = await pixza()

    made = await _submit(client, SOLID)
    content = await (await client.http.get(made["output_url"])).read()
    at = 20 + struct.unpack_from("<I", content, 12)[0] + 8
    points = list(struct.iter_unpack("<3f", content[at : at + 288]))
    normals = list(struct.iter_unpack("<3f", content[at + 288 : at + 576]))

    corners = struct.unpack_from("<36H", content, at + 24 * (12 + 12 + 8))

    for triangle in range(12):
        a, b, c = (points[corner] for corner in corners[3 * triangle : 3 * triangle + 3])
        u, v = ([q - p for p, q in zip(a, other, strict=True)] for other in (b, c))
        cross = (u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0])
        assert tuple(part / 4 for part in cross) == normals[corners[3 * triangle]]


async def test_generations_are_listed_newest_first(pixza: Begin) -> None:
    client = await pixza()
    ids = [(await _submit(client, {**IMAGE, "prompt": f"hill {n}"}))["id"] for n in range(3)]

    listed = await client.call("GET", "/generations")

    assert [row["id"] for row in listed.body["generations"]] == ids[::-1]
    assert listed.body["generations"][0] == (await client.call("GET", f"/generate/{ids[2]}")).body


async def test_only_recent_generations_are_listed(pixza: Begin) -> None:
    client = await pixza(limits="off")
    for _ in range(51):
        await client.call("POST", "/generate", IMAGE)

    assert len((await client.call("GET", "/generations")).body["generations"]) == 50


async def test_the_documented_models_are_listed_with_their_credits(pixza: Begin) -> None:
    client = await pixza()

    models = (await client.call("GET", "/models")).body["models"]

    assert {row["id"]: (row["type"], row["credits"]) for row in models if row["type"] != "3d"} == {
        "flux-schnell": ("image", 1),
        "flux-dev": ("image", 2),
        "flux-pro": ("image", 4),
        "flux-kontext": ("image", 4),
        "seedream": ("image", 3),
        "gemini-imagen-4": ("image", 3),
        "veo-3-fast": ("video", 50),
        "wan-i2v": ("video", 20),
    }


async def test_every_model_costs_what_the_table_says(pixza: Begin) -> None:
    client = await pixza()
    books = client.running.books("pixza")

    for model in MODELS.values():
        image = {} if model.input_image == "none" else {"input_image": PICTURE}
        before = books.balance
        answer = await client.call(
            "POST", "/generate", {"type": model.type, "prompt": "x", "model": model.id, **image}
        )

        assert answer.body["credits_used"] == before - books.balance == model.credits
        assert (await client.call("GET", "/credits")).body == {"credits_remaining": books.balance}


async def test_too_few_credits_are_the_printed_402_and_nothing_is_taken(pixza: Begin) -> None:
    client = await pixza(credits=0)

    answer = await client.call("POST", "/generate", IMAGE)

    assert (answer.status, answer.body) == (
        402,
        {
            "error": "insufficient_credits",
            "message": "Your account has 0 credits remaining. Upgrade your plan to continue.",
            "credits_remaining": 0,
        },
    )
    assert client.running.books("pixza").tasks == {}


@pytest.mark.parametrize("sent", [{}, {"Authorization": "Bearer pk_live_x"}, {"Authorization": "{key}"}])
async def test_nothing_is_told_without_the_key(pixza: Begin, sent: dict[str, str]) -> None:
    client = await pixza()
    headers = {name: value.format(key=client.key) for name, value in sent.items()}

    async with client.http.post(f"{client.url}/generate", json=IMAGE, headers=headers) as reply:
        body = await reply.json()

    assert (reply.status, body["message"]) == (401, "Missing or invalid API key")
    assert client.running.books("pixza").tasks == {}


@pytest.mark.parametrize(
    "body",
    [
        IMAGE,
        EXAMPLE,
        VIDEO,
        SOLID,
        {**SOLID, "model": "simulated-3d", "input_image": PICTURE},
        {**IMAGE, "input_image": PICTURE},
        {**MOVING, "input_image": PICTURE},
        {**IMAGE, "width": 64, "height": 2048, "steps": 1, "seed": -1},
        {**IMAGE, "webhook_url": "http://127.0.0.1:9/hook"},
    ],
)
async def test_a_valid_generation_is_accepted(pixza: Begin, body: object) -> None:
    client = await pixza(latency_s=3600.0)

    assert (await client.call("POST", "/generate", body)).status == 200


@pytest.mark.parametrize(
    ("body", "details"),
    [
        ({}, "type is required"),
        ([], "body must be an object"),
        ({"type": "image"}, "prompt is required"),
        ({**IMAGE, "prompt": " "}, "prompt must not be empty"),
        ({**IMAGE, "prompt": 5}, "prompt must be a string"),
        ({**IMAGE, "type": "audio"}, "type must be image, video or 3d"),
        ({**IMAGE, "type": "Image"}, "type must be image, video or 3d"),
        ({**IMAGE, "model": "flux"}, "model 'flux' does not exist"),
        ({**IMAGE, "model": ""}, "model '' does not exist"),
        ({**IMAGE, "model": "FLUX-PRO"}, "model 'FLUX-PRO' does not exist"),
        ({**IMAGE, "model": None}, "model must be a string"),
        ({**IMAGE, "model": "veo-3-fast"}, "makes type video, not image"),
        ({"type": "video", "prompt": "x"}, "model 'flux-schnell' makes type image, not video"),
        ({**SOLID, "model": "flux-pro"}, "makes type image, not 3d"),
        (MOVING, "input_image is required by model 'wan-i2v'"),
        ({**IMAGE, "model": "flux-kontext"}, "input_image is required by model 'flux-kontext'"),
        ({**VIDEO, "input_image": PICTURE}, "input_image is not taken by model 'veo-3-fast'"),
        ({**IMAGE, "input_image": "data:image/png;base64,AAAA"}, "input_image must be an http(s) URL"),
        ({**IMAGE, "input_image": "http://127.0.0.1:1/a.png"}, "could not be fetched"),
        ({**IMAGE, "width": "1024"}, "width must be an integer"),
        ({**IMAGE, "width": 1024.0}, "width must be an integer"),
        ({**IMAGE, "height": True}, "height must be an integer"),
        ({**IMAGE, "height": 63}, "height must be from 64 to 2048"),
        ({**IMAGE, "width": 2049}, "width must be from 64 to 2048"),
        ({**IMAGE, "steps": 0}, "steps must be from 1"),
        ({**IMAGE, "seed": "x"}, "seed must be an integer"),
        ({**IMAGE, "webhook_url": "example.com/hook"}, "webhook_url must be an http(s) URL"),
        ({**IMAGE, "webhook_url": "http://example.com/a b"}, "webhook_url must be an http(s) URL"),
        ({**IMAGE, "n": 2}, "n is not a field"),
    ],
)
async def test_a_wrong_generation_is_refused(pixza: Begin, body: object, details: str) -> None:
    client = await pixza()

    answer = await client.call("POST", "/generate", body)

    assert (answer.status, answer.body["error"]) == (422, "validation_error")
    assert details in answer.body["message"]
    assert client.running.books("pixza").tasks == {}


@pytest.mark.parametrize(
    ("content", "content_type"),
    [(b"{", "application/json"), (b"{}", "text/plain"), (b"", "application/json")],
)
async def test_a_body_that_is_no_json_is_refused(pixza: Begin, content: bytes, content_type: str) -> None:
    client = await pixza()

    headers = {"Content-Type": content_type}
    answer = await client.call("POST", "/generate", data=content, headers=headers)

    assert answer.status == 422


async def test_a_file_that_is_no_picture_is_no_input_image(pixza: Begin) -> None:
    async def page(request: web.Request) -> web.Response:
        return web.Response(text="no picture")

    app = web.Application()
    app.router.add_get("/a.png", page)
    client = await pixza()
    async with TestServer(app) as server:
        answer = await client.call(
            "POST", "/generate", {**IMAGE, "input_image": str(server.make_url("/a.png"))}
        )

    assert (answer.status, "first bytes" in answer.body["message"]) == (422, True)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/generate/gen_abc123xyz"),
        ("GET", "/generate"),
        ("POST", "/api/v1/generate"),
        ("POST", "/generateCore"),
        ("POST", "/generations"),
        ("DELETE", "/generate/gen_abc123xyz"),
    ],
)
async def test_what_is_not_there_is_a_404_with_a_message(pixza: Begin, method: str, path: str) -> None:
    client = await pixza()

    answer = await client.call(method, path)

    assert (answer.status, answer.body["error"]) == (404, "not_found")
    assert answer.body["message"]


async def test_the_webhook_has_the_printed_body_or_the_result(pixza: Begin, receiver: Any) -> None:
    client = await pixza()

    made = [
        await _submit(client, {**IMAGE, "prompt": f"hill {n}", "webhook_url": receiver.url})
        for n in range(20)
    ]

    shapes = {len(body) for body in receiver.bodies}
    assert shapes == {2, 10}
    whole = {row["id"]: row for row in made}
    for body in receiver.bodies:
        assert body in (whole[body["id"]], {"id": body["id"], "status": "completed"})
    assert set(receiver.content_types) == {"application/json"}


async def test_more_requests_in_a_minute_than_the_plan_has_are_refused(pixza: Begin) -> None:
    now = [AT]
    client = await pixza(clock=lambda: now[0])

    statuses = [(await client.call("GET", "/credits")).status for _ in range(61)]
    refused = await client.call("GET", "/credits")
    now[0] += 60.0

    assert statuses == [200] * 60 + [429]
    assert refused.body == {"error": "rate_limited", "message": "Too many requests — slow down"}
    assert (await client.call("GET", "/credits")).status == 200


@pytest.mark.parametrize(("plan", "most"), REQUESTS_PER_MINUTE.items())
async def test_each_plan_has_its_limit(plan: Plan, most: int) -> None:
    options = Options(clock=lambda: AT)
    simulator = Simulator(options, Books("pixza", 1000), plan=plan)
    headers = {"Authorization": f"Bearer {simulator.settings('')['api_key']}"}

    async with TestServer(simulator.build()) as server, aiohttp.ClientSession(headers=headers) as http:
        statuses = [(await http.get(server.make_url("/credits"))).status for _ in range(most + 1)]

    assert statuses == [200] * most + [429]


async def test_limits_can_be_switched_off(pixza: Begin) -> None:
    client = await pixza(limits="off", clock=lambda: AT)

    assert {(await client.call("GET", "/credits")).status for _ in range(70)} == {200}


async def test_the_books_tell_what_happened(pixza: Begin, receiver: Any) -> None:
    client = await pixza()
    first = await _submit(client, {**IMAGE, "webhook_url": receiver.url})
    second = await _submit(client, {**IMAGE, "webhook_url": f"{receiver.url}?other"})

    books = client.running.books("pixza")
    entries = list(books.tasks.values())

    assert [entry.id for entry in entries] == [first["id"], second["id"]]
    assert entries[0].digest == entries[1].digest
    assert [(e.operation, e.status, e.charged, e.mark) for e in entries] == [
        ("generate image", "completed", 1, receiver.url),
        ("generate image", "completed", 1, f"{receiver.url}?other"),
    ]
    assert [(sent.task, sent.status) for sent in books.callbacks] == [(first["id"], 204), (second["id"], 204)]
    assert books.counts["GET /generate/{id} 200"] == 2


async def test_faults_do_not_depend_on_the_order_of_requests(pixza: Begin) -> None:
    bodies = [{**IMAGE, "prompt": f"hill {n}"} for n in range(20)]
    fates = []
    for order in (bodies, bodies[::-1]):
        client = await pixza("error_before=0.3,task_failed=0.3", seed=1)
        for body in order:
            await client.call("POST", "/generate", body)
        await client.running.idle()
        books = client.running.books("pixza")
        fates.append({entry.digest: (entry.id, entry.status) for entry in books.tasks.values()})

    assert fates[0] == fates[1]
    assert {status for _, status in fates[0].values()} == {"completed", "failed"}


async def test_an_early_webhook_overtakes_the_answer(pixza: Begin, receiver: Any) -> None:
    client = await pixza("early", latency_s=3600.0)
    events = []
    receiver.on_call = lambda: events.append("webhook")

    answer = await client.call("POST", "/generate", {**VIDEO, "webhook_url": receiver.url})
    events.append("answer")

    assert events == ["webhook", "answer"]
    assert receiver.bodies[0]["id"] == answer.body["id"]


async def test_an_answer_is_lost_but_the_generation_is_not(pixza: Begin) -> None:
    client = await pixza("answer_lost")

    with pytest.raises(aiohttp.ServerDisconnectedError):
        await client.call("POST", "/generate", IMAGE)
    await client.running.idle()

    listed = (await client.call("GET", "/generations")).body["generations"]
    assert [(row["prompt"], row["status"]) for row in listed] == [("hills", "completed")]
    assert client.running.books("pixza").charged == 1


@pytest.mark.parametrize(
    ("fault", "status", "error", "tasks"),
    [
        ("error_before", 500, "server_error", 0),
        ("error_after", 500, "server_error", 1),
        ("rate_limit", 429, "rate_limited", 0),
        ("no_credits", 402, "insufficient_credits", 0),
    ],
)
async def test_a_submit_fails_as_asked(pixza: Begin, fault: str, status: int, error: str, tasks: int) -> None:
    client = await pixza(fault)

    answer = await client.call("POST", "/generate", IMAGE)

    assert (answer.status, answer.body["error"]) == (status, error)
    assert len(client.running.books("pixza").tasks) == tasks


async def test_look_ups_break_too_and_not_for_ever(pixza: Begin) -> None:
    client = await pixza("error_before=0.5")

    assert {(await client.call("GET", "/credits")).status for _ in range(20)} == {200, 500}


async def test_a_failed_generation_has_no_result_and_may_be_silent(pixza: Begin, receiver: Any) -> None:
    loud, silent = await pixza("task_failed"), await pixza("task_failed,silent_failure")

    failed = await _submit(loud, {**IMAGE, "webhook_url": receiver.url})
    await _submit(silent, {**IMAGE, "webhook_url": receiver.url})

    assert (failed["status"], failed["output_url"], failed["credits_used"]) == ("failed", None, 1)
    assert [body["status"] for body in receiver.bodies] == ["failed"]


async def test_a_fresh_generation_can_not_be_found_at_once(pixza: Begin) -> None:
    now = [AT]
    client = await pixza("lookup_lag", lag_s=3.0, clock=lambda: now[0])
    id = (await client.call("POST", "/generate", IMAGE)).body["id"]

    early = await client.call("GET", f"/generate/{id}")
    listed = await client.call("GET", "/generations")
    now[0] += 3.0
    later = await client.call("GET", f"/generate/{id}")

    assert (early.status, listed.body["generations"], later.status) == (404, [], 200)


async def test_a_link_may_have_expired_until_it_is_asked_for_again(pixza: Begin) -> None:
    client = await pixza("expired_link=0.5")
    made = await _submit(client, {**IMAGE, "width": 64, "height": 64})
    links = [(await client.call("GET", f"/generate/{made['id']}")).body["output_url"] for _ in range(10)]

    assert {(await client.http.get(link)).status for link in links} == {200, 403}


async def test_a_truncated_download_is_noticed_by_the_client(pixza: Begin) -> None:
    client = await pixza("truncated_download")
    made = await _submit(client, VIDEO)

    reply = await client.http.get(made["output_url"])

    with pytest.raises(aiohttp.ClientPayloadError):
        await reply.read()
