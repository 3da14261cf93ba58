"""
The witness: what a simulated provider was really asked, what it made, charged and called back.

A test of the whole system believes these books and not the system: one task
too many here is money paid twice, one too few is a job that was lost.
"""

import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

RECENT = 10_000
"""How many single requests are remembered; they are counted for ever."""


@dataclass(frozen=True, slots=True)
class RequestSeen:
    """One request as it was answered. Shape: *at* in seconds; status 444 is a connection cut on purpose."""

    method: str
    path: str
    status: int
    at: float


@dataclass(frozen=True, slots=True)
class TaskEntry:
    """
    One accepted task.

    Shape:   *digest* tells equal bodies, without their callback address; *mark* is what the caller
             wrote to find it again (metadata, request id); times in seconds.
    """

    id: str
    operation: str
    created_at: float
    status: str
    digest: str = ""
    mark: str = ""
    charged: int = 0
    finished_at: float | None = None


@dataclass(frozen=True, slots=True)
class Charge:
    """Credits taken for a task; negative for credits given back."""

    task: str
    credits: int
    at: float


@dataclass(frozen=True, slots=True)
class CallbackSent:
    """One attempt to call back: the receiver's status, or the reason why there is none."""

    task: str
    url: str
    attempt: int
    status: int | None
    error: str | None
    at: float


class Books:
    """The books of one simulated provider."""

    def __init__(self, kind: str, credits: int, clock: Callable[[], float] = time.time) -> None:
        self.kind = kind
        self.balance = credits
        self.tasks: dict[str, TaskEntry] = {}
        self.charges: list[Charge] = []
        self.callbacks: list[CallbackSent] = []
        self.requests: deque[RequestSeen] = deque(maxlen=RECENT)
        self.counts: Counter[str] = Counter()
        self._clock = clock

    def request(self, method: str, path: str, status: int, *, route: str = "") -> None:
        """Note a request. *route* is its path without ids, so that the counts stay few."""
        self.requests.append(RequestSeen(method, path, status, self._clock()))
        self.counts[f"{method} {route or path} {status}"] += 1

    def open_task(
        self, id: str, operation: str, *, status: str, digest: str = "", mark: str = ""
    ) -> TaskEntry:
        """Note a task as accepted. Errors: ValueError when there is one of that id."""
        if id in self.tasks:
            raise ValueError(f"task {id} is already in the books")
        entry = TaskEntry(id, operation, self._clock(), status, digest, mark)
        self.tasks[id] = entry
        return entry

    def task_status(self, id: str, status: str, *, finished: bool = False) -> None:
        """Note what became of a task; *finished* also notes the time."""
        at = self._clock() if finished else None
        self.tasks[id] = replace(self.tasks[id], status=status, finished_at=at)

    def charge(self, task: str, credits: int) -> None:
        """Take *credits* from the balance for a task; negative gives them back."""
        self.balance -= credits
        self.charges.append(Charge(task, credits, self._clock()))
        self.tasks[task] = replace(self.tasks[task], charged=self.tasks[task].charged + credits)

    def top_up(self, credits: int) -> None:
        """Add *credits* to the balance, as a customer would who bought some."""
        self.balance += credits

    def callback(
        self, task: str, url: str, attempt: int, *, status: int | None = None, error: str | None = None
    ) -> None:
        """Note one attempt to call back; attempts count from 1."""
        self.callbacks.append(CallbackSent(task, url, attempt, status, error, self._clock()))

    @property
    def charged(self) -> int:
        """Credits taken in all."""
        return sum(charge.credits for charge in self.charges)

    def repeated(self) -> Mapping[str, tuple[str, ...]]:
        """Return the marks under which more than one task was accepted, each with its tasks' ids."""
        ids: dict[str, list[str]] = {}
        for entry in self.tasks.values():
            if entry.mark:
                ids.setdefault(entry.mark, []).append(entry.id)
        return {mark: tuple(same) for mark, same in ids.items() if len(same) > 1}

    def to_json(self) -> dict[str, Any]:
        """Return everything as plain JSON; single requests only as far as they are remembered."""
        return {
            "kind": self.kind,
            "balance": self.balance,
            "charged": self.charged,
            "requests": {
                "total": self.counts.total(),
                "counts": dict(sorted(self.counts.items())),
                "recent": [asdict(request) for request in self.requests],
            },
            "tasks": [asdict(entry) for entry in self.tasks.values()],
            "charges": [asdict(charge) for charge in self.charges],
            "callbacks": [asdict(callback) for callback in self.callbacks],
        }
