"""How much of the budgets of connections is used: for people, who want to know why a job waits."""

from collections.abc import Mapping
from typing import Any, Protocol

from orchestrator.clock import SECOND, Clock, rfc3339
from orchestrator.durations import seconds
from orchestrator.engine import holds
from orchestrator.providers.base import Connector


class Held(Protocol):
    """Whoever knows how much of what runs share is taken; the store."""

    async def held(self, resource: str) -> float: ...


class Budgets:
    """The budgets of all connections, in the period that it is now."""

    def __init__(self, connectors: Mapping[str, Connector], held: Held, clock: Clock) -> None:
        self._connectors, self._held, self._clock = connectors, held, clock

    async def of(self, connection: str) -> dict[str, Any] | None:
        """
        Return the budget of a connection as the API shows it, None where it has none.

        Shape:   {"credits", "per", "used", "until"}: *used* is what was spent or is reserved in the
                 period that ends at *until*.
        """
        budget = self._connectors[connection].settings.budget
        if budget is None:
            return None
        now, period_s = self._clock.now(), seconds(budget.per)
        until = holds.period_start(period_s, now) + round(period_s * SECOND)
        used = await self._held.held(holds.budget(connection, period_s, now))
        return {"credits": budget.credits, "per": budget.per, "used": used, "until": rfc3339(until)}

    def most(self, connection: str) -> float | None:
        """Return the credits that a whole period has, None where there is no budget."""
        connector = self._connectors.get(connection)
        budget = connector.settings.budget if connector is not None else None
        return budget.credits if budget is not None else None
