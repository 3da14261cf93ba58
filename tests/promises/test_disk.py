"""A disk in trouble, with real means: full, locked, read-only, damaged. What is acknowledged is kept."""

import asyncio
import os
import resource
import sqlite3
import subprocess
import time
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, asynccontextmanager, contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from PIL import Image

EAGER = {"rate_limits": [], "first_check": "1s", "max_check_interval": "2s", "uncertain_grace": "5s"}
SLOW = {"latency_s": (2.0, 2.5), "limits": "off"}
IN_TIME_S = 8.0
"""Longer than any answer takes: SQLite waits two seconds for a lock."""


def a_product() -> str:
    file = BytesIO()
    Image.new("RGB", (320, 320), "teal").save(file, "PNG")
    return "data:image/png;base64," + b64encode(file.getvalue()).decode()


@contextmanager
def mounted(folder: Path, size: str) -> Iterator[None]:
    """Put a small file system of its own on *folder*; the test is skipped where that is not allowed."""
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True).returncode != 0:
        pytest.skip("a file system of its own can be mounted by root alone")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def enlarge(folder: Path) -> None:
    """Give a file system that was mounted on *folder* room enough."""
    subprocess.run(["mount", "-o", "remount,size=64m", str(folder)], check=True)


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Let nobody write below *folder*, root included."""
    bind = ["mount", "--bind", str(folder), str(folder)]
    if os.geteuid() != 0 or subprocess.run(bind, capture_output=True).returncode != 0:
        pytest.skip("root alone can make a folder read-only for everybody")
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", str(folder)], check=True)
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextmanager
def immutable(*files: Path) -> Iterator[None]:
    """Let nobody write to *files* or into folders, root included, and whoever has them open already."""
    names = [str(file) for file in files]
    if os.geteuid() != 0 or subprocess.run(["chattr", "+i", *names], capture_output=True).returncode != 0:
        subprocess.run(["chattr", "-i", *names], capture_output=True)
        pytest.skip("only root can make files immutable, and not on every file system")
    try:
        yield
    finally:
        subprocess.run(["chattr", "-i", *names], check=True)


@contextmanager
def moved(path: Path) -> Iterator[None]:
    """Let a file or folder be somewhere else for a while."""
    away = path.with_name("away")
    path.rename(away)
    try:
        yield
    finally:
        away.rename(path)


@contextmanager
def bound(disk: Path, folder: Path) -> Iterator[None]:
    """Mount *disk* on *folder*; the test is skipped where that is not allowed."""
    bind = ["mount", "--bind", str(disk), str(folder)]
    if os.geteuid() != 0 or subprocess.run(bind, capture_output=True).returncode != 0:
        pytest.skip("a folder can be mounted by root alone")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=False)


@contextmanager
def unmounted(folder: Path) -> Iterator[None]:
    """Take away what is mounted on *folder*; it is for whoever asks to mount it again."""
    subprocess.run(["umount", "--lazy", str(folder)], check=True)
    yield


@contextmanager
def no_byte_written(server: Any) -> Iterator[None]:
    """Let every write of the server to a file fail, also that of its own log, as a broken disk does."""
    limits = resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (0, limits[1]))
    try:
        yield
    finally:
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, limits)


def fill(folder: Path) -> Path:
    """Fill the file system of *folder* to the last byte, and return the file that does."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file:
        size = 1 << 20
        while size:
            try:
                file.write(b"\0" * size)
            except OSError:
                size //= 2
    return ballast


async def readiness(server: Any) -> tuple[int, str]:
    """Return what the server says of itself."""
    url = f"http://127.0.0.1:{server.admin_port}/readyz"
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        return answer.status, await answer.text()


async def is_ready(server: Any) -> bool:
    return (await readiness(server))[0] == 200


async def is_waiting(server: Any, run: str) -> bool:
    return bool((await server.get(f"/jobs?run={run}&status=waiting"))["items"])


def answers_of_callbacks(simulated: Any) -> list[int | None]:
    return [call.status for call in simulated.books("pizi").callbacks]


@asynccontextmanager
async def started_in_time(server: Any) -> AsyncIterator[list[tuple[int, Any]]]:
    """Yield what five attempts to start a run are answered, each of them in bounded time."""
    answers: list[tuple[int, Any]] = []
    for _ in range(5):
        before = time.monotonic()
        answers.append(await server.post("/runs", {"workflow": "tiny"}))
        assert time.monotonic() - before < IN_TIME_S, "whoever asks for a run must be answered"
    yield answers


FACE = "name: face\nsteps: {model: {uses: pizi/create_model, with: {gender: male}}}\n"
TINY = "name: tiny\nsteps: {nap: {uses: core/sleep, with: {duration: 100ms}}}\n"


@pytest.fixture
def begin(simulators: Callable[..., Any], serve: Callable[..., Any], tmp_path: Path) -> Callable[..., Any]:
    """Start simulators, and a server with a run whose first task takes two seconds."""

    async def begin() -> tuple[Any, Any, str]:
        (tmp_path / "workflows").mkdir()
        (tmp_path / "workflows" / "tiny.yaml").write_text(TINY)
        (tmp_path / "workflows" / "face.yaml").write_text(FACE)
        simulated = await simulators(**SLOW)
        server = await serve(simulated, top={"min_free_disk": "0"}, **EAGER)
        run = await server.begin(product_images=[a_product()])
        await server.until(lambda: is_waiting(server, run), "a task", 10)
        return simulated, server, run

    return begin


async def hold_to_the_promises(simulated: Any, server: Any, run: str, answers: list[tuple[int, Any]]) -> None:
    """Check what holds after the trouble is over."""
    await server.until(lambda: is_ready(server), "the server to be ready again", 15)
    ended = await server.ended(run)
    assert ended["status"] == "succeeded", ended["error"]
    assert [len(simulated.books(kind).tasks) for kind in ("pizi", "perfect")] == [2, 3]
    known = {each["id"] for each in (await server.get("/runs?workflow=tiny"))["items"]}
    assert known == {told["id"] for status, told in answers if status == 201}, "201 means kept, 503 means not"
    accepted = [status for status in answers_of_callbacks(simulated) if status == 200]
    assert len((await server.get("/deliveries"))["items"]) == len(accepted), "200 means kept"


async def test_a_full_disk_is_said_and_survived(begin: Callable[..., Any], tmp_path: Path) -> None:
    with mounted(tmp_path, "24m"):
        simulated, server, run = await begin()
        ballast = fill(tmp_path)
        answers: list[tuple[int, Any]] = []
        for _ in range(40):  # What is left in the log file beside the database may take some.
            async with started_in_time(server) as told:
                answers += told
            if told[-1][0] == 503:
                break
        assert told[-1][0] == 503, told[-1]
        status, why = await readiness(server)
        assert status == 503
        assert "full" in why or "disk" in why, why
        await asyncio.sleep(2.5)

        ballast.unlink()

        await hold_to_the_promises(simulated, server, run, answers)
        await server.kill()


async def test_a_database_that_another_program_holds_is_said_and_survived(
    begin: Callable[..., Any], tmp_path: Path
) -> None:
    simulated, server, run = await begin()
    other = sqlite3.connect(tmp_path / "orchestrator.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    async with started_in_time(server) as answers:
        assert {status for status, _ in answers} == {503}
    status, why = await readiness(server)
    assert (status, "locked" in why) == (503, True), why

    other.close()

    assert 503 in answers_of_callbacks(simulated), "a callback came meanwhile"
    await hold_to_the_promises(simulated, server, run, answers)


async def was_called_back(simulated: Any) -> bool:
    return bool(answers_of_callbacks(simulated))


async def survives(trouble: AbstractContextManager[None], simulated: Any, server: Any, run: str) -> str:
    """Check what holds while nothing can be written, and afterwards; return what `/readyz` said."""
    with trouble:
        async with started_in_time(server) as answers:
            assert {status for status, _ in answers} == {503}
        status, why = await readiness(server)
        assert status == 503, why
        await server.until(lambda: was_called_back(simulated), "a callback", 15)
        assert set(answers_of_callbacks(simulated)) == {503}, "it is not on disk"
        assert len(simulated.books("pizi").tasks) == 1, "nothing was submitted"
    await hold_to_the_promises(simulated, server, run, answers)
    return why


async def test_a_database_that_turns_read_only_is_said_and_survived(
    begin: Callable[..., Any], tmp_path: Path
) -> None:
    simulated, server, run = await begin()
    database = [tmp_path / f"orchestrator.db{ending}" for ending in ("", "-wal", "-shm")]

    why = await survives(immutable(tmp_path, *database), simulated, server, run)

    assert "database" in why


async def test_a_database_that_is_moved_away_is_said_and_survived(
    begin: Callable[..., Any], tmp_path: Path
) -> None:
    simulated, server, run = await begin()
    database = tmp_path / "orchestrator.db"

    why = await survives(moved(database), simulated, server, run)

    assert str(database) in why


async def test_a_disk_that_refuses_every_write_is_said_and_survived(begin: Callable[..., Any]) -> None:
    simulated, server, run = await begin()

    why = await survives(no_byte_written(server), simulated, server, run)

    assert "database" in why


@pytest.mark.parametrize("way", ["moved", "unmounted"])
async def test_while_the_artifacts_are_away_nothing_is_submitted_and_nothing_fails(
    begin: Callable[..., Any], tmp_path: Path, way: str
) -> None:
    artifacts, disk = tmp_path / "artifacts", tmp_path / "disk"
    with ExitStack() as stack:
        if way == "unmounted":
            artifacts.mkdir()
            disk.mkdir()
            stack.enter_context(mounted(disk, "64m"))
            stack.enter_context(bound(disk, artifacts))
        simulated, server, run = await begin()
        before = tasks_of(simulated)
        with moved(artifacts) if way == "moved" else unmounted(artifacts):
            status, why = await readiness(server)
            assert (status, "artifacts folder" in why) == (503, True), why
            await server.until(lambda: has_noticed(server), "the disk to be noticed", 10)
            assert (await server.post("/runs", {"workflow": "face"}))[0] == 201, "the database is well"
            await server.until(lambda: was_called_back(simulated), "a callback", 15)
            await asyncio.sleep(1.0)
            assert (await server.get(f"/runs/{run}"))["status"] == "running", "nothing has failed"
            assert tasks_of(simulated) == before, "nothing was submitted"
            assert answers_of_callbacks(simulated) == [200], "what is received needs no artifacts"
        if way == "unmounted":
            stack.enter_context(bound(disk, artifacts))

        await server.until(lambda: is_ready(server), "the server to be ready again", 15)
        ended = await server.ended(run)
        assert ended["status"] == "succeeded", ended["error"]
        await server.kill()
    assert len(simulated.books("perfect").tasks) == 3
    assert simulated.books("pizi").repeated() == {}


def tasks_of(simulated: Any) -> list[str]:
    return [task for kind in ("pizi", "perfect") for task in simulated.books(kind).tasks]


async def has_noticed(server: Any) -> bool:
    return "disk.filled" in server.log


async def test_artifacts_that_cannot_be_kept_are_fetched_again_when_they_can(
    begin: Callable[..., Any], tmp_path: Path
) -> None:
    (tmp_path / "artifacts").mkdir()
    with mounted(tmp_path / "artifacts", "512k"):
        simulated, server, run = await begin()
        ballast = fill(tmp_path / "artifacts")
        await asyncio.sleep(4.0)
        assert (await server.get(f"/runs/{run}"))["status"] == "running", "nothing has failed"
        assert len(simulated.books("pizi").tasks) == 1, "the picture is not there, so nothing follows"

        ballast.unlink()
        enlarge(tmp_path / "artifacts")

        await hold_to_the_promises(simulated, server, run, [])
        await server.kill()


async def test_a_server_on_a_read_only_disk_says_so_and_does_not_begin(
    simulators: Callable[..., Any], serve: Callable[..., Any], tmp_path: Path
) -> None:
    simulated = await simulators(**SLOW)
    server = await serve(simulated, **EAGER)
    await server.kill()
    with read_only(tmp_path):
        process = await server.launch(asyncio.subprocess.PIPE)
        said = (await process.communicate())[1].decode()

    assert process.returncode not in (0, None)
    assert "Traceback" not in said
    assert "read" in said, said
    assert str(tmp_path) in said, said


async def test_a_damaged_artifact_is_noticed_before_anybody_is_paid_for_it(
    begin: Callable[..., Any], tmp_path: Path
) -> None:
    simulated, server, run = await begin()
    await server.post("/connections/perfect/pause", {})

    async def are_made() -> bool:
        steps = (await server.get(f"/runs/{run}"))["steps"]
        return any(step["id"] == "pictures" and step["status"] == "succeeded" for step in steps)

    await server.until(are_made, "the pictures", 30)
    steps = (await server.get(f"/runs/{run}"))["steps"]
    (pictures,) = (step["artifacts"] for step in steps if step["id"] == "pictures")
    digest = pictures[0]["digest"].removeprefix("sha256:")
    (path,) = (tmp_path / "artifacts").rglob(digest)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.chmod(0o644)
    path.write_bytes(data)

    await server.post("/connections/perfect/resume", {})
    ended = await server.ended(run)

    assert ended["status"] == "failed"
    assert "corrupt" in ended["error"]["message"], ended["error"]
    assert len(simulated.books("perfect").tasks) == 2, "the other two"
