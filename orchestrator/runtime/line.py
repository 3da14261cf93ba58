"""
Who waits for a turn at one connection, and who of them is next.

Heartbeats go first, for a task dies without them. Then submits, then checks; but one in ten of both
together is a check as long as checks wait, so that submits that press on for ever do not silence them.
Within a lane runs take turns, so that one that asks a thousand times does not hold back one that asks once.
"""

import asyncio
from collections import OrderedDict, deque
from dataclasses import dataclass, field
from enum import IntEnum

CHECKS_ONE_IN = 10
"""Of so many requests that are no heartbeats at least one is a check, while checks wait."""


class Lane(IntEnum):
    """What a request is for; a lower one goes first."""

    HEARTBEAT = 0
    SUBMIT = 1
    CHECK = 2


@dataclass(slots=True)
class _Ring:
    """Those of one lane: the run whose turn it is stands first, its requests in the order they came."""

    runs: OrderedDict[str, deque[asyncio.Future[None]]] = field(default_factory=OrderedDict)

    def push(self, run: str, turn: asyncio.Future[None]) -> None:
        self.runs.setdefault(run, deque()).append(turn)

    def is_empty(self) -> bool:
        """Return whether nobody waits; those who gave up are forgotten."""
        while self.runs:
            run, turns = next(iter(self.runs.items()))
            while turns and turns[0].done():
                turns.popleft()
            if turns:
                return False
            del self.runs[run]
        return True

    def size(self) -> int:
        return sum(not turn.done() for turns in self.runs.values() for turn in turns)

    def pop(self) -> asyncio.Future[None]:
        run, turns = next(iter(self.runs.items()))
        turn = turns.popleft()
        self.runs.move_to_end(run)
        return turn


class Line:
    """The line of one connection."""

    def __init__(self) -> None:
        self._rings = {lane: _Ring() for lane in Lane}
        self._since_check = 0

    def join(self, lane: Lane, run: str) -> asyncio.Future[None]:
        """Return what is done when the turn has come."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._rings[lane].push(run, turn)
        return turn

    def next(self) -> Lane | None:
        """Return the lane of the next one; None when nobody waits."""
        order = [Lane.HEARTBEAT, Lane.SUBMIT, Lane.CHECK]
        if self._since_check >= CHECKS_ONE_IN - 1:
            order = [Lane.HEARTBEAT, Lane.CHECK, Lane.SUBMIT]
        return next((lane for lane in order if not self._rings[lane].is_empty()), None)

    def waiting(self, lane: Lane) -> int:
        """Return how many of *lane* wait."""
        return self._rings[lane].size()

    def admit(self, lane: Lane) -> None:
        """Give the next one of *lane* its turn."""
        self._rings[lane].pop().set_result(None)
        if lane is Lane.CHECK:
            self._since_check = 0
        elif lane is Lane.SUBMIT:
            self._since_check += 1
