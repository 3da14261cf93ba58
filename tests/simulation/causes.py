"""Why a run may end badly: each class of failure, with what must have happened for that."""

from orchestrator.engine.state import RunState
from tests.simulation.world import World

BLAMED: dict[str, set[str]] = {
    "task_failed": {"task_failed", "trigger_failed"},
    "uncertain": {
        "answer_lost",
        "slow_answer",
        "error_before",
        "error_after",
        "crash",
        "trigger_failed",
        "cut",
    },
    "provider_error": {
        *("error_before", "error_after", "rate_limit", "slow_answer", "lookup_lag", "crash", "stop"),
    },
    "result_unavailable": {"expired_link", "link_missing"},
    "timeout": {
        *("error_before", "rate_limit", "truncated_download", "expired_link", "no_credits", "budget"),
        *("loss", "task_failed", "wrong_uid", "silent_failure", "lookup_lag", "answer_lost", "error_after"),
        *("trigger_failed", "away", "cut"),
    },
    # An answer that was lost, and a callback with another uid: what it made goes by a name that is wrong.
    # Or a picture that a provider was to fetch from us did not come through.
    "invalid_request": {"short_prompts", "wrong_uid", "cut"},
    "budget_exceeded": {"run_budget"},
}


def has_a_cause(world: World, state: RunState) -> bool:
    """Return whether something happened that the error of a failed run can be blamed on."""
    assert state.error is not None
    # Of a run that was a step, the code says how that one ended.
    classes = (state.error["class"], state.error["code"] or "")
    cause = set[str]().union({"person"}, *(BLAMED.get(cls, set()) for cls in classes))
    return bool(cause & _happened(world, state))


def _happened(world: World, state: RunState) -> set[str]:
    happened = set(world.scenario.faults)
    happened |= {"crash"} if world.outside.crashes else set()
    happened |= {"away"} if _may_miss_a_callback(world, state) else set()
    happened |= {"cut"} if world.outside.met["connection_cut"] else set()
    happened |= {"stop"} if world.outside.stops > 1 else set()
    happened |= {"budget"} if world.scenario.budget is not None else set()
    happened |= {"run_budget"} if state.workflow == "shared" else set()
    happened |= {"person"} if world.outside.met["submit resolved by a person"] else set()
    return happened


def _may_miss_a_callback(world: World, state: RunState) -> bool:
    """Whether the one call of a provider that cannot be asked may have come while the server was down."""
    was_away = world.outside.crashes or world.outside.stops > 1 or world.scenario.full_disk is not None
    return bool(was_away) and any(job.connection == "pixu" for job in state.jobs.values())
