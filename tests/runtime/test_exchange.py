import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import web
from pydantic import SecretStr

from orchestrator.artifacts.folder import Folder
from orchestrator.clock import SECOND
from orchestrator.errors import Failure
from orchestrator.providers.base import (
    Callback,
    CallbackMeaning,
    CallbackUrl,
    ConnectionSettings,
    Credential,
    Exchange,
    Failed,
    Hint,
    Inline,
    Link,
    Login,
    Operation,
    Prepare,
    PreparedBytes,
    Reply,
    Request,
    RequestNumber,
    Retry,
    Task,
    Unauthorized,
)
from orchestrator.providers.template import Template, freeze
from orchestrator.runtime.exchange import Exchanger
from orchestrator.runtime.images import Images
from orchestrator.runtime.limits import Lane
from orchestrator.runtime.transport import Lost, NotSent, Transport
from orchestrator.tokens import Keyring

API_KEY = "key-that-nobody-may-see"
JOB = "job_01jd0000000000000000000000"
PUBLIC = "https://hooks.example.com"
DENIED = Unauthorized(Failure("unauthorized", "denied"))


class Settings(ConnectionSettings):
    api_key: SecretStr = SecretStr(API_KEY)
    app_uid: str = "API"


@dataclass
class Provider:
    """A server that notes what it is asked and answers by path; `/login` gives tokens t1, t2, …"""

    base_url: str = ""
    requests: list[tuple[str, str, Mapping[str, str], bytes]] = field(default_factory=list)
    answers: dict[str, Callable[[web.BaseRequest], web.Response]] = field(default_factory=dict)
    logins: int = 0
    valid: set[str] = field(default_factory=set)
    login_status: int = 200

    async def handle(self, request: web.BaseRequest) -> web.Response:
        self.requests.append((request.method, request.path_qs, dict(request.headers), await request.read()))
        if request.path == "/api/login":
            return self._log_in()
        if self.valid and request.headers.get("Authorization", "").removeprefix("Bearer ") not in self.valid:
            return web.json_response({"error": "token"}, status=401)
        answer = self.answers.get(request.path)
        return answer(request) if answer else web.json_response({"ok": True}, headers={"X-Credits": "41.5"})

    def _log_in(self) -> web.Response:
        self.logins += 1
        self.valid = {f"t{self.logins}"}
        return web.json_response({"token": f"t{self.logins}"}, status=self.login_status)

    def paths(self) -> list[str]:
        return [f"{method} {path}" for method, path, _, _ in self.requests]

    def body(self, n: int = -1) -> Any:
        return orjson.loads(self.requests[n][3])


class KeyConnector:
    """A connector with an API key in a header."""

    kind = "test"
    operations: Mapping[str, Operation] = {}

    def __init__(self, settings: Settings) -> None:
        self.settings: ConnectionSettings = settings

    def headers(self, token: str | None) -> Mapping[str, str]:
        return {"Authorization": f"Bearer {API_KEY}"}

    def secrets(self) -> Sequence[SecretStr]:
        return [SecretStr(API_KEY)]

    def login(self, now_ms: int, seal: Callable[..., bytes]) -> Exchange[Login | Failed | Retry] | None:
        return None

    def read_callback(self, callback: Callback, task: Task) -> CallbackMeaning:
        return Hint()

    def read_credits(self, reply: Reply) -> float | None:
        left = reply.headers.get("x-credits")
        return None if left is None else float(left)


class LoginConnector(KeyConnector):
    """A connector that logs in; its tokens are valid for 100 seconds."""

    def headers(self, token: str | None) -> Mapping[str, str]:
        return {} if token is None else {"Authorization": f"Bearer {token}"}

    def login(self, now_ms: int, seal: Callable[..., bytes]) -> Exchange[Login | Failed | Retry] | None:
        return self._login(now_ms)

    def _login(self, now_ms: int) -> Exchange[Login | Failed | Retry]:
        reply = yield Request(method="POST", path="/login", json={"at": now_ms})
        if reply.status == 403:
            return Failed(Failure("unauthorized", "no such key"))
        if reply.status != 200:
            return Retry("the login server is down", 7.0)
        return Login(orjson.loads(reply.body)["token"], 100.0)


@dataclass
class Turns:
    """A gate that is always open, and remembers who went through; *wait* is what a turn takes."""

    entered: list[tuple[str, Lane]] = field(default_factory=list)
    wait: Callable[[], None] = lambda: None

    async def enter(self, connection: str, lane: Lane, run: str = "") -> None:
        self.wait()
        self.entered.append((connection, lane))


@dataclass
class StillClock:
    at: int = 1_800_000_000 * SECOND

    def now(self) -> int:
        return self.at

    def entropy(self) -> bytes:
        return bytes(16)


@dataclass
class World:
    """An exchanger with one connection, `test`, and everything around it."""

    provider: Provider
    exchanger: Exchanger
    folder: Folder
    clock: StillClock
    gate: Turns
    keyring: Keyring
    credits: list[tuple[str, float]]

    def frozen(self, **request: Any) -> Template:
        made = Request(**{"method": "POST", "path": "/tasks", **request})
        return freeze(made, key=self.keyring.newest, callbacks=True, link_exp=1_900_000_000)

    async def run(self, *requests: Request | Prepare, outcome: Any = None) -> Any:
        """Run an exchange that asks for *requests* in turn; its outcome is the answers, or *outcome*."""

        def make() -> Exchange[Any]:
            answers: list[Any] = []
            for request in requests:
                answer = yield request
                answers.append(answer)
            return outcome or answers

        return await self.exchanger.run("test", make, lane=Lane.CHECK)

    async def send(self, template: Template, number: int | None = None) -> Any:
        return await self.exchanger.send("test", template, job=JOB, number=number)


@asynccontextmanager
async def world(
    tmp_path: Path, kind: type[KeyConnector] = KeyConnector, *, public_url: str | None = PUBLIC
) -> AsyncIterator[World]:
    provider, clock, gate, keyring = Provider(), StillClock(), Turns(), Keyring(["new key", "old key"])
    runner = web.ServerRunner(web.Server(provider.handle))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    provider.base_url = f"http://127.0.0.1:{runner.addresses[0][1]}/api"
    connector = kind(Settings(kind="test", base_url=provider.base_url + "/", rate_limits=[]))
    folder = Folder(tmp_path)
    credits: list[tuple[str, float]] = []
    try:
        async with Transport({"test": provider.base_url}) as transport:
            exchanger = Exchanger(
                transport,
                {"test": connector},
                images=Images(transport, folder),
                gate=gate,
                clock=clock,
                keyring=keyring,
                public_url=public_url,
                on_credits=lambda connection, left: credits.append((connection, left)),
            )
            yield World(provider, exchanger, folder, clock, gate, keyring, credits)
    finally:
        await folder.close()
        await runner.cleanup()


async def held(
    folder: Folder, data: bytes = b"\x89PNG bytes", media_type: str = "image/png"
) -> PreparedBytes:
    digest = await folder.put(data)
    return PreparedBytes(
        digest=digest, media_type=media_type, size=len(data), width=1, height=1, name="x.png"
    )


# --- exchanges -------------------------------------------------------------------------------


async def test_an_exchange_gets_an_answer_for_each_thing_it_asks(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        first, second = await w.run(
            Request(method="GET", path="/tasks", query={"filter": "a b", "page": 2}),
            Request(method="POST", path="/tasks", json={"a": 1}),
        )

        assert (first.status, second.body) == (200, b'{"ok": true}')
        assert w.provider.paths() == ["GET /api/tasks?filter=a+b&page=2", "POST /api/tasks"]
        assert w.provider.requests[1][2]["Content-Type"] == "application/json"
        assert all(
            headers["Authorization"] == f"Bearer {API_KEY}" for _, _, headers, _ in w.provider.requests
        )


async def test_header_names_of_an_answer_are_lower_case(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        [reply] = await w.run(Request(method="GET", path="/x"))

        assert reply.headers["x-credits"] == "41.5"


async def test_every_call_passes_the_gate_in_its_lane_and_tells_the_balance(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await w.run(Request(method="GET", path="/x"), Request(method="POST", path="/y", json={}))

        assert w.gate.entered == [("test", Lane.CHECK)] * 2
        assert w.credits == [("test", 41.5)] * 2


async def test_an_address_that_the_provider_gave_gets_no_credentials_and_is_no_call_of_its_api(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as w:
        image = await held(w.folder)
        url = w.provider.base_url.replace("/api", "/upload?sig=%2F%7E")
        await w.run(Request(method="PUT", url=url, headers={"X-Acl": "private"}, content=image))

        _, path, headers, body = w.provider.requests[0]
        assert path == "/upload?sig=%2F%7E"
        assert {name for name in headers if name not in ("Host", "Content-Length")} == {"X-Acl"}
        assert body == b"\x89PNG bytes"
        assert w.gate.entered == []


async def test_an_address_inside_that_the_provider_gave_is_refused(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        outcome = await w.run(Request(method="PUT", url="http://169.254.169.254/latest", content=None))

        assert isinstance(outcome, Failed)
        assert outcome.failure.cls == "refused_url"


async def test_a_header_of_two_lines_that_the_provider_gave_is_refused(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        url = w.provider.base_url
        outcome = await w.run(Request(method="PUT", url=url, headers={"X-A": "1\r\nX-B: 2"}))

        assert isinstance(outcome, Failed)
        assert w.provider.requests == []


async def test_an_image_that_cannot_be_had_ends_the_exchange(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        outcome = await w.run(Prepare("artifact:sha256:" + "0" * 64), Request(method="GET", path="/x"))

        assert isinstance(outcome, Failed)
        assert outcome.failure.cls == "invalid_request"
        assert w.provider.requests == []


async def test_credentials_do_not_follow_a_redirect_to_another_origin(tmp_path: Path) -> None:
    async with world(tmp_path) as w, world(tmp_path / "other") as other:
        target = other.provider.base_url + "/caught"
        w.provider.answers["/api/x"] = lambda _: web.Response(status=302, headers={"Location": target})
        await w.run(Request(method="GET", path="/x"))

        assert "Authorization" not in other.provider.requests[0][2]


async def test_an_exchange_is_closed_when_a_request_brings_no_answer(tmp_path: Path) -> None:
    closed = asyncio.Event()

    def make() -> Exchange[None]:
        try:
            yield Request(method="GET", path="/slow", timeout_s=0.1)
        finally:
            closed.set()

    async with world(tmp_path) as w:
        w.provider.answers["/api/slow"] = lambda request: _stalled(request)
        with pytest.raises(Lost):
            await w.exchanger.run("test", make, lane=Lane.HEARTBEAT)

        assert closed.is_set()


def _stalled(request: web.BaseRequest) -> web.Response:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


# --- login -----------------------------------------------------------------------------------


async def test_one_login_serves_all_who_wait_and_its_token_is_used_again(tmp_path: Path) -> None:
    async with world(tmp_path, LoginConnector) as w:
        get = Request(method="GET", path="/x")
        await asyncio.gather(*(w.run(get) for _ in range(10)))
        await w.run(get)

        assert w.provider.logins == 1
        assert len(w.provider.requests) == 12
        assert w.provider.requests[-1][2]["Authorization"] == "Bearer t1"


async def test_a_login_carries_no_token_and_passes_the_gate_as_urgent_as_those_who_may_wait_for_it(
    tmp_path: Path,
) -> None:
    async with world(tmp_path, LoginConnector) as w:
        await w.run(Request(method="GET", path="/x"))

        assert "Authorization" not in w.provider.requests[0][2]
        assert w.gate.entered == [("test", Lane.HEARTBEAT), ("test", Lane.CHECK)]


async def test_a_login_tells_the_time_at_which_it_leaves_however_long_it_waited_for_its_turn(
    tmp_path: Path,
) -> None:
    async with world(tmp_path, LoginConnector) as w:
        began_at = w.clock.at

        def wait() -> None:
            w.clock.at += 60 * SECOND

        w.gate.wait = wait
        await w.run(Request(method="GET", path="/x"))

        assert w.provider.body(0) == {"at": (began_at + 60 * SECOND) // 1000}


async def test_a_token_is_renewed_before_it_ends(tmp_path: Path) -> None:
    async with world(tmp_path, LoginConnector) as w:
        await w.run(Request(method="GET", path="/x"))
        w.clock.at += 89 * SECOND
        await w.run(Request(method="GET", path="/x"))
        still = w.provider.logins
        w.clock.at += 2 * SECOND
        await w.run(Request(method="GET", path="/x"))

        assert (still, w.provider.logins) == (1, 2)


async def test_a_refused_token_is_renewed_once_and_the_exchange_begins_again(tmp_path: Path) -> None:
    def make() -> Exchange[Any]:
        yield Request(method="GET", path="/first")
        reply = yield Request(method="GET", path="/second")
        return DENIED if reply.status == 401 else reply.status

    async with world(tmp_path, LoginConnector) as w:
        await w.run(Request(method="GET", path="/x"))
        w.provider.valid = {"something else"}
        outcome = await w.exchanger.run("test", make, lane=Lane.CHECK)

        assert outcome == 200
        assert w.provider.logins == 2


async def test_a_token_that_is_refused_again_ends_unauthorized(tmp_path: Path) -> None:
    made = []

    def make() -> Exchange[Any]:
        made.append(1)
        yield Request(method="GET", path="/x")
        return DENIED

    async with world(tmp_path, LoginConnector) as w:
        assert await w.exchanger.run("test", make, lane=Lane.CHECK) == DENIED
        assert (len(made), w.provider.logins) == (2, 2)


async def test_without_a_login_a_refusal_stands(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        assert await w.run(Request(method="GET", path="/x"), outcome=DENIED) == DENIED
        assert len(w.provider.requests) == 1


async def test_a_refused_login_is_unauthorized_for_all_who_wait(tmp_path: Path) -> None:
    async with world(tmp_path, LoginConnector) as w:
        w.provider.login_status = 403
        outcomes = await asyncio.gather(*(w.run(Request(method="GET", path="/x")) for _ in range(5)))

        assert outcomes == [Unauthorized(Failure("unauthorized", "no such key"))] * 5
        assert w.provider.logins == 1


async def test_a_login_that_fails_for_now_means_that_nothing_was_sent(tmp_path: Path) -> None:
    async with world(tmp_path, LoginConnector) as w:
        w.provider.login_status = 503
        with pytest.raises(NotSent, match="the login failed") as not_sent:
            await w.send(w.frozen(json={}))

        assert not_sent.value.retry_after_s == 7.0
        assert w.provider.paths() == ["POST /api/login"]


async def test_one_who_gives_up_does_not_take_the_login_away_from_the_others(tmp_path: Path) -> None:
    async with world(tmp_path, LoginConnector) as w:
        get = Request(method="GET", path="/x")
        first, second = asyncio.create_task(w.run(get)), asyncio.create_task(w.run(get))
        await asyncio.sleep(0)
        first.cancel()
        [reply] = await second

        assert reply.status == 200
        assert w.provider.logins == 1


# --- spending --------------------------------------------------------------------------------


async def test_a_spending_request_is_sent_with_its_holes_filled(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        image = await held(w.folder)
        template = w.frozen(
            headers={"Idempotency-Key": JOB},
            json={
                "callback": CallbackUrl(),
                "uri": Inline(image, "data_uri"),
                "b64": Inline(image, "base64"),
                "link": Link(image),
                "key": Credential("api_key"),
                "app": Credential("app_uid"),
                "n": RequestNumber(),
            },
        )
        reply = await w.send(template, number=12)

        encoded = b64encode(b"\x89PNG bytes").decode()
        token = w.keyring.callback_token("test", JOB)
        signature = w.keyring.link_signature(image.digest, 1_900_000_000)
        assert reply.status == 200
        assert w.provider.body() == {
            "callback": f"{PUBLIC}/callbacks/test/{token}",
            "uri": f"data:image/png;base64,{encoded}",
            "b64": encoded,
            "link": f"{PUBLIC}/artifacts/{image.digest}?exp=1900000000&sig={signature}",
            "key": API_KEY,
            "app": "API",
            "n": 12,
        }
        assert w.provider.requests[0][2]["Idempotency-Key"] == JOB
        assert API_KEY not in orjson.dumps(template.to_json()).decode()
        assert w.keyring.job_of("test", token) == JOB


async def test_a_resend_from_the_log_is_the_same_byte_for_byte(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        image = await held(w.folder, bytes(700_000))
        body = {"z": 0.1, "callback": CallbackUrl(), "image": Inline(image, "base64"), "a": "é"}
        template = w.frozen(json=body)
        await w.send(template)
        await w.send(Template.from_json(orjson.loads(orjson.dumps(template.to_json()))))

        first, second = w.provider.requests
        assert first == second


async def test_a_resend_is_signed_by_the_key_and_for_the_address_of_the_first_one(tmp_path: Path) -> None:
    async with world(tmp_path, public_url="https://moved.example") as w:
        old = Keyring(["old key"])
        request = Request(method="POST", path="/tasks", json={"callback": CallbackUrl()})
        await w.send(freeze(request, key=old.newest, callbacks=True, link_exp=0, public_url=PUBLIC))

        assert w.provider.body() == {"callback": f"{PUBLIC}/callbacks/test/{old.callback_token('test', JOB)}"}


async def test_a_callback_url_ends_in_the_open_slot_that_its_request_asks_for(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await w.send(w.frozen(json={"callback": CallbackUrl(slot="?uid=")}))

        token = w.keyring.callback_token("test", JOB)
        assert w.provider.body() == {"callback": f"{PUBLIC}/callbacks/test/{token}?uid="}


async def test_what_cannot_be_signed_any_more_is_not_sent(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        gone = Keyring(["a key that was removed"])
        request = Request(method="POST", path="/tasks", json={"callback": CallbackUrl()})
        with pytest.raises(NotSent, match="secret key that is not configured"):
            await w.send(freeze(request, key=gone.newest, callbacks=True, link_exp=0))

        assert w.provider.requests == []


async def test_a_spending_request_with_a_refused_token_is_sent_once_more_after_a_new_login(
    tmp_path: Path,
) -> None:
    async with world(tmp_path, LoginConnector) as w:
        await w.run(Request(method="GET", path="/x"))
        w.provider.valid = {"something else"}
        reply = await w.send(w.frozen(json={"n": 1}))

        assert reply.status == 200
        assert w.provider.paths()[2:] == ["POST /api/tasks", "POST /api/login", "POST /api/tasks"]
        assert w.gate.entered[2:] == [("test", Lane.SUBMIT), ("test", Lane.HEARTBEAT)]


async def test_a_refusal_after_the_new_login_is_the_answer(tmp_path: Path) -> None:
    async with world(tmp_path, LoginConnector) as w:
        w.provider.answers["/api/tasks"] = lambda _: web.Response(status=401)
        reply = await w.send(w.frozen(json={}))

        assert reply.status == 401
        assert w.provider.paths().count("POST /api/tasks") == 2


@pytest.mark.parametrize("status", [302, 400, 401, 402, 429, 500, 503])
async def test_without_a_login_every_status_is_an_answer_and_nothing_is_repeated(
    tmp_path: Path, status: int
) -> None:
    async with world(tmp_path) as w:
        headers = {"Location": "/api/else"} if status == 302 else {}
        w.provider.answers["/api/tasks"] = lambda _: web.Response(status=status, headers=headers)
        reply = await w.send(w.frozen(json={}))

        assert reply.status == status
        assert len(w.provider.requests) == 1


async def test_a_refused_login_means_that_the_spending_request_was_not_accepted(tmp_path: Path) -> None:
    async with world(tmp_path, LoginConnector) as w:
        w.provider.login_status = 403
        outcome = await w.send(w.frozen(json={}))

        assert outcome == Unauthorized(Failure("unauthorized", "no such key"))
        assert w.provider.paths() == ["POST /api/login"]


async def test_a_spending_request_whose_image_is_gone_fails_unsent(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        image = await held(w.folder)
        await w.folder.remove(image.digest)
        outcome = await w.send(w.frozen(json={"image": Inline(image, "base64")}))

        assert isinstance(outcome, Failed)
        assert w.provider.requests == []


async def test_a_link_to_a_file_that_is_damaged_is_not_sent(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        image = await held(w.folder)
        w.folder.path(image.digest).write_bytes(b"\x89PNG bytez")
        outcome = await w.send(w.frozen(json={"image": Link(image)}))

        assert isinstance(outcome, Failed)
        assert image.digest in outcome.failure.message
        assert w.provider.requests == []


async def test_a_folder_that_cannot_be_read_just_now_means_that_nothing_was_sent(tmp_path: Path) -> None:
    async with world(tmp_path / "files") as w:
        image = await held(w.folder)
        (tmp_path / "files").rename(tmp_path / "away")
        for form in (Link(image), Inline(image, "base64")):
            with pytest.raises(NotSent, match="artifacts folder"):
                await w.send(w.frozen(json={"image": form}))
        assert w.provider.requests == []

        (tmp_path / "away").rename(tmp_path / "files")
        assert (await w.send(w.frozen(json={"image": Link(image)}))).status == 200


async def test_a_number_that_json_cannot_carry_fails_unsent(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        outcome = await w.send(w.frozen(json={"seed": 2**70}))

        assert isinstance(outcome, Failed)
        assert outcome.failure.cls == "invalid_request"
        assert w.provider.requests == []


async def test_an_operation_that_needs_our_address_fails_before_its_request_is_stored(tmp_path: Path) -> None:
    async with world(tmp_path, public_url=None) as w:
        image = await held(w.folder)
        spending = Request(method="POST", path="/tasks", json={"image": Link(image)})
        outcome = await w.run(Request(method="GET", path="/x"), outcome=spending)

        assert isinstance(outcome, Failed)
        assert "public_url" in outcome.failure.message
