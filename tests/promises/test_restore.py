"""A backup that is older than the world: what was submitted since is found, and not paid for again."""

import asyncio
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

FAST = {"latency_s": (0.2, 0.3), "limits": "off"}
ONE_BY_ONE = {
    "rate_limits": [],
    "first_check": "1s",
    "max_check_interval": "2s",
    "uncertain_grace": "20s",
    "max_in_flight": 1,
}
FACES = """
name: faces
inputs:
  names: {type: array, items: {type: string}}
steps:
  face:
    uses: pizi/create_model
    for_each: ${{ inputs.names }}
    with: {gender: female, name: "${{ item }}"}
"""


async def command(server: Any, *words: str) -> Any:
    """Call `orchestrator` on the server's settings and return what it printed as JSON."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("ORCHESTRATOR_")}
    config = ("--config", str(server.folder / "orchestrator.toml"), "--json")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "orchestrator", *words, *config),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=clean,
    )
    out, told = await process.communicate()
    assert process.returncode == 0, told.decode()
    return json.loads(out)


async def backed_up_in_the_middle(server: Any, books: Any, file: Path) -> Any:
    """Make a backup when something was submitted, and something was not."""

    async def has_begun() -> bool:
        return bool(books.tasks)

    await server.until(has_begun, "a task", 10)
    await server.post(f"/connections/{books.kind}/pause", {})
    backup = await command(server, "db", "backup", str(file))
    await server.post(f"/connections/{books.kind}/resume", {})
    return backup


async def test_what_was_submitted_after_the_backup_is_found_and_not_paid_for_again(
    simulators: Callable[..., Any], serve: Callable[..., Any], tmp_path: Path
) -> None:
    (tmp_path / "workflows").mkdir()
    (tmp_path / "workflows" / "faces.yaml").write_text(FACES)
    simulated = await simulators(**FAST)
    server = await serve(simulated, **ONE_BY_ONE)
    _, run = await server.post("/runs", {"workflow": "faces", "inputs": {"names": ["Ada", "Bea", "Cleo"]}})
    backup = await backed_up_in_the_middle(server, simulated.books("pizi"), tmp_path / "backup.tar")
    assert (await server.ended(run["id"]))["status"] == "succeeded"
    assert len(simulated.books("pizi").tasks) == 3

    await server.kill()
    restored = await command(server, "db", "restore", str(tmp_path / "backup.tar"), "--force")
    await server.start()
    again = await server.ended(run["id"])

    assert (backup["open_runs"], restored["paused"]) == (1, ["pizi", "perfect"])
    assert again["status"] == "succeeded", again["error"]
    assert len(simulated.books("pizi").tasks) == 3, "something was paid for again"
    events = (await server.get(f"/runs/{run['id']}/events?limit=500"))["items"]
    types = [event["type"].removeprefix("orchestrator.") for event in events]
    assert types.count("job.uncertain") >= 2
    assert types.count("job.adopted") == types.count("job.uncertain")


AVATARS = """
name: avatars
inputs:
  people: {type: array, items: {type: string}}
steps:
  avatar:
    uses: trypi/generate_avatar
    for_each: ${{ inputs.people }}
    with: {prompt: "${{ item }}", output: {resolution: '512'}}
"""


async def test_what_has_a_key_is_asked_for_again_after_a_restore_and_not_paid_for_again(
    simulators: Callable[..., Any], serve: Callable[..., Any], tmp_path: Path
) -> None:
    (tmp_path / "workflows").mkdir()
    (tmp_path / "workflows" / "avatars.yaml").write_text(AVATARS)
    simulated = await simulators(kinds=("pizi", "trypi", "perfect"), **FAST)
    server = await serve(simulated, **ONE_BY_ONE)
    people = {"people": ["a founder", "a gardener", "a diver"]}
    _, run = await server.post("/runs", {"workflow": "avatars", "inputs": people})
    books = simulated.books("trypi")
    await backed_up_in_the_middle(server, books, tmp_path / "backup.tar")
    assert (await server.ended(run["id"]))["status"] == "succeeded"
    assert (len(books.tasks), books.charged) == (3, 3)

    await server.kill()
    await command(server, "db", "restore", str(tmp_path / "backup.tar"), "--force")
    await server.start()
    before = submits(books)
    await asyncio.sleep(1.0)
    assert submits(books) == before, "a pause holds back what may be the first request all the same"
    await server.post("/connections/trypi/resume", {})
    again = await server.ended(run["id"])

    assert again["status"] == "succeeded", again["error"]
    assert (len(books.tasks), books.charged) == (3, 3), "something was paid for again"
    assert submits(books) > before
    jobs = (await server.get(f"/jobs?run={run['id']}"))["items"]
    shown = [await server.get(f"/jobs/{job['id']}") for job in jobs]
    assert all(job["request"]["prompt"] in people["people"] for job in shown), "what was sent can be seen"


def submits(books: Any) -> int:
    return sum(count for what, count in books.counts.items() if what.startswith("POST "))
