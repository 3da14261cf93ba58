"""
How much of a provider may be used at a time: rate limits and slots.

Three questions are answered here, per connection:

free     How many more tasks may be started now? Bounded by `max_in_flight` and, where a
         provider demands heartbeats, by how many tasks its rate limit can keep alive:
         floor(R·P/60) with R requests a minute and a heartbeat every P seconds.
room     How many of those may start without asking `enter`, in the same append that
         creates them? None where a rate limit, a pause or a queue must be respected.
enter    When may the next request leave? See `turnstile`.

What is in flight is rows in the store; the counts here only mirror them. Who is paused, and
why, stands in `pauses`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from orchestrator.clock import Clock, rfc3339
from orchestrator.definition.workflow import CORE
from orchestrator.providers.base import Connector
from orchestrator.runtime.holders import holder
from orchestrator.runtime.line import Lane as Lane
from orchestrator.runtime.pauses import Pauses
from orchestrator.runtime.turnstile import Turnstile

UNLIMITED = 1_000_000
"""More than will ever be asked for at a time."""


@dataclass(slots=True)
class _Account:
    """What is in flight at one connection. *claimed*: what is about to be."""

    connector: Connector
    holder: str
    in_flight: int = 0
    claimed: int = 0
    backlog: bool = True

    def running(self) -> int:
        return self.in_flight + self.claimed


class Limits:
    """The limits of all connections. *pauses* says which of them submit nothing."""

    def __init__(self, connectors: Mapping[str, Connector], clock: Clock) -> None:
        self._accounts = {
            name: _Account(connector, holder(name, connector)) for name, connector in connectors.items()
        }
        self.turnstile = Turnstile(clock)
        for name, account in self._accounts.items():
            self.turnstile.add(name, account.connector, account.running)
        self.pauses = Pauses(connectors, clock)
        self.shortage: str | None = None

    # --- the disk ---

    def stop_for(self, shortage: str | None) -> None:
        """Let no submit start because of *shortage*, a sentence; None: it is over."""
        self.shortage = shortage
        for account in self._accounts.values():
            # Those that wait from now on must not be overtaken when it is over.
            account.backlog = account.backlog or shortage is not None

    # --- slots ---

    def room(self) -> dict[str, int]:
        """Return per connection how many submits may start without asking anybody else."""
        if self.shortage is not None:
            return {}
        return {
            name: self.free(name)
            for name, account in self._accounts.items()
            if not self.turnstile.is_limited(name)
            and not account.backlog
            and account.connector.settings.budget is None
            and self.pauses.of(name) is None
        }

    def free(self, connection: str) -> int:
        """Return how many more tasks may be started now; of a paused connection at most one, to try."""
        account = self._accounts[connection]
        admitted = self.pauses.admits(connection)
        if admitted == 0 or self.shortage is not None:
            return 0
        most = account.connector.settings.max_in_flight or UNLIMITED
        kept_alive = self.turnstile.kept_alive(connection)
        most = most if kept_alive is None else min(most, kept_alive)
        free = max(most - account.running(), 0)
        return free if admitted is None else min(free, admitted)

    def obstacle(self, connection: str) -> Literal["connection", "disk", "pause", "slot"] | None:
        """Return what keeps jobs of the connection from being submitted just now."""
        if connection not in self._accounts:
            return "connection"
        if self.shortage is not None:
            return "disk"
        if self.pauses.of(connection) is not None:
            return "pause"
        return None if self.free(connection) > 0 else "slot"

    def slot(self, connection: str, change: int) -> None:
        """A job took a slot of the connection (+1) or gave it back (-1)."""
        if connection not in self._accounts:
            return  # It is not configured any more; nothing can be submitted to it.
        self._accounts[connection].in_flight += change
        if change < 0:
            self.turnstile.stir(connection)

    def claim(self, claims: Mapping[str, int]) -> None:
        """Hold slots for an append that is under way, so that no other decision counts on them."""
        for connection, count in claims.items():
            self._accounts[connection].claimed += count
            self.pauses.let_through(connection)

    def unclaim(self, claims: Mapping[str, int]) -> None:
        """The append is on disk, or has failed: what it took is counted by `slot`."""
        for connection, count in claims.items():
            self._accounts[connection].claimed -= count
            # Whoever waits for a turn may have it now: less is kept for heartbeats.
            self.turnstile.stir(connection)

    def queue(self, connection: str, waits: bool) -> None:
        """Say whether created jobs wait for the connection: then new ones must not overtake them."""
        self._accounts[connection].backlog = waits

    def is_waited_for(self, connection: str) -> bool:
        """Return whether created jobs may be waiting for a slot or a turn of the connection."""
        if connection not in self._accounts:
            return False
        return self._accounts[connection].backlog or self.turnstile.is_limited(connection)

    def counters_of(self, connection: str) -> tuple[str, str]:
        """
        Return the names under which the counter of the connection's request numbers is persisted.

        The first is that of its credentials, which other connections may have too; the second is its
        own, which stays when the credentials are renewed.
        """
        return f"numbers/{self._accounts[connection].holder}", f"numbers/{connection}"

    # --- pauses ---

    def refused(self, connection: str, error: Mapping[str, Any], until: int) -> None:
        """A submit was refused for now; where that concerns every submit, the connection pauses."""
        # Our own requests go to many hosts: that one of them wants us to wait says nothing of the others.
        if connection != CORE and self.pauses.refused(connection, error, until):
            # Those that wait from now on must not be overtaken when it is over.
            self._accounts[connection].backlog = True

    def is_stopped(self, connection: str, since: int) -> bool:
        """Return whether submits were stopped after *since*: what was prepared must not be submitted."""
        pause = self.pauses.of(connection)
        return self.shortage is not None or (pause is not None and pause.since > since)

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

    async def enter(self, connection: str, lane: Lane, run: str = "") -> None:
        """Return when the next request of *lane* for *run* may be sent, and count it."""
        await self.turnstile.enter(connection, lane, run)
