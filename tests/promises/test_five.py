"""
All five providers under load, and a real server that is killed or stopped again and again.

The witnesses are the providers' books, and what a dead server left on the disk. For a longer look:

    ORCHESTRATOR_KILLS=100 ORCHESTRATOR_SEED=3 make test ARGS='-k five'
"""

import asyncio
import os
import random
import signal
import sqlite3
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.simulation.marks import owner, tasks_of

KINDS = ("pizi", "pixza", "trypi", "pixu", "perfect")
EAGER = {"rate_limits": [], "first_check": "1s", "max_check_interval": "2s", "uncertain_grace": "4s"}
FIVE = Path(__file__).parent / "workflows" / "five.yaml"

KILLS = int(os.environ.get("ORCHESTRATOR_KILLS", "4"))
SEED = int(os.environ.get("ORCHESTRATOR_SEED", "11"))
AT_FIRST, EACH_TIME = 8, 2
"""How many runs there are before the first kill, and how many more come between two."""


@pytest.fixture
async def five(
    simulators: Callable[..., Any], serve: Callable[..., Any], faults: Callable[..., Any], tmp_path: Path
) -> tuple[Any, Any]:
    """Start all five simulators, and a server with the workflow that asks each of them for something."""
    (tmp_path / "workflows").mkdir()
    (tmp_path / "workflows" / "five.yaml").write_text(FIVE.read_text())
    simulated = await simulators(
        kinds=KINDS,
        latency_s=(0.1, 0.6),
        limits="off",
        credits=100_000,
        seed=SEED,
        # Submits are on their way for longer, so that a kill meets some of them.
        faults=faults(slow_answer=0.3),
        lag_s=0.7,
    )
    return simulated, await serve(simulated, **EAGER)


async def begin(server: Any, numbers: range) -> list[str]:
    async def one(number: int) -> str:
        status, run = await server.post("/runs", {"workflow": "five", "inputs": {"number": number}})
        assert status == 201, run
        return str(run["id"])

    return list(await asyncio.gather(*map(one, numbers)))


def left(server: Any, question: str) -> list[Any]:
    """Return what a dead server's database answers."""
    database = sqlite3.connect(server.folder / "orchestrator.db")
    try:
        return database.execute(question).fetchall()
    finally:
        database.close()


def events(server: Any, kind: str) -> list[dict[str, Any]]:
    question = "SELECT data FROM events JOIN event_types ON type = n WHERE name = "
    return [orjson.loads(data) for (data,) in left(server, f"{question}'{kind}'")]


def submitting(server: Any) -> set[str]:
    """Return the jobs whose submit was on its way when the server died."""
    return {job for (job,) in left(server, "SELECT id FROM jobs WHERE status = 'submitting'")}


@dataclass(frozen=True)
class Job:
    """What the store has of one job in the end; *whose*: by what its provider knows a task of it."""

    id: str
    run: int
    step: str
    attempt: int
    connection: str
    status: str
    failure: str | None
    whose: str | int


def jobs_of(server: Any) -> list[Job]:
    numbers = {event["job"]: event.get("number") for event in events(server, "job.submitting")}
    columns = "id, run, step, attempt, connection, status, error"
    return [
        Job(
            id=id,
            run=run,
            step=step,
            attempt=attempt,
            connection=connection,
            status=status,
            failure=orjson.loads(error)["class"] if error else None,
            whose=numbers.get(id) or id,
        )
        for id, run, step, attempt, connection, status, error in left(server, f"SELECT {columns} FROM jobs")
    ]


def each_job_has_one_task(simulated: Any, jobs: list[Job]) -> None:
    owners = {(job.connection, job.whose) for job in jobs}
    for kind in KINDS:
        books = simulated.books(kind)
        assert books.charged == sum(task.charged for task in books.tasks.values())
        for task in books.tasks.values():
            whose = owner(kind, task)
            assert whose is not None, f"{kind} was not told whose this is: {task}"
            assert (kind, whose) in owners, f"this is nobody's task: {task}"
            assert len(tasks_of(kind, books, whose)) == 1, f"{kind} has accepted {whose} twice"


def each_step_was_bought_once(simulated: Any, jobs: list[Job]) -> None:
    """Another attempt is made only where nothing had been accepted, or where the step asks for it."""
    last = {(job.run, job.step): job for job in sorted(jobs, key=lambda job: job.attempt)}
    for job in jobs:
        if job != last[job.run, job.step]:
            bought = tasks_of(job.connection, simulated.books(job.connection), job.whose)
            assert job.failure == "uncertain" if job.step == "again" else not bought, (job, bought)
        if job.status == "succeeded":
            assert tasks_of(job.connection, simulated.books(job.connection), job.whose), job


def each_acknowledged_callback_is_kept(server: Any, simulated: Any) -> None:
    kept = Counter(job for (job,) in left(server, "SELECT job FROM deliveries"))
    told: Counter[str] = Counter()
    for kind in KINDS:
        for call in simulated.books(kind).callbacks:
            if call.status == 200:
                told[call.url.rpartition("/")[2].partition(".")[0]] += 1
    assert sum(told.values()) > 0
    assert not told - kept, "acknowledged, and not there"
    assert left(server, "SELECT id FROM deliveries WHERE verdict = 'pending'") == []


def has_a_reason(simulated: Any, job: Job, unclear: set[str]) -> bool:
    """Whether an end of the server explains that *job* brought nothing."""
    calls = simulated.books(job.connection).callbacks
    was_heard = any(call.status == 200 and f"/{job.id}." in call.url for call in calls)
    if job.connection == "pixu":
        # It calls once, and cannot be asked.
        return not was_heard and job.failure in ("timeout", "uncertain")
    if job.failure == "uncertain":
        found = tasks_of(job.connection, simulated.books(job.connection), job.whose)
        return job.id in unclear and not found
    # Pixza fetches its image from us, and may have found nobody there.
    return job.step == "night" and job.failure == "task_failed"


@pytest.mark.timeout(120 + 6 * KILLS)
async def test_kills_with_all_five_providers_cost_no_more_than_the_submits_on_their_way(
    five: tuple[Any, Any],
) -> None:
    simulated, server = five
    dice = random.Random(SEED)
    runs = await begin(server, range(AT_FIRST))
    at_risk: set[str] = set()
    for _ in range(KILLS):
        await asyncio.sleep(dice.uniform(0.1, 1.5))
        await server.kill()
        at_risk |= submitting(server)
        await server.start()
        runs += await begin(server, range(len(runs), len(runs) + EACH_TIME))
    ended = [await server.ended(run, 60.0) for run in runs]
    assert await server.kill(signal.SIGTERM) == 0
    jobs = jobs_of(server)

    unclear = {event["job"] for event in events(server, "job.uncertain")}
    assert at_risk, "no kill came between a submit and its answer"
    assert unclear <= at_risk, "a submit that had been answered was forgotten"
    each_job_has_one_task(simulated, jobs)
    each_step_was_bought_once(simulated, jobs)
    each_acknowledged_callback_is_kept(server, simulated)
    assert {run["status"] for run in ended} <= {"succeeded", "failed"}
    for job in jobs:
        assert job.status == "succeeded" or has_a_reason(simulated, job, unclear), job


async def test_stops_with_all_five_providers_leave_nothing_uncertain(five: tuple[Any, Any]) -> None:
    simulated, server = five
    runs = await begin(server, range(AT_FIRST))
    for after_s in (0.1, 0.5, 1.0):
        await asyncio.sleep(after_s)
        assert await server.kill(signal.SIGTERM) == 0
        assert submitting(server) == set()
        await server.start()
    ended = [await server.ended(run, 60.0) for run in runs]
    assert await server.kill(signal.SIGTERM) == 0
    jobs = jobs_of(server)

    assert events(server, "job.uncertain") == []
    each_job_has_one_task(simulated, jobs)
    each_step_was_bought_once(simulated, jobs)
    each_acknowledged_callback_is_kept(server, simulated)
    assert {run["status"] for run in ended} <= {"succeeded", "failed"}
    for job in jobs:
        assert job.status == "succeeded" or has_a_reason(simulated, job, set()), job
