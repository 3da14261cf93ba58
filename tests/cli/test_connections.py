"""`orchestrator connections`: what it asks of the server, and how it ends."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

PIZI: dict[str, Any] = {
    "name": "pizi",
    "kind": "pizi",
    "status": "paused",
    "reason": "invoice open",
    "paused_until": None,
    "credits": 12.0,
    "budget": None,
    "in_flight": 3,
    "limits": ["60/1m"],
}


def checked(ok: bool | None, message: str) -> dict[str, Any]:
    return PIZI | {"check": {"ok": ok, "message": message}}


def test_a_list_says_why_a_connection_is_paused(call: Any, stage: Any, answer: Any) -> None:
    stage.on("/connections", answer({"items": [PIZI], "next_cursor": None}))

    done = call("connections", "list", "--server", stage.url)

    assert "pizi  pizi  paused  12" in done.stdout
    assert "invoice open" in done.stdout


def test_a_connection_is_paused_with_a_reason(call: Any, stage: Any, answer: Any) -> None:
    stage.on("/connections/pizi/pause", answer(PIZI))

    done = call("connections", "pause", "pizi", "--reason", "invoice open", "--server", stage.url)

    assert done.exit_code == 0
    assert json.loads(stage.asked[0].body) == {"reason": "invoice open"}


def test_a_pause_may_be_given_as_a_length_of_time(call: Any, stage: Any, answer: Any) -> None:
    stage.on("/connections/pizi/pause", answer(PIZI))

    call("connections", "pause", "pizi", "--for", "2h", "--server", stage.url)

    until = datetime.fromisoformat(json.loads(stage.asked[0].body)["until"])
    assert abs(until - datetime.now(UTC) - timedelta(hours=2)) < timedelta(seconds=30)


@pytest.mark.parametrize(
    "options", [["--for", "soon"], ["--for", "1h", "--until", "2030-01-01T00:00:00Z"], ["--for", "-1h"]]
)
def test_a_length_that_is_none_is_wrong_usage(call: Any, stage: Any, options: list[str]) -> None:
    done = call("connections", "pause", "pizi", *options, "--server", stage.url)

    assert done.exit_code == 2
    assert stage.asked == []


def test_resuming_what_is_not_paused_fails(call: Any, stage: Any, answer: Any) -> None:
    problem = {"title": "Conflict", "detail": "pizi is not paused"}
    stage.on("/connections/pizi/resume", answer(problem, 409, "application/problem+json"))

    done = call("connections", "resume", "pizi", "--server", stage.url)

    assert done.exit_code == 1
    assert done.stderr.endswith("pizi is not paused\n")


def test_a_resumed_connection_is_shown(call: Any, stage: Any, answer: Any) -> None:
    stage.on("/connections/pizi/resume", answer(PIZI | {"status": "active", "reason": None}))

    done = call("connections", "resume", "pizi", "--json", "--server", stage.url)

    assert json.loads(done.stdout)["status"] == "active"


def test_without_a_name_every_connection_is_checked(call: Any, stage: Any, answer: Any) -> None:
    stage.on("/connections", answer({"items": [PIZI, PIZI | {"name": "pixu"}], "next_cursor": None}))
    stage.on("/connections/pizi/check", answer(checked(True, "list_models was answered")))
    stage.on("/connections/pixu/check", answer(checked(None, "nothing is free") | {"credits": None}))

    done = call("connections", "check", "--server", stage.url)

    assert done.exit_code == 0
    assert done.stdout == "✓ pizi: list_models was answered (credits: 12)\n! pixu: nothing is free\n"


def test_a_check_that_fails_ends_with_1(call: Any, stage: Any, answer: Any) -> None:
    stage.on("/connections/pizi/check", answer(checked(False, "the credentials are refused")))

    done = call("connections", "check", "pizi", "--json", "--server", stage.url)

    assert done.exit_code == 1
    assert json.loads(done.stdout)[0]["check"]["ok"] is False


def test_a_pause_of_no_length_is_refused_before_anybody_is_asked(call: Any, stage: Any) -> None:
    done = call("connections", "pause", "pizi", "--for", "0s", "--server", stage.url)

    assert (done.exit_code, stage.asked) == (2, [])
    assert done.stderr == "orchestrator: --for: a pause has to be longer than nothing\n"
