"""`orchestrator jobs`: each attempt of a step at a provider, what was sent and what came back."""

from collections.abc import Mapping
from typing import Any

import click

from orchestrator.cli.client import Client, part, with_client
from orchestrator.cli.options import json_option, limit_option


@click.group()
def jobs() -> None:
    """See jobs, one attempt of one step each, and settle those that are uncertain."""


@jobs.command("list")
@click.option("--run", metavar="ID", help="Only those of one run.")
@click.option("--status", metavar="STATUS", help="Only those with one status, such as waiting or uncertain.")
@click.option("--connection", metavar="NAME", help="Only those at one connection.")
@limit_option(20)
@json_option
@with_client
def list_jobs(
    client: Client, run: str | None, status: str | None, connection: str | None, limit: int, as_json: bool
) -> None:
    """List jobs, newest first."""
    from orchestrator.cli import render

    filters = {"run": run, "status": status, "connection": connection}
    columns = ("id", "step", "operation", "status", "created", "took", "task", "run")
    none = "no job is like that" if any(value is not None for value in filters.values()) else "no jobs"
    render.tell_list(client.items("/jobs", limit, **filters), as_json, columns, _row, none)


@jobs.command()
@click.argument("job")
@json_option
@with_client
def show(client: Client, job: str, as_json: bool) -> None:
    """Show one job: the request as sent, the answers, the deliveries."""
    from orchestrator.cli import render
    from orchestrator.cli.asking import settle_text
    from orchestrator.cli.narration import Narrator

    item = client.get(f"/jobs/{part(job)}")
    if as_json:
        render.print_json(item)
        return
    out = render.console()
    out.print(render.pairs(_facts(item)))
    if item["status"] == "uncertain" or item.get("unseen"):
        out.print(settle_text(item), soft_wrap=True)
    for name in ("request", "response"):
        if item.get(name) is not None:
            click.secho(f"\n{name}", bold=True)
            click.echo(render.pretty(item[name]))
    narrator = Narrator(look_up=lambda _: item)
    if item.get("answers"):
        click.secho("\nwhat became known", bold=True)
    for answer in item.get("answers") or ():
        out.print(narrator.tell(answer).text())


@jobs.command()
@click.argument("job")
@click.option(
    "--adopt", "task_id", metavar="TASK_ID", help="It was accepted: the provider has it as this task."
)
@click.option("--resubmit", is_flag=True, help="Send it once more; both may have to be paid.")
@click.option("--fail", is_flag=True, help="Give it up: job and step fail.")
@click.option(
    "--unchecked", is_flag=True, help="With --adopt: do not ask the provider whether it has the task."
)
@click.option("--comment", metavar="TEXT", help="Why; kept in the log.")
@json_option
@with_client
def resolve(
    client: Client,
    job: str,
    task_id: str | None,
    unchecked: bool,
    resubmit: bool,
    fail: bool,
    comment: str | None,
    as_json: bool,
) -> None:
    """Settle a job whose submit nobody answered. Look at the provider's own pages first."""
    from orchestrator.cli import render

    chosen = {"adopt": task_id is not None, "resubmit": resubmit, "fail": fail}
    actions = [action for action, is_meant in chosen.items() if is_meant]
    if len(actions) != 1:
        raise click.UsageError("say one of --adopt TASK_ID, --resubmit and --fail")
    if unchecked and task_id is None:
        raise click.UsageError("--unchecked needs --adopt TASK_ID")
    given = {
        "action": actions[0],
        "task_id": task_id,
        "comment": comment,
        "unchecked": unchecked or None,
    }
    body = {name: value for name, value in given.items() if value is not None}
    item = client.post(f"/jobs/{part(job)}/resolve", body)
    if as_json:
        render.print_json(item)
        return
    results = {
        "adopt": f"goes on with the task {task_id}",
        "resubmit": "has ended; another attempt is on its way",
        "fail": "has failed",
    }
    click.echo(render.plain(f"{item['id']} {results[actions[0]]}"))
    if item.get("unseen"):
        known = f"Whether {render.plain(item['connection'])} has that task is not known."
        click.echo(f"{known} Until it is seen there, the job can be settled again.")


def _row(item: Mapping[str, Any]) -> tuple[Any, ...]:
    from orchestrator.cli import render

    return (
        item["id"],
        render.instance_name(item, "step"),
        f"{item['connection']}/{item['operation']}",
        render.colored(item["status"]),
        render.local(item["created_at"]),
        render.took(item),
        item["task_id"],
        item["run"],
    )


def _facts(item: Mapping[str, Any]) -> list[tuple[str, Any]]:
    from orchestrator.cli import render

    times = ("created_at", "submitted_at", "next_check_at", "deadline_at", "finished_at")
    return [
        ("id", item["id"]),
        ("run", item["run"]),
        ("step", render.instance_name(item, "step")),
        ("attempt", str(item["attempt"])),
        ("operation", f"{item['connection']}/{item['operation']}"),
        ("status", render.colored(item["status"])),
        ("task", item["task_id"]),
        ("credits", render.amount(item["credits"])),
        ("error", render.error_text(item["error"])),
        *((name.removesuffix("_at").replace("_", " "), render.local(item[name])) for name in times),
        ("deliveries", ", ".join(item.get("deliveries") or ())),
    ]
