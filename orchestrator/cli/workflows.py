"""`orchestrator workflows`: what runs can be started of on the server."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from orchestrator.cli.client import Client, part, with_client
from orchestrator.cli.options import config_option, json_option


@click.group()
def workflows() -> None:
    """See the workflows that the server has read."""


@workflows.command("list")
@json_option
@with_client
def list_workflows(client: Client, as_json: bool) -> None:
    """List the workflows by name."""
    from orchestrator.cli import render

    items = client.get("/workflows")["items"]
    if as_json:
        render.print_json(items)
        return
    rows = [(item["name"], str(len(item["steps"])), _next(item), item["description"]) for item in items]
    render.show_list(
        ("name", "steps", "next run", "description"), rows, "the server's workflows folder holds none"
    )


@workflows.command()
@config_option
def schema(config: Path | None) -> None:
    """
    Print the JSON Schema of workflow files, for editors.

    It knows the connections of the settings with all their operations; where these have none, every kind of
    provider counts as a connection of its own name. No server is needed.
    """
    from orchestrator.cli.render import print_json
    from orchestrator.cli.validate import connected, known_secrets
    from orchestrator.definition.editor_schema import editor_schema
    from orchestrator.operations.plans import catalog
    from orchestrator.settings import load

    settings = load(config, os.environ)
    print_json(editor_schema(catalog(connected(settings)), known_secrets(settings)))


@workflows.command()
@click.argument("name")
@json_option
@with_client
def show(client: Client, name: str, as_json: bool) -> None:
    """Show one workflow: its inputs, steps and outputs."""
    from orchestrator.cli import render

    item = client.get(f"/workflows/{part(name)}")
    if as_json:
        render.print_json(item)
        return
    out = render.console()
    facts = ("name", "description", "file", "digest")
    out.print(render.pairs((fact, item.get(fact)) for fact in facts))
    inputs = [
        (key, "required" if key in item["required"] else "", schema) for key, schema in item["inputs"].items()
    ]
    steps = [
        (step["id"], step["uses"], ", ".join(step["needs"]), "for each" if step["for_each"] else "")
        for step in item["steps"]
    ]
    out.print()
    out.print(render.table(("input", "", "schema"), inputs))
    out.print()
    out.print(render.table(("step", "uses", "needs", ""), steps))
    out.print()
    out.print(render.pairs([("outputs", ", ".join(item["outputs"]))]))
    if started_by := list(_triggers(item)):
        out.print()
        out.print(render.table(("started by", "", "next"), started_by))


def _next(item: Mapping[str, Any]) -> str:
    """Return when the next run of a schedule begins, on the reader's own clock."""
    from orchestrator.cli import render

    instants = [schedule["next_at"] for schedule in item["triggers"]["schedules"] if schedule["next_at"]]
    return render.local(min(instants, default=None))


def _triggers(item: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Yield what starts runs besides people: kind, what exactly, and the next time where that is known."""
    from orchestrator.cli import render

    triggers = item["triggers"]
    webhook = triggers["webhook"]
    if webhook is not None:
        verified = f"verified by {webhook['scheme']}" if webhook["scheme"] else "from anybody"
        yield "webhook", f"POST {webhook['path']} {verified}", ""
    for schedule in triggers["schedules"]:
        missed = "; one run for what was missed" if schedule["missed"] == "run_once" else ""
        yield (
            "schedule",
            f"{schedule['cron']} {schedule['timezone']}{missed}",
            render.local(schedule["next_at"]),
        )
    for run in triggers["runs"]:
        yield "run", f"of {run['workflow']}: {', '.join(run['statuses'])}", ""
