"""`orchestrator events`: the log in words, or as CloudEvents for machines."""

from collections.abc import Iterator, Mapping
from contextlib import nullcontext, suppress
from typing import Any

import click

from orchestrator.cli.client import Client, Refusal, part, with_client

RECENT = "1h"
"""How far back is shown where nobody said."""


@click.command()
@click.option("--follow", "-f", is_flag=True, help="Go on with what happens from now on, until Ctrl-C.")
@click.option("--run", metavar="ID", help="Only one run; from its beginning.")
@click.option("--type", "types", multiple=True, metavar="PATTERN", help="Only some kinds, such as 'job.*'.")
@click.option(
    "--since",
    metavar="TIME",
    help=f"A duration such as 1h, or a time such as 2026-11-20T17:00:00Z.  [default: {RECENT}, but the "
    "whole of a run, and nothing old with --follow alone]",
)
@click.option("--json", "as_json", is_flag=True, help="Print CloudEvents, one a line, and nothing else.")
@with_client
def events(
    client: Client, follow: bool, run: str | None, types: tuple[str, ...], since: str | None, as_json: bool
) -> None:
    """Show what happened: when, what, and why. Oldest first."""
    from orchestrator.cli import render
    from orchestrator.cli.narration import Narrator

    is_empty = True
    narrator, out = Narrator(look_up=lambda job: _job(client, job)), render.console()
    # Ctrl-C is how following ends.
    with suppress(KeyboardInterrupt) if follow else nullcontext():
        for event in _wanted(client, follow, since, {"run": run, "type": ",".join(types) if types else None}):
            is_empty = False
            if as_json:
                render.print_line(event)
            else:
                out.print(narrator.tell(event).text())
    if is_empty and not follow and not as_json:
        is_recent = since is None and run is None
        asked = f"in the last {RECENT}; --since 7d looks further back" if is_recent else "like that"
        click.echo(f"no events {asked}", err=True)


def _wanted(
    client: Client, follow: bool, since: str | None, query: Mapping[str, Any]
) -> Iterator[Mapping[str, Any]]:
    last: int | None = None
    if not follow or since is not None:
        if since is None and query["run"] is None:
            since = RECENT
        for event in client.items("/events", since=since, **query):
            last = int(event["sequence"])
            yield event
    elif query["run"] is not None:
        last = 0
    if follow:
        yield from client.follow(last, on_loss=_say_lost, **query)


def _say_lost(reason: str) -> None:
    click.echo(f"({reason}; trying again)", err=True)


def _job(client: Client, job: str) -> Mapping[str, Any] | None:
    try:
        return dict(client.get(f"/jobs/{part(job)}"))
    except Refusal:
        return None
