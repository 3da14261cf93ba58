"""
The server under test, in a process of its own: the real one, as `orchestrator.app` joins it.

Its database, artifacts and workflows lie in a folder on a real disk, and nothing is
switched off. What the benchmarks add is one look at each append once it is on disk.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import perf_counter

from orchestrator import app, telemetry
from orchestrator.settings import Address, Listen, Settings
from orchestrator.store.rows import Append
from orchestrator.tokens import Keyring
from tests.benchmarks.connectors import FAN, connectors, workflow, workflow_name
from tests.ports import free_port

_POLL_S = 0.02


class Watch:
    """Sees every append that is on disk: which runs have ended, which jobs wait for their callback."""

    def __init__(self, server: app.Running) -> None:
        self.waiting: list[tuple[str, str]] = []
        self._wanted = 0
        self._all_wait = asyncio.Event()
        self._ended: dict[str, str] = {}
        self._waiters: dict[str, asyncio.Future[str]] = {}
        self._append = server.store.append
        server.store.append = self._watched  # type: ignore[method-assign]  # the store has no such hook

    async def _watched(self, append: Append) -> None:
        await self._append(append)
        for job in append.jobs:
            if job.status == "waiting" and job.task_id is not None:
                self.waiting.append((job.id, job.task_id))
        if self._wanted and len(self.waiting) >= self._wanted:
            self._all_wait.set()
        if append.run.finished_at is not None:
            self._end(append.run.id, append.run.status)

    def _end(self, run: str, status: str) -> None:
        waiter = self._waiters.pop(run, None)
        if waiter is None:
            self._ended[run] = status
        else:
            waiter.set_result(status)

    async def ended(self, run: str) -> str:
        """Return the status with which *run* has ended; once for each run."""
        status = self._ended.pop(run, None)
        if status is not None:
            return status
        waiter: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._waiters[run] = waiter
        return await waiter

    async def all_wait(self, total: int) -> None:
        """Return when so many jobs have been seen to wait."""
        self._wanted = total
        if len(self.waiting) < total:
            await self._all_wait.wait()

    def succeeded(self) -> int:
        """Return how many runs that nobody waits for have succeeded."""
        return sum(status == "succeeded" for status in self._ended.values())


class Subject:
    """What the director asks of the server."""

    def __init__(self, server: app.Running, keyring: Keyring) -> None:
        self._server, self._keyring = server, keyring
        self._watch = Watch(server)

    async def url(self) -> str:
        """Return the address of the public listener."""
        return self._server.public_url

    async def runs(self, connection: str, steps: int, total: int, at_once: int) -> float:
        """Complete *total* runs, so many at once, and return how many were completed a second."""
        name = workflow_name(connection, steps)
        numbers = iter(range(total))

        async def play() -> None:
            for _ in numbers:
                started = await self._server.runs.start(name, {})
                status = await self._watch.ended(started.state.id)
                if status != "succeeded":
                    raise RuntimeError(f"{started.state.id} is {status}")

        started = perf_counter()
        await asyncio.gather(*(play() for _ in range(at_once)))
        return total / (perf_counter() - started)

    async def items(self, each: int, total: int, at_once: int) -> float:
        """Complete *total* items in runs of *each*, so many items at once; return how many a second."""
        started = perf_counter()
        numbers = iter(range(-(-total // each)))

        async def play() -> None:
            for _ in numbers:
                run = await self._server.runs.start("fan", {"items": each})
                status = await self._watch.ended(run.state.id)
                if status != "succeeded":
                    raise RuntimeError(f"{run.state.id} is {status}")

        await asyncio.gather(*(play() for _ in range(-(-at_once // each))))
        return total / (perf_counter() - started)

    async def wait_for_callbacks(self, total: int) -> list[tuple[str, str]]:
        """
        Start *total* runs of one step, and return their (callback URL, task id) once all wait.

        The provider must not call back on its own.
        """
        numbers = iter(range(total))

        async def play() -> None:
            for _ in numbers:
                await self._server.runs.start(workflow_name("verdict", 1), {})

        await asyncio.gather(*(play() for _ in range(200)))
        await self._watch.all_wait(total)
        return [(self._callback_url(job), task) for job, task in self._watch.waiting]

    def _callback_url(self, job: str) -> str:
        token = self._keyring.callback_token("verdict", job)
        return f"{self._server.public_url}/callbacks/verdict/{token}"

    async def hold(self) -> None:
        """Keep processing back from now on: deliveries are stored and answered, and that is all."""
        self._server.intake.held = True

    async def drained(self) -> float:
        """Return how long it took until every stored delivery was settled, in seconds."""
        started = perf_counter()
        while await self._server.store.pending(limit=1):  # noqa: ASYNC110  # only the store knows
            await asyncio.sleep(_POLL_S)
        return perf_counter() - started

    async def succeeded(self) -> int:
        """Return how many of the runs that waited for callbacks have succeeded."""
        return self._watch.succeeded()


@asynccontextmanager
async def subject(folder: Path, provider_url: str) -> AsyncIterator[Subject]:
    """Run the server in *folder*, which must be empty; for `Actor`."""
    telemetry.configure(json=True, level="warning")
    workflows = folder / "workflows"
    workflows.mkdir()
    for connection in ("verdict", "hint"):
        for steps in (1, 3):
            file = workflows / f"{workflow_name(connection, steps)}.yaml"
            file.write_text(workflow(connection, steps), encoding="utf-8")
    (workflows / "fan.yaml").write_text(FAN, encoding="utf-8")
    port = free_port()
    settings = Settings(
        public_url=f"http://127.0.0.1:{port}",
        store=f"sqlite:///{folder / 'orchestrator.db'}",
        artifacts=folder / "artifacts",
        workflows=workflows,
        listen=Listen(public=Address("127.0.0.1", port), admin=Address("127.0.0.1", 0)),
    )
    joined = app.build(settings, connectors=connectors(provider_url))
    async with joined.running() as server:
        yield Subject(server, joined.keyring)
