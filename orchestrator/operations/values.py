"""
Large values: on disk before the log mentions them, and in memory again when something depends on them.

Each is the artifact that its digest names. Only so many bytes are in memory at a time; the oldest are let
go, and come again when they are needed.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

import orjson

from orchestrator.artifacts.folder import CorruptArtifact
from orchestrator.engine.large import LargeValue, NotLoaded, opened
from orchestrator.errors import NotFound

MEMORY_BYTES = 32 << 20
"""So much of their JSON is in memory at the most; what is being worked with may be more."""

T = TypeVar("T")


class Place(Protocol):
    """Where artifacts are; the folder."""

    async def put(self, data: bytes) -> str: ...

    async def read(self, digest: str, *, verify: bool = False) -> bytes: ...


class Values:
    """Keeps large values and gives them."""

    def __init__(self, place: Place, *, memory_bytes: int = MEMORY_BYTES) -> None:
        self._place, self._memory_bytes = place, memory_bytes
        self._loaded: OrderedDict[int, LargeValue] = OrderedDict()

    async def keep(self, values: Sequence[LargeValue]) -> None:
        """Write *values*; they are on disk when this returns. Errors: StoreUnavailable."""
        await asyncio.gather(*(self._place.put(orjson.dumps(value.value)) for value in values))
        self._remember(values)

    async def load(self, values: Sequence[LargeValue]) -> None:
        """
        Let each of *values* be in memory, or know why it cannot be had; `forgive` it that afterwards.

        Errors:  StoreUnavailable when the disk cannot be read just now.
        """
        while missing := [value for value in values if not value.is_known]:
            # Others may be let go meanwhile, and what they are let go for may be these.
            await asyncio.gather(*(self._read(value) for value in missing))
        self._remember(values)

    async def during(self, work: Callable[[], T]) -> T:
        """
        Return what *work* does, once the values that it reads are in memory; it may be called repeatedly.

        Errors:  StoreUnavailable, and whatever *work* raises.
        """
        needed: list[LargeValue] = []
        try:
            while True:
                await self.load(needed)
                try:
                    return work()
                except NotLoaded as missing:
                    needed += missing.values
        finally:
            self.forgive(needed)

    async def of(self, value: Any) -> Any:
        """Return *value* itself where it is a large one. Errors: Unavailable, StoreUnavailable."""
        return await self.during(lambda: opened(value))

    def forgive(self, values: Sequence[LargeValue]) -> None:
        """Let what could not be had be looked for again when it is needed again."""
        for value in values:
            if value.problem is not None:
                value.forget()

    async def _read(self, value: LargeValue) -> None:
        try:
            value.give(orjson.loads(await self._place.read(value.digest, verify=True)))
        except NotFound:
            value.refuse(f"its artifact {value.digest} is not held any more")
        except CorruptArtifact:
            value.refuse(f"its artifact {value.digest} is damaged")

    def _remember(self, values: Sequence[LargeValue]) -> None:
        """Note that *values* are in memory, and let go of older ones."""
        wanted = {id(value): value for value in values if value.problem is None}
        for key in wanted:
            self._loaded.pop(key, None)
        left = self._memory_bytes - sum(value.size for value in wanted.values())
        for key, value in reversed(list(self._loaded.items())):
            left -= value.size
            if left < 0:
                del self._loaded[key]
                value.forget()
        self._loaded |= wanted
