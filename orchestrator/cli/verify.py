"""`orchestrator verify`: is the log as it was written, and do all lists say what it says?"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from orchestrator.cli.options import config_option, json_option
from orchestrator.cli.trouble import FAILED
from orchestrator.cli.validate import counted

if TYPE_CHECKING:
    from orchestrator.upkeep.verify import Verified


@click.command(short_help="Check the log, or an exported run.")
@click.argument(
    "file", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=False, metavar="[FILE]"
)
@click.option("--artifacts", is_flag=True, help="Also read every file that runs refer to; takes its time.")
@config_option
@json_option
@click.pass_context
def verify(
    context: click.Context, file: Path | None, artifacts: bool, config: Path | None, as_json: bool
) -> None:
    """
    Fold the log of every run, and compare what comes out with what lists and pages show.

    With FILE, a run that `orchestrator export` wrote, the same is done with that alone. Otherwise it is
    the database of the settings, also while a server runs. The first difference is told, and every file
    that is missing or damaged, with exit code 1.
    """
    from orchestrator.cli import render

    if file is not None and artifacts:
        raise click.UsageError("--artifacts reads the files of the settings' runs; an exported run has none")
    done = _verified(file, config, artifacts)
    if as_json:
        render.print_json(done.to_json())
    else:
        for line in _lines(done):
            click.echo(render.plain(line))
    if not done.is_sound:
        context.exit(FAILED)


def _lines(done: "Verified") -> Iterator[str]:
    from orchestrator.cli.render import size

    if done.difference is not None:
        yield str(done.difference)
    else:
        yield f"As written: {counted(done.runs, 'run')} with {counted(done.events, 'event')}"
    if done.files is not None:
        yield from map(str, done.files.unsound)
        yield f"As stored: {counted(done.files.count, 'file')} of {size(done.files.bytes)}"


def _verified(file: Path | None, config: Path | None, artifacts: bool) -> "Verified":
    from orchestrator.cli.db import settings_of, told
    from orchestrator.clock import SystemClock
    from orchestrator.upkeep.verify import verify_file, verify_store

    if file is not None:
        return verify_file(file)
    with told():
        return verify_store(settings_of(config), files=artifacts, now=SystemClock().now())
