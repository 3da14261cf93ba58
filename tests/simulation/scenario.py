"""What happens in a simulation: all of it follows from one number."""

import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from orchestrator.simulators.faults import MEANINGS

FAULTS = tuple(MEANINGS)

PERIOD = "10m"
"""How long the periods of budgets are."""
"""Everything that can go wrong at the simulated providers."""

WORKFLOWS = {
    path.stem: path.read_text() for path in sorted((Path(__file__).parent / "workflows").glob("*.yaml"))
}
"""The definitions that runs are started of."""

CALLED_BACK = frozenset({"drafts", "portraits", "relay"})
"""Those that need a public address: Pixu is never asked, and pictures are fetched from us."""

PAID_AGAIN = {
    "stubborn": frozenset({"task_failed", "result_unavailable", "uncertain"}),
    "relay": frozenset({"task_failed", "result_unavailable", "timeout", "invalid_request", "uncertain"}),
}
"""Error classes after which a definition asks for another attempt that may be charged for again."""

PRICES: dict[str, dict[str, Any]] = {
    "pizi": {"create_model": 1, "create_pictures": {"credits": 1, "per": "variants"}},
    "trypi": {"generate_avatar": 1},
    "pixu": {"create_model": 1, "create_model_from_url": 1, "txt2img_strict_portrait": 1},
    "perfect": {"enhance": 1, "colorize": 1},
}
"""What the simulated providers charge, of those that do not tell."""

VisitKind = Literal["resolve", "resubmit", "mistake", "redeliver", "pause"]
VISITS: tuple[VisitKind, ...] = ("resolve", "resubmit", "mistake", "redeliver", "pause")


@dataclass(frozen=True, slots=True)
class Order:
    """
    A run to be started, seconds after the beginning, and perhaps cancelled some time later.

    *retries*: how often whoever started it lets it go on when it has ended badly; *anew*: all of it
    is done again then. *answers*: the person answers questions, and else leaves them to their default.
    """

    workflow: str
    after_s: float = 0.0
    cancelled_after_s: float | None = None
    retries: int = 0
    anew: bool = False
    answers: bool = True


@dataclass(frozen=True, slots=True)
class Visit:
    """
    An operator comes, seconds after the beginning, and does something to whatever there is.

    resolve    settles uncertain submits by what the provider's own books say
    resubmit   has them sent again without looking
    mistake    adopts other jobs' tasks for them, which must be refused
    redeliver  has deliveries processed once more
    pause      stops the submits of every connection for a while
    """

    kind: VisitKind
    at_s: float


@dataclass(frozen=True, slots=True)
class Shock:
    """
    An end of the server, and its next start *down_s* later.

    Shape:   it comes *turns* of the event loop after the server's start; a crash may instead come
             right after the server, once it is up, has written so many times.
    """

    kind: Literal["crash", "stop"]
    turns: int
    down_s: float
    writes: int | None = None


@dataclass(frozen=True, slots=True)
class Scenario:
    """
    One simulation.

    *full_disk*: after how many seconds nothing can be written, and for how long. *budget*: credits
    that all runs together may use at Pizi within ten minutes. *cuts*: the chance that a connection breaks
    while something is on its way, either way. *settings*: of every connection, over
    what `connection` says.
    """

    seed: int
    faults: dict[str, float]
    orders: tuple[Order, ...]
    visits: tuple[Visit, ...]
    shocks: tuple[Shock, ...]
    full_disk: tuple[float, float] | None
    callbacks: Literal["on", "off"]
    limited: bool
    max_in_flight: int | None
    budget: int | None
    latency_s: tuple[float, float]
    lag_s: float
    cuts: float = 0.0
    settings: dict[str, object] = field(default_factory=dict)

    def connection(self, kind: str) -> dict[str, object]:
        """Return what the settings of a connection have beside its address and credentials."""
        chosen: dict[str, object] = {} if self.limited else {"rate_limits": []}
        if self.max_in_flight is not None:
            chosen["max_in_flight"] = self.max_in_flight
        if self.budget is not None and kind == "pizi":
            chosen["budget"] = {"credits": self.budget, "per": PERIOD}
        if kind in PRICES:
            chosen["prices"] = PRICES[kind]
        if kind == "perfect":
            # Small ones are seen to repeat; by default they begin with the time of the start.
            chosen["request_id_start"] = 1
        patience = {"first_check": "20s", "max_check_interval": "1m", "uncertain_grace": "90s"}
        return {**chosen, **patience, "request_timeout": "8s", **self.settings}

    def workflows(self) -> dict[str, str]:
        """Return the definitions that its runs are of."""
        names = {order.workflow for order in self.orders}
        return {name: WORKFLOWS[name] for name in names | ({"single"} if "shared" in names else set())}


def scenario(seed: int) -> Scenario:
    """
    Return the simulation of *seed*. Some have no faults, some no crashes; most have both.

    Three in four are brief: one run, and little that goes wrong. Of these thousands can be played, and
    what they find is read with ease; the others are for what only a crowd does.
    """
    dice = random.Random(seed)
    is_brief = seed % 4 != 0
    chosen = [] if dice.random() < 0.15 else dice.sample(FAULTS, dice.randint(1, 3 if is_brief else 8))
    callbacks: Literal["on", "off"] = "off" if dice.random() < 0.15 else "on"
    return Scenario(
        seed=seed,
        faults={name: round(dice.uniform(0.05, 0.5), 2) for name in chosen},
        orders=tuple(_order(dice, callbacks) for _ in range(1 if is_brief else dice.randint(1, 4))),
        visits=tuple(_visit(dice) for _ in range(dice.choice((0, 1) if is_brief else (0, 0, 1, 2, 4)))),
        shocks=tuple(
            _shock(dice) for _ in range(dice.choice((0, 1, 1, 2) if is_brief else (0, 1, 1, 2, 3, 5)))
        ),
        full_disk=(dice.uniform(0.0, 60.0), dice.uniform(0.1, 15.0)) if dice.random() < 0.2 else None,
        callbacks=callbacks,
        limited=dice.random() < 0.4,
        max_in_flight=dice.choice((None, None, 1, 2)),
        budget=dice.choice((None, None, 4)),
        latency_s=dice.choice(((0.01, 0.05), (0.5, 4.0), (10.0, 40.0))),
        lag_s=dice.choice((0.5, 5.0, 15.0)),
        cuts=dice.choice((0.0, 0.0, 0.0, 0.02, 0.1, 0.3)),
    )


def _order(dice: random.Random, callbacks: Literal["on", "off"]) -> Order:
    kinds = [name for name in WORKFLOWS if callbacks == "on" or name not in CALLED_BACK]
    return Order(
        workflow=dice.choice(kinds),
        after_s=dice.choice((0.0, dice.uniform(0.0, 60.0))),
        cancelled_after_s=dice.uniform(0.0, 120.0) if dice.random() < 0.15 else None,
        retries=dice.choice((0, 0, 1, 2)),
        anew=dice.random() < 0.3,
        answers=dice.random() < 0.7,
    )


def _visit(dice: random.Random) -> Visit:
    return Visit(dice.choice(VISITS), 10 ** dice.uniform(0.0, 2.3))


def _shock(dice: random.Random) -> Shock:
    # Most of what can be interrupted lies in the first turns; the rest is waiting.
    turns = int(10 ** dice.uniform(0.0, 3.3))
    kind: Literal["crash", "stop"] = "stop" if dice.random() < 0.2 else "crash"
    down_s = dice.choice((0.0, 1.0, dice.uniform(0.0, 30.0)))
    writes = dice.randint(1, 40) if kind == "crash" and dice.random() < 0.4 else None
    return Shock(kind, turns, down_s, writes)
