"""Options and arguments that several commands share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

C = TypeVar("C", bound=Callable[..., Any])

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, and nothing else.")

config_option = click.option(
    "--config",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The settings; else what ORCHESTRATOR_CONFIG names, else orchestrator.toml if there is one.",
)


def limit_option(default: int) -> Callable[[C], C]:
    """Return `--limit` for one command."""
    return click.option(
        "--limit", type=click.IntRange(min=1), default=default, show_default=True, help="How many at most."
    )
