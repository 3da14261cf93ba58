"""Remove what need not be kept any more, when a person asks for it or time has come."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from orchestrator.durations import seconds
from orchestrator.errors import InputProblem, InvalidInput


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """
    How long what is done is kept, in seconds; None: for ever.

    *budgets_s*: how long the periods of connections' budgets are; what was spent in one that is over goes.
    """

    runs_s: float | None = None
    deliveries_s: float | None = None
    artifacts_s: float | None = None
    budgets_s: Mapping[str, float] = field(default_factory=dict)

    @property
    def removes(self) -> bool:
        """Whether anything has an end that people can see."""
        return any(kept is not None for kept in (self.runs_s, self.deliveries_s, self.artifacts_s))


@dataclass(slots=True, kw_only=True)
class Pruned:
    """
    What was removed, or would be.

    *artifact_bytes* of files; *database_bytes*: freed inside the database's file, where it will be used
    again; None where that cannot be known before.
    """

    dry: bool
    runs: int = 0
    events: int = 0
    jobs: int = 0
    deliveries: int = 0
    artifacts: int = 0
    artifact_bytes: int = 0
    database_bytes: int | None = None

    def to_json(self) -> dict[str, Any]:
        """Return it as the API shows it."""
        return {
            "dry_run": self.dry,
            "runs": self.runs,
            "events": self.events,
            "jobs": self.jobs,
            "deliveries": self.deliveries,
            "artifacts": self.artifacts,
            "artifact_bytes": self.artifact_bytes,
            "database_bytes": self.database_bytes,
        }


class Pruning:
    """What can be done about what is old. *prune* does it, by a policy; with True it only counts."""

    def __init__(self, policy: Policy, prune: Callable[[Policy, bool], Awaitable[Pruned]]) -> None:
        self._policy, self._prune = policy, prune

    async def prune(self, older_than: str | None = None, *, dry: bool = False) -> Pruned:
        """
        Remove what is older than the settings say, and artifacts that nothing refers to.

        Shape:   *older_than* such as `90d` stands for the times of runs and deliveries.
        Errors:  InvalidInput for what is no duration; StoreUnavailable, and then a part may be removed.
        """
        policy = self._policy
        if older_than is not None:
            try:
                age_s = seconds(older_than)
            except ValueError as error:
                raise InvalidInput([InputProblem("older_than", str(error))]) from None
            policy = replace(policy, runs_s=age_s, deliveries_s=age_s)
        return await self._prune(policy, dry)
