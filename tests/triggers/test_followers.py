"""A run that follows the end of another: once for each end that counts, and never for ever."""

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from orchestrator.definition.workflow import EndStatus, RunTrigger
from orchestrator.runtime import followers
from orchestrator.runtime.followers import DEPTH_MAX

ANY: frozenset[EndStatus] = frozenset({"succeeded", "failed", "cancelled"})


@pytest.fixture
def on_cancelled() -> RunTrigger:
    """Follow `shoot`, whose runs end when they are cancelled."""
    return RunTrigger(workflow="shoot", statuses=frozenset({"cancelled"}))


async def start(
    life: Any, workflow: str = "shoot", labels: dict[str, str] | None = None, **inputs: Any
) -> str:
    return str((await life.runs.start(workflow, inputs, labels)).state.id)


def of(rows: list[Any], workflow: str) -> list[Any]:
    return [row for row in rows if row.workflow == workflow]


async def test_the_end_of_a_run_starts_another_which_says_so(world: Any, on_cancelled: RunTrigger) -> None:
    world.shelf.put(world.workflow("shoot"), world.workflow("tidy", runs=[on_cancelled]))
    async with world.live() as life:
        first = await start(life)
        await life.followers.round()
        assert of(await life.rows(), "tidy") == []

        await life.end(first)
        await life.followers.round()

        (row,) = of(await life.rows(), "tidy")
        assert orjson.loads(row.labels) == {"trigger": "run"}
        trigger = (await life.runs.get(row.id)).trigger
        assert trigger == {"kind": "run", "run": first, "status": "cancelled", "depth": 1}


async def test_a_mapping_sees_the_run_that_ended(world: Any) -> None:
    names = ("id", "workflow", "status", "inputs", "outputs", "labels", "error")
    everything = world.value(lambda scope: [scope["run"][name] for name in names])
    trigger = RunTrigger(workflow="shoot", statuses=ANY, inputs={"all": everything})
    world.shelf.put(
        world.workflow("shoot", {"title": {"type": "string"}}),
        world.workflow("tidy", {"all": {"type": "array"}}, runs=[trigger]),
    )
    async with world.live() as life:
        first = await life.end(await start(life, labels={"shop": "north"}, title="Ada"))
        await life.followers.round()

        (row,) = of(await life.rows(), "tidy")
        seen = orjson.loads(row.inputs)["all"]
        assert seen == [first, "shoot", "cancelled", {"title": "Ada"}, None, {"shop": "north"}, None]


async def test_other_ends_and_other_workflows_are_not_followed(world: Any, on_cancelled: RunTrigger) -> None:
    failed = RunTrigger(workflow="shoot", statuses=frozenset({"failed"}))
    world.shelf.put(
        world.workflow("shoot"),
        world.workflow("other"),
        world.workflow("tidy", runs=[on_cancelled]),
        world.workflow("alarm", runs=[failed]),
    )
    async with world.live() as life:
        await life.end(await start(life, "other"))
        await life.end(await start(life))
        await life.followers.round()

        assert [row.workflow for row in await life.rows()] == ["other", "shoot", "tidy"]


async def test_what_ended_before_a_trigger_was_there_is_not_followed(
    world: Any, on_cancelled: RunTrigger
) -> None:
    world.shelf.put(world.workflow("shoot"))
    async with world.live() as life:
        for _ in range(3):
            await life.end(await start(life))
    world.shelf.put(world.workflow("shoot"), world.workflow("tidy", runs=[on_cancelled]))
    async with world.live() as life:
        await life.followers.round()
        assert of(await life.rows(), "tidy") == []

        await life.end(await start(life))
        await life.followers.round()
        assert len(of(await life.rows(), "tidy")) == 1


async def test_what_ended_while_a_trigger_was_away_is_not_followed(
    world: Any, on_cancelled: RunTrigger
) -> None:
    shoot, tidy = world.workflow("shoot"), world.workflow("tidy", runs=[on_cancelled])
    world.shelf.put(shoot, tidy)
    async with world.live() as life:
        world.shelf.put(shoot)
        await life.followers.round()
        await life.end(await start(life))
        world.shelf.put(shoot, tidy)
        await life.followers.round()

        assert of(await life.rows(), "tidy") == []


async def test_what_ends_while_no_server_looks_is_followed_later(
    world: Any, on_cancelled: RunTrigger
) -> None:
    world.shelf.put(world.workflow("shoot"), world.workflow("tidy", runs=[on_cancelled]))
    async with world.live() as life:
        for _ in range(3):
            await life.end(await start(life))
    async with world.live() as life:
        await life.followers.round()

        assert len(of(await life.rows(), "tidy")) == 3


async def test_more_ends_than_are_read_at_a_time_are_all_followed_once(
    world: Any, on_cancelled: RunTrigger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(followers, "AT_ONCE", 2)
    world.shelf.put(world.workflow("shoot"), world.workflow("tidy", runs=[on_cancelled]))
    async with world.live() as life:
        for _ in range(5):
            await life.end(await start(life))
        await life.followers.round()
        await life.followers.round()

        assert len(of(await life.rows(), "tidy")) == 5


async def test_a_crash_before_the_position_moved_starts_nothing_twice(
    world: Any, on_cancelled: RunTrigger
) -> None:
    world.shelf.put(world.workflow("shoot"), world.workflow("tidy", runs=[on_cancelled]))
    async with world.live() as life:
        before = await life.store.positions()
        await life.end(await start(life))
        await life.followers.round()
        await life.store.put_positions(before)
    async with world.live() as life:
        await life.followers.round()

        assert len(of(await life.rows(), "tidy")) == 1
        assert await life.store.positions() != before


async def test_a_trigger_that_is_further_than_another_does_not_go_back(
    world: Any, on_cancelled: RunTrigger
) -> None:
    shoot, tidy = world.workflow("shoot"), world.workflow("tidy", runs=[on_cancelled])
    world.shelf.put(shoot, tidy)
    async with world.live() as life:
        await life.end(await start(life))
        world.shelf.put(shoot, tidy, world.workflow("late", runs=[on_cancelled]))
        await life.followers.round()
        await life.followers.round()

        assert [row.workflow for row in await life.rows()] == ["shoot", "tidy"]


async def test_a_mapping_that_fails_keeps_no_other_from_following(
    world: Any, on_cancelled: RunTrigger
) -> None:
    broken = RunTrigger(
        workflow="shoot", statuses=ANY, inputs={"title": world.value(lambda scope: scope["run"]["nothing"])}
    )
    world.shelf.put(
        world.workflow("shoot"),
        world.workflow("broken", {"title": {"type": "string"}}, runs=[broken]),
        world.workflow("needy", {"title": {"type": "string"}}, runs=[on_cancelled]),
        world.workflow("tidy", runs=[on_cancelled]),
    )
    async with world.live() as life:
        await life.end(await start(life))
        await life.followers.round()

        assert [row.workflow for row in await life.rows()] == ["shoot", "tidy"]


async def test_runs_that_follow_themselves_end_all_the_same(world: Any, on_cancelled: RunTrigger) -> None:
    world.shelf.put(world.workflow("shoot", runs=[on_cancelled]))
    async with world.live() as life:
        await life.end(await start(life))
        for _ in range(DEPTH_MAX + 5):
            await life.followers.round()
            for row in await life.store.runs(status="running"):
                await life.end(row.id)

        assert len(await life.rows()) == DEPTH_MAX + 1


@pytest.fixture
def child(world: Any) -> Callable[..., Any]:
    """Start a run that is a step of *parent*."""

    async def begin(life: Any, parent: str) -> str:
        (job,) = await life.store.jobs(run=parent)
        return str((await life.runs.start("shoot", {}, parent=job.id)).state.id)

    return begin


async def test_a_run_that_is_a_step_follows_what_its_whole_follows(
    world: Any, on_cancelled: RunTrigger, child: Callable[..., Any]
) -> None:
    world.shelf.put(world.workflow("shoot"), world.workflow("tidy", runs=[on_cancelled]))
    async with world.live() as life:
        ended = await start(life)
        for depth in range(1, DEPTH_MAX + 3):
            await life.end(ended)
            await life.followers.round()
            rows = of(await life.rows(), "tidy")
            if len(rows) < depth:
                break
            assert (await life.runs.get(rows[-1].id)).trigger["depth"] == depth
            ended = await child(life, rows[-1].id)

        assert len(of(await life.rows(), "tidy")) == DEPTH_MAX
