"""The command as users call it: in a process of its own, in a folder of its own."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Orchestrator = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def environment() -> dict[str, str]:
    """The variables of this machine without those that the command would heed."""
    return {name: text for name, text in os.environ.items() if not name.startswith("ORCHESTRATOR_")}


@pytest.fixture(scope="session")
def orchestrator(environment: dict[str, str]) -> Orchestrator:
    """Call the command in *folder* and return what it said."""

    def call(*args: str, folder: Path, server: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "orchestrator", *args],
            cwd=folder,
            env=environment | ({"ORCHESTRATOR_SERVER": server} if server else {}),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return call
