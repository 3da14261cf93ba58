"""`orchestrator demo`: everything at once, against simulated providers, without accounts."""

import os
import shutil
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orchestrator.cli.client import Client
from orchestrator.cli.trouble import FAILED, Trouble

if TYPE_CHECKING:
    from rich.console import Console

    from orchestrator.app import Running
    from orchestrator.definition.workflow import Workflow
    from orchestrator.settings import Settings
    from orchestrator.simulators.server import Running as Simulators

WORKFLOW = "fashion-shoot"
"""The main one, which runs unless another is named."""


@click.command(short_help="See it all work, without accounts.")
@click.option("--exit", "is_short", is_flag=True, help="Stop after the run: exit 0 if it succeeded, else 1.")
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="A fresh folder for what is made.  [default: data/demo-<time>]",
)
@click.option(
    "--workflow",
    "name",
    default=WORKFLOW,
    show_default=True,
    metavar="NAME",
    help="Which example to run; `list` names them.",
)
@click.pass_context
def demo(context: click.Context, is_short: bool, data: Path | None, name: str) -> None:
    """
    Run an example against simulated providers, and show what happens.

    By default the main one: a virtual model, three product pictures with it, each enhanced to twice its
    size. Pictures that an example wants handed in are drawn. The server then goes on until Ctrl-C. What it
    made stays in the data folder.
    """
    from orchestrator.cli import render
    from orchestrator.cli.simulate import until_stopped

    example = _example(name)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    folder = _fresh(data)
    out = render.console()
    with _everything(example, folder) as (simulators, server):
        click.echo(f"Simulated providers, a server at {server.admin_url}, data in {folder}")
        client = Client(server.admin_url)
        drawn = _drawn(example, folder)
        run = _run(client, example, drawn, out)
        _show_pictures(run, server, folder, out)
        _show_log(client, run, out)
        click.echo(f"\nCredits, by the simulated providers' own books: {_charges(simulators)}")
        _show_ways_on(client, run, drawn, folder)
        if not is_short:
            click.echo("\nThe server goes on. Ctrl-C stops it.")
            sys.stdout.flush()
            until_stopped()
    if run["status"] != "succeeded":
        context.exit(FAILED)


# --- which example ---------------------------------------------------------------------------


def _example(name: str) -> "Workflow":
    """Return a shipped workflow. Errors: Trouble naming those there are; ends the command for `list`."""
    from orchestrator.cli.validate import any_account
    from orchestrator.operations.plans import catalog
    from orchestrator.operations.workflows import read
    from orchestrator.rehearsal import sandbox

    examples = read([sandbox.SHIPPED], catalog(any_account())).workflows
    if name == "list":
        width = max(map(len, examples))
        click.echo("\n".join(f"{each.name:<{width}}  {each.description}" for each in examples.values()))
        raise click.exceptions.Exit(0)
    if name not in examples:
        raise Trouble(f"--workflow: there is no example '{name}' (there are: {', '.join(examples)})")
    return examples[name]


def _kinds(example: "Workflow") -> tuple[str, ...]:
    """Return the kinds of provider that *example* uses: each is a connection of the same name."""
    from orchestrator.simulators.server import SIMULATORS

    used = {step.connection for step in example.steps.values()}
    return tuple(kind for kind in SIMULATORS if kind in used)


# --- what has to run -------------------------------------------------------------------------


def _fresh(data: Path | None) -> Path:
    """Return a folder that is there and empty. Errors: Trouble."""
    folder = data or Path("data") / f"demo-{datetime.now():%Y%m%d-%H%M%S}"
    if folder.exists() and any(folder.iterdir()):
        raise Trouble(f"{folder} is not empty: the demo begins with a fresh folder; name another with --data")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def _everything(example: "Workflow", folder: Path) -> "Iterator[tuple[Simulators, Running]]":
    """Run a server, and simulators of what *example* uses; what they log goes into a file in *folder*."""
    from orchestrator import app, telemetry
    from orchestrator.cli import background
    from orchestrator.rehearsal import sandbox
    from orchestrator.simulators.options import Options

    with (folder / "server.log").open("ab", buffering=0) as log:
        telemetry.configure(json=False, stream=log)
        with background.running(sandbox.simulated(Options(kinds=_kinds(example)))) as simulators:
            joined = app.build(_settings(example, simulators, folder))
            with background.running(joined.running()) as server:
                yield simulators, server


def _settings(example: "Workflow", simulators: "Simulators", folder: Path) -> "Settings":
    """Return settings that owe nothing to the files and variables around: a demo is always the same."""
    from orchestrator.rehearsal import sandbox
    from orchestrator.settings import Address, Listen, Settings

    free = Address(sandbox.LOOPBACK, 0)
    own = Settings(
        listen=Listen(public=free, admin=free),
        workflows=sandbox.SHIPPED / f"{example.name}.yaml",
        providers={kind: {} for kind in _kinds(example)},
    )
    return sandbox.pointed_at(own, simulators, folder)


# --- the run ---------------------------------------------------------------------------------


def _drawn(example: "Workflow", folder: Path) -> dict[str, Path]:
    """Return a picture for each input that has to be handed in."""
    from orchestrator.rehearsal.drawings import draw, is_picture

    drawn = draw((name for name in example.required if is_picture(example.inputs[name])), folder)
    for path in drawn.values():
        click.echo(f"Picture drawn and uploaded: {path}")
    click.echo()
    return drawn


def _run(client: Client, example: "Workflow", drawn: Mapping[str, Path], out: "Console") -> dict[str, Any]:
    from orchestrator.cli import progress
    from orchestrator.cli.run import start, upload

    inputs: dict[str, Any] = {}
    for name, path in drawn.items():
        sent = upload(client, path)
        inputs[name] = [sent] if example.inputs[name].get("type") == "array" else sent
    started = start(client, {"workflow": example.name, "inputs": inputs, "labels": {"from": "demo"}})
    return progress.follow(client, started["id"], out)


# --- what came of it -------------------------------------------------------------------------


def _show_pictures(run: Mapping[str, Any], server: "Running", folder: Path, out: "Console") -> None:
    """Show every picture of the run with its path; copies get names that a person can find."""
    from orchestrator.cli import render

    rows = []
    (folder / "pictures").mkdir()
    for name, artifact in _pictures(run):
        copy = folder / "pictures" / f"{name}{Path(artifact['name']).suffix}"
        shutil.copyfile(server.folder.path(artifact["digest"]), copy)
        rows.append((str(copy), render.artifact_text(artifact)))
    if not out.is_terminal:
        out.print()
        out.print(render.run_heading(run))
    if run["error"]:
        out.print(render.error_text(run["error"]), markup=False)
    out.print()
    out.print(render.table(("picture", ""), rows))


def _pictures(run: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield every file of the run with a name: `model-1`, `enhance-3`."""
    counts: dict[str, int] = {}
    for step in run["steps"]:
        for artifact in step["artifacts"]:
            number = counts[step["id"]] = counts.get(step["id"], 0) + 1
            yield f"{step['id']}-{number}", artifact


def _show_log(client: Client, run: Mapping[str, Any], out: "Console") -> None:
    """Show one instance of each step; where there is no terminal every line has been told already."""
    from orchestrator.cli.narration import Narrator

    if not out.is_terminal:
        return
    narrator = Narrator()
    told = [narrator.tell(event) for event in client.items("/events", run=run["id"])]
    shown = [line for line in told if "[" not in line.subject or line.subject.endswith("[0]")]
    out.print("\nThe log, with one of the enhancements standing for all:", style="bold")
    for line in shown:
        out.print(line.text())
    if len(shown) < len(told):
        click.echo(f"… and {len(told) - len(shown)} lines more of the other instances")


def _charges(simulators: "Simulators") -> str:
    """Return what the run has cost, told by those who charged it: `pizi 4 for 2 tasks, …`."""
    books = simulators.all_books().values()
    return ", ".join(
        f"{each.kind} {each.charged} for {len(each.tasks)} task{'' if len(each.tasks) == 1 else 's'}"
        for each in books
        if each.tasks
    )


def _show_ways_on(client: Client, run: Mapping[str, Any], drawn: Mapping[str, Path], folder: Path) -> None:
    command = _command()
    click.echo(f"API: {client.server}/api/v1   server's log: {folder / 'server.log'}")
    click.echo(f"\nTo look further, in another terminal:\n  export ORCHESTRATOR_SERVER={client.server}")
    for arguments in (
        f"runs show {run['id']}",
        "jobs list",
        "deliveries list",
        f"events --run {run['id']} --json",
    ):
        click.echo(f"  {command} {arguments}")
    inputs = "".join(f" -i {name}=@{path}" for name, path in drawn.items())
    click.echo(f"  {command} run {run['workflow']}{inputs} --wait")


def _command() -> str:
    """Return what this command is called by in a shell, which need not have its folder on the path."""
    beside = Path(sys.executable).with_name("orchestrator")
    if shutil.which("orchestrator") or not beside.exists():
        return "orchestrator"
    return os.path.relpath(beside)
