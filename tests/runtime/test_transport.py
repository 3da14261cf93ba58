"""The table of what can go wrong on the wire, a test a row, against servers that really do it."""

import asyncio
import gzip
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from yarl import URL

from orchestrator.providers.base import Reply
from orchestrator.runtime.guard import RefusedUrl
from orchestrator.runtime.transport import Lost, NotSent, Transport, TransportError

SECRET = "s3cret-in-the-query"
BOMB = gzip.compress(bytes(10_000_000))
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter, int], Awaitable[None]]


class Raw:
    """A server that does what a script says with each connection, and counts the requests it saw."""

    def __init__(self, script: Script) -> None:
        self.requests: list[bytes] = []
        self._script = script
        self._connections = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections += 1
        try:
            await self._script(reader, writer, self._connections)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def request(self, reader: asyncio.StreamReader) -> bytes:
        """Read one request, its body too, and note it."""
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(
            (int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0
        )
        body = await reader.readexactly(length)
        self.requests.append(head + body)
        return body


@asynccontextmanager
async def raw(
    play: Callable[[Raw], Script], tls: ssl.SSLContext | None = None
) -> AsyncIterator[tuple[Raw, str]]:
    server = Raw(lambda reader, writer, n: play(server)(reader, writer, n))
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0, ssl=tls)
    port = listening.sockets[0].getsockname()[1]
    try:
        yield server, f"{'https' if tls else 'http'}://127.0.0.1:{port}"
    finally:
        listening.close()


async def post(
    base: str, *, method: str = "POST", timeout_s: float = 5.0, spends: bool = True, limit: int = 1000
) -> Reply:
    async with Transport({"pizi": base}, body_bytes_max=limit) as transport:
        return await transport.request(
            "pizi",
            method,
            URL(f"{base}/tasks?key={SECRET}"),
            headers={"X-Key": SECRET},
            body=b"{}",
            timeout_s=timeout_s,
            spends=spends,
        )


def answering(
    *pieces: bytes, then: Callable[[asyncio.StreamWriter], None] | None = None
) -> Callable[[Raw], Script]:
    """Read the request, write *pieces*, then close the connection, or do *then* before."""

    def play(server: Raw) -> Script:
        async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, n: int) -> None:
            await server.request(reader)
            for piece in pieces:
                writer.write(piece)
            await writer.drain()
            if then is not None:
                then(writer)

        return script

    return play


def stalling(*pieces: bytes) -> Callable[[Raw], Script]:
    """Read the request, write *pieces*, then nothing more, until the other side hangs up."""

    def play(server: Raw) -> Script:
        async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, n: int) -> None:
            await server.request(reader)
            for piece in pieces:
                writer.write(piece)
            await reader.read()

        return script

    return play


def reset(writer: asyncio.StreamWriter) -> None:
    """Make the close that follows a reset instead of an orderly end."""
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


# --- provably not sent -----------------------------------------------------------------------


async def test_a_refused_connection_was_not_sent() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        base = f"http://127.0.0.1:{closed.getsockname()[1]}"

        with pytest.raises(NotSent, match="no connection could be made"):
            await post(base)


class Nobody(AbstractResolver):
    """A name service that knows no name."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        raise OSError(socket.EAI_NONAME, "Name or service not known")

    async def close(self) -> None:
        pass


async def test_a_name_that_is_not_resolved_was_not_sent() -> None:
    base = "http://api.example"
    async with Transport({"pizi": base}, resolver=Nobody()) as transport:
        with pytest.raises(NotSent, match=r"the name was not resolved \(host api\.example\)"):
            await transport.request(
                "pizi", "POST", URL(base), headers={}, body=b"{}", timeout_s=5, spends=True
            )


async def test_a_failed_handshake_was_not_sent() -> None:
    def play(server: Raw) -> Script:
        async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, n: int) -> None:
            await reader.read(1)
            writer.write(b"I do not speak TLS\r\n")

        return script

    async with raw(play) as (server, base):
        with pytest.raises(NotSent, match="the TLS handshake failed"):
            await post(base.replace("http:", "https:"))

        assert server.requests == []


async def test_a_certificate_that_is_not_trusted_was_not_sent(tmp_path: Path) -> None:
    async with raw(answering(OK), tls=self_signed(tmp_path)) as (server, base):
        with pytest.raises(NotSent, match="the certificate was not accepted"):
            await post(base)

        assert server.requests == []


async def test_a_connection_that_is_not_made_in_time_was_not_sent() -> None:
    # Nobody accepts, and the queue of those who wait to be accepted is full.
    loop = asyncio.get_running_loop()
    with socket.socket() as busy, socket.socket() as first, socket.socket() as second:
        busy.bind(("127.0.0.1", 0))
        busy.listen(0)
        first.connect(busy.getsockname())
        second.setblocking(False)
        waiting = loop.create_task(loop.sock_connect(second, busy.getsockname()))
        try:
            with pytest.raises(NotSent, match="no connection was made in time"):
                await post(f"http://127.0.0.1:{busy.getsockname()[1]}", timeout_s=0.2)
        finally:
            waiting.cancel()


# --- may have arrived ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("play", "reason"),
    [
        pytest.param(answering(), "the connection was closed before the answer", id="closed"),
        pytest.param(answering(then=reset), "the connection broke|was closed before", id="reset"),
        pytest.param(
            answering(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"),
            "the answer was cut short",
            id="truncated",
        ),
        pytest.param(
            answering(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", then=reset),
            "the answer was cut short|the connection broke",
            id="reset in the body",
        ),
        pytest.param(
            answering(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhal"),
            "the answer was cut short",
            id="truncated chunk",
        ),
        pytest.param(
            answering(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n"),
            "the answer was cut short|the answer was not HTTP",
            id="broken chunk",
        ),
        pytest.param(
            answering(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope"),
            "the answer was cut short|the answer was not HTTP",
            id="broken compression",
        ),
        pytest.param(answering(b"SSH-2.0-OpenSSH_9.9\r\n\r\n"), "the answer was not HTTP", id="not HTTP"),
        pytest.param(
            answering(b"HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n", bytes(2000)),
            "the answer is larger than 1000 bytes",
            id="too large",
        ),
        pytest.param(
            answering(
                b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(BOMB), BOMB
            ),
            "the answer is larger than 1000 bytes",
            id="decompression bomb",
        ),
    ],
)
async def test_what_breaks_after_the_request_is_lost(play: Callable[[Raw], Script], reason: str) -> None:
    async with raw(play) as (server, base):
        with pytest.raises(Lost, match=reason):
            await post(base)

        assert len(server.requests) == 1


@pytest.mark.parametrize(
    "pieces",
    [(), (b"HTTP/1.1 200 OK\r\n",), (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n", b"half")],
    ids=["no answer", "half a head", "half a body"],
)
async def test_an_answer_that_does_not_come_in_time_is_lost(pieces: tuple[bytes, ...]) -> None:
    async with raw(stalling(*pieces)) as (server, base):
        with pytest.raises(Lost, match="no complete answer came in time"):
            await post(base, timeout_s=0.2)

        assert len(server.requests) == 1


# --- once is once ----------------------------------------------------------------------------


def dropping_the_second(server: Raw) -> Script:
    """Answer the first request of the first connection; drop its second, unanswered. Answer all others."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, n: int) -> None:
        await server.request(reader)
        writer.write(OK)
        await server.request(reader)
        if n > 1:
            writer.write(OK)
            await reader.read()

    return script


@pytest.mark.parametrize("method", ["POST", "PUT", "GET", "DELETE"])
async def test_a_request_that_spends_is_not_repeated_when_a_kept_connection_breaks(method: str) -> None:
    async with raw(dropping_the_second) as (server, base), Transport({"pizi": base}) as transport:

        async def send() -> Reply:
            return await transport.request(
                "pizi", method, URL(base), headers={}, body=b"{}", timeout_s=5, spends=True
            )

        await send()
        with pytest.raises(Lost):
            await send()

        assert len(server.requests) == 2


async def test_a_look_is_repeated_when_a_kept_connection_breaks() -> None:
    async with raw(dropping_the_second) as (server, base), Transport({"pizi": base}) as transport:
        await transport.get("pizi", URL(base), timeout_s=5)
        reply = await transport.get("pizi", URL(base), timeout_s=5)

        assert reply.body == b"ok"
        assert len(server.requests) == 3


async def test_what_spends_does_not_share_connections_with_what_looks() -> None:
    async with raw(dropping_the_second) as (server, base), Transport({"pizi": base}) as transport:
        await transport.get("pizi", URL(base), timeout_s=5)
        reply = await transport.request(
            "pizi", "POST", URL(base), headers={}, body=b"{}", timeout_s=5, spends=True
        )

        assert reply.status == 200
        assert len(server.requests) == 2


# --- what goes over the wire -----------------------------------------------------------------


async def test_a_redirect_is_an_answer_to_what_is_no_look() -> None:
    async with raw(answering(b"HTTP/1.1 307 No\r\nLocation: /else\r\nContent-Length: 0\r\n\r\n")) as (
        server,
        base,
    ):
        reply = await post(base)

        assert reply.status == 307
        assert reply.headers["location"] == "/else"
        assert len(server.requests) == 1


async def test_an_exact_request_carries_what_it_was_given_and_nothing_else() -> None:
    async with raw(answering(OK)) as (server, base), Transport({"pizi": base}) as transport:
        url = URL(f"{base}/up%2Fload?sig=a%2Fb%7Ec", encoded=True)
        await transport.request(
            "pizi", "PUT", url, headers={"X-Amz-Acl": "private"}, body=b"bytes", timeout_s=5, exact=True
        )

        lines = server.requests[0].split(b"\r\n")
        assert lines[0] == b"PUT /up%2Fload?sig=a%2Fb%7Ec HTTP/1.1"
        assert sorted(line.partition(b":")[0] for line in lines[1:4]) == [
            b"Content-Length",
            b"Host",
            b"X-Amz-Acl",
        ]
        assert lines[4:] == [b"", b"bytes"]


async def test_a_large_body_arrives_complete() -> None:
    large = bytes(range(256)) * 12_000
    async with raw(answering(OK)) as (server, base), Transport({"pizi": base}) as transport:
        await transport.request("pizi", "POST", URL(base), headers={}, body=large, timeout_s=20, spends=True)

        assert server.requests[0].endswith(large)
        assert f"Content-Length: {len(large)}".encode() in server.requests[0]


async def test_no_reason_tells_a_secret() -> None:
    for play in (answering(), answering(b"nonsense"), stalling()):
        async with raw(play) as (_, base):
            with pytest.raises(TransportError) as lost:
                await post(base, timeout_s=0.3)

            assert SECRET not in str(lost.value)


async def test_a_host_that_is_no_address_and_no_name_is_refused() -> None:
    async with Transport({"pizi": "http://127.1:80"}) as transport:
        with pytest.raises(RefusedUrl):
            await transport.get("pizi", URL("http://127.1:80/", encoded=True), timeout_s=5)


def self_signed(folder: Path) -> ssl.SSLContext:
    key = generate_private_key(SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    path = folder / "server.pem"
    path.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        + certificate.public_bytes(Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


async def test_where_nobody_outside_is_asked_only_hosts_of_connections_are() -> None:
    def play(server: Raw) -> Script:
        async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, n: int) -> None:
            await server.request(reader)
            writer.write(OK)

        return script

    async with raw(play) as (server, base), Transport({"own": base}, outside=False) as transport:
        reply = await transport.get("own", URL(base), timeout_s=5.0)
        for address in ("http://example.com/", "http://93.184.215.14/", "http://localhost/"):
            with pytest.raises(RefusedUrl, match="nobody outside"):
                await transport.request("core", "POST", URL(address), headers={}, timeout_s=5.0, spends=True)

    assert (reply.body, len(server.requests)) == (b"ok", 1)
