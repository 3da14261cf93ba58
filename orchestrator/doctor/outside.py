"""What is asked of others: providers for credentials and the time, the running server whether it is well."""

import asyncio
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from yarl import URL

from orchestrator.artifacts.folder import Folder
from orchestrator.clock import SECOND, SystemClock
from orchestrator.errors import StoreUnavailable
from orchestrator.operations import checkup
from orchestrator.operations.checkup import Finding
from orchestrator.providers.base import Connector
from orchestrator.runtime.checkups import Checkups
from orchestrator.runtime.exchange import Exchanger
from orchestrator.runtime.guard import RefusedUrl
from orchestrator.runtime.images import Images
from orchestrator.runtime.limits import Limits
from orchestrator.runtime.transport import Transport, TransportError
from orchestrator.settings import Settings
from orchestrator.tokens import Keyring

TIMEOUT_S = 10.0


async def credentials(connectors: Mapping[str, Connector], settings: Settings) -> list[Finding]:
    """Ask each provider something that costs nothing."""
    clock = SystemClock()
    limits = Limits(connectors, clock)
    base_urls = {name: connector.settings.base_url for name, connector in connectors.items()}
    with TemporaryDirectory() as nowhere:
        async with Transport(base_urls, allow_private_networks=settings.allow_private_networks) as transport:
            folder = Folder(Path(nowhere))
            exchanger = Exchanger(
                transport,
                connectors,
                images=Images(transport, folder),
                gate=limits,
                clock=clock,
                keyring=Keyring(["a key for this examination"]),
                public_url=None,
                on_credits=limits.pauses.saw_credits,
            )
            checkups = Checkups(exchanger, connectors, limits.pauses)
            try:
                return list(await asyncio.gather(*(_account(checkups, name) for name in connectors)))
            finally:
                await folder.close()


async def _account(checkups: Checkups, connection: str) -> Finding:
    told = await checkups.check(connection)
    balance = "" if told.credits is None else f"; credits: {told.credits:g}"
    advice = None
    if told.ok is False:
        advice = f"see [providers.{connection}]: its credentials and its base_url"
    elif told.ok is None:
        advice = "the first job will tell whether its credentials are accepted"
    elif told.credits is not None and told.credits <= 0:
        return Finding(connection, None, f"{told.message}{balance}", "buy some: submits wait for them")
    return Finding(connection, told.ok, f"{told.message}{balance}", advice)


async def clock(connectors: Mapping[str, Connector]) -> Finding:
    """Compare this machine's clock with those of the providers; the one that agrees best counts."""
    base_urls = {name: connector.settings.base_url for name, connector in connectors.items()}
    async with Transport(base_urls) as transport:
        asked = (_skew(transport, name, URL(url)) for name, url in base_urls.items())
        told = [answer for answer in await asyncio.gather(*asked) if answer is not None]
    skew_s, host = min(told, key=lambda each: abs(each[0]), default=(None, None))
    return checkup.clock(skew_s, host)


async def _skew(transport: Transport, name: str, url: URL) -> tuple[float, str] | None:
    """Return by how many seconds we are ahead of a server; its time has whole seconds."""
    try:
        reply = await transport.request(name, "GET", url, headers={}, timeout_s=TIMEOUT_S)
        theirs = parsedate_to_datetime(reply.headers.get("date", ""))
    except (TransportError, RefusedUrl, ValueError):
        return None
    ours = SystemClock().now() / SECOND
    return ours - theirs.timestamp() - 0.5, url.host or ""


async def server(settings: Settings) -> Finding:
    """Ask the server that uses the store whether it can do its work."""
    address = settings.listen.admin
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address.host, address.host)
    url = URL.build(scheme="http", host=host, port=address.port, path="/readyz")
    try:
        async with Transport({"server": str(url)}) as transport:
            reply = await transport.request("server", "GET", url, headers={}, timeout_s=TIMEOUT_S)
    except (TransportError, RefusedUrl, StoreUnavailable) as error:
        message = f"a server uses it, but does not answer at {host}:{address.port}: {error}"
        return Finding("store", False, message, "look at the server's log, or at listen.admin")
    if reply.status != 200:
        said = reply.body[:500].decode("utf-8", "replace")
        return Finding("store", False, f"the server that uses it is not ready: {said}", "see its log")
    return Finding("store", True, f"in use by the server at {host}:{address.port}, which is ready")
