"""From a folded state to the rows that lists, pages and the schedule read."""

from typing import Any

import orjson

from orchestrator.engine.large import LargeValue, referred
from orchestrator.engine.notices import next_due
from orchestrator.engine.state import Job, RunState
from orchestrator.store.rows import JobRow, Lane, RunRow


def run_row(state: RunState) -> RunRow:
    """Return the run's row as it is after the state's last event."""
    return RunRow(
        id=state.id,
        workflow=state.workflow,
        digest=state.digest,
        status=state.status,
        version=state.version,
        labels=orjson.dumps(state.labels),
        inputs=orjson.dumps(_told(state.inputs)),
        outputs=_json(_told(state.outputs)),
        error=_json(state.error),
        created_at=state.created_at,
        started_at=state.started_at,
        finished_at=state.finished_at,
        wake_at=_wake_at(state),
        waits_for=state.waits_for,
    )


def inputs_of(row: RunRow) -> dict[str, Any] | LargeValue | None:
    """Return the inputs that a run's row tells of."""
    return _read(row.inputs)


def outputs_of(row: RunRow) -> dict[str, Any] | LargeValue | None:
    """Return the outputs that a run's row tells of."""
    return _read(row.outputs)


def _told(value: dict[str, Any] | LargeValue | None) -> Any:
    """Return *value* as a row has it: a reference stands there as a list of one object."""
    return [value] if isinstance(value, LargeValue) else value


def _read(column: bytes | None) -> dict[str, Any] | LargeValue | None:
    value = None if column is None else orjson.loads(column)
    return referred(value[0]) if isinstance(value, list) else value


def _wake_at(state: RunState) -> int | None:
    if state.has_ended:
        return next_due(state.notices)
    return None if state.halting else state.deadline_at


def job_row(run: str, job: Job) -> JobRow:
    """Return the job's row; what is due next comes from its status."""
    return JobRow(
        id=job.id,
        run=run,
        step=job.step,
        index=job.index,
        attempt=job.attempt,
        connection=job.connection,
        operation=job.operation,
        status=job.status,
        task_id=job.task_id,
        lane=lane(job),
        wake_at=job.wake_at,
        deadline_at=job.deadline_at,
        created_at=job.created_at,
        submitted_at=job.submitted_at,
        finished_at=job.finished_at,
        credits=job.credits,
        error=_json(job.error),
        reserved=job.reserved,
    )


def lane(job: Job) -> Lane | None:
    """Return what the job's wake-up is for; None when nothing will ever be due, or the answer is awaited."""
    if job.status == "created":
        return "submit"
    return "look" if job.wake_at is not None else None


def holds_slot(job: Job) -> bool:
    """Return whether the job counts against `max_in_flight`: its task runs, or may still be running."""
    return job.status in ("submitting", "waiting", "collecting", "uncertain") or (
        job.watched and job.wake_at is not None
    )


def _json(value: object) -> bytes | None:
    return None if value is None else orjson.dumps(value)
