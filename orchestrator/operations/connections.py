"""Look at connections, check, pause and resume them: what a person asks for, checked before it is done."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

from orchestrator.clock import SECOND, Clock, from_rfc3339
from orchestrator.durations import LONGEST_S
from orchestrator.errors import InputProblem, InvalidInput, NotFound, WrongState

Object = dict[str, Any]


class Keeper(Protocol):
    """Whoever pauses and resumes, durably; the runtime's ledger. Errors: StoreUnavailable."""

    async def pause(self, connection: str, reason: str | None, until: int | None) -> None: ...

    async def resume(self, connection: str, reason: str) -> None: ...


class Told(Protocol):
    """What a free request to a provider told; *ok* None: there is none."""

    @property
    def ok(self) -> bool | None: ...

    @property
    def message(self) -> str: ...


class Connections:
    """
    What can be done with connections.

    *overview* gives every connection as the API shows it, but for its *budget*; *check* asks a
    provider something free.
    """

    def __init__(
        self,
        overview: Callable[[], Sequence[Object]],
        keeper: Keeper,
        check: Callable[[str], Awaitable[Told]],
        budget: Callable[[str], Awaitable[Object | None]],
        clock: Clock,
    ) -> None:
        self._overview, self._keeper, self._check = overview, keeper, check
        self._budget, self._clock = budget, clock

    async def all(self) -> Sequence[Object]:
        """Return every connection as the API shows it."""
        return [await self._whole(each) for each in self._overview()]

    async def _whole(self, connection: Object) -> Object:
        return connection | {"budget": await self._budget(connection["name"])}

    def _get(self, connection: str) -> Object:
        """Return one connection. Errors: NotFound, naming those there are."""
        found = {each["name"]: each for each in self._overview()}
        if connection not in found:
            known = ", ".join(found) or "none"
            raise NotFound(f"no connection '{connection}' (there are: {known})")
        return found[connection]

    async def pause(self, connection: str, reason: str | None = None, until: str | None = None) -> Object:
        """
        Submit nothing from now on; heartbeats, checks and collects go on.

        Shape:   *until* is an RFC 3339 time; without it, until somebody resumes. One that is paused
                 already is paused for this reason and time instead.
        Errors:  NotFound; InvalidInput for a time that is none or is over.
        """
        self._get(connection)
        await self._keeper.pause(connection, reason or None, self._moment(until))
        return await self._whole(self._get(connection))

    async def resume(self, connection: str) -> Object:
        """Submit again, whatever the pause was for. Errors: NotFound; WrongState when it is not paused."""
        if self._get(connection)["status"] != "paused":
            raise WrongState(f"{connection} is not paused")
        await self._keeper.resume(connection, "a person asked for it")
        return await self._whole(self._get(connection))

    async def check(self, connection: str) -> Object:
        """Ask the provider something that costs nothing; return the connection and what was told."""
        self._get(connection)
        told = await self._check(connection)
        shown = await self._whole(self._get(connection))
        return shown | {"check": {"ok": told.ok, "message": told.message}}

    def _moment(self, text: str | None) -> int | None:
        if text is None:
            return None
        try:
            until = from_rfc3339(text)
        except ValueError as error:
            raise InvalidInput([InputProblem("until", str(error))]) from None
        if until <= self._clock.now():
            raise InvalidInput([InputProblem("until", f"{text} is not in the future")])
        if until > self._clock.now() + int(LONGEST_S * SECOND):
            message = f"{text} is more than ten years away; leave it out to pause until somebody resumes"
            raise InvalidInput([InputProblem("until", message)])
        return until
