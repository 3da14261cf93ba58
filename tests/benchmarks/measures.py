"""
The benchmarks themselves: who plays, in which order, and what is divided by what.

In every one figure and control take turns within the same run, with as many processes on
either side, on the same provider process, loaded by the same bytes. One turn of each
comes before those that count.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from statistics import median
from tempfile import mkdtemp
from urllib.parse import urlsplit

from tests.benchmarks import wire
from tests.benchmarks.actor import Actor
from tests.benchmarks.bare import bare
from tests.benchmarks.plain import plain
from tests.benchmarks.provider import callback_body, provider
from tests.benchmarks.report import Result, Turn, percentile, rate
from tests.benchmarks.subject import subject

CONNECTIONS = 64
IN_FLIGHT = 500
CALL_BACK_S = 0.05
LONG_LIST, SHORT_LIST = 1_000, 10
AT_ONCE = 100
"""Items that are in flight, be it of one run or of ten; so many of a list are by default."""

UNLOADED_S = 0.002
"""
How long a task takes where latency is measured, and how long the control pauses between POSTs.

Long enough for the answer to the submit to be stored before the callback comes, so that
what is measured is the chain, and not two things at once; short enough that no core goes
to sleep, which would make the control slow and the ratio good.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Amount:
    """
    How much is measured. Callbacks and runs per round; links over all rounds.

    *processed* is well above what is kept in memory, so that a round sees the backlog too.
    """

    rounds: int = 5
    callbacks: int = 20_000
    processed: int = 8_000
    runs: int = 1_500
    verdict_runs: int = 3_000
    links: int = 1_000
    items: int = 4_000

    def reduced(self) -> "Amount":
        """Return about a tenth of it, for a quick look."""
        return Amount(
            rounds=2, callbacks=2_000, processed=800, runs=500, verdict_runs=500, links=100, items=4_000
        )


@dataclass(frozen=True, slots=True)
class Stage:
    """
    What every benchmark is given. *folder* is where servers keep their data, one folder each.

    None of them is deleted before the last benchmark is over: for some minutes ext4 passes over
    the inodes that a deletion has freed, and each file that is made then pays for it.
    """

    amount: Amount
    folder: Path
    say: Callable[[str], None]

    @contextmanager
    def server(self, provider_url: str) -> Iterator[Actor]:
        """Run the server under test, with nothing stored."""
        folder = Path(mkdtemp(prefix="server-", dir=self.folder))
        with Actor(subject, folder, provider_url) as server:
            self.say(f"server under test: process {server.pid}")
            yield server

    def turns(
        self,
        what: str,
        figure: tuple[Actor, Callable[[int], float]],
        control: tuple[Actor, Callable[[int], float]],
        size: int,
    ) -> list[Turn]:
        """
        Let both take turns, and return those that count.

        Shape:   a process, and what it does with a number of callbacks or runs, which
                 returns how many were done a second. The first turn warms up, with a quarter of *size*.
        """
        turns = []
        for number in range(self.amount.rounds + 1):
            amount = size if number else size // 4
            base, base_s = _timed(*control, amount)
            reached, reached_s = _timed(*figure, amount)
            turns.append(Turn(reached, base, reached_s, base_s))
            self.say(_told(what, turns[-1]) if number else f"{_told(what, turns[-1])} (does not count)")
        return turns[1:]


def _timed(process: Actor, measure: Callable[[int], float], amount: int) -> tuple[float, float]:
    """Return the rate, and the processor time that each one took, in seconds."""
    before_s = process.processor_s()
    reached = measure(amount)
    return reached, (process.processor_s() - before_s) / amount


def _told(what: str, turn: Turn) -> str:
    return (
        f"{what}: {turn.figure:,.0f}/s against {turn.control:,.0f}/s, ratio {turn.ratio:.2f}; processor time "
        f"{turn.figure_processor_s * 1e6:,.0f} µs against {turn.control_processor_s * 1e6:,.0f} µs"
    )


# --- acknowledging ---------------------------------------------------------------------------


def acknowledged(stage: Stage) -> list[Result]:
    """B1: callbacks answered a second, each on disk before its 200; processing held back."""
    total = stage.amount.callbacks
    with _callbacks(stage, total) as (server, requests, control):
        server.ask("hold")
        figure = server, lambda amount: _fire(server, requests[:amount])
        turns = stage.turns("B1", figure, control, total)
    return [rate("B1", "callbacks stored and answered", 0.65, turns)]


def acknowledged_while_processed(stage: Stage) -> list[Result]:
    """B1b: the same while they are processed; every callback ends the run that waits for it."""
    size = stage.amount.processed
    total = size * stage.amount.rounds + size // 4
    with _callbacks(stage, total) as (server, requests, control):
        left = iter(requests)

        def fire(amount: int) -> float:
            answered = _fire(server, list(islice(left, amount)))
            stage.say(f"B1b: the backlog was gone {server.ask('drained'):.2f} s later")
            return answered

        turns = stage.turns("B1b", (server, fire), control, size)
        succeeded = server.ask("succeeded")
    if succeeded != total:
        raise RuntimeError(f"only {succeeded:,} of {total:,} runs have succeeded")
    return [rate("B1b", "the same while they are processed", 0.40, turns)]


@contextmanager
def _callbacks(
    stage: Stage, total: int
) -> Iterator[tuple[Actor, list[bytes], tuple[Actor, Callable[[int], float]]]]:
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
        yield server, requests, (handler, lambda amount: _fire(handler, theirs[:amount]))


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
    links, posts = _links(stage, connection)
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


def _links(stage: Stage, connection: str) -> tuple[list[float], list[float]]:
    """Return how long each link of the chains took, and each plain POST, in seconds."""
    links: list[float] = []
    posts: list[float] = []
    # A run of three steps has two links.
    runs = -(-stage.amount.links // (2 * stage.amount.rounds))
    with ExitStack() as stack:
        tasks = stack.enter_context(Actor(provider))
        server = stack.enter_context(stage.server(tasks.ask("url")))
        control = stack.enter_context(Actor(plain, tasks.ask("url")))
        tasks.ask("call_back_after", UNLOADED_S)
        for turn in range(stage.amount.rounds + 1):
            posted = control.ask("posts", 2 * runs, UNLOADED_S)
            server.ask("runs", connection, 3, runs, 1)
            linked = tasks.ask("links")
            if len(linked) != 2 * runs:
                raise RuntimeError(f"{runs} runs of three steps had {len(linked)} links instead of two each")
            if turn:
                posts += posted
                links += linked
        tasks.ask("settle")
    return links, posts


# --- whole runs ------------------------------------------------------------------------------


def completed(stage: Stage) -> list[Result]:
    """B3: runs of three steps, each of which fetches a result and keeps an image of 20 kB."""
    turns = _completed(stage, "B3", "hint", stage.amount.runs)
    return [rate("B3", "runs of 3 steps, a file each", 0.40, turns)]


def completed_by_verdict(stage: Stage) -> list[Result]:
    """B3b: the same with nothing to fetch and nothing to download."""
    turns = _completed(stage, "B3b", "verdict", stage.amount.verdict_runs)
    return [rate("B3b", "runs of 3 steps, nothing to fetch", 0.55, turns)]


def _completed(stage: Stage, name: str, connection: str, total: int) -> list[Turn]:
    with ExitStack() as stack:
        tasks = stack.enter_context(Actor(provider))
        server = stack.enter_context(stage.server(tasks.ask("url")))
        control = stack.enter_context(Actor(plain, tasks.ask("url")))
        tasks.ask("call_back_after", CALL_BACK_S)
        turns = stage.turns(
            name,
            (server, lambda amount: float(server.ask("runs", connection, 3, amount, IN_FLIGHT))),
            (control, lambda amount: float(control.ask("runs", amount, IN_FLIGHT, 3, connection == "hint"))),
            total,
        )
        tasks.ask("settle")
        return turns


# --- fan-out ---------------------------------------------------------------------------------


def fanned_out(stage: Stage) -> list[Result]:
    """B9: what an item of a list costs in processor time, in a long list and in a short one."""
    with ExitStack() as stack:
        tasks = stack.enter_context(Actor(provider))
        server = stack.enter_context(stage.server(tasks.ask("url")))
        tasks.ask("call_back_after", CALL_BACK_S)
        turns = stage.turns(
            "B9",
            (server, lambda amount: float(server.ask("items", LONG_LIST, amount, AT_ONCE))),
            (server, lambda amount: float(server.ask("items", SHORT_LIST, amount, AT_ONCE))),
            stage.amount.items,
        )
        tasks.ask("settle")
    return [
        Result(
            id="B9",
            what="an item among 1,000, and among 10",
            unit="ms",
            figure=median(turn.figure_processor_s for turn in turns) * 1000,
            control=median(turn.control_processor_s for turn in turns) * 1000,
            ratio=median(1 / turn.processor for turn in turns),
            target=1.3,
            at_most=True,
        )
    ]


MEASURES: dict[str, Callable[[Stage], list[Result]]] = {
    "B1": acknowledged,
    "B1b": acknowledged_while_processed,
    "B2": chained,
    "B3": completed,
    "B3b": completed_by_verdict,
    "B9": fanned_out,
}
