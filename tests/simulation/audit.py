"""
What must hold after any history, and what must hold whenever the server is down.

The witnesses are the providers' books, what the world was answered, and the log;
none of them is asked about itself. A broken promise is an `AssertionError` that
names the run, job or task.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

from orchestrator.artifacts.folder import Folder
from orchestrator.engine import events as e
from orchestrator.engine.fold import apply
from orchestrator.engine.state import Job, RunState
from orchestrator.simulators.books import TaskEntry
from orchestrator.store.projection import holds_slot, job_row, run_row
from orchestrator.store.rows import Delivery
from orchestrator.store.sqlite import SqliteStore
from tests.simulation import money
from tests.simulation.causes import has_a_cause
from tests.simulation.marks import Owner, owner, tasks_of
from tests.simulation.scenario import PAID_AGAIN
from tests.simulation.world import KINDS, World


@dataclass(frozen=True, slots=True)
class History:
    """The log of one run: its bytes, its events, and what they come to."""

    records: list[bytes]
    events: list[e.Event]
    state: RunState

    def of_jobs(self) -> Iterator[e.JobEvent]:
        return (event for event in self.events if isinstance(event, e.JobEvent))


class Audit:
    """Looks at one world; `between` after every end of the server, `final` after the last one."""

    def __init__(self) -> None:
        self._before: dict[str, list[bytes]] = {}

    async def between(self, world: World) -> None:
        """Check what holds at any moment: the log has only grown, and everything open has a wake-up."""
        assert not world.outside.broken, "\n".join(world.outside.broken)
        store = await SqliteStore.open(world.folder / "orchestrator.db", clock=world.clock)
        try:
            histories = await _histories(store)
            deliveries = await _deliveries(store)
            for history in histories.values():
                self._has_only_grown(history)
                await _rows_equal_fold(store, history.state)
                _has_wakeups(history.state)
        finally:
            await store.close()
        for run in world.outside.started.values():
            assert run in histories, f"{run} was answered and is not in the log"
        jobs = _jobs(histories)
        assert len({(job.connection, job.number) for job in jobs if job.number is not None}) == sum(
            job.number is not None for job in jobs
        ), "a request number was used for two jobs"
        _tasks_were_claimed(world, histories)
        _deliveries_are_kept(world, deliveries)
        _deliveries_are_settled_with_their_events(histories, deliveries)
        money.add_up(world, jobs)

    async def final(self, world: World) -> None:
        """Check what holds in the end."""
        store = await SqliteStore.open(world.folder / "orchestrator.db", clock=world.clock)
        try:
            histories = await _histories(store)
            deliveries = await _deliveries(store)
            assert await store.in_flight() == {}, "a slot is held for ever"
        finally:
            await store.close()
        own = [each for each in histories.values() if each.state.parent is None]
        assert len(own) == len(world.scenario.orders), "a run was started twice, or not at all"
        for delivery in deliveries:
            assert delivery.verdict != "pending", f"{delivery.id} was never settled"
        for history in histories.values():
            if history.state.parent is None:
                error = history.state.error
                world.ends[history.state.id] = history.state.status if error is None else error["class"]
            _has_ended_for_a_reason(world, history.state)
            _paid_once(world, history)
        _tasks_are_accounted_for(world, _jobs(histories))
        _late_results_are_kept(world, _jobs(histories))
        money.is_given_back(world, _jobs(histories))
        await _artifacts_are_there(world, _jobs(histories))
        _keeps_secrets(world)

    def _has_only_grown(self, history: History) -> None:
        run, records = history.state.id, history.records
        before = self._before.get(run, [])
        assert records[: len(before)] == before, f"the log of {run} was rewritten or lost its end"
        self._before[run] = records


# --- the log ---------------------------------------------------------------------------------


async def _histories(store: SqliteStore) -> dict[str, History]:
    """Fold every stream, holding each step against the rules of streams."""
    return {row.id: await _history(store, row.id) for row in await store.runs(limit=1000)}


async def _history(store: SqliteStore, run: str) -> History:
    records = await store.read(run)
    versions = [record.version for record in records]
    assert versions == list(range(1, len(records) + 1)), f"{run} has gaps: {versions}"
    events = [e.decode(record.type, record.data) for record in records]
    state: RunState | None = None
    for event in events:
        assert event.type != "watchdog.healed", f"{run} had to be healed: {event}"
        ended = _ends(state) if state is not None else {}
        if isinstance(event, e.StepStarted) and state is not None:
            assert not state.has_ended, f"{run} had ended, and {event.step} was started"
        state = apply(state, event)
        if isinstance(event, e.RunRetried):
            # The one event that may bring back what has ended; jobs stay as they are.
            ended = {thing: status for thing, status in ended.items() if thing.startswith("job_")}
        now = _ends(state)
        for thing, status in ended.items():
            assert now.get(thing) == status, f"{thing} was {status} and then {event.type}"
    assert state is not None
    return History([record.data for record in records], events, state)


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
        # The schedule moves wake-ups, and lets a job stand in line for a budget, without an event.
        kept.pop("wake_at"), told.pop("wake_at")
        if job.status == "created":
            kept.pop("asks"), told.pop("asks")
        assert kept == told, f"the row of {job.id} is not what its log says"


def _has_wakeups(state: RunState) -> None:
    if not state.has_ended:
        assert state.halting or state.deadline_at, f"{state.id} has no deadline"
    for job in state.jobs.values():
        if job.is_open and job.status != "submitting":
            assert job.wake_at is not None, f"{job.id} is {job.status} and nothing will ever wake it"


def _jobs(histories: dict[str, History]) -> list[Job]:
    return [job for history in histories.values() for job in history.state.jobs.values()]


def _has_ended_for_a_reason(world: World, state: RunState) -> None:
    assert state.has_ended, f"{state.id} is {state.status}"
    for job in state.jobs.values():
        assert not job.is_open, f"{job.id} is {job.status} in an ended run"
        assert not holds_slot(job), f"{job.id} still holds a slot"
    if state.parent is not None:
        return
    if state.status == "cancelled":
        assert state.id in world.outside.cancelled, f"nobody cancelled {state.id}"
    if state.status == "failed":
        assert state.error is not None
        assert has_a_cause(world, state), f"{state.id} failed without a cause: {state.error}"


# --- money -----------------------------------------------------------------------------------


def _paid_once(world: World, history: History) -> None:
    """An instance has another task than its first only where the definition or a person asks for that."""
    retried = [(at, event) for at, event in enumerate(history.events) if isinstance(event, e.RunRetried)]
    asked = {
        ev.job for ev in history.events if isinstance(ev, e.OperatorResolved) and ev.action == "resubmit"
    }
    attempts: dict[Any, list[tuple[int, Job]]] = defaultdict(list)
    for at, event in enumerate(history.events):
        if isinstance(event, e.JobCreated):
            job = history.state.jobs[event.job]
            attempts[job.key].append((at, job))
    for key, made in attempts.items():
        counted = [job.attempt for _, job in made]
        assert counted == list(range(1, len(made) + 1)), f"{history.state.id} {key}: {counted}"
        for (first, job), (second, follower) in pairwise(made):
            between = [(at, event) for at, event in retried if first < at < second]
            if between:
                if not any(job.step in event.again for _, event in between):
                    _was_not_there(history, between[-1][0], follower)
            elif job.id not in asked:
                _was_worth_another(world, history.state, job)


def _was_not_there(history: History, retried: int, follower: Job) -> None:
    """What is bought after a retry was not there yet; an item may have moved to another place of its list."""
    past, after = history.events[:retried], history.events[retried:]
    had = {event.job for event in past if isinstance(event, e.JobSucceeded | e.JobLateResult)}
    used = {event.job for event in after if isinstance(event, e.StepSucceeded)}
    was, is_now = _items(reversed(past), follower.step), _items(after, follower.step)
    for job in (history.state.jobs[id] for id in had - used):
        if (job.step, job.params) == (follower.step, follower.params):
            stays = job.index is not None and was[job.index] == dict(enumerate(is_now)).get(job.index)
            kept = stays and job.key != follower.key
            assert kept, f"{job.id} had succeeded, and {follower.id} was bought again"


def _items(events: Iterable[e.Event], step: str) -> list[str]:
    """Return the digests of the items of *step* that *events* tell of first; none if it is no list."""
    expansions = (ev.digests for ev in events if isinstance(ev, e.StepExpanded) and ev.step == step)
    return next(expansions, [])


def _was_worth_another(world: World, state: RunState, job: Job) -> None:
    assert job.error is not None, f"{job.id} was followed by another attempt"
    cls = job.error["class"]
    again = PAID_AGAIN.get(state.workflow, frozenset()) | {"provider_error", "network"}
    assert cls in again, f"{job.id} was followed by another attempt after {job.error}"
    if cls in ("provider_error", "network") and not _may_have_ended_unseen(world):
        whose = job.id if job.number is None else job.number
        charged = sum(task.charged for task in _tasks(world, job.connection, whose))
        assert charged == 0, f"{job.id} had cost {charged} when it was tried again"


def _may_have_ended_unseen(world: World) -> bool:
    """Whether Perfect denies a task for so long that it must count as lost, although it goes on."""
    return "lookup_lag" in world.scenario.faults and world.scenario.lag_s >= 10.0


def _tasks(world: World, connection: str, whose: Owner) -> list[TaskEntry]:
    if connection not in KINDS:
        return []
    return tasks_of(connection, world.providers.books(connection), whose)


def _owners(jobs: Sequence[Job]) -> dict[tuple[str, Owner], Job]:
    return {(job.connection, job.id if job.number is None else job.number): job for job in jobs}


def _tasks_were_claimed(world: World, histories: dict[str, History]) -> None:
    """Whatever a provider has accepted was claimed in our log before it was sent."""
    claims: set[tuple[str, Owner]] = set()
    for history in histories.values():
        for event in history.of_jobs():
            if isinstance(event, e.JobSubmitting):
                whose = event.job if event.number is None else event.number
                claims.add((history.state.jobs[event.job].connection, whose))
    for kind in KINDS:
        for task in world.providers.books(kind).tasks.values():
            whose_is_it = owner(kind, task)
            assert whose_is_it is None or (kind, whose_is_it) in claims, f"nobody had claimed {task}"


def _tasks_are_accounted_for(world: World, jobs: Sequence[Job]) -> None:
    """Every task that a provider accepted is one job's, every job's task exists, and the ends agree."""
    owners = _owners(jobs)
    for kind in KINDS:
        books = world.providers.books(kind)
        assert books.charged == sum(task.charged for task in books.tasks.values())
        unknown = 0
        for task in books.tasks.values():
            whose = owner(kind, task)
            if whose is None:
                unknown += task.id not in {job.task_id for job in jobs if job.connection == kind}
            else:
                assert len(tasks_of(kind, books, whose)) <= 1, f"{kind} has accepted {whose} twice"
                _is_the_task_of(world, owners.get((kind, whose)), task)
        lost = [job for job in jobs if job.connection == kind and _never_found(job)]
        assert unknown <= len(lost), f"{kind} has {unknown} tasks of nobody, and {len(lost)} were never found"
    for job in jobs:
        if job.status == "succeeded" and job.connection in KINDS:
            _has_what_it_paid_for(world, job)


def _never_found(job: Job) -> bool:
    return job.uncertain_until is not None and job.task_id is None


def _is_the_task_of(world: World, job: Job | None, task: TaskEntry) -> None:
    assert job is not None, f"this is nobody's task: {task}"
    if job.connection == "pixu" and "wrong_uid" in world.scenario.faults:
        return  # What it calls back about is another name for the same task.
    if task.status == "failed" and task.charged == 0:
        return  # Left behind when it could not be started; the answer said so.
    known = task.id == job.task_id or job.resource_id is not None
    assert known or job.uncertain_until is not None, f"{task} is not the task of {job}"
    assert job.task_id in (None, task.id), f"{job.id} took another task for its own: {task}"
    if job.status == "succeeded":
        assert task.status in ("completed", "success"), f"{job.id} succeeded, and {task}"


def _has_what_it_paid_for(world: World, job: Job) -> None:
    whose = job.id if job.number is None else job.number
    books = world.providers.books(job.connection)
    marked = [task for task in books.tasks.values() if owner(job.connection, task) is not None]
    if marked and job.operation not in ("get_credits", "save_avatar"):
        assert len(_tasks(world, job.connection, whose)) == 1, f"{job.id} succeeded without a task"
    if job.connection in ("pizi", "perfect", "pixza", "trypi") and job.files:
        assert job.artifacts, f"{job.id} succeeded without bytes"


def _late_results_are_kept(world: World, jobs: Sequence[Job]) -> None:
    """What was cancelled and made all the same is ours, where nothing else had gone wrong."""
    if world.scenario.faults or world.outside.crashes or world.scenario.full_disk:
        return
    for job in jobs:
        task = world.providers.books(job.connection).tasks.get(job.task_id or "") if _is_real(job) else None
        if task is not None and job.status == "cancelled" and task.status == "completed":
            assert job.late, f"{job.id} was cancelled, its task was paid for, and its result was dropped"


def _is_real(job: Job) -> bool:
    return job.connection in KINDS


# --- bytes -----------------------------------------------------------------------------------


async def _deliveries(store: SqliteStore) -> list[Delivery]:
    found = [await store.get(row.id) for row in await store.find(limit=10_000)]
    return [delivery for delivery in found if delivery is not None]


def _deliveries_are_kept(world: World, deliveries: Sequence[Delivery]) -> None:
    """Whatever was answered 200 is there, byte for byte, as often as it was answered."""
    kept = Counter(
        (each.job, each.query, each.body or b"") for each in deliveries if each.redelivery_of is None
    )
    for (token, query, body), count in world.outside.acknowledged.items():
        job = token.partition(".")[0]
        assert kept[job, query, body] >= count, f"a callback for {job} was acknowledged and is not kept"


def _deliveries_are_settled_with_their_events(
    histories: dict[str, History], deliveries: Sequence[Delivery]
) -> None:
    """A delivery is settled in the transaction of the event that tells of it, and has an effect once."""
    told = {
        event.delivery: event
        for history in histories.values()
        for event in history.of_jobs()
        if isinstance(event, e.JobCallbackReceived)
    }
    effective: Counter[tuple[str, str, str, bytes]] = Counter()
    for delivery in deliveries:
        event = told.pop(delivery.id, None)
        if event is None:
            assert delivery.verdict in ("pending", "mismatch"), f"{delivery.id} was settled and not handled"
            continue
        assert delivery.verdict == event.verdict, f"{delivery.id} was handled and not settled"
        if event.verdict != "duplicate" and delivery.redelivery_of is None:
            effective[delivery.job, delivery.method, delivery.query, delivery.body or b""] += 1
    assert not told, f"these were handled and are not there: {sorted(told)}"
    assert all(count == 1 for count in effective.values()), f"a repetition had an effect: {effective}"


async def _artifacts_are_there(world: World, jobs: Sequence[Job]) -> None:
    folder = Folder(world.folder / "artifacts")
    try:
        for job in jobs:
            for artifact in job.artifacts:
                await folder.sound(artifact["digest"])
    finally:
        await folder.close()


def _keeps_secrets(world: World) -> None:
    written = b"".join(path.read_bytes() for path in sorted(world.folder.glob("orchestrator.db*")))
    for credential in world.credentials:
        assert credential.encode() not in written, "a credential is in the database"
