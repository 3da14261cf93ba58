"""`orchestrator simulate`: the simulated providers alone, for other programs to talk to."""

import os
import signal
import sys
import threading
from typing import TYPE_CHECKING, Literal, cast

import click

from orchestrator import durations
from orchestrator.cli.trouble import Trouble

if TYPE_CHECKING:
    from orchestrator.simulators.faults import Faults
    from orchestrator.simulators.server import Running


def _latency(context: click.Context, param: click.Parameter, text: str) -> tuple[float, float]:
    """Return from where to where a task's duration goes, in seconds."""
    low, dots, high = text.partition("..")
    try:
        ends = durations.seconds(low), durations.seconds(high if dots else low)
    except ValueError as error:
        raise click.BadParameter(f"{error}; for a range: 1s..3s", context, param) from error
    if ends[0] > ends[1]:
        raise click.BadParameter(f"{text} ends before it begins", context, param)
    return ends


@click.command(short_help="Run only the simulated providers.")
@click.option(
    "--port", type=click.IntRange(0, 65_535), default=8090, show_default=True, help="0: any free one."
)
@click.option(
    "--latency", callback=_latency, default="1s..2s", show_default=True, help="How long a task takes."
)
@click.option(
    "--fault",
    "faults",
    multiple=True,
    metavar="NAME=CHANCE,…",
    help="What goes wrong, and how often from 0 to 1, such as loss=0.1,duplicate=0.1; `list` names them.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="The same seed gives the same faults.")
@click.option(
    "--limits",
    type=click.Choice(["documented", "off"]),
    default="documented",
    show_default=True,
    help="The providers' rate limits.",
)
@click.option(
    "--credits", type=click.IntRange(min=0), default=1000, show_default=True, help="Of each account."
)
def simulate(
    port: int, latency: tuple[float, float], faults: tuple[str, ...], seed: int, limits: str, credits: int
) -> None:
    """Run only the simulated providers, on one port of loopback, each under /<kind>, until Ctrl-C."""
    from orchestrator.cli import background
    from orchestrator.rehearsal import sandbox
    from orchestrator.simulators.options import Options

    options = Options(
        latency_s=latency,
        faults=_faults(faults),
        seed=seed,
        limits=cast(Literal["documented", "off"], limits),
        credits=credits,
    )
    try:
        with background.running(sandbox.simulated(options, port)) as running:
            click.echo(_welcome(running, options.kinds))
            sys.stdout.flush()
            until_stopped()
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise Trouble(f"cannot listen on port {port}: {reason}; choose another with --port") from error


def _faults(texts: tuple[str, ...]) -> "Faults":
    from orchestrator.simulators.faults import MEANINGS, Faults

    if "list" in texts:
        width = max(map(len, MEANINGS))
        click.echo("\n".join(f"{name:<{width}}  {meaning}" for name, meaning in MEANINGS.items()))
        raise click.exceptions.Exit(0)
    try:
        return Faults.parse(",".join(texts))
    except ValueError as error:
        raise Trouble(f"--fault: {error}") from error


def _welcome(running: "Running", kinds: tuple[str, ...]) -> str:
    """Return the settings with which a server finds the simulators, ready for orchestrator.toml."""
    lines = [f"# Simulated providers at {running.url}; what they saw is at {running.url}/books"]
    for kind in kinds:
        lines += ["", f"[providers.{kind}]"]
        lines += [f'{name} = "{value}"' for name, value in running.client_settings(kind).items()]
    return "\n".join(lines)


def until_stopped() -> None:
    """Return on Ctrl-C or SIGTERM."""
    stop = threading.Event()
    previous = {
        number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        stop.wait()
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
