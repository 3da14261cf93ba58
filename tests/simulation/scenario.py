"""What happens in a simulation: all of it follows from one number."""

import random
from dataclasses import dataclass
from typing import Literal

FAULTS = (
    "loss", "duplicate", "early", "late", "reorder", "silent_failure", "answer_lost", "slow_answer",
    "error_before", "error_after", "rate_limit", "no_credits", "task_failed", "lookup_lag",
    "slow_download", "truncated_download", "expired_link", "creative",
)  # fmt: skip
"""Everything that can go wrong at Pizi and Perfect."""

WORKFLOWS = {
    "shoot": """\
name: shoot
timeout: 6h
steps:
  model:
    uses: pizi/create_model
    with: {gender: female}
  pictures:
    uses: pizi/create_pictures
    with:
      shotType: lifestyle
      variants: 3
      model: {uuid: '${{ steps.model.output.uuid }}'}
      product: {images: ['data:image/png;base64,PRODUCT']}
  enhance:
    uses: perfect/enhance
    for_each: ${{ steps.pictures.artifacts }}
    with: {image: '${{ item }}', scale: 1}
outputs:
  images: ${{ steps.enhance.artifacts }}
""",
    "stubborn": """\
name: stubborn
timeout: 6h
defaults:
  timeout: 20m
  retry: {attempts: 4, backoff: 2s, on: [provider_error, network, task_failed, result_unavailable]}
  on_uncertain: resubmit
steps:
  first:
    uses: pizi/create_model
    with: {gender: male}
  second:
    uses: pizi/create_model
    with: {gender: female}
  pictures:
    uses: pizi/create_pictures
    if: ${{ always() }}
    needs: [first, second]
    with:
      shotType: lifestyle
      variants: 1
      product: {images: ['data:image/png;base64,PRODUCT']}
outputs:
  images: ${{ steps.pictures.artifacts }}
""",
    "patient": """\
name: patient
timeout: 6h
defaults: {on_uncertain: wait, timeout: 15m}
steps:
  faces:
    uses: pizi/create_model
    for_each: ${{ ['female', 'male', 'female', 'male'] }}
    max_parallel: 2
    continue_on_error: true
    with: {gender: '${{ item }}'}
  enhance:
    uses: perfect/enhance
    for_each: ${{ steps.faces.artifacts }}
    with: {image: '${{ item }}', scale: 1}
""",
}
"""The definitions that runs are started of."""

PAID_AGAIN = {
    "shoot": frozenset[str](),
    "stubborn": frozenset({"task_failed", "result_unavailable", "uncertain"}),
    "patient": frozenset[str](),
}
"""Error classes after which each definition asks for another attempt that may be charged for again."""


@dataclass(frozen=True, slots=True)
class Order:
    """A run to be started, seconds after the beginning, and perhaps cancelled some time later."""

    workflow: str
    after_s: float
    cancelled_after_s: float | None


@dataclass(frozen=True, slots=True)
class Shock:
    """
    An end of the server, and its next start *down_s* later.

    Shape:   it comes *turns* of the event loop after the server's start.
    """

    kind: Literal["crash", "stop"]
    turns: int
    down_s: float


@dataclass(frozen=True, slots=True)
class Scenario:
    """One simulation. *full_disk*: after how many seconds nothing can be written, and for how long."""

    seed: int
    faults: dict[str, float]
    orders: tuple[Order, ...]
    shocks: tuple[Shock, ...]
    full_disk: tuple[float, float] | None
    callbacks: Literal["on", "off"]
    limited: bool
    max_in_flight: int | None
    latency_s: tuple[float, float]
    lag_s: float

    def connection(self, kind: str) -> dict[str, object]:
        """Return what the settings of a connection have beside its address and credentials."""
        limits: dict[str, object] = {} if self.limited else {"rate_limits": []}
        if self.max_in_flight is not None:
            limits["max_in_flight"] = self.max_in_flight
        return {
            **limits,
            "first_check": "20s",
            "max_check_interval": "1m",
            "uncertain_grace": "90s",
            "request_timeout": "8s",
            # Small ones are seen to repeat; by default they begin with the time of the start.
            **({"request_id_start": 1} if kind == "perfect" else {}),
        }


def scenario(seed: int) -> Scenario:
    """Return the simulation of *seed*. Some have no faults, some no crashes; most have both."""
    dice = random.Random(seed)
    chosen = [] if dice.random() < 0.15 else dice.sample(FAULTS, dice.randint(1, 8))
    return Scenario(
        seed=seed,
        faults={name: round(dice.uniform(0.05, 0.5), 2) for name in chosen},
        orders=tuple(_order(dice) for _ in range(dice.randint(1, 4))),
        shocks=tuple(_shock(dice) for _ in range(dice.choice((0, 1, 1, 2, 3, 5)))),
        full_disk=(dice.uniform(0.0, 60.0), dice.uniform(0.1, 15.0)) if dice.random() < 0.2 else None,
        callbacks="off" if dice.random() < 0.2 else "on",
        limited=dice.random() < 0.4,
        max_in_flight=dice.choice((None, None, 1, 2)),
        latency_s=dice.choice(((0.01, 0.05), (0.5, 4.0), (10.0, 40.0))),
        lag_s=dice.choice((0.5, 5.0, 15.0)),
    )


def _order(dice: random.Random) -> Order:
    cancelled = dice.uniform(0.0, 120.0) if dice.random() < 0.15 else None
    return Order(dice.choice(sorted(WORKFLOWS)), dice.choice((0.0, dice.uniform(0.0, 60.0))), cancelled)


def _shock(dice: random.Random) -> Shock:
    # Most of what can be interrupted lies in the first turns; the rest is waiting.
    turns = int(10 ** dice.uniform(0.0, 3.3))
    kind: Literal["crash", "stop"] = "stop" if dice.random() < 0.2 else "crash"
    return Shock(kind, turns, dice.choice((0.0, 1.0, dice.uniform(0.0, 30.0))))
