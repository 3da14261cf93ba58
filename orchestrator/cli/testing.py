"""`orchestrator test`: runs workflows against simulated providers, and says what was expected otherwise."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from orchestrator.cli.options import Seconds, config_option, json_option
from orchestrator.cli.trouble import FAILED, WRONG, Trouble

if TYPE_CHECKING:
    from orchestrator.rehearsal.runner import Found
    from orchestrator.rehearsal.verdict import Result
    from orchestrator.settings import Settings

PATIENCE_S = 120.0


@click.command(short_help="Test workflows against simulated providers.")
@click.argument(
    "paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path), metavar="PATH…"
)
@config_option
@click.option("-k", "pattern", default="", metavar="TEXT", help="Only cases whose name has this text in it.")
@click.option("--jobs", "-j", type=click.IntRange(min=1), help="Cases at a time.  [default: one per core]")
@click.option(
    "--timeout",
    "patience_s",
    type=Seconds(),
    default=PATIENCE_S,
    show_default=True,
    help="Seconds for one case.",
)
@click.option(
    "--verbose", "-v", is_flag=True, help="Show the log of every case, not only of those that fail."
)
@click.option(
    "--junit", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Also write JUnit XML."
)
@json_option
@click.pass_context
def test(
    context: click.Context,
    paths: tuple[Path, ...],
    config: Path | None,
    pattern: str,
    jobs: int | None,
    patience_s: float,
    verbose: bool,
    junit: Path | None,
    as_json: bool,
) -> None:
    """
    Test workflows: a folder stands for the *.test.yaml in it and below, a workflow for the one beside it.

    Every case is a run of its own, with the real server and simulated providers; waiting takes no time.
    Exit code 0: all passed; 1: some did not; 2: there is something wrong with the files, or nothing to test.
    """
    from orchestrator.cli import render, test_reports
    from orchestrator.rehearsal import runner
    from orchestrator.settings import load

    if junit is not None and not junit.absolute().parent.is_dir():
        raise Trouble(f"--junit {junit}: there is no folder {junit.parent} to write it to")
    settings = load(config, os.environ)
    found = _found(context, paths, settings, as_json)
    cases = runner.selected(found.files, pattern)
    if not cases:
        raise Trouble(f"no case has '{pattern}' in its name" if pattern else "there are no test files here")
    report = test_reports.Report()
    for file, result in runner.results(
        cases, settings, jobs=jobs or os.cpu_count() or 1, patience_s=patience_s
    ):
        report.add(file, result)
        if not as_json:
            _tell(file.workflow.name, result, verbose)
    if junit is not None:
        junit.write_bytes(report.junit())
    if as_json:
        render.print_json(report.to_json())
    else:
        click.echo(report.summary(), err=True)
    if report.failed:
        context.exit(FAILED)


def _found(context: click.Context, paths: tuple[Path, ...], settings: "Settings", as_json: bool) -> "Found":
    """Return the test files; where something is wrong with one of them, say so and end the command."""
    from orchestrator.cli import render
    from orchestrator.cli.validate import connected, problem_object
    from orchestrator.operations.plans import catalog
    from orchestrator.rehearsal import runner, sandbox

    found = runner.find(paths, catalog(connected(sandbox.priced(settings))))
    if as_json and found.errors:
        render.print_json({"problems": [problem_object(problem) for problem in found.problems]})
    elif not as_json:
        for problem in found.problems:
            click.echo(str(problem), err=not found.errors)
    if found.errors:
        context.exit(WRONG)
    return found


def _tell(workflow: str, result: "Result", verbose: bool) -> None:
    """Print a line for a case, and below it what is wrong, with the log of the run."""
    from rich.text import Text

    from orchestrator.cli import render
    from orchestrator.cli.narration import tell_all

    out = render.console()
    mark, style = ("✓", "green") if result.passed else ("✗", "red")
    took = render.duration(result.performance.took_s)
    out.print(
        Text.assemble(
            (mark, style), " ", (workflow, "bold"), f"  {render.plain(result.case.name)}  ", (took, "dim")
        )
    )
    for difference in result.differences:
        out.print(Text(f"    {render.plain(difference.at)}", style="bold"))
        out.print(Text(_indented("      - expected ", difference.expected), style="green"))
        out.print(Text(_indented("      + found    ", difference.found), style="red"))
    if result.performance.events and (verbose or not result.passed):
        for told in tell_all(result.performance.events):
            out.print(Text.assemble("    ", told.text()))


def _indented(head: str, text: str) -> str:
    from orchestrator.cli.render import plain

    return head + f"\n{' ' * len(head)}".join(plain(text).splitlines())
