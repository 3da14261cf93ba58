"""The simulated Perfect, over HTTP: golden shapes, limits, lost tasks, and what it does not let pass."""

import base64
import io
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from PIL import Image
from yarl import URL

from orchestrator.simulators import pictures
from orchestrator.simulators.perfect.features import ALL_ERRORS, ENGINE_ERRORS, FEATURES
from orchestrator.simulators.perfect.gate import Gate
from orchestrator.simulators.perfect.refusal import Refusal
from orchestrator.simulators.server import Books, Options, Running

HOUR = 3600.0
DAY = 24 * HOUR
GROUP, STYLE = 18213963761051864, 22205685004925400
"""The ids that the document prints, for hair_style."""


class Hand:
    """A clock that stands still until it is moved by hand."""

    def __init__(self) -> None:
        self.now = 1_736_500_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Reply:
    status: int
    body: Any

    @property
    def result(self) -> Any:
        assert self.status == 200, self.body
        return self.body["result"]

    @property
    def refusal(self) -> tuple[int, str]:
        return self.status, self.body["error_code"]


@dataclass
class Client:
    """What a client of Perfect has to do, done by hand."""

    running: Running
    http: aiohttp.ClientSession
    clock: Hand
    base: str
    client_id: str
    client_secret: str
    token: str = ""

    @property
    def books(self) -> Books:
        return self.running.books("perfect")

    async def call(self, method: str, path: str, body: object = None, **options: Any) -> Reply:
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        if body is not None:
            options["json"] = body
        async with self.http.request(
            method, f"{self.base}/s2s/v1.0/{path}", headers=headers, **options
        ) as reply:
            return Reply(reply.status, await reply.json())

    def id_token(self, *, off_s: float = 0.0, client_id: str | None = None) -> str:
        key = serialization.load_der_public_key(base64.b64decode(self.client_secret))
        assert isinstance(key, rsa.RSAPublicKey)
        at = int((self.clock() + off_s) * 1000)
        plain = f"client_id={client_id or self.client_id}&timestamp={at}"
        return base64.b64encode(key.encrypt(plain.encode(), padding.PKCS1v15())).decode()

    async def log_in(self) -> Reply:
        body = {"client_id": self.client_id, "id_token": self.id_token()}
        reply = await self.call("POST", "client/auth", body)
        self.token = reply.result["access_token"]
        return reply

    async def slot(self, feature: str, content_type: str = "image/jpeg") -> dict[str, Any]:
        body = {"files": [{"content_type": content_type, "file_name": "photo"}]}
        reply = await self.call("POST", f"file/{FEATURES[feature].slug}", body)
        slot: dict[str, Any] = reply.result["files"][0]
        return slot

    async def put(self, content: bytes, method: str, url: str, headers: dict[str, str]) -> int:
        async with self.http.request(
            method, URL(url, encoded=True), headers=headers, data=io.BytesIO(content)
        ) as reply:
            return reply.status

    async def upload(self, feature: str, content: bytes) -> str:
        slot = await self.slot(feature)
        assert await self.put(content, **slot["requests"][0]) == 200
        return str(slot["file_id"])

    async def run(self, feature: str, body: object) -> Reply:
        return await self.call("POST", f"task/{FEATURES[feature].slug}", body)

    async def check(self, feature: str, task_id: str) -> Reply:
        return await self.call("GET", f"task/{FEATURES[feature].slug}", params={"task_id": task_id})

    async def started(self, feature: str = "colorize", **files: str) -> str:
        """Run a task on good files and return its id."""
        order = await self.order(feature, files=files)
        return str((await self.run(feature, order)).result["task_id"])

    async def order(
        self, feature: str = "colorize", *, request_id: int = 0, files: dict[str, str] | None = None
    ) -> dict[str, Any]:
        """Return the body of a good run call; files that are not given are uploaded."""
        sets = {
            name: [(files or {}).get(name) or await self.upload(feature, FACE)]
            for name in FEATURES[feature].sets
        }
        action = {"id": 0, "params": await self.params(feature)}
        payload = {"file_sets": sets, "actions": [action], "output_ext": FEATURES[feature].output_ext[0]}
        if not action["params"]:
            del action["params"]
        if not sets:
            del payload["file_sets"]
        return {"request_id": request_id, "payload": payload}

    async def params(self, feature: str) -> dict[str, Any]:
        params: dict[str, Any] = {}
        if "scale" in FEATURES[feature].params:
            params["scale"] = 2
        if "prompt" in FEATURES[feature].params:
            params["prompt"] = "a woman in a valley"
        if FEATURES[feature].has_styles:
            slug = FEATURES[feature].slug
            group = (await self.call("GET", f"task/style-group/{slug}")).result["groups"][0]["id"]
            page = await self.call("GET", f"task/style/{slug}", params={"style_group_id": group})
            params |= {"style_group_id": group, "style_ids": [page.result["styles"][0]["id"]]}
        return params

    async def download(self, url: str, **headers: str) -> tuple[int, bytes]:
        async with self.http.get(URL(url, encoded=True), headers=headers) as reply:
            return reply.status, await reply.read()


Begin = Callable[..., Awaitable[Running]]
Enter = Callable[..., Awaitable[Client]]

FACE = pictures.portrait(1, size=(240, 320), format="jpg")


@pytest.fixture
async def perfect(begin: Begin) -> AsyncIterator[Enter]:
    """Return a function that starts Perfect and gives a client of it that is logged in."""
    async with aiohttp.ClientSession() as http:

        async def go(faults: str = "", **options: Any) -> Client:
            clock = Hand()
            wanted = {"kinds": ("perfect",), "clock": clock, "limits": "off", **options}
            running = await begin(faults, **wanted)
            settings = running.client_settings("perfect")
            address = settings["base_url"], settings["client_id"], settings["client_secret"]
            client = Client(running, http, clock, *address)
            for _ in range(20):
                # Where answers are broken on purpose, one tries again.
                body = {"client_id": client.client_id, "id_token": client.id_token()}
                reply = await client.call("POST", "client/auth", body)
                if reply.status == 200:
                    client.token = reply.result["access_token"]
                    break
            return client

        yield go


def encoded(image: Image.Image, format: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format)
    return buffer.getvalue()


# Logging in


async def test_the_secret_is_a_1024_bit_public_key_in_x509_base64(perfect: Enter) -> None:
    client = await perfect()

    key = serialization.load_der_public_key(base64.b64decode(client.client_secret))

    assert isinstance(key, rsa.RSAPublicKey)
    assert (key.key_size, len(client.client_secret), len(client.client_id)) == (1024, 216, 32)
    assert len(client.id_token()) == 172


async def test_a_login_gives_a_token_in_the_envelope(perfect: Enter) -> None:
    client = await perfect()

    reply = await client.log_in()

    assert reply.body == {"status": 200, "result": {"access_token": client.token}}


@pytest.mark.parametrize("off_s", [-290.0, 290.0])
async def test_a_clock_a_little_off_is_let_in(perfect: Enter, off_s: float) -> None:
    client = await perfect()
    body = {"client_id": client.client_id, "id_token": client.id_token(off_s=off_s)}

    assert (await client.call("POST", "client/auth", body)).status == 200


async def test_a_login_is_refused_for_every_single_thing_that_can_be_wrong(perfect: Enter) -> None:
    client = await perfect()
    own, good = client.client_id, client.id_token()
    key = rsa.generate_private_key(public_exponent=65537, key_size=1024).public_key()
    foreign = base64.b64encode(key.encrypt(b"client_id=x&timestamp=1", padding.PKCS1v15())).decode()
    table: list[tuple[dict[str, object], tuple[int, str]]] = [
        ({"client_id": own}, (400, "InvalidParameters")),
        ({"client_id": own, "id_token": 1}, (400, "InvalidParameters")),
        ({"client_id": "other", "id_token": good}, (401, "InvalidApiKey")),
        ({"client_id": own, "id_token": "not base64!"}, (401, "InvalidApiKey")),
        ({"client_id": own, "id_token": foreign}, (401, "InvalidApiKey")),
        ({"client_id": own, "id_token": client.id_token(client_id="other")}, (401, "InvalidApiKey")),
        ({"client_id": own, "id_token": client.id_token(off_s=-310)}, (401, "InvalidApiKey")),
        ({"client_id": own, "id_token": client.id_token(off_s=310)}, (401, "InvalidApiKey")),
    ]

    answers = [(await client.call("POST", "client/auth", body)).refusal for body, _ in table]

    assert answers == [expected for _, expected in table]


async def test_a_token_lives_for_two_hours(perfect: Enter) -> None:
    client = await perfect()

    client.clock.now += 2 * HOUR - 1
    before = await client.call("GET", "task/style-group/wig")
    client.clock.now += 1
    after = await client.call("GET", "task/style-group/wig")

    assert before.status == 200
    assert after.refusal == (401, "InvalidAccessToken")


STYLED = ("hair-style", "wig", "hair-ext", "hair-bang", "hair-vol", "text-to-image")
WITH_FILES = (
    *STYLED[:5],
    "aging",
    "mu-trans-rec",
    "obj-removal",
    "colorize",
    "sod",
    "enhance",
)
OPERATIONS = [
    *(("POST", f"file/{slug}") for slug in WITH_FILES),
    *(("GET", f"task/style-group/{slug}") for slug in STYLED),
    *(("GET", f"task/style/{slug}") for slug in STYLED),
    *(("POST", f"task/{slug}") for slug in (*WITH_FILES, "text-to-image")),
    *(("GET", f"task/{slug}") for slug in (*WITH_FILES, "text-to-image")),
]


async def test_all_47_operations_beside_the_login_are_there_and_want_a_token(perfect: Enter) -> None:
    client = await perfect()
    client.token = ""

    refusals = {(await client.call(method, path)).refusal for method, path in OPERATIONS}

    assert len(OPERATIONS) == 47
    assert refusals == {(401, "InvalidAccessToken")}


async def test_the_image_generator_takes_no_files(perfect: Enter) -> None:
    client = await perfect()

    assert (await client.call("POST", "file/text-to-image", {})).refusal == (404, "NotFound")


# Limits


async def test_the_hundred_and_first_request_from_an_address_within_five_minutes_is_one_too_many(
    perfect: Enter,
) -> None:
    client = await perfect(limits="documented")
    codes = [(await client.call("GET", "task/style-group/wig")).status for _ in range(100)]
    client.clock.now += 299
    late = await client.call("GET", "task/style-group/wig")
    client.clock.now += 1
    free = await client.call("GET", "task/style-group/wig")

    assert codes == [200] * 99 + [429]
    assert late.refusal == (429, "TooManyRequests")
    assert free.status == 200


def test_the_hundred_and_first_request_with_a_token_within_a_minute_is_one_too_many() -> None:
    clock = Hand()
    gate = Gate(Options(clock=clock))
    key = serialization.load_der_public_key(base64.b64decode(gate.client_secret))
    assert isinstance(key, rsa.RSAPublicKey)
    plain = f"client_id={gate.client_id}&timestamp={int(clock() * 1000)}".encode()
    id_token = base64.b64encode(key.encrypt(plain, padding.PKCS1v15())).decode()
    token = gate.log_in({"client_id": gate.client_id, "id_token": id_token})
    for _ in range(100):
        gate.admit_token(f"Bearer {token}")

    with pytest.raises(Refusal, match="60 s by this token"):
        gate.admit_token(f"Bearer {token}")
    clock.now += 60
    gate.admit_token(f"Bearer {token}")


async def test_without_limits_nobody_is_sent_away(perfect: Enter) -> None:
    client = await perfect(limits="off")

    assert {(await client.call("GET", "task/style-group/wig")).status for _ in range(120)} == {200}


# Uploading


async def test_create_file_says_how_to_upload(perfect: Enter) -> None:
    client = await perfect()
    body = {"files": [{"content_type": "image/jpg", "file_name": "me.jpg"}]}

    files = (await client.call("POST", "file/hair-style", body)).result["files"]

    assert [set(file) for file in files] == [{"content_type", "file_name", "file_id", "requests"}]
    assert (files[0]["content_type"], files[0]["file_name"]) == ("image/jpg", "me.jpg")
    [how] = files[0]["requests"]
    assert set(how) == {"headers", "url", "method"}
    assert how["method"] == "PUT"
    assert how["headers"]["Content-Type"] == "image/jpg"


async def test_two_files_of_the_same_name_get_two_ids(perfect: Enter) -> None:
    client = await perfect()

    assert (await client.slot("aging"))["file_id"] != (await client.slot("aging"))["file_id"]


@pytest.mark.parametrize(
    ("feature", "content_type", "status"),
    [
        ("hair_style", "image/png", 200),
        ("hair_style", "image/heic", 400),
        ("hair_style", "image/gif", 400),
        ("makeup_transfer", "image/gif", 200),
        ("makeup_transfer", "image/tiff", 200),
        ("enhance", "image/webp", 400),
    ],
)
async def test_only_the_content_types_of_the_document_can_be_uploaded(
    perfect: Enter, feature: str, content_type: str, status: int
) -> None:
    client = await perfect()
    body = {"files": [{"content_type": content_type, "file_name": "x"}]}

    assert (await client.call("POST", f"file/{FEATURES[feature].slug}", body)).status == status


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"files": []},
        {"files": {"content_type": "image/png", "file_name": "x"}},
        {"files": [{"content_type": "image/png"}]},
        {"files": [{"content_type": "image/png", "file_name": ""}]},
        {"files": [{"content_type": "image/png", "file_name": "x", "file_size": 3}]},
    ],
)
async def test_a_create_file_call_that_breaks_the_rules_is_refused(perfect: Enter, body: object) -> None:
    client = await perfect()

    assert (await client.call("POST", "file/aging", body)).refusal == (400, "InvalidParameters")


async def test_an_upload_must_be_sent_exactly_as_it_was_told(perfect: Enter) -> None:
    client = await perfect()
    how = (await client.slot("aging"))["requests"][0]
    url, headers = how["url"], how["headers"]

    answers = [
        await client.put(b"x", "POST", url, headers),
        await client.put(b"x", "PUT", url.replace("%7E", "~"), headers),
        await client.put(b"x", "PUT", url.replace("%2F", "/"), headers),
        await client.put(b"x", "PUT", url.partition("?")[0], headers),
        await client.put(b"x", "PUT", url, {**headers, "Content-Type": "image/png"}),
        await client.put(b"x", "PUT", url, {"Content-Type": headers["Content-Type"]}),
        await client.put(b"x", "PUT", url, {**headers, "Authorization": f"Bearer {client.token}"}),
        await client.put(b"x", "PUT", url.replace("/storage/", "/storage/0"), headers),
        await client.put(b"x", "PUT", url, headers),
    ]

    assert answers == [403, 403, 403, 403, 403, 403, 400, 404, 200]


async def test_an_upload_address_dies_after_two_hours(perfect: Enter) -> None:
    client = await perfect()
    how = (await client.slot("aging"))["requests"][0]
    client.clock.now += 2 * HOUR + 1

    assert await client.put(b"x", **how) == 403


async def test_a_run_before_the_upload_is_refused_and_makes_no_task(perfect: Enter) -> None:
    client = await perfect()
    slot = await client.slot("object_removal")
    face = await client.upload("object_removal", FACE)

    source = await client.order("object_removal", files={"src_ids": slot["file_id"], "mask_ids": face})
    mask = await client.order("object_removal", files={"src_ids": face, "mask_ids": slot["file_id"]})

    assert (await client.run("object_removal", source)).refusal == (404, "error_download_image")
    assert (await client.run("object_removal", mask)).refusal == (404, "error_download_mask")
    assert client.books.tasks == {}


async def test_the_same_run_succeeds_once_the_upload_is_there(perfect: Enter) -> None:
    client = await perfect()
    slot = await client.slot("colorize")
    order = await client.order(files={"src_ids": slot["file_id"]})
    assert (await client.run("colorize", order)).status == 404

    await client.put(FACE, **slot["requests"][0])

    assert (await client.run("colorize", order)).status == 200


async def test_uploads_are_kept_for_a_day(perfect: Enter) -> None:
    client = await perfect()
    file_id = await client.upload("colorize", FACE)

    client.clock.now += DAY
    await client.log_in()
    before = await client.run("colorize", await client.order(request_id=1, files={"src_ids": file_id}))
    client.clock.now += 1
    after = await client.run("colorize", await client.order(request_id=2, files={"src_ids": file_id}))

    assert before.status == 200
    assert after.refusal == (404, "error_download_image")


# Styles


@pytest.mark.parametrize(
    "feature", ["hair_style", "wig", "hair_ext", "hair_bang", "hair_vol", "image_generator"]
)
async def test_every_style_is_on_exactly_one_page_and_larger_than_a_float_can_hold(
    perfect: Enter, feature: str
) -> None:
    client = await perfect()
    path = f"task/style/{FEATURES[feature].slug}"
    pages: list[list[dict[str, Any]]] = []
    token = None
    while not pages or token:
        query = {"page_size": "7", **({"starting_token": token} if token else {})}
        result = (await client.call("GET", path, params=query)).result
        pages.append(result["styles"])
        token = result["next_token"]

    ids = [style["id"] for page in pages for style in page]
    assert len(ids) == len(set(ids)) >= 24
    assert min(ids) > 2**53
    assert {len(page) for page in pages[:-1]} == {7}
    assert set(pages[0][0]["info"]) == {"title", "thumb"}


async def test_the_first_page_is_also_called_null_and_holds_twenty(perfect: Enter) -> None:
    client = await perfect()
    query = {"style_group_id": str(GROUP), "starting_token": "null"}

    result = (await client.call("GET", "task/style/hair-style", params=query)).result

    assert len(result["styles"]) == 20
    assert result["styles"][0]["id"] == STYLE
    assert isinstance(result["next_token"], str)


async def test_a_style_has_a_thumbnail(perfect: Enter) -> None:
    client = await perfect()
    styles = (await client.call("GET", "task/style/wig", params={"page_size": "1"})).result["styles"]

    status, content = await client.download(styles[0]["info"]["thumb"])

    assert (status, pictures.dimensions(content)) == (200, (192, 256))


@pytest.mark.parametrize(
    "query",
    [
        {"page_size": "0"},
        {"page_size": "21"},
        {"page_size": "all"},
        {"starting_token": "18213963761051865"},
        {"style_group_id": "18213963761051865"},
        {"style_group_id": "1.8213963761051864e16"},
    ],
)
async def test_a_list_call_that_breaks_the_rules_is_refused(perfect: Enter, query: dict[str, str]) -> None:
    client = await perfect()

    assert (await client.call("GET", "task/style/hair-style", params=query)).refusal == (
        400,
        "InvalidParameters",
    )


# Running and checking


async def test_a_task_runs_and_then_succeeds_in_the_documents_shape(perfect: Enter) -> None:
    client = await perfect(latency_s=5.0)
    task_id = await client.started("enhance")

    running = await client.check("enhance", task_id)
    client.clock.now += 5
    done = await client.check("enhance", task_id)

    assert running.body == {
        "status": 200,
        "result": {"polling_interval": 500, "status": "running", "error": None, "results": []},
    }
    [result] = done.result["results"]
    [file] = result["data"]
    assert done.result == {
        "polling_interval": 500,
        "status": "success",
        "error": None,
        "results": [{"id": 0, "data": [{"dst_id": file["dst_id"], "url": file["url"]}]}],
    }
    assert client.books.tasks[task_id].finished_at == client.clock.now


async def test_a_task_id_must_be_percent_encoded(perfect: Enter) -> None:
    client = await perfect()
    task_id = await client.started()
    careless = URL(f"{client.base}/s2s/v1.0/task/colorize?task_id={task_id}", encoded=True)

    async with client.http.get(careless, headers={"Authorization": f"Bearer {client.token}"}) as reply:
        status = reply.status

    assert "+" in task_id
    assert "/" in task_id
    assert status == 404
    assert (await client.check("colorize", task_id)).status == 200


async def test_a_task_is_found_only_under_its_own_feature(perfect: Enter) -> None:
    client = await perfect()
    task_id = await client.started("colorize")

    assert (await client.check("enhance", task_id)).refusal == (404, "InvalidTaskId")
    assert (await client.call("GET", "task/colorize")).refusal == (400, "InvalidParameters")


async def test_a_task_that_nobody_asks_about_for_ten_seconds_is_lost_and_costs_nothing(
    perfect: Enter,
) -> None:
    client = await perfect(latency_s=60.0)
    task_id = await client.started()

    client.clock.now += 10
    in_time = await client.check("colorize", task_id)
    client.clock.now += 10.01
    too_late = await client.check("colorize", task_id)

    assert in_time.result["status"] == "running"
    assert too_late.refusal == (404, "InvalidTaskId")
    assert client.books.tasks[task_id].status == "lost"
    assert client.books.charged == 0


async def test_a_task_is_kept_alive_by_asking_until_it_is_done(perfect: Enter) -> None:
    client = await perfect(latency_s=60.0)
    task_id = await client.started()

    seen = []
    for _ in range(10):
        client.clock.now += 7
        seen.append((await client.check("colorize", task_id)).result["status"])

    assert seen == ["running"] * 8 + ["success"] * 2


async def test_what_succeeds_within_the_ten_seconds_is_charged_though_nobody_asked(perfect: Enter) -> None:
    client = await perfect(latency_s=9.0)
    task_id = await client.started()

    client.clock.now += 60
    await client.call("GET", "task/style-group/wig")

    assert client.books.tasks[task_id].status == "success"
    assert client.books.charged == 1


async def test_idle_returns_when_the_last_task_has_ended(perfect: Enter) -> None:
    client = await perfect()
    await client.started()

    await client.running.idle()

    assert [task.status for task in client.books.tasks.values()] == ["success"]


@pytest.mark.parametrize("feature", FEATURES)
async def test_every_feature_gives_a_real_picture_in_its_format(perfect: Enter, feature: str) -> None:
    client = await perfect()
    files = {}
    if feature == "object_removal":
        mask = Image.new("L", (240, 320), 0)
        mask.paste(255, (100, 100, 140, 140))
        files["mask_ids"] = await client.upload(feature, encoded(mask))
    task_id = await client.started(feature, **files)

    [result] = (await client.check(feature, task_id)).result["results"]

    for entry in result["data"]:
        status, content = await client.download(entry["url"])
        scale = 2 if feature == "enhance" else 1
        size = (1024, 1024) if feature == "image_generator" else (240 * scale, 320 * scale)
        format = "PNG" if feature == "background_removal" else "JPEG"
        assert (status, pictures.examined(content)) == (200, (format, *size))
        assert content != FACE
    assert client.books.charged == 1


async def test_aging_answers_with_the_upload_among_its_other_ages(perfect: Enter) -> None:
    client = await perfect()
    task_id = await client.started("aging")

    [result] = (await client.check("aging", task_id)).result["results"]

    ages = [entry["res_age"] for entry in result["data"]]
    info = result["custom_info"]
    assert ages == sorted(set(ages))
    assert (info["age_min"], info["age_max"], info["num_of_photos"]) == (ages[0], ages[-1], len(ages))
    assert ages[info["age_idx"]] != info["age"]
    _, content = await client.download(result["data"][info["age_idx"]]["url"])
    assert pictures.dimensions(content) == (240, 320)


async def test_makeup_transfer_comes_with_a_recommendation(perfect: Enter) -> None:
    client = await perfect()
    task_id = await client.started("makeup_transfer")

    [result] = (await client.check("makeup_transfer", task_id)).result["results"]

    assert result["recommendation"]["products"]


async def test_a_result_can_be_the_input_of_another_task_without_an_upload(perfect: Enter) -> None:
    client = await perfect()
    first = await client.check("colorize", await client.started("colorize"))
    dst_id = first.result["results"][0]["data"][0]["dst_id"]

    second = await client.check("enhance", await client.started("enhance", src_ids=dst_id))

    _, content = await client.download(second.result["results"][0]["data"][0]["url"])
    assert pictures.dimensions(content) == (480, 640)


async def test_a_chained_result_outlives_the_result_it_was_made_from(perfect: Enter) -> None:
    client = await perfect()
    first = await client.check("colorize", await client.started("colorize"))
    [source] = first.result["results"][0]["data"]
    client.clock.now += 30 * DAY - 1
    await client.log_in()
    second = await client.check("enhance", await client.started("enhance", src_ids=source["dst_id"]))
    [chained] = second.result["results"][0]["data"]
    client.clock.now += 60

    assert (await client.download(source["url"]))[0] == 404
    assert (await client.download(chained["url"]))[0] == 200


async def test_a_result_link_lives_for_two_hours_and_the_file_for_thirty_days(perfect: Enter) -> None:
    client = await perfect()
    done = await client.check("colorize", await client.started("colorize"))
    [file] = done.result["results"][0]["data"]

    statuses = []
    for after in (2 * HOUR, 1.0, 30 * DAY):
        client.clock.now += after
        statuses.append((await client.download(file["url"]))[0])
    await client.log_in()
    chained = await client.run("enhance", await client.order("enhance", files={"src_ids": file["dst_id"]}))

    assert statuses == [200, 403, 404]
    assert chained.refusal == (404, "error_download_image")


async def test_a_result_link_wants_no_authorization_beside_its_signature(perfect: Enter) -> None:
    client = await perfect()
    done = await client.check("colorize", await client.started("colorize"))
    [file] = done.result["results"][0]["data"]

    assert (await client.download(file["url"], Authorization=f"Bearer {client.token}"))[0] == 400


# What a run call must look like


def without(member: str) -> Callable[[dict[str, Any]], None]:
    def change(body: dict[str, Any]) -> None:
        del body["payload"][member]

    return change


def payload(**members: object) -> Callable[[dict[str, Any]], None]:
    return lambda body: body["payload"].update(members)


def params(**members: object) -> Callable[[dict[str, Any]], None]:
    return lambda body: body["payload"]["actions"][0]["params"].update(members)


WRONG: list[tuple[str, Callable[[dict[str, Any]], None]]] = [
    ("colorize", lambda body: body.pop("request_id")),
    ("colorize", lambda body: body.update(request_id="0")),
    ("colorize", lambda body: body.update(request_id=-1)),
    ("colorize", lambda body: body.update(request_id=True)),
    ("colorize", lambda body: body.update(request_id=1.0)),
    ("colorize", lambda body: body.pop("payload")),
    ("colorize", lambda body: body.update(webhook="https://example.com")),
    ("colorize", without("actions")),
    ("colorize", payload(actions=[])),
    ("colorize", payload(actions=[{"id": 0}, {"id": 1}])),
    ("colorize", payload(actions=[{"id": "0"}])),
    ("colorize", payload(actions=[{"id": 0, "params": {}}])),
    ("colorize", payload(output_ext="png")),
    ("colorize", payload(output_ext=None)),
    ("colorize", payload(outputExt="jpg")),
    ("colorize", without("file_sets")),
    ("colorize", payload(file_sets={"src_ids": []})),
    ("colorize", payload(file_sets={"src_ids": ["a", "b"]})),
    ("colorize", payload(file_sets={"src_ids": "a"})),
    ("colorize", payload(file_sets={"src_ids": ["a"], "ref_ids": ["b"]})),
    ("makeup_transfer", payload(file_sets={"src_ids": ["a"]})),
    ("object_removal", payload(file_sets={"mask_ids": ["a"]})),
    ("background_removal", payload(output_ext="jpg")),
    ("hair_style", payload(output_ext="webp")),
    ("hair_style", params(style_ids=[])),
    ("hair_style", params(style_ids=[STYLE, STYLE])),
    ("hair_style", params(style_ids=[str(STYLE)])),
    ("hair_style", params(style_ids=[float(STYLE)])),
    ("hair_style", params(style_ids=[STYLE + 1])),
    ("hair_style", params(style_group_id=GROUP + 1)),
    ("hair_style", params(style_group_id=None)),
    ("hair_style", params(strength=3)),
    ("enhance", params(scale=3)),
    ("enhance", params(scale=8)),
    ("enhance", params(scale="2")),
    ("enhance", params(scale=None)),
    ("image_generator", params(prompt=" ")),
    ("image_generator", params(prompt=None)),
    ("image_generator", payload(file_sets={"src_ids": ["a"]})),
]


@pytest.mark.parametrize(("feature", "change"), WRONG)
async def test_a_run_call_that_breaks_the_rules_is_refused(
    perfect: Enter, feature: str, change: Callable[[dict[str, Any]], None]
) -> None:
    client = await perfect()
    body = await client.order(feature)
    change(body)

    assert (await client.run(feature, body)).refusal == (400, "InvalidParameters")
    assert client.books.tasks == {}


@pytest.mark.parametrize("feature", ["hair_ext", "hair_bang", "hair_vol"])
async def test_where_the_document_does_not_require_a_request_id_it_may_be_left_out(
    perfect: Enter, feature: str
) -> None:
    client = await perfect()
    body = await client.order(feature)
    del body["request_id"]

    first, second = await client.run(feature, body), await client.run(feature, body)

    assert first.result["task_id"] != second.result["task_id"]


async def test_output_ext_may_be_left_out(perfect: Enter) -> None:
    client = await perfect()
    body = await client.order("background_removal")
    del body["payload"]["output_ext"]
    task_id = (await client.run("background_removal", body)).result["task_id"]

    done = await client.check("background_removal", task_id)

    assert ".png" in done.result["results"][0]["data"][0]["url"]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null"])
async def test_a_body_that_is_no_json_object_is_refused(perfect: Enter, content: bytes) -> None:
    client = await perfect()
    headers = {"Authorization": f"Bearer {client.token}", "Content-Type": "application/json"}

    async with client.http.post(f"{client.base}/s2s/v1.0/task/aging", data=content, headers=headers) as reply:
        assert reply.status == 400


# Pictures that cannot be worked on

BIG = pictures.portrait(1, size=(100, 1025), format="jpg")


@pytest.mark.parametrize(
    ("feature", "content", "error"),
    [
        ("hair_style", b"no picture", "error_decode_image"),
        ("hair_style", FACE[: len(FACE) // 2], "error_decode_image"),
        ("hair_style", pictures.converted(FACE, format="png"), "error_decode_image"),
        ("enhance", pictures.converted(FACE, format="webp"), "error_decode_image"),
        ("hair_style", BIG, "invalid_parameter"),
        ("colorize", FACE + b"\0" * 10 * 1024 * 1024, "exceed_max_filesize"),
        ("enhance", BIG, None),
        ("hair_vol", pictures.converted(FACE, format="png"), None),
    ],
)
async def test_a_picture_that_cannot_be_worked_on_ends_the_task_uncharged(
    perfect: Enter, feature: str, content: bytes, error: str | None
) -> None:
    client = await perfect()
    task_id = await client.started(feature, src_ids=await client.upload(feature, content))

    result = (await client.check(feature, task_id)).result

    assert (result["status"], result["error"]) == ("error" if error else "success", error)
    assert client.books.charged == (0 if error else 1)


@pytest.mark.parametrize(
    ("mask", "error"),
    [
        (b"no picture", "error_decode_mask"),
        (encoded(Image.new("L", (240, 319))), "invalid_parameter"),
        (encoded(Image.new("RGB", (240, 320))), "invalid_parameter"),
    ],
)
async def test_a_mask_must_be_a_grey_picture_of_the_same_size(
    perfect: Enter, mask: bytes, error: str
) -> None:
    client = await perfect()
    mask_id = await client.upload("object_removal", mask)

    done = await client.check("object_removal", await client.started("object_removal", mask_ids=mask_id))

    assert (done.result["status"], done.result["error"]) == ("error", error)


# request_id


@pytest.mark.parametrize(("seed", "gives_the_original"), [(0, True), (2, False)])
async def test_a_repeated_request_id_runs_nothing_twice(
    perfect: Enter, seed: int, gives_the_original: bool
) -> None:
    client = await perfect(seed=seed)
    order = await client.order()
    task_id = (await client.run("colorize", order)).result["task_id"]

    again = await client.run("colorize", order)

    assert again.result == ({"task_id": task_id} if gives_the_original else {})
    assert list(client.books.tasks) == [task_id]
    assert client.books.charged == 1


async def test_another_request_id_or_another_file_makes_another_task(perfect: Enter) -> None:
    client = await perfect()
    file_id = await client.upload("colorize", FACE)

    for order in (
        await client.order(request_id=0, files={"src_ids": file_id}),
        await client.order(request_id=1, files={"src_ids": file_id}),
        await client.order(request_id=0),
    ):
        assert (await client.run("colorize", order)).result["task_id"]

    assert len(client.books.tasks) == 3


# Credits and faults


async def test_without_credits_a_run_is_refused_counting_what_is_still_running(perfect: Enter) -> None:
    client = await perfect(credits=1, latency_s=5.0)
    await client.started()

    refused = await client.run("colorize", await client.order(request_id=1))

    assert refused.refusal == (400, "CreditInsufficiency")
    assert len(client.books.tasks) == 1


@pytest.mark.parametrize(("feature", "codes"), [("aging", ALL_ERRORS), ("image_generator", ENGINE_ERRORS)])
async def test_a_failing_task_names_each_of_its_codes_sooner_or_later(
    perfect: Enter, feature: str, codes: tuple[str, ...]
) -> None:
    client = await perfect("task_failed")
    order = await client.order(feature)
    seen = set()
    for request_id in range(160):
        task_id = (await client.run(feature, {**order, "request_id": request_id})).result["task_id"]
        result = (await client.check(feature, task_id)).result
        assert (result["status"], result["results"]) == ("error", [])
        seen.add(result["error"])

    assert seen == set(codes)
    assert client.books.charged == 0


async def test_after_a_lost_answer_the_same_request_finds_its_task(perfect: Enter) -> None:
    client = await perfect("answer_lost", seed=0)
    order = await client.order()
    with pytest.raises(aiohttp.ClientConnectionError):
        await client.run("colorize", order)

    again = await client.run("colorize", order)

    assert [again.result["task_id"]] == list(client.books.tasks)


async def test_an_error_after_the_submit_leaves_a_task_behind_and_one_before_leaves_none(
    perfect: Enter,
) -> None:
    after = await perfect("error_after")
    assert (await after.run("colorize", await after.order())).refusal == (500, "unknown_internal_error")
    before = await perfect("error_before=0.5")
    answers = [(await before.call("POST", "task/aging", {"request_id": n})).status for n in range(20)]

    assert len(after.books.tasks) == 1
    assert set(answers) == {400, 500}
    assert before.books.tasks == {}


async def test_a_submit_may_be_refused_for_want_of_credits_by_fault(perfect: Enter) -> None:
    client = await perfect("no_credits")

    assert (await client.run("colorize", await client.order())).refusal == (400, "CreditInsufficiency")


async def test_a_fresh_task_may_not_be_found_for_a_moment_but_was_asked_about(perfect: Enter) -> None:
    client = await perfect("lookup_lag", latency_s=30.0, lag_s=3.0)
    task_id = await client.started()

    client.clock.now += 2.9
    missing = await client.check("colorize", task_id)
    client.clock.now += 9
    found = await client.check("colorize", task_id)

    assert missing.refusal == (404, "InvalidTaskId")
    assert found.result["status"] == "running"


async def test_an_early_task_is_done_before_its_submit_is_answered(perfect: Enter) -> None:
    client = await perfect("early", latency_s=30.0)
    task_id = await client.started()

    assert client.books.tasks[task_id].status == "success"


async def test_a_dead_link_is_replaced_when_the_task_is_asked_for_again(perfect: Enter) -> None:
    client = await perfect("expired_link=0.5")
    task_id = await client.started()

    statuses = set()
    for _ in range(20):
        done = await client.check("colorize", task_id)
        statuses.add((await client.download(done.result["results"][0]["data"][0]["url"]))[0])

    assert statuses == {200, 403}


async def test_a_burst_may_be_sent_away(perfect: Enter) -> None:
    client = await perfect("rate_limit=0.3")

    statuses = [(await client.call("GET", "task/style-group/wig")).status for _ in range(60)]

    assert {200, 429} <= set(statuses)
