"""
Stories of one run each, in `transcripts/`: what is said to the engine, and what it makes of it.

A block is commands, a line `----`, and what they led to; blocks are parted by an
empty line. Set ORCHESTRATOR_REWRITE=1 to write the stories anew, and read the diff.

    step NAME STYLE [needs=a,b] [for_each=a,b] [attempts=3] [fail_fast] …   the workflow
    workflow [timeout_s=60] [output=draw.output]
    start [room|waiting]           and later: later SECONDS, cancel, overdue, retry [STEP|waiting]
    admitted                       there may be a place in the run's group
    start told, told [ERROR], renotify   somebody wants to be told of the end, and is, or not
    heal WORDS                     the watchdog found something wrong
    flood JOB COUNT                so many callbacks; what comes of the last is told
    resolve JOB ACTION [TASK]      a person settles an uncertain submit; with `unseen` nobody looked for TASK
    VERB JOB …                     something happened to a job: `draw`, `draw[0]`, `draw#2` (attempt 2)

Moments are seconds since the run's start; `due` is what the jobs that were written
to ask for, `not before` a wake-up that moved without an event, `holds` what is taken of
what runs share, or given back.
"""

import os
import re
from collections.abc import Callable
from dataclasses import fields
from hashlib import blake2b
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import orjson
import pytest

from orchestrator.engine import triggers as t
from orchestrator.engine.draft import Decision
from orchestrator.engine.effects import due_effects
from orchestrator.engine.events import Event, JobEvent, encode
from orchestrator.errors import Failure
from orchestrator.outcomes import (
    Accepted,
    Callback,
    Failed,
    Found,
    Pending,
    Rejected,
    Retry,
    Unauthorized,
    Unclear,
)
from orchestrator.times import SECOND

STORIES = sorted((Path(__file__).parent / "transcripts").glob("*.txt"))


@pytest.mark.parametrize("story", STORIES, ids=lambda path: path.stem)
def test_a_story_goes_as_it_is_written(story: Path, kit: SimpleNamespace) -> None:
    teller = Storyteller(kit)
    told = teller.tell(story.read_text())

    if golden := os.environ.get("ORCHESTRATOR_GOLDEN"):
        events = [{"type": each.type, "data": orjson.loads(encode(each))} for each in teller.world.events]
        run = {"name": story.stem, "events": events, "state": kit.shown(teller.world.run)}
        with Path(golden).open("ab") as file:
            file.write(orjson.dumps(run) + b"\n")
    if os.environ.get("ORCHESTRATOR_REWRITE"):
        story.write_text(told)
    assert told == story.read_text()


def _settings(words: list[str]) -> dict[str, Any]:
    """Return `name=value` pairs; a word alone is a flag."""
    pairs = (word.partition("=") for word in words)
    return {
        name: (int(value) if value.isdigit() else value) if equals else True for name, equals, value in pairs
    }


class Storyteller:
    """Plays commands, and writes down what comes of them."""

    def __init__(self, kit: SimpleNamespace) -> None:
        self.kit = kit
        self.steps: list[Any] = []
        self.settings: dict[str, Any] = {}
        self.outputs: dict[str, Any] = {}
        self.deliveries = 0

    def tell(self, story: str) -> str:
        blocks = story.rstrip("\n").split("\n\n")
        return "\n\n".join(self._block(block) for block in blocks) + "\n"

    def _block(self, block: str) -> str:
        commands = block.partition("\n----")[0]
        lines = [line for line in commands.split("\n") if line and not line.startswith("#")]
        told = [line for command in lines for line in self._play(*command.split())]
        if not lines or lines[0].split()[0] in ("step", "workflow"):
            return commands
        return "\n".join([commands, "----", *(told or ["nothing"])])

    def _play(self, verb: str, *words: str) -> list[str]:
        kit = self.kit
        match verb, words:
            case "step", (name, style, *rest):
                self.steps.append(self._step(name, style, _settings(rest)))
            case "workflow", rest:
                self.settings = _settings(list(rest))
                output = self.settings.pop("output", None)
                self.outputs = {"made": kit.text(output)} if output else {}
            case "start", ("told",):
                notify = {"url": "https://told.test/", "secret": "bell", "on": ["succeeded", "failed"]}
                self.world = kit.World(kit.plan(*self.steps))
                return self._told(
                    self.world.send(t.Start, run="run_1", inputs={}, labels={}, notify=[notify])
                )
            case "start", rest:
                self.world = kit.World(kit.plan(*self.steps, outputs=self.outputs, **self.settings))
                if rest == ("waiting",):
                    return self._told(self.world.start(admitted=False))
                return self._told(self.world.start(int(rest[0]) if rest else 0))
            case "told", error:
                (notice,) = self.world.run.notices
                fields = {"error": " ".join(error)} if error else {"status": 204}
                return self._told(self.world.send(t.Told, notice=notice, **fields))
            case "renotify", _:
                return self._told(self.world.send(t.TellAgain, comment="once more"))
            case "heal", words:
                return self._told(self.world.send(t.Healed, problems=[" ".join(words)]))
            case "flood", (job, count):
                told = [self._about("callback", job, ["odd", str(number)]) for number in range(int(count))]
                return told[-1]
            case "admitted", _:
                return self._told(self.world.send(t.Admitted))
            case "retry", ("waiting",):
                return self._told(self.world.send(t.RetryAsked, admitted=False))
            case "later", (seconds,):
                self.world.now += int(float(seconds) * SECOND)
            case (("cancel" | "overdue"), _):
                kind = t.CancelAsked if verb == "cancel" else t.RunOverdue
                return self._told(self.world.send(kind))
            case "retry", rest:
                return self._told(self.world.send(t.RetryAsked, from_step=rest[0] if rest else None))
            case _, (job, *rest):
                return self._about(verb, job, rest)
        return []

    def _step(self, name: str, style: str, given: dict[str, Any]) -> Any:
        text, lists = self.kit.text, ("needs", "on")
        given |= {key: str(given[key]).split(",") for key in lists if key in given}
        if "for_each" in given:
            given["for_each"] = text(str(given["for_each"]))
        if "params" in given:
            given["params"] = {
                "broken": text("broken"),
                "loud": self.kit.Given(lambda scope: {"colour": "loud"}),
                "item": self.kit.Given(lambda scope: {"image": scope["item"]}),
            }[str(given["params"])]
        return self.kit.step(name, style, condition=given.pop("if", None), **given)

    def _about(self, verb: str, name: str, words: list[str]) -> list[str]:
        """Something happened to a job; the first of *words* says what."""
        found = re.fullmatch(r"(\w+)(?:\[(\d+)\])?(?:#(\d+))?", name)
        assert found, f"{name!r} names no job"
        step, index, attempt = found[1], found[2] and int(found[2]), found[3] and int(found[3])
        job = self.world.job(step, index, attempt).id
        kind, given = _TRIGGERS[verb](self, words)
        return self._told(self.world.send(kind, job=job, **given))

    def callback(self, words: list[str]) -> tuple[type[t.Trigger], dict[str, Any]]:
        """
        Let a delivery arrive; the same words are the same body.

        `again`: the same delivery is offered once more; `repeated`: a person has dlv_1 processed once more.
        """
        again, repeated = words[:1] == ["again"], words[:1] == ["repeated"]
        body = " ".join(words[1:] if again or repeated else words)
        self.deliveries += not again
        digest = blake2b(body.encode(), digest_size=2).hexdigest()
        callback = Callback("POST", "", "text/plain", body.encode())
        return t.CallbackArrived, {
            "delivery": f"dlv_{self.deliveries}",
            "digest": digest,
            "callback": callback,
            "redelivery_of": "dlv_1" if repeated else None,
        }

    def checked(self, words: list[str]) -> tuple[type[t.Trigger], dict[str, Any]]:
        last = words[-1] == "last"
        given = _outcome(self.kit, words[:-1] if last else words)
        return t.Checked, {"outcome": given, "asked_at": self.world.now, "last": last}

    # --- what came of it ---

    def _told(self, decision: Decision) -> list[str]:
        world = self.world
        lines = [self._event(event) for event in decision.events]
        touched = list(decision.state.touched())
        for effect in due_effects(touched, lambda job: world.plan.operations[job.step]):
            moment = f" {self._moment(effect.due_at)}" if effect.due_at > world.now else ""
            lines.append(f"due {effect.kind} {self._named(effect.job)}{moment}")
        for job, at in decision.postponed.items():
            lines.append(f"{self._named(job)} not before {self._moment(at)}")
        for hold in decision.holds:
            holder = hold.holder if hold.holder == world.run.id else self._named(hold.holder)
            most = f" of {hold.most:g}" if hold.most is not None else ""
            lines.append(f"{holder} holds {hold.amount:g}{most} {hold.resource}")
        return lines

    def _event(self, event: Event) -> str:
        about = self._named(event.job) if isinstance(event, JobEvent) else event.subject
        words = [event.type, about] if about else [event.type]
        dull = _DULL | {"job"} if isinstance(event, JobEvent) else _DULL
        for one in fields(event):
            value = getattr(event, one.name)
            is_usual = value in (None, [], {}) or _USUAL.get(one.name) == value
            if not is_usual and one.name not in dull:
                words.append(self._field(one.name, value))
        return " ".join(words)

    def _field(self, name: str, value: Any) -> str:
        if name == "job":
            return f"job={self._named(value)}"
        if name in ("files", "artifact"):
            value = [file["url"] for file in value] if name == "files" else value["digest"]
        if name.endswith("_at") or name == "until":
            return f"{name}={self._moment(value)}"
        if name == "error" and isinstance(value, dict):
            return f"error={value['class']}: {value['message']!r}"
        return f"{name}={value!r}" if isinstance(value, str) and " " in value else f"{name}={value}"

    def _named(self, job_id: str) -> str:
        job = self.world.run.jobs[job_id]
        index = "" if job.index is None else f"[{job.index}]"
        return f"{job.step}{index}#{job.attempt}"

    def _moment(self, at: int | None) -> str:
        return "never" if at is None else f"{(at - self.kit.NOON) / SECOND:+g}s"


_DULL = {
    "at",
    "run",
    "workflow",
    "inputs",
    "labels",
    "step",
    "index",
    "template",
    "connection",
    "operation",
    "params",
}
_DULL |= {"digests", "number", "attempt"}
_USUAL = {"counts": True, "unseen": False}


def _outcome(kit: SimpleNamespace, words: list[str]) -> Any:
    """Return what a provider answered: `accepted t1`, `pending 30%`, `done a.png b.png`, `failed CLASS` …"""
    verb, rest = words[0], words[1:]
    cls: Any = rest[0] if rest else "task_failed"
    match verb:
        case "accepted":
            return Accepted(rest[0])
        case "done":
            return kit.done(*rest)
        case "unpriced":
            return kit.done(*rest, credits=None)
        case "excused":
            return Failed(Failure("provider_error", "nobody asked for it"), excused=True)
        case "failed":
            return Failed(Failure(cls, "it came out black"))
        case "refused":
            return Rejected(Failure(cls, "not like this"))
        case "busy":
            after_s = float(rest[0]) if rest else None
            return Rejected(Failure("rate_limited", "not so fast"), wait=True, retry_after_s=after_s)
        case "unauthorized":
            return Unauthorized(Failure("unauthorized", "who are you?"))
        case "unclear":
            return Unclear("HTTP 502")
        case "pending":
            return Pending(rest[0] if rest else None)
        case "retry":
            return Retry("HTTP 503")
    raise ValueError(f"no outcome {verb!r}")


_TRIGGERS: dict[str, Callable[[Storyteller, list[str]], tuple[type[t.Trigger], dict[str, Any]]]] = {
    "ready": lambda teller, words: (t.SubmitReady, {"template": {"body": "x"}}),
    "answer": lambda teller, words: (t.SubmitAnswered, {"outcome": _outcome(teller.kit, words)}),
    "doubt": lambda teller, words: (
        t.SubmitDoubted,
        {"reason": "restored", "before": teller.world.now + (0 if words else 1)},
    ),
    "unsent": lambda teller, words: (t.SubmitNotSent, {"reason": "no such host"}),
    "lost": lambda teller, words: (t.SubmitLost, {"reason": "connection lost"}),
    "callback": Storyteller.callback,
    "check": Storyteller.checked,
    "found": lambda teller, words: (t.LookedUp, {"found": Found(words[0])}),
    "collected": lambda teller, words: (
        t.Collected,
        {"output": {"made": words}, "artifacts": [{"digest": word} for word in words]},
    ),
    "gone": lambda teller, words: (
        t.CollectFailed,
        {"failure": Failure("result_unavailable", "the link has expired")},
    ),
    "resolve": lambda teller, words: (
        t.Resolve,
        {
            "action": words[0],
            "task_id": words[1] if words[1:] else None,
            "unseen": "unseen" in words[2:],
            "comment": "I looked it up",
        },
    ),
    "decide": lambda teller, words: (
        t.Decided,
        {
            "approved": words[0] == "approve",
            "chosen": [int(word) for word in words[1:]],
            "comment": "as I like it",
            "who": "Ada",
        },
    ),
    "dear": lambda teller, words: (t.BudgetReached, {"asks": float(words[0])}),
    "woke": lambda teller, words: (t.Woke, {}),
}
