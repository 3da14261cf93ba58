"""
The command line: starts the server and the simulators, and talks to a running server.

What a command needs beyond click is imported when it runs, so that `orchestrator --help`
answers at once. Exit codes: 0 done, 1 the thing asked about failed, 2 wrong usage or
invalid input, 3 server not reachable.
"""

import os
import sys
from io import TextIOWrapper
from typing import Any

import click

from orchestrator import __version__
from orchestrator.cli import (
    connections,
    db,
    deliveries,
    demo,
    doctor,
    events,
    export,
    jobs,
    run,
    runs,
    serve,
    simulate,
    testing,
    validate,
    verify,
    waiting,
    workflows,
)
from orchestrator.cli.trouble import Trouble
from orchestrator.errors import OrchestratorError


class _Commands(click.Group):
    """Tells what this package foresaw in a sentence; a traceback is left to bugs."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except OrchestratorError as error:
            raise Trouble(str(error)) from error
        except BrokenPipeError:
            raise
        except OSError as error:
            place = f"{error.filename}: " if error.filename else ""
            raise Trouble(f"{place}{error.strerror or error}") from error

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="orchestrator")
def cli() -> None:
    """
    Run chains of AI media tasks at providers that answer by callback.

    `orchestrator demo` shows everything at once, without accounts. The commands from `run` on talk to a
    running server: --server or ORCHESTRATOR_SERVER says where it is, ORCHESTRATOR_API_KEY holds the key.
    """


for _command in (
    demo.demo,
    serve.serve,
    simulate.simulate,
    validate.validate,
    testing.test,
    run.run,
    runs.runs,
    jobs.jobs,
    waiting.waiting,
    events.events,
    deliveries.deliveries,
    workflows.workflows,
    connections.connections,
    doctor.doctor,
    db.db,
    export.export,
    verify.verify,
):
    cli.add_command(_command)


def main() -> None:
    """Run the command that the arguments name, and exit with its code."""
    _give_output()
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a character shows another; it is no reason to stop.
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")
    cli(prog_name="orchestrator")


def _give_output() -> None:
    """Put a place to write to where the caller has closed standard output or error."""
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 (it stays open for as long as the process)
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115
