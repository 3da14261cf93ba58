"""Steps: answer the question that one of them asks."""

import re

from aiohttp import web
from pydantic import Field

from orchestrator.errors import NotFound
from orchestrator.operations import shapes
from orchestrator.operations.relatives import relatives
from orchestrator.web import bodies
from orchestrator.web.deps import DEPS
from orchestrator.web.replies import PREFIX, json_reply

_INSTANCE = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?:\[([0-9]{1,5})\])?")


class Decision(bodies.Body):
    """The body of `POST /steps/{run}/{step}/decision`; *chosen* are positions in the choices, from 0."""

    approved: bool
    chosen: list[int] = Field(default_factory=list, max_length=10_000)
    comment: str | None = Field(default=None, max_length=1000)
    by: str | None = Field(default=None, max_length=200)


async def decide(request: web.Request) -> web.Response:
    """Answer a question; of a step with `for_each` the path names the item, as in `pick[2]`."""
    deps, run, text = request.app[DEPS], request.match_info["run"], request.match_info["step"]
    instance = _INSTANCE.fullmatch(text)
    if instance is None:
        raise NotFound(f"no step '{text}' in {run}")
    step, index = instance.group(1), instance.group(2)
    body = await bodies.read(request, Decision)
    await deps.decisions.decide(
        run,
        step,
        int(index) if index is not None else None,
        approved=body.approved,
        chosen=body.chosen,
        comment=body.comment,
        who=body.by,
    )
    state = await deps.runs.get(run)
    workflow = await deps.plans.workflow(state.digest, deps.log.definition)
    near = await relatives(state, deps.views, deps.runs)
    return json_reply(await deps.values.during(lambda: shapes.run(state, workflow, near)))


ROUTES = (web.post(f"{PREFIX}/steps/{{run}}/{{step}}/decision", decide),)
