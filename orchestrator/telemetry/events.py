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


EVENTS = (
    LogEvent("artifact.damaged", "error", ("digest",), "Stored bytes no longer match their digest."),
    LogEvent("artifact.stored", "debug", ("digest", "media_type", "size"), "New bytes are durably ours."),
    LogEvent("backup.written", "info", ("path", "size"), "A backup of the database is complete."),
    LogEvent(
        "callback.refused", "info", ("reason", "remote"), "A request had no token of ours; answered 404."
    ),
    LogEvent(
        "check.failed", "info", ("reason", "retry_in_s"), "A look at a task told nothing; it is repeated."
    ),
    LogEvent("connection.budget_reached", "warning", ("until",), "Jobs wait for the budget's next period."),
    LogEvent("connection.credits_changed", "debug", ("credits",), "The provider showed another balance."),
    LogEvent("connection.paused", "warning", ("reason", "until"), "No submits until it is resumed."),
    LogEvent("connection.resumed", "info", ("reason",), "Submits go out again."),
    LogEvent(
        "delivery.overflow", "warning", ("count",), "A job had too many deliveries; bodies are dropped."
    ),
    LogEvent(
        "delivery.processed", "debug", ("verdict",), "A stored callback has been understood and settled."
    ),
    LogEvent("delivery.rejected", "error", ("error", "retry_after_s"), "Could not be stored; answered 503."),
    LogEvent("delivery.stored", "debug", ("size",), "A callback is durably ours; answered 200."),
    LogEvent(
        "download.failed", "info", ("host", "reason", "retry_in_s"), "A result file did not arrive whole."
    ),
    LogEvent(
        "effect.failed", "error", ("effect", "error", "retry_in_s"), "A bug, or a limit of this machine."
    ),
    LogEvent("hook.refused", "info", ("reason", "remote"), "A request to a hook was not signed as agreed."),
    LogEvent("job.adopted", "info", ("task_id", "by"), "An uncertain job found its task."),
    LogEvent("job.cancelled", "info", (), "Nobody waits for this job any more."),
    LogEvent("job.contradicted", "warning", ("reason",), "Two sources tell different things about a task."),
    LogEvent("job.failed", "info", ("error_class", "code", "message"), "The job ended badly."),
    LogEvent("job.late_result", "warning", ("task_id",), "A paid result came after the job had ended; kept."),
    LogEvent(
        "job.rejected", "info", ("error_class", "code", "wait"), "The provider did not accept the submit."
    ),
    LogEvent("job.submitted", "info", ("task_id",), "The provider has accepted the task."),
    LogEvent("job.succeeded", "info", ("credits",), "The result and its files are ours."),
    LogEvent("job.timed_out", "warning", (), "The deadline came before the result."),
    LogEvent("job.uncertain", "warning", ("reason",), "Nobody knows whether the submit was accepted."),
    LogEvent("library.logged", "info", ("library", "message"), "A library's line, at the library's level."),
    LogEvent("login.failed", "warning", ("reason", "retry_in_s"), "No access token from the provider."),
    LogEvent(
        "loop.failed", "error", ("loop",), "A background loop ended with an exception; the server stops."
    ),
    LogEvent(
        "notification.failed", "warning", ("host", "reason", "retry_in_s"), "A run's end was not heard."
    ),
    LogEvent("notification.sent", "info", ("host", "status"), "A run's end has been told."),
    LogEvent(
        "request.answered", "info", ("method", "path", "status", "duration_ms", "size", "remote"), "Access."
    ),
    LogEvent(
        "request.failed", "error", ("method", "path"), "A handler raised; answered 500 without details."
    ),
    LogEvent("run.cancelled", "info", (), "The run ended because a person asked for it."),
    LogEvent("run.created", "info", (), "A run is durably ours."),
    LogEvent("run.failed", "warning", ("error_class", "code", "message"), "The run ended badly."),
    LogEvent("run.succeeded", "info", ("credits",), "The run ended well."),
    LogEvent(
        "server.recovered", "info", ("runs", "jobs", "uncertain"), "What an earlier process left is taken up."
    ),
    LogEvent(
        "server.started", "info", ("version", "public", "admin", "data_folder"), "Both listeners answer."
    ),
    LogEvent(
        "server.stop_requested", "info", ("signal", "grace_s"), "No new submits; those in flight finish."
    ),
    LogEvent("server.stopped", "info", ("uncertain",), "The process ends; what is left is in the store."),
    LogEvent("settings.key_created", "info", ("path",), "No secret key was configured; one has been made."),
    LogEvent("store.migrated", "info", ("version",), "The database has been brought to this release."),
    LogEvent("store.recovered", "info", ("after_s",), "Writing works again."),
    LogEvent(
        "store.unavailable", "warning", ("reason",), "Nothing can be written; what came is kept and repeated."
    ),
    LogEvent("submit.postponed", "debug", ("reason", "until"), "A job waits for a slot, a limit or credits."),
    LogEvent(
        "trigger.broke", "error", ("triggers",), "A bug: deciding raised, and the run was left as it was."
    ),
    LogEvent("url.refused", "warning", ("host", "reason"), "An outgoing request was not allowed to leave."),
    LogEvent("workflow.skipped", "warning", ("file", "problems"), "A file with problems is left out."),
    LogEvent("workflows.loaded", "info", ("count", "skipped"), "Workflow files have been read."),
)
