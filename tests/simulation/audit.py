"""
What must hold after any history, and what must hold whenever the server is down.

The witnesses are the providers' books, what the world was answered, and the log;
none of them is asked about itself. A broken promise is an `AssertionError` that
names the run, job or task.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import orjson

from orchestrator.artifacts.folder import Folder
from orchestrator.engine import events as e
from orchestrator.engine.fold import apply
from orchestrator.engine.state import Job, RunState
from orchestrator.simulators.books import TaskEntry
from orchestrator.store.projection import holds_slot, job_row, run_row
from orchestrator.store.rows import Delivery
from orchestrator.store.sqlite import SqliteStore
from tests.simulation.scenario import PAID_AGAIN
from tests.simulation.world import World

ENDED = ("succeeded", "failed", "cancelled", "timed_out", "skipped")

BLAMED = {
    "task_failed": {"task_failed"},
    "uncertain": {"answer_lost", "slow_answer", "error_before", "error_after", "crash"},
    "provider_error": {"error_before", "error_after", "rate_limit", "crash", "stop", "slow_answer"},
    "result_unavailable": {"expired_link"},
    "timeout": {"error_before", "rate_limit", "truncated_download", "expired_link"},
}
"""Error classes in which a run may end, each with what must have happened for that."""


class Audit:
    """Looks at one world; `between` after every end of the server, `final` after the last one."""

    def __init__(self) -> None:
        self._before: dict[str, list[bytes]] = {}

    async def between(self, world: World) -> None:
        """Check what holds at any moment: the log has only grown, and everything open has a wake-up."""
        store = await SqliteStore.open(world.folder / "orchestrator.db", clock=world.clock)
        try:
            states = await _states(store)
            for run, (state, records) in states.items():
                self._has_only_grown(run, records)
                await _rows_equal_fold(store, state)
                _has_wakeups(state)
            for run in world.outside.started.values():
                assert run in states, f"{run} was answered and is not in the log"
            _deliveries_are_kept(world, await _deliveries(store))
        finally:
            await store.close()

    async def final(self, world: World) -> None:
        """Check what holds in the end."""
        store = await SqliteStore.open(world.folder / "orchestrator.db", clock=world.clock)
        try:
            states = [state for state, _ in (await _states(store)).values()]
            deliveries = await _deliveries(store)
            assert await store.in_flight() == {}, "a slot is held for ever"
        finally:
            await store.close()
        assert len(states) == len(world.scenario.orders), "a run was started twice, or not at all"
        for delivery in deliveries:
            assert delivery.verdict != "pending", f"{delivery.id} was never settled"
        for state in states:
            world.ends[state.id] = state.status if state.error is None else state.error["class"]
            _has_ended_for_a_reason(world, state)
            _paid_once(world, state)
        _tasks_are_accounted_for(world, states)
        await _artifacts_are_there(world, states)
        _keeps_secrets(world)

    def _has_only_grown(self, run: str, records: list[bytes]) -> None:
        before = self._before.get(run, [])
        assert records[: len(before)] == before, f"the log of {run} was rewritten or lost its end"
        self._before[run] = records


# --- the log ---------------------------------------------------------------------------------


async def _states(store: SqliteStore) -> dict[str, tuple[RunState, list[bytes]]]:
    """Fold every stream, holding each step against the rules of streams."""
    found: dict[str, tuple[RunState, list[bytes]]] = {}
    for row in await store.runs(limit=1000):
        records = await store.read(row.id)
        versions = [record.version for record in records]
        assert versions == list(range(1, len(records) + 1)), f"{row.id} has gaps: {versions}"
        state: RunState | None = None
        for record in records:
            assert record.type != "watchdog.healed", f"{row.id} had to be healed: {record.data!r}"
            ended = _ends(state) if state is not None else {}
            state = apply(state, e.decode(record.type, record.data))
            for thing, status in ended.items():
                assert _ends(state).get(thing) == status, f"{thing} was {status} and then {record.type}"
        assert state is not None
        found[row.id] = state, [record.data for record in records]
    return found


def _ends(state: RunState) -> dict[str, str]:
    """Return what has ended, and how."""
    ended: dict[str, str] = {job.id: job.status for job in state.jobs.values() if not job.is_open}
    ended |= {f"step {step.id}": step.status for step in state.steps.values() if step.has_ended}
    return ended | ({state.id: state.status} if state.has_ended else {})


async def _rows_equal_fold(store: SqliteStore, state: RunState) -> None:
    row = await store.run(state.id)
    assert row is not None
    assert asdict(row) == asdict(run_row(state)), f"the row of {state.id} is not what its log says"
    rows = {row.id: row for row in await store.jobs(run=state.id, limit=1000)}
    assert set(rows) == set(state.jobs), state.id
    for job in state.jobs.values():
        kept, told = asdict(rows[job.id]), asdict(job_row(state.id, job))
        # The schedule moves wake-ups without an event.
        kept.pop("wake_at"), told.pop("wake_at")
        assert kept == told, f"the row of {job.id} is not what its log says"


def _has_wakeups(state: RunState) -> None:
    if not state.has_ended:
        assert state.halting or state.deadline_at, f"{state.id} has no deadline"
    for job in state.jobs.values():
        if job.is_open and job.status != "submitting":
            assert job.wake_at is not None, f"{job.id} is {job.status} and nothing will ever wake it"


def _has_ended_for_a_reason(world: World, state: RunState) -> None:
    assert state.has_ended, f"{state.id} is {state.status}"
    for job in state.jobs.values():
        assert not job.is_open, f"{job.id} is {job.status} in an ended run"
        assert not holds_slot(job), f"{job.id} still holds a slot"
    if state.status == "cancelled":
        assert state.id in world.outside.cancelled, f"nobody cancelled {state.id}"
    if state.status != "failed":
        return
    assert state.error is not None
    happened = set(world.scenario.faults)
    happened |= {"crash"} if world.outside.crashes else set()
    happened |= {"stop"} if world.outside.stops > 1 else set()
    cause = BLAMED.get(state.error["class"], set())
    assert cause & happened, f"{state.id} failed without a cause: {state.error}"


# --- money -----------------------------------------------------------------------------------


def _paid_once(world: World, state: RunState) -> None:
    """An instance has another task than its first only where the definition asks for that."""
    jobs: dict[Any, list[Job]] = {}
    for job in state.jobs.values():
        jobs.setdefault(job.key, []).append(job)
    for key, attempts in jobs.items():
        attempts.sort(key=lambda job: job.attempt)
        assert [job.attempt for job in attempts] == list(range(1, len(attempts) + 1)), f"{state.id} {key}"
        for job in attempts[:-1]:
            assert job.error is not None, f"{job.id} was followed by another attempt"
            cls = job.error["class"]
            again = PAID_AGAIN[state.workflow] | {"provider_error", "network"}
            assert cls in again, f"{job.id} was followed by another attempt after {job.error}"
            if cls in ("provider_error", "network") and not _may_have_ended_unseen(world):
                charged = sum(task.charged for task in _tasks_of(world, job))
                assert charged == 0, f"{job.id} had cost {charged} when it was tried again"


def _may_have_ended_unseen(world: World) -> bool:
    """Whether Perfect denies a task for so long that it must count as lost, although it goes on."""
    return "lookup_lag" in world.scenario.faults and world.scenario.lag_s >= 10.0


def _tasks_of(world: World, job: Job) -> Sequence[TaskEntry]:
    books = world.providers.books(job.connection)
    return [task for task in books.tasks.values() if _mark(task) in (job.id, job.number)]


def _mark(task: TaskEntry) -> str | int:
    """Return whose a task is: a job's id at Pizi, a request number at Perfect."""
    if task.mark.startswith("{"):
        return str(orjson.loads(task.mark)["orchestrator_job"])
    return int(task.mark.split()[-1])


def _tasks_are_accounted_for(world: World, states: Sequence[RunState]) -> None:
    """Every task that a provider accepted is one job's, every job's task exists, and the ends agree."""
    jobs: dict[tuple[str, str | int], Job] = {}
    for job in (job for state in states for job in state.jobs.values()):
        jobs[job.connection, job.id if job.number is None else job.number] = job
    for kind in ("pizi", "perfect"):
        books = world.providers.books(kind)
        assert books.repeated() == {}, f"{kind} has accepted the same twice: {books.repeated()}"
        assert books.charged == sum(task.charged for task in books.tasks.values())
        for task in books.tasks.values():
            owner = jobs.get((kind, _mark(task)))
            assert owner is not None, f"{kind} has a task of nobody: {task}"
            known = owner.task_id == task.id or owner.resource_id is not None
            assert known or owner.uncertain_until is not None, f"{task} is not the task of {owner}"
            assert owner.task_id in (None, task.id), f"{owner.id} took another task for its own: {task}"
            if owner.status == "succeeded":
                assert task.status in ("completed", "success"), f"{owner.id} succeeded, and {task}"
    for job in jobs.values():
        if job.status == "succeeded":
            assert len(_tasks_of(world, job)) == 1, f"{job.id} succeeded without a task"
            assert job.artifacts, f"{job.id} succeeded without bytes"


# --- bytes -----------------------------------------------------------------------------------


async def _deliveries(store: SqliteStore) -> list[Delivery]:
    found = [await store.get(row.id) for row in await store.find(limit=10_000)]
    return [delivery for delivery in found if delivery is not None]


def _deliveries_are_kept(world: World, deliveries: Sequence[Delivery]) -> None:
    """Whatever was answered 200 is there, byte for byte, as often as it was answered."""
    kept = Counter((delivery.job, delivery.body) for delivery in deliveries)
    for (token, body), count in world.outside.acknowledged.items():
        job = token.partition(".")[0]
        assert kept[job, body] >= count, f"a callback for {job} was acknowledged and is not kept"


async def _artifacts_are_there(world: World, states: Sequence[RunState]) -> None:
    folder = Folder(world.folder / "artifacts")
    try:
        for job in (job for state in states for job in state.jobs.values()):
            for artifact in job.artifacts:
                assert await folder.verify(artifact["digest"]), f"a result of {job.id} is not there"
    finally:
        await folder.close()


def _keeps_secrets(world: World) -> None:
    written = b"".join(path.read_bytes() for path in sorted(world.folder.glob("orchestrator.db*")))
    for credential in world.credentials:
        assert credential.encode() not in written, "a credential is in the database"
