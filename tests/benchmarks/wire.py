"""
A client that does almost nothing: prebuilt bytes out, a status in.

It sends the callbacks, of the load generator and of the provider, to figure and
control alike. Whatever it costs is taken from the machine's other core, so it must
cost little: a client library would be slower than the servers it is to load.
"""

import asyncio
import re
from collections.abc import Sequence
from time import perf_counter
from urllib.parse import urlsplit

_HEAD = re.compile(
    rb"HTTP/1\.1 (\d{3}) .*?\r\ncontent-length: (\d+)\r\n(?:.*?\r\n)?\r\n", re.DOTALL | re.IGNORECASE
)


def post(url: str, body: bytes) -> bytes:
    """Return the bytes of a POST of JSON to *url*."""
    parts = urlsplit(url)
    target = f"{parts.path}?{parts.query}" if parts.query else parts.path
    head = (
        f"POST {target} HTTP/1.1\r\nHost: {parts.netloc}\r\nUser-Agent: bench\r\nAccept: */*\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class Connection(asyncio.Protocol):
    """One connection that is kept open; one request at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[int] | None = None
        self._received = b""

    @property
    def is_open(self) -> bool:
        return self._transport is not None

    async def send(self, request: bytes) -> int:
        """Send *request* and return the status of the answer. Errors: ConnectionError."""
        if self._transport is None:
            raise ConnectionResetError("the connection was closed")
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._answer

    def close(self) -> None:
        """Close the connection."""
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        head = _HEAD.match(self._received)
        if head is None or len(self._received) < head.end() + int(head[2]):
            return
        self._received = b""
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(int(head[1]))

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionResetError("the connection was closed before the answer"))


async def connect(host: str, port: int) -> Connection:
    """Open a connection. Errors: OSError."""
    _, connection = await asyncio.get_running_loop().create_connection(Connection, host, port)
    return connection


class Pool:
    """Connections to any number of servers, opened as needed and used again."""

    def __init__(self) -> None:
        self._idle: dict[tuple[str, int], list[Connection]] = {}

    async def take(self, host: str, port: int) -> Connection:
        """Return an open connection that nobody else uses."""
        idle = self._idle.setdefault((host, port), [])
        while idle:
            connection = idle.pop()
            if connection.is_open:
                return connection
        return await connect(host, port)

    def give(self, host: str, port: int, connection: Connection) -> None:
        """Take back a connection whose answer has come."""
        self._idle.setdefault((host, port), []).append(connection)

    def close(self) -> None:
        """Close all that are idle."""
        for idle in self._idle.values():
            while idle:
                idle.pop().close()


async def fire(host: str, port: int, requests: Sequence[bytes], connections: int) -> float:
    """
    Send all *requests* over so many *connections*, each as fast as it is answered.

    Returns how many a second were answered with 200. Errors: RuntimeError when any was not.
    """
    opened = [await connect(host, port) for _ in range(connections)]
    waiting = iter(requests)
    refused = 0

    async def send_on(connection: Connection) -> None:
        nonlocal refused
        for request in waiting:
            if await connection.send(request) != 200:
                refused += 1

    started = perf_counter()
    await asyncio.gather(*map(send_on, opened))
    took_s = perf_counter() - started
    for connection in opened:
        connection.close()
    if refused:
        raise RuntimeError(f"{refused} of {len(requests)} callbacks were not answered with 200")
    return len(requests) / took_s
