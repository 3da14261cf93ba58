"""What is chosen by the settings, and checked, before anything runs: connectors, workflow files, keys."""

from collections.abc import Mapping
from dataclasses import dataclass

from orchestrator import telemetry
from orchestrator.clock import Clock
from orchestrator.durations import seconds
from orchestrator.errors import DefinitionError, SettingsError
from orchestrator.operations.pruning import Policy
from orchestrator.operations.workflows import Library
from orchestrator.providers.base import Connector
from orchestrator.providers.registry import KINDS
from orchestrator.settings import Settings, connection_tables, read_connection
from orchestrator.tokens import Keyring

log = telemetry.logger()


@dataclass(frozen=True, slots=True)
class Choices:
    """Everything that is known of a server, and checked, without starting it."""

    settings: Settings
    connectors: Mapping[str, Connector]
    library: Library
    keyring: Keyring
    public_url: str | None
    clock: Clock
    rest_s: float
    outside: bool


def connect(settings: Settings) -> dict[str, Connector]:
    """Return a connector for each configured connection. Errors: SettingsError with every problem."""
    connectors: dict[str, Connector] = {}
    problems: list[str] = []
    for name, table in connection_tables(settings).items():
        kind = KINDS.get(str(table["kind"]))
        if kind is None:
            known = ", ".join(KINDS)
            problems.append(f"providers.{name}: there is no kind '{table['kind']}' (there are: {known})")
            continue
        try:
            connectors[name] = kind.connect(read_connection(settings, name, kind.settings))
            problems += _budget_problems(name, connectors[name])
        except SettingsError as error:
            problems.append(str(error))
    if problems:
        raise SettingsError("\n".join(problems))
    return connectors


def _budget_problems(name: str, connector: Connector) -> list[str]:
    """Return why the connection's budget, if it has one, could not be kept: for what has no price."""
    unpriced = [one.name for one in connector.operations.values() if one.priced is False]
    if connector.settings.budget is None or not unpriced:
        return []
    return [f"providers.{name}.budget: needs a price for {', '.join(unpriced)}, in providers.{name}.prices"]


def retention(settings: Settings, connectors: Mapping[str, Connector]) -> Policy:
    """Return how long the settings keep what is done, and what was spent of the connections' budgets."""
    kept = settings.retention
    budgets = {name: connector.settings.budget for name, connector in connectors.items()}
    return Policy(
        runs_s=kept.runs,
        deliveries_s=kept.deliveries,
        artifacts_s=kept.artifacts,
        budgets_s={name: seconds(budget.per) for name, budget in budgets.items() if budget is not None},
    )


def read_definitions(library: Library, *, allow_invalid: bool) -> None:
    """Read the workflow files. Errors: DefinitionError, unless *allow_invalid*."""
    found = library.reload()
    for problem in found.problems:
        if problem.severity == "warning" or allow_invalid:
            log.warning("workflow.questioned", problem=str(problem))
    if found.errors and not allow_invalid:
        raise DefinitionError(found.errors)
    log.info("workflows.loaded", count=len(found.workflows), skipped=len({e.file for e in found.errors}))
