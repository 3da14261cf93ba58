"""A decision being made: the events so far, and the state as it will be after them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from orchestrator import ids
from orchestrator.engine.events import Event
from orchestrator.engine.fold import apply
from orchestrator.engine.holds import Hold, of_event
from orchestrator.engine.large import LargeValue, lay_aside
from orchestrator.engine.plan import Plan, PlannedOperation
from orchestrator.engine.state import Job, RunState
from orchestrator.engine.triggers import Trigger


@dataclass(slots=True)
class Draft:
    """
    What a trigger leads to, while it is worked out.

    *room*: how many spending requests each connection may start at once, without asking
    anybody; what is not in it must go through the limits first.
    *postponed*: wake-ups that move without an event, because nothing had changed.
    *ended*: steps whose end has not been followed up yet.
    *holds*: what is taken of what runs share, and given back.
    *large*: values that must be kept before the events are, because they are not in them.
    """

    plan: Plan
    base: RunState | None
    trigger: Trigger
    room: dict[str, int]
    events: list[Event] = field(default_factory=list)
    postponed: dict[str, int | None] = field(default_factory=dict)
    ended: list[str] = field(default_factory=list)
    holds: list[Hold] = field(default_factory=list)
    large: list[LargeValue] = field(default_factory=list)
    _ids: int = 0

    @property
    def state(self) -> RunState:
        assert self.base is not None, "the run was not created yet"
        return self.base

    @property
    def at(self) -> int:
        return self.trigger.at

    def emit(self, event: Event) -> None:
        """Add *event* to the decision and to the state."""
        self.base = apply(self.base, event)
        self.events.append(event)
        hold = of_event(event, self.base)
        if hold is not None:
            self.holds.append(hold)

    def lay_aside(self, value: dict[str, Any] | LargeValue) -> dict[str, Any] | LargeValue:
        """Return *value* as the state has it: itself, or a reference to what is too large for the log."""
        if isinstance(value, LargeValue):
            return value
        aside = lay_aside(value)
        if isinstance(aside, LargeValue):
            self.large.append(aside)
        return aside

    def operation(self, job: Job) -> PlannedOperation:
        return self.plan.operation(job)

    def new_job_id(self) -> str:
        self._ids += 1
        return ids.derived("job", self.at, self.trigger.entropy, self._ids)

    def fraction(self) -> float:
        """Return a number from 0 to 1, random to people and the same for the same trigger."""
        self._ids += 1
        return (
            int.from_bytes(self.trigger.entropy[-4:], "big") * (self._ids * 2 + 1) % 0xFFFFFFFF / 0xFFFFFFFF
        )

    def may_spend(self, connection: str) -> bool:
        """Take one spending request of *connection* from the room there is, if there is."""
        free = self.room.get(connection, 0)
        if free > 0:
            self.room[connection] = free - 1
        return free > 0


@dataclass(frozen=True, slots=True)
class Decision:
    """What to append, and the state after it. *postponed*, *holds*, *large*: see `Draft`."""

    events: list[Event]
    state: RunState
    postponed: Mapping[str, int | None]
    holds: Sequence[Hold] = ()
    large: Sequence[LargeValue] = ()
