"""`orchestrator runs`: the runs there are and were, what they ask, and how to end one or let it go on."""

from collections.abc import Mapping
from typing import Any

import click

from orchestrator.cli.client import Client, part, with_client
from orchestrator.cli.options import json_option, limit_option


@click.group()
def runs() -> None:
    """See runs, answer what they ask, cancel them, and retry those that failed."""


@runs.command("list")
@click.option("--status", metavar="STATUS", help="Only those with one status, such as running or failed.")
@click.option("--workflow", metavar="NAME", help="Only those of one workflow.")
@click.option("--label", metavar="K=V", help="Only those with this label.")
@limit_option(20)
@json_option
@with_client
def list_runs(
    client: Client, status: str | None, workflow: str | None, label: str | None, limit: int, as_json: bool
) -> None:
    """List runs, newest first."""
    from orchestrator.cli import render
    from orchestrator.cli.inputs import read_pairs

    wanted = ":".join(read_pairs([label], "--label")[0]) if label is not None else None
    filters = {"status": status, "workflow": workflow, "label": wanted}
    columns = ("id", "workflow", "status", "created", "took", "")
    started = "no runs; start one with `orchestrator run WORKFLOW`"
    none = started if all(value is None for value in filters.values()) else "no run is like that"
    render.tell_list(client.items("/runs", limit, **filters), as_json, columns, _row, none)


def _row(item: Mapping[str, Any]) -> tuple[Any, ...]:
    from orchestrator.cli import render

    return (
        item["id"],
        item["workflow"],
        render.colored(item["status"]),
        render.local(item["created_at"]),
        render.took(item),
        render.error_text(item["error"]) or _labels(item),
    )


@runs.command()
@click.argument("run")
@json_option
@with_client
def show(client: Client, run: str, as_json: bool) -> None:
    """Show one run: its steps, jobs, outputs and timeline."""
    from orchestrator.cli import progress, render
    from orchestrator.cli.asking import questions, settle_text
    from orchestrator.cli.narration import run_error, tell_all

    item = client.get(f"/runs/{part(run)}")
    if as_json:
        render.print_json(item)
        return
    out = render.console()
    out.print(render.run_heading(item))
    facts = ((name, render.shortened(value)) for name, value in (item["inputs"] or {}).items())
    about = (
        ("inputs", render.large_text(item.get("inputs_artifact"), client.server)),
        ("labels", _labels(item)),
        ("started by", render.started_by(item["trigger"])),
        ("step of", render.plain((item.get("parent") or {}).get("run"))),
        ("error", run_error(item["error"])),
    )
    out.print(render.pairs([*facts, *about]))
    out.print()
    out.print(render.step_table(item, progress.needs_of(client, item)))
    for _, text in questions(item, client.server):
        out.print(text, soft_wrap=True)
    _heading("jobs")
    listed = list(client.items("/jobs", run=run))
    for job in listed:
        use = f"{job['connection']}/{job['operation']}"
        out.print(
            render.plain(f"{job['id']}  {render.instance_name(job, 'step')}  {use}  {job['status']}"),
            markup=False,
        )
    for job in listed:
        if job["status"] == "uncertain":
            out.print(settle_text(job), soft_wrap=True)
    if item.get("notifications"):
        _heading("notifications")
        for one in item["notifications"]:
            click.echo(render.plain(_notification(one)))
    if outputs := render.run_outputs(item, client.server):
        _heading("outputs")
        for line in outputs:
            click.echo(line)
    _heading("timeline")
    for told in tell_all(client.items("/events", run=run)):
        out.print(told.text())


@runs.command()
@click.argument("run")
@click.option("--reason", metavar="TEXT", help="Why; kept in the log.")
@json_option
@with_client
def cancel(client: Client, run: str, reason: str | None, as_json: bool) -> None:
    """Ask a run to end. Nothing new is submitted; what the providers have accepted is still collected."""
    from orchestrator.cli import render

    item = client.post(f"/runs/{part(run)}/cancel", {} if reason is None else {"reason": reason})
    if as_json:
        render.print_json(item)
        return
    ends = "is cancelled" if item["status"] == "cancelled" else "is being cancelled"
    click.echo(f"{item['id']} {ends}")


@runs.command()
@click.argument("run")
@click.option(
    "--from", "from_step", metavar="STEP", help="Do this step and all after it anew, and pay again."
)
@json_option
@with_client
def retry(client: Client, run: str, from_step: str | None, as_json: bool) -> None:
    """
    Let a run go on that failed or was cancelled.

    What succeeded is kept and not paid for again; the rest is done again, with the definition it began with.
    Steps of which an earlier submit may have been accepted are named: they may be paid for twice.
    """
    from orchestrator.cli import render

    item = client.post(f"/runs/{part(run)}/retry", {} if from_step is None else {"from": from_step})
    if as_json:
        render.print_json(item)
        return
    paid_again = ", ".join(map(render.plain, item["paid_again"]))
    click.echo(f"{item['id']} goes on{f'; paid for again: {paid_again}' if paid_again else ''}")
    if unclear := ", ".join(map(render.plain, item["maybe_paid_twice"])):
        click.echo(f"perhaps paid for twice, as an earlier submit may have been accepted: {unclear}")


@runs.command()
@click.argument("run")
@click.option("--comment", metavar="TEXT", help="Why; kept in the log.")
@json_option
@with_client
def renotify(client: Client, run: str, comment: str | None, as_json: bool) -> None:
    """Tell everybody once more how a run ended, in messages with the same ids as before."""
    from orchestrator.cli import render

    item = client.post(f"/runs/{part(run)}/renotify", {} if comment is None else {"comment": comment})
    if as_json:
        render.print_json(item)
        return
    for one in item["notifications"]:
        click.echo(render.plain(f"{one['url']} is told once more"))


_comment = click.option("--comment", metavar="TEXT", help="Why; kept in the log and shown to the workflow.")
_by = click.option("--by", metavar="NAME", help="Who decides; kept in the log and shown to the workflow.")


@runs.command()
@click.argument("run")
@click.argument("step")
@click.option(
    "--choose",
    "chosen",
    type=int,
    multiple=True,
    metavar="N",
    help="A choice by its number, from 0; repeatable.",
)
@_comment
@_by
@json_option
@with_client
def approve(
    client: Client,
    run: str,
    step: str,
    chosen: tuple[int, ...],
    comment: str | None,
    by: str | None,
    as_json: bool,
) -> None:
    """
    Answer the question of a step with yes, and choose.

    STEP is the step's id; of a step with for_each that of an item, such as 'pick[1]'.
    """
    _decide(client, run, step, {"approved": True, "chosen": list(chosen)}, comment, by, as_json)


@runs.command()
@click.argument("run")
@click.argument("step")
@_comment
@_by
@json_option
@with_client
def reject(client: Client, run: str, step: str, comment: str | None, by: str | None, as_json: bool) -> None:
    """
    Answer the question of a step with no: the step fails.

    STEP is the step's id; of a step with for_each that of an item, such as 'pick[1]'.
    """
    _decide(client, run, step, {"approved": False}, comment, by, as_json)


def _decide(
    client: Client,
    run: str,
    step: str,
    decision: dict[str, Any],
    comment: str | None,
    by: str | None,
    as_json: bool,
) -> None:
    from orchestrator.cli import render

    said = {name: value for name, value in (("comment", comment), ("by", by)) if value is not None}
    item = client.post(f"/steps/{part(run)}/{part(step)}/decision", decision | said)
    if as_json:
        render.print_json(item)
        return
    click.echo(render.plain(f"{step} of {run} is {'approved' if decision['approved'] else 'rejected'}"))


def _notification(one: Mapping[str, Any]) -> str:
    from orchestrator.cli import render

    attempts = f", {one['attempts']} attempt{'' if one['attempts'] == 1 else 's'}"
    due = (
        f", next at {render.local(one['next_attempt_at'])}"
        if one["attempts"] and one["next_attempt_at"]
        else ""
    )
    error = f": {one['error']}" if one["error"] else ""
    return f"{one['url']}  {one['status'].replace('_', ' ')}{attempts}{due}{error}"


def _labels(item: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in item["labels"].items())


def _heading(text: str) -> None:
    click.secho(f"\n{text}", bold=True)
