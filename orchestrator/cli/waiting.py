"""`orchestrator waiting`: the waiting board, everything that waits, and what there is for it."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import click

from orchestrator.cli.client import Client, with_client
from orchestrator.cli.options import json_option, limit_option

Object = Mapping[str, Any]


@click.command(short_help="List what waits, and for what.")
@click.option("--connection", metavar="NAME", help="Only jobs of one connection.")
@click.option("--workflow", metavar="NAME", help="Only what runs of one workflow wait for.")
@click.option("--reason", metavar="WORD", help="Only what waits for one thing, such as budget or approval.")
@limit_option(200)
@json_option
@with_client
def waiting(
    client: Client,
    connection: str | None,
    workflow: str | None,
    reason: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """List every job that waits, and runs that wait for a place in their group, the longest waiting first."""
    from orchestrator.cli import render

    asked = {"connection": connection, "workflow": workflow, "reason": reason}
    items = list(client.items("/waiting", limit, **asked))
    if as_json:
        render.print_json(items)
        return
    now = datetime.now(UTC)
    render.show_list(_COLUMNS, [_row(item, now) for item in items], "nothing waits")
    _show_totals(client.get("/waiting", limit=1))


_COLUMNS = (
    "job",
    "waits for",
    "for",
    "step",
    "operation",
    "usually",
    "next check",
    "deadline",
    "last check",
    "credits",
    "workflow",
)


def _row(item: Object, now: datetime) -> tuple[str, ...]:
    from orchestrator.cli import render

    operation = f"{item['connection']}/{item['operation']}" if item["job"] else ""
    credits = item["credits_held"] or item["credits_asked"]
    return (
        item["job"] or item["run"],
        render.plain(item["waiting_for"]),
        render.took({"started_at": item["since"]}, now),
        render.instance_name(item, "step") if item["job"] else "",
        operation,
        _usual(item["usual_duration"]),
        render.local(item["next_check_at"]),
        render.local(item["deadline_at"]),
        render.local(item["last_check_at"]),
        render.amount(credits),
        render.plain(item["workflow"]),
    )


def _usual(duration: Mapping[str, float] | None) -> str:
    """Return what half of such tasks and nearly all of them take."""
    from orchestrator.cli import render

    if duration is None:
        return ""
    return f"{render.duration(duration['p50'])} to {render.duration(duration['p95'])}"


def _show_totals(totals: Object) -> None:
    """Print what there is for all that wait, where anything does: budgets and places in groups."""
    from orchestrator.cli import render

    budgets = [
        (
            each["connection"],
            f"{render.amount(each['used'])} of {render.amount(each['credits'])} per {each['per']}",
            render.local(each["until"]),
            str(each["waiting"]),
        )
        for each in totals.get("budgets", [])
    ]
    groups = [
        (
            f"{each['workflow']}/{each['group']}",
            f"{render.amount(each['used'])} of {render.amount(each['limit']) or '?'}",
            str(each["waiting"]),
        )
        for each in totals.get("groups", [])
    ]
    if budgets:
        click.echo()
        render.show_list(("budget", "used", "until", "jobs waiting"), budgets, "")
    if groups:
        click.echo()
        render.show_list(("group", "runs going on", "runs waiting"), groups, "")
