"""`orchestrator workflows`: what runs can be started of on the server."""

import click

from orchestrator.cli.client import Client, part, with_client
from orchestrator.cli.options import json_option


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
    rows = [(item["name"], str(len(item["steps"])), item["description"]) for item in items]
    render.show_list(("name", "steps", "description"), rows, "the server's workflows folder holds none")


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
