"""`orchestrator serve --sandbox`, and every command that talks to it."""

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import orchestrator as package

EXAMPLES = Path(package.__file__).parent / "workflows"

SETTINGS = """
[listen]
public = "127.0.0.1:0"
admin = "127.0.0.1:0"
[providers.pizi]
[providers.perfect]
poll_interval = "1s"
rate_limits = []
"""


@pytest.fixture(scope="module")
def place(
    environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Path, str]]:
    """A folder in which a sandbox runs, and the address of its API."""
    folder = tmp_path_factory.mktemp("sandbox")
    (folder / "orchestrator.toml").write_text(SETTINGS)
    with (folder / "stderr").open("w") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-m", "orchestrator", "serve", "--sandbox"],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        if found := re.search(r"API at (\S+?)\. ", line):
            break
    else:
        pytest.fail(said + (folder / "stderr").read_text())
    yield folder, found[1]
    process.send_signal(signal.SIGTERM)
    code = process.wait(timeout=30)
    process.stdout.close()
    assert code == 0, (folder / "stderr").read_text()


@pytest.fixture(scope="module")
def ask(orchestrator: Any, place: tuple[Path, str]) -> Any:
    """Call a command against the sandbox."""
    folder, server = place
    return lambda *args: orchestrator(*args, folder=folder, server=server)


@pytest.fixture(scope="module")
def run(ask: Any, place: tuple[Path, str]) -> dict[str, Any]:
    """A run that has been waited for."""
    Image.new("RGB", (300, 300), "navy").save(place[0] / "bag.png")
    done = ask(
        "run", "fashion-shoot", "-i", "product_images=@bag.png", "--label", "order=12", "--wait", "--json"
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def test_a_run_with_an_uploaded_file_succeeds(run: dict[str, Any]) -> None:
    assert run["status"] == "succeeded"
    assert run["labels"] == {"order": "12"}
    assert [image["media_type"] for image in run["outputs"]["images"]] == ["image/jpeg"] * 3


def test_the_run_is_listed_and_shown_with_all_there_is_to_it(ask: Any, run: dict[str, Any]) -> None:
    assert run["id"] in ask("runs", "list", "--label", "order=12").stdout
    shown = ask("runs", "show", run["id"]).stdout
    for word in ("enhance[2]", "perfect/enhance", "images[0]", "timeline", "the request is written down"):
        assert word in shown


def test_jobs_and_deliveries_are_listed_and_shown(ask: Any, run: dict[str, Any]) -> None:
    jobs = json.loads(ask("jobs", "list", "--run", run["id"], "--json").stdout)
    first = jobs[-1]["id"]
    deliveries = json.loads(ask("deliveries", "list", "--job", first, "--json").stdout)

    assert len(jobs) == 5
    assert '"gender": "female"' in ask("jobs", "show", first).stdout
    assert "resourceUrl" in ask("deliveries", "show", deliveries[0]["id"]).stdout
    assert len(ask("deliveries", "show", deliveries[0]["id"], "--body").stdout) == deliveries[0]["size"]


def test_the_log_is_told_in_words_and_in_cloud_events(ask: Any, run: dict[str, Any]) -> None:
    words = ask("events", "--run", run["id"], "--type", "job.submitted").stdout.splitlines()
    events = [json.loads(line) for line in ask("events", "--since", "10m", "--json").stdout.splitlines()]

    assert len(words) == 5
    assert "model" in words[0]
    assert "accepted by pizi" in words[0]
    assert {"orchestrator.run.created", "orchestrator.run.succeeded"} <= {event["type"] for event in events}


def test_following_a_run_tells_it_from_its_beginning(
    environment: dict[str, str], place: tuple[Path, str], run: dict[str, Any]
) -> None:
    command = [sys.executable, "-m", "orchestrator", "events", "-f", "--run", run["id"], "--server", place[1]]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        for line in process.stdout:
            if "succeeded with images" in line:
                break
    finally:
        process.send_signal(signal.SIGINT)
        code = process.wait(timeout=30)
        process.stdout.close()

    assert code == 0


def test_nothing_waits_when_all_is_done(ask: Any, run: dict[str, Any]) -> None:
    assert ask("waiting").stderr == "nothing waits\n"


def test_workflows_and_connections_are_listed(ask: Any, run: dict[str, Any]) -> None:
    listed = ask("workflows", "list").stdout
    names = {file.stem for file in EXAMPLES.glob("*.yaml") if not file.stem.endswith(".test")}
    assert all(name in listed for name in names)
    assert "product_images  required" in ask("workflows", "show", "fashion-shoot").stdout
    assert {item["name"] for item in json.loads(ask("connections", "list", "--json").stdout)} == {
        "perfect",
        "pixu",
        "pixza",
        "pizi",
        "trypi",
    }
    assert "perfect  perfect  active" in ask("connections", "list").stdout


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (["run", "fashion-shoot"], 2, "orchestrator: inputs.product_images: is required\n"),
        (["run", "fashion-shot"], 2, "no workflow 'fashion-shot' (did you mean 'fashion-shoot'?)\n"),
        (["run", "fashion-shoot", "-i", "gendr=male"], 2, "did you mean 'gender'?"),
        (["runs", "show", "run_x"], 2, "no run 'run_x'"),
        (["runs", "list", "--status", "runing"], 2, "orchestrator: status: 'runing' is none of"),
        (["events", "--type", "jub.*"], 2, "orchestrator: type: no event is called 'jub.*'"),
    ],
)
def test_what_cannot_be_done_is_told_in_a_sentence(
    ask: Any, args: list[str], code: int, message: str
) -> None:
    done = ask(*args)

    assert done.returncode == code
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_a_picture_that_was_cut_off_costs_nothing(ask: Any, place: tuple[Path, str]) -> None:
    whole = BytesIO()
    Image.effect_noise((200, 200), 50).save(whole, "PNG")
    (place[0] / "half.png").write_bytes(whole.getvalue()[:5000])

    done = ask("run", "fashion-shoot", "-i", "product_images=@half.png")

    assert (done.returncode, done.stdout) == (2, "")
    assert "inputs.product_images[0]: is no image that can be read" in done.stderr


def test_a_run_that_has_ended_cannot_be_cancelled(ask: Any, run: dict[str, Any]) -> None:
    done = ask("runs", "cancel", run["id"])

    assert (done.returncode, done.stderr) == (
        1,
        f"orchestrator: {run['id']} has ended already: it is succeeded\n",
    )


def test_a_second_server_on_the_same_data_is_refused(
    orchestrator: Any, place: tuple[Path, str], run: dict[str, Any]
) -> None:
    done = orchestrator("serve", "--sandbox", folder=place[0])

    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "data/sandbox" in done.stderr
