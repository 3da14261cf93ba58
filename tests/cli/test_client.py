"""What the client of the admin API tells when things do not go well, and how it reads lists and the log."""

from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from orchestrator.cli import client as client_module
from orchestrator.cli.client import Client, Refusal, explained
from orchestrator.cli.trouble import Trouble, Unreachable
from tests.ports import free_port

PROBLEM = "application/problem+json"


def test_a_server_that_is_not_there_ends_with_3_and_says_what_to_do() -> None:
    with pytest.raises(Unreachable) as told:
        Client(f"http://127.0.0.1:{free_port()}").get("/runs")

    assert told.value.exit_code == 3
    assert "is the server running? start it with `orchestrator serve`" in told.value.message


@pytest.mark.parametrize(
    "address",
    [
        "localhost:8081",
        "ftp://localhost",
        "",
        "http://",
        "http://localhost:http",
        "http://localhost:99999",
        "http://ada:secret@localhost:8081",
    ],
)
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(Trouble, match="the server's address"):
        Client(address)


def test_every_place_of_a_problem_is_told() -> None:
    problem = {
        "title": "Unprocessable Content",
        "detail": "two things are wrong",
        "errors": [
            {"location": "inputs.gender", "message": "no"},
            {"location": "inputs.x", "message": "what"},
        ],
    }

    assert explained(problem).splitlines() == [
        "two things are wrong",
        "  inputs.gender: no",
        "  inputs.x: what",
    ]


@pytest.mark.parametrize("places", [["inputs.gender"], ["inputs.gender", "inputs.x"]])
def test_a_problem_is_not_told_twice(places: list[str]) -> None:
    problem = {
        "title": "Unprocessable Content",
        "detail": "; ".join(f"{place}: is required" for place in places),
        "errors": [{"location": place, "message": "is required"} for place in places],
    }

    assert explained(problem).splitlines() == [f"{place}: is required" for place in places]


def test_a_refused_file_is_told_by_its_path(stage: Any, answer: Any, tmp_path: Path) -> None:
    (tmp_path / "film.mov").write_bytes(b"...")
    stage.on("/artifacts", answer({"title": "Too Large", "detail": "more than 512 MiB"}, 413, PROBLEM))

    with pytest.raises(Refusal, match=r"film\.mov: more than 512 MiB"):
        Client(stage.url).upload(tmp_path / "film.mov")


@pytest.mark.parametrize(
    ("status", "exit_code"), [(400, 2), (404, 2), (409, 1), (413, 2), (422, 2), (500, 1), (503, 1)]
)
def test_a_refusal_ends_with_the_code_of_whose_fault_it_is(
    stage: Any, answer: Any, status: int, exit_code: int
) -> None:
    stage.on("/runs", answer({"title": "No"}, status, PROBLEM))

    with pytest.raises(Refusal) as told:
        Client(stage.url).post("/runs", {})

    assert (told.value.exit_code, told.value.message) == (exit_code, "No")


def test_a_misspelt_variable_does_not_lead_to_another_server(call: Any, stage: Any, answer: Any) -> None:
    stage.on("/runs", answer({"items": []}))
    settings = {"ORCHESTRATOR_SERVER": stage.url, "ORCHESTRATOR_PUBLIC_URL": "https://hooks.example.com"}

    done = call("runs", "list", env={"ORCHESTRATOR_SERVRE": stage.url})

    assert done.exit_code == 2
    assert "ORCHESTRATOR_SERVRE is not a setting (did you mean 'ORCHESTRATOR_SERVER'?)" in done.stderr
    assert call("runs", "list", env=settings).exit_code == 0


def test_a_missing_key_is_told_by_the_name_of_its_variable(stage: Any, answer: Any) -> None:
    stage.on("/runs", answer({"title": "Unauthorized"}, 401, PROBLEM))

    with pytest.raises(Refusal, match="ORCHESTRATOR_API_KEY"):
        Client(stage.url).get("/runs")


def test_the_key_is_sent_as_a_bearer_token(stage: Any, answer: Any) -> None:
    stage.on("/connections", answer({"items": []}))

    Client(stage.url, "secret").get("/connections")

    assert stage.asked[0].headers["Authorization"] == "Bearer secret"


@pytest.mark.parametrize(
    "reply", [(b"<html>", 200, "text/html"), (b"<html>", 404, "text/html"), (b"", 302, "text/html")]
)
def test_somebody_elses_server_is_not_taken_for_ours(
    stage: Any, answer: Any, reply: tuple[bytes, int, str]
) -> None:
    stage.on("/runs", answer(*reply))

    with pytest.raises(Unreachable, match="not as an orchestrator"):
        Client(stage.url).get("/runs")


def test_a_list_is_read_page_after_page_up_to_the_limit(stage: Any, answer: Any) -> None:
    stage.on(
        "/runs",
        answer({"items": [{"id": 1}, {"id": 2}], "next_cursor": "b"}),
        answer({"items": [{"id": 3}, {"id": 4}], "next_cursor": "c"}),
    )

    found = Client(stage.url).items("/runs", 4, status="failed", workflow=None)

    assert [item["id"] for item in found] == [1, 2, 3, 4]
    assert [asked.path.partition("?")[2] for asked in stage.asked] == [
        "status=failed&limit=4",
        "status=failed&limit=2&cursor=b",
    ]


def test_a_file_is_sent_as_it_is_under_its_name(stage: Any, answer: Any, tmp_path: Path) -> None:
    stage.on("/artifacts", answer({"digest": "sha256:ab"}, 201))
    file = tmp_path / "a b.jpg"
    file.write_bytes(b"\x00bytes")

    assert Client(stage.url).upload(file) == {"digest": "sha256:ab"}
    assert (stage.asked[0].path, stage.asked[0].body) == ("/api/v1/artifacts?name=a+b.jpg", b"\x00bytes")


def message(sequence: int) -> bytes:
    return b'id: %d\ndata: {"sequence": "%d"}\n\n' % (sequence, sequence)


def test_a_dropped_stream_is_taken_up_after_the_last_event(
    stage: Any, answer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "RECONNECT_S", (0.0,))
    first = b"retry: 1\nid: 4\n\n: still here\n\n" + message(5) + message(6) + b'id: 7\ndata: {"sequ'
    second = message(7)
    stage.on(
        "/events/stream", answer(first, 200, "text/event-stream"), answer(second, 200, "text/event-stream")
    )
    losses: list[str] = []

    told = [
        event["sequence"]
        for event in islice(Client(stage.url).follow(4, on_loss=losses.append, run="run_1"), 3)
    ]

    assert told == ["5", "6", "7"]
    assert [asked.headers["Last-Event-ID"] for asked in stage.asked] == ["4", "6"]
    assert stage.asked[1].path == "/api/v1/events/stream?run=run_1"
    assert losses == ["the server ended the stream"]


def test_a_stream_that_never_began_is_not_waited_for() -> None:
    with pytest.raises(Unreachable):
        next(Client(f"http://127.0.0.1:{free_port()}").follow(None))
