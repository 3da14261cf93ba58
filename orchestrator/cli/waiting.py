"""`orchestrator waiting`: the waiting board, every job that waits for the outside world."""

from collections.abc import Mapping
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
            _usual(item["usual_duration"]),
            render.local(item["last_check_at"]),
            render.local(item["next_check_at"]),
            render.local(item["deadline_at"]),
            render.amount(item["credits_held"]),
        )
        for item in items
    ]
    columns = (
        "job",
        "step",
        "operation",
        "waits for",
        "for",
        "usually",
        "last check",
        "next check",
        "deadline",
        "credits",
    )
    render.show_list(columns, rows, "nothing waits")


def _usual(duration: Mapping[str, float] | None) -> str:
    """Return what half of such tasks and nearly all of them take."""
    from orchestrator.cli import render

    if duration is None:
        return ""
    return f"{render.duration(duration['p50'])} to {render.duration(duration['p95'])}"
