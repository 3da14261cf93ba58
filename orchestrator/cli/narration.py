"""Tells the log in words: when, about what, what happened, and why that is so."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from rich.text import Text

from orchestrator.cli.asking import approve_command
from orchestrator.cli.render import (
    amount,
    artifact_text,
    error_text,
    instance_name,
    local,
    moment,
    plain,
    size,
)

Object = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Told:
    """One event in words. *why* is empty where *what* says it all."""

    at: str
    subject: str
    what: str
    why: str = ""

    def text(self) -> Text:
        """Return it as a line for a terminal."""
        line = Text.assemble((self.at, "dim"), "  ", (f"{self.subject:<12}", "bold"), "  ", self.what)
        return line.append(f" — {self.why}", style="dim") if self.why else line


@dataclass(slots=True)
class Narrator:
    """
    Turns events into words, and remembers which step a job belongs to.

    *look_up* is asked for a job whose beginning was not told: its object, or None. Why something
    failed is told once: what comes of it is told without.
    """

    look_up: Callable[[str], Object | None] = lambda job: None
    _jobs: dict[str, Object] = field(default_factory=dict)
    _reasons: dict[str, tuple[str, str]] = field(default_factory=dict)

    def tell(self, event: Object) -> Told:
        """Return *event*, a CloudEvent of ours, in words; an unknown kind is told by its name."""
        kind = str(event.get("type", "")).removeprefix("orchestrator.")
        data = event.get("data") or {}
        if kind == "job.created":
            run = str(event.get("source") or "").removeprefix("/runs/")
            self._jobs[str(data.get("job"))] = {**data, "run": run}
        what, why = _WORDS[kind](data, self._job(data)) if kind in _WORDS else (plain(kind), plain(data))
        subject = self._subject(kind, data)
        if kind == "job.created":
            self._reasons.pop(subject, None)
        elif error := data.get("error"):
            why = self._unless_told(kind, subject, error, why)
        return Told(_clock(event.get("time")), subject, what, why)

    def _unless_told(self, kind: str, subject: str, error: Object, why: str) -> str:
        """Return *why*, shortened where the same was told of what this comes of."""
        blamed, reason = blame(error)
        told = [(step, text) for step, text in self._reasons.values() if text == reason]
        if kind == "run.failed" and told:
            return f"step '{blamed}' failed" if blamed else ""
        step = subject.partition("[")[0]
        if (step, reason) in told and (subject in self._reasons or subject == step):
            return ""
        self._reasons[subject] = step, reason
        return why

    def _job(self, data: Object) -> Object:
        job = data.get("job")
        if not isinstance(job, str):
            return {}
        if job not in self._jobs:
            self._jobs[job] = self.look_up(job) or {}
        return self._jobs[job]

    def _subject(self, kind: str, data: Object) -> str:
        if kind.startswith(("run.", "notification.")) or kind == "operator.renotified":
            return "run"
        if kind.startswith("connection."):
            return plain(data.get("connection"))
        if "step" in data:
            return instance_name(data, "step")
        job = self._job(data)
        return instance_name(job, "step") if job else plain(data.get("job"))[-8:]


def blame(error: Object) -> tuple[str | None, str]:
    """Return the step that the error of a run blames, and the message without it."""
    message = plain(error.get("message"))
    found = _BLAME.fullmatch(message)
    return (found[1], found[2]) if found else (None, message)


def run_error(error: Object | None) -> str:
    """Return why a run failed; of a step that is to blame only its name, as it says the rest itself."""
    blamed = blame(error)[0] if error else None
    return error_text(error) if blamed is None else f"step '{blamed}' failed"


_BLAME = re.compile(r"step '([^']+)' failed: (.*)", re.DOTALL)


def tell_all(events: Iterable[Object]) -> list[Told]:
    """Return *events* in words."""
    narrator = Narrator()
    return [narrator.tell(event) for event in events]


def _clock(text: str | None) -> str:
    at = moment(text)
    return f"{at.astimezone():%H:%M:%S}.{at.microsecond // 1000:03}" if at is not None else "??:??:??.???"


# --- one function a kind of event: (data, its job) to (what, why) ------------------------------

Words = tuple[str, str]


def _at(micros: Any) -> str:
    from orchestrator.times import rfc3339

    return local(rfc3339(micros))[11:] if isinstance(micros, int) else ""


def _brief(id: Any) -> str:
    """Return a provider's id, cut where it is longer than a UUID; the job shows the whole."""
    text = plain(id)
    return text if len(text) <= 36 else f"{text[:16]}…"


def _run_created(data: Object, job: Object) -> Words:
    what = f"{plain(data.get('workflow'))} is stored with its inputs"
    if data.get("parent"):
        return what, f"it is a step of another run, as {plain(data['parent'])}"
    return what, "from here on it survives a crash"


def _run_started(data: Object, job: Object) -> Words:
    return "starts", ""


def _run_cancel_requested(data: Object, job: Object) -> Words:
    cause = "its time is over" if data.get("cause") == "timeout" else "a person asked for it"
    return "is to end: nothing new is submitted", plain(data.get("reason")) or cause


def _run_retried(data: Object, job: Object) -> Words:
    again = data.get("again")
    anew = f"{', '.join(map(plain, again))} anew" if isinstance(again, list) and again else ""
    return "goes on: what did not succeed is done again", anew


def _run_succeeded(data: Object, job: Object) -> Words:
    if large := data.get("outputs_ref"):
        return "succeeded with outputs", f"{size(large.get('size') or 0)}, kept as an artifact"
    return f"succeeded with {', '.join(map(plain, data.get('outputs') or ())) or 'no outputs'}", ""


def _failed(data: Object, job: Object) -> Words:
    return "failed", error_text(data.get("error"))


def _cancelled(data: Object, job: Object) -> Words:
    return "cancelled", ""


def _step_started(data: Object, job: Object) -> Words:
    return "starts", "all it needs has ended" if data.get("index") is None else ""


def _step_expanded(data: Object, job: Object) -> Words:
    count = data.get("count")
    return f"its list has {count} item{'' if count == 1 else 's'}", "one instance for each"


def _step_skipped(data: Object, job: Object) -> Words:
    return "skipped", plain(data.get("reason"))


def _step_succeeded(data: Object, job: Object) -> Words:
    return ("succeeded", "") if data.get("job") else ("every instance has ended", "")


def _retry_scheduled(data: Object, job: Object) -> Words:
    words = f"attempt {data.get('attempt')} follows at {_at(data.get('due_at'))}"
    if data.get("counts") is False:
        words += "; the one before it does not count"
    return words, error_text(data.get("error"))


def _job_created(data: Object, job: Object) -> Words:
    use = f"{plain(data.get('connection'))}/{plain(data.get('operation'))}"
    attempt = data.get("attempt") or 1
    return f"job for {use}" + (f", attempt {attempt}" if attempt > 1 else ""), ""


def _job_submitting(data: Object, job: Object) -> Words:
    return "the request is written down before it is sent", "so that no crash can pay twice"


def _job_submitted(data: Object, job: Object) -> Words:
    if job.get("connection") == "core" and job.get("operation") in _OWN:
        return _OWN[job["operation"]](data, job)
    check = _at(data.get("check_at"))
    why = f"asked about at {check}, should nothing come before" if check else ""
    return (
        f"accepted by {plain(job.get('connection')) or 'the provider'}: task {_brief(data.get('task_id'))}",
        why,
    )


def _asked(data: Object, job: Object) -> Words:
    asked = job.get("question") or job.get("params") or {}
    name = instance_name(job, "step")
    command = approve_command(plain(job.get("run")), name, asked)
    return f"asks a person: {plain(asked.get('message'))}", f"answer with: {command}"


def _sleeps(data: Object, job: Object) -> Words:
    return f"sleeps until {_at(data.get('check_at'))}", ""


def _run_of_its_own(data: Object, job: Object) -> Words:
    workflow = plain((job.get("params") or {}).get("workflow"))
    run = plain(data.get("task_id")).partition("/")[0]
    return f"is the run {run}" + (f" of {workflow}" if workflow else ""), "and ends when that does"


def _own_request(data: Object, job: Object) -> Words:
    return "the request was accepted", "a callback will tell the rest"


_OWN: Mapping[str, Callable[[Object, Object], Words]] = {
    "approve": _asked,
    "sleep": _sleeps,
    "run_workflow": _run_of_its_own,
    "http": _own_request,
}
"""What it means that a task of ours was accepted."""


def _job_rejected(data: Object, job: Object) -> Words:
    if not data.get("wait"):
        return "not accepted", error_text(data.get("error"))
    return f"not accepted now, sent again at {_at(data.get('due_at'))}", error_text(data.get("error"))


def _job_uncertain(data: Object, job: Object) -> Words:
    what = f"nobody knows whether it was accepted; looked for until {_at(data.get('until'))}"
    return what, plain(data.get("reason"))


def _job_adopted(data: Object, job: Object) -> Words:
    found = {
        "resend": "sending the same request again told it",
        "look_up": "it was found at the provider",
        "callback": "its callback arrived",
        "operator": "a person said which it is",
    }
    task = _brief(data.get("task_id") or data.get("resource_id"))
    if data.get("unseen"):
        return f"the submit counts as accepted: task {task}", "a person said so, and nobody has seen it yet"
    return f"the submit was accepted: task {task}", found.get(str(data.get("source")), "")


def _job_callback_received(data: Object, job: Object) -> Words:
    kept = f"kept as {plain(data.get('delivery'))} before it was answered"
    match data.get("verdict"):
        case "accepted":
            return "callback arrived", kept
        case "duplicate":
            return "the same callback again: nothing to do", f"repeats {plain(data.get('duplicate_of'))}"
        case "late":
            return "callback after the end: nothing to do", kept
        case verdict:
            return f"callback that is not believed ({plain(verdict)})", plain(data.get("error")) or kept


def _job_progressed(data: Object, job: Object) -> Words:
    progress, check = data.get("progress"), _at(data.get("check_at"))
    if not check:
        return "no result is expected any more", ""
    return (
        f"under way{f': {plain(progress)}' if progress else ''}",
        f"looked at again at {check}" if check else "",
    )


def _job_contradicted(data: Object, job: Object) -> Words:
    return "two sources tell different things; the first one stands", plain(data.get("reason"))


def _job_collecting(data: Object, job: Object) -> Words:
    sources = {
        "callback": "the callback told it",
        "check": "a look at the task told it",
        "submit": "the answer to the submit told it",
    }
    return "the result is there and is being fetched", sources.get(str(data.get("source")), "")


def _artifact_stored(data: Object, job: Object) -> Words:
    artifact = data.get("artifact") or {}
    digest = plain(artifact.get("digest"))
    what = "input converted" if data.get("role") == "input" else "file is ours"
    return f"{what}: {artifact_text(artifact)}", f"{digest[:19]}…" if digest else ""


def _job_succeeded(data: Object, job: Object) -> Words:
    credits = data.get("credits")
    return "result and files are ours", f"credits: {amount(credits)}" if credits is not None else ""


def _job_timed_out(data: Object, job: Object) -> Words:
    return "the deadline came before the result", error_text(data.get("error"))


def _job_cancelled(data: Object, job: Object) -> Words:
    return "nobody waits for it any more", "a result that comes late is kept" if data.get("watched") else ""


def _job_late_result(data: Object, job: Object) -> Words:
    return "a result came after the end", "it was paid for, so it is kept"


def _delivery_overflow(data: Object, job: Object) -> Words:
    return f"more than {data.get('limit')} callbacks: only counted from here on", ""


def _watchdog_healed(data: Object, job: Object) -> Words:
    problems = [str(problem) for problem in data.get("problems") or ()]
    return "was not as it should be, and goes on", "; ".join(problems)


def _run_waiting(data: Object, job: Object) -> Words:
    return "waits for the end of another run of its group", plain(data.get("group")).split("/")[-1]


def _operator_decided(data: Object, job: Object) -> Words:
    who = plain(data.get("who")) or "a person"
    chosen = data.get("chosen") or ()
    what = "approves" if data.get("approved") else "rejects"
    picked = f" and chooses {len(chosen)}" if chosen else ""
    return f"{who} {what}{picked}", plain(data.get("why"))


def _notification_sent(data: Object, job: Object) -> Words:
    attempt = data.get("attempt") or 1
    told = f"{plain(data.get('url'))} was told" + (f" at attempt {attempt}" if attempt > 1 else "")
    return told, f"answered with {plain(data.get('status'))}"


def _notification_failed(data: Object, job: Object) -> Words:
    due = _at(data.get("due_at"))
    then = f"tried again at {due}" if due else "given up"
    return f"{plain(data.get('url'))} could not be told, {then}", plain(data.get("error"))


def _operator_renotified(data: Object, job: Object) -> Words:
    return "a person wants everybody told once more", plain(data.get("why"))


def _operator_resolved(data: Object, job: Object) -> Words:
    actions = {
        "adopt": f"a person says: it is the provider's task {_brief(data.get('task_id'))}",
        "resubmit": "a person says: send another one",
        "fail": "a person says: give it up",
    }
    return actions.get(str(data.get("action")), "a person settles it"), plain(data.get("why"))


def _connection_paused(data: Object, job: Object) -> Words:
    until = f"until {_at(data['until'])}" if data.get("until") else "until it is resumed"
    return f"submits nothing {until}", plain(data.get("reason")) or "a person asked for it"


def _connection_resumed(data: Object, job: Object) -> Words:
    return "submits again", plain(data.get("reason"))


def _connection_budget_reached(data: Object, job: Object) -> Words:
    used = f"{amount(data.get('used'))} of {amount(data.get('credits'))} credits are used or reserved"
    return f"jobs wait for its budget until {_at(data.get('until'))}", used


def _connection_credits_changed(data: Object, job: Object) -> Words:
    before = data.get("before")
    return (
        f"the balance is {amount(data.get('credits'))}",
        "" if before is None else f"it was {amount(before)}",
    )


_WORDS: Mapping[str, Callable[[Object, Object], Words]] = {
    "run.created": _run_created,
    "run.started": _run_started,
    "run.waiting": _run_waiting,
    "run.cancel_requested": _run_cancel_requested,
    "run.retried": _run_retried,
    "run.succeeded": _run_succeeded,
    "run.failed": _failed,
    "run.cancelled": _cancelled,
    "step.started": _step_started,
    "step.expanded": _step_expanded,
    "step.skipped": _step_skipped,
    "step.succeeded": _step_succeeded,
    "step.failed": _failed,
    "step.cancelled": _cancelled,
    "retry.scheduled": _retry_scheduled,
    "job.created": _job_created,
    "job.submitting": _job_submitting,
    "job.submitted": _job_submitted,
    "job.rejected": _job_rejected,
    "job.uncertain": _job_uncertain,
    "job.adopted": _job_adopted,
    "job.callback_received": _job_callback_received,
    "job.progressed": _job_progressed,
    "job.contradicted": _job_contradicted,
    "job.collecting": _job_collecting,
    "artifact.stored": _artifact_stored,
    "job.succeeded": _job_succeeded,
    "job.failed": _failed,
    "job.timed_out": _job_timed_out,
    "job.cancelled": _job_cancelled,
    "job.late_result": _job_late_result,
    "delivery.overflow": _delivery_overflow,
    "watchdog.healed": _watchdog_healed,
    "connection.paused": _connection_paused,
    "connection.budget_reached": _connection_budget_reached,
    "connection.resumed": _connection_resumed,
    "connection.credits_changed": _connection_credits_changed,
    "operator.resolved": _operator_resolved,
    "operator.renotified": _operator_renotified,
    "notification.sent": _notification_sent,
    "notification.failed": _notification_failed,
    "operator.decided": _operator_decided,
}
