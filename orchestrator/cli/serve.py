"""`orchestrator serve`: the server."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from orchestrator.cli.options import config_option
from orchestrator.cli.trouble import Trouble
from orchestrator.errors import DefinitionError

if TYPE_CHECKING:
    from orchestrator.app import Running
    from orchestrator.settings import Settings

SANDBOX_DATA = Path("data/sandbox")
SHOWN = 5
"""Of so many runs that a start of the sandbox finds waiting in vain the ids are told."""


@click.command()
@config_option
@click.option("--sandbox", is_flag=True, help=f"Use simulated providers, with data in {SANDBOX_DATA}.")
@click.option("--allow-invalid", is_flag=True, help="Leave out workflow files with problems, with a warning.")
@click.option(
    "--log",
    "log_format",
    type=click.Choice(["text", "json"]),
    help="How log lines look on standard error.  [default: text on a terminal, else json]",
)
def serve(config: Path | None, sandbox: bool, allow_invalid: bool, log_format: str | None) -> None:
    """Run the server until Ctrl-C or SIGTERM."""
    from orchestrator import telemetry
    from orchestrator.settings import load

    telemetry.configure(json=log_format == "json" or (log_format is None and not sys.stderr.isatty()))
    settings = load(config, os.environ)
    try:
        if sandbox:
            _serve_sandbox(settings, allow_invalid)
        else:
            _serve(settings, allow_invalid)
    except DefinitionError as error:
        raise Trouble(invalid_workflows(error)) from error


def invalid_workflows(error: DefinitionError) -> str:
    """Return what is wrong with workflow files, and the ways out."""
    return (
        f"workflow files have problems:\n{error}\n"
        "Mend them, or leave such files out with --allow-invalid; `orchestrator validate` checks them alone."
    )


def _serve(settings: "Settings", allow_invalid: bool) -> None:
    from orchestrator import app

    app.serve(settings, allow_invalid=allow_invalid, ready=_say_ready)


def _serve_sandbox(settings: "Settings", allow_invalid: bool) -> None:
    from orchestrator.cli import background
    from orchestrator.rehearsal import sandbox
    from orchestrator.simulators.options import Options

    options = Options(kinds=sandbox.kinds(settings))
    with background.running(sandbox.simulated(options)) as simulators:
        click.echo(f"Simulated: {', '.join(options.kinds)} at {simulators.url}")
        if not settings.workflows.exists():
            click.echo(f"There is no folder '{settings.workflows}': the shipped examples take its place.")
        pointed = sandbox.pointed_at(settings, simulators, SANDBOX_DATA)
        for line in _forgotten(pointed.store_path):
            click.echo(line)
        _serve(pointed, allow_invalid)


def _forgotten(store: Path) -> Iterator[str]:
    """Say which runs wait for what simulated providers of an earlier start were doing."""
    from orchestrator.upkeep.interrupted import at_providers

    runs = at_providers(store)
    if not runs:
        return
    yield "The simulated providers remember nothing of earlier starts. These runs wait in vain:"
    yield from (f"  {run}" for run in runs[:SHOWN])
    if len(runs) > SHOWN:
        yield f"  and {len(runs) - SHOWN} more"
    yield "They are tried again, or fail when time is over; `orchestrator runs cancel RUN` ends one now."


def _say_ready(server: "Running") -> None:
    click.echo(f"Callbacks arrive at {server.public_url}, API at {server.admin_url}. Ctrl-C stops.")
    sys.stdout.flush()
