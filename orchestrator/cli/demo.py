"""`orchestrator demo`: everything at once, against simulated providers, without accounts."""

import os
import random
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
    from orchestrator.settings import Settings
    from orchestrator.simulators.server import Running as Simulators

WORKFLOW = "fashion-shoot"

PRODUCT_SEED = 4
"""Draws a handbag."""


@click.command(short_help="See it all work, without accounts.")
@click.option("--exit", "is_short", is_flag=True, help="Stop after the run: exit 0 if it succeeded, else 1.")
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="A fresh folder for what is made.  [default: data/demo-<time>]",
)
@click.pass_context
def demo(context: click.Context, is_short: bool, data: Path | None) -> None:
    """
    Run the main workflow against simulated providers, and show what happens.

    A virtual model, three product pictures with it, each enhanced to twice its size. The server then goes on
    until Ctrl-C. What it made stays in the data folder.
    """
    from orchestrator.cli import render
    from orchestrator.cli.simulate import until_stopped

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    folder = _fresh(data)
    out = render.console()
    with _everything(folder) as (simulators, server):
        click.echo(f"Simulated providers, a server at {server.admin_url}, data in {folder}")
        client = Client(server.admin_url)
        run = _run(client, folder, out)
        _show_pictures(run, server, folder, out)
        _show_log(client, run, out)
        click.echo(f"\nCredits, by the simulated providers' own books: {_charges(simulators)}")
        _show_ways_on(client, run, folder)
        if not is_short:
            click.echo("\nThe server goes on. Ctrl-C stops it.")
            sys.stdout.flush()
            until_stopped()
    if run["status"] != "succeeded":
        context.exit(FAILED)


# --- what has to run -------------------------------------------------------------------------


def _fresh(data: Path | None) -> Path:
    """Return a folder that is there and empty. Errors: Trouble."""
    folder = data or Path("data") / f"demo-{datetime.now():%Y%m%d-%H%M%S}"
    if folder.exists() and any(folder.iterdir()):
        raise Trouble(f"{folder} is not empty: the demo begins with a fresh folder; name another with --data")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def _everything(folder: Path) -> "Iterator[tuple[Simulators, Running]]":
    """Run simulators and server; what they log goes into a file in *folder*."""
    from orchestrator import app, telemetry
    from orchestrator.cli import background, sandbox
    from orchestrator.simulators.options import Options

    with (folder / "server.log").open("ab", buffering=0) as log:
        telemetry.configure(json=False, stream=log)
        with background.running(sandbox.simulated(Options())) as simulators:
            joined = app.build(_settings(simulators, folder))
            with background.running(joined.running()) as server:
                yield simulators, server


def _settings(simulators: "Simulators", folder: Path) -> "Settings":
    """Return settings that owe nothing to the files and variables around: a demo is always the same."""
    from orchestrator.cli import sandbox
    from orchestrator.settings import Address, Listen, Settings

    free = Address(sandbox.LOOPBACK, 0)
    providers: dict[str, dict[str, Any]] = {"pizi": {}, "perfect": {}}
    own = Settings(listen=Listen(public=free, admin=free), workflows=sandbox.SHIPPED, providers=providers)
    return sandbox.pointed_at(own, simulators, folder)


# --- the run ---------------------------------------------------------------------------------


def _run(client: Client, folder: Path, out: "Console") -> dict[str, Any]:
    from orchestrator.cli import progress
    from orchestrator.cli.run import start, upload

    product = _draw_product(folder / "product.png")
    click.echo(f"Product picture drawn and uploaded: {product}\n")
    inputs = {"product_images": [upload(client, product)]}
    started = start(client, {"workflow": WORKFLOW, "inputs": inputs, "labels": {"from": "demo"}})
    return progress.follow(client, started["id"], out)


def _draw_product(path: Path) -> Path:
    from orchestrator.simulators.pictures.products import stand_in

    stand_in(random.Random(PRODUCT_SEED)).save(path)
    return path


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
    from orchestrator.simulators.server import SIMULATORS

    books = [simulators.books(kind) for kind in SIMULATORS]
    return ", ".join(
        f"{each.kind} {each.charged} for {len(each.tasks)} tasks" for each in books if each.tasks
    )


def _show_ways_on(client: Client, run: Mapping[str, Any], folder: Path) -> None:
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
    click.echo(
        f"  {command} run {WORKFLOW} -i product_images=@{folder / 'product.png'} -i gender=male --wait"
    )


def _command() -> str:
    """Return what this command is called by in a shell, which need not have its folder on the path."""
    beside = Path(sys.executable).with_name("orchestrator")
    if shutil.which("orchestrator") or not beside.exists():
        return "orchestrator"
    return os.path.relpath(beside)
