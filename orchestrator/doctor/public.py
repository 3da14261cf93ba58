"""
Whether `public_url` leads here, unredirected, with bodies as long as callbacks may be.

Where no server is running, a receiver that stores nothing listens in its place for as long as it
takes: what is asked is the way, and the way ends at the same address.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

from yarl import URL

from orchestrator import receiver
from orchestrator.clock import SystemClock
from orchestrator.errors import StoreUnavailable
from orchestrator.operations.checkup import Finding
from orchestrator.providers.base import Reply
from orchestrator.runtime.guard import RefusedUrl
from orchestrator.runtime.transport import Transport, TransportError
from orchestrator.settings import Settings
from orchestrator.store.inbox import Inbox
from orchestrator.store.rows import Delivery
from orchestrator.tokens import Keyring

TIMEOUT_S = 30.0

_CHECK = "public_url"
_NOBODY = "job_00000000000000000000000000"
"""A job that never was: what is sent for it is too long to be stored."""

_PROXY = "look at the reverse proxy in front of the public listener"


class _StoresNothing:
    """Stands for the inbox: a provider that calls meanwhile is asked to come again."""

    async def put(self, delivery: Delivery) -> None:
        raise StoreUnavailable("this is an examination")


async def reached(settings: Settings, address: str, keyring: Keyring) -> list[Finding]:
    """Send to *address*, the public one, what a provider would send, and see who answers."""
    base = URL(address)
    try:
        async with _listening(settings, keyring), Transport({_CHECK: address}) as transport:
            return await _Way(transport, base, settings.limits.callback_body_size, keyring).findings()
    except PermissionError as error:
        bound = settings.listen.public
        message = f"cannot listen on {bound.host}:{bound.port}: {error.strerror}"
        return [Finding(_CHECK, False, message, "choose another address in [listen]")]


@asynccontextmanager
async def _listening(settings: Settings, keyring: Keyring) -> AsyncIterator[None]:
    """Listen in place of a server; where the address is taken, a server is thought to be there."""
    address = settings.listen.public
    listener = receiver.build(
        store_inbox=cast(Inbox, _StoresNothing()),
        keyring=keyring,
        clock=SystemClock(),
        body_limit=settings.limits.callback_body_size,
    )
    try:
        runner = await receiver.serve(listener, address.host, address.port)
    except PermissionError:
        raise
    except OSError:
        yield
        return
    try:
        yield
    finally:
        await runner.cleanup()


class _Way:
    """The way of a callback, from the public address to the receiver."""

    def __init__(self, transport: Transport, base: URL, bytes_max: int, keyring: Keyring) -> None:
        self._transport, self._base, self._bytes_max, self._keyring = transport, base, bytes_max, keyring

    async def findings(self) -> list[Finding]:
        """Ask step by step; what comes after a broken step would tell the same again."""
        found = []
        for step in (self._arrives, self._long_enough, self._not_too_long):
            try:
                finding = await step()
            except (TransportError, RefusedUrl) as error:
                finding = Finding(
                    _CHECK,
                    False,
                    f"{self._base} cannot be reached from here: {error}",
                    "check name, certificate, firewall and proxy; some networks cannot reach their own "
                    "public address from inside, then try it from outside",
                )
            found.append(finding)
            if not finding.ok:
                break
        return found

    async def _arrives(self) -> Finding:
        reply = await self._ask("GET", "/healthz")
        if 300 <= reply.status < 400:
            place = reply.headers.get("location", "elsewhere")
            advice = "providers do not follow redirects: set public_url to the address where it ends"
            return Finding(_CHECK, False, f"{self._base} redirects to {place}", advice)
        if reply.status != 200 or reply.body != b'{"ok": true}':
            return Finding(_CHECK, False, f"{self._base}/healthz answers {reply.status}, not as ours", _PROXY)
        return Finding(_CHECK, True, f"{self._base} is reached, unredirected")

    async def _long_enough(self) -> Finding:
        """As long as a callback may be, with a token that nobody signed: the receiver says 404."""
        reply = await self._ask("POST", f"/callbacks/doctor/{_NOBODY}.{'x' * 22}", self._bytes_max)
        if reply.status == 413:
            message = f"bodies of {self._bytes_max} bytes are refused on the way (413)"
            return Finding(_CHECK, False, message, f"{_PROXY}: its limit for bodies is below ours")
        if reply.status != 404 or not _is_ours(reply):
            message = f"a callback with a token of nobody is answered with {reply.status}, not with our 404"
            return Finding(_CHECK, False, message, _PROXY)
        return Finding(
            _CHECK, True, f"bodies of {self._bytes_max} bytes arrive, and a wrong token is refused"
        )

    async def _not_too_long(self) -> Finding:
        """Longer than that, with a token of ours: only a server with our keys says 413 and not 404."""
        token = self._keyring.callback_token("doctor", _NOBODY)
        reply = await self._ask("POST", f"/callbacks/doctor/{token}", self._bytes_max + 1)
        if reply.status == 404:
            message = "the server there does not know our signature"
            return Finding(_CHECK, False, message, "it is another one, or was started with other secret keys")
        if reply.status != 413:
            message = f"a body of {self._bytes_max + 1} bytes is answered with {reply.status}, not with 413"
            advice = f"{_PROXY}, and whether the server was started with other settings"
            return Finding(_CHECK, False, message, advice)
        return Finding(_CHECK, True, "our signature is known there, and longer bodies are refused")

    async def _ask(self, method: str, path: str, size: int = 0) -> Reply:
        return await self._transport.request(
            _CHECK,
            method,
            URL(f"{self._base}{path}"),
            headers={"Content-Type": "application/octet-stream"} if size else {},
            body=b"x" * size if size else None,
            timeout_s=TIMEOUT_S,
        )


def _is_ours(reply: Reply) -> bool:
    return reply.body == b'{"error":"not found"}'
