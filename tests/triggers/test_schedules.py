"""One run for each instant of a schedule, whatever happens to the server in between."""

from typing import Any

import orjson
import pytest

from orchestrator.definition.workflow import ScheduleTrigger
from orchestrator.times import SECOND

DAILY = ScheduleTrigger(cron="0 3 * * *")
MAKING_UP = ScheduleTrigger(cron="0 3 * * *", missed="run_once")


async def instants(life: Any) -> list[str]:
    """Return the instants of all runs, oldest first."""
    return [(await life.runs.get(row.id)).trigger["at"].removesuffix(".000000Z") for row in await life.rows()]


async def test_a_run_begins_at_its_instant_and_says_why(world: Any) -> None:
    world.shelf.put(world.workflow("report", schedules=[DAILY]))
    async with world.live() as life:
        world.at("2026-11-21T02:59:59.9Z")
        assert 0 < await life.schedules.round() < 0.2
        assert await life.rows() == []

        world.at("2026-11-21T03:00:00Z")
        await life.schedules.round()

        (row,) = await life.rows()
        assert (row.workflow, orjson.loads(row.labels)) == ("report", {"trigger": "schedule"})
        assert (await life.runs.get(row.id)).trigger == {
            "kind": "schedule",
            "cron": "0 3 * * *",
            "timezone": "UTC",
            "at": "2026-11-21T03:00:00.000000Z",
        }


async def test_an_instant_starts_one_run_however_often_it_is_looked_at(world: Any) -> None:
    world.shelf.put(world.workflow("report", schedules=[DAILY]))
    async with world.live() as life:
        world.at("2026-11-21T03:00:00Z")
        for _ in range(3):
            await life.schedules.round()
        world.at("2026-11-21T03:00:30Z")
        await life.schedules.round()
    async with world.live() as life:
        await life.schedules.round()

        assert await instants(life) == ["2026-11-21T03:00:00"]


async def test_a_crash_between_run_and_position_starts_no_second_run(world: Any) -> None:
    world.shelf.put(world.workflow("report", schedules=[MAKING_UP]))
    async with world.live() as life:
        before = await life.store.positions()
        world.at("2026-11-21T03:00:00Z")
        await life.schedules.round()
        await life.store.put_positions(before)
    async with world.live() as life:
        await life.schedules.round()

        assert await instants(life) == ["2026-11-21T03:00:00"]


async def test_a_schedule_begins_when_it_is_first_seen(world: Any) -> None:
    world.at("2026-11-21T03:00:01Z")
    world.shelf.put(world.workflow("report", schedules=[MAKING_UP]))
    async with world.live() as life:
        await life.schedules.round()

        assert await life.rows() == []


@pytest.mark.parametrize(
    ("schedule", "made_up"),
    [(DAILY, []), (MAKING_UP, ["2026-11-24T03:00:00"])],
)
async def test_what_passed_while_no_server_ran_is_skipped_or_made_up_for_once(
    world: Any, schedule: ScheduleTrigger, made_up: list[str]
) -> None:
    world.shelf.put(world.workflow("report", schedules=[schedule]))
    async with world.live():
        pass
    world.at("2026-11-24T18:00:00Z")
    async with world.live() as life:
        await life.schedules.round()
        assert await instants(life) == made_up

        world.at("2026-11-25T03:00:00Z")
        await life.schedules.round()
        assert await instants(life) == [*made_up, "2026-11-25T03:00:00"]


async def test_an_instant_within_a_restart_is_not_missed(world: Any) -> None:
    world.shelf.put(world.workflow("report", schedules=[DAILY]))
    async with world.live():
        pass
    world.at("2026-11-21T03:00:45Z")
    async with world.live() as life:
        await life.schedules.round()

        assert await instants(life) == ["2026-11-21T03:00:00"]


async def test_schedules_come_and_go_with_the_files(world: Any) -> None:
    other = ScheduleTrigger(cron="30 3 * * *", missed="run_once")
    world.shelf.put(world.workflow("report", schedules=[MAKING_UP]))
    async with world.live() as life:
        world.at("2026-11-21T02:00:00Z")
        world.shelf.put(world.workflow("report", schedules=[MAKING_UP, other]))
        await life.schedules.round()
        world.at("2026-11-21T03:10:00Z")
        world.shelf.put(world.workflow("report", schedules=[other]))
        await life.schedules.round()
        world.at("2026-11-21T03:30:00Z")
        await life.schedules.round()
        world.shelf.put()
        await life.schedules.round()
        assert await life.store.positions() == {}
        world.at("2026-11-22T12:00:00Z")
        world.shelf.put(world.workflow("report", schedules=[MAKING_UP, other]))
        await life.schedules.round()

        assert await instants(life) == ["2026-11-21T03:30:00"]


async def test_two_time_zones_have_their_own_instants(world: Any) -> None:
    zones = [ScheduleTrigger(cron="0 3 * * *", timezone=zone) for zone in ("UTC", "Europe/Berlin")]
    world.shelf.put(world.workflow("report", schedules=zones))
    async with world.live() as life:
        for at in ("2026-11-21T02:00:00Z", "2026-11-21T03:00:00Z"):
            world.at(at)
            await life.schedules.round()

        assert await instants(life) == ["2026-11-21T02:00:00", "2026-11-21T03:00:00"]


async def test_a_day_on_which_the_clocks_change_has_each_instant_once(world: Any) -> None:
    world.at("2026-10-24T12:00:00Z")
    schedule = ScheduleTrigger(cron="30 2 * * *", timezone="Europe/Berlin")
    world.shelf.put(world.workflow("report", schedules=[schedule]))
    async with world.live() as life:
        for _ in range(80):
            world.clock.at += 30 * 60 * SECOND
            await life.schedules.round()

        assert await instants(life) == ["2026-10-25T00:30:00", "2026-10-26T01:30:00"]


async def test_a_clock_that_is_put_back_starts_nothing_twice(world: Any) -> None:
    world.shelf.put(world.workflow("report", schedules=[MAKING_UP]))
    async with world.live() as life:
        for at in ("2026-11-21T03:00:00Z", "2026-11-21T02:59:00Z", "2026-11-21T03:00:10Z"):
            world.at(at)
            await life.schedules.round()

        assert await instants(life) == ["2026-11-21T03:00:00"]


async def test_a_run_that_cannot_be_started_keeps_no_other_from_its_instant(world: Any) -> None:
    needy = world.workflow("a-needy", {"title": {"type": "string"}}, schedules=[DAILY])
    world.shelf.put(needy, world.workflow("report", schedules=[DAILY]))
    async with world.live() as life:
        world.at("2026-11-21T03:00:00Z")
        await life.schedules.round()

        assert [row.workflow for row in await life.rows()] == ["report"]
