"""What an inbox promises, whatever database is behind it."""

import asyncio
from collections.abc import Callable, Sequence

from orchestrator.store.inbox import Inbox
from orchestrator.store.rows import Append, Delivery, Settled
from orchestrator.store.sqlite import SqliteStore

MakeDelivery = Callable[..., Delivery]


async def test_a_delivery_is_kept_byte_for_byte(store: SqliteStore, delivery: MakeDelivery) -> None:
    inbox: Inbox = store
    one = delivery(1, body=bytes(range(256)), size=256)

    await inbox.put(one)

    assert await inbox.get("dlv_001") == one
    assert await inbox.get("dlv_404") is None


async def test_an_empty_body_is_not_a_missing_one(store: SqliteStore, delivery: MakeDelivery) -> None:
    await store.put(delivery(1, body=b""))
    await store.put(delivery(2, body=None))

    empty, missing = await store.pending()
    assert (empty.body, missing.body) == (b"", None)


async def test_pending_deliveries_come_oldest_first_in_pages(
    store: SqliteStore, delivery: MakeDelivery
) -> None:
    await asyncio.gather(*(store.put(delivery(n)) for n in range(1, 101)))

    first = await store.pending(limit=60)
    rest = await store.pending(after=first[-1].id, limit=60)

    assert [d.received_at for d in (*first, *rest)] == list(range(1, 101))


async def test_a_settled_delivery_is_not_pending(store: SqliteStore, delivery: MakeDelivery) -> None:
    await asyncio.gather(*(store.put(delivery(n)) for n in (1, 2, 3)))

    await store.settle(
        [
            Settled(delivery="dlv_001", verdict="duplicate", duplicate_of="dlv_000"),
            Settled(delivery="dlv_003", verdict="unreadable", error="no JSON: \u201e"),
        ]
    )
    await store.settle([])

    assert [d.id for d in await store.pending()] == ["dlv_002"]
    first, third = await store.get("dlv_001"), await store.get("dlv_003")
    assert first is not None
    assert (first.verdict, first.duplicate_of, first.error) == ("duplicate", "dlv_000", None)
    assert third is not None
    assert (third.verdict, third.duplicate_of, third.error) == ("unreadable", None, "no JSON: \u201e")


async def test_an_append_settles_the_delivery_that_caused_it(
    store: SqliteStore, delivery: MakeDelivery, append: Callable[..., Append]
) -> None:
    await store.put(delivery(1))

    await store.append(append(parts={"settled": [Settled(delivery="dlv_001", verdict="accepted")]}))

    settled = await store.get("dlv_001")
    assert settled is not None
    assert settled.verdict == "accepted"


async def test_an_append_that_conflicts_settles_nothing(
    store: SqliteStore, delivery: MakeDelivery, append: Callable[..., Append]
) -> None:
    await store.put(delivery(1))
    settled = [Settled(delivery="dlv_001", verdict="accepted")]

    await asyncio.gather(store.append(append(expected=9, parts={"settled": settled})), return_exceptions=True)

    assert [d.id for d in await store.pending()] == ["dlv_001"]


async def test_listeners_hear_of_deliveries_that_are_on_disk(
    store: SqliteStore, delivery: MakeDelivery
) -> None:
    heard: list[Delivery] = []
    everything = asyncio.Event()

    def listen(batch: Sequence[Delivery]) -> None:
        heard.extend(batch)
        if len(heard) == 50:
            everything.set()

    store.subscribe(listen)
    sent = [delivery(n) for n in range(50)]
    await asyncio.gather(*map(store.put, sent))
    await everything.wait()

    assert heard == sent
    assert await store.pending() == sent


async def test_a_delivery_that_exists_already_fails_alone(store: SqliteStore, delivery: MakeDelivery) -> None:
    heard: list[Delivery] = []
    store.subscribe(heard.extend)
    await store.put(delivery(1))

    results = await asyncio.gather(store.put(delivery(1)), store.put(delivery(2)), return_exceptions=True)
    await asyncio.sleep(0)

    assert [result is None for result in results] == [False, True]
    assert [d.id for d in heard] == ["dlv_001", "dlv_002"]


async def test_deliveries_are_found_newest_first_without_bodies(
    store: SqliteStore, delivery: MakeDelivery
) -> None:
    for n in range(1, 7):
        await store.put(delivery(n, job=f"job_{n % 2}"))
    await store.settle([Settled(delivery=f"dlv_00{n}", verdict="late") for n in (1, 2, 3)])
    await store.settle([Settled(delivery=f"dlv_00{n}", verdict="accepted") for n in (4, 5)])

    async def found(**arguments: object) -> list[int]:
        return [d.received_at for d in await store.find(**arguments)]  # type: ignore[arg-type]

    assert await found() == [6, 5, 4, 3, 2, 1]
    assert await found(limit=2) == [6, 5]
    assert await found(before="dlv_005", limit=2) == [4, 3]
    assert await found(job="job_1") == [5, 3, 1]
    assert await found(job="job_1", before="dlv_005") == [3, 1]
    assert await found(job="job_1", verdict="late") == [3, 1]
    assert await found(verdict="late") == [3, 2, 1]
    assert await found(verdict="late", before="dlv_003") == [2, 1]
    assert await found(verdict="accepted") == [5, 4]
    assert {d.body for d in await store.find()} == {None}


# --- requests on hooks ------------------------------------------------------------------------


async def test_a_request_on_a_hook_waits_in_the_inbox_and_is_settled_with_its_run(
    store: SqliteStore, delivery: Callable[..., Delivery], append: Callable[..., Append]
) -> None:
    await store.put(delivery(1, job="", connection="", hook="orders"))
    assert [one.hook for one in await store.pending()] == ["orders"]

    settled = Settled(delivery="dlv_001", verdict="accepted", run="run_001")
    await store.append(append(parts={"settled": [settled]}))

    assert await store.pending() == []
    found = await store.get("dlv_001")
    assert found is not None
    assert (found.verdict, found.run, found.hook) == ("accepted", "run_001", "orders")


async def test_requests_on_one_hook_are_found_newest_first(
    store: SqliteStore, delivery: Callable[..., Delivery]
) -> None:
    for n, hook in enumerate(["orders", "others", "orders", None, "orders"], 1):
        await store.put(delivery(n, hook=hook))
    await store.settle([Settled(delivery="dlv_003", verdict="mismatch", error="inputs.a: is required")])

    found = await store.find(hook="orders", limit=2)
    mismatched = await store.find(hook="orders", verdict="mismatch")

    assert [one.id for one in found] == ["dlv_005", "dlv_003"]
    assert [one.id for one in await store.find(hook="orders", before="dlv_003")] == ["dlv_001"]
    assert [(one.id, one.error) for one in mismatched] == [("dlv_003", "inputs.a: is required")]
