"""
Each connector and its simulator, written apart, agree on every operation and on every documented failure.

What they disagree about shows here, and the provider's own document decides.
"""

import asyncio
import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw

from orchestrator.providers.registry import KINDS
from orchestrator.simulators.faults import Faults
from orchestrator.simulators.pictures import portrait

WORKFLOWS = Path(__file__).parent / "workflows"

EVERY_OPERATION = {path.stem: path.read_text() for path in sorted(WORKFLOWS.glob("*.yaml"))}
"""A workflow for each kind, in which a step is named after each of its operations."""

SHORT = {
    "pizi": ("create_model", "{gender: female}"),
    "pixza": ("generate", "{type: image, prompt: a cat, width: 64, height: 64}"),
    "trypi": ("generate_avatar", "{prompt: a friendly face, output: {resolution: '512'}}"),
    "pixu": ("txt2img_composition", "{positive: an empty bar, resolution: '512,512'}"),
    "perfect": ("colorize", "{image: '${{ inputs.photo }}'}"),
}
"""One operation that spends, and its parameters."""

CALLED_BACK = ("pizi", "pixu", "pixza")


def one_step(kind: str) -> str:
    """Return a workflow with one paid step, which waits no longer than it has to."""
    operation, params = SHORT[kind]
    lines = (
        f"name: {kind}",
        "inputs: {photo: {type: string, format: image}}",
        # Pixu never tells that something failed.
        "defaults: {timeout: %s}" % ("3s" if kind == "pixu" else "1m"),
        f"steps: {{only: {{uses: {kind}/{operation}, with: {params}}}}}",
    )
    return "\n".join(lines)


ONE_STEP = {kind: one_step(kind) for kind in SHORT}


def photo() -> bytes:
    return portrait(5, size=(384, 512))


def mask() -> bytes:
    """Return a picture as large as the photo, with a white spot."""
    picture = Image.new("L", (384, 512), 0)
    ImageDraw.Draw(picture).rectangle((20, 20, 60, 60), fill=255)
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


async def start_all(pair: Any, **images: bytes) -> dict[str, str]:
    """Start every workflow with those of *images* that it takes; return the runs by kind."""
    given = {name: await pair.upload(content) for name, content in images.items()}
    runs: dict[str, str] = {}
    for workflow in pair.server.library.all():
        inputs = {name: given[name] for name in workflow.inputs}
        runs[workflow.name] = await pair.start(workflow.name, inputs)
    return runs


async def end_all(pair: Any, runs: dict[str, str]) -> dict[str, dict[str, Any]]:
    ended = await asyncio.gather(*(pair.ended(run) for run in runs.values()))
    return dict(zip(runs, ended, strict=True))


def tasks(pair: Any) -> dict[str, list[str]]:
    """Return the status of every task in the providers' books."""
    books = pair.simulators.all_books()
    return {kind: [task.status for task in each.tasks.values()] for kind, each in books.items()}


def errors(runs: dict[str, dict[str, Any]]) -> dict[str, str | None]:
    return {kind: run["error"] and run["error"]["class"] for kind, run in runs.items()}


# --- what goes well ---------------------------------------------------------------------------


def test_there_is_a_step_for_every_operation() -> None:
    for name, kind in KINDS.items():
        steps = set(EVERY_OPERATION[name].split())
        required = dict.fromkeys(("api_key", "client_id", "client_secret"), "eA==")
        known = {key: value for key, value in required.items() if key in kind.settings.model_fields}
        settings = kind.settings.model_validate({"base_url": "http://p", **known})
        assert {f"{operation}:" for operation in kind.connect(settings).operations} <= steps


async def test_every_operation_of_every_connector_is_understood(begin: Any, tmp_path: Path) -> None:
    async with begin(tmp_path, EVERY_OPERATION) as pair:
        runs = await end_all(pair, await start_all(pair, photo=photo(), mask=mask()))

        for kind, run in runs.items():
            assert (kind, run["status"], run["error"]) == (kind, "succeeded", None)
            refused = [e for e in pair.simulators.books(kind).requests if e.status >= 400]
            assert refused == []
        await callbacks_are_believed(pair, runs)
        outputs_are_as_promised(pair, runs)


async def callbacks_are_believed(pair: Any, runs: dict[str, dict[str, Any]]) -> None:
    """Check that each callback was taken, and that it said something which its connector could read."""
    for kind, run in runs.items():
        sent = pair.simulators.books(kind).callbacks
        assert [call.status for call in sent] == [200] * len(sent)
        verdicts = set()
        for job in await pair.jobs(run["id"]):
            for delivery in (await pair.get(f"/deliveries?job={job['id']}"))["items"]:
                verdicts.add(delivery["verdict"])
                assert delivery["error"] is None
        assert bool(sent) == (kind in CALLED_BACK)
        assert verdicts <= {"accepted", "late", "pending"}, verdicts


def outputs_are_as_promised(pair: Any, runs: dict[str, dict[str, Any]]) -> None:
    """Check every output against the model that authors are told of."""
    for kind, run in runs.items():
        operations = pair.server.library.catalog[kind].operations
        for step in run["steps"]:
            if step["id"] in operations:
                schema = operations[step["id"]].output_schema
                assert set(schema.get("required", ())) <= set(step["output"]), step["id"]


async def test_every_kind_of_file_arrives_as_what_it_is(begin: Any, tmp_path: Path) -> None:
    async with begin(tmp_path, {"pixza": EVERY_OPERATION["pixza"]}) as pair:
        run = (await end_all(pair, await start_all(pair, photo=photo())))["pixza"]

    types = {step["id"]: [file["media_type"] for file in step["artifacts"]] for step in run["steps"]}

    assert types["generate"] == ["image/jpeg"]
    assert types["clip"] == ["video/mp4"]
    assert types["solid"] == ["model/gltf-binary"]


# --- what goes wrong --------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["answer_lost", "error_after"])
async def test_a_submit_whose_answer_was_lost_is_found_and_not_paid_twice(
    begin: Any, tmp_path: Path, fault: str
) -> None:
    async with begin(tmp_path, ONE_STEP, faults=Faults({fault: 1.0})) as pair:
        runs = await end_all(pair, await start_all(pair, photo=photo()))

        assert errors(runs) == dict.fromkeys(SHORT)
        assert tasks(pair) == {kind: ["completed"] for kind in SHORT} | {"perfect": ["success"]}


async def test_a_submit_that_nobody_told_of_is_found_by_looking_up_or_asking_again(
    begin: Any, tmp_path: Path
) -> None:
    askable = {kind: text for kind, text in ONE_STEP.items() if kind != "pixu"}
    async with begin(tmp_path, askable, faults=Faults({"answer_lost": 1.0, "loss": 1.0})) as pair:
        runs = await end_all(pair, await start_all(pair, photo=photo()))

        assert errors(runs) == dict.fromkeys(askable)
        assert {kind: len(tasks(pair)[kind]) for kind in askable} == dict.fromkeys(askable, 1)


async def test_a_task_that_fails_is_told_as_such_wherever_it_can_be_known(begin: Any, tmp_path: Path) -> None:
    async with begin(tmp_path, ONE_STEP, faults=Faults({"task_failed": 1.0})) as pair:
        runs = await end_all(pair, await start_all(pair, photo=photo()))

        assert errors(runs) == dict.fromkeys(SHORT, "task_failed") | {"pixu": "timeout"}


async def test_too_many_requests_are_waited_out(begin: Any, once: Any, tmp_path: Path) -> None:
    async with begin(tmp_path, ONE_STEP, faults=once("rate_limit")) as pair:
        runs = await end_all(pair, await start_all(pair, photo=photo()))

        assert errors(runs) == dict.fromkeys(SHORT)
        assert {kind: len(each) for kind, each in tasks(pair).items()} == dict.fromkeys(SHORT, 1)
        for kind, books in pair.simulators.all_books().items():
            assert (kind, [e.status for e in books.requests].count(429)) == (kind, 1)


async def test_without_credits_the_connection_pauses_and_the_run_waits(begin: Any, tmp_path: Path) -> None:
    async with begin(tmp_path, ONE_STEP, faults=Faults({"no_credits": 1.0})) as pair:
        runs = await start_all(pair, photo=photo())

        await pair.until(lambda: are_paused(pair))

        reasons = {each["name"]: each["reason"] for each in (await pair.get("/connections"))["items"]}
        assert all("credits" in reason for reason in reasons.values()), reasons
        assert [(await pair.get(f"/runs/{run}"))["status"] for run in runs.values()] == ["running"] * 5
        assert tasks(pair) == {kind: [] for kind in SHORT}


async def test_wrong_credentials_pause_the_connection_too(begin: Any, tmp_path: Path) -> None:
    async with begin(tmp_path, ONE_STEP, wrong=True) as pair:
        await start_all(pair, photo=photo())

        await pair.until(lambda: are_paused(pair))

        assert tasks(pair) == {kind: [] for kind in SHORT}


async def are_paused(pair: Any) -> bool:
    connections = (await pair.get("/connections"))["items"]
    return all(each["status"] == "paused" for each in connections)
