"""How connections stand, and their part of the log: what any store promises."""

import asyncio
from collections.abc import Callable

import orjson
import pytest

from orchestrator.store.connections import (
    ConnectionCreditsChanged,
    ConnectionPaused,
    ConnectionResumed,
    ConnectionRow,
)
from orchestrator.store.rows import Append
from orchestrator.store.sqlite import SqliteStore

PAUSED = ConnectionRow(
    name="pizi",
    paused_by="system",
    cause="insufficient_credits",
    reason="no credits",
    paused_at=5,
    paused_until=9,
    credits=0.5,
)


def paused(at: int, connection: str = "pizi") -> ConnectionPaused:
    return ConnectionPaused(
        at=at, connection=connection, by="system", cause="rate_limited", reason="too fast", until=at + 4
    )


def resumed(at: int, connection: str = "pizi") -> ConnectionResumed:
    return ConnectionResumed(at=at, connection=connection, by="person", reason="go on")


async def test_of_a_fresh_store_nothing_is_known(store: SqliteStore) -> None:
    assert await store.connections() == []


async def test_a_row_comes_back_as_it_was_put(store: SqliteStore) -> None:
    await store.put_connection(PAUSED)

    assert await store.connections() == [PAUSED]


async def test_a_later_row_takes_the_place_of_the_earlier_one(store: SqliteStore) -> None:
    active = ConnectionRow(name="pizi", credits=7.0)
    await store.put_connection(PAUSED)
    await store.put_connection(ConnectionRow(name="acme"))

    await store.put_connection(active)

    assert await store.connections() == [ConnectionRow(name="acme"), active]


async def test_of_rows_that_wait_together_the_last_one_stands(store: SqliteStore) -> None:
    rows = [ConnectionRow(name="pizi", credits=float(n)) for n in range(20)]

    await asyncio.gather(*(store.put_connection(row) for row in rows))

    assert await store.connections() == [rows[-1]]


async def test_events_join_the_log_of_the_runs_in_the_order_of_commits(
    store: SqliteStore, append: Callable[..., Append]
) -> None:
    await store.append(append(1))
    await store.put_connection(PAUSED, [paused(5), resumed(6)])
    await store.append(append(2))

    tail = await store.tail(after=0)

    assert [(r.stream, r.version, r.type) for r in tail] == [
        ("run_001", 1, "run.started"),
        ("connections/pizi", 1, "connection.paused"),
        ("connections/pizi", 2, "connection.resumed"),
        ("run_002", 1, "run.started"),
    ]
    assert [r.seq for r in tail] == sorted(r.seq for r in tail)
    assert await store.last_sequence() == tail[-1].seq


async def test_each_connection_has_a_stream_without_gaps(store: SqliteStore) -> None:
    for n in range(1, 4):
        await store.put_connection(ConnectionRow(name="pizi"), [paused(n), resumed(n)])
        await store.put_connection(ConnectionRow(name="acme"), [paused(n, "acme")])

    assert [r.version for r in await store.read("connections/pizi")] == [1, 2, 3, 4, 5, 6]
    assert [r.version for r in await store.read("connections/acme", after=1)] == [2, 3]
    assert await store.read("connections/nobody") == []


async def test_an_event_keeps_what_it_says(store: SqliteStore) -> None:
    event = ConnectionCreditsChanged(at=3, connection="pizi", credits=1.5, before=None)

    await store.put_connection(ConnectionRow(name="pizi", credits=1.5), [event])

    record = (await store.read("connections/pizi"))[0]
    assert (record.type, record.at, record.subject) == ("connection.credits_changed", 3, "")
    assert orjson.loads(record.data) == {"at": 3, "connection": "pizi", "credits": 1.5, "before": None}


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"types": ["connection.*"]}, ["connection.paused", "connection.resumed"]),
        ({"types": ["connection.resumed", "run.*"]}, ["run.started", "connection.resumed"]),
        ({"stream": "connections/pizi"}, ["connection.paused", "connection.resumed"]),
        ({"stream": "connections/pizi", "types": ["*.paused"]}, ["connection.paused"]),
        ({"stream": "connections/pizi", "since": 6}, ["connection.resumed"]),
        ({"stream": "run_001"}, ["run.started"]),
    ],
)
async def test_the_tail_selects_them_as_it_does_events_of_runs(
    store: SqliteStore, append: Callable[..., Append], asked: dict[str, object], found: list[str]
) -> None:
    await store.append(append(1))
    await store.put_connection(PAUSED, [paused(5), resumed(6)])

    tail = await store.tail(after=0, **asked)  # type: ignore[arg-type]

    assert [record.type for record in tail] == found


async def test_who_waits_for_the_log_is_woken(store: SqliteStore) -> None:
    waiting = asyncio.create_task(store.wait(0, 30.0))
    await asyncio.sleep(0)

    await store.put_connection(PAUSED, [paused(5)])

    await asyncio.wait_for(waiting, 5.0)


async def test_a_row_that_the_store_does_not_take_leaves_its_neighbours_alone(
    store: SqliteStore, append: Callable[..., Append]
) -> None:
    broken = ConnectionRow(name="broken", paused_by="system", paused_at=None)

    results = await asyncio.gather(
        store.put_connection(broken, [paused(1, "broken")]),
        store.put_connection(PAUSED, [paused(5)]),
        store.append(append(1)),
        return_exceptions=True,
    )

    assert isinstance(results[0], Exception)
    assert not any(results[1:])
    assert [r.stream for r in await store.tail(after=0)] == ["run_001", "connections/pizi"]
