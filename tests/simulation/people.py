"""Those who use a server: they start runs, answer questions, let runs go on, and do what operators do."""

import asyncio
import uuid
from typing import Any, Protocol

import aiohttp

from orchestrator.simulators.server import Running
from tests.simulation.marks import tasks_of
from tests.simulation.scenario import Order, Scenario, Visit
from tests.simulation.watching import Outside

LOOKS_EVERY_S = 7.0
PAUSED_S = 25.0
_BADLY = ("failed", "cancelled")


class World(Protocol):
    """What people see of a world."""

    scenario: Scenario
    outside: Outside
    providers: Running

    def admin_url(self) -> str | None: ...


class People:
    """All of them. They speak HTTP, and ask again until they are answered."""

    def __init__(self, world: World, session: aiohttp.ClientSession) -> None:
        self._world, self._outside, self._session = world, world.outside, session

    def begin(self) -> list[asyncio.Task[None]]:
        """Let everybody do what the scenario says; the tasks end when they have."""
        told = self._world.scenario
        work = [self._order(number, order) for number, order in enumerate(told.orders)]
        work += [self._visit(visit) for visit in told.visits]
        return [asyncio.create_task(one) for one in work]

    # --- whoever started a run ---

    async def _order(self, number: int, order: Order) -> None:
        """Start a run, asking again with the same key until there is an answer; then mind it."""
        await asyncio.sleep(order.after_s)
        body = {"workflow": order.workflow, "labels": {"order": str(number)}}
        status, run = await self._post("/runs", body, {"Idempotency-Key": f"order-{number}"})
        assert status in (200, 201), run
        self._outside.started[number] = run["id"]
        minding = asyncio.create_task(self._mind(run["id"], order))
        if order.cancelled_after_s is not None:
            await asyncio.sleep(order.cancelled_after_s)
            status, told = await self._post(f"/runs/{run['id']}/cancel", {})
            assert status in (202, 409), told
            self._outside.cancelled.add(run["id"])
        await minding

    async def _mind(self, run: str, order: Order) -> None:
        """Answer its questions, and let it go on when it has ended badly."""
        left = order.retries
        while True:
            shown = await self._get(f"/runs/{run}")
            if shown["status"] == "succeeded" or (shown["status"] in _BADLY and not left):
                return
            if shown["status"] in _BADLY:
                left -= 1
                body = {"from": shown["steps"][0]["id"]} if order.anew and shown["steps"] else {}
                status, told = await self._post(f"/runs/{run}/retry", body)
                assert status in (202, 409), told
                self._outside.met["run retried"] += status == 202
            elif order.answers:
                await self._answer(shown)
            await asyncio.sleep(LOOKS_EVERY_S)

    async def _answer(self, run: dict[str, Any]) -> None:
        for step in run["steps"]:
            if step["id"] == "look" and step["job_status"] == "waiting":
                status, told = await self._post(f"/steps/{run['id']}/look/decision", {"approved": True})
                assert status in (200, 409), told
                self._outside.met["question answered"] += status == 200

    # --- operators ---

    async def _visit(self, visit: Visit) -> None:
        await asyncio.sleep(visit.at_s)
        match visit.kind:
            case "redeliver":
                await self._redeliver()
            case "pause":
                await self._pause()
            case _:
                for job in (await self._get("/jobs?status=uncertain"))["items"]:
                    await self._resolve(visit, job)

    async def _resolve(self, visit: Visit, job: dict[str, Any]) -> None:
        if visit.kind == "mistake":
            await self._mistake(job)
        elif visit.kind == "resolve":
            await self._truth(job)
        else:
            await self._settle(job, {"action": "resubmit"})

    async def _truth(self, job: dict[str, Any]) -> None:
        """Say what the provider's own pages show, and insist on it where the server cannot see that."""
        kind = job["connection"]
        known = tasks_of(kind, self._world.providers.books(kind), job["id"])
        body = {"action": "adopt", "task_id": known[0].id} if known else {"action": "fail"}
        if await self._settle(job, body) != 200 and known:
            await self._settle(job, body | {"unchecked": True})

    async def _mistake(self, job: dict[str, Any]) -> None:
        """Name another job's task; or one that nobody has, insist on that, and find out a little later."""
        theirs = await self._task_of_another(job)
        if theirs is not None:
            status = await self._settle(job, {"action": "adopt", "task_id": theirs})
            assert status == 409, f"{job['id']} was given another job's task"
            return
        body = {"action": "adopt", "task_id": str(uuid.UUID(int=len(self._outside.met)))}
        status = await self._settle(job, body)
        assert status != 200 or job["connection"] == "pixu", f"{job['id']} was given a task that nobody has"
        if await self._settle(job, body | {"unchecked": True}) == 200:
            self._outside.met["wrong task adopted by a person"] += 1
            await asyncio.sleep(LOOKS_EVERY_S)
            await self._truth(job)

    async def _settle(self, job: dict[str, Any], body: dict[str, Any]) -> int:
        status, told = await self._post(f"/jobs/{job['id']}/resolve", body)
        assert status in (200, 409) or (status == 422 and body["action"] == "adopt"), told
        self._outside.met["submit resolved by a person"] += status == 200
        return status

    async def _task_of_another(self, job: dict[str, Any]) -> str | None:
        jobs = (await self._get(f"/jobs?connection={job['connection']}"))["items"]
        theirs = [other["task_id"] for other in jobs if other["task_id"] and other["id"] != job["id"]]
        return theirs[0] if theirs else None

    async def _redeliver(self) -> None:
        for delivery in (await self._get("/deliveries?limit=3"))["items"]:
            status, told = await self._post(f"/deliveries/{delivery['id']}/redeliver", {})
            assert status in (202, 409), told
            self._outside.met["redelivered by a person"] += status == 202

    async def _pause(self) -> None:
        names = [item["name"] for item in (await self._get("/connections"))["items"]]
        for name in names:
            await self._post(f"/connections/{name}/pause", {"reason": "a visit"})
        await asyncio.sleep(PAUSED_S)
        for name in names:
            await self._post(f"/connections/{name}/resume", {})

    # --- how they speak ---

    async def _post(self, path: str, body: Any, headers: dict[str, str] | None = None) -> tuple[int, Any]:
        return await self._ask("POST", path, json=body, headers=headers or {})

    async def _get(self, path: str) -> Any:
        status, told = await self._ask("GET", path)
        assert status == 200, told
        return told

    async def _ask(self, method: str, path: str, **options: Any) -> tuple[int, Any]:
        """Ask until there is an answer that is none of a server in trouble."""
        while True:
            if (url := self._world.admin_url()) is not None:
                try:
                    async with self._session.request(method, f"{url}/api/v1{path}", **options) as answer:
                        if answer.status < 500:
                            return answer.status, await answer.json()
                        assert answer.status == 503, f"{method} {path}: {await answer.text()}"
                except (aiohttp.ClientError, TimeoutError, OSError):
                    pass
            await asyncio.sleep(0.5)
