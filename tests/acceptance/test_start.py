"""What keeps a server from starting is told in a sentence, and ends with 2."""

import socket
from pathlib import Path
from typing import Any

import pytest

LISTEN = '[listen]\npublic = "127.0.0.1:0"\nadmin = "127.0.0.1:{port}"\n'


@pytest.fixture
def settle(tmp_path: Path) -> Any:
    """Write settings, and a workflows folder with at most one file."""

    def settle(settings: str, workflow: str = "") -> Path:
        (tmp_path / "orchestrator.toml").write_text(settings)
        (tmp_path / "workflows").mkdir()
        if workflow:
            (tmp_path / "workflows" / "mine.yaml").write_text(workflow)
        return tmp_path

    return settle


def test_no_address_for_callbacks_names_both_ways_out(orchestrator: Any, settle: Any) -> None:
    done = orchestrator("serve", folder=settle(""))

    assert done.returncode == 2
    assert done.stderr.startswith("orchestrator: orchestrator.toml: needs 'public_url'")
    assert 'callbacks = "off"' in done.stderr


def test_a_workflow_with_problems_is_told_line_by_line(orchestrator: Any, settle: Any) -> None:
    folder = settle('callbacks = "off"\n', "name: mine\nstepps: {}\n")

    done = orchestrator("serve", folder=folder)

    assert done.returncode == 2
    assert "\nworkflows/mine.yaml:2:1: unknown key 'stepps' (did you mean 'steps'?" in done.stderr
    assert "--allow-invalid" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_that_is_taken_is_named(orchestrator: Any, settle: Any) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        done = orchestrator("serve", folder=settle('callbacks = "off"\n' + LISTEN.format(port=port)))

    assert done.returncode == 2
    assert f"cannot listen on 127.0.0.1:{port}: Address already in use; choose another" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_connection_without_its_key_is_told_with_its_place(orchestrator: Any, settle: Any) -> None:
    done = orchestrator("serve", folder=settle('callbacks = "off"\n[providers.pizi]\n'))

    assert done.returncode == 2
    assert "orchestrator.toml: " in done.stderr
    assert "api_key" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_for_the_simulators_that_is_taken_is_named(orchestrator: Any, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        done = orchestrator("simulate", "--port", str(port), folder=tmp_path)

    assert done.returncode == 2
    assert done.stderr == (
        f"orchestrator: cannot listen on port {port}: Address already in use; choose another with --port\n"
    )
