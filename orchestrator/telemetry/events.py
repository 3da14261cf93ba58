"""
Every name that may be logged, with its level, its fields and what it means.

A name is `noun.verb_past`, and that of an engine event where both mean the same. Operators
build alerts on these names: one that is taken away or changes its meaning goes into the
CHANGELOG. Warnings are for a person to look at in time, errors for one to look at now.
"""

from dataclasses import dataclass

from orchestrator.telemetry import Level

CONTEXT = frozenset(
    {"attempt", "connection", "delivery_id", "index", "job_id", "listener", "run_id", "step", "workflow"}
)
"""Fields that are bound once per unit of work and may come with every line."""


@dataclass(frozen=True, slots=True)
class LogEvent:
    """One name. *fields* may come with it beside those of `CONTEXT`; none is promised to be there."""

    name: str
    level: Level
    fields: tuple[str, ...]
    sentence: str


_TABLE: tuple[tuple[str, Level, str, str], ...] = (
    ("artifact.damaged", "error", "digest", "Stored bytes no longer match their digest."),
    ("check.failed", "info", "reason retry_in_s", "A look told nothing; it is repeated."),
    ("connection.budget_reached", "warning", "credits used until", "Jobs wait for the budget's next period."),
    ("connection.credits_changed", "debug", "credits", "The provider showed another balance."),
    ("connection.missing", "warning", "jobs", "Jobs are at one that is not configured; they wait for it."),
    ("connection.paused", "warning", "reason until", "No submits until it is resumed."),
    ("connection.resumed", "info", "reason", "Submits go out again."),
    ("delivery.overflow", "warning", "count", "Too many for a job; bodies are dropped."),
    ("delivery.rejected", "error", "error retry_after_s", "Could not be stored; answered 503."),
    ("disk.cleared", "info", "", "The disk takes files again; submits go out."),
    (
        "disk.filled",
        "warning",
        "reason",
        "Too little room on a disk, or it takes no files; no submit starts.",
    ),
    ("download.failed", "info", "host reason retry_in_s", "A result file did not arrive whole."),
    ("effect.broke", "error", "", "A bug: performing raised; the job's row brings it back."),
    ("follower.failed", "error", "error", "The run that was to follow another could not be started."),
    ("hook.broke", "error", "", "A bug: processing a request on a hook raised; it is settled as unreadable."),
    ("hook.unanswered", "warning", "verdict error", "A request on a hook starts no run; it is kept."),
    ("job.adopted", "info", "task_id by", "An uncertain job found its task."),
    ("job.contradicted", "warning", "reason", "Two sources tell different things about a task."),
    ("job.late_result", "warning", "task_id", "A paid result came after the job had ended; kept."),
    ("job.timed_out", "warning", "", "The deadline came before the result."),
    ("job.uncertain", "warning", "reason", "Nobody knows whether the submit was accepted."),
    ("library.logged", "info", "library message", "A library's line, at the library's level."),
    ("loop.failed", "error", "loop", "A background loop died; the server stops."),
    (
        "notification.broke",
        "error",
        "",
        "A bug: telling of a run's end raised; its row brings it back.",
    ),
    ("notification.failed", "warning", "host reason retry_in_s", "A run's end was not heard."),
    ("notification.sent", "info", "host status", "A run's end has been told."),
    (
        "request.answered",
        "info",
        "method path status duration_ms size remote",
        "A listener answered; the path without its query.",
    ),
    ("request.failed", "error", "method path", "A handler raised; answered 500 without details."),
    ("run.failed", "warning", "error_class code message", "The run ended badly."),
    ("schedule.failed", "error", "at error", "The run of an instant could not be started."),
    ("schedule.missed", "warning", "cron at", "An instant passed while no server ran; it is skipped."),
    ("server.hurried", "warning", "signal", "Asked to stop again: submits in flight are not waited for."),
    ("server.started", "info", "version public admin data_folder", "Both listeners answer."),
    ("server.stop_requested", "info", "signal", "No new submits; those in flight finish."),
    ("server.stopped", "info", "uncertain", "The process ends; what is left is in the store."),
    ("store.migrated", "info", "kept", "The database has been brought to this release."),
    (
        "store.pruned",
        "info",
        "runs events deliveries artifacts freed",
        "What need not be kept any more was removed.",
    ),
    ("store.restored", "warning", "taken_at jobs", "It comes from a backup; open jobs are uncertain."),
    ("store.unavailable", "warning", "reason", "Nothing can be written; it is tried again."),
    ("trigger.broke", "error", "triggers", "A bug: deciding raised; the run is as it was."),
    ("watchdog.failed", "warning", "error", "A run could not be looked through."),
    ("watchdog.healed", "error", "problems", "A run was not as it should be; it goes on. A bug, or a hand."),
    ("workflow.questioned", "warning", "problem", "A file is read, and something in it is doubtful."),
    ("workflow.reloaded", "info", "count errors", "The workflow files were read again."),
    ("workflows.loaded", "info", "count skipped", "Workflow files have been read."),
)

EVENTS = tuple(LogEvent(name, level, tuple(fields.split()), text) for name, level, fields, text in _TABLE)
"""The table above, by row."""
