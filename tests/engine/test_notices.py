"""Who is told of a run's end, and when again."""

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from orchestrator.definition.workflow import EndStatus, Notify
from orchestrator.engine import triggers as t
from orchestrator.engine.fold import fold
from orchestrator.engine.notices import DELAYS_S, next_due
from orchestrator.engine.state import Notice
from orchestrator.store.projection import run_row
from orchestrator.times import SECOND

Ended = Callable[..., Any]


@pytest.fixture
def ended(kit: SimpleNamespace) -> Ended:
    """Return a world whose run was cancelled, with notices at *targets*."""

    def make(*targets: Notify) -> Any:
        plan = kit.plan(kit.step("draw", "hint"))
        world = kit.World(replace(plan, workflow=replace(plan.workflow, notify=targets)))
        world.start()
        world.send(t.CancelAsked)
        return world

    return make


def the_notice(world: Any) -> Notice:
    [notice] = world.run.notices.values()
    assert isinstance(notice, Notice)
    return notice


def test_a_notice_is_due_with_the_end_that_it_is_for(ended: Ended) -> None:
    succeeded: frozenset[EndStatus] = frozenset({"succeeded"})
    world = ended(Notify(url="https://a.example"), Notify(url="https://b.example", statuses=succeeded))

    notice = the_notice(world)

    assert (notice.url, notice.secret, notice.due_at) == ("https://a.example", "notify", world.now)
    assert run_row(world.run).wake_at == world.now


def test_a_notice_that_was_taken_wakes_nobody_any_more(ended: Ended) -> None:
    world = ended(Notify(url="https://a.example"))

    world.send(t.Told, notice=the_notice(world).id, status=200)

    assert the_notice(world).delivered_at == world.now
    assert run_row(world.run).wake_at is None


def test_attempts_grow_rarer_over_about_a_day_and_then_end(ended: Ended) -> None:
    world = ended(Notify(url="https://a.example"))
    began, pauses = world.now, []
    while (due_at := the_notice(world).due_at) is not None:
        pauses.append((due_at - world.now) / SECOND)
        world.now = due_at
        world.send(t.Told, notice=the_notice(world).id, status=500, error="it was answered with 500")

    assert len(pauses) == len(DELAYS_S) + 1
    assert all(0.8 * delay <= pause <= 1.2 * delay for delay, pause in zip(DELAYS_S, pauses[1:], strict=True))
    assert 18 * 3600 < (world.now - began) / SECOND < 30 * 3600
    assert the_notice(world).error == "it was answered with 500"


def test_what_the_receiver_asks_for_is_kept(ended: Ended) -> None:
    world = ended(Notify(url="https://a.example"), Notify(url="https://b.example"))
    busy, gone = world.run.notices

    world.send(t.Told, notice=busy, status=429, error="busy", retry_after_s=900.0)
    world.send(t.Told, notice=gone, status=410, error="gone")

    assert world.run.notices[busy].due_at == world.now + 900 * SECOND
    assert world.run.notices[gone].due_at is None


def test_a_late_answer_changes_nothing(ended: Ended) -> None:
    world = ended(Notify(url="https://a.example"))
    world.send(t.Told, notice=the_notice(world).id, status=200)

    late = world.send(t.Told, notice=the_notice(world).id, status=500, error="late")
    unknown = world.send(t.Told, notice="ntc_1", status=200)

    assert late.events == unknown.events == []


def test_a_retried_run_forgets_the_end_that_was_none(ended: Ended) -> None:
    world = ended(Notify(url="https://a.example"))
    before = the_notice(world)
    world.send(t.RetryAsked)

    open_row = run_row(world.run)
    world.send(t.CancelAsked)

    assert open_row.wake_at is not None
    assert open_row.wake_at > world.now
    assert the_notice(world).id != before.id


def test_a_person_has_everybody_told_once_more_under_the_same_id(ended: Ended) -> None:
    world = ended(Notify(url="https://a.example"))
    before = the_notice(world)
    world.send(t.Told, notice=before.id, status=200)

    world.send(t.TellAgain, comment="they lost it")

    assert (the_notice(world).id, the_notice(world).attempts) == (before.id, 0)
    assert next_due(world.run.notices) == world.now
    assert fold(world.events) == world.run
