"""What was sent within rate limits is kept."""

import asyncio

from orchestrator.store.sqlite import SqliteStore
from orchestrator.store.windows import WindowRow


async def test_the_last_that_was_written_of_each_window_is_kept(store: SqliteStore) -> None:
    first = WindowRow(scope="a", requests=10, period=5, sent=[(1, 2)], ahead=1, written_at=3)
    other = WindowRow(scope="host h", requests=1, period=5, sent=[], ahead=0, written_at=3)
    later = WindowRow(scope="a", requests=10, period=5, sent=[(1, 2), (9, 1)], ahead=0, written_at=9)

    await asyncio.gather(store.put_windows([first, other]), store.put_windows([later]))

    assert await store.windows() == [later, other]
