"""Values too large for the log: the same is decided, whether they are in it, in memory, or read anew."""

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.engine import large
from orchestrator.engine import triggers as t
from orchestrator.engine.decide import decide
from orchestrator.engine.draft import Decision
from orchestrator.engine.events import Event, decode, encode
from orchestrator.engine.fold import fold
from orchestrator.engine.large import NotLoaded
from orchestrator.outcomes import Accepted, Done, ResultFile

FILES = (ResultFile("https://results.test/a.png"),)


class Forgetful:
    """A run of which nothing is remembered between two triggers but its log and the values laid aside."""

    def __init__(self, plan: Any, entropy: Any) -> None:
        self.plan, self._entropy = plan, entropy
        self.log: list[tuple[str, bytes]] = []
        self.held: dict[str, bytes] = {}
        self.asked = 0

    @property
    def events(self) -> list[Event]:
        return [decode(type, data) for type, data in self.log]

    def send(self, kind: type[t.Trigger], **fields: Any) -> None:
        self.asked += 1
        trigger = kind(at=self.asked, entropy=self._entropy(self.asked), **fields)
        decision = self._decided(trigger)
        for value in decision.large:
            self.held[value.digest] = orjson.dumps(value.value)
        self.log += [(event.type, encode(event)) for event in decision.events]

    def _decided(self, trigger: t.Trigger) -> Decision:
        state = fold(self.events)
        while True:
            try:
                return decide(self.plan, state, trigger, room={})
            except NotLoaded as missing:
                for value in missing.values:
                    if value.digest in self.held:
                        value.give(orjson.loads(self.held[value.digest]))
                    else:
                        value.refuse("it is not held any more")

    def told(self) -> list[dict[str, Any]]:
        """Return what happened, with every value in its place."""
        return [{"type": type, **self._whole(orjson.loads(data))} for type, data in self.log]

    def _whole(self, data: dict[str, Any]) -> dict[str, Any]:
        references = {name: data.pop(name) for name in list(data) if name.endswith("_ref")}
        for name, reference in references.items():
            if reference is not None:
                data[name.removesuffix("_ref")] = orjson.loads(self.held[reference["digest"]])
        return data

    def play(self, outputs: Mapping[str, Any]) -> None:
        """Take the run to its end; each step gives what *outputs* says, every other of them with a file."""
        self.send(t.Start, run="run_1", inputs={}, labels={}, admitted=True)
        while (state := fold(self.events)) is not None and state.open:
            job = state.jobs[next(iter(state.open))]
            files = FILES if job.step == "b" else ()
            done = Done(output=outputs[job.step], files=files)
            if job.status == "created":
                self.send(t.SubmitReady, job=job.id, template={"body": outputs[job.step]})
            self.send(t.SubmitAnswered, job=job.id, outcome=Accepted(job.id))
            self.send(t.Checked, job=job.id, outcome=done, asked_at=self.asked)
            if files:
                self.send(t.Collected, job=job.id, output=outputs[job.step], artifacts=[{"digest": job.id}])


def forgetful(kit: SimpleNamespace) -> Forgetful:
    """Return a run of three steps, each of which sends on what the one before it gave."""

    def items(scope: Any) -> Any:
        return scope["steps"]["a"]["output"]["items"]

    def made(scope: Any) -> Any:
        return {"z": [output["text"] for output in scope["steps"]["b"]["output"] if output], "a": 1}

    a, b = frozenset({"a"}), frozenset({"b"})
    steps = [
        kit.step("a"),
        kit.step("b", for_each=kit.Given(items, a), params=kit.Given(lambda scope: {"of": scope["item"]})),
        kit.step("c", needs=["b"], params=kit.Given(made, b)),
    ]
    return Forgetful(kit.plan(*steps, outputs={"made": kit.Given(made, b)}), kit.World.entropy)


TEXTS = st.text(st.characters(codec="utf-8"), max_size=30)


@settings(max_examples=60, deadline=None, database=None)
@given(items=st.lists(TEXTS, max_size=3), text=TEXTS, limit=st.sampled_from([2, 30, 60, 120]))
def test_where_values_are_kept_changes_nothing_of_what_happens(
    kit: SimpleNamespace, items: list[str], text: str, limit: int
) -> None:
    outputs = {"a": {"z": 1, "items": items, "a": 2}, "b": {"text": text}, "c": {"n": 1.0}}
    told = []
    for bytes_max in (limit, 1_000_000):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(large, "LARGE_BYTES", bytes_max)
            run = forgetful(kit)
            run.play(outputs)
            told.append(orjson.dumps(run.told()))

    assert b'"type":"run.succeeded"' in told[1]
    assert told[0] == told[1]


def test_what_is_laid_aside_is_not_in_the_log(kit: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(large, "LARGE_BYTES", 50)
    run = forgetful(kit)
    text = "long " * 50

    run.play({"a": {"items": [text]}, "b": {"text": text}, "c": {"text": text}})

    referring = {name for name, data in run.log if b'_ref":{"digest":"sha256:' in data}
    everything = {"job.created", "job.submitting", "job.collecting", "job.succeeded", "run.succeeded"}
    assert referring == everything
    assert not any(b"long" in data for _, data in run.log)


def test_a_step_that_reads_what_is_gone_fails_and_nothing_else_does(
    kit: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(large, "LARGE_BYTES", 50)
    first = kit.step("a")
    asks = kit.Given(lambda scope: {"is": scope["steps"]["a"]["status"]}, frozenset({"a"}), "status")
    reads = kit.step("b", needs=["w"], params=kit.text("a.output"))
    wait = kit.step("w", needs=["a"])
    looks = kit.step("c", needs=["w"], params=asks)
    run = Forgetful(kit.plan(first, wait, reads, looks), kit.World.entropy)

    run.send(t.Start, run="run_1", inputs={}, labels={}, admitted=True)
    for output in ({"text": "long " * 50}, {}, {}):
        state = fold(run.events)
        assert state is not None
        job = next(iter(state.open))
        run.send(t.SubmitAnswered, job=job, outcome=Accepted(job))
        if output == {}:
            run.held.clear()
        run.send(t.Checked, job=job, outcome=Done(output=output), asked_at=run.asked)
    state = fold(run.events)

    assert state is not None
    error = state.steps["b"].error or {}
    assert error["class"] == "result_unavailable"
    assert error["message"] == "the output of step 'a' cannot be read: it is not held any more"
    assert state.steps["c"].status == "succeeded"


def test_references_are_equal_whether_their_values_are_there_or_not() -> None:
    value = large.LargeValue("sha256:00", 300_000, {"a": 1})

    assert value == large.LargeValue("sha256:00", 300_000)
    assert orjson.dumps(value) == b'{"digest":"sha256:00","size":300000}'
