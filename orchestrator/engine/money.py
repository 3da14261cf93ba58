"""What a run may spend: the budget of its workflow, against what its jobs have or may have cost."""

from orchestrator.engine.draft import Draft
from orchestrator.engine.state import Job
from orchestrator.errors import Failure


def is_limited(draft: Draft, connection: str) -> bool:
    """Return whether the workflow has a budget for *connection*."""
    return connection in draft.plan.workflow.budget


def exceeded(draft: Draft, job: Job) -> Failure | None:
    """Return why *job* must not be submitted: with it the run would use more than its workflow allows."""
    operation, most = draft.operation(job), draft.plan.workflow.budget.get(job.connection)
    if most is None or not operation.costs:
        return None
    price, used = operation.price(job), draft.state.spending.get(job.connection, 0.0)
    if price is None:
        message = f"nobody knows what {job.connection}/{job.operation} costs with these parameters"
        return Failure("budget_exceeded", f"{message}, and the run has a budget of {most:g} credits for it")
    if used + price <= most + 1e-6:
        return None
    return Failure(
        "budget_exceeded",
        f"it would cost {price:g} credit{'' if price == 1 else 's'}, and of the run's budget of {most:g} "
        f"for {job.connection} {used:g} are used or reserved",
    )


def uncharged(draft: Draft, job: Job) -> float | None:
    """
    Return 0 where a job that ends without a result is known to cost nothing, None where nobody knows.

    A task that dies when nobody asks for it is charged for its result alone.
    """
    return 0.0 if job.price is not None and draft.operation(job).drops else None
