"""
The benchmarks themselves: who plays, in which order, and what is divided by what.

In every one figure and control take turns within the same run, on the same provider
process, loaded by the same bytes. One turn of each comes before those that count.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

from tests.benchmarks import wire
from tests.benchmarks.actor import Actor
from tests.benchmarks.bare import bare
from tests.benchmarks.plain import plain
from tests.benchmarks.provider import callback_body, provider
from tests.benchmarks.report import Result, of_rounds, percentile
from tests.benchmarks.subject import subject

CONNECTIONS = 64
IN_FLIGHT = 500
CALL_BACK_S = 0.05

UNLOADED_S = 0.002
"""
How long a task takes where latency is measured, and how long the control pauses between POSTs.

Long enough for the answer to the submit to be stored before the callback comes, so that
what is measured is the chain, and not two things at once; short enough that no core goes
to sleep, which would make the control slow and the ratio good.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Amount:
    """How much is measured. Callbacks and runs per round; links over all rounds."""

    rounds: int = 5
    callbacks: int = 20_000
    processed: int = 4_000
    runs: int = 1_500
    verdict_runs: int = 3_000
    links: int = 1_000

    def reduced(self) -> "Amount":
        """Return about a tenth of it, for a quick look."""
        return Amount(rounds=2, callbacks=2_000, processed=800, runs=500, verdict_runs=500, links=100)


@dataclass(frozen=True, slots=True)
class Stage:
    """What every benchmark is given. *folder* is where servers keep their data, one folder each."""

    amount: Amount
    folder: Path
    say: Callable[[str], None]

    @contextmanager
    def server(self, provider_url: str) -> Iterator[Actor]:
        """Run the server under test, with nothing stored."""
        with (
            TemporaryDirectory(prefix="server-", dir=self.folder) as folder,
            Actor(subject, Path(folder), provider_url) as server,
        ):
            self.say(f"server under test: process {server.pid}")
            yield server

    def turns(
        self, what: str, figure: Callable[[int], float], control: Callable[[int], float]
    ) -> tuple[float, float, float]:
        """Let both take turns, each given the number of the turn from 0; return (figure, control, ratio)."""
        figures, controls = [], []
        for turn in range(self.amount.rounds + 1):
            controls.append(control(turn))
            figures.append(figure(turn))
            ratio = figures[-1] / controls[-1]
            note = "" if turn else " (does not count)"
            self.say(f"{what}: {figures[-1]:,.0f} against {controls[-1]:,.0f}, ratio {ratio:.2f}{note}")
        return of_rounds(figures[1:], controls[1:])


# --- acknowledging ---------------------------------------------------------------------------


def acknowledged(stage: Stage) -> list[Result]:
    """B1: callbacks answered a second, each on disk before its 200; processing held back."""
    total = stage.amount.callbacks
    with _callbacks(stage, total) as (server, requests, control):
        server.ask("hold")
        figure, base, ratio = stage.turns(
            "B1", lambda turn: _fire(server, requests), lambda turn: control(total)
        )
    return [_rate("B1", "callbacks stored and answered", figure, base, ratio, 0.65)]


def acknowledged_while_processed(stage: Stage) -> list[Result]:
    """B1b: the same while they are processed; every callback ends the run that waits for it."""
    size, turns = stage.amount.processed, stage.amount.rounds + 1
    with _callbacks(stage, size * turns) as (server, requests, control):

        def figure(turn: int) -> float:
            rate = _fire(server, requests[turn * size : (turn + 1) * size])
            backlog = server.ask("backlog")
            took_s = server.ask("drained")
            stage.say(
                f"B1b: {backlog}{'+' if backlog == 500 else ''} were left, and gone {took_s:.1f} s later"
            )
            return rate

        measured = stage.turns("B1b", figure, lambda turn: control(size))
        succeeded = server.ask("succeeded")
    if succeeded != size * turns:
        raise RuntimeError(f"only {succeeded} of {size * turns} runs have succeeded")
    return [_rate("B1b", "the same while they are processed", *measured, 0.40)]


@contextmanager
def _callbacks(stage: Stage, total: int) -> Iterator[tuple[Actor, list[bytes], Callable[[int], float]]]:
    """Give the server with *total* jobs that wait, a callback for each of them, and the control."""
    with ExitStack() as stack:
        tasks = stack.enter_context(Actor(provider))
        server = stack.enter_context(stage.server(tasks.ask("url")))
        handler = stack.enter_context(Actor(bare))
        stage.say(f"starting {total:,} runs that wait for their callback")
        waiting = server.ask("wait_for_callbacks", total)
        bodies = [callback_body(task, "https://example.com/image.jpg") for _, task in waiting]
        requests = [wire.post(url, body) for (url, _), body in zip(waiting, bodies, strict=True)]
        elsewhere = handler.ask("url")
        # The same callbacks but for the host that they name.
        theirs = [
            wire.post(elsewhere + urlsplit(url).path, body)
            for (url, _), body in zip(waiting, bodies, strict=True)
        ]
        yield server, requests, lambda count: _fire(handler, theirs[:count])


def _fire(server: Actor, requests: list[bytes]) -> float:
    parts = urlsplit(server.ask("url"))
    return asyncio.run(wire.fire(parts.hostname or "", parts.port or 80, requests, CONNECTIONS))


# --- chains ----------------------------------------------------------------------------------


def chained(stage: Stage) -> list[Result]:
    """B2: from a callback to the next step's submit, one run at a time."""
    return [*_chained(stage, "verdict", "B2", (5.0, 15.0)), *_chained(stage, "hint", "B2 hint", (None, None))]


def _chained(
    stage: Stage, connection: str, name: str, targets: tuple[float | None, float | None]
) -> list[Result]:
    rounds = stage.amount.rounds
    # A run of three steps has two links.
    runs = -(-stage.amount.links // (2 * rounds))
    links: list[float] = []
    posts: list[float] = []
    with ExitStack() as stack:
        tasks = stack.enter_context(Actor(provider))
        server = stack.enter_context(stage.server(tasks.ask("url")))
        control = stack.enter_context(Actor(plain, tasks.ask("url")))
        tasks.ask("call_back_after", UNLOADED_S)
        for turn in range(rounds + 1):
            posted = control.ask("posts", 2 * runs, UNLOADED_S)
            server.ask("runs", connection, 3, runs, 1)
            chained = tasks.ask("links")
            if turn:
                posts += posted
                links += chained
        tasks.ask("settle")
    base = median(posts)
    stage.say(f"{name}: {len(links):,} links, {len(posts):,} POSTs")
    return [
        Result(
            id=f"{name} p{percent}",
            what=f"callback to next submit{', result fetched' if connection == 'hint' else ''}",
            unit="ms",
            figure=percentile(links, percent) * 1000,
            control=base * 1000,
            ratio=percentile(links, percent) / base,
            target=target,
            at_most=True,
        )
        for percent, target in zip((50, 99), targets, strict=True)
    ]


# --- whole runs ------------------------------------------------------------------------------


def completed(stage: Stage) -> list[Result]:
    """B3: runs of three steps, each of which fetches a result and keeps an image of 20 kB."""
    measured = _completed(stage, "B3", "hint", stage.amount.runs)
    return [_rate("B3", "runs of 3 steps, a file each", *measured, 0.40)]


def completed_by_verdict(stage: Stage) -> list[Result]:
    """B3b: the same with nothing to fetch and nothing to download."""
    measured = _completed(stage, "B3b", "verdict", stage.amount.verdict_runs)
    return [_rate("B3b", "runs of 3 steps, nothing to fetch", *measured, 0.55)]


def _completed(stage: Stage, name: str, connection: str, total: int) -> tuple[float, float, float]:
    at_once = min(IN_FLIGHT, total)
    with ExitStack() as stack:
        tasks = stack.enter_context(Actor(provider))
        server = stack.enter_context(stage.server(tasks.ask("url")))
        control = stack.enter_context(Actor(plain, tasks.ask("url")))
        tasks.ask("call_back_after", CALL_BACK_S)
        measured = stage.turns(
            name,
            lambda turn: float(server.ask("runs", connection, 3, total, at_once)),
            lambda turn: float(control.ask("runs", total, at_once, 3, connection == "hint")),
        )
        tasks.ask("settle")
        return measured


def _rate(name: str, what: str, figure: float, control: float, ratio: float, target: float) -> Result:
    return Result(id=name, what=what, unit="/s", figure=figure, control=control, ratio=ratio, target=target)


MEASURES: dict[str, Callable[[Stage], list[Result]]] = {
    "B1": acknowledged,
    "B1b": acknowledged_while_processed,
    "B2": chained,
    "B3": completed,
    "B3b": completed_by_verdict,
}
