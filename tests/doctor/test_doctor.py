"""The doctor before real simulators and broken things: what it finds, and that it changes nothing."""

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from click.testing import CliRunner

from orchestrator import app
from orchestrator.cli import cli
from orchestrator.doctor import diagnose
from orchestrator.operations.checkup import Finding
from orchestrator.rehearsal.sandbox import free_ports
from orchestrator.settings import load
from orchestrator.simulators.server import Options, Running, start

WORKFLOW = """
name: portrait
inputs: {}
steps:
  model:
    uses: pizi/create_model
    with: {gender: female, name: Ada}
"""


@pytest.fixture
async def simulated() -> AsyncIterator[Running]:
    running = await start(Options(kinds=("pizi", "perfect"), credits=70))
    yield running
    await running.stop()


@pytest.fixture
def write(tmp_path: Path, simulated: Running) -> Callable[..., Path]:
    """Write settings that are good, but for what a test says: top-level keys, and tables of connections."""

    def write(pizi: dict[str, Any] | None = None, listen: int | None = None, **top: Any) -> Path:
        public, admin = free_ports(2)
        public = listen or public
        folder = tmp_path / "workflows"
        folder.mkdir(exist_ok=True)
        (folder / "portrait.yaml").write_text(WORKFLOW)
        keys = {
            "public_url": f"http://127.0.0.1:{public}",
            "store": f"sqlite:///{tmp_path}/data/orchestrator.db",
            "artifacts": f"{tmp_path}/data/artifacts",
            "workflows": str(folder),
        } | top
        tables = {kind: simulated.client_settings(kind) for kind in ("pizi", "perfect")}
        tables["pizi"] |= pizi or {}
        lines = [f"{key} = {json.dumps(value)}" for key, value in keys.items()]
        lines += ["[listen]", f'public = "127.0.0.1:{public}"', f'admin = "127.0.0.1:{admin}"']
        for name, table in tables.items():
            lines += [f"[providers.{name}]", *(f"{k} = {json.dumps(v)}" for k, v in table.items())]
        file = tmp_path / "orchestrator.toml"
        file.write_text("\n".join(lines) + "\n")
        return file

    return write


async def examine(file: Path, *, online: bool = True) -> list[Finding]:
    """Return what the doctor finds, but for the SQLite of this machine, which no setting can mend."""
    found = await asyncio.to_thread(diagnose, file, {}, online=online)
    return [finding for finding in found if finding.check != "sqlite"]


def everything(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*"))


def bad(findings: list[Finding]) -> list[str]:
    return [f"{finding.check}: {finding.message}" for finding in findings if not finding.ok]


# --- a good one -------------------------------------------------------------------------------


async def test_of_a_fresh_installation_all_is_well_and_nothing_is_made(
    write: Callable[..., Path], tmp_path: Path, simulated: Running
) -> None:
    file = write()
    before = everything(tmp_path)

    found = await examine(file)

    assert bad(found) == []
    assert [f.check for f in found if f.check in ("pizi", "perfect")] == ["pizi", "perfect"]
    assert "credits: 70" in next(f.message for f in found if f.check == "pizi")
    assert [f.message for f in found if f.check == "public_url"] == [
        f"{load(file, {}).public_url} is reached, unredirected",
        "bodies of 1048576 bytes arrive, and a wrong token is refused",
        "our signature is known there, and longer bodies are refused",
    ]
    assert everything(tmp_path) == before
    assert simulated.books("pizi").tasks == {}


async def test_beside_a_running_server_it_is_asked(write: Callable[..., Path]) -> None:
    file = write()

    async with app.build(load(file, {})).running() as server:
        found = await examine(file)
        deliveries = await server.store.find()

    assert bad(found) == []
    assert next(f.message for f in found if f.check == "store").endswith("which is ready")
    assert deliveries == []


async def test_offline_nobody_is_asked(write: Callable[..., Path]) -> None:
    file = write(pizi={"base_url": "http://127.0.0.1:1"}, public_url="http://127.0.0.1:1")

    assert bad(await examine(file, online=False)) == []


# --- what is wrong ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "check", "said"),
    [
        ("workflow = 1", "configuration", "workflow"),
        ("[providers.acme]", "configuration", "there is no kind 'acme'"),
        ("[providers.pizi]", "configuration", "api_key"),
        ("[providers]", "public_url", "needs 'public_url'"),
    ],
)
async def test_wrong_settings_are_told_one_by_one(tmp_path: Path, text: str, check: str, said: str) -> None:
    file = tmp_path / "orchestrator.toml"
    file.write_text(text)

    found = await examine(file, online=False)

    assert any(f.check == check and f.ok is False and said in f.message for f in found)


async def test_what_does_not_need_the_wrong_setting_is_looked_at_all_the_same(tmp_path: Path) -> None:
    file = tmp_path / "orchestrator.toml"
    file.write_text("[providers.acme]")

    checks = {finding.check for finding in await examine(file)}

    assert {"configuration", "store", "data folder", "artifacts", "public_url"} <= checks
    assert "workflows" not in checks


async def test_refused_credentials_are_found(write: Callable[..., Path]) -> None:
    found = await examine(write(pizi={"api_key": "wrong-key-of-somebody"}))

    assert [text.partition(": ")[0] for text in bad(found)] == ["pizi"]
    assert "the credentials are refused" in bad(found)[0]
    assert "wrong-key-of-somebody" not in repr(found)


async def test_an_empty_account_is_found(write: Callable[..., Path], simulated: Running) -> None:
    simulated.books("pizi").top_up(-70)

    found = next(f for f in await examine(write()) if f.check == "pizi")

    assert found.ok is None
    assert found.message.endswith("credits: 0")


async def test_a_wrong_workflow_is_found(write: Callable[..., Path], tmp_path: Path) -> None:
    file = write()
    (tmp_path / "workflows" / "broken.yaml").write_text("name: broken\nsteps: {a: {uses: pizi/nothing}}\n")

    found = bad(await examine(file, online=False))

    assert found
    assert all("broken.yaml" in text for text in found)


async def test_a_database_of_a_newer_version_is_found_and_left_alone(
    write: Callable[..., Path], tmp_path: Path
) -> None:
    file = write()
    async with app.build(load(file, {})).running():
        pass
    db = sqlite3.connect(tmp_path / "data" / "orchestrator.db")
    db.execute("INSERT INTO migrations VALUES (99, 'future', 'x', 1)")
    db.commit()
    db.close()

    found = bad(await examine(file, online=False))

    assert len(found) == 1
    assert found[0].startswith("store: the database was made by a newer version")


async def test_an_older_database_is_announced_and_not_migrated(
    write: Callable[..., Path], tmp_path: Path
) -> None:
    file = write()
    async with app.build(load(file, {})).running():
        pass
    db = sqlite3.connect(tmp_path / "data" / "orchestrator.db")
    db.execute("DELETE FROM migrations WHERE number > 1")
    db.commit()

    found = next(f for f in await examine(file, online=False) if f.check == "store")

    assert found.ok is None
    assert "from version 1 to" in found.message
    assert db.execute("SELECT max(number) FROM migrations").fetchone() == (1,)
    db.close()


async def test_a_folder_that_cannot_be_written_is_found(write: Callable[..., Path]) -> None:
    # Not even root may make a folder there.
    found = bad(await examine(write(artifacts="/proc/artifacts"), online=False))

    assert [text.partition(": ")[0] for text in found] == ["artifacts"]


async def test_a_file_where_a_folder_should_be_is_found(write: Callable[..., Path], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    found = bad(await examine(write(artifacts=f"{tmp_path}/file"), online=False))

    assert found == [f"artifacts: {tmp_path}/file is no folder"]


# --- the way from outside ---------------------------------------------------------------------


@pytest.fixture
async def proxy() -> AsyncIterator[Callable[..., Any]]:
    """Put a broken proxy in front of nothing: *answer* says what it does with each request."""
    runners = []

    async def begin(answer: Callable[[web.BaseRequest], Any]) -> str:
        async def handle(request: web.BaseRequest) -> web.StreamResponse:
            await request.content.read()
            response: web.StreamResponse = answer(request)
            return response

        runner = web.ServerRunner(web.Server(handle))
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        runners.append(runner)
        return f"http://127.0.0.1:{runner.addresses[0][1]}"

    yield begin
    for runner in runners:
        await runner.cleanup()


def healthy(request: web.BaseRequest) -> bool:
    return request.path == "/healthz"


def ok() -> web.Response:
    return web.Response(body=b'{"ok": true}')


def not_found() -> web.Response:
    return web.Response(status=404, body=b'{"error":"not found"}')


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (
            lambda r: web.Response(status=301, headers={"Location": "https://example.com/"}),
            "redirects to https://example.com/",
        ),
        (lambda r: web.Response(text="welcome"), "/healthz answers 200, not as ours"),
        (
            lambda r: ok() if healthy(r) else web.Response(status=413),
            "bodies of 1048576 bytes are refused on the way (413)",
        ),
        (lambda r: ok(), "a callback with a token of nobody is answered with 200"),
        (lambda r: ok() if healthy(r) else not_found(), "the server there does not know our signature"),
        (
            lambda r: ok() if healthy(r) else not_found() if "xxx" in r.path else ok(),
            "a body of 1048577 bytes is answered with 200",
        ),
    ],
)
async def test_a_way_that_leads_elsewhere_is_found(
    write: Callable[..., Path], proxy: Callable[..., Any], answer: Any, said: str
) -> None:
    url = await proxy(answer)

    found = bad(await examine(write(public_url=url)))

    assert len(found) == 1
    assert said in found[0]


async def test_an_address_that_nobody_answers_at_is_found(write: Callable[..., Path]) -> None:
    found = bad(await examine(write(public_url="http://127.0.0.1:1")))

    assert len(found) == 1
    assert "cannot be reached from here: no connection could be made" in found[0]


async def test_without_callbacks_no_address_is_needed(write: Callable[..., Path]) -> None:
    found = await examine(write(callbacks="off", public_url="http://127.0.0.1:1"))

    assert bad(found) == []


# --- the command ------------------------------------------------------------------------------


def call(*args: str) -> Any:
    return CliRunner().invoke(cli, ["doctor", *args], env={})


async def test_the_command_tells_a_line_each_and_ends_with_1_where_something_is_wrong(
    write: Callable[..., Path],
) -> None:
    done = await asyncio.to_thread(
        call, "--config", str(write(pizi={"base_url": "http://127.0.0.1:1"})), "--online"
    )

    assert done.exit_code == 1
    lines = [line for line in done.stdout.splitlines() if not line.startswith(" ")]
    assert all(line[0] in "✓✗!" for line in lines)
    assert "✗ pizi: no answer: no connection could be made (host 127.0.0.1)" in lines
    assert "    see [providers.pizi]: its credentials and its base_url" in done.stdout.splitlines()


async def test_for_machines_it_is_json_and_nothing_else(write: Callable[..., Path]) -> None:
    done = await asyncio.to_thread(call, "--config", str(write()), "--json")

    findings = json.loads(done.stdout)
    assert done.exit_code == 0
    assert {tuple(finding) for finding in findings} == {("check", "ok", "message", "advice")}
