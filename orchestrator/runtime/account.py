"""One connection's credentials at run time: the access token is got once, for all who wait for it."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from orchestrator.clock import SECOND, Clock
from orchestrator.durations import seconds
from orchestrator.errors import Failure, OrchestratorError
from orchestrator.providers.base import Connector, Login

_EARLY_S = 60.0
"""A token is renewed this long before its end, so that it does not end on the way."""


class LoginRefused(OrchestratorError):
    """The credentials were refused; *failure* says how."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


@dataclass(frozen=True, slots=True, eq=False)
class Access:
    """The headers that open the API, and until when, in microseconds since the epoch; None = for ever."""

    headers: Mapping[str, str]
    until: int | None = None


class Account:
    """What the exchanger knows about one connection. Tokens live in memory only."""

    def __init__(self, name: str, connector: Connector, clock: Clock) -> None:
        self.name = name
        self.connector = connector
        self.base_url = connector.settings.base_url.rstrip("/")
        self.request_timeout_s = seconds(connector.settings.request_timeout)
        self._clock = clock
        login = connector.login(clock.now() // 1000, lambda public_key, text: b"")
        self.logs_in = login is not None
        if login is not None:
            login.close()
        self.anonymous = Access(connector.headers(None))
        self._access = None if self.logs_in else self.anonymous
        self._coming: asyncio.Task[Access] | None = None

    async def access(self, log_in: Callable[["Account"], Awaitable[Login]]) -> Access:
        """
        Return valid credentials, by *log_in* where there are none.

        Whoever asks while a login is under way waits for that one, and shares its end.
        Errors:  what *log_in* raises.
        """
        access = self._access
        if access is not None and (access.until is None or self._clock.now() < access.until):
            return access
        if self._coming is None:
            self._coming = asyncio.create_task(self._renew(log_in))
            self._coming.add_done_callback(self._arrived)
        # Shielded: one who gives up does not take the login away from the others.
        return await asyncio.shield(self._coming)

    def forget(self, refused: Access) -> bool:
        """Drop *refused*, unless it has been renewed already; return whether a new login may help."""
        if self._access is refused and self.logs_in:
            self._access = None
        return self.logs_in

    async def _renew(self, log_in: Callable[["Account"], Awaitable[Login]]) -> Access:
        login = await log_in(self)
        lasts_s = login.valid_s - min(_EARLY_S, login.valid_s / 10)
        until = self._clock.now() + int(lasts_s * SECOND)
        self._access = Access(self.connector.headers(login.token), until)
        return self._access

    def _arrived(self, task: "asyncio.Task[Access]") -> None:
        self._coming = None
        # Looked at here, in case that nobody waits any more.
        if not task.cancelled():
            task.exception()
