"""One job at work: what whoever does something for it needs to know."""

from dataclasses import dataclass

from orchestrator.engine.plan import Plan
from orchestrator.engine.state import Job
from orchestrator.operations.planned import Planned


@dataclass(frozen=True, slots=True)
class Work:
    """A job of a run, and what its parameters make of its operation."""

    run: str
    job: Job
    planned: Planned

    @property
    def connection(self) -> str:
        return self.job.connection


def planned_of(plan: Plan, job: Job) -> Planned:
    planned = plan.operation(job)
    assert isinstance(planned, Planned), "plans are made by operations.plans"
    return planned
