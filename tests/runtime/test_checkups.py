"""Free requests to every simulated provider: what they tell of credentials and balances."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from orchestrator.artifacts.folder import Folder
from orchestrator.clock import SECOND, SystemClock
from orchestrator.providers.base import Connector
from orchestrator.providers.registry import KINDS
from orchestrator.runtime.checkups import Checkup, Checkups, free_operation
from orchestrator.runtime.exchange import Exchanger
from orchestrator.runtime.images import Images
from orchestrator.runtime.limits import Limits
from orchestrator.runtime.transport import Transport
from orchestrator.simulators.server import SIMULATORS, Options, Running, start
from orchestrator.tokens import Keyring

FREE = {
    "pizi": "list_models",
    "pixza": "get_credits",
    "trypi": "list_avatars",
    "perfect": None,
    "pixu": None,
}


@pytest.fixture
async def simulated() -> AsyncIterator[Running]:
    running = await start(Options(kinds=tuple(SIMULATORS), credits=70))
    yield running
    await running.stop()


@pytest.fixture
async def checkups(tmp_path: Path) -> AsyncIterator[Callable[..., Awaitable[tuple[Checkups, Limits]]]]:
    """Make checkups of one connection, described by its settings."""
    async with AsyncExitStack() as stack:

        async def make(kind: str, **settings: Any) -> tuple[Checkups, Limits]:
            connector = connected(kind, **settings)
            limits = Limits({kind: connector}, SystemClock())
            transport = await stack.enter_async_context(Transport({kind: connector.settings.base_url}))
            exchanger = Exchanger(
                transport,
                {kind: connector},
                images=Images(transport, Folder(tmp_path / "artifacts")),
                gate=limits,
                clock=SystemClock(),
                keyring=Keyring(["k" * 32]),
                public_url=None,
                on_credits=limits.pauses.saw_credits,
            )
            return Checkups(exchanger, {kind: connector}, limits.pauses), limits

        yield make


def connected(kind: str, **settings: Any) -> Connector:
    known = KINDS[kind]
    connector: Connector = known.connect(known.settings.model_validate({"kind": kind, **settings}))
    return connector


@pytest.mark.parametrize("kind", sorted(FREE))
async def test_what_is_asked_costs_nothing(simulated: Running, kind: str) -> None:
    found = free_operation(connected(kind, **simulated.client_settings(kind)))

    assert (found[0].name if found else None) == FREE[kind]


@pytest.mark.parametrize(
    ("kind", "message", "credits"),
    [
        ("pizi", "list_models was answered", 70),
        ("pixza", "get_credits was answered", 70),
        ("perfect", "the login was answered", None),
    ],
)
async def test_good_credentials_are_told(
    simulated: Running, checkups: Any, kind: str, message: str, credits: float | None
) -> None:
    made, limits = await checkups(kind, **simulated.client_settings(kind))

    told = await made.check(kind)

    assert (told.ok, told.message, told.credits) == (True, message, credits)
    assert limits.pauses.credits(kind) == credits
    assert simulated.books(kind).tasks == {}


@pytest.mark.parametrize("kind", ["pizi", "pixza", "perfect"])
async def test_refused_credentials_are_told(simulated: Running, checkups: Any, kind: str) -> None:
    wrong = {"client_id": "nobody"} if kind == "perfect" else {"api_key": "wrong-key-of-somebody"}
    made, _ = await checkups(kind, **simulated.client_settings(kind) | wrong)

    told = await made.check(kind)

    assert told.ok is False
    assert told.message.startswith("the credentials are refused")


async def test_where_everything_costs_nothing_is_asked(simulated: Running, checkups: Any) -> None:
    made, _ = await checkups("pixu", **simulated.client_settings("pixu"))

    told = await made.check("pixu")

    assert told == Checkup(None, "pixu has no request that costs nothing")


async def test_a_provider_that_is_not_there_is_told(checkups: Any) -> None:
    made, _ = await checkups("pizi", base_url="http://127.0.0.1:1", api_key="k")

    told = await made.check("pizi")

    assert told == Checkup(False, "no answer: no connection could be made (host 127.0.0.1)")


async def test_accepted_credentials_end_the_pause_for_refused_ones(simulated: Running, checkups: Any) -> None:
    made, limits = await checkups("pizi", **simulated.client_settings("pizi"))
    until = SystemClock().now() + 60 * SECOND
    limits.refused("pizi", {"class": "unauthorized", "message": "no"}, until)

    await made.check("pizi")

    assert limits.pauses.of("pizi") is None
