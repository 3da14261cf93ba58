"""
How far triggers have got that go by what happens here: in memory, and in the store across restarts.

A trigger that was not there before begins where it is first seen, so that nothing of the past
starts anything; one that is there no more is forgotten, and would begin anew.
"""

from collections.abc import Collection, Mapping

from orchestrator.store.schedule import Schedule


class Positions:
    """The positions of all triggers of one *kind*; their names begin with it."""

    def __init__(self, store: Schedule, kind: str) -> None:
        self._store, self._kind = store, f"{kind}/"
        self._known: dict[str, int] = {}

    async def load(self) -> None:
        """Read what an earlier process has left."""
        stored = await self._store.positions()
        self._known = {name: at for name, at in stored.items() if name.startswith(self._kind)}

    async def keep(self, names: Collection[str], now: int) -> None:
        """Let the triggers be those of *names*, new ones beginning at *now*."""
        new = {name: now for name in names if name not in self._known}
        gone = [name for name in self._known if name not in names]
        if new or gone:
            await self._write(new, gone)

    async def move(self, moved: Mapping[str, int]) -> None:
        """Keep that triggers have got so far."""
        changed = {name: at for name, at in moved.items() if self._known.get(name) != at}
        if changed:
            await self._write(changed, [])

    def __getitem__(self, name: str) -> int:
        return self._known[name]

    def __len__(self) -> int:
        return len(self._known)

    async def _write(self, moved: dict[str, int], gone: list[str]) -> None:
        await self._store.put_positions(moved, gone)
        self._known.update(moved)
        for name in gone:
            del self._known[name]
