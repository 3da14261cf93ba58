"""`make demo`, from start to end."""

import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from PIL import Image


def size_of(path: Path) -> tuple[int, int]:
    with Image.open(path) as picture:
        return picture.size


@pytest.fixture(scope="module")
def demo(orchestrator: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any, float]:
    """A demo that has ended: where, what it said, and how long it took in seconds."""
    folder = tmp_path_factory.mktemp("demo")
    start = time.monotonic()
    done = orchestrator("demo", "--exit", folder=folder)
    return folder, done, time.monotonic() - start


def test_it_succeeds_within_half_a_minute(demo: tuple[Path, Any, float]) -> None:
    _, done, took_s = demo

    assert (done.returncode, done.stderr) == (0, "")
    assert took_s < 30


def test_the_pictures_it_names_are_there_and_enhanced_to_twice_their_size(
    demo: tuple[Path, Any, float],
) -> None:
    folder, done, _ = demo

    named = re.findall(r"^(\S+/pictures/\S+?\.\w+)\s+\S+ (\d+) × (\d+)", done.stdout, re.MULTILINE)
    sizes = {Path(path).stem: size_of(folder / path) for path, _, _ in named}

    assert set(sizes) == {"model-1", *(f"{step}-{n}" for step in ("pictures", "enhance") for n in (1, 2, 3))}
    assert [(int(width), int(height)) for _, width, height in named] == list(sizes.values())
    for number in (1, 2, 3):
        width, height = sizes[f"pictures-{number}"]
        assert sizes[f"enhance-{number}"] == (2 * width, 2 * height)


def test_the_commands_it_names_can_be_called_as_they_stand(demo: tuple[Path, Any, float]) -> None:
    folder, done, _ = demo

    named = re.search(r"^  (\S+) runs show run_", done.stdout, re.MULTILINE)

    assert named is not None
    subprocess.run([named[1], "--version"], cwd=folder, check=True, stdout=subprocess.DEVNULL)


def test_it_keeps_what_it_made_in_a_folder_that_it_names(demo: tuple[Path, Any, float]) -> None:
    folder, done, _ = demo

    (data,) = (folder / "data").iterdir()

    assert f"data in data/{data.name}" in done.stdout
    assert {"orchestrator.db", "artifacts", "pictures", "product.png", "server.log"} <= {
        p.name for p in data.iterdir()
    }


def test_it_tells_what_happened_and_why(demo: tuple[Path, Any, float]) -> None:
    _, done, _ = demo

    for sentence in (
        "the request is written down before it is sent — so that no crash can pay twice",
        "accepted by pizi: task",
        "callback arrived — kept as dlv_",
        "its list has 3 items — one instance for each",
        "accepted by perfect: task",
        "succeeded with images",
        "credits: pizi 4, perfect 3",
        "Credits, by the simulated providers' own books: pizi 4 for 2 tasks, perfect 3 for 3 tasks",
    ):
        assert sentence in done.stdout


def test_another_example_runs_with_its_own_providers_and_pictures(orchestrator: Any, tmp_path: Path) -> None:
    done = orchestrator("demo", "--exit", "--workflow", "clean-up", folder=tmp_path)

    assert (done.returncode, done.stderr) == (0, "")
    assert "books: pizi 1 for 1 task, perfect 2 for 2 tasks" in done.stdout
    assert re.search(r"run clean-up -i mask=@\S+/mask\.png -i photo=@\S+/photo\.png --wait", done.stdout)


def test_the_examples_are_listed_with_what_they_do(orchestrator: Any, tmp_path: Path) -> None:
    done = orchestrator("demo", "--workflow", "list", folder=tmp_path)

    assert "keepsake                 An avatar from words, saved under a label" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_an_example_that_does_not_exist_is_refused_by_name(orchestrator: Any, tmp_path: Path) -> None:
    done = orchestrator("demo", "--workflow", "lost-shoe", folder=tmp_path)

    assert done.returncode == 2
    assert "there is no example 'lost-shoe' (there are: avatar-shot, avatar-to-brand-model," in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_fresh_is_refused(orchestrator: Any, tmp_path: Path) -> None:
    (tmp_path / "something").touch()

    done = orchestrator("demo", "--exit", "--data", str(tmp_path), folder=tmp_path)

    assert done.returncode == 2
    assert f"{tmp_path} is not empty: the demo begins with a fresh folder" in done.stderr


def test_it_goes_on_serving_until_it_is_told_to_stop(
    orchestrator: Any, environment: dict[str, str], tmp_path: Path
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "orchestrator", "demo"],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    lines = []
    try:
        for line in process.stdout:
            lines.append(line)
            if "Ctrl-C stops it" in line:
                break
        server = re.search(r"export ORCHESTRATOR_SERVER=(\S+)", "".join(lines))
        assert server is not None, "".join(lines)
        listed = orchestrator("runs", "list", folder=tmp_path, server=server[1])
    finally:
        process.send_signal(signal.SIGINT)
        code = process.wait(timeout=30)
        process.stdout.close()

    assert "fashion-shoot  succeeded" in listed.stdout
    assert code == 0
