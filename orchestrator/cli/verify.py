"""`orchestrator verify`: is the log as it was written, and do all lists say what it says?"""

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
@config_option
@json_option
@click.pass_context
def verify(context: click.Context, file: Path | None, config: Path | None, as_json: bool) -> None:
    """
    Fold the log of every run, and compare what comes out with what lists and pages show.

    With FILE, a run that `orchestrator export` wrote, the same is done with that alone. Otherwise it is
    the database of the settings, also while a server runs. The first difference is told, with exit code 1.
    """
    from orchestrator.cli import render

    done = _verified(file, config)
    if as_json:
        render.print_json(done.to_json())
    elif done.difference is not None:
        click.echo(render.plain(str(done.difference)))
    else:
        click.echo(f"As written: {counted(done.runs, 'run')} with {counted(done.events, 'event')}")
    if done.difference is not None:
        context.exit(FAILED)


def _verified(file: Path | None, config: Path | None) -> "Verified":
    from orchestrator.cli.db import settings_of, told
    from orchestrator.upkeep.verify import verify_file, verify_store

    if file is not None:
        return verify_file(file)
    with told():
        return verify_store(settings_of(config))
