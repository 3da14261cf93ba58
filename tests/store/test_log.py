"""What a log promises, whatever database is behind it."""

import asyncio
from collections.abc import Callable, Sequence

import pytest

from orchestrator.engine.events import Event, RunStarted, RunSucceeded, encode
from orchestrator.errors import Conflict, Refused
from orchestrator.store.log import Log
from orchestrator.store.rows import Append, IdempotencyKey, JobRow, Recorded
from orchestrator.store.sqlite import SqliteStore

MakeAppend = Callable[..., Append]
MakeJob = Callable[..., JobRow]


async def test_a_stream_is_read_as_it_was_written(store: SqliteStore, append: MakeAppend) -> None:
    log: Log = store
    events: list[Event] = [RunStarted(at=5), RunSucceeded(at=7, outputs={"picture": "ä\u2028"})]

    await log.append(append(events=events))

    first, second = await log.read("run_001")
    assert (first.version, first.type, first.at, first.stream) == (1, "run.started", 5, "run_001")
    assert (second.version, second.type, second.data) == (2, "run.succeeded", encode(events[1]))
    assert await log.read("run_001", after=1) == [second]


async def test_a_subject_is_kept(
    store: SqliteStore, append: MakeAppend, progressed: Callable[[str, int], Event]
) -> None:
    await store.append(append(events=[progressed("job_001", 1)]))

    assert [event.subject for event in await store.read("run_001")] == ["job_001"]


async def test_an_unknown_stream_is_empty(store: SqliteStore) -> None:
    assert list(await store.read("run_404")) == []


@pytest.mark.parametrize("expected", [0, 1, 3])
async def test_an_append_on_another_version_conflicts(
    store: SqliteStore, append: MakeAppend, expected: int
) -> None:
    await store.append(append(count=2))

    with pytest.raises(Conflict):
        await store.append(append(expected=expected, status="failed"))
    assert len(await store.read("run_001")) == 2
    run = await store.run("run_001")
    assert run is not None
    assert run.status == "running"


async def test_an_append_to_a_run_that_does_not_exist_conflicts(
    store: SqliteStore, append: MakeAppend
) -> None:
    with pytest.raises(Conflict):
        await store.append(append(expected=3))


async def test_of_two_that_decided_on_the_same_version_one_wins(
    store: SqliteStore, append: MakeAppend
) -> None:
    await store.append(append())

    both = [store.append(append(expected=1, status=status)) for status in ("succeeded", "failed")]
    results = await asyncio.gather(*both, return_exceptions=True)

    assert [type(result) for result in results] == [type(None), Conflict]
    assert [event.version for event in await store.read("run_001")] == [1, 2]


async def test_appends_to_one_run_that_wait_together_keep_their_order(
    store: SqliteStore, append: MakeAppend
) -> None:
    await asyncio.gather(*(store.append(append(expected=i, status=f"s{i}")) for i in range(20)))

    assert [event.version for event in await store.read("run_001")] == list(range(1, 21))
    run = await store.run("run_001")
    assert run is not None
    assert (run.version, run.status) == (20, "s19")


async def test_a_refused_append_does_not_touch_its_neighbours(
    store: SqliteStore, append: MakeAppend, job_row: MakeJob
) -> None:
    def bound(n: int, task: str) -> Append:
        return append(n, parts={"jobs": [job_row(n, n, task_id=task)]})

    results = await asyncio.gather(
        store.append(bound(1, "t1")),
        store.append(bound(2, "t1")),
        store.append(bound(3, "t3")),
        store.append(append(1, expected=1)),
        return_exceptions=True,
    )

    assert [type(result) for result in results] == [type(None), Refused, type(None), type(None)]
    assert list(await store.read("run_002")) == []
    assert await store.job("job_002") is None
    assert len(await store.read("run_001")) == 2
    assert len(await store.read("run_003")) == 1


async def test_a_task_id_may_occur_once_in_each_connection(
    store: SqliteStore, append: MakeAppend, job_row: MakeJob
) -> None:
    jobs = [job_row(1, task_id="t"), job_row(2, task_id="t", connection="perfect")]

    await store.append(append(parts={"jobs": jobs}))

    with pytest.raises(Refused, match="task id"):
        await store.append(append(expected=1, parts={"jobs": [job_row(3, task_id="t")]}))


async def test_an_idempotency_key_names_one_run(store: SqliteStore, append: MakeAppend) -> None:
    key = IdempotencyKey(key="k", body_digest="b")
    await store.append(append(1, parts={"idempotency": key}))

    with pytest.raises(Refused, match="idempotency key"):
        await store.append(append(2, parts={"idempotency": key}))
    assert await store.run_of_key("k") == ("run_001", key)
    assert await store.run_of_key("other") is None
    assert await store.run("run_002") is None


async def test_a_definition_is_kept_once(store: SqliteStore, append: MakeAppend) -> None:
    parts = {"definition": ("d1", "portrait", "steps: …")}

    await asyncio.gather(*(store.append(append(n, parts=parts)) for n in (1, 2)))

    assert await store.definition("d1") == "steps: …"
    assert await store.definition("d2") is None


async def test_a_number_never_goes_back(store: SqliteStore, append: MakeAppend) -> None:
    await store.append(append(1, parts={"numbers": [("perfect", 7)]}))
    await store.append(append(2, parts={"numbers": [("perfect", 3), ("other", 1)]}))

    assert await store.number("perfect") == 7
    assert await store.number("other") == 1
    assert await store.number("unknown") is None


async def test_an_event_that_is_no_json_fails_only_its_own_append(
    store: SqliteStore, append: MakeAppend
) -> None:
    bad = append(1, events=[RunSucceeded(at=1, outputs={"x": object()})])

    results = await asyncio.gather(store.append(bad), store.append(append(2)), return_exceptions=True)

    assert isinstance(results[0], TypeError)
    assert results[1] is None


# --- the sequence over all streams -------------------------------------------------------------


async def tailed(store: Log, **arguments: object) -> list[tuple[str, int]]:
    events: Sequence[Recorded] = await store.tail(**{"after": 0, **arguments})  # type: ignore[arg-type]
    return [(event.stream, event.version) for event in events]


async def test_the_tail_goes_over_all_streams_in_order(store: SqliteStore, append: MakeAppend) -> None:
    await store.append(append(1))
    await store.append(append(2, count=2))
    await store.append(append(1, expected=1))

    everything = await store.tail(after=0)
    assert [(e.stream, e.version) for e in everything] == [
        ("run_001", 1),
        ("run_002", 1),
        ("run_002", 2),
        ("run_001", 2),
    ]
    sequences = [e.seq for e in everything]
    assert sequences == sorted(set(sequences))
    assert sequences[-1] == await store.last_sequence()
    assert await store.tail(after=sequences[1]) == everything[2:]


async def test_the_tail_can_be_narrowed(
    store: SqliteStore, append: MakeAppend, progressed: Callable[[str, int], Event]
) -> None:
    events = [RunStarted(at=1), progressed("job_001", 2), RunSucceeded(at=3, outputs={})]
    await store.append(append(1, events=events))
    await store.append(append(2))

    assert await tailed(store, types=["job.*"]) == [("run_001", 2)]
    assert await tailed(store, types=["run.*"]) == [("run_001", 1), ("run_001", 3), ("run_002", 1)]
    assert await tailed(store, types=["run.succeeded", "job.*"]) == [("run_001", 2), ("run_001", 3)]
    assert await tailed(store, types=["run.*"], limit=2) == [("run_001", 1), ("run_001", 3)]
    assert await tailed(store, types=["nothing.like.it"]) == []
    assert await tailed(store, stream="run_001", types=["run.*"]) == [("run_001", 1), ("run_001", 3)]
    assert await tailed(store, stream="run_002") == [("run_002", 1)]
    assert await tailed(store, since=2) == [("run_001", 2), ("run_001", 3)]
    assert await tailed(store, since=2, types=["run.*"]) == [("run_001", 3)]
    assert await tailed(store, since=3, stream="run_001") == [("run_001", 3)]
    assert await tailed(store, limit=1) == [("run_001", 1)]


async def test_a_reader_misses_nothing_while_many_write(store: SqliteStore, append: MakeAppend) -> None:
    async def write(n: int) -> None:
        for expected in range(0, 20, 2):
            await store.append(append(n, expected=expected, count=2))

    async def follow() -> list[Recorded]:
        seen: list[Recorded] = []
        while len(seen) < 20 * 20:
            after = seen[-1].seq if seen else 0
            news = await store.tail(after=after, limit=7)
            seen += news
            if not news:
                await store.wait(after, 5)
        return seen

    following = asyncio.create_task(follow())
    await asyncio.gather(*(write(n) for n in range(20)))
    seen = await following

    assert [event.seq for event in seen] == sorted({event.seq for event in seen})
    assert len({(event.stream, event.version) for event in seen}) == 400


async def test_waiting_ends_with_the_next_event_or_the_time(store: SqliteStore, append: MakeAppend) -> None:
    loop = asyncio.get_running_loop()
    start = loop.time()
    waiting = asyncio.create_task(store.wait(0, 30))

    await store.append(append())
    await waiting
    await store.wait(0, 30)
    await store.wait(await store.last_sequence(), 0.01)

    assert loop.time() - start < 5


async def test_what_a_cancelled_waiter_handed_in_harms_nobody(store: SqliteStore, append: MakeAppend) -> None:
    task = asyncio.create_task(store.append(append(1)))
    await asyncio.sleep(0)
    task.cancel()

    await store.append(append(2))

    assert len(await store.read("run_002")) == 1


@pytest.mark.parametrize("hours", [0, 1, 7, 30, 49, 99])
async def test_what_happened_since_is_told_however_long_the_log(
    store: SqliteStore, append: Callable[..., Append], hours: int
) -> None:
    hour = 3_600_000_000
    moments = [n * hour // 2 for n in range(100)]
    moments[61] -= hour  # A clock was set back.
    await store.append(append(1, events=[RunStarted(at=at) for at in moments]))

    found = await store.tail(after=0, since=hours * hour)

    assert [one.at for one in found] == [at for at in moments if at >= hours * hour]
    assert await store.tail(after=0, since=hours * hour, types=["run.*"]) == found
