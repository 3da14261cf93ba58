import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from orchestrator.runtime.guard import RefusedUrl, guarded_socket, is_public, read_url
from orchestrator.runtime.transport import Transport


class Names(AbstractResolver):
    """A name service that says what each test wants, differently each time if it likes."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        addresses = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in addresses
        ]

    async def close(self) -> None:
        pass


@asynccontextmanager
async def server(*, redirects_to: str | None = None) -> AsyncIterator[tuple[int, list[web.BaseRequest]]]:
    """A server on loopback; gives its port and what has been asked of it."""
    asked: list[web.BaseRequest] = []

    async def answer(request: web.BaseRequest) -> web.Response:
        asked.append(request)
        if redirects_to is not None:
            return web.Response(status=302, headers={"Location": redirects_to})
        return web.Response(text="secret")

    runner = web.ServerRunner(web.Server(answer))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield runner.addresses[0][1], asked
    finally:
        await runner.cleanup()


def transport_of(port: int) -> Transport:
    return Transport({"pizi": f"http://127.0.0.1:{port}"})


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",
        "10.1.2.3",
        "100.64.0.1",
        "127.0.0.1",
        "127.255.255.254",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.8",
        "192.168.1.1",
        "192.88.99.1",
        "198.18.0.1",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::7f00:1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:192.88.99.1",
        "::ffff:224.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b::808:808",
        "64:ff9b:1::1",
        "100::1",
        "2001::1",
        "2001:db8::1",
        "2002:7f00:1::",
        "2002:808:808::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fe80::1%eth0",
        "fec0::1",
        "ff02::1",
        "not an address",
        "",
    ],
)
def test_addresses_that_are_not_everybodys_are_refused(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "1.1.1.1", "172.32.0.1", "100.128.0.1", "::ffff:8.8.8.8", "2606:4700::1111"]
)
def test_public_addresses_are_allowed(address: str) -> None:
    assert is_public(address)


def test_a_socket_is_made_only_for_an_internet_address() -> None:
    with pytest.raises(OSError, match="private or special"):
        guarded_socket((socket.AF_UNIX, socket.SOCK_STREAM, 0, "", ("8.8.8.8", 80)))
    with guarded_socket((socket.AF_INET, socket.SOCK_STREAM, 6, "", ("8.8.8.8", 80))) as made:
        assert made.family == socket.AF_INET


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ftp://example.com/x",
        "file:///etc/passwd",
        "//example.com/x",
        "/etc/passwd",
        "http:///x",
        "https://user:password@example.com/",
        "https://user@example.com/",
        "https://:password@example.com/",
        "http://exam ple.com/",
        "http://example.com/\r\nX-Injected: 1",
        "http://example.com:99999/",
        "http://h\\@example.com/",
    ],
)
def test_what_is_no_plain_web_url_is_refused(text: str) -> None:
    with pytest.raises(RefusedUrl) as refused:
        read_url(text)

    assert refused.value.failure.cls == "refused_url"
    assert "password" not in text or "password@" not in str(refused.value)


def test_a_signed_url_keeps_every_character_of_its_signature() -> None:
    assert str(read_url("https://s3.example.com/a%2Fb?sig=%7Ex%2F%2B")) == (
        "https://s3.example.com/a%2Fb?sig=%7Ex%2F%2B"
    )


def test_a_url_in_another_script_is_quoted_as_browsers_do() -> None:
    assert str(read_url("https://bilder.example/größe.png")) == "https://bilder.example/gr%C3%B6%C3%9Fe.png"


@pytest.mark.parametrize("host", ["127.0.0.1", "[::ffff:127.0.0.1]", "localhost", "0x7f.1", "127.1"])
async def test_no_spelling_of_loopback_is_reached(host: str) -> None:
    async with server() as (port, asked), Transport({}) as transport:
        with pytest.raises(RefusedUrl):
            await transport.get("pizi", URL(f"http://{host}:{port}/", encoded=True), timeout_s=5)

        assert asked == []


async def test_a_public_name_that_leads_inside_is_refused() -> None:
    async with server() as (port, asked), Transport({}, resolver=Names(["127.0.0.1"])) as transport:
        with pytest.raises(RefusedUrl, match=r"private or special network \(host cdn\.example\)"):
            await transport.get("pizi", URL(f"http://cdn.example:{port}/"), timeout_s=5)

        assert asked == []


async def test_a_name_with_several_inside_addresses_is_refused() -> None:
    names = Names(["127.0.0.1", "::1", "10.0.0.1"])
    async with server() as (port, asked), Transport({}, resolver=names) as transport:
        with pytest.raises(RefusedUrl):
            await transport.get("pizi", URL(f"http://cdn.example:{port}/"), timeout_s=5)

        assert asked == []


async def test_private_networks_are_reached_when_they_are_allowed() -> None:
    async with server() as (port, _), Transport({}, allow_private_networks=True) as transport:
        reply = await transport.get("pizi", URL(f"http://127.0.0.1:{port}/"), timeout_s=5)

        assert reply.body == b"secret"


async def test_a_connection_reaches_its_own_private_host_on_any_port() -> None:
    async with server() as (port, _), Transport({"pizi": "http://127.0.0.1:1/api"}) as transport:
        reply = await transport.get("pizi", URL(f"http://127.0.0.1:{port}/"), timeout_s=5)

        assert reply.body == b"secret"


async def test_an_open_connection_of_one_does_not_carry_anothers_request_inside() -> None:
    async with server() as (port, asked), Transport({"pizi": f"http://127.0.0.1:{port}"}) as transport:
        url = URL(f"http://127.0.0.1:{port}/")
        await transport.get("pizi", url, timeout_s=5)

        for other in ("pixza", "notify"):
            with pytest.raises(RefusedUrl):
                await transport.get(other, url, timeout_s=5)

        assert len(asked) == 1


async def test_a_redirect_to_the_inside_is_refused() -> None:
    async with server() as (inside, asked), server(redirects_to=f"http://localhost:{inside}/") as (port, _):
        # The first host is the connection's own, the second is not.
        async with Transport({"pizi": f"http://127.0.0.1:{port}"}) as transport:
            with pytest.raises(RefusedUrl):
                await transport.get("pizi", URL(f"http://127.0.0.1:{port}/"), timeout_s=5)

        assert asked == []


@pytest.mark.parametrize(
    "target", ["file:///etc/passwd", "gopher://x/", "http://u:p@h/", "http://[/", "http:"]
)
async def test_a_redirect_to_what_is_no_web_url_is_refused(target: str) -> None:
    async with server(redirects_to=target) as (port, _), transport_of(port) as transport:
        with pytest.raises(RefusedUrl):
            await transport.get("pizi", URL(f"http://127.0.0.1:{port}/"), timeout_s=5)


async def test_redirects_in_a_circle_end() -> None:
    async with server(redirects_to="/again") as (port, asked), transport_of(port) as transport:
        with pytest.raises(RefusedUrl, match="more than 5 redirects"):
            await transport.get("pizi", URL(f"http://127.0.0.1:{port}/"), timeout_s=5)

        assert len(asked) == 6


async def test_headers_follow_a_redirect_to_the_same_origin_and_no_further() -> None:
    headers = {"Authorization": "Bearer x", "X-Api-Key": "y"}
    async with (
        server() as (elsewhere, foreign),
        server(redirects_to=f"http://127.0.0.1:{elsewhere}/") as (port, own),
        transport_of(port) as transport,
    ):
        await transport.get("pizi", URL(f"http://127.0.0.1:{port}/"), headers=headers, timeout_s=5)

        assert own[0].headers["Authorization"] == "Bearer x"
        assert not set(headers) & set(foreign[0].headers)


async def test_cookies_are_not_kept() -> None:
    asked: list[web.BaseRequest] = []

    async def answer(request: web.BaseRequest) -> web.Response:
        asked.append(request)
        return web.Response(headers={"Set-Cookie": "session=1"})

    runner = web.ServerRunner(web.Server(answer))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = URL(f"http://127.0.0.1:{runner.addresses[0][1]}/")
    try:
        async with Transport({"pizi": str(url)}) as transport:
            await asyncio.gather(*(transport.get("pizi", url, timeout_s=5) for _ in range(2)))
            await transport.get("pizi", url, timeout_s=5)
    finally:
        await runner.cleanup()

    assert all("Cookie" not in request.headers for request in asked)
