"""Whose a task is, by what its provider was told: the providers' books against our jobs."""

import orjson

from orchestrator.simulators.books import Books, TaskEntry

Owner = str | int
"""A job's id; at Perfect a request number."""


def owner(kind: str, task: TaskEntry) -> Owner | None:
    """Return whose *task* is; None where its provider was told nothing that says so."""
    if not task.mark:
        return None
    match kind:
        case "pizi":
            return str(orjson.loads(task.mark)["orchestrator_job"])
        case "perfect":
            return int(task.mark.split()[-1])
        case "trypi":
            return task.mark
        case _:
            # The callback address: …/callbacks/<connection>/<job>.<signature>
            return task.mark.rpartition("/")[2].partition(".")[0]


def tasks_of(kind: str, books: Books, whose: Owner) -> list[TaskEntry]:
    """Return the tasks of a job that were really begun: what was accepted and could not be is none."""
    return [task for task in books.tasks.values() if owner(kind, task) == whose and not _is_stillborn(task)]


def _is_stillborn(task: TaskEntry) -> bool:
    """Whether it was left behind as failed, free of charge, when it could not be started."""
    return task.status == "failed" and task.charged == 0
