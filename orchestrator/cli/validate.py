"""`orchestrator validate`: checks workflow files without a server, accounts or secrets."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orchestrator.cli.options import config_option
from orchestrator.cli.trouble import FAILED, Trouble
from orchestrator.errors import Problem, SettingsError

if TYPE_CHECKING:
    from orchestrator.definition.catalog import Secrets
    from orchestrator.providers.base import Connector
    from orchestrator.providers.registry import Kind
    from orchestrator.settings import Settings

PLACEHOLDER = "cGxhY2Vob2xkZXI="
"""Stands for a credential that is not there; base64, because some credentials have to be."""


@click.command(short_help="Check workflow files.")
@click.argument(
    "paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path), metavar="PATH…"
)
@config_option
@click.option("--strict", is_flag=True, help="Count warnings as errors.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, and nothing else.")
@click.pass_context
def validate(
    context: click.Context, paths: tuple[Path, ...], config: Path | None, strict: bool, as_json: bool
) -> None:
    """
    Check workflow files; a folder stands for the YAML files in it, those of tests left out.

    A test file that is named is checked as one, with the workflow that it tests; nothing is run. Prints a
    line for each problem: file:line:column: message. Workflows may use the connections of the settings;
    where these have none, every kind of provider counts as a connection of its own name.
    """
    from orchestrator.settings import load

    checked = _checked(paths, load(config, os.environ))
    if not checked.good and not checked.problems:
        # Nothing was checked, which a pipeline must not take for "all is well".
        places = ", ".join(map(str, paths))
        raise Trouble(f"{places}: there is no workflow file in it (.yaml or .yml)", FAILED)
    if as_json:
        from orchestrator.cli.render import print_json

        print_json([problem_object(problem) for problem in checked.problems])
    else:
        for problem in checked.problems:
            click.echo(str(problem))
        click.echo(summary(checked.problems, checked.workflows, checked.tests), err=True)
    if checked.errors or (strict and checked.problems):
        context.exit(FAILED)


@dataclass(frozen=True, slots=True)
class _Checked:
    """What was found; *workflows* and *tests*: how many files are good, None where none was asked for."""

    problems: Sequence[Problem]
    workflows: int | None
    tests: int | None

    @property
    def good(self) -> int:
        return (self.workflows or 0) + (self.tests or 0)

    @property
    def errors(self) -> int:
        return sum(problem.severity == "error" for problem in self.problems)


def _checked(paths: Sequence[Path], settings: "Settings") -> _Checked:
    from orchestrator.operations import workflows
    from orchestrator.operations.plans import catalog

    tests = [path for path in paths if path.is_file() and workflows.is_test(path)]
    others = [path for path in paths if path not in tests]
    problems: list[Problem] = []
    good = good_tests = None
    if others:
        found = workflows.read(others, catalog(connected(settings)), known_secrets(settings))
        problems, good = list(found.problems), len(found.workflows)
    if tests:
        # Imported here: the simulators come with it.
        from orchestrator.rehearsal import runner, sandbox

        tested = runner.find(tests, catalog(connected(sandbox.priced(settings))))
        problems += (problem for problem in tested.problems if problem not in problems)
        good_tests = len(tested.files)
    return _Checked(problems, good, good_tests)


def problem_object(problem: Problem) -> dict[str, Any]:
    """Return *problem* for machines."""
    from orchestrator.operations.shapes import problem as shape

    return shape(problem)


def summary(problems: Sequence[Problem], workflows: int | None, tests: int | None = None) -> str:
    """Return how many files are good, and how many problems there are."""
    errors = sum(problem.severity == "error" for problem in problems)
    warnings = len(problems) - errors
    parts = [counted(workflows, "good workflow")] if workflows is not None else []
    parts += [counted(tests, "good test file")] if tests is not None else []
    parts.append(counted(errors, "error"))
    return ", ".join(parts + ([counted(warnings, "warning")] if warnings else []))


def counted(count: int, noun: str) -> str:
    """Return `1 error`, `2 errors`."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def known_secrets(settings: "Settings") -> "Secrets | None":
    """Return the secrets of *settings*; without any settings nobody can say which there will be."""
    from orchestrator.operations import workflows

    is_configured = settings.providers or settings.secrets
    return workflows.known_secrets(settings.secrets) if is_configured else None


def any_account() -> dict[str, "Connector"]:
    """Return a connector for each kind, whatever is configured: for workflows that are nobody's own."""
    from orchestrator.settings import Settings

    return connected(Settings())


def connected(settings: "Settings") -> dict[str, "Connector"]:
    """
    Return a connector for each connection of *settings*, else one for each kind.

    Credentials that are missing are made up: nothing is sent.
    Errors:  SettingsError.
    """
    from orchestrator.providers.registry import KINDS
    from orchestrator.settings import connection_tables, read_connection

    tables = connection_tables(settings) or {name: {"kind": name} for name in KINDS}
    kinds = {name: known_kind(name, str(table["kind"])) for name, table in tables.items()}
    filled = {name: _placeholders(kind) | tables[name] for name, kind in kinds.items()}
    whole = settings.model_copy(update={"providers": filled})
    return {name: kind.connect(read_connection(whole, name, kind.settings)) for name, kind in kinds.items()}


def known_kind(connection: str, name: str) -> "Kind":
    """Return the kind of a connection. Errors: SettingsError, naming those there are."""
    from orchestrator.providers.registry import KINDS

    if name not in KINDS:
        known = ", ".join(KINDS)
        raise SettingsError(f"providers.{connection}: there is no kind '{name}' (there are: {known})")
    return KINDS[name]


def _placeholders(kind: "Kind") -> dict[str, str]:
    """Return a value for every setting of *kind* that has no default."""
    required = (name for name, field in kind.settings.model_fields.items() if field.is_required())
    given = {"base_url": "https://provider.invalid"}
    return {name: given.get(name, PLACEHOLDER) for name in required}
