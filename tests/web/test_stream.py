import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

import orjson
import pytest
from aiohttp import ClientResponse, ClientSession
from aiohttp.test_utils import TestClient, TestServer
from aiohttp.web import Application, AppRunner, Request, TCPSite

from orchestrator.errors import StoreUnavailable
from orchestrator.store.sqlite import SqliteStore
from orchestrator.web import Deps, build

Client = TestClient[Request, Application]
Start = Callable[..., Awaitable[dict[str, Any]]]
Serve = Callable[..., Awaitable[Client]]

BEGINNING = ["run.created", "run.started", "step.started", "job.created", "job.submitting"]


@dataclass
class Reader:
    """Reads a stream as a browser would. *last_id* is what it would come back with."""

    answer: ClientResponse
    last_id: str = ""

    async def block(self) -> list[str]:
        """Return the lines up to the next empty one; none at the end of the stream."""
        lines: list[str] = []
        while line := (await self.answer.content.readline()).decode():
            if line == "\n":
                return lines
            lines.append(line.removesuffix("\n"))
        return lines

    async def event(self) -> dict[str, Any]:
        """Return the next event, passing over what is no message."""
        while lines := await self.block():
            fields = dict(line.split(": ", 1) for line in lines if not line.startswith(":"))
            self.last_id = fields.get("id", self.last_id)
            if "data" in fields:
                event: dict[str, Any] = orjson.loads(fields["data"])
                return event
        raise EOFError

    async def types(self, count: int) -> list[str]:
        return [(await self.event())["type"].removeprefix("orchestrator.") for _ in range(count)]


async def read(client: Client, query: str = "", last_id: str | None = None) -> Reader:
    headers = {} if last_id is None else {"Last-Event-ID": last_id}
    answer = await client.get(f"/api/v1/events/stream{query}", headers=headers)
    assert answer.status == 200, await answer.text()
    return Reader(answer)


async def test_a_stream_starts_at_now_and_brings_what_comes(client: Client, start: Start) -> None:
    await start()
    reader = await read(client)

    run = await start()

    first = await reader.event()
    assert reader.answer.content_type == "text/event-stream"
    assert (first["type"], first["source"]) == ("orchestrator.run.created", f"/runs/{run['id']}")
    assert first["sequence"] == reader.last_id
    assert await reader.types(4) == BEGINNING[1:]


async def test_a_stream_starts_at_the_beginning_when_asked_to(client: Client, start: Start) -> None:
    await start()

    by_header = await read(client, last_id="0")
    by_query = await read(client, "?after=0")

    assert await by_header.types(5) == BEGINNING
    assert await by_query.types(5) == BEGINNING


async def test_a_reader_that_comes_back_gets_each_event_once(client: Client, start: Start) -> None:
    first = await read(client, last_id="0")
    await start()
    seen = await first.types(2)
    first.answer.close()
    await start()

    second = await read(client, last_id=first.last_id)

    assert seen + await second.types(8) == BEGINNING * 2


async def test_a_reader_that_leaves_before_the_first_event_misses_none(client: Client, start: Start) -> None:
    first = await read(client)
    opening = await first.block()
    first.answer.close()
    await start()
    last_id = next(line.removeprefix("id: ") for line in opening if line.startswith("id: "))

    second = await read(client, last_id=last_id)

    assert await second.types(5) == BEGINNING


async def test_a_reader_that_has_more_than_there_is_misses_nothing_new(client: Client, start: Start) -> None:
    """Its events were those of a database that has been replaced by a backup since."""
    reader = await read(client, last_id="1000")
    await reader.block()

    await start()

    assert await reader.types(5) == BEGINNING


async def test_the_header_wins_over_the_query_that_a_reconnect_repeats(client: Client, start: Start) -> None:
    await start()
    all_of_it = await read(client, last_id="0")
    await all_of_it.types(3)

    reader = await read(client, "?after=1", last_id=all_of_it.last_id)

    assert await reader.types(2) == BEGINNING[3:]


async def test_a_stream_brings_only_what_was_asked_for(client: Client, start: Start) -> None:
    run = await start()
    reader = await read(client, f"?run={run['id']}&type=run.*", last_id="0")
    await start()

    assert await reader.types(2) == ["run.created", "run.started"]

    await client.post(f"/api/v1/runs/{run['id']}/cancel")

    assert await reader.types(1) == ["run.cancel_requested"]


async def test_a_log_that_is_long_comes_whole(client: Client, start: Start) -> None:
    await asyncio.gather(*(start() for _ in range(50)))

    reader = await read(client, last_id="0")

    assert [int((await reader.event())["sequence"]) for _ in range(250)] == list(range(1, 251))


async def test_many_readers_see_the_same_log_while_it_grows(client: Client, start: Start) -> None:
    readers = [await read(client) for _ in range(5)]

    async def all_of(reader: Reader) -> list[str]:
        return [(await reader.event())["sequence"] for _ in range(100)]

    growing = asyncio.gather(*(start() for _ in range(20)))
    seen = await asyncio.gather(*map(all_of, readers))
    await growing

    assert all(sequences == seen[0] for sequences in seen)
    assert len(set(seen[0])) == 100
    assert seen[0] == sorted(seen[0], key=int)


async def test_a_silent_stream_says_that_it_is_alive(serve: Serve) -> None:
    client = await serve(keep_alive_s=0.01)
    reader = await read(client)
    await reader.block()

    assert await reader.block() == [": still here"]
    assert await reader.block() == [": still here"]


async def test_events_that_were_not_asked_for_do_not_keep_a_stream_busy(
    client: Client, start: Start, store: SqliteStore, serve: Serve
) -> None:
    class Counting:
        looks = 0

        async def tail(self, **asked: Any) -> Any:
            self.looks += 1
            return await store.tail(**asked)

        def __getattr__(self, name: str) -> Any:
            return getattr(store, name)

    log = Counting()
    other = await serve(log=log, keep_alive_s=0.2)
    reader = await read(other, "?type=run.failed")
    await reader.block()
    await start()

    assert await reader.block() == [": still here"]
    assert log.looks <= 5


async def test_streams_end_when_the_server_stops(deps: Deps) -> None:
    runner = AppRunner(build(deps, loopback=True))
    server = TestServer(runner.app)
    async with TestClient(server) as client:
        reader = await read(client)
        await reader.block()

        assert server.runner is not None
        await server.runner.shutdown()

        assert await reader.block() == []
        assert reader.answer.content.at_eof()


async def test_a_stream_ends_when_the_store_is_in_trouble(store: SqliteStore, serve: Serve) -> None:
    class Troubled:
        async def tail(self, **asked: Any) -> Any:
            raise StoreUnavailable("the disk is full")

        def __getattr__(self, name: str) -> Any:
            return getattr(store, name)

    reader = await read(await serve(log=Troubled()))
    await reader.block()

    assert await reader.block() == []


async def test_a_reader_that_goes_is_no_error(deps: Deps, caplog: pytest.LogCaptureFixture) -> None:
    # The test server cancels the handlers of readers that go, which the real one does not.
    app = build(replace(deps, keep_alive_s=0.001), loopback=True)
    gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    runner = AppRunner(app, access_log=None)
    await runner.setup()
    await TCPSite(runner, "127.0.0.1", 0).start()

    async with ClientSession() as session:
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/api/v1/events/stream"
        reader = Reader(await session.get(url))
        await reader.block()
        handling = next(task for task in asyncio.all_tasks() if "RequestHandler.start" in repr(task))
        handling.add_done_callback(lambda _: gone.set_result(None))
        reader.answer.close()
        await gone
    await runner.cleanup()

    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []


@pytest.mark.parametrize("last_id", ["", "-1", "abc", "9" * 19, "1.0", "١"])
async def test_a_last_event_id_that_is_none_is_refused(client: Client, last_id: str) -> None:
    answer = await client.get("/api/v1/events/stream", headers={"Last-Event-ID": last_id})

    assert answer.status == 422
    assert (await answer.json())["errors"][0]["location"] == "headers.Last-Event-ID"


@pytest.mark.parametrize(("query", "status"), [("type=nothing", 422), ("limit=1", 422), ("run=run_1", 404)])
async def test_a_stream_of_nothing_is_refused(client: Client, query: str, status: int) -> None:
    answer = await client.get(f"/api/v1/events/stream?{query}")

    assert answer.status == status


async def test_a_stream_is_not_asked_for_by_head(client: Client) -> None:
    answer = await client.head("/api/v1/events/stream")

    assert answer.status == 405
