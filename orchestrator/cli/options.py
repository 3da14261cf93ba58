"""Options and arguments that several commands share."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from orchestrator.durations import LONGEST_S

C = TypeVar("C", bound=Callable[..., Any])

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, and nothing else.")

config_option = click.option(
    "--config",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The settings; else what ORCHESTRATOR_CONFIG names, else orchestrator.toml if there is one.",
)


class Seconds(click.FloatRange):
    """More than no time, and at most ten years; what is no number at all is inside every range."""

    name = "seconds"

    def __init__(self) -> None:
        super().__init__(min=0, min_open=True, max=LONGEST_S)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number: float = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"{value} is no number of seconds.", param, ctx)
        return number


def limit_option(default: int) -> Callable[[C], C]:
    """Return `--limit` for one command."""
    return click.option(
        "--limit", type=click.IntRange(min=1), default=default, show_default=True, help="How many at most."
    )
