"""`orchestrator db`: the database of a server: back it up, restore it, bring it up to date."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orchestrator.cli.client import Client, with_client
from orchestrator.cli.options import config_option, json_option
from orchestrator.cli.trouble import FAILED, Trouble
from orchestrator.cli.validate import counted
from orchestrator.errors import StoreInUse, StoreUnavailable, WrongState

if TYPE_CHECKING:
    from orchestrator.settings import Settings
    from orchestrator.upkeep.backup import Written
    from orchestrator.upkeep.restore import Restored


PRUNE_S = 6 * 3600.0
"""How long a server may take to remove what is old; it does so in its spare time."""


@click.group()
def db() -> None:
    """Back up the data of a server, restore it, bring it up to date, prune it."""


@contextmanager
def told() -> Iterator[None]:
    """Tell what the state of things does not allow as a failure, and not as wrong usage."""
    try:
        yield
    except (WrongState, StoreInUse, StoreUnavailable) as error:
        raise Trouble(str(error), FAILED) from error


def settings_of(config: Path | None) -> "Settings":
    """Return the settings, for a command that does not log."""
    from orchestrator import telemetry
    from orchestrator.settings import load

    telemetry.configure(json=False, level="error")
    return load(config, os.environ)


def _print(found: Any, as_json: bool, lines: Callable[[Any], Iterator[str]]) -> None:
    from orchestrator.cli import render

    if as_json:
        render.print_json(found.to_json())
        return
    for line in lines(found):
        click.echo(render.plain(line))


@db.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE")
@click.option("--artifacts", is_flag=True, help="Put the files of all artifacts into it too.")
@config_option
@json_option
def backup(file: Path, artifacts: bool, config: Path | None, as_json: bool) -> None:
    """
    Write the database and the secret keys to FILE, a tar archive, also while the server runs.

    FILE holds what callbacks are signed with, and all inputs and results: keep it as safe as the data.
    """
    from orchestrator.clock import SystemClock
    from orchestrator.upkeep.backup import write

    with told():
        _print(write(settings_of(config), file, SystemClock(), artifacts=artifacts), as_json, _backup_lines)


def _backup_lines(found: "Written") -> Iterator[str]:
    from orchestrator.cli import render

    manifest = found.manifest
    parts = [f"the database ({counted(manifest.runs, 'run')}, {manifest.open_runs} open)"]
    parts += ["the secret keys"] if manifest.secret_keys else []
    parts += [counted(manifest.artifacts, "artifact")] if manifest.artifacts is not None else []
    yield f"{found.file} ({render.size(found.size)}) holds {', '.join(parts)}"
    yield from (f"Not in it: {what}" for what in found.left_out)


@db.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE")
@click.option("--force", is_flag=True, help="Move a database that is there aside.")
@click.option(
    "--pause/--no-pause",
    default=True,
    show_default=True,
    help="Whether connections submit nothing until a person resumes them, where runs are open.",
)
@config_option
@json_option
def restore(file: Path, force: bool, pause: bool, config: Path | None, as_json: bool) -> None:
    """
    Put the backup FILE in the place of the data. The server must not be running.

    At its next start every job that may have been submitted since the backup becomes uncertain, and is
    not sent again blindly.
    """
    from orchestrator.clock import SystemClock
    from orchestrator.upkeep.restore import restore as put_back

    with told():
        found = put_back(settings_of(config), file, SystemClock(), force=force, pause=pause)
    _print(found, as_json, _restore_lines)


def _restore_lines(found: "Restored") -> Iterator[str]:
    from orchestrator.clock import rfc3339

    manifest = found.manifest
    yield f"{found.database} is that of {rfc3339(manifest.taken_at)} ({counted(manifest.runs, 'run')})"
    if found.moved is not None:
        yield f"The database that was there: {found.moved}"
    if found.keys:
        yield "The secret keys of the backup are valid again"
    if found.artifacts:
        yield f"Put back: {counted(found.artifacts, 'artifact')}"
    if manifest.open_runs:
        runs = counted(manifest.open_runs, "run")
        yield f"Open: {runs}; what may have been submitted since becomes uncertain"
    if found.paused:
        yield f"Paused until you resume them (orchestrator connections resume): {', '.join(found.paused)}"


@db.command()
@config_option
@json_option
def migrate(config: Path | None, as_json: bool) -> None:
    """
    Bring the database up to date with this version, and keep a copy of it as it was.

    `orchestrator serve` does the same when it starts.
    """
    from orchestrator.clock import SystemClock
    from orchestrator.upkeep.migrate import Migrated
    from orchestrator.upkeep.migrate import migrate as bring_up_to_date

    def lines(found: Migrated) -> Iterator[str]:
        if found.before == found.after:
            yield f"{found.database} is up to date (version {found.after})"
            return
        yield f"{found.database} was brought from version {found.before} to {found.after}"
        yield f"The database as it was: {found.kept}"

    with told():
        _print(bring_up_to_date(settings_of(config), SystemClock()), as_json, lines)


@db.command()
@click.option(
    "--older-than",
    metavar="TIME",
    help="Remove runs that ended, and deliveries that came, longer ago than this, such as 90d; "
    "else what retention in the settings says.",
)
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
@config_option
@json_option
@with_client
def prune(client: Client, older_than: str | None, dry_run: bool, config: Path | None, as_json: bool) -> None:
    """
    Remove runs, deliveries and files that need not be kept any more, and files that nothing refers to.

    Where a server uses the database, it is asked to do it (--server), and goes on meanwhile.
    """
    from orchestrator.cli import render
    from orchestrator.clock import SystemClock
    from orchestrator.upkeep.prune import prune as remove

    with told():
        try:
            done = remove(settings_of(config), SystemClock(), older_than=older_than, dry=dry_run).to_json()
        except StoreInUse:
            given = {"older_than": older_than, "dry_run": dry_run}
            body = {name: value for name, value in given.items() if value is not None}
            done = client.patient(PRUNE_S).post("/prune", body)
    if as_json:
        render.print_json(done)
        return
    for line in _prune_lines(done):
        click.echo(line)


def _prune_lines(done: Mapping[str, Any]) -> Iterator[str]:
    from orchestrator.cli import render

    verb = "Would remove" if done["dry_run"] else "Removed"
    runs, events, jobs = (counted(done[f"{noun}s"], noun) for noun in ("run", "event", "job"))
    yield f"{verb} {runs} ({events}, {jobs})"
    yield f"{verb} {done['deliveries']} deliver{'y' if done['deliveries'] == 1 else 'ies'}"
    yield f"{verb} {counted(done['artifacts'], 'artifact')} ({render.size(done['artifact_bytes'])})"
    if done["database_bytes"] is not None:
        yield f"Free inside the database now, to be used again: {render.size(done['database_bytes'])} more"
