"""`orchestrator run`: starts a run, and follows it to its end if asked to."""

from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import click

from orchestrator.cli.client import Client, part, with_client
from orchestrator.cli.options import json_option
from orchestrator.cli.trouble import FAILED, Unreachable


@click.command(short_help="Start a run.")
@click.argument("workflow")
@click.option(
    "-i",
    "--input",
    "pairs",
    multiple=True,
    metavar="KEY=VALUE",
    help="An input: text where the schema says string, else JSON; @FILE uploads; again appends to an array.",
)
@click.option(
    "--inputs",
    "file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Inputs as JSON or YAML (- for standard input); -i wins.",
)
@click.option(
    "--label", "labels", multiple=True, metavar="K=V", help="A label to find the run by; repeatable."
)
@click.option(
    "--notify",
    "targets",
    multiple=True,
    metavar="URL",
    help="Tell this address how it ended; also as JSON with url, secret and on; repeatable.",
)
@click.option("--wait", is_flag=True, help="Show progress until the end; exit 0 if it succeeded, else 1.")
@click.option(
    "--dry-run",
    is_flag=True,
    help="Only tell what it would do and cost, and send and store nothing; exit 1 if it could not succeed.",
)
@json_option
@with_client
@click.pass_context
def run(
    context: click.Context,
    client: Client,
    workflow: str,
    pairs: tuple[str, ...],
    file: Path | None,
    labels: tuple[str, ...],
    targets: tuple[str, ...],
    wait: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Start a run of WORKFLOW."""
    from orchestrator.cli import inputs, progress, render
    from orchestrator.cli.narration import run_error

    if wait and dry_run:
        raise click.UsageError("there is nothing to wait for with --dry-run")
    given, named = inputs.read_pairs(pairs, "-i"), inputs.read_labels(labels)
    notify, from_file = inputs.read_targets(targets), inputs.read_file(file)
    schemas = client.get(f"/workflows/{part(workflow)}")["inputs"]
    send = inputs.data_uri if dry_run else partial(upload, client)
    body = {
        "workflow": workflow,
        "inputs": from_file | inputs.build(given, schemas, send),
        "labels": named,
        "notify": notify,
    }
    if dry_run:
        _tell_outlook(context, client.post("/runs", body | {"dry_run": True}), as_json)
        return
    started = start(client, body)
    if not wait:
        _show_started(started, as_json)
        return
    console = render.console(stderr=True)
    if not console.is_terminal:
        progress.say(f"{started['workflow']}  {started['id']}")
    try:
        ended = progress.follow(client, started["id"], console)
    except KeyboardInterrupt:
        # Not click's "Aborted!": that is just what the run is not.
        progress.say(f"\nThe run goes on: orchestrator runs show {started['id']} (or runs cancel)")
        context.exit(FAILED)
    if as_json:
        render.print_json(ended)
    else:
        for line in render.run_outputs(ended, client.server):
            click.echo(line)
    if ended["status"] != "succeeded":
        progress.say(f"the run {ended['status']}: {run_error(ended['error'])}".rstrip(": "))
        context.exit(FAILED)


def _tell_outlook(context: click.Context, found: dict[str, Any], as_json: bool) -> None:
    from orchestrator.cli import outlook, render

    if as_json:
        render.print_json(found)
    else:
        outlook.show(found, render.console())
    if not found["possible"]:
        context.exit(FAILED)


def upload(client: Client, path: Path) -> str:
    """Send a file to the server and return the reference that stands for it in inputs."""
    return f"artifact:{client.upload(path)['digest']}"


def start(client: Client, body: dict[str, Any]) -> dict[str, Any]:
    """Start a run; should the answer get lost, ask again under the same key, which gives the same run."""
    key = {"Idempotency-Key": f"cli-{uuid4()}"}
    try:
        started = client.post("/runs", body, key)
    except Unreachable:
        started = client.post("/runs", body, key)
    return dict(started)


def _show_started(started: dict[str, Any], as_json: bool) -> None:
    from orchestrator.cli import progress, render

    if as_json:
        render.print_json(started)
        return
    click.echo(started["id"])
    progress.say(f"follow it with: orchestrator events --follow --run {started['id']}")
