"""
Removes what need not be kept any more, in steps so small that callbacks do not notice.

The one writer does a step and then others have their turn: after each the janitor rests for some times
as long as it took. Artifacts are removed when nothing mentions them: everything that the log, the kept
definitions and the workflow files mention is noted first, also in values that are too large for the log
and are artifacts themselves; then what is on the shelf is held against it.
What is put or used while that goes on is fresh, and fresh artifacts are never removed.
"""

import asyncio
import re
import sqlite3
from collections.abc import Awaitable, Callable, Iterable
from contextlib import closing
from itertools import islice

import structlog

from orchestrator.artifacts.garbage import Shelf
from orchestrator.clock import SECOND, Clock
from orchestrator.engine import holds
from orchestrator.errors import StoreUnavailable
from orchestrator.operations.pruning import Policy, Pruned
from orchestrator.store.pruning import Prunes, Removed

log = structlog.get_logger()

FIRST_S, EVERY_S = 60.0, 3600.0
"""How long after a start the first time comes, and how long there is between two."""

ARTIFACTS_EVERY_S = 86_400.0
"""How often artifacts are looked through: it takes reading the whole log."""

FRESH_S = 86_400.0
"""An artifact that was put or used this lately is kept, whether anything refers to it or not."""

KEYS_S = 86_400.0
"""An idempotency key is good for this long at the least, whatever becomes of other runs."""

REST = 4
"""A rest is this many times as long as the step before it."""

_DIGEST = re.compile(rb"sha256:([0-9a-f]{64})")
_LARGE = re.compile(rb'_ref":\{"digest":"sha256:([0-9a-f]{64})"')
"""A value that an event only refers to; what it mentions the event mentions."""

_AT_A_TIME = 200


class Janitor:
    """Prunes by itself, by *policy*, and when somebody asks. *texts* are others that mention artifacts."""

    def __init__(
        self,
        store: Prunes,
        shelf: Shelf,
        policy: Policy,
        clock: Clock,
        *,
        texts: Callable[[], Iterable[str]] = tuple,
        rests: bool = True,
    ) -> None:
        """*rests*: others use the store too."""
        self._store, self._shelf, self._policy, self._clock = store, shelf, policy, clock
        self._texts, self._rests = texts, rests
        self._turn = asyncio.Lock()

    async def run(self) -> None:
        """Prune from time to time until cancelled, where anything has an end."""
        rest_s, artifacts_at = FIRST_S, 0
        while self._policy.removes or self._policy.budgets_s:
            await asyncio.sleep(rest_s)
            rest_s = EVERY_S
            with_artifacts = self._policy.removes and self._clock.now() >= artifacts_at
            try:
                await self.prune(self._policy, artifacts=with_artifacts)
            except StoreUnavailable as trouble:
                log.warning("store.unavailable", reason=str(trouble))
                continue
            if with_artifacts:
                artifacts_at = self._clock.now() + int(ARTIFACTS_EVERY_S * SECOND)

    async def prune(self, policy: Policy, dry: bool = False, *, artifacts: bool = True) -> Pruned:
        """Remove what *policy* does not keep; with *dry* only count it. One at a time."""
        async with self._turn:
            done = Pruned(dry=dry)
            before = await self._store.free_bytes()
            await self._budgets(policy, dry)
            await self._runs(policy, done)
            await self._deliveries(policy, done)
            if artifacts:
                await self._artifacts(policy, done)
            if not dry:
                done.database_bytes = max(await self._store.free_bytes() - before, 0)
                self._tell(done)
            return done

    async def _runs(self, policy: Policy, done: Pruned) -> None:
        if policy.runs_s is None:
            return
        ended_before, keys_before = self._ago(policy.runs_s), self._ago(KEYS_S)

        async def step(after: str) -> Removed:
            return await self._store.prune_runs(
                ended_before=ended_before, keys_before=keys_before, after=after, dry=done.dry
            )

        # A run that is a step of another goes after that one, perhaps with the next round.
        again = True
        while again:
            again = (await self._steps(step, done)).runs > 0 and not done.dry

    async def _budgets(self, policy: Policy, dry: bool) -> None:
        """Forget who spent what of budgets in periods that are over. Nobody sees that: it is not counted."""
        over = [
            budget
            for budget in await self._store.budgets()
            if holds.is_over(budget, policy.budgets_s, self._clock.now())
        ]
        while over and not dry:
            began = asyncio.get_running_loop().time()
            if await self._store.drop_budget(over[-1]):
                over.pop()
            await self._rest(began)

    async def _deliveries(self, policy: Policy, done: Pruned) -> None:
        if policy.deliveries_s is None:
            return
        received_before = self._ago(policy.deliveries_s)
        await self._steps(
            lambda after: self._store.prune_deliveries(
                received_before=received_before, after=after, dry=done.dry
            ),
            done,
        )

    async def _steps(self, step: Callable[[str], Awaitable[Removed]], done: Pruned) -> Removed:
        """Go through all steps, and return what they came to."""
        whole, after = Removed(), ""
        while True:
            began = asyncio.get_running_loop().time()
            removed = await step(after)
            for name in ("runs", "events", "jobs", "deliveries"):
                setattr(whole, name, getattr(whole, name) + getattr(removed, name))
                setattr(done, name, getattr(done, name) + getattr(removed, name))
            if removed.last is None:
                return whole
            after = removed.last
            await self._rest(began)

    async def _rest(self, began: float) -> None:
        """Let others have their turn after a step."""
        if self._rests:
            await asyncio.sleep((asyncio.get_running_loop().time() - began) * REST)

    # --- artifacts ---

    async def _artifacts(self, policy: Policy, done: Pruned) -> None:
        ended_before = 0 if policy.artifacts_s is None else self._ago(policy.artifacts_s)
        before = self._clock.now() / SECOND - FRESH_S
        # In a file of its own that SQLite deletes: a million digests need not be in memory.
        with closing(sqlite3.connect("", check_same_thread=False, isolation_level=None)) as marks:
            marks.execute("CREATE TABLE marks (digest BLOB PRIMARY KEY) WITHOUT ROWID")
            await self._mark(marks, ended_before)
            stale = self._shelf.stale(before)
            while some := await asyncio.to_thread(lambda: list(islice(stale, _AT_A_TIME))):
                sizes = await asyncio.to_thread(self._sweep, marks, some, before, done.dry)
                done.artifacts += len(sizes)
                done.artifact_bytes += sum(sizes)

    async def _mark(self, marks: sqlite3.Connection, ended_before: int) -> None:
        texts: list[bytes] = [text.encode() for text in self._texts()]
        async for text in self._store.mentions(ended_before=ended_before):
            texts.append(text)
            if len(texts) >= _AT_A_TIME:
                await asyncio.to_thread(self._note, marks, texts)
                texts = []
        await asyncio.to_thread(self._note, marks, texts)

    def _note(self, marks: sqlite3.Connection, texts: list[bytes]) -> None:
        """Runs in a thread. Note every artifact that one of *texts* mentions."""
        large = {name.decode() for text in texts for name in _LARGE.findall(text)}
        _note(marks, texts)
        for name in large:
            _note(marks, [self._shelf.text(f"sha256:{name}")])

    def _sweep(self, marks: sqlite3.Connection, digests: list[str], before: float, dry: bool) -> list[int]:
        """Runs in a thread. Discard those of *digests* that nothing mentions; return their sizes."""
        sizes = []
        for digest in digests:
            name = bytes.fromhex(digest.removeprefix("sha256:"))
            if marks.execute("SELECT 1 FROM marks WHERE digest = ?", (name,)).fetchone() is None:
                sizes.append(self._shelf.discard(digest, before, dry=dry))
        return [size for size in sizes if size]

    # ---

    def _ago(self, seconds: float) -> int:
        return self._clock.now() - int(seconds * SECOND)

    def _tell(self, done: Pruned) -> None:
        if done.runs or done.deliveries or done.artifacts:
            log.info(
                "store.pruned",
                runs=done.runs,
                events=done.events,
                deliveries=done.deliveries,
                artifacts=done.artifacts,
                freed=(done.database_bytes or 0) + done.artifact_bytes,
            )


def _note(marks: sqlite3.Connection, texts: list[bytes]) -> None:
    found = {bytes.fromhex(name.decode()) for text in texts for name in _DIGEST.findall(text)}
    marks.execute("BEGIN")
    marks.executemany("INSERT OR IGNORE INTO marks VALUES (?)", [(name,) for name in found])
    marks.execute("COMMIT")
