"""`orchestrator connections`: the configured accounts, their credits and limits; check, pause, resume."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from orchestrator.cli.client import Client, part, with_client
from orchestrator.cli.options import json_option
from orchestrator.cli.trouble import FAILED, Trouble

Object = Mapping[str, Any]

MARKS = {True: "✓", False: "✗", None: "!"}


@click.group()
def connections() -> None:
    """See the accounts at providers, check them, pause and resume them."""


@connections.command("list")
@json_option
@with_client
def list_connections(client: Client, as_json: bool) -> None:
    """List the connections with status, credits, tasks in flight and limits."""
    _show(client.get("/connections")["items"], as_json)


@connections.command()
@click.argument("names", nargs=-1, metavar="[CONNECTION]…")
@json_option
@with_client
@click.pass_context
def check(context: click.Context, client: Client, names: tuple[str, ...], as_json: bool) -> None:
    """
    Ask providers something that costs nothing: are the credentials accepted, what is the balance?

    Without a name all connections are asked. Exit code 1 when one of them has a problem.
    """
    from orchestrator.cli import render

    asked = dict.fromkeys(names) or tuple(item["name"] for item in client.get("/connections")["items"])
    found = []
    for name in asked:
        item = client.post(f"/connections/{part(name)}/check")
        found.append(item)
        if not as_json:
            told = item["check"]
            balance = "" if item["credits"] is None else f" (credits: {render.amount(item['credits'])})"
            click.echo(f"{MARKS[told['ok']]} {render.plain(name)}: {render.plain(told['message'])}{balance}")
    if as_json:
        render.print_json(found)
    if any(item["check"]["ok"] is False for item in found):
        context.exit(FAILED)


@connections.command()
@click.argument("name", metavar="CONNECTION")
@click.option("--reason", metavar="TEXT", help="Why; shown wherever the connection is.")
@click.option("--for", "length", metavar="TIME", help="For how long, such as 30m or 2h.")
@click.option("--until", metavar="TIME", help="Until when, such as 2026-11-20T18:00:00Z.")
@json_option
@with_client
def pause(
    client: Client, name: str, reason: str | None, length: str | None, until: str | None, as_json: bool
) -> None:
    """
    Submit nothing more over CONNECTION until it is resumed. What runs there already goes on.

    Without --for and --until it stays paused until `connections resume`, also over a restart.
    """
    if length is not None and until is not None:
        raise Trouble("give either --for or --until")
    body = {"reason": reason, "until": until if length is None else _after(length)}
    given = {key: value for key, value in body.items() if value is not None}
    _show([client.post(f"/connections/{part(name)}/pause", given)], as_json, alone=True)


@connections.command()
@click.argument("name", metavar="CONNECTION")
@json_option
@with_client
def resume(client: Client, name: str, as_json: bool) -> None:
    """Submit over CONNECTION again, whatever it was paused for."""
    _show([client.post(f"/connections/{part(name)}/resume")], as_json, alone=True)


def _after(length: str) -> str:
    from orchestrator.durations import seconds

    try:
        pause_s = seconds(length)
        end = datetime.now(UTC) + timedelta(seconds=pause_s)
    except (ValueError, OverflowError) as error:
        raise Trouble(f"--for: {error}") from error
    if not pause_s:
        raise Trouble("--for: a pause has to be longer than nothing")
    return end.isoformat()


def _show(items: Sequence[Object], as_json: bool, *, alone: bool = False) -> None:
    from orchestrator.cli import render

    if as_json:
        render.print_json(items[0] if alone else items)
        return
    rows = [
        (
            item["name"],
            item["kind"],
            render.colored(item["status"]),
            render.amount(item["credits"]),
            _budget(item["budget"]),
            str(item["in_flight"]),
            ", ".join(item["limits"]) or "none",
            " ".join(filter(None, (item["reason"], _until(item["paused_until"])))),
        )
        for item in items
    ]
    columns = ("name", "kind", "status", "credits", "budget", "in flight", "limits", "")
    render.show_list(columns, rows, "no connections; describe one in orchestrator.toml as [providers.<name>]")


def _budget(budget: Object | None) -> str:
    from orchestrator.cli.render import amount

    if budget is None:
        return "none"
    return f"{amount(budget['used'])} of {amount(budget['credits'])} per {budget['per']}"


def _until(text: str | None) -> str:
    from orchestrator.cli.render import local

    return f"until {local(text)}" if text else ""
