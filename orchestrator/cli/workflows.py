"""`orchestrator workflows`: what runs can be started of on the server."""

import os
from collections.abc import Mapping
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

    columns = ("name", "steps", "next run", "description")
    none = "the server's workflows folder holds none"
    render.tell_list(client.get("/workflows")["items"], as_json, columns, _row, none)


def _row(item: Mapping[str, Any]) -> tuple[str, ...]:
    return item["name"], str(len(item["steps"])), _next(item), " ".join(item["description"].split())


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
    from orchestrator.cli import workflow_view

    workflow_view.show(item, render.console())


def _next(item: Mapping[str, Any]) -> str:
    """Return when the next run of a schedule begins, on the reader's own clock."""
    from orchestrator.cli import render

    instants = [schedule["next_at"] for schedule in item["triggers"]["schedules"] if schedule["next_at"]]
    return render.local(min(instants, default=None))
