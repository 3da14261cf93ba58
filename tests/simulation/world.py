"""A server, the providers that it talks to, and the people who use it, in one process and in virtual time."""

import asyncio
import random
import socket
from base64 import b64encode
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import aiohttp
from PIL import Image

from orchestrator import app
from orchestrator.clock import SECOND
from orchestrator.settings import Settings
from orchestrator.simulators.faults import Faults
from orchestrator.simulators.server import Options, Running, start
from tests.simulation.scenario import WORKFLOWS, Order, Scenario, Shock
from tests.simulation.virtual_time import Life, VirtualLoop

NOON = 1_790_000_000
"""When every simulation begins, in seconds since the epoch."""

KINDS = ("pizi", "perfect")
PATIENCE_S = 7 * 3600.0
"""Virtual seconds within which every run has ended: longer than any of their timeouts."""


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


@dataclass(slots=True)
class Outside:
    """
    What the world was told, and will hold the system to.

    *started*: order to run id, as answered. *acknowledged*: how often each callback (path and
    body) was answered 200. *crashes*, *stops*: how the server's lives ended. *met*: how often which
    fault happened.
    """

    started: dict[int, str] = field(default_factory=dict)
    cancelled: set[str] = field(default_factory=set)
    acknowledged: Counter[tuple[str, bytes]] = field(default_factory=Counter)
    crashes: int = 0
    stops: int = 0
    met: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class CountedFaults(Faults):
    """Faults that count themselves in *met*."""

    met: Counter[str] = field(default_factory=Counter)

    def hits(self, name: str, *key: object, seed: int) -> bool:
        hit = super().hits(name, *key, seed=seed)
        self.met[name] += hit
        return hit


class World:
    """One simulation: `play` it, then look at what `outside` saw, at the books, and at the folder."""

    def __init__(self, scenario: Scenario, folder: Path, loop: VirtualLoop) -> None:
        self.scenario, self.folder, self.loop = scenario, folder, loop
        self.clock = WorldClock(loop, random.Random(scenario.seed))
        self.outside = Outside()
        self.providers: Running
        self.credentials: list[str] = []
        self.ends: dict[str, str] = {}
        self._people: aiohttp.ClientSession
        self._server: app.Running | None = None
        self._ended = asyncio.Event()
        self._disk_has_room = asyncio.Event()
        self._disk_has_room.set()

    async def play(self, check: Callable[["World"], Awaitable[None]]) -> None:
        """Let everything happen. *check* is called whenever the server is down, and at the end."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as self._people:
            self.providers = await start(self._options())
            try:
                settings = self._settings()
                people = [asyncio.create_task(self._person(n, o)) for n, o in enumerate(self.scenario.orders)]
                people.append(asyncio.create_task(self._fill_the_disk()))
                for shock in self.scenario.shocks:
                    await self._live(settings, shock)
                    await check(self)
                    if self._ended.is_set():
                        break
                    await asyncio.sleep(shock.down_s)
                await self._live(settings, None)
                await asyncio.gather(*people)
                await check(self)
            finally:
                await self.providers.stop()

    # --- the server ---

    async def _live(self, settings: Settings, shock: Shock | None) -> None:
        """Run a server until *shock*, or until all is done."""
        await self._disk_has_room.wait()
        life, leave = Life(), asyncio.Event()
        struck = asyncio.Event()
        root = life.begin(self._serve(settings, leave))
        if shock is not None:
            self.loop.at_turn(self.loop.turns + shock.turns, struck.set)
        over = asyncio.create_task(self._all_done())
        wait = [root, over, asyncio.create_task(struck.wait())]
        await asyncio.wait(wait, return_when=asyncio.FIRST_COMPLETED)
        self._server = None
        if root.done():
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
        async with app.build(settings, clock=self.clock).running() as server:
            left = asyncio.ensure_future(leave.wait())
            ends: list[asyncio.Future[Any]] = [left, server.failed]
            self._server = server
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
        server = self._server
        if server is None or len(self.outside.started) < len(self.scenario.orders):
            return False
        rows = [await server.store.run(run) for run in self.outside.started.values()]
        if any(row is None or row.finished_at is None for row in rows):
            return False
        return await server.store.next_wake(after=0) is None and not await server.store.pending()

    def _settings(self) -> Settings:
        workflows = self.folder / "workflows"
        workflows.mkdir()
        for name, text in WORKFLOWS.items():
            (workflows / f"{name}.yaml").write_text(text.replace("PRODUCT", _product()))
        listen = {"public": f"127.0.0.1:{free_port()}", "admin": f"127.0.0.1:{free_port()}"}
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
            faults=CountedFaults(self.scenario.faults, self.outside.met),
            seed=self.scenario.seed,
            limits="documented" if self.scenario.limited else "off",
            clock=self.clock.seconds,
            lag_s=self.scenario.lag_s,
            deliver=self._deliver,
        )

    async def _deliver(self, url: str, body: bytes) -> int:
        """Call back over HTTP, and remember what was acknowledged."""
        async with self._people.post(url, data=body, headers={"Content-Type": "application/json"}) as answer:
            if answer.status == 200:
                self.outside.acknowledged[url.rpartition("/")[2], body] += 1
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

    async def _person(self, number: int, order: Order) -> None:
        """Start a run, asking again with the same key until there is an answer; perhaps cancel it."""
        await asyncio.sleep(order.after_s)
        body = {"workflow": order.workflow, "labels": {"order": str(number)}}
        key = {"Idempotency-Key": f"order-{number}"}
        status, run = await self._ask("/runs", body, key)
        assert status in (200, 201), run
        self.outside.started[number] = run["id"]
        if order.cancelled_after_s is not None:
            await asyncio.sleep(order.cancelled_after_s)
            status, run = await self._ask(f"/runs/{self.outside.started[number]}/cancel", {}, {})
            assert status in (202, 409), run
            self.outside.cancelled.add(self.outside.started[number])

    async def _ask(self, path: str, body: Any, headers: dict[str, str]) -> tuple[int, Any]:
        while not self._ended.is_set():
            if (server := self._server) is not None:
                url = f"{server.admin_url}/api/v1{path}"
                try:
                    async with self._people.post(url, json=body, headers=headers) as answer:
                        if answer.status < 500:
                            return answer.status, await answer.json()
                except (aiohttp.ClientError, TimeoutError, OSError):
                    pass
            await asyncio.sleep(0.5)
        return 409, None


@cache
def _product() -> str:
    file = BytesIO()
    Image.new("RGB", (320, 320), "teal").save(file, "PNG")
    return b64encode(file.getvalue()).decode()


def free_port() -> int:
    """Return a port outside the range from which the system takes ports for outgoing connections."""
    while True:
        port = random.SystemRandom().randrange(20_000, 32_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
