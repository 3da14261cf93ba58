"""A server and the providers that it talks to, in one process and in virtual time."""

import asyncio
import random
from base64 import b64encode
from collections.abc import Awaitable, Callable
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import aiohttp
from PIL import Image
from yarl import URL

from orchestrator import app
from orchestrator.clock import SECOND
from orchestrator.settings import Settings
from orchestrator.simulators.server import Options, Running, start
from tests.simulation.lives import LIFE, Life
from tests.simulation.people import People
from tests.simulation.scenario import Scenario, Shock
from tests.simulation.virtual_time import VirtualLoop
from tests.simulation.watching import CountedFaults, Outside, overheard

NOON = 1_790_000_000
"""When every simulation begins, in seconds since the epoch."""

KINDS = ("pizi", "pixza", "trypi", "pixu", "perfect")
PATIENCE_S = 40 * 3600.0
"""Virtual seconds within which every run has ended: longer than all that they and their retries may take."""

REST_S = 600.0
"""How long a server rests when nobody tells it of work; it is told of all that there is."""

ADMIN_PORT = 8081
"""Where people reach the server; their connections hold."""

LONG_PROMPT = "a founder " * 450
"""Longer than what Trypi may take, and shorter than what it says it takes."""


class WorldClock:
    """Virtual time and seeded randomness, for servers and providers alike."""

    def __init__(self, loop: VirtualLoop, dice: random.Random) -> None:
        self._loop, self._dice = loop, dice

    def now(self) -> int:
        return NOON * SECOND + int(self._loop.time() * SECOND)

    def entropy(self) -> bytes:
        return self._dice.randbytes(16)

    def seconds(self) -> float:
        """Return the time as the providers know it."""
        return NOON + self._loop.time()


class World:
    """One simulation: `play` it, then look at what `outside` saw, at the books, and at the folder."""

    def __init__(self, scenario: Scenario, folder: Path, loop: VirtualLoop) -> None:
        self.scenario, self.folder, self.loop = scenario, folder, loop
        self.clock = WorldClock(loop, random.Random(scenario.seed))
        self.outside = Outside()
        loop.network.cuts, loop.network.spared = scenario.cuts, frozenset({ADMIN_PORT})
        loop.network.was_cut = self._note_cut
        self._faults = CountedFaults(scenario.faults, self.outside.met)
        self.providers: Running
        self.credentials: list[str] = []
        self.ends: dict[str, str] = {}
        self._callers: aiohttp.ClientSession
        self._people: list[asyncio.Task[None]] = []
        self._server: app.Running | None = None
        self._ended = asyncio.Event()
        self._disk_has_room = asyncio.Event()
        self._disk_has_room.set()

    async def play(self, check: Callable[["World"], Awaitable[None]]) -> None:
        """Let everything happen. *check* is called whenever the server is down, and at the end."""
        timeout = aiohttp.ClientTimeout(total=20)
        async with aiohttp.ClientSession(timeout=timeout) as self._callers:
            self.providers = await start(self._options())
            try:
                settings = self._settings()
                self._people = People(self, self._callers).begin()
                self._people.append(asyncio.create_task(self._fill_the_disk()))
                for shock in self.scenario.shocks:
                    await self._live(settings, shock)
                    await check(self)
                    if self._ended.is_set():
                        break
                    await asyncio.sleep(shock.down_s)
                await self._live(settings, None)
                await check(self)
            finally:
                await self.providers.stop()

    def _note_cut(self) -> None:
        self.outside.met["connection_cut"] += 1

    def admin_url(self) -> str | None:
        """Return where people find the server; None while it is down."""
        return self._server.admin_url if self._server is not None else None

    # --- the server ---

    async def _live(self, settings: Settings, shock: Shock | None) -> None:
        """Run a server until *shock*, or until all is done."""
        await self._disk_has_room.wait()
        with overheard(self.outside):
            await self._live_overheard(settings, shock)

    async def _live_overheard(self, settings: Settings, shock: Shock | None) -> None:
        life, leave = Life(), asyncio.Event()
        struck = asyncio.Event()
        root = life.begin(self._serve(settings, leave))
        if shock is not None and shock.writes is not None:
            life.dies_after, life.struck = shock.writes, struck.set
        elif shock is not None:
            self.loop.at_turn(self.loop.turns + shock.turns, struck.set)
        over = asyncio.create_task(self._all_done())
        wait = [root, over, asyncio.create_task(struck.wait())]
        await asyncio.wait(wait, return_when=asyncio.FIRST_COMPLETED)
        self._server = None
        if root.done() and not life.is_dead:
            root.result()
        for task in wait[1:]:
            task.cancel()
        await asyncio.gather(*wait[1:], return_exceptions=True)
        if shock is not None and shock.kind == "crash" and struck.is_set():
            await life.end(root)
            self.outside.crashes += 1
        else:
            leave.set()
            await root
            self.outside.stops += 1
        if over.done() and not over.cancelled():
            over.result()
            self._ended.set()

    async def _serve(self, settings: Settings, leave: asyncio.Event) -> None:
        async with app.build(settings, clock=self.clock, rest_s=REST_S).running() as server:
            left = asyncio.ensure_future(leave.wait())
            ends: list[asyncio.Future[Any]] = [left, server.failed]
            self._server = server
            if (life := LIFE.get()) is not None:
                life.is_up = True
            try:
                await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            finally:
                self._server = None
            if server.failed.done():
                server.failed.result()

    async def _all_done(self) -> None:
        """Return when every order has ended as a run, and nothing is due any more."""
        deadline = self.loop.time() + PATIENCE_S
        while not await self._is_done():
            assert self.loop.time() < deadline, "something never ends"
            await asyncio.sleep(5.0)

    async def _is_done(self) -> bool:
        for person in self._people:
            if person.done():
                person.result()
        server = self._server
        if server is None or not all(person.done() for person in self._people):
            return False
        rows = await server.store.runs(limit=1000)
        if any(row.finished_at is None for row in rows) or await server.store.pending():
            return False
        if await server.store.next_wake(after=0) is not None:
            return False
        held = {each["name"]: each["in_flight"] for each in server.limits.overview()}
        assert not any(held.values()), f"slots were never given back: {held}"
        return True

    def _settings(self) -> Settings:
        workflows = self.folder / "workflows"
        workflows.mkdir()
        for name, text in self.scenario.workflows().items():
            written = text.replace("PRODUCT", _product()).replace("LONG", LONG_PROMPT)
            (workflows / f"{name}.yaml").write_text(written)
        listen = {"public": "127.0.0.1:8080", "admin": f"127.0.0.1:{ADMIN_PORT}"}
        tables = {kind: self.providers.client_settings(kind) for kind in KINDS}
        secret = ("api_key", "client_id", "client_secret")
        self.credentials = [str(t[key]) for t in tables.values() for key in t if key in secret]
        return Settings.model_validate(
            {
                "public_url": f"http://{listen['public']}",
                "callbacks": self.scenario.callbacks,
                "store": f"sqlite:///{self.folder / 'orchestrator.db'}",
                "artifacts": self.folder / "artifacts",
                "workflows": workflows,
                "allow_private_networks": True,
                "listen": listen,
                "secret_keys": ["the same in each of its lives, and each time that it is played"],
                "providers": {
                    kind: {**table, **self.scenario.connection(kind)} for kind, table in tables.items()
                },
            }
        )

    # --- those around it ---

    def _options(self) -> Options:
        return Options(
            kinds=KINDS,
            latency_s=self.scenario.latency_s,
            faults=self._faults,
            seed=self.scenario.seed,
            limits="documented" if self.scenario.limited else "off",
            clock=self.clock.seconds,
            lag_s=self.scenario.lag_s,
            deliver=self._deliver,
            pictures="plain",
        )

    async def _deliver(self, url: str, body: bytes) -> int:
        """Call back over HTTP, with GET where there is no body, and remember what was acknowledged."""
        address = URL(url, encoded=True)
        if not body and self._faults.hits("head_probe", url, seed=self.scenario.seed):
            async with self._callers.head(address) as probed:
                assert probed.status in (404, 405), probed.status
        method, headers = ("POST", {"Content-Type": "application/json"}) if body else ("GET", {})
        async with self._callers.request(method, address, data=body or None, headers=headers) as answer:
            if answer.status == 200:
                token = address.path.rpartition("/")[2]
                self.outside.acknowledged[token, address.raw_query_string, body] += 1
            return answer.status

    async def _fill_the_disk(self) -> None:
        if self.scenario.full_disk is not None:
            after_s, for_s = self.scenario.full_disk
            await asyncio.sleep(after_s)
            self.loop.disk_is_full = True
            self._disk_has_room.clear()
            self.outside.met["full_disk"] += 1
            await asyncio.sleep(for_s)
            self.loop.disk_is_full = False
            self._disk_has_room.set()


@cache
def _product() -> str:
    file = BytesIO()
    Image.new("RGB", (320, 320), "teal").save(file, "PNG")
    return b64encode(file.getvalue()).decode()
