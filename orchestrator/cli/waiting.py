"""`orchestrator waiting`: the waiting board, every job that waits for the outside world."""

from datetime import UTC, datetime

import click

from orchestrator.cli.client import Client, with_client
from orchestrator.cli.options import json_option, limit_option


@click.command(short_help="List what waits for the outside world.")
@limit_option(200)
@json_option
@with_client
def waiting(client: Client, limit: int, as_json: bool) -> None:
    """List every job that waits for the outside world, the longest waiting first."""
    from orchestrator.cli import render

    items = list(client.items("/waiting", limit))
    if as_json:
        render.print_json(items)
        return
    now = datetime.now(UTC)
    rows = [
        (
            item["job"],
            render.instance_name(item, "step"),
            f"{item['connection']}/{item['operation']}",
            item["waiting_for"],
            render.took({"started_at": item["since"]}, now),
            render.local(item["last_check_at"]),
            render.local(item["next_check_at"]),
            render.local(item["deadline_at"]),
        )
        for item in items
    ]
    columns = ("job", "step", "operation", "waits for", "for", "last check", "next check", "deadline")
    render.show_list(columns, rows, "nothing waits")
