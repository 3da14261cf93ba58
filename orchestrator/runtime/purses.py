"""
The budgets of connections: which jobs may begin to spend of them, and who of those that wait is next.

A job for which not enough is left stands in line: a row that says how many credits it asks for, and
that wakes with the end of its run only. Nobody asks for it meanwhile. As soon as there is more (a job
cost less than was reserved, or ended without a cost; a period begins; the settings allow more since a
start) what is left is promised to those in line, as far as it goes, and they are due. So what is done
goes by what is left, not by how many wait.

What is kept here is only what is about to be written down in the next moment. A reservation is made by
the append that claims the submit, which makes sure in any case.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from orchestrator.clock import SECOND, Clock
from orchestrator.durations import seconds
from orchestrator.engine import holds
from orchestrator.providers.base import Budget, Connector
from orchestrator.runtime.pauses import Pauses
from orchestrator.store.rows import Lap, Purse
from orchestrator.store.schedule import BEGINNING, Schedule

DUST = 1e-6
"""Sums of credits are not exact; less than this is nothing."""


@dataclass(slots=True)
class _Line:
    """Those who wait for a budget: whose turns are over. *passed*: see `Promised`, since the period began."""

    budget: Budget
    claimed: dict[str, float] = field(default_factory=dict)
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    period: int = 0
    lap: Lap = BEGINNING
    passed: int | None = None

    def begin(self, period: int) -> None:
        """Let who was passed by go first, where another period has begun: nobody is too dear then."""
        if period != self.period:
            if self.passed is not None:
                self.lap = Lap(self.passed - 1, max(self.lap.last, self.passed))
            self.period, self.passed = period, None


class Purses:
    """The budgets of all connections that have one. `begin` once, before anything is asked."""

    def __init__(
        self, connectors: Mapping[str, Connector], store: Schedule, pauses: Pauses, clock: Clock
    ) -> None:
        self._store, self._pauses, self._clock = store, pauses, clock
        self._connections = list(connectors)
        self._lines = {
            name: _Line(connector.settings.budget)
            for name, connector in connectors.items()
            if connector.settings.budget is not None
        }

    async def begin(self) -> None:
        """Take up what an earlier process left: who waits for more than there can ever be asks anew."""
        for name in self._connections:
            line = self._lines.get(name)
            above = 0.0 if line is None else line.budget.credits
            await self._store.ask_anew(name, above, self._clock.now())

    async def claim(self, connection: str, job: str, price: float | None) -> bool:
        """Return whether *job* may begin to spend *price*; then it is held until `let_go`."""
        line = self._lines.get(connection)
        if line is None or not price:
            return True
        async with line.turn:
            purse, until = self._purse(connection, line)
            taken = await self._store.spoken_for(purse, job)
            if taken + price <= line.budget.credits + DUST:
                line.claimed[job] = price
                return True
        self._pauses.budget_reached(connection, line.budget.credits, taken, until)
        return False

    def let_go(self, connection: str, job: str) -> None:
        """What *job* may spend is written down, or it spends nothing now."""
        line = self._lines.get(connection)
        if line is not None:
            line.claimed.pop(job, None)

    async def share(self, connection: str) -> int | None:
        """
        Promise what is left to those in line for the connection's budget, and let them be due.

        Returns when to look again, microseconds, if nothing is given back before; None: nobody waits.
        """
        line = self._lines.get(connection)
        cheapest = None if line is None else await self._store.cheapest_in_line(connection)
        if line is None or cheapest is None:
            return None
        purse, until = self._purse(connection, line)
        if await self._store.spoken_for(purse, "") + cheapest > line.budget.credits + DUST:
            return until
        now = self._clock.now()
        promised = await self._store.promise(purse, now, line.lap)
        line.lap = promised.lap
        line.passed = promised.passed if line.passed is None else line.passed
        return now

    def _purse(self, connection: str, line: _Line) -> tuple[Purse, int]:
        """Return the budget as it is now, and when its period ends."""
        now, period_s = self._clock.now(), seconds(line.budget.per)
        start = holds.period_start(period_s, now)
        line.begin(start)
        resource = holds.budget(connection, period_s, now)
        purse = Purse(connection, resource, line.budget.credits, dict(line.claimed))
        return purse, start + round(period_s * SECOND)
