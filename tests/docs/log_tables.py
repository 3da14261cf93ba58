"""What the log may hold, and how a job may fail, as tables."""

import re
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args

import orchestrator
from orchestrator.engine import events as engine
from orchestrator.errors import ErrorClass
from orchestrator.store import connections
from orchestrator.telemetry.events import EVENTS
from tests.docs.markdown import code, codes, sentence, table

_CALL = re.compile(r"log\.\w+\(\s*\"([a-z_.]+)\"")


def events(_: str) -> str:
    """Return every event of a run's log, in the order in which they are defined."""
    return _told(engine.KINDS)


def connection_events(_: str) -> str:
    """Return every event of a connection's log."""
    return _told(connections.KINDS)


def _told(kinds: Mapping[str, type[Any]]) -> str:
    rows = []
    for name, cls in kinds.items():
        told = sentence(cls.__doc__)
        if not told or told.startswith(f"{cls.__name__}("):
            raise ValueError(f"the event {name} needs a docstring that says what is true when it is there")
        held = [field.name for field in fields(cls) if field.name != "at"]
        rows.append((code(name), told, codes(held)))
    return table(("event", "what is true from then on", "data"), rows)


def log_lines(_: str) -> str:
    """Return the log lines that a person should look at, and that some code writes."""
    package = Path(orchestrator.__file__).parent
    written = {name for path in package.rglob("*.py") for name in _CALL.findall(path.read_text("utf-8"))}
    rows = [
        (code(event.name), event.level, event.sentence)
        for event in EVENTS
        if event.level in ("warning", "error") and event.name in written
    ]
    return table(("name", "level", "what it means"), rows)


MEANINGS: dict[ErrorClass, str] = {
    "invalid_request": "The provider refused the request, or an image cannot be had in a form that it takes.",
    "invalid_value": "An expression or a parameter turned out wrong when the step began; nothing was sent.",
    "unauthorized": "The credentials were refused. Jobs wait and are sent again; the connection is paused.",
    "insufficient_credits": "The account is empty. Jobs wait and are sent again; the connection is paused.",
    "rate_limited": "Too many requests. Jobs wait and are sent again; the connection is paused.",
    "provider_error": "The provider failed, or answered something that cannot be read.",
    "network": "Nothing was sent, or nobody answered and nothing had been spent.",
    "task_failed": "The provider accepted the task and reports that it failed.",
    "result_unavailable": "There was a result, and it cannot be fetched any more.",
    "timeout": "No result within the step's `timeout`, or no end of the run within the workflow's.",
    "uncertain": "Nobody can tell whether the submit was accepted.",
    "budget_exceeded": "With this step the run would have used more than its budget; nothing was sent.",
    "refused_url": "A URL points into a private network, or is none that may be requested.",
    "cancelled": "Reserved: cancelled steps have the status `cancelled` and no error.",
}


def error_classes(_: str) -> str:
    """Return the classes of failure, which `retry.on` names."""
    return table(("class", "what happened"), [(code(cls), MEANINGS[cls]) for cls in get_args(ErrorClass)])
