"""`orchestrator doctor`: is everything right, before money is spent?"""

import os
from pathlib import Path

import click

from orchestrator.cli.options import config_option, json_option
from orchestrator.cli.trouble import FAILED

MARKS = {True: "✓", False: "✗", None: "!"}


@click.command(short_help="Check settings, store, credentials and public_url.")
@config_option
@click.option(
    "--online/--offline",
    default=True,
    show_default=True,
    help="Whether providers and public_url are asked too; it costs nothing.",
)
@json_option
@click.pass_context
def doctor(context: click.Context, config: Path | None, online: bool, as_json: bool) -> None:
    """
    Check what has to be right before money is spent; nothing is changed.

    Prints a line for each thing: ✓ it is well, ! somebody should know, ✗ it does not work, with what to
    do. Exit code 1 where there is a ✗. Call it as the user that the server runs as.
    """
    from orchestrator import telemetry
    from orchestrator.cli import render
    from orchestrator.doctor import diagnose

    telemetry.configure(json=False, level="error")
    findings = diagnose(config, os.environ, online=online)
    if as_json:
        render.print_json([finding.to_json() for finding in findings])
    else:
        for finding in findings:
            click.echo(f"{MARKS[finding.ok]} {finding.check}: {render.plain(finding.message)}")
            if finding.advice is not None:
                click.echo(f"    {render.plain(finding.advice)}")
    if any(finding.ok is False for finding in findings):
        context.exit(FAILED)
