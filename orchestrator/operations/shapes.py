"""How runs, jobs, deliveries and events look outside: the objects of the API, which commands print too."""

from collections.abc import Iterator, Sequence
from hashlib import blake2b
from typing import Any

import orjson

from orchestrator import cron
from orchestrator.artifacts.artifact import Artifact
from orchestrator.definition.templates import ExpressionCondition, TemplateValue
from orchestrator.definition.workflow import CORE, Condition, ScheduleTrigger, Step, Value, Workflow
from orchestrator.engine.large import LargeValue, Unavailable, joined, opened
from orchestrator.engine.state import Instance, Job, Notice, RunState, StepState
from orchestrator.errors import Problem
from orchestrator.ids import typeid
from orchestrator.operations.questions import asks, question
from orchestrator.operations.relatives import Relatives, child_of, progress
from orchestrator.operations.requests import as_sent
from orchestrator.operations.usual import Usual
from orchestrator.store.connections import STREAM
from orchestrator.store.projection import inputs_of, outputs_of
from orchestrator.store.rows import Delivery, JobRow, Recorded, RunRow
from orchestrator.times import rfc3339

Object = dict[str, Any]

_NOBODY = Relatives()


def run_row(row: RunRow) -> Object:
    """Return a run as lists show it: without its steps."""
    inputs, outputs = inputs_of(row), outputs_of(row)
    return {
        "id": row.id,
        "workflow": row.workflow,
        "digest": row.digest,
        "status": row.status,
        "inputs": _plain(inputs),
        "inputs_artifact": _artifact(inputs),
        "labels": orjson.loads(row.labels),
        "outputs": _plain(outputs),
        "outputs_artifact": _artifact(outputs),
        "error": _loads(row.error),
        "created_at": rfc3339(row.created_at),
        "started_at": rfc3339(row.started_at),
        "finished_at": rfc3339(row.finished_at),
    }


def _plain(value: Object | LargeValue | None) -> Object | None:
    """Return *value*, or null where it is too large to be shown in its place."""
    return None if isinstance(value, LargeValue) else value


def _artifact(value: Object | LargeValue | None) -> Object | None:
    """Return the artifact that holds *value*, where it is too large to be shown in its place."""
    if not isinstance(value, LargeValue):
        return None
    return Artifact(digest=value.digest, media_type="application/json", size=value.size).to_json()


def run(state: RunState, workflow: Workflow, relatives: Relatives = _NOBODY) -> Object:
    """
    Return a run with its steps, one entry an instance.

    Errors:  NotLoaded when a large value has to be in memory first.
    """
    return {
        "id": state.id,
        "workflow": state.workflow,
        "digest": state.digest,
        "status": state.status,
        "inputs": _plain(state.inputs),
        "inputs_artifact": _artifact(state.inputs),
        "labels": state.labels,
        "trigger": state.trigger,
        "parent": None if state.parent is None else {"run": relatives.parent, "job": state.parent},
        "outputs": _plain(state.outputs),
        "outputs_artifact": _artifact(state.outputs),
        "error": state.error,
        "created_at": rfc3339(state.created_at),
        "started_at": rfc3339(state.started_at),
        "finished_at": rfc3339(state.finished_at),
        "credits": _credits(state),
        "notifications": [notification(notice) for notice in state.notices.values()],
        "steps": [entry for step in workflow.steps.values() for entry in _steps(state, step, relatives)],
    }


def notification(notice: Notice) -> Object:
    """Return who was or is to be told how a run ended."""
    ended = "delivered" if notice.delivered_at is not None else "given_up"
    return {
        "id": notice.id,
        "url": notice.shown_url,
        "status": "due" if notice.due_at is not None else ended,
        "attempts": notice.attempts,
        "delivered_at": rfc3339(notice.delivered_at),
        "next_attempt_at": rfc3339(notice.due_at),
        "error": notice.error,
    }


def _credits(state: RunState) -> dict[str, float]:
    spent: dict[str, float] = {}
    for job in state.jobs.values():
        if job.credits is not None:
            spent[job.connection] = spent.get(job.connection, 0) + job.credits
    return spent


def _steps(state: RunState, step: Step, relatives: Relatives) -> Iterator[Object]:
    whole = state.steps.get(step.id) or StepState(step.id)
    if step.for_each is None:
        yield _instance(state, state.instances.get((step.id, None)) or Instance(step.id, None), relatives)
    elif not whole.count:
        yield _instance(state, _as_instance(whole), relatives)
    else:
        for index in range(whole.count):
            instance = state.instances.get((step.id, index)) or Instance(step.id, index)
            yield _instance(state, instance, relatives)


def _as_instance(step: StepState) -> Instance:
    return Instance(
        step.id,
        None,
        status=step.status,
        error=step.error,
        started_at=step.started_at,
        finished_at=step.finished_at,
    )


def _instance(state: RunState, instance: Instance, relatives: Relatives) -> Object:
    job = state.jobs[instance.job] if instance.job is not None else None
    won = job if instance.status == "succeeded" else None
    output = won.output if won is not None else None
    return {
        "id": instance.step,
        "index": instance.index,
        "status": instance.status,
        "attempt": instance.attempt,
        "job": instance.job,
        "job_status": job.status if job is not None else None,
        "progress": job.progress if job is not None else None,
        "waiting_for": waiting_for(job) if job is not None and job.is_open else None,
        "question": open_question(state, job),
        "child": _child(job, relatives),
        "output": _plain(output),
        "output_artifact": _artifact(output),
        "artifacts": won.artifacts if won is not None else [],
        "error": instance.error,
        "started_at": rfc3339(instance.started_at),
        "finished_at": rfc3339(instance.finished_at),
    }


def _child(job: Job | None, relatives: Relatives) -> Object | None:
    """Return the run that a step is, with how far it is while it is under way."""
    run = child_of(job) if job is not None else None
    if job is None or run is None:
        return None
    child = relatives.children.get(job.id)
    return {"run": run, "progress": None if child is None else progress(child)}


def open_question(state: RunState, job: Job | None) -> Object | None:
    """
    Return what *job* asks a person just now, or None; also where its choices cannot be read any more.

    Errors:  NotLoaded when they have to be in memory first.
    """
    if job is None or job.status != "waiting" or not asks(job):
        return None
    try:
        return question(job, state.id, opened(job.params))
    except Unavailable:
        return None


def job_row(row: JobRow) -> Object:
    """Return a job as lists show it."""
    return {
        "id": row.id,
        "run": row.run,
        "step": row.step,
        "index": row.index,
        "attempt": row.attempt,
        "connection": row.connection,
        "operation": row.operation,
        "status": row.status,
        "task_id": row.task_id,
        "created_at": rfc3339(row.created_at),
        "submitted_at": rfc3339(row.submitted_at),
        "next_check_at": rfc3339(row.wake_at),
        "deadline_at": rfc3339(row.deadline_at),
        "finished_at": rfc3339(row.finished_at),
        "credits": row.credits,
        "error": _loads(row.error),
    }


_BROUGHT_OUTPUT = ("job.collecting", "job.succeeded", "job.late_result")
_OURS = ("job.created", "job.submitting")
SENDS = ("job.submitting", "job.uncertain")
"""Events that may hold the request; the second where a restored log had none, and it was built again."""


def told_last(history: Sequence[Recorded], name: str, *types: str) -> Object | LargeValue | None:
    """Return the latest field *name* of events of *types* in *history*; None where there is none."""
    told = (_value(_data(record), name) for record in reversed(history) if record.type in types)
    return next((value for value in told if value is not None), None)


def job(
    row: JobRow,
    history: Sequence[Recorded],
    deliveries: Sequence[str],
    *,
    template: Object | None,
    params: Object | None,
) -> Object:
    """
    Return a job with what was sent and what came back.

    Shape:   *history* is every event about it, oldest first; *deliveries* the ids of what came
             on its callback URL. `request` is the body of the latest submit and `response` the
             result, null where there is none yet; `answers` is what became known about the job,
             as CloudEvents; `question` what it asks, or asked, a person; `unseen` says that its task is
             a person's word, which may be taken back as long as nobody has seen the task.
             *template* of its latest submit and its *params* come from there too; None: they cannot be
             read any more.
    """
    submits = [_data(record) for record in history if record.type == "job.submitting"]
    results = [_value(_data(record), "output") for record in history if record.type in _BROUGHT_OUTPUT]
    response = next((output for output in reversed(results) if output is not None), None)
    number = submits[-1]["number"] if submits else None
    sent = as_sent(template, row, number) if template is not None else None
    return job_row(row) | {
        "request": None if sent is None else sent.body,
        "sent": None if sent is None else sent.head,
        "question": question(row, row.run, params) if params is not None and asks(row) else None,
        "response": _plain(response),
        "response_artifact": _artifact(response),
        "unseen": row.status in ("waiting", "collecting") and _is_unseen(history),
        "answers": [event(record) for record in history if record.type not in _OURS],
        "deliveries": list(deliveries),
    }


def _is_unseen(history: Sequence[Recorded]) -> bool:
    """Whether the latest of these events that says who has seen the task is a person's word alone."""
    told = [record for record in history if record.type in ("job.adopted", "job.progressed")]
    return bool(told) and _data(told[-1]).get("unseen", False) is True


def _value(data: Object, name: str) -> Object | LargeValue | None:
    """Return a field of an event that may be too large for it."""
    return joined(data.get(name), data.get(f"{name}_ref"))


def waiting(
    row: JobRow, last_check_at: int | None, usual: Usual | None, asked: Object | None = None
) -> Object:
    """
    Return an open job as the waiting board shows it.

    Shape:   `usual_duration` {"p50", "p95"} in seconds; `credits_held` is what it may have to be paid;
             *asked* is what it asks a person.
    """
    return {
        "job": row.id,
        "run": row.run,
        "step": row.step,
        "index": row.index,
        "attempt": row.attempt,
        "connection": row.connection,
        "operation": row.operation,
        "status": row.status,
        "waiting_for": waiting_for(row),
        "question": asked,
        "task_id": row.task_id,
        "since": rfc3339(row.submitted_at if row.submitted_at is not None else row.created_at),
        "last_check_at": rfc3339(last_check_at),
        "next_check_at": rfc3339(row.wake_at),
        "deadline_at": rfc3339(row.deadline_at),
        "usual_duration": None if usual is None else {"p50": usual.p50, "p95": usual.p95},
        "credits_held": row.reserved or None,
    }


def delivery(row: Delivery) -> Object:
    """Return a delivery; its bytes are at `GET /deliveries/{id}/body`."""
    return {
        "id": row.id,
        "job": row.job or None,
        "connection": row.connection or None,
        "hook": row.hook,
        "run": row.run,
        "received_at": rfc3339(row.received_at),
        "method": row.method,
        "query": row.query,
        "headers": orjson.loads(row.headers),
        "content_type": row.content_type,
        "size": row.size,
        "remote": row.remote,
        "verdict": row.verdict,
        "duplicate_of": row.duplicate_of,
        "redelivery_of": row.redelivery_of,
        "error": row.error,
    }


def event(record: Recorded) -> Object:
    """Return an event as a CloudEvent 1.0."""
    return {
        "specversion": "1.0",
        "id": _event_id(record),
        "source": f"/{record.stream}" if record.stream.startswith(STREAM) else f"/runs/{record.stream}",
        "type": f"orchestrator.{record.type}",
        "subject": record.subject or None,
        "time": rfc3339(record.at),
        "datacontenttype": "application/json",
        "sequence": str(record.seq),
        "streamversion": record.version,
        "data": _data(record),
    }


def _event_id(record: Recorded) -> str:
    """Return the event's own id; derived from its place in the log, so it need not be stored."""
    place = blake2b(f"{record.stream}\n{record.version}".encode(), digest_size=10)
    return typeid("evt", record.at, place.digest())


def _data(record: Recorded) -> Object:
    data: Object = orjson.loads(record.data)
    data.pop("at", None)
    return data


def workflow(definition: Workflow, now: int) -> Object:
    """Return a workflow with its inputs, its graph, and what starts it besides people after *now*."""
    return {
        "name": definition.name,
        "description": definition.description,
        "digest": definition.digest,
        "inputs": dict(definition.inputs),
        "required": sorted(definition.required),
        "steps": [
            {
                "id": step.id,
                "uses": f"{step.connection}/{step.operation}",
                "needs": sorted(step.needs),
                "for_each": step.for_each is not None,
                "max_parallel": step.max_parallel if step.for_each is not None else None,
                "if": _written(step.condition),
            }
            for step in definition.steps.values()
        ],
        "outputs": sorted(definition.outputs),
        "timeout_s": definition.timeout_s,
        "budget": dict(definition.budget),
        "concurrency": None
        if definition.concurrency is None
        else {"group": _written(definition.concurrency.group), "limit": definition.concurrency.limit},
        "notify": [{"url": each.url, "on": sorted(each.statuses)} for each in definition.notify],
        "triggers": triggers(definition, now),
    }


def _written(value: Value | Condition | None) -> Any:
    """Return a value or a condition as its author wrote it."""
    if isinstance(value, ExpressionCondition):
        return value.source
    return value.template if isinstance(value, TemplateValue) else None


def triggers(definition: Workflow, now: int) -> Object:
    """Return what starts runs of a workflow besides people; `next_at` is the first instant after *now*."""
    webhook = definition.triggers.webhook
    return {
        "webhook": None
        if webhook is None
        else {
            "path": f"/hooks/{definition.name}",
            "scheme": webhook.verify.scheme if webhook.verify is not None else None,
            "inputs": sorted(webhook.inputs),
        },
        "schedules": [_schedule(schedule, now) for schedule in definition.triggers.schedules],
        "runs": [
            {"workflow": trigger.workflow, "statuses": sorted(trigger.statuses)}
            for trigger in definition.triggers.runs
        ],
    }


def _schedule(schedule: ScheduleTrigger, now: int) -> Object:
    return {
        "cron": schedule.cron,
        "timezone": schedule.timezone,
        "missed": schedule.missed,
        "next_at": rfc3339(cron.following(schedule.cron, schedule.timezone, now)),
    }


def problem(found: Problem) -> Object:
    """Return one thing that is wrong with a definition."""
    return {
        "file": found.file or None,
        "line": found.line,
        "column": found.column,
        "location": found.location,
        "message": found.message,
        "hint": found.hint,
        "severity": found.severity,
    }


_OWN_TASKS = {
    "sleep": "its time",
    "approve": "a person's answer",
    "run_workflow": "the end of its run",
    "http": "its callback",
}


def waiting_for(job: Job | JobRow) -> str:
    """Say in a few words what an open job waits for."""
    if job.connection == CORE and job.status == "waiting" and job.operation in _OWN_TASKS:
        return _OWN_TASKS[job.operation]
    return {
        "created": "its turn to be submitted",
        "submitting": "the answer to its submit",
        "waiting": "its result",
        "collecting": "its files",
        "uncertain": "news of a submit that nobody answered",
    }.get(job.status, "nothing")


def _loads(data: bytes | None) -> Any:
    return None if data is None else orjson.loads(data)
