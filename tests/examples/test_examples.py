"""Every workflow that is shipped is sound, runs to its end, and costs each task once."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from orchestrator.cli import sandbox
from orchestrator.cli.validate import any_account
from orchestrator.operations.plans import catalog
from orchestrator.operations.workflows import read

IMAGE, VIDEO = "image", "video"

EXAMPLES: dict[str, dict[str, Any]] = {
    "fashion-shoot": {"images": [IMAGE] * 3},
    "avatar-to-brand-model": {"model": str, "images": [IMAGE] * 3},
    "avatar-shot": {"image": IMAGE},
    "product-cutout-campaign": {"cutout": IMAGE, "images": [IMAGE] * 3},
    "picture-to-clip": {"picture": IMAGE, "clip": VIDEO},
    "draft-and-final": {"drafts": [IMAGE] * 3, "image": IMAGE},
    "beauty-chain": {"before": IMAGE, "after": IMAGE},
    "old-photo": {"photo": IMAGE, "ages": [IMAGE] * 8},
    "clean-up": {"photo": IMAGE, "image": IMAGE},
    "text-to-clip": {"picture": IMAGE, "clip": VIDEO},
    "likeness-training": {"model": str, "portraits": str, "compositions": str},
    "keepsake": {"avatar": str, "model": str, "image": IMAGE},
}
"""What each gives: kinds of files, or texts."""

COSTS: dict[str, dict[str, int]] = {
    "fashion-shoot": {"pizi": 4, "perfect": 3},
    "avatar-to-brand-model": {"trypi": 1, "pizi": 4},
    "avatar-shot": {"trypi": 1, "pizi": 1},
    "product-cutout-campaign": {"pixza": 4, "perfect": 1, "pizi": 3},
    "picture-to-clip": {"pizi": 1, "pixza": 20},
    "draft-and-final": {"pixza": 7, "perfect": 1},
    "beauty-chain": {"trypi": 1, "perfect": 4},
    "old-photo": {"perfect": 3},
    "clean-up": {"perfect": 2, "pizi": 1},
    "text-to-clip": {"perfect": 2, "pixza": 20},
    "likeness-training": {"trypi": 1, "pixu": 3},
    "keepsake": {"trypi": 1, "pizi": 1},
}
"""What the simulated providers take for each."""

UPLOADS = 10
"""Files sent to Perfect in all: fewer than it worked on, since what it made itself needs no upload."""


def charged(world: Any, run: dict[str, Any]) -> Counter[str]:
    """Return what the providers' books say that a run's tasks cost."""
    costs: Counter[str] = Counter()
    for job in world.client.items("/jobs", run=run["id"]):
        task = world.simulators.books(job["connection"]).tasks.get(job["task_id"])
        costs[job["connection"]] += task.charged if task is not None else 0
    return costs


def kind(value: Any) -> Any:
    """Return what *value* is, as `EXAMPLES` says it."""
    if isinstance(value, list):
        return [kind(item) for item in value]
    return value["media_type"].partition("/")[0] if isinstance(value, dict) else type(value)


def test_every_example_is_known_here() -> None:
    assert {path.stem for path in sandbox.SHIPPED.glob("*.yaml")} == set(EXAMPLES) == set(COSTS)


def test_no_example_has_problems_or_warnings() -> None:
    found = read([sandbox.SHIPPED], catalog(any_account()))

    assert list(map(str, found.problems)) == []
    assert {name: path.stem for name, path in found.files.items()} == {name: name for name in EXAMPLES}


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_example_begins_with_a_sentence_and_the_command_that_runs_it(name: str) -> None:
    lines = (sandbox.SHIPPED / f"{name}.yaml").read_text().splitlines()

    opening = lines[: lines.index(f"name: {name}")]

    assert all(line.startswith("#") for line in opening)
    assert opening[-1].startswith(f"#   orchestrator run {name} ")


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_runs_to_its_end_and_gives_what_it_says(runs: Any, name: str) -> None:
    run = runs[name]

    assert (run["status"], run["error"]) == ("succeeded", None)
    assert {output: kind(value) for output, value in run["outputs"].items()} == EXAMPLES[name]


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_costs_what_its_steps_cost(world: Any, runs: Any, name: str) -> None:
    assert charged(world, runs[name]) == Counter(COSTS[name])


def test_every_task_in_the_providers_books_is_that_of_one_job(world: Any, runs: Any) -> None:
    jobs = Counter((job["connection"], job["task_id"]) for job in world.client.items("/jobs"))
    books = world.simulators.all_books()

    tasks = [(kind, task) for kind, book in books.items() for task in book.tasks]

    assert [task for task in tasks if jobs[task] != 1] == []
    assert [book.repeated() for book in books.values()] == [{}] * len(books)


def test_what_perfect_made_is_not_uploaded_to_it_again(world: Any, runs: Any) -> None:
    counts = world.simulators.books("perfect").counts

    assert sum(count for route, count in counts.items() if route.startswith("PUT")) == UPLOADS


def test_every_file_of_an_example_is_kept(world: Any, runs: Any) -> None:
    for run in runs.values():
        for artifact in (artifact for step in run["steps"] for artifact in step["artifacts"]):
            path: Path = world.server.folder.path(artifact["digest"])
            assert path.stat().st_size == artifact["size"]
