"""
How much of a provider may be used at a time: rate limits and slots.

Three questions are answered here, per connection:

free     How many more tasks may be started now? Bounded by `max_in_flight` and, where a
         provider demands heartbeats, by how many tasks its rate limit can keep alive:
         floor(R·P/60) with R requests a minute and a heartbeat every P seconds.
room     How many of those may start without asking `enter`, in the same append that
         creates them? None where a rate limit, a pause or a queue must be respected.
enter    When may the next request leave? Heartbeats first, then submits, then checks.
         Priority is no reservation: a call that is no heartbeat leaves only if the
         window has room for it and for the heartbeats that the tasks in flight need
         until the window ends.

What is in flight is rows in the store; the counts here only mirror them. Who is paused, and
why, stands in `pauses`.
"""

import asyncio
import heapq
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from math import ceil, floor
from typing import Any
from urllib.parse import urlsplit

from orchestrator.clock import SECOND, Clock, rfc3339
from orchestrator.definition.workflow import CORE
from orchestrator.providers.base import Connector, Waiting
from orchestrator.providers.rates import parse
from orchestrator.runtime.pauses import Pauses

UNLIMITED = 1_000_000
"""More than will ever be asked for at a time."""


class Lane(IntEnum):
    """What a request is for; a lower one goes first."""

    HEARTBEAT = 0
    SUBMIT = 1
    CHECK = 2


@dataclass(slots=True)
class Window:
    """At most *limit* requests in any *period*, microseconds."""

    limit: int
    period: int
    sent: deque[int] = field(default_factory=deque)

    def delay(self, now: int, reserve: int) -> int:
        """Return how long until one more may be sent with *reserve* kept free, in microseconds; 0 for now."""
        while self.sent and self.sent[0] <= now - self.period:
            self.sent.popleft()
        # Never so much that nothing else could ever be sent: a tenth, and one at the least, always may.
        spare = max(self.limit - reserve, self.limit // 10, 1)
        if len(self.sent) < spare:
            return 0
        return self.sent[len(self.sent) - spare] + self.period - now


@dataclass(slots=True)
class _Account:
    """What is known of one connection. *heartbeat_s*: a task dies without one; 0 where none is needed."""

    connector: Connector
    windows: list[Window]
    heartbeat_s: float
    task_s: float
    in_flight: int = 0
    claimed: int = 0
    backlog: bool = True
    waiters: list[tuple[Lane, int, asyncio.Future[None]]] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    pump: asyncio.Task[None] | None = None


class Limits:
    """The limits of all connections. *pauses* says which of them submit nothing."""

    def __init__(self, connectors: Mapping[str, Connector], clock: Clock) -> None:
        self._clock = clock
        self._tickets = 0
        shared: dict[tuple[str, str], Window] = {}
        self._accounts = {name: _account(c, shared) for name, c in connectors.items()}
        self.pauses = Pauses(connectors, clock)

    # --- slots ---

    def room(self) -> dict[str, int]:
        """Return per connection how many submits may start without asking anybody else."""
        return {
            name: self.free(name)
            for name, account in self._accounts.items()
            if not account.windows
            and not account.backlog
            and account.connector.settings.budget is None
            and self.pauses.of(name) is None
        }

    def free(self, connection: str) -> int:
        """Return how many more tasks may be started now; of a paused connection at most one, to try."""
        account = self._accounts[connection]
        admitted = self.pauses.admits(connection)
        if admitted == 0:
            return 0
        most = min(account.connector.settings.max_in_flight or UNLIMITED, _kept_alive(account))
        free = max(most - account.in_flight - account.claimed, 0)
        return free if admitted is None else min(free, admitted)

    def slot(self, connection: str, change: int) -> None:
        """A job took a slot of the connection (+1) or gave it back (-1)."""
        account = self._accounts[connection]
        account.in_flight += change
        if change < 0:
            account.arrived.set()

    def claim(self, claims: Mapping[str, int]) -> None:
        """Hold slots for an append that is under way, so that no other decision counts on them."""
        for connection, count in claims.items():
            self._accounts[connection].claimed += count
            self.pauses.let_through(connection)

    def unclaim(self, claims: Mapping[str, int]) -> None:
        """The append is on disk, or has failed: what it took is counted by `slot`."""
        for connection, count in claims.items():
            account = self._accounts[connection]
            account.claimed -= count
            # Whoever waits for a turn may have it now: less is kept for heartbeats.
            account.arrived.set()

    def queue(self, connection: str, waits: bool) -> None:
        """Say whether created jobs wait for the connection: then new ones must not overtake them."""
        self._accounts[connection].backlog = waits

    def is_waited_for(self, connection: str) -> bool:
        """Return whether created jobs may be waiting for a slot or a turn of the connection."""
        account = self._accounts[connection]
        return account.backlog or bool(account.windows)

    def counter_of(self, connection: str) -> str:
        """Return the name of the persisted counter that the connection's request numbers come from."""
        return f"numbers/{connection}"

    # --- pauses ---

    def refused(self, connection: str, error: Mapping[str, Any], until: int) -> None:
        """A submit was refused for now; where that concerns every submit, the connection pauses."""
        if self.pauses.refused(connection, error, until):
            # Those that wait from now on must not be overtaken when it is over.
            self._accounts[connection].backlog = True

    def is_stopped(self, connection: str, since: int) -> bool:
        """Return whether a pause began after *since*: what was prepared until then must not be submitted."""
        pause = self.pauses.of(connection)
        return pause is not None and pause.since > since

    def overview(self) -> list[dict[str, Any]]:
        """Return every connection as the API shows it."""
        return [self._overview(name, account) for name, account in self._accounts.items() if name != CORE]

    def _overview(self, name: str, account: _Account) -> dict[str, Any]:
        pause = self.pauses.of(name)
        return {
            "name": name,
            "kind": account.connector.kind,
            "status": "active" if pause is None else "paused",
            "reason": None if pause is None else pause.reason or "a person asked for it",
            "paused_until": None if pause is None else rfc3339(pause.until),
            "credits": self.pauses.credits(name),
            "in_flight": account.in_flight,
            "limits": list(account.connector.settings.rate_limits),
        }

    # --- requests ---

    async def enter(self, connection: str, lane: Lane) -> None:
        """Return when the next request of *lane* may be sent, and count it."""
        account = self._accounts[connection]
        if not account.windows:
            return
        self._tickets += 1
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(account.waiters, (lane, self._tickets, turn))
        account.arrived.set()
        if account.pump is None:
            account.pump = asyncio.get_running_loop().create_task(self._pump(account))
        await turn

    async def _pump(self, account: _Account) -> None:
        """Let the waiters in, the most urgent first, for as long as there are any."""
        while account.waiters:
            lane, _, turn = account.waiters[0]
            if turn.done():
                heapq.heappop(account.waiters)
                continue
            delay = self._delay(account, lane)
            if delay == 0:
                heapq.heappop(account.waiters)
                for window in account.windows:
                    window.sent.append(self._clock.now())
                turn.set_result(None)
                continue
            account.arrived.clear()
            # Somebody more urgent may arrive meanwhile, or a task may end.
            try:
                async with asyncio.timeout(delay / SECOND):
                    await account.arrived.wait()
            except TimeoutError:
                pass
        account.pump = None

    def _delay(self, account: _Account, lane: Lane) -> int:
        now = self._clock.now()
        running = account.in_flight + account.claimed
        return max(w.delay(now, _reserve(account, w, running, lane)) for w in account.windows)


def _reserve(account: _Account, window: Window, running: int, lane: Lane) -> int:
    """Return how many requests of *window* must be kept for the heartbeats of the tasks in flight."""
    if lane is Lane.HEARTBEAT or not account.heartbeat_s:
        return 0
    span_s = min(window.period / SECOND, account.task_s)
    return running * ceil(span_s / account.heartbeat_s)


def _kept_alive(account: _Account) -> int:
    """Return how many tasks the rate limits can keep alive at a time; at least one."""
    if not account.heartbeat_s or not account.windows:
        return UNLIMITED
    rates = [window.limit / (window.period / SECOND) for window in account.windows]
    return max(floor(min(rates) * account.heartbeat_s), 1)


def _account(connector: Connector, shared: dict[tuple[str, str], Window]) -> _Account:
    windows = []
    for text in connector.settings.rate_limits:
        rate = parse(text)
        window = Window(rate.limit, int(rate.period_s * SECOND))
        if rate.is_of_host:
            host = urlsplit(connector.settings.base_url).hostname or ""
            window = shared.setdefault((host, text), window)
        windows.append(window)
    beating = [o for o in connector.operations.values() if o.waiting is Waiting.HEARTBEAT]
    return _Account(
        connector=connector,
        windows=windows,
        heartbeat_s=min((o.poll_s or 7.0 for o in beating), default=0.0),
        task_s=max((o.timeout_s or 0.0 for o in beating), default=0.0),
    )
