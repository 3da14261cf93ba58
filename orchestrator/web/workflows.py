"""Workflows: list them, look at one, check a text, read the files again."""

import asyncio

from aiohttp import web

from orchestrator.definition.workflow import Workflow
from orchestrator.operations import shapes
from orchestrator.web import paging
from orchestrator.web.deps import DEPS, Deps
from orchestrator.web.query import Query
from orchestrator.web.replies import PREFIX, json_reply


async def index(request: web.Request) -> web.Response:
    """List the workflows that runs can be started of, by name."""
    Query(request).check()
    deps = request.app[DEPS]
    return paging.whole([_shown(deps, workflow) for workflow in deps.library.all()])


async def show(request: web.Request) -> web.Response:
    """Show one workflow."""
    Query(request).check()
    deps = request.app[DEPS]
    return json_reply(_shown(deps, deps.library.get(request.match_info["name"])))


def _shown(deps: Deps, workflow: Workflow) -> shapes.Object:
    file = deps.library.file_of(workflow.name)
    shown = shapes.workflow(workflow, deps.clock.now())
    return shown | {"file": None if file is None else file.name}


async def schema(request: web.Request) -> web.Response:
    """Return the JSON Schema of a workflow that uses the configured connections, for editors."""
    Query(request).check()
    return json_reply(request.app[DEPS].library.schema())


async def validate(request: web.Request) -> web.Response:
    """Check YAML that is the whole body; nothing is kept."""
    Query(request).check()
    data = await request.read()
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise web.HTTPBadRequest(text=f"the body is not UTF-8 text: {error.reason}") from error
    # Many problems in a long text take their time; requests must not wait for that.
    problems = await asyncio.to_thread(request.app[DEPS].library.check, text)
    valid = all(problem.severity != "error" for problem in problems)
    return json_reply({"valid": valid, "problems": [shapes.problem(problem) for problem in problems]})


async def reload(request: web.Request) -> web.Response:
    """Read the files again; those with errors are left out, and what is wrong with them is told."""
    Query(request).check()
    found = await asyncio.to_thread(request.app[DEPS].library.reload)
    return json_reply(
        {
            "workflows": sorted(found.workflows),
            "problems": [shapes.problem(problem) for problem in found.problems],
        }
    )


ROUTES = (
    web.get(f"{PREFIX}/workflows", index),
    web.post(f"{PREFIX}/workflows/validate", validate),
    web.post(f"{PREFIX}/workflows/reload", reload),
    web.get(f"{PREFIX}/workflows/schema", schema),
    web.get(f"{PREFIX}/workflows/{{name}}", show),
)
