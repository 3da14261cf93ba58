"""
Drives connectors' exchanges: what they ask for is sent, what comes back is handed to them.

Two ways in. `run` is for everything that may be repeated: checks, look-ups, and
what comes before a spending request. `send` is for the spending request alone, as
the log keeps it, and sends it once.

A provider that refuses an access token (401) has provably not accepted the request:
that, and only that, is answered by one new login and one more try.
"""

import asyncio
import re
from base64 import b64encode
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Protocol, TypeVar

import orjson
from pydantic import SecretStr
from yarl import URL

from orchestrator.artifacts.folder import CorruptArtifact
from orchestrator.clock import SECOND, Clock
from orchestrator.definition.workflow import CORE
from orchestrator.errors import Failure, NotFound, StoreUnavailable
from orchestrator.providers.base import (
    Connector,
    Exchange,
    Failed,
    Login,
    Prepare,
    Reply,
    Request,
    Retry,
    Unauthorized,
)
from orchestrator.providers.template import Fill, Template, filled_text, freeze, render, with_head
from orchestrator.runtime.account import Access, Account, LoginRefused
from orchestrator.runtime.guard import RefusedUrl, read_url
from orchestrator.runtime.images import ImageProblem, Images, Keep
from orchestrator.runtime.limits import Lane
from orchestrator.runtime.seal import seal
from orchestrator.runtime.transport import Lost, NotSent, Transport
from orchestrator.tokens import Keyring, unsigned

T = TypeVar("T")

_JSON = {"Content-Type": "application/json"}
LINK_S = 86_400
"""How long a link in a request that may be repeated stays valid."""

_LINE_END = re.compile(r"[\r\n\0]")

_IN_THREAD_BYTES = 1 << 19
"""Bodies with more than this of images in them are built in a thread."""


class Gate(Protocol):
    """Where calls wait for their turn."""

    async def enter(self, connection: str, lane: Lane, run: str = "") -> None:
        """Return when one more call to *connection*, for *run*, may be sent."""
        ...


Enter = Callable[[], Awaitable[None]]
"""Returns when the next call may be sent; knows whose it is and how urgent."""


class _Unsendable(Exception):
    """The body cannot be built, now or ever; the message says why."""


class Exchanger:
    """
    The way to the providers.

    *transport* must be open. *on_credits* is told of every balance that a reply shows.
    """

    def __init__(
        self,
        transport: Transport,
        connections: Mapping[str, Connector],
        *,
        images: Images,
        gate: Gate,
        clock: Clock,
        keyring: Keyring,
        public_url: str | None,
        on_credits: Callable[[str, float], None] | None = None,
    ) -> None:
        self._transport = transport
        self._accounts = {name: Account(name, connector, clock) for name, connector in connections.items()}
        self._images = images
        self._gate = gate
        self._clock = clock
        self._keyring = keyring
        self._public_url = public_url
        self._on_credits = on_credits

    async def run(
        self,
        connection: str,
        make: Callable[[], Exchange[T]],
        *,
        lane: Lane,
        run: str = "",
        timeout_s: float | None = None,
        keep: Keep | None = None,
    ) -> T | Failed | Unauthorized:
        """
        Drive the exchange that *make* makes to its end and return its outcome.

        `Failed` also stands for an image that cannot be had and a URL that is refused,
        `Unauthorized` also for a refused login.
        Shape:   *run*: for which run it is, so that runs take turns; *timeout_s* for each request
                 that sets none itself; *keep* is told of each artifact that was made on the way.
        Errors:  NotSent, Lost; StoreUnavailable.
        """
        account = self._accounts[connection]
        enter = partial(self._gate.enter, connection, lane, run)
        try:
            access = await self._access(account)
            outcome = await self._drive(account, access, make(), enter, timeout_s, keep)
            if isinstance(outcome, Unauthorized) and account.forget(access):
                access = await self._access(account)
                outcome = await self._drive(account, access, make(), enter, timeout_s, keep)
            self._expect_sendable(outcome)
            return outcome
        except LoginRefused as refused:
            return Unauthorized(refused.failure)
        except (ImageProblem, RefusedUrl) as problem:
            return Failed(problem.failure)
        except _Unsendable as problem:
            return Failed(Failure("invalid_request", str(problem)))

    async def send(
        self,
        connection: str,
        template: Template,
        *,
        job: str,
        number: int | None,
        run: str = "",
    ) -> Reply | Failed | Unauthorized:
        """
        Send a spending request, once, and return the answer, whatever its status.

        The caller has passed the gate already: a job must not wait there once it says
        that its request is being sent.
        `Failed` and `Unauthorized` mean that nothing was accepted, and why.
        Shape:   *number* is the job's request number, where it has one; *run* as for `run`.
        Errors:  NotSent, Lost.
        """
        account = self._accounts[connection]
        enter = partial(self._gate.enter, connection, Lane.SUBMIT, run)
        try:
            template = with_head(template, partial(self._fill, account, job, number, {}))
            try:
                body = await self._body(account, template, job, number)
            except StoreUnavailable as trouble:
                # The artifacts cannot be read just now: nothing has left, and it is known that it has not.
                raise NotSent(str(trouble)) from trouble
            access, reply = await self._send(account, template, body)
            if reply.status == 401 and template.url is None and account.forget(access):
                await enter()
                _, reply = await self._send(account, template, body)
            return reply
        except LoginRefused as refused:
            return Unauthorized(refused.failure)
        except RefusedUrl as refused:
            return Failed(refused.failure)
        except _Unsendable as problem:
            return Failed(Failure("invalid_request", str(problem)))

    # --- requests -----------------------------------------------------------------------------

    async def _drive(
        self,
        account: Account,
        access: Access,
        exchange: Exchange[T],
        enter: Enter,
        timeout_s: float | None,
        keep: Keep | None,
    ) -> T:
        answer: Any = None
        try:
            while True:
                try:
                    asked = exchange.send(answer)
                except StopIteration as stop:
                    outcome: T = stop.value
                    return outcome
                if isinstance(asked, Prepare):
                    answer = await self._images.prepare(asked.image, asked.accepts, account.name, keep)
                else:
                    answer = await self._ask(account, access, asked, enter, timeout_s)
        finally:
            exchange.close()

    async def _ask(
        self, account: Account, access: Access, request: Request, enter: Enter, timeout_s: float | None
    ) -> Reply:
        """Send a request that may be repeated."""
        link_exp = self._clock.now() // SECOND + LINK_S
        template = freeze(request, key=self._keyring.newest, callbacks=False, link_exp=link_exp)
        body = await self._body(account, template, None, None)
        url, headers, exact = _address(account, template)
        timeout_s = request.timeout_s or timeout_s or account.request_timeout_s
        if exact:
            # An address that the provider gave us: not its API, so neither credentials nor its limits.
            reply = await self._transport.request(
                account.name,
                request.method,
                url,
                headers=headers,
                body=body,
                timeout_s=timeout_s,
                exact=True,
            )
            return _sealed(account, reply)
        headers = {**headers, **access.headers}
        await enter()
        if request.method == "GET" and body is None:
            reply = await self._transport.get(account.name, url, headers=headers, timeout_s=timeout_s)
        else:
            reply = await self._transport.request(
                account.name, request.method, url, headers=headers, body=body, timeout_s=timeout_s
            )
        self._note_credits(account, reply)
        return _sealed(account, reply)

    async def _send(self, account: Account, template: Template, body: bytes | None) -> tuple[Access, Reply]:
        url, headers, exact = _address(account, template)
        access = account.anonymous if exact else await self._access(account)
        timeout_s = template.timeout_s or account.request_timeout_s
        if template.follows and template.method == "GET" and body is None:
            return access, await self._transport.get(
                account.name, url, headers=headers, timeout_s=timeout_s, cut_at=template.bytes_max
            )
        reply = await self._transport.request(
            account.name,
            template.method,
            url,
            headers=headers if exact else {**headers, **access.headers},
            body=body,
            timeout_s=timeout_s,
            exact=exact,
            spends=True,
            cut_at=template.bytes_max,
        )
        self._note_credits(account, reply)
        return access, _sealed(account, reply)

    def _note_credits(self, account: Account, reply: Reply) -> None:
        if self._on_credits is not None and (left := account.connector.read_credits(reply)) is not None:
            self._on_credits(account.name, left)

    # --- credentials --------------------------------------------------------------------------

    async def _access(self, account: Account) -> Access:
        return await account.access(self._log_in)

    async def _log_in(self, account: Account) -> Login:
        # Whoever else waits for the token may be a heartbeat. What is sealed tells the time, and so is
        # made when it may leave.
        enter = partial(self._gate.enter, account.name, Lane.HEARTBEAT)
        await enter()
        exchange = account.connector.login(self._clock.now() // 1000, _seal)
        assert exchange is not None, "a connector that logs in always does"
        try:
            admitted = _admitted(enter)
            outcome = await self._drive(account, account.anonymous, exchange, admitted, None, None)
        except Lost as error:
            # The login may have arrived; the request that waits for it was not even begun.
            raise NotSent(f"the login failed: {error.reason}") from error
        match outcome:
            case Login():
                return outcome
            case Failed(failure):
                raise LoginRefused(failure)
            case Retry(reason, retry_after_s):
                raise NotSent(f"the login failed: {reason}", retry_after_s)

    # --- bodies -------------------------------------------------------------------------------

    async def _body(
        self, account: Account, template: Template, job: str | None, number: int | None
    ) -> bytes | None:
        if template.content is not None:
            return await self._artifact(template.content["digest"])
        if template.body is None and not template.holes:
            return None
        for hole in template.holes:
            if hole["fill"] == "link":
                await self._sound(hole["digest"])
        images = {
            hole["digest"]: await self._artifact(hole["digest"])
            for hole in template.holes
            if hole["fill"] in ("data_uri", "base64")
        }
        build = partial(_build, template, partial(self._fill, account, job, number, images))
        if sum(map(len, images.values())) > _IN_THREAD_BYTES:
            return await asyncio.to_thread(build)
        return build()

    async def _artifact(self, digest: str) -> bytes:
        try:
            # A provider would be paid for finding out that a file was damaged.
            return await self._images.folder.read(digest, verify=True)
        except (NotFound, CorruptArtifact) as error:
            raise _Unsendable(str(error)) from error

    async def _sound(self, digest: str) -> None:
        """Refuse to send a link to a file that its provider could not be given."""
        try:
            await self._images.folder.sound(digest)
        except (NotFound, CorruptArtifact) as error:
            raise _Unsendable(str(error)) from error

    def _fill(
        self, account: Account, job: str | None, number: int | None, images: Mapping[str, bytes], hole: Fill
    ) -> str | int:
        match hole["fill"]:
            case "callback":
                assert job is not None, "only the request that starts a job is called back"
                token = self._signed(lambda: self._keyring.callback_token(account.name, job, key=hole["key"]))
                return f"{self._base(hole)}/callbacks/{account.name}/{token}{hole.get('slot', '')}"
            case "link":
                digest, exp = hole["digest"], hole["exp"]
                signature = self._signed(lambda: self._keyring.link_signature(digest, exp, key=hole["key"]))
                return f"{self._base(hole)}/artifacts/{digest}?exp={exp}&sig={signature}"
            case "data_uri":
                return f"data:{hole['media_type']};base64,{b64encode(images[hole['digest']]).decode()}"
            case "base64":
                return b64encode(images[hole["digest"]]).decode()
            case "credential":
                value = getattr(account.connector.settings, hole["name"])
                return value.get_secret_value() if isinstance(value, SecretStr) else str(value)
            case "secret":
                return f"{hole['prefix']}{self._shared(account, hole['name'])}"
            case "text":
                return filled_text(hole, partial(self._fill, account, job, number, images))
            case "number":
                assert number is not None, "a numbered request is given its number in job.submitting"
                return number
            case other:
                raise AssertionError(f"nobody knows how to fill {other!r}")

    def _shared(self, account: Account, name: str) -> str:
        secret: SecretStr | None = getattr(account.connector.settings, "shared", {}).get(name)
        if secret is None:
            raise _Unsendable(f"there is no secret '{name}' in [secrets] of the settings")
        return secret.get_secret_value()

    def _base(self, hole: Fill) -> str:
        base = hole.get("base") or self._public_url
        if base is None:
            raise NotSent("the request needs public_url, which is not configured")
        return str(base).rstrip("/")

    def _signed(self, sign: Callable[[], str]) -> str:
        try:
            return sign()
        except KeyError:
            raise NotSent("the request is signed with a secret key that is not configured any more") from None

    def _expect_sendable(self, outcome: object) -> None:
        """Refuse a spending request that needs our public address before it is stored, if we have none."""
        if self._public_url is not None or not isinstance(outcome, Request):
            return
        holes = freeze(outcome, key="", callbacks=False, link_exp=0).holes
        if any(hole["fill"] == "link" for hole in holes):
            raise _Unsendable(
                "this operation takes images only as URLs; for others than those, set public_url"
            )


def _sealed(account: Account, reply: Reply) -> Reply:
    """
    Return *reply* without what would let its reader call back in the provider's name.

    What comes to our own requests is cleaned where their secrets are known.
    """
    body = reply.body if account.name == CORE else unsigned(reply.body)
    return reply if body is reply.body else replace(reply, body=body)


def _admitted(enter: Enter) -> Enter:
    """Return an entrance of which the first to come has been let in already; the others go by *enter*."""
    come = iter([True])

    async def enter_unless_first() -> None:
        if not next(come, False):
            await enter()

    return enter_unless_first


def _address(account: Account, template: Template) -> tuple[URL, dict[str, str], bool]:
    """Return where the request goes, its headers without credentials, and whether both are exact."""
    headers = (
        {**_JSON, **template.headers} if template.body is not None or template.holes else {**template.headers}
    )
    for name, value in headers.items():
        # Some come from a provider's answer: none may end its line and begin another.
        if _LINE_END.search(value) or _LINE_END.search(name):
            raise _Unsendable("a header of the request has more than one line")
    if template.url is not None:
        return read_url(template.url), headers, True
    # Without it a path could continue the host's name, and take the credentials with it.
    assert template.path.startswith("/"), f"a path begins with a slash: {template.path!r}"
    url = URL(account.base_url + template.path)
    if template.query:
        url = url.update_query(template.query)
    if template.content is not None:
        headers.setdefault("Content-Type", template.content["media_type"])
    return url, headers, False


def _build(template: Template, fill: Callable[[Fill], str | int]) -> bytes:
    try:
        body = render(template, fill)
        return str(body).encode() if template.form == "text" else orjson.dumps(body)
    except orjson.JSONEncodeError as error:
        raise _Unsendable(f"the request cannot be written as JSON: {error}") from error


def _seal(public_key: str, text: bytes, *, oaep: bool = False) -> bytes:
    try:
        return seal(public_key, text, oaep=oaep)
    except ValueError as error:
        raise LoginRefused(Failure("unauthorized", str(error))) from None
