"""What is written down of a world while it is played, by others than the system itself."""

from collections import Counter
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import structlog

from orchestrator.simulators.faults import Faults
from tests.simulation.lives import LIFE

BROKEN = frozenset({"trigger.broke", "effect.broke", "hook.broke", "loop.failed", "request.failed"})
"""What the server says when it meets a mistake of its own."""


@dataclass(slots=True)
class Outside:
    """
    What the world was told, and will hold the system to.

    *started*: order to run id, as answered. *acknowledged*: how often each callback (token, query,
    body) was answered 200. *crashes*, *stops*: how the server's lives ended. *met*: how often which
    fault happened. *broken*: what the server said of its own mistakes.
    """

    started: dict[int, str] = field(default_factory=dict)
    cancelled: set[str] = field(default_factory=set)
    acknowledged: Counter[tuple[str, str, bytes]] = field(default_factory=Counter)
    crashes: int = 0
    stops: int = 0
    met: Counter[str] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class CountedFaults(Faults):
    """Faults that count themselves in *met*."""

    met: Counter[str] = field(default_factory=Counter)

    def hits(self, name: str, *key: object, seed: int) -> bool:
        hit = super().hits(name, *key, seed=seed)
        self.met[name] += hit
        return hit


@contextmanager
def overheard(outside: Outside) -> Iterator[None]:
    """Write down what servers log of their own mistakes; what the dead say does not count."""

    def overhear(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        life = LIFE.get()
        if event["event"] in BROKEN and not (life is not None and life.is_dead):
            outside.broken.append(str(structlog.processors.format_exc_info(logger, method, event)))
        raise structlog.DropEvent

    before = structlog.get_config()
    structlog.configure(processors=[overhear])
    try:
        yield
    finally:
        structlog.configure(**before)
