"""`orchestrator deliveries`: what came on callback URLs and hooks, exactly as it came."""

import sys
import time
from collections.abc import Mapping
from typing import Any

import click

from orchestrator.cli.client import Client, part, with_client
from orchestrator.cli.options import json_option, limit_option

PATIENCE_S = 5.0
"""How long to wait for what becomes of a delivery, which usually is known at once."""

SHOWN_BYTES_MAX = 16_384
"""A longer body is not put on a terminal unasked."""


@click.group()
def deliveries() -> None:
    """See what came on callback URLs and hooks, and have it processed once more."""


@deliveries.command("list")
@click.option("--job", metavar="ID", help="Only those for one job.")
@click.option("--hook", metavar="WORKFLOW", help="Only those on the hook of one workflow.")
@click.option("--status", metavar="VERDICT", help="Only those with one verdict, such as late or pending.")
@limit_option(20)
@json_option
@with_client
def list_deliveries(
    client: Client, job: str | None, hook: str | None, status: str | None, limit: int, as_json: bool
) -> None:
    """List deliveries, newest first."""
    from orchestrator.cli import render

    filters = {"job": job, "hook": hook, "status": status}
    columns = ("id", "received", "from", "verdict", "method", "size", "job or run")
    none = "no deliveries" if all(value is None for value in filters.values()) else "no delivery is like that"
    render.tell_list(client.items("/deliveries", limit, **filters), as_json, columns, _row, none)


def _row(item: Mapping[str, Any]) -> tuple[Any, ...]:
    from orchestrator.cli import render

    return (
        item["id"],
        render.local(item["received_at"]),
        item["connection"] or f"/hooks/{item['hook']}",
        render.colored(item["verdict"]),
        item["method"],
        render.size(item["size"]),
        item["job"] or item["run"] or "",
    )


@deliveries.command()
@click.argument("delivery")
@click.option(
    "--body", "only_body", is_flag=True, help="Print the exact bytes of its body, and nothing else."
)
@json_option
@with_client
def show(client: Client, delivery: str, only_body: bool, as_json: bool) -> None:
    """Show one delivery with its headers and body."""
    from orchestrator.cli import render

    if only_body and as_json:
        raise click.UsageError("--body prints the bytes as they came; leave out --json")
    path = f"/deliveries/{part(delivery)}"
    if only_body:
        sys.stdout.buffer.write(client.raw(f"{path}/body"))
        return
    item = client.get(path)
    if as_json:
        render.print_json(item)
        return
    out = render.console()
    out.print(render.pairs(_facts(item)))
    out.print(render.pairs([("query", item["query"]), *_headers(item)]))
    if 0 < item["size"] <= SHOWN_BYTES_MAX:
        click.echo("\n" + render.plain(client.raw(f"{path}/body").decode("utf-8", "replace")))
    elif item["size"]:
        click.echo(f"\nThe body is long: orchestrator deliveries show {delivery} --body > body")


@deliveries.command()
@click.argument("delivery")
@json_option
@with_client
def redeliver(client: Client, delivery: str, as_json: bool) -> None:
    """
    Have DELIVERY processed once more, as if the same request had come for the first time.

    It becomes a delivery of its own. Nothing has an effect twice: for a job that has ended it is late.
    """
    from orchestrator.cli import render

    item = _settled(client, client.post(f"/deliveries/{part(delivery)}/redeliver"))
    if as_json:
        render.print_json(item)
        return
    error = f": {item['error']}" if item["error"] else ""
    click.echo(render.plain(f"{item['id']} repeats {delivery} and is {item['verdict']}{error}"))


def _settled(client: Client, item: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the delivery once it is known what became of it, or as it is when that takes long."""
    until = time.monotonic() + PATIENCE_S
    while item["verdict"] == "pending" and time.monotonic() < until:
        time.sleep(0.05)
        item = client.get(f"/deliveries/{part(item['id'])}")
    return item


def _headers(item: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return [(f"{name}:", value) for name, value in item["headers"]]


def _facts(item: Mapping[str, Any]) -> list[tuple[str, Any]]:
    from orchestrator.cli import render

    names = ("id", "job", "connection", "hook", "run", "verdict", "duplicate_of", "redelivery_of", "error")
    request = f"{item['method']} {item['content_type']}, {render.size(item['size'])}, from {item['remote']}"
    received = ("received", render.local(item["received_at"]))
    return [*((name.replace("_", " "), item.get(name)) for name in names), received, ("request", request)]
