"""Runs: start one, list them, look at one, cancel it, let it go on."""

import re
from typing import Annotated, Any, get_args

from aiohttp import web
from pydantic import AfterValidator, Field, model_validator

from orchestrator.definition.workflow import EndStatus, Notify
from orchestrator.engine.state import RunState, RunStatus
from orchestrator.errors import InputProblem, InvalidInput
from orchestrator.operations import export as exports
from orchestrator.operations import shapes
from orchestrator.operations.relatives import relatives
from orchestrator.web import bodies, paging
from orchestrator.web.deps import DEPS, Deps
from orchestrator.web.query import Query
from orchestrator.web.replies import PREFIX, json_reply

_KEY = re.compile(r"[\x21-\x7e]{1,255}")
# A name cannot hold a colon, because lists are filtered by `label=name:value`.
_LABEL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,62}")
_LABEL_VALUE = re.compile(r"[^\x00-\x1f\x7f]*")


def _label_name(text: str) -> str:
    if not _LABEL_NAME.fullmatch(text):
        raise ValueError(
            "a label's name has at most 63 letters, digits and . _ / - and does not begin with these"
        )
    return text


def _label_value(text: str) -> str:
    if not _LABEL_VALUE.fullmatch(text):
        raise ValueError("must be one line without control characters")
    return text


_LabelName = Annotated[str, AfterValidator(_label_name)]
_LabelValue = Annotated[str, Field(max_length=255), AfterValidator(_label_value)]


class Target(bodies.Body):
    """One of `notify` of `POST /runs`; a text alone is its URL."""

    url: str = Field(min_length=1, max_length=2000)
    secret: str = Field(default="notify", max_length=100)
    on: list[EndStatus] = Field(default_factory=lambda: list(get_args(EndStatus)), min_length=1)

    @model_validator(mode="before")
    @classmethod
    def _of_text(cls, given: Any) -> Any:
        return {"url": given} if isinstance(given, str) else given

    def notify(self) -> Notify:
        """Return it as definitions have it."""
        return Notify(url=self.url, secret=self.secret, statuses=frozenset(self.on))


class StartRun(bodies.Body):
    """The body of `POST /runs`."""

    workflow: str = Field(min_length=1, max_length=255)
    inputs: dict[str, Any] = Field(default_factory=dict)
    labels: dict[_LabelName, _LabelValue] = Field(default_factory=dict, max_length=50)
    notify: list[Target] = Field(default_factory=list, max_length=20)
    dry_run: bool = False


class CancelRun(bodies.Body):
    """The body of `POST /runs/{id}/cancel`, which may be left out."""

    reason: str | None = Field(default=None, max_length=1000)


class Renotify(bodies.Body):
    """The body of `POST /runs/{id}/renotify`, which may be left out."""

    comment: str | None = Field(default=None, max_length=1000)


class RetryRun(bodies.Body):
    """The body of `POST /runs/{id}/retry`, which may be left out."""

    from_step: str | None = Field(default=None, alias="from", min_length=1, max_length=255)


async def start(request: web.Request) -> web.Response:
    """
    Start a run: 201, and 200 where an idempotency key found the run that an earlier call made.

    Both carry the run and its Location. With `dry_run`: 200 with what a run would do; none is started.
    """
    deps = request.app[DEPS]
    key = _key(request)
    body = await bodies.read(request, StartRun, bytes_max=deps.run_bytes_max)
    notify = [one.notify() for one in body.notify]
    if body.dry_run:
        return json_reply(await deps.dry_runs.look(body.workflow, body.inputs, body.labels, notify))
    started = await deps.runs.start(body.workflow, body.inputs, body.labels, key, notify=notify)
    shown = await _show(deps, started.state)
    location = f"{PREFIX}/runs/{started.state.id}"
    return json_reply(shown, status=201 if started.is_new else 200, headers={"Location": location})


def _key(request: web.Request) -> str | None:
    keys = request.headers.getall("Idempotency-Key", [])
    if not keys:
        return None
    if len(keys) > 1 or not _KEY.fullmatch(keys[0]):
        message = "give one key of 1 to 255 visible ASCII characters"
        raise InvalidInput([InputProblem("headers.Idempotency-Key", message)])
    return keys[0]


async def index(request: web.Request) -> web.Response:
    """List runs, newest first."""
    query = Query(request, "status", "workflow", "label", "limit", "cursor")
    limit, before = paging.limit(query), paging.cursor(query)
    status = query.one_of("status", get_args(RunStatus))
    label = query.read("label", _label)
    query.check()
    rows = await request.app[DEPS].views.runs(
        status=status, workflow=query.text("workflow"), label=label, before=before, limit=limit + 1
    )
    return paging.page(rows, limit, shapes.run_row)


def _label(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not name or not colon:
        raise ValueError(f"'{text}' is not a label's name and value with a colon between them")
    return name, value


async def show(request: web.Request) -> web.Response:
    """Show one run with its steps."""
    Query(request).check()
    deps = request.app[DEPS]
    return json_reply(await _show(deps, await deps.runs.get(request.match_info["run"])))


async def cancel(request: web.Request) -> web.Response:
    """Ask a run to end; it ends once what is under way has been settled."""
    deps = request.app[DEPS]
    body = await bodies.read(request, CancelRun, optional=True)
    state = await deps.runs.cancel(request.match_info["run"], body.reason)
    return json_reply(await _show(deps, state), status=202)


async def retry(request: web.Request) -> web.Response:
    """
    Let a run go on that failed or was cancelled: 202 with the run.

    `paid_again` names the steps that had succeeded and are done anew, because `from` asks for it;
    `maybe_paid_twice` those that are done again while an earlier submit of theirs is unclear.
    """
    deps = request.app[DEPS]
    body = await bodies.read(request, RetryRun, optional=True)
    retried = await deps.runs.retry(request.match_info["run"], body.from_step)
    shown = await _show(deps, retried.state)
    costs = {"paid_again": list(retried.paid_again), "maybe_paid_twice": list(retried.maybe_twice)}
    return json_reply(shown | costs, status=202)


async def renotify(request: web.Request) -> web.Response:
    """Let everybody be told once more how a run ended: 202 with the run."""
    deps = request.app[DEPS]
    body = await bodies.read(request, Renotify, optional=True)
    state = await deps.runs.renotify(request.match_info["run"], body.comment)
    return json_reply(await _show(deps, state), status=202)


async def _show(deps: Deps, state: RunState) -> shapes.Object:
    workflow = await deps.plans.workflow(state.digest, deps.log.definition)
    near = await relatives(state, deps.views, deps.runs)
    return await deps.values.during(lambda: shapes.run(state, workflow, near))


async def export(request: web.Request) -> web.StreamResponse:
    """Give the run as lines of its own: definition, events, rows, deliveries. See `operations.export`."""
    Query(request).check()
    deps, run = request.app[DEPS], request.match_info["run"]
    lines = exports.lines(deps.log, deps.views, deps.inbox, run, deps.clock.now())
    first = await anext(lines)
    response = web.StreamResponse(headers={"Content-Disposition": f'attachment; filename="{run}.jsonl"'})
    response.content_type = "application/x-ndjson"
    await response.prepare(request)
    await response.write(first)
    async for line in lines:
        await response.write(line)
    return response


ROUTES = (
    web.get(f"{PREFIX}/runs/{{run}}/export", export),
    web.post(f"{PREFIX}/runs", start),
    web.get(f"{PREFIX}/runs", index),
    web.get(f"{PREFIX}/runs/{{run}}", show),
    web.post(f"{PREFIX}/runs/{{run}}/cancel", cancel),
    web.post(f"{PREFIX}/runs/{{run}}/retry", retry),
    web.post(f"{PREFIX}/runs/{{run}}/renotify", renotify),
)
