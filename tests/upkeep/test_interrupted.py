"""What a start finds in the middle of something."""

from collections.abc import Callable
from typing import Any

from orchestrator.store.sqlite import SqliteStore
from orchestrator.upkeep.interrupted import at_providers


def test_runs_that_a_provider_works_for_are_found_alone(house: Callable[..., Any], a_run: Any) -> None:
    here = house()

    async def live(store: SqliteStore) -> None:
        await a_run(store, 1)
        await a_run(store, 2, ends=False)

    here.within(live)

    assert at_providers(here.settings.store_path) == [f"run_{2:026}"]


def test_where_there_is_no_store_nothing_was_interrupted(house: Callable[..., Any]) -> None:
    assert at_providers(house().settings.store_path) == []
