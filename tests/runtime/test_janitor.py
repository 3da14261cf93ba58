"""Nothing that is still referred to is thrown away, and nothing that is just being taken into use."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from orchestrator.artifacts.folder import Folder
from orchestrator.clock import SECOND, SystemClock
from orchestrator.engine import events as e
from orchestrator.engine import holds
from orchestrator.engine.large import LargeValue
from orchestrator.operations.pruning import Policy
from orchestrator.runtime.janitor import Janitor
from orchestrator.store.rows import Append, RunRow
from orchestrator.store.sqlite import SqliteStore

DAY_S = 86_400
CLOCK = SystemClock()


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    store = await SqliteStore.open(tmp_path / "orchestrator.db", clock=CLOCK)
    yield store
    await store.close()


@pytest.fixture
async def folder(tmp_path: Path) -> AsyncIterator[Folder]:
    folder = Folder(tmp_path / "artifacts")
    yield folder
    await folder.close()


@pytest.fixture
def janitor(store: SqliteStore, folder: Folder) -> Janitor:
    return Janitor(store, folder, Policy(), CLOCK)


Old = Callable[[bytes], Any]


@pytest.fixture
def old(folder: Folder) -> Old:
    """Put something that nobody has used for a month."""

    async def put(data: bytes) -> str:
        digest = await folder.put(data)
        then = CLOCK.now() / SECOND - 30 * DAY_S
        os.utime(folder.path(digest), (then, then))
        return digest

    return put


async def run(store: SqliteStore, events: Sequence[e.Event], *, ended_days_ago: float | None = None) -> None:
    """Keep a run with *events* that ended so long ago, or is open."""
    now = CLOCK.now()
    ended = None if ended_days_ago is None else now - int(ended_days_ago * DAY_S * SECOND)
    number = len(await store.runs()) + 1
    row = RunRow(
        id=f"run_{number:026}",
        workflow="w",
        digest="d",
        status="running" if ended is None else "succeeded",
        version=len(events),
        labels=b"{}",
        inputs=b"{}",
        outputs=None,
        error=None,
        created_at=ended or now,
        started_at=None,
        finished_at=ended,
        wake_at=None,
    )
    await store.append(Append(run=row, expected=0, events=events))


def stored(digest: str, role: Any = "result") -> e.Event:
    return e.ArtifactStored(at=1, job="job_1", artifact={"digest": digest}, role=role)


def created(**inputs: str) -> e.Event:
    return e.RunCreated(at=1, run="r", workflow="w", digest="d", inputs=inputs, labels={}, deadline_at=1)


def submitting(digest: str) -> e.Event:
    template = {"body": [{"artifact": digest}]}
    return e.JobSubmitting(at=1, job="job_1", template=template, number=None, deadline_at=1)


async def test_what_nothing_refers_to_goes_and_the_rest_stays(
    store: SqliteStore, folder: Folder, janitor: Janitor, old: Old
) -> None:
    given, result, converted, sent, lost = [await old(b"%d" % n) for n in range(5)]
    await run(store, [created(image=f"artifact:{given}"), stored(result), stored(converted, "input")])
    await run(store, [submitting(sent)], ended_days_ago=400)

    done = await janitor.prune(Policy())

    assert [folder.holds(one) for one in (given, result, converted, sent)] == [True] * 4
    assert not folder.holds(lost)
    assert (done.artifacts, done.artifact_bytes) == (1, 1)


async def test_a_fresh_upload_is_kept(folder: Folder, janitor: Janitor) -> None:
    digest = await folder.put(b"just uploaded")

    await janitor.prune(Policy())

    assert folder.holds(digest)


async def test_what_a_workflow_file_names_is_kept(store: SqliteStore, folder: Folder, old: Old) -> None:
    digest = await old(b"a logo")
    janitor = Janitor(store, folder, Policy(), CLOCK, texts=lambda: [f"image: artifact:{digest}"])

    await janitor.prune(Policy())

    assert folder.holds(digest)


async def test_files_of_ended_runs_go_by_their_own_age(
    store: SqliteStore, folder: Folder, janitor: Janitor, old: Old
) -> None:
    long_ago, lately, shared, open_ = [await old(b"%d" % n) for n in range(4)]
    await run(store, [stored(long_ago), stored(shared)], ended_days_ago=40)
    await run(store, [stored(lately), stored(shared)], ended_days_ago=20)
    await run(store, [stored(open_)])

    await janitor.prune(Policy(artifacts_s=30 * DAY_S))

    assert [folder.holds(one) for one in (lately, shared, open_)] == [True] * 3
    assert not folder.holds(long_ago)
    assert len(await store.runs()) == 3


async def test_counting_removes_no_file(folder: Folder, janitor: Janitor, old: Old) -> None:
    digest = await old(b"lost")

    done = await janitor.prune(Policy(), True)

    assert (done.artifacts, done.artifact_bytes, done.database_bytes) == (1, 4, None)
    assert folder.holds(digest)


class Slow:
    """A shelf that lets somebody do something right before a file is looked at for the last time."""

    def __init__(self, folder: Folder, meanwhile: Callable[[], object]) -> None:
        self._folder, self._meanwhile = folder, meanwhile
        self.hold, self.stale, self.text = folder.hold, folder.stale, folder.text

    def discard(self, digest: str, before: float, *, dry: bool = False) -> int:
        self._meanwhile()
        return self._folder.discard(digest, before, dry=dry)


@pytest.mark.parametrize("how", ["held", "put", "streamed"])
async def test_what_is_taken_into_use_at_the_last_moment_is_kept(
    store: SqliteStore, folder: Folder, old: Old, how: str
) -> None:
    digest = await old(b"about to be used")
    loop = asyncio.get_running_loop()

    async def stream() -> AsyncIterator[bytes]:
        yield b"about to be used"

    def use() -> None:
        if how == "held":
            assert folder.hold(digest)
        else:
            put = folder.put(b"about to be used") if how == "put" else folder.put_stream(stream())
            asyncio.run_coroutine_threadsafe(put, loop).result(10)

    await Janitor(store, Slow(folder, use), Policy(), CLOCK).prune(Policy())

    assert folder.holds(digest)


async def test_what_has_gone_cannot_be_taken_into_use(folder: Folder, janitor: Janitor, old: Old) -> None:
    digest = await old(b"lost")

    await janitor.prune(Policy())

    assert not folder.hold(digest)


async def test_what_another_user_owns_can_be_used_all_the_same(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = await folder.put(b"brought back from a backup")

    def refuse(path: Path) -> None:
        raise PermissionError(1, "Operation not permitted", str(path))

    monkeypatch.setattr(os, "utime", refuse)

    assert folder.hold(digest)


async def test_runs_go_and_then_what_only_they_referred_to(
    store: SqliteStore, folder: Folder, janitor: Janitor, old: Old
) -> None:
    digest, kept = await old(b"of a run"), await old(b"of another")
    await run(store, [stored(digest)], ended_days_ago=40)
    await run(store, [stored(kept)], ended_days_ago=1)

    done = await janitor.prune(Policy(runs_s=30 * DAY_S))

    assert (done.runs, done.events, done.artifacts) == (1, 1, 1)
    assert not folder.holds(digest)
    assert folder.holds(kept)
    assert done.database_bytes is not None


async def test_a_value_too_large_for_the_log_is_kept_and_what_it_mentions_too(
    store: SqliteStore, folder: Folder, janitor: Janitor, old: Old
) -> None:
    picture, lost = await old(b"a picture"), await old(b"another")
    value = await old(b'{"chosen": [{"digest": "%s"}]}' % picture.encode())
    large = LargeValue(value, 300_000)
    await run(store, [e.JobSucceeded(at=1, job="job_1", output=None, output_ref=large)])

    await janitor.prune(Policy())

    assert folder.holds(value)
    assert folder.holds(picture)
    assert not folder.holds(lost)


async def test_what_was_spent_in_a_period_that_is_over_is_forgotten(
    store: SqliteStore, folder: Folder, janitor: Janitor
) -> None:
    now, day = CLOCK.now(), DAY_S * SECOND
    names = {
        "now": holds.budget("pizi", DAY_S, now),
        "before": holds.budget("pizi", DAY_S, now - day),
        "of one that is not configured": holds.budget("old", DAY_S, now - 90 * day),
        "long ago": holds.budget("old", DAY_S, now - 400 * day),
    }
    row = RunRow(
        id="run_1",
        workflow="w",
        digest="d",
        status="running",
        version=1,
        labels=b"{}",
        inputs=b"{}",
        outputs=None,
        error=None,
        created_at=now,
        started_at=None,
        finished_at=None,
        wake_at=None,
    )
    taken = [holds.Hold(name, "job_1", 1) for name in names.values()]
    await store.append(Append(run=row, expected=0, events=[created()], holds=taken))

    await janitor.prune(Policy(budgets_s={"pizi": DAY_S}), dry=True)
    assert len(await store.budgets()) == 4

    await janitor.prune(Policy(budgets_s={"pizi": DAY_S}))
    assert set(await store.budgets()) == {names["now"], names["of one that is not configured"]}
