"""
Plays a case: the server, the simulated providers and whoever asks and decides, in virtual time.

Everything is what `serve --sandbox` runs, over real connections on loopback and in a folder of its
own; only waiting takes no time (see `virtual_time`). The same seed meets the same faults.
"""

import asyncio
import io
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast

import aiohttp
import orjson
from pydantic import SecretStr

from orchestrator import app, telemetry
from orchestrator.errors import OrchestratorError
from orchestrator.rehearsal import drawings, sandbox
from orchestrator.rehearsal.cases import Decision, Scene
from orchestrator.rehearsal.virtual_time import TookTooLong, VirtualClock, VirtualLoop, databases_counted
from orchestrator.settings import Address, Listen, Settings
from orchestrator.simulators.faults import Faults
from orchestrator.simulators.options import Options
from orchestrator.simulators.server import Running as Simulators

Object = dict[str, Any]

PUBLIC = "hooks.test"
"""Where callbacks go."""
KEY = "signs-what-a-rehearsal-sends-and-nothing-else"
ENDED = ("succeeded", "failed", "cancelled")
NEWS_S = 3600.0
"""How long the log may be silent before it is looked at again; virtual, as all time here."""
REST_S = 60.0
"""Between two looks for what is due: with every second of it hours would be slow to pass."""
AFTERMATH_S = 600.0
"""How long providers may still be at work when a run has ended."""


@dataclass(slots=True)
class Performance:
    """
    What came of a case.

    *run*: as the API shows it; None where it was refused, for *refusal*, or nothing came of it,
    because something *broke*. *events*: all of its log. *books*: per kind of provider how many tasks
    it accepted, what it charged, and the marks under which it accepted more than one.
    *unanswered*: steps that asked for a decision which the case does not give.
    """

    run: Object | None = None
    refusal: Object | None = None
    broke: str | None = None
    events: Sequence[Object] = ()
    books: dict[str, Object] = field(default_factory=dict)
    unanswered: list[str] = field(default_factory=list)
    took_s: float = 0.0
    virtual_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Part:
    """
    What one process needs to play one case: plain values, so that another one can have them.

    *folder*: of the workflow, in which others lie that it may run. *drawn*: names of pictures that are
    not handed in and have to be drawn, and whether the input is a list of them.
    """

    workflow: str
    folder: Path
    scene: Scene
    drawn: Mapping[str, bool]


def play(part: Part, settings: Settings, *, patience_s: float) -> Performance:
    """Play *part* in at most *patience_s* real seconds. Errors: none; what broke is told."""
    began = time.monotonic()
    # Nothing here outlives the process, so a disk in memory does, where there is one.
    memory = Path("/dev/shm")
    performance, loop = Performance(), VirtualLoop(patience_s)
    said = io.BytesIO()
    telemetry.configure(json=False, level="error", stream=said)
    with (
        tempfile.TemporaryDirectory(prefix="rehearsal-", dir=memory if memory.is_dir() else None) as folder,
        databases_counted(),
        asyncio.Runner(loop_factory=lambda: loop) as runner,
    ):
        try:
            runner.run(_Stage(part, loop, Path(folder), performance).play(settings))
        except (TookTooLong, TimeoutError, asyncio.CancelledError) as error:
            if isinstance(error, asyncio.CancelledError) and not loop.gave_up:
                raise
            performance.broke = f"it took too long: {loop.time():.0f} s had passed for it by then"
        except (OrchestratorError, OSError, aiohttp.ClientError) as error:
            performance.broke = str(error)
    if performance.broke is not None and (lines := said.getvalue().decode(errors="replace")):
        performance.broke = f"{performance.broke}\n{lines.rstrip()}"
    performance.took_s, performance.virtual_s = time.monotonic() - began, loop.time()
    return performance


@dataclass(slots=True)
class _Stage:
    """One case, while it is played."""

    part: Part
    loop: VirtualLoop
    folder: Path
    performance: Performance
    decided: set[tuple[str, str]] = field(default_factory=set)

    @property
    def scene(self) -> Scene:
        return self.part.scene

    async def play(self, settings: Settings) -> None:
        clock = VirtualClock(self.loop, self.scene.seed, self.scene.start)
        simulators = sandbox.simulated(self._options(settings, clock))
        async with simulators as providers:
            joined = app.build(
                self._settings(settings, providers),
                clock=clock,
                allow_invalid=True,
                rest_s=REST_S,
                outside=False,
            )
            async with joined.running() as server, self._people(server) as people:
                # From here on it can be given up in good order, and is if it takes too long.
                self.loop.main = asyncio.current_task()
                try:
                    await self._run(people, server, providers)
                finally:
                    self.performance.books = {
                        kind: {
                            "tasks": len(books.tasks),
                            "charged": books.charged,
                            "repeated": {mark: list(ids) for mark, ids in books.repeated().items()},
                        }
                        for kind, books in providers.all_books().items()
                    }

    def _options(self, settings: Settings, clock: VirtualClock) -> Options:
        return Options(
            kinds=sandbox.kinds(self._own(settings)),
            latency_s=self.scene.latency_s,
            faults=Faults(self.scene.faults),
            seed=self.scene.seed,
            limits=cast(Literal["documented", "off"], self.scene.limits),
            credits=self.scene.balance,
            clock=clock.seconds,
        )

    def _own(self, settings: Settings) -> Settings:
        """Return *settings* with the workflows beside the tested one, and ports that are free."""
        free = Address(sandbox.LOOPBACK, 0)
        return settings.model_copy(
            update={"workflows": self.part.folder, "listen": Listen(public=free, admin=free)}
        )

    def _settings(self, settings: Settings, providers: Simulators) -> Settings:
        pointed = sandbox.pointed_at(self._own(settings), providers, self.folder)
        # Addresses and signatures are part of what providers are sent: the same in every run.
        self.loop.names[PUBLIC] = pointed.listen.public.port
        same = {"public_url": f"http://{PUBLIC}", "secret_keys": [SecretStr(KEY)]}
        return pointed.model_copy(update=same | {"callbacks": self.scene.callbacks})

    def _people(self, server: app.Running) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(f"{server.admin_url}/api/v1/", timeout=aiohttp.ClientTimeout(total=60))

    # --- the run ---

    async def _run(self, people: aiohttp.ClientSession, server: app.Running, providers: Simulators) -> None:
        inputs = await self._inputs(people)
        body = {"workflow": self.part.workflow, "inputs": inputs, "labels": dict(self.scene.labels)}
        async with people.post("runs", json=body) as answer:
            told = await answer.json()
        if answer.status != 201:
            self.performance.refusal = told
            return
        run = told["id"]
        try:
            await self._until_end(people, server, run)
            async with asyncio.timeout(AFTERMATH_S):
                await providers.idle()
            # The server's answers to the last callbacks.
            await asyncio.sleep(1.0)
        finally:
            self.performance.run = await _whole(people, await _get(people, f"runs/{run}"))
            self.performance.events = await _all_events(people, run)

    async def _until_end(self, people: aiohttp.ClientSession, server: app.Running, run: str) -> None:
        """Answer what is asked until the run has ended; woken by news alone."""
        after = 0
        while True:
            latest = await server.store.last_sequence()
            if (await _get(people, f"runs/{run}"))["status"] in ENDED:
                return
            await self._decide(people)
            after = max(after, latest)
            await server.store.wait(after, NEWS_S)

    async def _decide(self, people: aiohttp.ClientSession) -> None:
        """Answer every question that is open, also those of runs that steps have started."""
        for job in (await _get(people, "jobs?status=waiting&connection=core"))["items"]:
            if job["operation"] != "approve" or (job["run"], job["id"]) in self.decided:
                continue
            name = job["step"] if job["index"] is None else f"{job['step']}[{job['index']}]"
            decision = self.scene.decisions.get(name) or self.scene.decisions.get(job["step"])
            self.decided.add((job["run"], job["id"]))
            if decision is None:
                self.performance.unanswered.append(name)
                continue
            await self._answer(people, job["run"], name, decision)

    async def _answer(self, people: aiohttp.ClientSession, run: str, name: str, decision: Decision) -> None:
        body = {"approved": decision.approve, "chosen": list(decision.chosen), "by": "a test"}
        given = body if decision.comment is None else body | {"comment": decision.comment}
        async with people.post(f"steps/{run}/{name}/decision", json=given) as answer:
            if answer.status >= 400:
                problem = await answer.json()
                raise OrchestratorError(f"the decision for '{name}' was refused: {problem.get('detail')}")

    # --- what is handed in ---

    async def _inputs(self, people: aiohttp.ClientSession) -> Mapping[str, Any]:
        """Return the inputs with every file uploaded; pictures that are needed and not given are drawn."""
        given = {name: await self._uploaded(people, value) for name, value in self.scene.inputs.items()}
        for name, path in drawings.draw(self.part.drawn, self.folder).items():
            reference = await _upload(people, path)
            given[name] = [reference] if self.part.drawn[name] else reference
        return given

    async def _uploaded(self, people: aiohttp.ClientSession, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: await self._uploaded(people, inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [await self._uploaded(people, inner) for inner in value]
        if isinstance(value, str) and value.startswith("@"):
            return value[1:] if value.startswith("@@") else await _upload(people, Path(value[1:]))
        return value


async def _upload(people: aiohttp.ClientSession, path: Path) -> str:
    headers = {"Content-Type": "application/octet-stream"}
    data = await asyncio.to_thread(path.read_bytes)
    async with people.post("artifacts", params={"name": path.name}, data=data, headers=headers) as answer:
        told = await answer.json()
        if answer.status != 201:
            raise OrchestratorError(f"{path}: {told.get('detail')}")
        return f"artifact:{told['digest']}"


async def _get(people: aiohttp.ClientSession, path: str) -> Object:
    async with people.get(path) as answer:
        found: Object = await answer.json()
        return found


async def _whole(people: aiohttp.ClientSession, run: Object) -> Object:
    """Return *run* with what is too large to be shown in it put in its place."""
    steps = [step | {"output": await _value(people, step, "output")} for step in run["steps"]]
    return run | {"outputs": await _value(people, run, "outputs"), "steps": steps}


async def _value(people: aiohttp.ClientSession, holder: Object, name: str) -> Any:
    large = holder[f"{name}_artifact"]
    if large is None:
        return holder[name]
    async with people.get(f"artifacts/{large['digest']}") as answer:
        return orjson.loads(await answer.read())


async def _all_events(people: aiohttp.ClientSession, run: str) -> list[Object]:
    events: list[Object] = []
    cursor = ""
    while True:
        page = await _get(people, f"runs/{run}/events?limit=200{cursor}")
        events += page["items"]
        if page["next_cursor"] is None:
            return events
        cursor = f"&cursor={page['next_cursor']}"
