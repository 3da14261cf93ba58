"""What need not be kept any more goes, whole; what is still good for something stays."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from orchestrator.engine.events import RunCreated
from orchestrator.engine.holds import Hold
from orchestrator.store.rows import IdempotencyKey
from orchestrator.store.sqlite import SqliteStore

NOON = 1_700_000_000_000_000
"""What happens in these tests does so some microseconds after this."""

LATER = NOON + 1_000


@pytest.fixture
def ended(append: Callable[..., Any]) -> Callable[..., Any]:
    """Make the append of a whole run that began and ended at NOON and its number."""

    def make(n: int = 1, count: int = 3, **fields: Any) -> Any:
        given = {"status": "succeeded", "created_at": NOON + n, "finished_at": NOON + n, **fields}
        return append(n, count=count, **given)

    return make


async def prune(store: SqliteStore, **how: Any) -> list[str]:
    """Prune in one step, and return which of the runs are left, by the end of their ids."""
    await store.prune_runs(**{"ended_before": LATER, "keys_before": LATER, **how})
    return sorted(run.id[-1] for run in await store.runs())


async def test_a_run_goes_with_everything_that_belongs_to_it(
    store: SqliteStore, ended: Any, job_row: Any, delivery: Any, tmp_path: Path
) -> None:
    key = IdempotencyKey(key="k", body_digest="d")
    parts = {"jobs": [job_row(9)], "idempotency": key}
    await store.append(ended(1, labels=b'{"a":"b"}', parts=parts))
    await store.put(delivery(job="job_009", verdict="accepted"))
    await store.append(ended(2))

    removed = await store.prune_runs(ended_before=LATER, keys_before=LATER)

    assert (removed.runs, removed.events, removed.jobs, removed.deliveries) == (1, 3, 1, 1)
    assert await store.read("run_001") == []
    assert await store.job("job_009") is None
    assert await store.get("dlv_001") is None
    assert await store.run_of_key("k") is None
    assert await store.runs(label=("a", "b")) == []
    with closing(sqlite3.connect(tmp_path / "orchestrator.db")) as db:
        assert db.execute("PRAGMA foreign_key_check").fetchall() == []


async def test_what_has_not_ended_or_not_long_enough_ago_stays(
    store: SqliteStore, ended: Any, append: Any
) -> None:
    for one in (ended(1), append(2), ended(3), ended(4)):
        await store.append(one)

    assert await prune(store, ended_before=NOON + 3) == ["2", "3", "4"]


@pytest.mark.parametrize(
    "job",
    [
        {"status": "cancelled", "lane": "look", "wake_at": NOON},
        {"status": "timed_out", "deadline_at": 10**17},
    ],
    ids=["watched", "before its deadline"],
)
async def test_a_run_stays_while_a_task_of_it_may_bring_a_result(
    store: SqliteStore, ended: Any, job_row: Any, job: dict[str, Any]
) -> None:
    await store.append(ended(1, parts={"jobs": [job_row(9, **job)]}))
    await store.append(ended(2))

    assert await prune(store) == ["1", "2"]


async def test_a_task_that_has_brought_its_result_is_not_waited_for(
    store: SqliteStore, ended: Any, job_row: Any
) -> None:
    await store.append(ended(1, parts={"jobs": [job_row(9, status="succeeded", deadline_at=10**17)]}))
    await store.append(ended(2))

    assert await prune(store) == ["2"]


async def test_a_run_stays_while_a_callback_for_it_is_unread(
    store: SqliteStore, ended: Any, job_row: Any, delivery: Any
) -> None:
    await store.append(ended(1, parts={"jobs": [job_row(9, status="failed")]}))
    await store.put(delivery(job="job_009"))
    await store.append(ended(2))

    assert await prune(store) == ["1", "2"]


async def test_a_run_that_is_a_step_of_another_goes_after_that_one(
    store: SqliteStore, ended: Any, job_row: Any
) -> None:
    step = job_row(2, run=1, status="succeeded")  # Its run has the same number: run_002.
    await store.append(ended(1, parts={"jobs": [step]}))
    await store.append(ended(2))
    await store.append(ended(3))

    assert await prune(store) == ["2", "3"]
    assert await prune(store) == ["3"]


async def test_an_idempotency_key_replays_for_as_long_as_it_should(store: SqliteStore, ended: Any) -> None:
    for n in (1, 2):
        key = IdempotencyKey(key=f"k{n}", body_digest="d")
        await store.append(ended(n, parts={"idempotency": key}))
    await store.append(ended(3))

    assert await prune(store, keys_before=NOON + 2) == ["2", "3"]


async def test_a_sequence_is_never_used_twice(store: SqliteStore, ended: Any) -> None:
    await store.append(ended(1))
    await store.append(ended(2))
    last = await store.last_sequence()

    assert await prune(store) == ["2"]
    await store.append(ended(3, count=1))

    assert [one.seq for one in await store.tail(after=last)] == [last + 1]
    assert [one.stream for one in await store.tail(after=0)] == ["run_002"] * 3 + ["run_003"]


async def test_counters_stay_when_the_runs_go_that_used_them(store: SqliteStore, ended: Any) -> None:
    await store.append(ended(1, parts={"numbers": [("numbers/perfect", 7)]}))
    await store.append(ended(2))

    await prune(store)

    assert await store.number("numbers/perfect") == 7


async def test_steps_are_small_and_a_large_run_is_one_of_its_own(store: SqliteStore, ended: Any) -> None:
    for n, count in ((1, 200), (2, 200), (3, 1000), (4, 1), (5, 1), (6, 1)):
        await store.append(ended(n, count=count))

    steps, after = [], ""
    while (
        removed := await store.prune_runs(ended_before=LATER, keys_before=LATER, after=after)
    ).last is not None:
        steps.append(removed.events)
        after = removed.last

    assert steps == [200, 200, 1000, 2]


async def test_counting_removes_nothing(store: SqliteStore, ended: Any, delivery: Any) -> None:
    await store.append(ended(1))
    await store.append(ended(2))
    await store.put(delivery(job="job_x", verdict="late"))

    runs = await store.prune_runs(ended_before=LATER, keys_before=LATER, dry=True)
    deliveries = await store.prune_deliveries(received_before=LATER, dry=True)

    assert (runs.runs, runs.events, deliveries.deliveries) == (1, 3, 1)
    assert len(await store.runs()) == 2
    assert await store.get("dlv_001") is not None


async def test_deliveries_go_by_their_own_age_but_none_that_nobody_has_read(
    store: SqliteStore, delivery: Any
) -> None:
    for n, verdict in ((1, "accepted"), (2, "pending"), (3, "late"), (4, "accepted")):
        await store.put(delivery(n, verdict=verdict, received_at=NOON + n))

    removed = await store.prune_deliveries(received_before=NOON + 4)

    assert removed.deliveries == 2
    assert [one.id[-1] for one in await store.find()] == ["4", "2"]


async def test_what_is_mentioned_is_found_but_for_runs_that_ended_before(
    store: SqliteStore, append: Any, ended: Any
) -> None:
    def created(n: int) -> Any:
        image = f"artifact:sha256:{n}"
        return RunCreated(
            at=n, run=f"run_{n}", workflow="w", digest="d", inputs={"i": image}, labels={}, deadline_at=n
        )

    await store.append(ended(1, events=[created(1)]))
    await store.append(ended(2, events=[created(2)]))
    await store.append(append(3, events=[created(3)], parts={"definition": ("d", "w", "sha256:4")}))

    found = b"".join([text async for text in store.mentions(ended_before=NOON + 2)])

    assert [n for n in (1, 2, 3, 4) if b"sha256:%d" % n in found] == [2, 3, 4]


async def test_what_a_pruned_run_has_spent_of_a_budget_goes_on_to_count(
    store: SqliteStore, ended: Any, job_row: Any, tmp_path: Path
) -> None:
    for n, amount in ((1, 2.0), (2, 3.0), (3, 4.0)):
        holds = [Hold("budget/pizi/x", f"job_{n + 10:03}", amount, most=100)]
        await store.append(
            ended(n, parts={"jobs": [job_row(n + 10, run=n, status="succeeded")], "holds": holds})
        )

    assert await prune(store, ended_before=NOON + 3) == ["3"]

    assert await store.held("budget/pizi/x") == 9
    with closing(sqlite3.connect(tmp_path / "orchestrator.db")) as db:
        holders = db.execute("SELECT holder, amount FROM holds ORDER BY holder").fetchall()
    assert holders == [("job_013", 4), ("removed", 5)]


async def test_a_budget_of_which_nothing_counts_any_more_goes_in_steps(
    store: SqliteStore, ended: Any, tmp_path: Path
) -> None:
    holds = [Hold("budget/pizi/x", f"job_{n:03}", 1) for n in range(400)]
    await store.append(ended(1, parts={"holds": [*holds, Hold("budget/pizi/y", "job_1", 1)]}))

    assert await store.budgets() == ["budget/pizi/x", "budget/pizi/y"]
    assert not await store.drop_budget("budget/pizi/x")
    assert await store.drop_budget("budget/pizi/x")

    assert await store.budgets() == ["budget/pizi/y"]
    with closing(sqlite3.connect(tmp_path / "orchestrator.db")) as db:
        assert db.execute("SELECT count(*) FROM holds").fetchone() == (1,)


async def test_of_a_group_in_which_nobody_is_any_more_nothing_is_kept(
    store: SqliteStore, append: Any, tmp_path: Path
) -> None:
    place = Hold("group/shop/a", "run_001", 1, most=1, in_line=True)
    await store.append(append(1, parts={"holds": [place]}))
    await store.append(append(1, expected=1, parts={"holds": [replace(place, amount=0, most=None)]}))

    with closing(sqlite3.connect(tmp_path / "orchestrator.db")) as db:
        assert db.execute("SELECT count(*) FROM resources").fetchone() == (0,)
