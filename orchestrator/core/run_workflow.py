"""`core/run_workflow`: a run of another workflow as a step of this one."""

from typing import Any

from pydantic import Field

from orchestrator.providers.base import Output, Params


class RunWorkflow(Params):
    """Which workflow, and what it is given."""

    workflow: str = Field(min_length=1, description="The name of the workflow.")
    inputs: dict[str, Any] = Field(default_factory=dict, description="Its inputs, as for any run of it.")


class Outputs(Output):
    """The run's `outputs`; the artifacts among them are the step's artifacts."""
