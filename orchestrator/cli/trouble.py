"""What a command could not do, told in a sentence and an exit code."""

from typing import Any

import click

FAILED, WRONG, NOT_REACHABLE = 1, 2, 3
"""The thing asked about failed; wrong usage or invalid input; server not reachable."""


class Trouble(click.ClickException):
    """Ends the command: *message* says what was wrong, where, and what to do."""

    def __init__(self, message: str, exit_code: int = WRONG) -> None:
        super().__init__(message)
        self.exit_code = exit_code  # type: ignore[misc]  # click reads it from the instance

    def show(self, file: Any = None) -> None:
        click.echo(f"orchestrator: {self.format_message()}", file=file, err=file is None)


class Unreachable(Trouble):
    """Nobody answers at the server's address, or somebody else does."""

    def __init__(self, message: str) -> None:
        super().__init__(message, NOT_REACHABLE)
