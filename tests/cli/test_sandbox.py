"""Settings that point at simulated providers."""

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.cli import background
from orchestrator.errors import SettingsError
from orchestrator.providers.registry import KINDS
from orchestrator.rehearsal import sandbox
from orchestrator.settings import Settings, callback_base, read_connection
from orchestrator.simulators import server as simulators
from orchestrator.simulators.options import Options


@pytest.fixture(scope="module")
def running() -> Iterator[simulators.Running]:
    with background.running(sandbox.simulated(Options())) as running:
        yield running


def test_without_connections_every_kind_is_one(running: simulators.Running, tmp_path: Path) -> None:
    pointed = sandbox.pointed_at(Settings(), running, tmp_path)

    assert set(pointed.providers) == set(simulators.SIMULATORS)
    for kind in simulators.SIMULATORS:
        assert read_connection(pointed, kind, KINDS[kind].settings).base_url == f"{running.url}/{kind}"


def test_connections_keep_their_names_and_limits_but_not_their_accounts(
    running: simulators.Running, tmp_path: Path
) -> None:
    table = {"kind": "pizi", "api_key": "real", "base_url": "https://real.example", "rate_limits": ["9/1m"]}

    settings = Settings(providers={"pizi_eu": table}, workflows=tmp_path)
    pointed = sandbox.pointed_at(settings, running, tmp_path)

    assert set(pointed.providers) == {"pizi_eu"}
    own = pointed.providers["pizi_eu"]
    assert (own["base_url"], own["rate_limits"]) == (f"{running.url}/pizi", ["9/1m"])
    assert "real" not in str(own)


def test_what_simulators_charge_is_known_unless_the_connection_says_otherwise(
    running: simulators.Running, tmp_path: Path
) -> None:
    own = {"create_model": 5}
    tables: dict[str, dict[str, Any]] = {kind: {"kind": kind} for kind in sandbox.PRICES}
    tables["pizi_eu"] = {"kind": "pizi", "prices": own}

    pointed = sandbox.pointed_at(Settings(providers=tables), running, tmp_path)
    prices = {
        name: read_connection(pointed, name, KINDS[table["kind"]].settings).prices
        for name, table in pointed.providers.items()
        if name in tables
    }

    assert prices == {**sandbox.PRICES, "pizi_eu": own}


def test_nothing_is_kept_where_the_real_server_keeps_it(running: simulators.Running, tmp_path: Path) -> None:
    pointed = sandbox.pointed_at(Settings(store="sqlite:////srv/real.db"), running, tmp_path)

    assert pointed.store_path == tmp_path / "orchestrator.db"
    assert pointed.artifacts.parent == tmp_path


def test_callbacks_come_to_the_public_listener_itself(running: simulators.Running, tmp_path: Path) -> None:
    settings = Settings.model_validate(
        {
            "public_url": "https://hooks.example.com",
            "callbacks": "off",
            "listen": {"public": "0.0.0.0:8080", "admin": "127.0.0.1:8081"},
        }
    )

    assert callback_base(sandbox.pointed_at(settings, running, tmp_path)) == "http://127.0.0.1:8080"


def test_a_port_that_nobody_chose_is_known_before_it_is_bound(
    running: simulators.Running, tmp_path: Path
) -> None:
    settings = Settings.model_validate({"listen": {"public": "127.0.0.1:0", "admin": "127.0.0.1:0"}})

    listen = sandbox.pointed_at(settings, running, tmp_path).listen

    assert listen.public.port
    assert listen.admin.port
    assert listen.public != listen.admin


def test_the_shipped_workflows_take_the_place_of_a_folder_that_is_not_there(
    running: simulators.Running, tmp_path: Path
) -> None:
    own = tmp_path / "workflows"
    own.mkdir()

    assert sandbox.pointed_at(Settings(workflows=own), running, tmp_path).workflows == own
    assert (
        sandbox.pointed_at(Settings(workflows=tmp_path / "no"), running, tmp_path).workflows
        == sandbox.SHIPPED
    )
    assert (sandbox.SHIPPED / "fashion-shoot.yaml").is_file()


def test_the_shipped_workflows_bring_the_connections_that_they_use(
    running: simulators.Running, tmp_path: Path
) -> None:
    settings = Settings(workflows=tmp_path / "no", providers={"mine": {"kind": "pizi"}, "perfect": {}})

    assert set(sandbox.kinds(settings)) == set(simulators.SIMULATORS)
    assert set(sandbox.pointed_at(settings, running, tmp_path).providers) == {"mine", *simulators.SIMULATORS}


def test_a_kind_that_nobody_simulates_is_refused_by_name() -> None:
    with pytest.raises(SettingsError, match=r"providers\.moon: there is no simulator for the kind 'moon'"):
        sandbox.kinds(Settings(providers={"moon": {}}))


def test_a_folder_that_is_not_there_is_not_replaced_in_silence(
    call: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        host = f"127.0.0.1:{taken.getsockname()[1]}"
        own = {"ORCHESTRATOR_WORKFLOWS": "mine", "ORCHESTRATOR_LISTEN__PUBLIC": host}

        done = call("serve", "--sandbox", env=own)

    assert done.exit_code == 2
    assert "There is no folder 'mine': the shipped examples take its place.\n" in done.stdout
