"""
Every error this package raises on purpose, and the classes of failure a job can end with.

OrchestratorError
  DefinitionError      the author's YAML is wrong; carries every problem with its place
  InvalidInput         what the caller sent is wrong; carries every problem with its location
  InvalidValue         an expression or parameter turned out wrong at run time
  NotFound             no such run, job, workflow, delivery or artifact
  WrongState           the thing exists, but its state does not allow what was asked
  Conflict             somebody else appended to this stream first: reload and decide again
  Refused              the store would break a promise by writing this; nothing was written
    NoRoom             of something that runs share there is not enough left
  StoreUnavailable     nothing can be written just now (disk full, locked, read-only)
  StoreInUse           another server holds this data folder
  SettingsError        the configuration is wrong; carries the place

What a provider says is data (see `providers.base`), never one of these.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

ErrorClass = Literal[
    "invalid_request",
    "invalid_value",
    "unauthorized",
    "insufficient_credits",
    "rate_limited",
    "provider_error",
    "network",
    "task_failed",
    "result_unavailable",
    "timeout",
    "uncertain",
    "budget_exceeded",
    "refused_url",
    "cancelled",
]
"""How a job, step or run failed; retry policies name these, nothing else."""


@dataclass(frozen=True, slots=True)
class Failure:
    """
    Why something ended badly, as it is shown to people and kept in the log.

    Shape:   *cls* is ours, *code* is the provider's own where it gave one.
    """

    cls: ErrorClass
    message: str
    code: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the shape of `error` in the API: {"class", "code", "message"}."""
        return {"class": self.cls, "code": self.code, "message": self.message}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Failure":
        """Return the failure that `to_json` wrote."""
        return cls(data["class"], data["message"], data.get("code"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """
    One thing wrong with a file, at a place a person can go to.

    Shape:   lines and columns count from 1; without them it is the file as a whole.
    """

    message: str
    location: str = ""
    file: str = ""
    line: int | None = None
    column: int | None = None
    hint: str | None = None
    severity: Literal["error", "warning"] = "error"

    def __str__(self) -> str:
        hint = f" ({self.hint})" if self.hint else ""
        warning = "warning: " if self.severity == "warning" else ""
        place = self.file if self.line is None else f"{self.file}:{self.line}:{self.column}"
        return f"{place}: {warning}{self.message}{hint}"


@dataclass(frozen=True, slots=True)
class InputProblem:
    """One thing wrong with what a caller sent: where (`inputs.gender`) and what."""

    location: str
    message: str


class OrchestratorError(Exception):
    """Something went wrong in a way this package foresaw."""


class DefinitionError(OrchestratorError):
    """The author's YAML is wrong."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = tuple(problems)


class InvalidInput(OrchestratorError):
    """What the caller sent is wrong; nothing was stored."""

    def __init__(self, problems: Sequence[InputProblem]) -> None:
        super().__init__("; ".join(f"{p.location}: {p.message}" for p in problems))
        self.problems = tuple(problems)


class InvalidValue(OrchestratorError):
    """An expression or a parameter turned out wrong at run time."""


class NotFound(OrchestratorError):
    """No such thing."""


class WrongState(OrchestratorError):
    """The thing exists, but its state does not allow what was asked."""


class Conflict(OrchestratorError):
    """Somebody else appended to this stream first: reload and decide again."""


class Refused(OrchestratorError):
    """The store would break a promise by writing this; nothing was written."""


class NoRoom(Refused):
    """Of something that runs share (a budget, the places of a group) there is not enough left."""

    def __init__(self, resource: str) -> None:
        super().__init__(f"there is no room left in {resource}")
        self.resource = resource


class StoreUnavailable(OrchestratorError):
    """Nothing can be written just now: disk full, locked or read-only."""


class StoreInUse(OrchestratorError):
    """Another server holds this data folder."""


class SettingsError(OrchestratorError):
    """The configuration is wrong; the message says where and what to do."""
