"""Whoever stands in where nobody is to act."""

from orchestrator.engine.effects import Effect
from orchestrator.engine.plan import Plan
from orchestrator.engine.state import RunState


class Onlooker:
    """Does nothing of what is asked for: the tests say what happened."""

    def perform(self, run: str, effect: Effect, state: RunState, plan: Plan) -> None: ...

    def wake(self, run: str, job: str) -> None: ...

    def freed(self) -> None: ...
