"""The log in words."""

from typing import Any

import pytest

from orchestrator.cli.narration import _WORDS, Narrator, run_error, tell_all
from orchestrator.store.log import TYPES


def event(kind: str, **data: Any) -> dict[str, Any]:
    return {
        "type": f"orchestrator.{kind}",
        "time": "2026-11-20T17:00:00.250000Z",
        "sequence": "1",
        "data": data,
    }


CREATED = event(
    "job.created", job="job_1", step="enhance", index=2, connection="perfect", operation="enhance"
)


def test_every_kind_of_event_has_words() -> None:
    assert set(_WORDS) == set(TYPES)


@pytest.mark.parametrize("kind", sorted(TYPES))
def test_an_event_without_its_fields_is_told_all_the_same(kind: str) -> None:
    told = Narrator().tell(event(kind))

    assert told.what


@pytest.mark.parametrize(
    ("kind", "data", "what", "why"),
    [
        (
            "run.created",
            {"workflow": "shoot"},
            "shoot is stored with its inputs",
            "from here on it survives a crash",
        ),
        (
            "run.cancel_requested",
            {"cause": "timeout"},
            "is to end: nothing new is submitted",
            "its time is over",
        ),
        (
            "run.retried",
            {"from_step": "pictures", "again": ["pictures", "enhance"]},
            "goes on: what did not succeed is done again",
            "pictures, enhance anew",
        ),
        (
            "job.progressed",
            {"job": "job_1", "progress": None, "check_at": None},
            "no result is expected any more",
            "",
        ),
        (
            "operator.resolved",
            {"job": "job_1", "action": "adopt", "task_id": "t1", "why": "seen there"},
            "a person says: it is the provider's task t1",
            "seen there",
        ),
        ("run.succeeded", {"outputs": {"images": []}}, "succeeded with images", ""),
        ("step.expanded", {"step": "enhance", "count": 3}, "its list has 3 items", "one instance for each"),
        (
            "step.failed",
            {"step": "model", "error": {"class": "task_failed", "code": "no_face", "message": "No face."}},
            "failed",
            "task_failed no_face: No face.",
        ),
        (
            "job.callback_received",
            {"job": "job_1", "verdict": "duplicate", "duplicate_of": "dlv_1"},
            "the same callback again: nothing to do",
            "repeats dlv_1",
        ),
        (
            "job.collecting",
            {"job": "job_1", "source": "callback"},
            "the result is there and is being fetched",
            "the callback told it",
        ),
        (
            "artifact.stored",
            {
                "job": "job_1",
                "artifact": {
                    "digest": "sha256:0123456789abcdef0123",
                    "media_type": "image/png",
                    "size": 1_234_567,
                    "width": 20,
                    "height": 30,
                },
            },
            "file is ours: image/png 20 × 30, 1.2 MB",
            "sha256:0123456789ab…",
        ),
        ("job.succeeded", {"job": "job_1", "credits": 2.0}, "result and files are ours", "credits: 2"),
        (
            "connection.paused",
            {"connection": "pizi", "by": "system", "reason": "rate_limited: slow down", "until": None},
            "submits nothing until it is resumed",
            "rate_limited: slow down",
        ),
        (
            "connection.resumed",
            {"connection": "pizi", "reason": "the balance is 3"},
            "submits again",
            "the balance is 3",
        ),
        (
            "connection.credits_changed",
            {"connection": "pizi", "credits": 4.5, "before": 5.0},
            "the balance is 4.5",
            "it was 5",
        ),
        ("moon.risen", {"size": 3}, "moon.risen", '{"size": 3}'),
    ],
)
def test_what_happened_is_told_with_the_reason(kind: str, data: dict[str, Any], what: str, why: str) -> None:
    told = Narrator().tell(event(kind, **data))

    assert (told.what, told.why) == (what, why)


def test_a_job_is_told_by_the_step_it_belongs_to() -> None:
    told = tell_all([CREATED, event("job.submitted", job="job_1", task_id="t-7", check_at=None)])

    assert [line.subject for line in told] == ["enhance[2]", "enhance[2]"]
    assert told[1].what == "accepted by perfect: task t-7"


def test_a_job_whose_beginning_was_not_told_is_looked_up_once() -> None:
    asked: list[str] = []

    def look_up(job: str) -> dict[str, Any]:
        asked.append(job)
        return {"step": "model", "index": None, "connection": "pizi"}

    narrator = Narrator(look_up)
    told = [narrator.tell(event("job.succeeded", job="job_1")) for _ in range(2)]

    assert [line.subject for line in told] == ["model", "model"]
    assert asked == ["job_1"]


def test_what_happens_to_a_connection_is_told_by_its_name() -> None:
    assert Narrator().tell(event("connection.resumed", connection="pizi", reason="x")).subject == "pizi"


def test_a_job_that_nobody_knows_is_told_by_the_end_of_its_id() -> None:
    assert Narrator().tell(event("job.succeeded", job="job_0123456789abcdefgh")).subject == "abcdefgh"


def test_why_something_failed_is_told_once() -> None:
    why = {"class": "task_failed", "code": "no_face", "message": "no face"}
    failed = [
        ("job.created", {"job": "job_1", "step": "draw", "index": 0}),
        ("job.failed", {"job": "job_1", "error": why}),
        ("step.failed", {"step": "draw", "index": 0, "error": why}),
        ("step.failed", {"step": "draw", "index": 1, "error": why}),
        ("step.failed", {"step": "draw", "error": why}),
        ("run.failed", {"error": {**why, "message": "step 'draw' failed: no face"}}),
    ]

    told = tell_all({"type": f"orchestrator.{kind}", "data": data} for kind, data in failed)

    assert [line.why for line in told[1:]] == [
        "task_failed no_face: no face",
        "",
        "task_failed no_face: no face",
        "",
        "step 'draw' failed",
    ]


def test_another_attempt_that_fails_in_the_same_way_says_so_again() -> None:
    why = {"class": "network", "message": "nobody answers"}
    failed = [
        ("job.created", {"job": "job_1", "step": "draw"}),
        ("job.failed", {"job": "job_1", "error": why}),
        ("job.created", {"job": "job_2", "step": "draw", "attempt": 2}),
        ("job.failed", {"job": "job_2", "error": why}),
    ]

    told = tell_all({"type": f"orchestrator.{kind}", "data": data} for kind, data in failed)

    assert [line.why for line in told if line.what == "failed"] == ["network: nobody answers"] * 2


def test_a_run_that_a_step_made_fail_names_it() -> None:
    why = {"class": "task_failed", "code": None, "message": "step 'draw' failed: no face"}

    assert run_error(why) == "step 'draw' failed"
    assert run_error({**why, "message": "no outputs"}) == "task_failed: no outputs"
