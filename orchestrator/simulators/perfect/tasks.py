"""A task's life: it runs, and succeeds or fails if somebody keeps asking; otherwise it is lost."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from orchestrator.simulators.perfect.orders import Order
from orchestrator.simulators.perfect.results import Product

UNPOLLED_S: Final = 10.0
"""A task that nobody asks about for longer than this is lost."""

POLLING_INTERVAL_MS: Final = 500

Status = Literal["running", "success", "error", "lost"]


@dataclass(slots=True)
class Task:
    """
    One task.

    Shape:   *due_at* is when the engine is through with it, *error* what it ends with then, if not
             with success; *base* is the address of the simulator as the caller wrote it; *seed* is for
             what is drawn; *made* are its files, forgotten when it does not succeed.
    """

    id: str
    order: Order
    created_at: float
    due_at: float
    seen_at: float
    error: str | None
    base: str
    seed: int
    made: Sequence[Product]
    status: Status = "running"

    @property
    def changes_at(self) -> float:
        """When this task ends, one way or the other, if nobody asks about it any more."""
        return min(self.due_at, self.seen_at + UNPOLLED_S)

    def settle(self, now: float) -> bool:
        """Let happen what happened until *now*; return whether the task ended just now."""
        if self.status != "running" or now < self.changes_at:
            return False
        if self.due_at <= self.seen_at + UNPOLLED_S:
            self.status = "error" if self.error else "success"
            return True
        if now > self.seen_at + UNPOLLED_S:
            self.status = "lost"
            return True
        return False

    def to_json(self, results: list[dict[str, Any]]) -> dict[str, Any]:
        """Return the answer to a check; *results* are empty unless it succeeded."""
        return {
            "polling_interval": POLLING_INTERVAL_MS,
            "status": self.status,
            "error": self.error if self.status == "error" else None,
            "results": results,
        }
