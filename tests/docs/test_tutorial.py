"""The tutorial is followed to the letter: files written, commands run, their output compared."""

import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.generate import DOCS

TUTORIAL = DOCS / "tutorial.md"


class Terminal:
    """Types what a reader types, in a folder of its own; a server that was started is stopped at the end."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        bin = folder / "bin"
        bin.mkdir()
        command = bin / "orchestrator"
        command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m orchestrator "$@"\n')
        command.chmod(0o755)
        others = {name: text for name, text in os.environ.items() if not name.startswith("ORCHESTRATOR_")}
        self._environment = others | {"PATH": f"{bin}:{os.environ['PATH']}", "PYTHONUNBUFFERED": "1"}
        self._server: subprocess.Popen[str] | None = None
        self._ports: dict[str, str] = {}

    def type(self, command: str) -> str:
        """Return what the command says on both streams, with the tutorial's ports in place of its own."""
        if "serve" in shlex.split(command):
            said = self._serve(command)
        else:
            done = subprocess.run(
                ["sh", "-c", f"{command} 2>&1"],
                cwd=self.folder,
                env=self._environment,
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            said = done.stdout
        for own, shown in self._ports.items():
            said = said.replace(f":{own}", f":{shown}")
        return said

    def _serve(self, command: str) -> str:
        ports = {"ORCHESTRATOR_LISTEN__PUBLIC": "127.0.0.1:0", "ORCHESTRATOR_LISTEN__ADMIN": "127.0.0.1:0"}
        with (self.folder / "log").open("w") as log:
            self._server = subprocess.Popen(
                shlex.split(f"exec {command}")[1:],
                cwd=self.folder,
                env=self._environment | ports,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self._server.stdout is not None
        said = ""
        for line in self._server.stdout:
            said += line
            if found := re.search(r"at http://127.0.0.1:(\d+), API at http://127.0.0.1:(\d+)\.", line):
                self._ports = {found[1]: "8080", found[2]: "8081"}
                self._environment["ORCHESTRATOR_SERVER"] = f"http://127.0.0.1:{found[2]}"
                return said
        raise AssertionError(said + (self.folder / "log").read_text())

    def close(self) -> None:
        if self._server is not None and self._server.stdout is not None:
            self._server.send_signal(signal.SIGTERM)
            self._server.wait(timeout=30)
            self._server.stdout.close()


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    terminal = Terminal(tmp_path)
    yield terminal
    terminal.close()


def pattern(line: str) -> str:
    """Return what matches a line of the tutorial: `…` stands for anything, and columns may be wider."""
    parts = [re.sub(r"(?:\\ )+", r"\\s+", re.escape(part)) for part in line.rstrip().split("…")]
    return ".*".join(parts) + r"\s*"


def assert_told(shown: list[str], said: str) -> None:
    """Claim that the lines shown are among those said, in their order."""
    left = said.splitlines()
    for line in shown:
        at = next((at for at, each in enumerate(left) if re.fullmatch(pattern(line), each)), None)
        assert at is not None, f"not said any more: {line}\nbut:\n{said}"
        left = left[at + 1 :]


def test_the_tutorial_can_be_followed(terminal: Terminal) -> None:
    for language, body in re.findall(r"(?ms)^```(\w+)\n(.*?)^```$", TUTORIAL.read_text("utf-8")):
        if language == "yaml":
            path = terminal.folder / body.partition("\n")[0].removeprefix("# ")
            path.parent.mkdir(exist_ok=True)
            path.write_text(body)
            continue
        for command, output in re.findall(r"(?m)^\$ (.*)\n((?:(?!\$ ).*\n)*)", body):
            assert_told(output.splitlines(), terminal.type(command))
