"""Why a connection submits nothing, until when, and what ends it; and that a restart knows it still."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from orchestrator.clock import SECOND, SystemClock
from orchestrator.errors import StoreUnavailable
from orchestrator.runtime.ledger import Ledger
from orchestrator.runtime.pauses import PROBE_S, Pauses
from orchestrator.store.connections import ConnectionRow
from orchestrator.store.sqlite import SqliteStore

PROBE = int(PROBE_S * SECOND)


class StillClock(SystemClock):
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.at = 1_000_000 * SECOND

    def now(self) -> int:
        return self.at


@pytest.fixture
def clock() -> StillClock:
    return StillClock()


@pytest.fixture
def pauses(clock: StillClock) -> Pauses:
    return Pauses(["pizi", "acme"], clock)


@pytest.fixture
def refuse(pauses: Pauses, clock: StillClock) -> Callable[..., bool]:
    def refuse(cls: str, *, for_s: int = 5) -> bool:
        return pauses.refused("pizi", {"class": cls, "message": "no"}, clock.now() + for_s * SECOND)

    return refuse


def told(pauses: Pauses) -> list[str]:
    """Return the types of what is to be written, and let it count as written."""
    return [event.type.removeprefix("connection.") for event in pauses.take("pizi")]


# --- what pauses ------------------------------------------------------------------------------


@pytest.mark.parametrize("cls", ["unauthorized", "insufficient_credits", "rate_limited"])
def test_a_refusal_that_concerns_every_submit_stops_them(
    pauses: Pauses, refuse: Callable[..., bool], cls: str
) -> None:
    assert refuse(cls)

    assert pauses.admits("pizi") == 0
    assert pauses.admits("acme") is None
    assert told(pauses) == ["paused"]


@pytest.mark.parametrize("cls", ["network", "provider_error", "invalid_request"])
def test_a_refusal_of_one_job_stops_no_other(pauses: Pauses, refuse: Callable[..., bool], cls: str) -> None:
    assert not refuse(cls)

    assert pauses.admits("pizi") is None
    assert told(pauses) == []


def test_the_same_refusal_again_is_no_news_but_lasts_longer(
    pauses: Pauses, refuse: Callable[..., bool], clock: StillClock
) -> None:
    refuse("rate_limited", for_s=5)
    refuse("rate_limited", for_s=9)
    refuse("rate_limited", for_s=2)

    assert told(pauses) == ["paused"]
    clock.at += 8 * SECOND
    assert pauses.admits("pizi") == 0


def test_too_many_requests_do_not_shorten_a_pause_for_want_of_credits(
    pauses: Pauses, refuse: Callable[..., bool], clock: StillClock
) -> None:
    refuse("insufficient_credits")
    refuse("rate_limited", for_s=1)
    clock.at += 2 * SECOND

    pause = pauses.of("pizi")

    assert pause is not None
    assert pause.cause == "insufficient_credits"


# --- what ends it -----------------------------------------------------------------------------


def test_too_many_requests_are_over_when_their_time_is(
    pauses: Pauses, refuse: Callable[..., bool], clock: StillClock
) -> None:
    refuse("rate_limited", for_s=5)
    clock.at += 5 * SECOND

    assert pauses.admits("pizi") is None
    assert told(pauses) == ["paused", "resumed"]


@pytest.mark.parametrize("cls", ["unauthorized", "insufficient_credits"])
def test_one_job_is_let_through_every_five_minutes(
    pauses: Pauses, refuse: Callable[..., bool], clock: StillClock, cls: str
) -> None:
    refuse(cls)
    seen = []
    for _ in range(3):
        clock.at += PROBE
        seen.append(pauses.admits("pizi"))
        pauses.let_through("pizi")
        seen.append(pauses.admits("pizi"))

    assert seen == [1, 0, 1, 0, 1, 0]


@pytest.mark.parametrize("cls", ["unauthorized", "insufficient_credits"])
def test_all_go_on_once_the_one_that_was_let_through_is_accepted(
    pauses: Pauses, refuse: Callable[..., bool], clock: StillClock, cls: str
) -> None:
    refuse(cls)
    clock.at += PROBE
    pauses.let_through("pizi")

    pauses.accepted("pizi", spent=True)

    assert pauses.admits("pizi") is None
    assert told(pauses) == ["paused", "resumed"]


def test_a_submit_that_was_under_way_before_proves_nothing(
    pauses: Pauses, refuse: Callable[..., bool]
) -> None:
    refuse("insufficient_credits")

    pauses.accepted("pizi", spent=True)

    assert pauses.admits("pizi") == 0


def test_a_request_that_costs_nothing_proves_credentials_but_no_credits(
    pauses: Pauses, refuse: Callable[..., bool], clock: StillClock
) -> None:
    refuse("insufficient_credits")
    clock.at += PROBE
    pauses.let_through("pizi")

    pauses.accepted("pizi", spent=False)

    assert pauses.admits("pizi") == 1


def test_one_that_was_let_through_and_lost_its_way_makes_room_for_another(
    pauses: Pauses, refuse: Callable[..., bool], clock: StillClock
) -> None:
    refuse("insufficient_credits")
    clock.at += PROBE
    pauses.let_through("pizi")
    refuse("network", for_s=2)
    assert pauses.admits("pizi") == 0

    clock.at += 2 * SECOND

    assert pauses.admits("pizi") == 1


def test_accepted_credentials_end_a_pause_for_theirs_only(
    pauses: Pauses, refuse: Callable[..., bool]
) -> None:
    refuse("insufficient_credits")
    pauses.credentials_held("pizi")
    assert pauses.admits("pizi") == 0

    refuse("unauthorized")
    pauses.credentials_held("pizi")
    assert pauses.admits("pizi") is None


# --- credits ----------------------------------------------------------------------------------


def test_a_balance_ends_a_pause_for_want_of_credits_at_once(
    pauses: Pauses, refuse: Callable[..., bool]
) -> None:
    resumed = []
    pauses.on_resume = lambda connection: resumed.append(True)
    refuse("insufficient_credits")
    pauses.saw_credits("pizi", 0)
    assert pauses.admits("pizi") == 0

    pauses.saw_credits("pizi", 12)

    assert pauses.admits("pizi") is None
    assert resumed == [True]


def test_a_balance_that_did_not_suffice_does_not_suffice_when_seen_again(
    pauses: Pauses, refuse: Callable[..., bool]
) -> None:
    pauses.saw_credits("pizi", 2)
    refuse("insufficient_credits")

    pauses.saw_credits("pizi", 2)
    assert pauses.admits("pizi") == 0

    pauses.saw_credits("pizi", 3)
    assert pauses.admits("pizi") is None


def test_a_balance_seen_long_ago_is_not_what_did_not_suffice(
    pauses: Pauses, refuse: Callable[..., bool], clock: StillClock
) -> None:
    pauses.saw_credits("pizi", 500)
    clock.at += 2 * PROBE
    refuse("insufficient_credits")

    pauses.saw_credits("pizi", 40)

    assert pauses.admits("pizi") is None


def test_a_balance_ends_no_other_pause(pauses: Pauses, refuse: Callable[..., bool]) -> None:
    refuse("rate_limited")

    pauses.saw_credits("pizi", 100)

    assert pauses.admits("pizi") == 0


def test_only_a_change_of_the_balance_is_told(pauses: Pauses) -> None:
    pauses.saw_credits("pizi", 5)
    assert told(pauses) == ["credits_changed"]

    pauses.saw_credits("pizi", 5)
    assert told(pauses) == []


def test_of_balances_that_change_in_a_moment_the_last_one_is_told(pauses: Pauses) -> None:
    pauses.saw_credits("pizi", 9)
    pauses.take("pizi")
    for credits in (8, 7, 6):
        pauses.saw_credits("pizi", credits)

    events: list[Any] = pauses.take("pizi")

    assert [(event.before, event.credits) for event in events] == [(9, 6)]


# --- what a person does, and what a restart knows ---------------------------------------------


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    store = await SqliteStore.open(tmp_path / "orchestrator.db", clock=SystemClock())
    yield store
    await store.close()


@pytest.fixture
def ledger(store: SqliteStore, pauses: Pauses, clock: StillClock) -> Ledger:
    return Ledger(store, pauses, clock)


async def reborn(store: SqliteStore, clock: StillClock) -> Pauses:
    """Return what the next process knows."""
    pauses = Pauses(["pizi", "acme"], clock)
    await Ledger(store, pauses, clock).load()
    return pauses


async def test_a_person_pauses_until_a_person_resumes(
    ledger: Ledger, pauses: Pauses, clock: StillClock, store: SqliteStore
) -> None:
    await ledger.pause("pizi", "holidays", None)
    clock.at += 1_000 * PROBE
    assert pauses.admits("pizi") == 0
    assert (await reborn(store, clock)).admits("pizi") == 0

    await ledger.resume("pizi", "back again")

    assert pauses.admits("pizi") is None
    assert (await reborn(store, clock)).admits("pizi") is None
    types = [record.type for record in await store.read("connections/pizi")]
    assert types == ["connection.paused", "connection.resumed"]


async def test_a_person_may_say_until_when(ledger: Ledger, pauses: Pauses, clock: StillClock) -> None:
    await ledger.pause("pizi", None, clock.now() + 60 * SECOND)
    clock.at += 59 * SECOND
    assert pauses.admits("pizi") == 0

    clock.at += SECOND

    assert pauses.admits("pizi") is None


async def test_nothing_the_provider_says_ends_or_replaces_the_pause_of_a_person(
    ledger: Ledger, pauses: Pauses, refuse: Callable[..., bool], clock: StillClock
) -> None:
    await ledger.pause("pizi", "holidays", None)
    refuse("rate_limited")
    pauses.saw_credits("pizi", 100)
    pauses.accepted("pizi", spent=True)
    pauses.credentials_held("pizi")
    clock.at += PROBE

    pause = pauses.of("pizi")

    assert pause is not None
    assert (pause.by, pause.reason) == ("person", "holidays")


async def test_a_restart_knows_a_pause_and_the_balance_that_did_not_suffice(
    ledger: Ledger, pauses: Pauses, refuse: Callable[..., bool], store: SqliteStore, clock: StillClock
) -> None:
    pauses.saw_credits("pizi", 2)
    refuse("insufficient_credits")
    await ledger.flush()

    after = await reborn(store, clock)

    assert after.admits("pizi") == 0
    assert after.credits("pizi") == 2
    after.saw_credits("pizi", 2)
    assert after.admits("pizi") == 0
    clock.at += PROBE
    assert after.admits("pizi") == 1


async def test_after_a_restart_refused_credentials_are_tried_at_once(
    ledger: Ledger, refuse: Callable[..., bool], store: SqliteStore, clock: StillClock
) -> None:
    refuse("unauthorized")
    await ledger.flush()

    assert (await reborn(store, clock)).admits("pizi") == 1


async def test_a_connection_that_is_not_configured_any_more_is_left_alone(
    ledger: Ledger, store: SqliteStore
) -> None:
    gone = ConnectionRow(name="gone", paused_by="person", paused_at=1)
    await store.put_connection(gone)

    await ledger.load()

    assert await store.connections() == [gone]


async def test_what_cannot_be_written_is_kept_and_told_in_order(
    ledger: Ledger, pauses: Pauses, refuse: Callable[..., bool], store: SqliteStore, tmp_path: Path
) -> None:
    refuse("rate_limited")
    await store.close()
    await ledger.flush()
    with pytest.raises(StoreUnavailable):
        await ledger.pause("pizi", None, None)
    pauses.saw_credits("pizi", 3)

    assert pauses.dirty() == ["pizi"]
    assert told(pauses) == ["paused", "credits_changed"]
    pause = pauses.of("pizi")
    assert pause is not None
    assert pause.by == "system"
