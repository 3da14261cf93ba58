"""`orchestrator connections`: the configured accounts, their credits and limits."""

import click

from orchestrator.cli.client import Client, with_client
from orchestrator.cli.options import json_option


@click.group()
def connections() -> None:
    """See the accounts at providers."""


@connections.command("list")
@json_option
@with_client
def list_connections(client: Client, as_json: bool) -> None:
    """List the connections with status, credits, tasks in flight and limits."""
    from orchestrator.cli import render

    items = client.get("/connections")["items"]
    if as_json:
        render.print_json(items)
        return
    rows = [
        (
            item["name"],
            item["kind"],
            render.colored(item["status"]),
            render.amount(item["credits"]),
            str(item["in_flight"]),
            ", ".join(item["limits"]) or "none",
            " ".join(filter(None, (item["reason"], _until(item["paused_until"])))),
        )
        for item in items
    ]
    columns = ("name", "kind", "status", "credits", "in flight", "limits", "")
    render.show_list(columns, rows, "no connections; describe one in orchestrator.toml as [providers.<name>]")


def _until(text: str | None) -> str:
    from orchestrator.cli.render import local

    return f"until {local(text)}" if text else ""
