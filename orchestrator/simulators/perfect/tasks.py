"""A task's life: it runs, and succeeds or fails if somebody keeps asking; otherwise it is lost."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

from orchestrator.simulators.perfect.orders import Order

UNPOLLED_S: Final = 10.0
"""A task that nobody asks about for longer than this is lost."""

POLLING_INTERVAL_MS: Final = 500

Status = Literal["running", "success", "error", "lost"]


@dataclass(slots=True)
class Task:
    """
    One task.

    Shape:   *due_at* is when the engine is through with it, *error* what it ends with then, if not
             with success; *results* are its result files as the answer shows them, made on success.
    """

    id: str
    order: Order
    created_at: float
    due_at: float
    seen_at: float
    error: str | None
    results: Callable[[], list[dict[str, Any]]]
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

    def to_json(self) -> dict[str, Any]:
        """Return the result of a check."""
        return {
            "polling_interval": POLLING_INTERVAL_MS,
            "status": self.status,
            "error": self.error if self.status == "error" else None,
            "results": self.results() if self.status == "success" else [],
        }
