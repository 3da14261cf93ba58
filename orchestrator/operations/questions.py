"""How a question that a workflow asks a person looks outside, and where its answer goes."""

from collections.abc import Mapping
from typing import Any

from orchestrator.core.approve import Approve
from orchestrator.definition.workflow import CORE
from orchestrator.engine.state import Job
from orchestrator.store.rows import JobRow
from orchestrator.times import rfc3339

_REFERENCE = "artifact:sha256:"


def asks(job: Job | JobRow) -> bool:
    """Return whether *job* is a question to a person."""
    return job.connection == CORE and job.operation == "approve"


def question(job: Job | JobRow, run: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return what is asked by *job* of *run*, whose parameters are *params*.

    Shape:   files among the `choices` have an `href`; `pick` says how many may be chosen at most, null
             for a plain yes or no; `default` what the deadline decides, null where there is none;
             `href` takes the answer.
    """
    instance = job.step if job.index is None else f"{job.step}[{job.index}]"
    asked = Approve.model_validate(params)
    return {
        "message": asked.message,
        "choices": None if asked.choices is None else [_shown(choice) for choice in asked.choices],
        "pick": None if asked.choices is None else asked.pick,
        "default": None if job.deadline_at is None else asked.default,
        "deadline_at": rfc3339(job.deadline_at),
        "href": f"/api/v1/steps/{run}/{instance}/decision",
    }


def _shown(choice: Any) -> Any:
    """Return a choice with the address of its bytes, where it is a file of ours."""
    if isinstance(choice, str) and choice.startswith(_REFERENCE):
        choice = {"digest": choice.removeprefix("artifact:")}
    if isinstance(choice, dict) and str(choice.get("digest", "")).startswith("sha256:"):
        return {**choice, "href": f"/api/v1/artifacts/{choice['digest']}"}
    return choice
