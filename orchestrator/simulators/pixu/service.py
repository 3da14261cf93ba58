"""The API itself: four endpoints, the trained models, and the calls back."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Literal

import orjson
from aiohttp import web

from orchestrator.simulators import bodies
from orchestrator.simulators.bodies import Wrong
from orchestrator.simulators.books import Books
from orchestrator.simulators.callbacks import Callbacks
from orchestrator.simulators.files import Files
from orchestrator.simulators.mishaps import Mishaps
from orchestrator.simulators.options import Occasions, Options
from orchestrator.simulators.pixu.orders import FIELDS, Order, read_order
from orchestrator.simulators.sources import Sources, Unreadable, UnsupportedFormat
from orchestrator.simulators.timers import Timers

PRICE: Final = 1
"""Credits in the books; the page names none."""

APP_UIDS: Final = ("api", "API")

_TRAINING_SCALE: Final = 3.0
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Refusal(Exception):
    """The request is answered with an error *status*; the message is for people."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(slots=True)
class Task:
    """A model that is trained, or pictures that are made, under the uid that the answer gave."""

    uid: str
    order: Order
    status: Literal["running", "completed", "failed"] = "running"


class Simulator:
    """One Pixu account behind the API."""

    def __init__(self, options: Options, books: Books) -> None:
        self._options = options
        self._books = books
        self._api_key = f"pixu_{options.digest('pixu', 'api_key').hex()[:32]}"
        self._timers = Timers()
        self._callbacks = Callbacks(options, books)
        self._sources = Sources(Files(options), takes_webp=True)
        self._mishaps = Mishaps(options, "pixu")
        self._occasions = Occasions()
        self._tasks: dict[str, Task] = {}

    def build(self) -> web.Application:
        """Return the application with Pixu's paths; its base URL already ends with /pixu/api."""
        app = web.Application()
        # They end in the opposite order: first the timers, then the sessions they use.
        app.cleanup_ctx.extend((self._callbacks.context, self._sources.context, self._timers.context))
        for operation in FIELDS:
            app.router.add_route("POST", f"/{operation}", _api(partial(self._submit, operation)))
        app.router.add_route("*", "/{anything:.*}", _api(_nothing_here))
        return app

    def settings(self, base_url: str) -> dict[str, Any]:
        """Return the settings of a client: address, key and application."""
        return {"base_url": base_url, "api_key": self._api_key, "app_uid": APP_UIDS[0]}

    async def idle(self) -> None:
        """Return when nothing is being made and no call is on its way."""
        await self._timers.idle()

    async def _submit(self, operation: str, request: web.Request) -> web.StreamResponse:
        body = await bodies.read(request)
        self._admit(body)
        told = bodies.fingerprint(body, without=("api_key", "callback_url"))
        # Equal bodies are told apart by their turn, so that the same ones always meet the same fate.
        key = (operation, told, self._occasions.next("submit", operation, told))
        if self._options.hits("error_before", "pixu", *key):
            raise _broken()
        order = read_order(operation, body)
        await self._check(order)
        self._afford(key)
        task = self._open(order, key)
        await self._begin(task)
        answer = _json({"response": {"modelUid": task.uid} if order.makes_model else task.uid})
        return await self._mishaps.answer(request, answer, task=task.uid, broken=_refused(_broken()))

    def _admit(self, body: object) -> None:
        """Look at the credentials, which this provider has in the body."""
        fields = body if isinstance(body, dict) else {}
        if fields.get("api_key") != self._api_key:
            raise Refusal(401, "api_key is missing or wrong")
        if fields.get("app_uid") not in APP_UIDS:
            raise Refusal(403, "app_uid is missing or wrong")
        if self._mishaps.is_rate_limited():
            raise Refusal(429, "too many requests")

    async def _check(self, order: Order) -> None:
        """Refuse a photo that cannot be read and a model that cannot be drawn."""
        if order.photo is not None:
            try:
                await self._sources.take(order.photo, own="")
            except (UnsupportedFormat, Unreadable) as error:
                raise Wrong(f"url: {error}") from error
        if order.model_uid is not None:
            model = self._tasks.get(order.model_uid)
            if model is None or not model.order.makes_model:
                raise Refusal(404, f"model_uid: there is no model {order.model_uid!r}")
            if model.status != "completed":
                raise Wrong(f"model_uid: the model is not trained ({model.status})")

    def _afford(self, key: tuple[str, str, int]) -> None:
        if self._books.balance < PRICE or self._options.hits("no_credits", "pixu", *key):
            raise Refusal(402, "no credits are left")

    def _open(self, order: Order, key: tuple[str, str, int]) -> Task:
        """Write a task down and count its credit; from here on it happens whatever the caller sees."""
        task = Task(self._uid(order, *key), order)
        self._tasks[task.uid] = task
        self._books.open_task(
            task.uid, order.operation, status=task.status, digest=key[1], mark=order.callback
        )
        self._books.charge(task.uid, PRICE)
        return task

    def _uid(self, order: Order, *key: object) -> str:
        digits = self._options.digest("pixu", "uid", *key).hex()
        return f"upose_{digits[:32]}" if order.makes_model else digits[:40]

    async def _begin(self, task: Task) -> None:
        if self._options.hits("early", task.uid):
            await self._finish(task)
        else:
            self._timers.spawn(self._work(task))

    async def _work(self, task: Task) -> None:
        scale = _TRAINING_SCALE if task.order.makes_model else 1.0
        await asyncio.sleep(self._options.latency("pixu", task.uid, scale=scale))
        await self._finish(task)

    async def _finish(self, task: Task) -> None:
        """End the task, and call back unless it failed; returns when the receiver has answered."""
        failed = self._options.hits("task_failed", task.uid)
        task.status = "failed" if failed else "completed"
        self._books.task_status(task.uid, task.status, finished=True)
        if failed:
            return
        is_wrong = self._options.hits("wrong_uid", task.uid)
        uid = self._uid(task.order, "another", task.uid) if is_wrong else task.uid
        url = f"{task.order.callback}{uid}"
        if self._options.hits("head_probe", task.uid):
            await self._callbacks.probe(url)
        await self._callbacks.send(task.uid, url, b"")


def _api(handler: _Handler) -> _Handler:
    """Return *handler* with errors in their shape."""

    async def answer(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except Wrong as wrong:
            return _refused(Refusal(400, str(wrong)))
        except Refusal as refusal:
            return _refused(refusal)

    return answer


async def _nothing_here(request: web.Request) -> web.StreamResponse:
    raise Refusal(404, f"there is no {request.method} {request.path}")


def _broken() -> Refusal:
    return Refusal(500, "internal error")


def _refused(refusal: Refusal) -> web.Response:
    return _json({"error": str(refusal)}, refusal.status)


def _json(body: object, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(body), status=status, content_type="application/json")
