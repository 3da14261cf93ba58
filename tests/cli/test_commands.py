"""The commands from outside: help, usage, exit codes, what they print."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from orchestrator.cli.render import local

COMMANDS = [
    "demo",
    "serve",
    "simulate",
    "validate",
    "test",
    "run",
    "runs",
    "jobs",
    "waiting",
    "events",
    "deliveries",
    "workflows",
    "connections",
    "doctor",
    "db",
    "export",
    "verify",
]

RUN: dict[str, Any] = {
    "id": "run_1",
    "workflow": "shoot",
    "digest": "sha256:1",
    "status": "running",
    "inputs": {"gender": "female"},
    "labels": {"order": "12"},
    "trigger": None,
    "outputs": None,
    "error": None,
    "created_at": "2026-11-20T17:00:00.000000Z",
    "started_at": None,
    "finished_at": None,
    "credits": {},
    "steps": [],
}
SHOOT: dict[str, Any] = {
    "name": "shoot",
    "description": "Pictures.",
    "digest": "sha256:1",
    "inputs": {"gender": {"type": "string"}, "photos": {"type": "array", "items": {"type": "string"}}},
    "required": ["photos"],
    "steps": [{"id": "model", "uses": "pizi/create_model", "needs": [], "for_each": False}],
    "outputs": ["images"],
    "timeout_s": 86400.0,
    "budget": {},
    "concurrency": None,
    "notify": [],
    "triggers": {
        "webhook": {"path": "/hooks/shoot", "scheme": "standard", "inputs": ["photos"]},
        "schedules": [
            {"cron": "0 3 * * *", "timezone": "UTC", "missed": "run_once", "next_at": "2026-11-21T03:00:00Z"}
        ],
        "runs": [{"workflow": "order", "statuses": ["succeeded"]}],
    },
}
SUCCEEDED = {**RUN, "status": "succeeded", "finished_at": "2026-11-20T17:00:09Z", "outputs": {"count": 2}}
FAILED = {
    **RUN,
    "status": "failed",
    "finished_at": "2026-11-20T17:00:09Z",
    "error": {"class": "task_failed", "code": "no_face", "message": "No face."},
}
JOB: dict[str, Any] = {
    "id": "job_1",
    "run": "run_1",
    "step": "model",
    "index": None,
    "attempt": 1,
    "connection": "pizi",
    "operation": "create_model",
    "status": "waiting",
    "task_id": None,
    "credits": None,
    "error": None,
    "created_at": "2026-11-20T17:00:00.000000Z",
    "submitted_at": None,
    "next_check_at": None,
    "deadline_at": None,
    "finished_at": None,
}
PAGE: dict[str, Any] = {"items": [], "next_cursor": None}


# --- help and usage --------------------------------------------------------------------------


def test_help_names_every_command_and_loads_nothing_heavy() -> None:
    code = """
import sys
from orchestrator.cli import cli
cli(["--help"], standalone_mode=False)
print(*sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    listed = done.stdout.partition("Commands:\n")[2].splitlines()[: len(COMMANDS)]
    assert [line.split()[0] for line in listed] == COMMANDS
    assert not {"aiohttp", "pydantic", "rich", "asyncio", "orjson", "PIL"} & set(done.stdout.split())


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(call: Any, command: str) -> None:
    done = call(command, "-h")

    assert done.exit_code == 0
    assert done.output.startswith(f"Usage: cli {command}")


def test_the_module_is_the_command() -> None:
    done = subprocess.run([sys.executable, "-m", "orchestrator", "--version"], capture_output=True, text=True)

    assert (done.returncode, done.stdout.split()[0]) == (0, "orchestrator,")


def test_a_closed_standard_output_is_no_reason_for_a_traceback() -> None:
    closed = f"exec {sys.executable} -m orchestrator --help >&-"

    done = subprocess.run(["sh", "-c", closed], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    "args",
    [
        ["sere"],
        ["validate"],
        ["validate", "no-such-file.yaml"],
        ["run"],
        ["runs", "list", "--limit", "0"],
        ["runs", "list", "--label", "nonsense"],
        ["simulate", "--latency", "soon"],
        ["simulate", "--latency", "3s..1s"],
        ["simulate", "--fault", "los=0.1"],
        ["simulate", "--limits", "some"],
        ["serve", "--config", "no-such-file.toml"],
    ],
)
def test_wrong_usage_ends_with_2(call: Any, args: list[str]) -> None:
    done = call(*args)

    assert done.exit_code == 2
    assert done.stderr
    assert "Traceback" not in done.output


@pytest.mark.parametrize(
    "command", ["runs list", "run shoot", "events", "events -f", "waiting", "jobs show job_1"]
)
def test_without_a_server_commands_end_with_3(call: Any, command: str) -> None:
    done = call(*command.split(), "--server", "http://127.0.0.1:1")

    assert done.exit_code == 3
    assert "is the server running? start it with `orchestrator serve`" in done.stderr
    assert done.stdout == ""


def test_a_setting_that_does_not_exist_is_told_without_a_traceback(call: Any, tmp_path: Path) -> None:
    config = tmp_path / "orchestrator.toml"
    config.write_text("publicurl = 1\n")

    done = call("serve", "--config", str(config))

    assert done.exit_code == 2
    assert done.stderr.startswith(f"orchestrator: {config}: unknown key 'publicurl' (did you mean")


# --- runs ------------------------------------------------------------------------------------


def test_a_run_is_started_with_what_was_typed(call: Any, stage: Any, answer: Any) -> None:
    stage.on("/workflows/shoot", answer(SHOOT))
    stage.on("/runs", answer(RUN, 201))

    given = ["-i", "gender=female", "-i", "photos=a", "--label", "order=12", "--notify", "https://a.example"]
    done = call("run", "shoot", *given, "--server", stage.url)

    assert (done.exit_code, done.stdout) == (0, "run_1\n")
    assert json.loads(stage.asked[-1].body) == {
        "workflow": "shoot",
        "inputs": {"gender": "female", "photos": ["a"]},
        "labels": {"order": "12"},
        "notify": ["https://a.example"],
    }
    assert stage.asked[-1].headers["Idempotency-Key"].startswith("cli-")


def test_what_is_typed_wins_over_the_file(call: Any, stage: Any, answer: Any, tmp_path: Path) -> None:
    stage.on("/workflows/shoot", answer(SHOOT))
    stage.on("/runs", answer(RUN, 201))
    file = tmp_path / "inputs.yaml"
    file.write_text("gender: male\nphotos: [b]\n")

    call("run", "shoot", "--inputs", str(file), "-i", "gender=female", "--server", stage.url)

    assert json.loads(stage.asked[-1].body)["inputs"] == {"gender": "female", "photos": ["b"]}


@pytest.mark.parametrize("name", ["", "\udcff"])
def test_an_id_that_can_be_none_is_refused_before_anybody_is_asked(call: Any, stage: Any, name: str) -> None:
    done = call("runs", "show", name, "--server", stage.url)

    assert (done.exit_code, stage.asked) == (2, [])
    assert done.stderr.startswith("orchestrator: ")


def test_a_text_that_is_no_utf_8_is_told_as_it_was_typed(call: Any, stage: Any, answer: Any) -> None:
    stage.on("/workflows/shoot", answer(SHOOT))

    done = call("run", "shoot", "-i", "gender=f\udcff", "--server", stage.url)

    assert done.exit_code == 2
    assert "not UTF-8 text" in done.stderr
    assert r"f\udcff" in done.stderr


@pytest.mark.parametrize("option", ["--status", "--workflow"])
def test_an_empty_filter_is_not_taken_for_no_filter(call: Any, stage: Any, answer: Any, option: str) -> None:
    stage.on("/runs", answer(PAGE))

    call("runs", "list", option, "", "--server", stage.url)

    assert f"{option.removeprefix('--')}=" in stage.asked[-1].path


@pytest.mark.parametrize(("end", "exit_code", "outputs"), [(SUCCEEDED, 0, "count  2\n"), (FAILED, 1, "")])
def test_waiting_ends_as_the_run_does(
    call: Any, stage: Any, answer: Any, end: dict[str, Any], exit_code: int, outputs: str
) -> None:
    stage.on("/workflows/shoot", answer(SHOOT))
    stage.on("/runs", answer(RUN, 201))
    stage.on("/runs/run_1", answer(RUN), answer(RUN), answer(end))
    started = {"type": "orchestrator.run.started", "time": RUN["created_at"], "sequence": "7", "data": {}}
    stage.on("/events", answer({"items": [started], "next_cursor": None}), answer(PAGE))

    done = call("run", "shoot", "-i", "photos=a", "--wait", "--server", stage.url)

    assert (done.exit_code, done.stdout) == (exit_code, outputs)
    assert "starts" in done.stderr
    assert "after=7" in stage.asked[-1].path


def test_who_does_not_look_on_is_told_the_run_to_ask_about(call: Any, stage: Any, answer: Any) -> None:
    stage.on("/workflows/shoot", answer(SHOOT))
    stage.on("/runs", answer(RUN, 201))
    stage.on("/runs/run_1", answer(SUCCEEDED))
    stage.on("/events", answer(PAGE))

    done = call("run", "shoot", "-i", "photos=a", "--wait", "--server", stage.url)

    assert done.stderr.splitlines()[0] == "shoot  run_1"


def test_who_stops_looking_on_is_not_told_that_the_run_stops(
    call: Any, stage: Any, answer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.on("/workflows/shoot", answer(SHOOT))
    stage.on("/runs", answer(RUN, 201))

    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("orchestrator.cli.progress.follow", interrupted)
    done = call("run", "shoot", "-i", "photos=a", "--wait", "--server", stage.url)

    assert done.exit_code == 1
    assert done.stderr.endswith("The run goes on: orchestrator runs show run_1 (or runs cancel)\n")


def test_json_of_a_finished_run_is_all_that_stands_on_standard_output(
    call: Any, stage: Any, answer: Any
) -> None:
    stage.on("/workflows/shoot", answer(SHOOT))
    stage.on("/runs", answer(RUN, 201))
    stage.on("/runs/run_1", answer(FAILED))
    stage.on("/events", answer(PAGE))

    done = call("run", "shoot", "-i", "photos=a", "--wait", "--json", "--server", stage.url)

    assert done.exit_code == 1
    assert json.loads(done.stdout) == FAILED
    assert "the run failed: task_failed no_face: No face." in done.stderr


def test_refused_inputs_are_told_place_by_place(call: Any, stage: Any, answer: Any) -> None:
    stage.on("/workflows/shoot", answer(SHOOT))
    errors = [{"location": "inputs.photos", "message": "is required"}]
    problem = {"title": "Unprocessable Content", "errors": errors}
    stage.on("/runs", answer(problem, 422, "application/problem+json"))

    done = call("run", "shoot", "--server", stage.url)

    assert done.exit_code == 2
    assert done.stderr == "orchestrator: Unprocessable Content\n  inputs.photos: is required\n"


def test_cancelling_a_run_that_has_ended_fails(call: Any, stage: Any, answer: Any) -> None:
    problem = {"title": "Conflict", "detail": "run_1 has ended already: it is succeeded"}
    stage.on("/runs/run_1/cancel", answer(problem, 409, "application/problem+json"))

    done = call("runs", "cancel", "run_1", "--server", stage.url)

    assert (done.exit_code, done.stderr) == (
        1,
        "orchestrator: run_1 has ended already: it is succeeded\n",
    )


# --- lists -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "body", "paid_again", "said"),
    [
        ([], {}, [], "run_1 goes on\n"),
        (
            ["--from", "model"],
            {"from": "model"},
            ["model", "enhance"],
            "run_1 goes on; paid for again: model, enhance\n",
        ),
    ],
)
def test_a_retry_says_what_is_paid_for_again(
    call: Any, stage: Any, answer: Any, options: list[str], body: Any, paid_again: list[str], said: str
) -> None:
    costs = {"paid_again": paid_again, "maybe_paid_twice": []}
    stage.on("/runs/run_1/retry", answer({**RUN, **costs}, 202))

    done = call("runs", "retry", "run_1", *options, "--server", stage.url)

    assert (done.exit_code, done.stdout) == (0, said)
    assert json.loads(stage.asked[0].body) == body


def test_a_retry_says_what_may_be_paid_for_twice(call: Any, stage: Any, answer: Any) -> None:
    costs = {"paid_again": [], "maybe_paid_twice": ["model"]}
    stage.on("/runs/run_1/retry", answer({**RUN, **costs}, 202))

    done = call("runs", "retry", "run_1", "--server", stage.url)

    assert done.stdout.splitlines() == [
        "run_1 goes on",
        "perhaps paid for twice, as an earlier submit may have been accepted: model",
    ]


@pytest.mark.parametrize("command", ["runs", "jobs"])
def test_an_unclear_submit_is_shown_with_what_settles_it(
    call: Any, stage: Any, answer: Any, command: str
) -> None:
    job = {**JOB, "status": "uncertain"}
    stage.on("/runs/run_1", answer(RUN))
    stage.on("/workflows/shoot", answer(SHOOT))
    stage.on("/jobs", answer({**PAGE, "items": [job]}))
    stage.on("/events", answer(PAGE))
    stage.on("/jobs/job_1", answer(job))

    done = call(command, "show", "run_1" if command == "runs" else "job_1", "--server", stage.url)

    assert done.exit_code == 0
    assert "orchestrator jobs resolve job_1 --adopt TASK_ID" in done.stdout


@pytest.mark.parametrize(
    ("options", "body", "said"),
    [
        (["--adopt", "t1"], {"action": "adopt", "task_id": "t1"}, "goes on with the task t1"),
        (
            ["--adopt", "t1", "--unchecked"],
            {"action": "adopt", "task_id": "t1", "unchecked": True},
            "goes on with the task t1",
        ),
        (["--resubmit"], {"action": "resubmit"}, "has ended; another attempt is on its way"),
        (["--fail", "--comment", "gone"], {"action": "fail", "comment": "gone"}, "has failed"),
    ],
)
def test_an_uncertain_job_is_settled_in_one_of_three_ways(
    call: Any, stage: Any, answer: Any, options: list[str], body: Any, said: str
) -> None:
    stage.on("/jobs/job_1/resolve", answer({"id": "job_1"}))

    done = call("jobs", "resolve", "job_1", *options, "--server", stage.url)

    assert (done.exit_code, done.stdout) == (0, f"job_1 {said}\n")
    assert json.loads(stage.asked[0].body) == body


def test_who_adopts_what_nobody_has_seen_is_told_that_it_can_be_settled_again(
    call: Any, stage: Any, answer: Any
) -> None:
    stage.on("/jobs/job_1/resolve", answer({"id": "job_1", "connection": "pixu", "unseen": True}))

    done = call("jobs", "resolve", "job_1", "--adopt", "t1", "--server", stage.url)

    assert done.stdout.splitlines() == [
        "job_1 goes on with the task t1",
        "Whether pixu has that task is not known. Until it is seen there, the job can be settled again.",
    ]


@pytest.mark.parametrize("options", [[], ["--fail", "--resubmit"], ["--fail", "--unchecked"]])
def test_it_has_to_be_said_how_a_job_is_settled(call: Any, stage: Any, options: list[str]) -> None:
    done = call("jobs", "resolve", "job_1", *options, "--server", stage.url)

    assert done.exit_code == 2
    assert stage.asked == []


def test_a_list_for_people_is_a_table(call: Any, stage: Any, answer: Any) -> None:
    stage.on("/runs", answer({"items": [FAILED], "next_cursor": None}))

    done = call("runs", "list", "--label", "order=12", "--server", stage.url)

    assert done.stdout.split()[:4] == ["id", "workflow", "status", "created"]
    assert "run_1  shoot     failed" in done.stdout
    assert "task_failed no_face: No face." in done.stdout
    assert "label=order%3A12" in stage.asked[0].path


def test_a_list_for_machines_is_an_array(call: Any, stage: Any, answer: Any) -> None:
    stage.on("/runs", answer({"items": [RUN], "next_cursor": None}))

    assert json.loads(call("runs", "list", "--json", "--server", stage.url).stdout) == [RUN]


def test_an_empty_list_says_so_to_people_alone(call: Any, stage: Any, answer: Any) -> None:
    stage.on("/waiting", answer(PAGE))

    done = call("waiting", "--server", stage.url)

    assert (done.exit_code, done.stdout, done.stderr) == (0, "", "nothing waits\n")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], "no runs; start one with `orchestrator run WORKFLOW`"),
        (["--workflow", "x"], "no run is like that"),
    ],
)
def test_no_run_that_was_asked_for_is_not_no_run_at_all(
    call: Any, stage: Any, answer: Any, options: list[str], words: str
) -> None:
    stage.on("/runs", answer(PAGE))

    assert call("runs", "list", *options, "--server", stage.url).stderr == f"{words}\n"


def test_events_for_machines_are_lines(call: Any, stage: Any, answer: Any) -> None:
    events = [{"type": "orchestrator.run.started", "sequence": str(n), "data": {}} for n in (1, 2)]
    stage.on("/events", answer({"items": events, "next_cursor": None}))

    done = call(
        "events", "--json", "--type", "run.*", "--type", "job.*", "--since", "2h", "--server", stage.url
    )

    assert [json.loads(line) for line in done.stdout.splitlines()] == events
    assert "since=2h&type=run.%2A%2Cjob.%2A" in stage.asked[0].path


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "no events in the last 1h; --since 7d looks further back\n"),
        (["--since", "3h"], "no events like that\n"),
    ],
)
def test_that_nothing_happened_is_said(
    call: Any, stage: Any, answer: Any, options: list[str], said: str
) -> None:
    stage.on("/events", answer(PAGE))

    done = call("events", *options, "--server", stage.url)

    assert (done.exit_code, done.stdout, done.stderr) == (0, "", said)


def test_events_of_a_run_are_told_from_its_beginning(call: Any, stage: Any, answer: Any) -> None:
    stage.on("/events", answer(PAGE))

    call("events", "--run", "run_1", "--server", stage.url)

    assert "since" not in stage.asked[0].path


def test_a_workflow_is_shown_with_inputs_and_steps(call: Any, stage: Any, answer: Any) -> None:
    stage.on("/workflows/shoot", answer(SHOOT))

    done = call("workflows", "show", "shoot", "--server", stage.url)

    assert "photos  required  list of texts" in done.stdout
    assert "●  model  pizi/create_model" in done.stdout
    assert done.exit_code == 0


def test_a_workflow_is_shown_with_what_starts_it_and_when_next(call: Any, stage: Any, answer: Any) -> None:
    next_at = local("2026-11-21T03:00:00Z")
    stage.on("/workflows/shoot", answer(SHOOT))
    stage.on(
        "/workflows",
        answer(
            {"items": [SHOOT, {**SHOOT, "name": "odd", "triggers": {**SHOOT["triggers"], "schedules": []}}]}
        ),
    )

    one = call("workflows", "show", "shoot", "--server", stage.url)
    listed = call("workflows", "list", "--server", stage.url)

    assert "POST /hooks/shoot verified by standard" in one.stdout
    assert f"0 3 * * * UTC; one run for what was missed  {next_at}" in one.stdout
    assert "of order: succeeded" in one.stdout
    assert listed.stdout.splitlines()[1].split() == ["shoot", "1", *next_at.split(), "Pictures."]
    assert listed.stdout.splitlines()[2].split() == ["odd", "1", "Pictures."]


def test_requests_on_hooks_are_listed_with_what_they_started(call: Any, stage: Any, answer: Any) -> None:
    delivery = {
        **{"id": "dlv_1", "job": None, "connection": None, "hook": "shoot", "run": "run_1", "method": "POST"},
        **{"received_at": "2026-11-20T17:00:09Z", "verdict": "accepted", "size": 12},
    }
    stage.on("/deliveries", answer({"items": [delivery], "next_cursor": None}))

    done = call("deliveries", "list", "--hook", "shoot", "--server", stage.url)

    assert "hook=shoot" in stage.asked[0].path
    assert "/hooks/shoot  accepted" in done.stdout
    assert done.stdout.splitlines()[1].rstrip().endswith("run_1")


def test_a_delivery_gives_its_exact_bytes(call: Any, stage: Any, answer: Any) -> None:
    stage.on("/deliveries/dlv_1/body", answer(b"\x00\xff\n", content_type="application/octet-stream"))

    done = call("deliveries", "show", "dlv_1", "--body", "--server", stage.url)

    assert done.stdout_bytes == b"\x00\xff\n"


def test_exact_bytes_and_json_exclude_each_other(call: Any, stage: Any) -> None:
    done = call("deliveries", "show", "dlv_1", "--body", "--json", "--server", stage.url)

    assert (done.exit_code, stage.asked) == (2, [])


@pytest.mark.parametrize(
    ("command", "path", "option", "said"),
    [
        ("jobs", "/jobs", "--connection", "no job is like that\n"),
        ("deliveries", "/deliveries", "--job", "no delivery is like that\n"),
    ],
)
def test_nothing_that_was_asked_for_is_not_nothing_at_all(
    call: Any, stage: Any, answer: Any, command: str, path: str, option: str, said: str
) -> None:
    stage.on(path, answer(PAGE))

    assert call(command, "list", option, "x", "--server", stage.url).stderr == said


def test_redelivering_tells_what_became_of_it(call: Any, stage: Any, answer: Any) -> None:
    again = {"id": "dlv_2", "verdict": "pending", "error": None, "redelivery_of": "dlv_1"}
    read = {**again, "verdict": "unreadable", "error": "not JSON"}
    stage.on("/deliveries/dlv_1/redeliver", answer(again, status=202))
    stage.on("/deliveries/dlv_2", answer(again), answer(read))

    done = call("deliveries", "redeliver", "dlv_1", "--server", stage.url)

    assert done.exit_code == 0
    assert done.stdout == "dlv_2 repeats dlv_1 and is unreadable: not JSON\n"


def test_a_delivery_is_shown_without_what_a_terminal_would_obey(call: Any, stage: Any, answer: Any) -> None:
    delivery = {
        "id": "dlv_1",
        "job": "job_1",
        "connection": "pizi",
        "received_at": "2026-11-20T17:00:00Z",
        "method": "POST",
        "query": "",
        "headers": [["User-Agent", "x"]],
        "content_type": "text/plain",
        "size": 4,
        "remote": "127.0.0.1",
        "verdict": "accepted",
        "duplicate_of": None,
        "error": None,
    }
    stage.on("/deliveries/dlv_1", answer(delivery))
    stage.on("/deliveries/dlv_1/body", answer(b"\x1b[2J", content_type="text/plain"))

    done = call("deliveries", "show", "dlv_1", "--server", stage.url)

    assert "User-Agent:" in done.stdout
    assert "\ufffd[2J" in done.stdout
    assert "\x1b" not in done.stdout
