"""`orchestrator export`: a run as a file of its own."""

import sys

import click

from orchestrator.cli.client import Client, part, with_client


@click.command(short_help="Write a run as JSON lines.")
@click.argument("run")
@with_client
def export(client: Client, run: str) -> None:
    """
    Write RUN to standard output: its definition, events, rows and raw deliveries, as CloudEvents lines.

    `orchestrator verify FILE` checks such a file without a server.
    """
    for piece in client.pieces(f"/runs/{part(run)}/export"):
        sys.stdout.buffer.write(piece)
    sys.stdout.buffer.flush()
