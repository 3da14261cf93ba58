"""Rate limits outlive the process: what may leave is on disk before it does."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from itertools import pairwise

import pytest

from orchestrator.clock import SECOND, SystemClock
from orchestrator.errors import StoreUnavailable
from orchestrator.providers import perfect, pizi
from orchestrator.providers.base import Connector
from orchestrator.runtime.allowances import Allowances
from orchestrator.runtime.line import Lane
from orchestrator.runtime.turnstile import Turnstile
from orchestrator.runtime.windows import Window
from orchestrator.store.windows import WindowRow

SECRET = "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQ=="


class StillClock(SystemClock):
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.at = 1_000_000 * SECOND

    def now(self) -> int:
        return self.at


class Disk:
    """Keeps rows as the store does, and can stand still or refuse."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, int, int], WindowRow] = {}
        self.writes = 0
        self.turning = asyncio.Event()
        self.turning.set()
        self.full = False

    async def put_windows(self, rows: Sequence[WindowRow]) -> None:
        await self.turning.wait()
        if self.full:
            raise StoreUnavailable("the disk is full")
        self.writes += 1
        self.rows.update({(row.scope, row.requests, row.period): row for row in rows})

    async def windows(self) -> Sequence[WindowRow]:
        return list(self.rows.values())


class Life:
    """One process, from its start until it is killed. Each connection has one task in flight."""

    def __init__(self, disk: Disk, clock: StillClock, connectors: dict[str, Connector]) -> None:
        self.turnstile = Turnstile(clock)
        self.waiting: list[asyncio.Task[None]] = []
        for name, connector in connectors.items():
            # Whoever waits for a turn to submit holds a slot as well.
            self.turnstile.add(name, connector, lambda: 1 + sum(not task.done() for task in self.waiting))
        self.allowances = Allowances(disk, self.turnstile, clock)

    @property
    def window(self) -> Window:
        return self.turnstile.windows()[0]

    async def leave(self, count: int, connection: str = "a", lane: Lane = Lane.SUBMIT) -> int:
        """Return how many of *count* requests could leave at once."""
        asked = [asyncio.create_task(self.turnstile.enter(connection, lane)) for _ in range(count)]
        if not asked:
            return 0
        self.waiting = asked if lane is Lane.SUBMIT else []
        await _calm(asked)
        waiting = [task for task in asked if not task.done()]
        for task in waiting:
            task.cancel()
        await asyncio.wait(asked)
        return count - len(waiting)


async def _calm(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Return when none of *tasks* has ended for many turns of the loop: nothing here takes time."""
    done, quiet = 0, 0
    while quiet < 100:
        await asyncio.sleep(0)
        before, done = done, sum(task.done() for task in tasks)
        quiet = quiet + 1 if done == before else 0


@asynccontextmanager
async def life(disk: Disk, clock: StillClock, *rate_limits: str, kind: str = "pizi") -> AsyncIterator[Life]:
    """Run a process; it is killed at the end of the block."""
    one = Life(disk, clock, {"a": connector(kind, rate_limits)})
    await one.allowances.load()
    task = asyncio.create_task(one.allowances.run())
    try:
        yield one
    finally:
        task.cancel()
        await asyncio.wait([task])


def connector(kind: str, rate_limits: Iterable[str]) -> Connector:
    if kind == "pizi":
        settings = {"kind": "pizi", "api_key": "k", "rate_limits": list(rate_limits)}
        return pizi.connect(pizi.PiziSettings.model_validate(settings))
    at = {"base_url": "http://127.0.0.1:1", "client_id": "i", "client_secret": SECRET}
    settings = {"kind": "perfect", **at, "rate_limits": list(rate_limits)}
    return perfect.connect(perfect.PerfectSettings.model_validate(settings))


@pytest.fixture
def disk() -> Disk:
    return Disk()


@pytest.fixture
def clock() -> StillClock:
    return StillClock()


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("limit", [1, 3, 10, 20, 47])
async def test_no_limit_is_exceeded_however_often_the_process_is_killed(
    disk: Disk, clock: StillClock, seed: int, limit: int
) -> None:
    dice = random.Random(seed)
    sent: list[int] = []

    for _ in range(6):
        async with life(disk, clock, f"{limit}/10s") as process:
            for _ in range(dice.randrange(4)):
                sent += [clock.at] * await process.leave(dice.randrange(limit + 2))
                clock.at += dice.randrange(6 * SECOND)

    assert sent, "something has to leave"
    assert all(later - early >= 10 * SECOND for early, later in zip(sent, sent[limit:], strict=False))


async def test_what_was_left_of_a_block_when_the_process_was_killed_is_lost_and_no_more(
    disk: Disk, clock: StillClock
) -> None:
    async with life(disk, clock, "100/10s") as process:
        assert await process.leave(3) == 3

    async with life(disk, clock, "100/10s") as process:
        assert await process.leave(100) == 90
        clock.at += 11 * SECOND
        process.turnstile.stir_all()
        assert await process.leave(100) == 100


async def test_after_an_orderly_stop_nothing_is_lost(disk: Disk, clock: StillClock) -> None:
    async with life(disk, clock, "100/10s") as process:
        assert await process.leave(7) == 7
        await process.allowances.flush()

    async with life(disk, clock, "100/10s") as process:
        assert await process.leave(100) == 93


async def test_a_limit_that_was_changed_knows_what_was_sent_under_the_old_one(
    disk: Disk, clock: StillClock
) -> None:
    async with life(disk, clock, "100/5m", "50/10s") as process:
        assert await process.leave(30) == 30
        await process.allowances.flush()

    async with life(disk, clock, "40/20s") as process:
        assert await process.leave(40) == 10


async def test_a_block_is_written_for_many_requests_and_without_any_nothing_is(
    disk: Disk, clock: StillClock
) -> None:
    async with life(disk, clock, "100/10s") as process:
        assert disk.writes == 0, "nobody has asked yet"
        assert await process.leave(100) == 100
        assert 10 <= disk.writes <= 21

    before = disk.writes
    async with life(disk, clock) as process:
        await process.leave(100)
        await process.allowances.flush()
    assert disk.writes == before


async def test_a_request_waits_for_the_disk_and_a_heartbeat_does_not(disk: Disk, clock: StillClock) -> None:
    async with life(disk, clock, "100/5m", kind="perfect") as process:
        disk.turning.clear()
        submitted = await process.leave(20)
        beats = await process.leave(5, lane=Lane.HEARTBEAT)

        assert submitted == process.window.block - process.window.block // 4, (
            "the last ones are for heartbeats"
        )
        assert beats == 5
        disk.turning.set()
        assert await process.leave(1) == 1

    [row] = disk.rows.values()
    assert sum(count for _, count in row.sent) + row.ahead >= submitted + beats + 1


async def test_a_disk_that_refuses_is_asked_again(
    disk: Disk, clock: StillClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator.runtime.allowances.RETRY_S", 0.01)
    async with life(disk, clock, "10/10s") as process:
        disk.full = True
        assert await process.leave(5) == 0
        disk.full = False
        await asyncio.sleep(0.05)

        assert await process.leave(5) == 5


def test_the_record_of_a_large_limit_stays_small() -> None:
    window = Window(100_000, 3600 * SECOND)
    for n in range(100_000):
        window.count(n)

    record = window.record(100_000)

    assert len(record) == 10
    assert sum(count for _, count in record) == 100_000
    assert all(early < late for (early, _), (late, _) in pairwise(record))
