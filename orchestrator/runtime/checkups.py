"""
Asks a provider something that costs nothing: are the credentials accepted, what is the balance?

The question is an operation that the connector offers anyway: the balance where there is one, else a
list that needs no parameters. Where there is none, logging in is the question; and where nobody logs
in either, only a request that is paid for would tell.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import structlog
from pydantic import ValidationError

from orchestrator.errors import StoreUnavailable
from orchestrator.outcomes import Done, Failed, Rejected, SubmitOutcome, Unauthorized
from orchestrator.providers.base import Connector, Exchange, Operation, Request, Submit, Waiting
from orchestrator.runtime.exchange import Exchanger
from orchestrator.runtime.limits import Lane
from orchestrator.runtime.pauses import Pauses
from orchestrator.runtime.transport import Lost, NotSent

log = structlog.get_logger()

_FIRST = ("get_credits", "list_models")
"""Asked rather than any other list."""

TICK_S = 0.5
SOON_S, LATEST_S = 1.0, 60.0
"""How soon a connection that is out of credits is asked for its balance, and how often at the least."""


@dataclass(frozen=True, slots=True)
class Checkup:
    """
    What a free request told.

    *ok* None: nothing was asked, because there is nothing that costs nothing.
    *credits*: the balance, where the answer showed it.
    """

    ok: bool | None
    message: str
    credits: float | None = None


def free_operation(connector: Connector) -> tuple[Operation, Any] | None:
    """Return an operation that costs and changes nothing, and its parameters; None where there is none."""
    lists = sorted(name for name in connector.operations if name.startswith("list_"))
    for name in (*_FIRST, *lists):
        operation = connector.operations.get(name)
        if operation is None or operation.spends or operation.waiting is not Waiting.NONE:
            continue
        try:
            return operation, operation.params.model_validate({})
        except ValidationError:
            continue
    return None


def logs_in(connector: Connector) -> bool:
    """Return whether the connector gets an access token before anything else."""
    login = connector.login(0, lambda public_key, text: b"")
    if login is not None:
        login.close()
    return login is not None


class Checkups:
    """Checks connections when somebody asks, and those that wait for credits by itself."""

    def __init__(self, exchanger: Exchanger, connectors: Mapping[str, Connector], pauses: Pauses) -> None:
        self._exchanger, self._connectors, self._pauses = exchanger, connectors, pauses

    async def check(self, connection: str) -> Checkup:
        """Ask the provider, and let what it says count. Errors: StoreUnavailable."""
        connector = self._connectors[connection]
        free = free_operation(connector)
        if free is None and not logs_in(connector):
            return Checkup(None, f"{connector.kind} has no request that costs nothing")
        try:
            outcome = await self._exchanger.run(
                connection, lambda: _nothing() if free is None else _ask(*free), lane=Lane.CHECK
            )
        except (NotSent, Lost) as error:
            return Checkup(False, f"no answer: {error.reason}")
        return self._told(connection, "the login" if free is None else free[0].name, outcome)

    def _told(self, connection: str, asked: str, outcome: SubmitOutcome) -> Checkup:
        match outcome:
            case Done():
                self._pauses.credentials_held(connection)
                return Checkup(True, f"{asked} was answered", self._pauses.credits(connection))
            case Unauthorized(failure):
                return Checkup(False, f"the credentials are refused: {failure.message}")
            case Failed(failure) | Rejected(failure):
                return Checkup(False, f"{asked} was refused: {failure.message}")
            case _:
                return Checkup(False, f"{asked} got an answer that cannot be understood")

    async def run(self) -> None:
        """Ask those that are out of credits for their balance, ever more rarely, until cancelled."""
        rests: dict[str, float] = {}
        left: dict[str, float] = {}
        while True:
            await asyncio.sleep(TICK_S)
            short = self._pauses.out_of_credits()
            left = {name: left.get(name, SOON_S) - TICK_S for name in short}
            rests = {name: rests.get(name, SOON_S) for name in short}
            for name in short:
                if left[name] <= 0:
                    await self._look(name)
                    rests[name] = left[name] = min(rests[name] * 2, LATEST_S)

    async def _look(self, connection: str) -> None:
        try:
            found = await self.check(connection)
        except StoreUnavailable as trouble:
            log.warning("store.unavailable", reason=str(trouble))
            return
        if not found.ok:
            log.info("check.failed", connection=connection, reason=found.message)


def _ask(operation: Operation, params: Any) -> Exchange[SubmitOutcome]:
    """Make the exchange that does the whole operation: nothing is paid, so it may be repeated."""
    request = yield from operation.submit(params, Submit(job=""))
    if not isinstance(request, Request):
        return request
    reply = yield request
    return operation.read(params, reply)


def _nothing() -> Exchange[SubmitOutcome]:
    """Make an exchange that asks nothing: to drive it, one has to log in."""
    yield from ()
    return Done(output={})
