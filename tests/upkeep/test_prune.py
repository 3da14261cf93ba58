"""What is removed while no server runs."""

from collections.abc import Callable
from typing import Any

from orchestrator.clock import SystemClock
from orchestrator.engine import holds
from orchestrator.store.sqlite import SqliteStore
from orchestrator.times import SECOND
from orchestrator.upkeep.prune import prune

DAY_S = 86_400.0


def test_what_was_spent_in_a_period_that_is_over_is_forgotten_by_what_the_settings_say(
    house: Callable[..., Any], begun: Callable[..., Any]
) -> None:
    tables = {"pizi": {"api_key": "x", "budget": {"credits": 5, "per": "1d"}}, "trypi": {"budget": "much"}}
    here, clock = house(providers=tables), SystemClock()
    now, day = clock.now(), int(DAY_S * SECOND)
    names = [holds.budget(name, DAY_S, now - ago * day) for name in ("pizi", "trypi") for ago in (0, 2)]

    async def spend(store: SqliteStore) -> None:
        await store.append(begun(holds=[holds.Hold(name, "job_1", 1) for name in names]))

    async def left(store: SqliteStore) -> set[str]:
        return set(await store.budgets())

    here.within(spend)
    prune(here.settings, clock, older_than=None, dry=False)

    assert here.within(left) == {names[0], *names[2:]}
