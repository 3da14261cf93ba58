"""Jobs: list them, look at one with what was sent and what came back, settle one."""

import re
from typing import Annotated, get_args

from aiohttp import web
from pydantic import AfterValidator, Field

from orchestrator.engine.events import Resolution
from orchestrator.engine.large import LargeValue, Unavailable
from orchestrator.engine.state import JobStatus
from orchestrator.errors import NotFound
from orchestrator.operations import shapes
from orchestrator.store.log import Log
from orchestrator.store.rows import JobRow, Recorded
from orchestrator.web import bodies, paging
from orchestrator.web.deps import DEPS, Deps
from orchestrator.web.events import check_run
from orchestrator.web.query import Query
from orchestrator.web.replies import PREFIX, json_reply

_AT_A_TIME = 1000
_ABOUT_JOBS = ("job.*", "operator.*")
_DELIVERIES = 200
"""More than are kept of a job with their bodies."""


_TASK = re.compile(r"[\x21-\x7e]{1,200}")


def _task_id(text: str) -> str:
    if not _TASK.fullmatch(text):
        raise ValueError("a task's id has 1 to 200 visible ASCII characters and no space")
    return text


class ResolveJob(bodies.Body):
    """
    The body of `POST /jobs/{id}/resolve`; *task_id* is what to adopt, as the provider calls it.

    *unchecked*: without asking the provider whether it has it.
    """

    action: Resolution
    task_id: Annotated[str, AfterValidator(_task_id)] | None = None
    comment: str | None = Field(default=None, max_length=1000)
    unchecked: bool = False


async def index(request: web.Request) -> web.Response:
    """List jobs, newest first."""
    query = Query(request, "run", "status", "connection", "limit", "cursor")
    limit, before = paging.limit(query), paging.cursor(query)
    status = query.one_of("status", get_args(JobStatus))
    query.check()
    await check_run(request.app[DEPS].views, query.text("run"))
    rows = await request.app[DEPS].views.jobs(
        run=query.text("run"),
        status=status,
        connection=query.text("connection"),
        before=before,
        limit=limit + 1,
    )
    return paging.page(rows, limit, shapes.job_row)


async def show(request: web.Request) -> web.Response:
    """Show one job: the request as sent, the answers, and the deliveries."""
    Query(request).check()
    return json_reply(await _show(request.app[DEPS], request.match_info["job"]))


async def resolve(request: web.Request) -> web.Response:
    """Settle a submit that nobody answered: adopt a task, send another request, or give it up."""
    deps, job = request.app[DEPS], request.match_info["job"]
    body = await bodies.read(request, ResolveJob)
    await deps.jobs.resolve(
        job, body.action, task_id=body.task_id, comment=body.comment, unchecked=body.unchecked
    )
    return json_reply(await _show(deps, job))


async def _show(deps: Deps, job: str) -> shapes.Object:
    row = await deps.views.job(job)
    if row is None:
        raise NotFound(f"no job '{job}'")
    deliveries = await deps.inbox.find(job=job, limit=_DELIVERIES)
    history = await _history(deps.log, row)
    return shapes.job(
        row,
        history,
        [delivery.id for delivery in reversed(deliveries)],
        template=await _whole(deps, shapes.told_last(history, "template", *shapes.SENDS)),
        params=await _whole(deps, shapes.told_last(history, "params", "job.created")),
    )


async def _whole(deps: Deps, value: shapes.Object | LargeValue | None) -> shapes.Object | None:
    """Return *value* itself, or None where it cannot be read any more."""
    try:
        found: shapes.Object | None = await deps.values.of(value)
    except Unavailable:
        return None
    return found


async def _history(log: Log, row: JobRow) -> list[Recorded]:
    """Return the events about one job, out of those of its run."""
    found: list[Recorded] = []
    after = 0
    while True:
        records = await log.tail(
            after=after, types=_ABOUT_JOBS, stream=row.run, since=row.created_at, limit=_AT_A_TIME
        )
        found += [record for record in records if record.subject == row.id]
        if len(records) < _AT_A_TIME:
            return found
        after = records[-1].seq


ROUTES = (
    web.get(f"{PREFIX}/jobs", index),
    web.get(f"{PREFIX}/jobs/{{job}}", show),
    web.post(f"{PREFIX}/jobs/{{job}}/resolve", resolve),
)
