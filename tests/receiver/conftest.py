"""A receiver behind a real socket, a real store behind it, and a client that sends the bytes it is told."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from orchestrator import receiver
from orchestrator.clock import SystemClock
from orchestrator.store.sqlite import SqliteStore
from orchestrator.tokens import Keyring


@dataclass
class Reply:
    """An answer as it came."""

    status: int
    headers: dict[str, str]
    body: bytes
    closed: bool


@dataclass
class Line:
    """One connection to the receiver."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    method: str = field(default="")

    async def send(self, *pieces: bytes) -> None:
        """Send the pieces one by one, each in a packet of its own."""
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()
            await asyncio.sleep(0)

    async def reply(self, *, head: bool = False) -> Reply:
        """Return the next answer; *head*: it has no body."""
        raw = await self.reader.readuntil(b"\r\n\r\n")
        first, *lines = raw.decode().strip().split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        size = 0 if head else int(headers.get("content-length", 0))
        body = await self.reader.readexactly(size)
        return Reply(int(first.split()[1]), headers, body, headers.get("connection") == "close")


@dataclass
class Public:
    """The public listener under test."""

    store: SqliteStore
    keyring: Keyring
    receiver: receiver.Receiver
    port: int
    lines: list[Line] = field(default_factory=list)

    def path(self, job: str = "job_1", connection: str = "pizi") -> str:
        """Return the path of a job's callback URL."""
        return f"/callbacks/{connection}/{self.keyring.callback_token(connection, job)}"

    async def line(self) -> Line:
        """Open a connection."""
        line = Line(*await asyncio.open_connection("127.0.0.1", self.port))
        self.lines.append(line)
        return line

    async def ask(
        self, method: str, path: str, body: bytes = b"", headers: tuple[str, ...] = (), *, length: bool = True
    ) -> Reply:
        """Send one request on a connection of its own."""
        line = await self.line()
        fields = ["Host: hooks.example.com", *headers]
        if length:
            fields.append(f"Content-Length: {len(body)}")
        start = "\r\n".join([f"{method} {path} HTTP/1.1", *fields]).encode("latin-1")
        await line.send(start + b"\r\n\r\n" + body)
        return await line.reply(head=method == "HEAD")


@pytest.fixture
async def make_public(tmp_path: Path) -> AsyncIterator[Callable[..., Any]]:
    """Start a listener; further names go to `receiver.build`."""
    clock = SystemClock()
    store = await SqliteStore.open(tmp_path / "x.db", clock=clock, busy_s=1)
    keyring = Keyring(["new" * 10, "old" * 10])
    started: list[tuple[web.ServerRunner, Public]] = []

    async def make(**arguments: Any) -> Public:
        built = receiver.build(store_inbox=store, keyring=keyring, clock=clock, **arguments)
        runner = await receiver.serve(built, "127.0.0.1", 0)
        public = Public(store, keyring, built, runner.addresses[0][1])
        started.append((runner, public))
        return public

    yield make
    for runner, public in started:
        for line in public.lines:
            line.writer.close()
        await runner.cleanup()
    await store.close()


@pytest.fixture
async def public(make_public: Callable[..., Any]) -> Public:
    public: Public = await make_public()
    return public
