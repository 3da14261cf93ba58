"""What must not be, made by hand in the database of a server that runs, and what the watchdog makes of it."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from orchestrator import app
from orchestrator.runtime import watchdog
from orchestrator.settings import Address, Listen, Settings
from orchestrator.simulators.server import Options, start

WORKFLOW = """
name: models
steps:
  first:
    uses: pizi/create_model
    with: {name: First, gender: female, attributes: {age: Young adult}}
  others:
    needs: [first]
    for_each: [a, b]
    uses: pizi/create_model
    with: {name: "M${{ item }}", gender: female, attributes: {age: Young adult}}
"""


class Server:
    """A server, its provider, and a way into its database that no program should have."""

    def __init__(self, path: Path, running: app.Running) -> None:
        self.path, self.app = path, running

    def break_rows(self, statement: str) -> int:
        """Write to the database past the server; return how many rows that hit."""
        db = sqlite3.connect(self.path / "orchestrator.db", timeout=5)
        with db:
            changed = db.execute(statement).rowcount
        db.close()
        return changed

    async def run(self) -> str:
        return (await self.app.runs.start("models", {})).state.id

    async def until(self, holds: Callable[[], Any]) -> None:
        async with asyncio.timeout(20):
            while not await holds():  # noqa: ASYNC110
                await asyncio.sleep(0.02)

    async def status(self, run: str) -> str:
        return (await self.app.worker.state(run)).status

    async def ended(self, run: str) -> str:
        async def has_ended() -> bool:
            return await self.status(run) not in ("pending", "running")

        await self.until(has_ended)
        return await self.status(run)

    async def healed(self) -> list[str]:
        """Return what the log says was found and mended."""
        found = await self.app.store.tail(after=0, types=["watchdog.healed"])
        return [event.data.decode() for event in found]

    async def counted(self) -> int:
        async with aiohttp.ClientSession() as session, session.get(f"{self.app.admin_url}/readyz") as answer:
            return int((await answer.json())["counts"]["watchdog.healed"])


@asynccontextmanager
async def serving(path: Path, latency_s: float, **provider: Any) -> AsyncIterator[Server]:
    (path / "workflows").mkdir(exist_ok=True)
    (path / "workflows" / "models.yaml").write_text(WORKFLOW)
    simulated = await start(Options(kinds=("pizi",), latency_s=latency_s, limits="off"))
    table = {**simulated.client_settings("pizi"), "kind": "pizi", "rate_limits": [], **provider}
    settings = Settings(
        callbacks="off",
        store=f"sqlite:///{path / 'orchestrator.db'}",
        artifacts=path / "artifacts",
        workflows=path / "workflows",
        listen=Listen(public=Address("127.0.0.1", 0), admin=Address("127.0.0.1", 0)),
        providers={"pizi": table},
    )
    try:
        async with app.build(settings).running() as running:
            yield Server(path, running)
    finally:
        await simulated.stop()


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watchdog, "ROUND_S", 0.1)
    monkeypatch.setattr(watchdog, "REST", 1)
    monkeypatch.setattr(watchdog, "WHOLE_S", 0.0)


async def test_of_runs_that_are_as_they_should_be_nothing_is_said(tmp_path: Path) -> None:
    async with serving(tmp_path, 0.3, first_check="200ms", max_check_interval="200ms") as server:
        runs = [await server.run() for _ in range(20)]

        assert {await server.ended(run) for run in runs} == {"succeeded"}
        assert await server.healed() == []
        assert await server.counted() == 0


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        ("UPDATE jobs SET wake_at = NULL", "would never have woken"),
        ("UPDATE jobs SET wake_at = NULL, lane = NULL", "would never have woken"),
        ("UPDATE jobs SET status = 'succeeded', wake_at = NULL, lane = NULL", "would never have woken"),
        ("DELETE FROM jobs", "had no row"),
        ("UPDATE jobs SET lane = 'submit', status = 'created'", "did not say what its log says"),
        ("UPDATE runs SET version = version - 1", "its log at"),
        ("UPDATE runs SET wake_at = NULL", "its row did not say what its log says: wake_at"),
    ],
)
async def test_a_row_that_was_broken_is_mended_and_the_run_ends(
    tmp_path: Path, broken: str, told: str
) -> None:
    async with serving(tmp_path, 0.5, first_check="1s", max_check_interval="1s") as server:
        run = await server.run()

        async def is_waiting() -> bool:
            return [job.status for job in (await server.app.worker.state(run)).jobs.values()] == ["waiting"]

        await server.until(is_waiting)
        assert server.break_rows(broken) == 1
        ended = await server.ended(run)

        [healed, *_] = await server.healed()
        assert ended == "succeeded"
        assert told in healed
        assert await server.counted() >= 1


async def test_a_step_that_should_have_begun_is_begun(tmp_path: Path) -> None:
    async with serving(tmp_path, 0.2, first_check="200ms", max_check_interval="200ms") as server:
        run = await server.run()
        await server.ended(run)

    db = sqlite3.connect(tmp_path / "orchestrator.db")
    with db:
        # The log ends with the first step, as if whoever wrote it had forgotten what follows.
        types = "(SELECT n FROM event_types WHERE name = 'step.expanded')"
        [version] = db.execute(f"SELECT min(version) FROM events WHERE type IN {types}").fetchone()
        db.execute("DELETE FROM events WHERE version >= ?", (version,))
        db.execute("UPDATE runs SET status = 'running', version = ?, finished_at = NULL", (version - 1,))
        db.execute("DELETE FROM jobs WHERE step = 'others'")
    db.close()

    async with serving(tmp_path, 0.2, first_check="200ms", max_check_interval="200ms") as server:
        assert await server.ended(run) == "succeeded"
        [healed, *_] = await server.healed()

        assert "step.expanded others should have come before" in healed


async def test_a_claimed_submit_that_nobody_sends_becomes_uncertain(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def forgets(self: Any, work: Any) -> None:
        self._claims.pop(work.job.id, None)

    monkeypatch.setattr("orchestrator.runtime.performer.Performer._send", forgets)
    async with serving(tmp_path, 0.2, uncertain_grace="1s") as server:
        run = await server.run()

        assert await server.ended(run) == "failed"
        [healed] = await server.healed()
        assert "nobody was sending it" in healed
        assert ((await server.app.worker.state(run)).error or {})["class"] == "uncertain"


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the runs that the watchdog has read whole, in order."""
    found: list[str] = []
    fold = watchdog.Watchdog._fold

    async def noted(self: watchdog.Watchdog, run: str) -> Any:
        found.append(run)
        return await fold(self, run)

    monkeypatch.setattr(watchdog.Watchdog, "_fold", noted)
    return found


async def test_a_run_of_which_nothing_was_written_is_not_read_again_until_all_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read: list[str]
) -> None:
    monkeypatch.setattr(watchdog, "WHOLE_S", 1000.0)
    async with serving(tmp_path, 60.0, first_check="50s", max_check_interval="50s") as server:
        run = await server.run()
        await server.until(lambda: is_waiting(server, run))
        await asyncio.sleep(1.0)
        read.clear()

        await asyncio.sleep(1.0)
        assert read == []
        monkeypatch.setattr(watchdog, "WHOLE_S", 0.0)


async def is_waiting(server: Server, run: str) -> bool:
    return [job.status for job in (await server.app.worker.state(run)).jobs.values()] == ["waiting"]


async def test_a_run_is_looked_at_once_after_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read: list[str]
) -> None:
    async with serving(tmp_path, 0.05, first_check="100ms", max_check_interval="100ms") as server:
        run = await server.run()
        await server.ended(run)
        await asyncio.sleep(1.0)
        looks = read.count(run)
        await asyncio.sleep(0.5)

        assert read.count(run) == looks

    async with serving(tmp_path, 0.05):
        await asyncio.sleep(0.5)
        assert read.count(run) == looks, "not by the next process either"


async def test_what_was_broken_at_the_end_of_a_run_is_mended_by_the_next_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(tmp_path, 0.05, first_check="100ms", max_check_interval="100ms") as server:
        await asyncio.sleep(0.5)
        monkeypatch.setattr(watchdog, "ROUND_S", 1000.0)
        await asyncio.sleep(0.3)
        run = await server.run()
        await server.ended(run)
    db = sqlite3.connect(tmp_path / "orchestrator.db")
    with db:
        db.execute("UPDATE jobs SET credits = 99 WHERE step = 'first'")
    db.close()

    monkeypatch.setattr(watchdog, "ROUND_S", 0.1)
    async with serving(tmp_path, 0.05) as server:

        async def is_healed() -> bool:
            return bool(await server.healed())

        await server.until(is_healed)

        assert {job.credits for job in await server.app.store.jobs(run=run)} != {99}
        assert await server.status(run) == "succeeded"
