"""What others are told when a run ends, and whom the caller of a run wants told."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from orchestrator.definition.catalog import Secrets
from orchestrator.definition.policies import is_web_address
from orchestrator.definition.workflow import Notify, Workflow
from orchestrator.engine.state import RunState
from orchestrator.errors import InputProblem, InvalidInput
from orchestrator.operations import shapes
from orchestrator.operations.relatives import Relatives
from orchestrator.times import rfc3339

BYTES_MAX = 256 * 1024
"""Of one message."""


def message(state: RunState, workflow: Workflow, relatives: Relatives) -> bytes:
    """
    Return the body that tells how a run ended.

    Shape:   `{"type": "run.<status>", "timestamp", "data"}`, where `data` is the run as the API shows
             it. Where that is too long, `data.left_out` names what is not in it.
    """
    # It has ended, so there is no question in it: nothing has to be in memory first.
    data = shapes.run(state, workflow, relatives)
    del data["notifications"]
    left_out: list[str] = []
    body = _encoded(state, data)
    for name in ("steps", "inputs", "outputs"):
        if len(body) <= BYTES_MAX:
            break
        left_out.append(name)
        data = {**data, name: None, "left_out": left_out}
        body = _encoded(state, data)
    return body


def _encoded(state: RunState, data: Mapping[str, Any]) -> bytes:
    told = {"type": f"run.{state.status}", "timestamp": rfc3339(state.finished_at), "data": data}
    return orjson.dumps(told)


def check_targets(targets: Sequence[Notify], secrets: Secrets | None) -> None:
    """Check whom the caller of a run wants told. Errors: InvalidInput with every problem."""
    problems: list[InputProblem] = []
    for index, target in enumerate(targets):
        place = f"notify[{index}]"
        if not is_web_address(target.url):
            problems.append(
                InputProblem(f"{place}.url", "write the whole address, as in https://example.com/done")
            )
        if secrets is not None and target.secret not in secrets:
            words = f"there is no secret '{target.secret}' in [secrets] of the settings"
            problems.append(InputProblem(f"{place}.secret", words))
        elif secrets is not None and not secrets[target.secret]:
            words = f"the secret '{target.secret}' is none of Standard Webhooks (whsec_ and base64)"
            problems.append(InputProblem(f"{place}.secret", words))
    if problems:
        raise InvalidInput(problems)
