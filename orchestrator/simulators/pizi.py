"""
Plays Pizi: nine endpoints, callbacks without a status, and the oddities of its document.

Source: Pizi API reference. What it leaves open is decided here as follows.
Success is 200. An error's body is like that of DELETE, with `details` for the
person who tries. One credit is taken for a model (two with high priority) and
one a picture, when the task is accepted, and a failed task is not refunded.
Lists come newest first. A callback is sent once, for failed tasks too.
"""

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Iterable, Iterator
from functools import partial, wraps
from hashlib import blake2b
from typing import Any, Final

import orjson
from aiohttp import web

from orchestrator.simulators import pictures
from orchestrator.simulators import pizi_shelf as shelf
from orchestrator.simulators.books import Books
from orchestrator.simulators.callbacks import Callbacks
from orchestrator.simulators.files import Files, cut
from orchestrator.simulators.options import Occasions, Options
from orchestrator.simulators.pizi_rules import ModelOrder, PictureOrder, Refusal, model_order, picture_order
from orchestrator.simulators.pizi_shelf import Model, Order, Picture, Resource, Status, Task
from orchestrator.simulators.sources import Picture as Source
from orchestrator.simulators.sources import Sources, Unreadable, UnsupportedFormat
from orchestrator.simulators.timers import Timers

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_Key = tuple[str, int]

MESSAGES: Final = {
    400: "Missing or invalid parameter.",
    401: "Invalid API Key.",
    402: "Insufficient credits.",
    404: "Resource not found.",
    415: "Unsupported image format. Only JPG and PNG are allowed.",
    429: "Rate limit exceeded.",
    500: "Internal server error.",
}
"""The document's messages by status."""

MAX_BODY = 128 * 1024 * 1024
"""Bytes; pictures travel inside JSON and no limit is documented."""

BURST = 5
"""How many requests in a row one `rate_limit` fault refuses."""

_PICTURE_SCALE = 1.5
_QUEUED_SHARE = 0.2
_LOOKS = 6
"""How many different pictures the same order can give: enough to the eye, few enough to remember."""
_MODEL_STATUSES: Final = ("processing", "completed", "failed", "deleted")
_PICTURE_STATUSES: Final = ("queued", "processing", "completed", "failed")


class Simulator:
    """One Pizi account behind the API."""

    def __init__(self, options: Options, books: Books) -> None:
        self._options = options
        self._books = books
        self._api_key = f"pizi_{options.digest('pizi', 'api_key').hex()[:32]}"
        self._timers = Timers()
        self._callbacks = Callbacks(options, books)
        self._files = Files(options)
        self._sources = Sources(self._files)
        self._occasions = Occasions()
        self._models: dict[str, Model] = {}
        self._pictures: dict[str, Picture] = {}
        self._tasks: dict[str, Task] = {}

    def build(self) -> web.Application:
        """Return the application with Pizi's paths."""
        app = web.Application(client_max_size=MAX_BODY)
        # They end in the opposite order: first the timers, then the sessions they use.
        app.cleanup_ctx.extend((self._callbacks.context, self._sources.context, self._timers.context))
        route = app.router.add_route
        route("POST", "/models", self._api(self._create_model))
        route("GET", "/models", self._api(self._list_models))
        route("GET", "/models/{uuid}", self._api(self._show_model))
        route("DELETE", "/models/{uuid}", self._api(self._delete_model))
        route("POST", "/pictures", self._api(self._create_pictures))
        route("GET", "/pictures", self._api(self._list_pictures))
        route("GET", "/pictures/{uuid}", self._api(self._show_picture))
        route("GET", "/tasks", self._api(self._list_tasks))
        route("GET", "/tasks/{uuid}", self._api(self._show_task))
        route("GET", "/files/{name}", self._files.serve)
        route("*", "/{anything:.*}", self._api(_nothing_here))
        return app

    def settings(self, base_url: str) -> dict[str, Any]:
        """Return the settings of a client: address and key."""
        return {"base_url": base_url, "api_key": self._api_key}

    async def idle(self) -> None:
        """Return when no task is running and no callback is on its way."""
        await self._timers.idle()

    def _api(self, handler: _Handler) -> _Handler:
        """Return *handler* behind the key, with errors in the envelope and the gauge on every answer."""

        @wraps(handler)
        async def answer(request: web.Request) -> web.StreamResponse:
            try:
                self._admit(request)
                response = await handler(request)
            except Refusal as refusal:
                response = _refused(refusal)
            response.headers["X-Credits-Remaining"] = str(self._books.balance)
            return response

        return answer

    def _admit(self, request: web.Request) -> None:
        if request.headers.get("Authorization") != f"Bearer {self._api_key}":
            raise Refusal(401)
        burst = (self._occasions.next("request") - 1) // BURST
        if self._options.hits("rate_limit", "pizi", burst):
            raise Refusal(429)
        if request.method != "POST":
            self._may_break("error_before", request.method, request.path)

    def _may_break(self, fault: str, *key: object) -> None:
        """Answer 500 if *fault* is due to what *key* names, each time anew."""
        if self._options.faults.chance(fault) > 0:
            occasion = self._occasions.next(fault, *key)
            if self._options.hits(fault, "pizi", *key, occasion):
                raise Refusal(500)

    async def _create_model(self, request: web.Request) -> web.StreamResponse:
        body, key = await self._read(request)
        order = model_order(body)
        base, now = _base(request, "/models"), self._options.clock()
        await self._take_in(order.images, base)
        self._afford(order.price, key)
        model = Model(self._uuid("model", *key), order, base, "processing", now, now)
        self._models[model.uuid] = model
        makers = {f"{model.uuid}.png": partial(_portrait, self._picture_seed(model.uuid), order)}
        task = Task(self._uuid("task", *key), "model", model, "processing", now, makers, "image/png")
        return await self._accept(request, task, key)

    async def _create_pictures(self, request: web.Request) -> web.StreamResponse:
        body, key = await self._read(request)
        order = picture_order(body)
        base, now = _base(request, "/pictures"), self._options.clock()
        product, *others = await self._take_in(order.images, base)
        person = self._person(order) if order.model_image is None else others[-1]
        self._afford(order.price, key)
        picture = Picture(self._uuid("task", *key), order, base, "queued", now, now)
        self._pictures[picture.uuid] = picture
        makers = {
            f"{picture.uuid}_{variant}.{order.format}": partial(
                _shot, product, person, self._picture_seed(picture.uuid) + variant, order
            )
            for variant in range(1, order.variants + 1)
        }
        kind = "image/png" if order.format == "png" else "image/jpeg"
        task = Task(picture.uuid, "photo", picture, "queued", now, makers, kind)
        return await self._accept(request, task, key)

    async def _read(self, request: web.Request) -> tuple[object, _Key]:
        """Return the body, and what names this submit: equal bodies are told apart by their turn."""
        if request.content_type != "application/json":
            raise Refusal(400, "Content-Type must be application/json")
        try:
            body = orjson.loads(await request.read())
        except orjson.JSONDecodeError as error:
            raise Refusal(400, f"the body is not JSON: {error}") from error
        told = _fingerprint(body)
        key = (told, self._occasions.next("submit", told))
        if self._options.hits("error_before", "pizi", *key):
            raise Refusal(500)
        return body, key

    async def _take_in(self, images: Iterable[str], base: str) -> list[Source]:
        own = f"{base}/files"
        try:
            return await asyncio.gather(*(self._sources.take(image, own=own) for image in images))
        except UnsupportedFormat as error:
            raise Refusal(415, str(error)) from error
        except Unreadable as error:
            raise Refusal(400, str(error)) from error

    def _person(self, order: PictureOrder) -> Source:
        """Return the picture of the model that wears or holds the product, where there is one."""
        if order.model is not None:
            return partial(_portrait, self._picture_seed("inline", order.products[0]), order.model)
        if order.model_uuid is None:
            return _nobody
        model = self._models.get(order.model_uuid)
        if model is None or model.status == "deleted":
            raise Refusal(404, f"model.uuid {order.model_uuid}")
        if model.status != "completed":
            raise Refusal(400, f"model.uuid {order.model_uuid} is {model.status}")
        return partial(self._files.make, model.files[0])

    def _afford(self, price: int, key: _Key) -> None:
        if self._books.balance < price or self._options.hits("no_credits", "pizi", *key):
            raise Refusal(402, f"this takes {price}")

    async def _accept(self, request: web.Request, task: Task, key: _Key) -> web.StreamResponse:
        """Write the task down, start it, and answer; from here on it happens whatever the caller sees."""
        order = task.resource.order
        mark = orjson.dumps(order.metadata, option=orjson.OPT_SORT_KEYS).decode() if order.metadata else ""
        operation = "create_model" if task.type == "model" else "create_pictures"
        self._tasks[task.uuid] = task
        self._books.open_task(task.uuid, operation, status=task.status, digest=key[0], mark=mark)
        self._books.charge(task.uuid, order.price)
        if self._options.hits("early", task.uuid):
            await self._finish(task)
        else:
            self._timers.spawn(self._work(task))
        if self._options.hits("slow_answer", task.uuid):
            await asyncio.sleep(self._options.lag_s)
        if self._options.hits("answer_lost", task.uuid):
            return cut(request)
        if self._options.hits("error_after", task.uuid):
            raise Refusal(500)
        return _success({"taskUuid": task.uuid})

    async def _work(self, task: Task) -> None:
        scale = 1.0 if task.type == "model" else _PICTURE_SCALE
        pause = self._options.latency("pizi", task.uuid, scale=scale)
        if task.status == "queued":
            await asyncio.sleep(pause * _QUEUED_SHARE)
            self._move(task, "processing")
            pause *= 1 - _QUEUED_SHARE
        await asyncio.sleep(pause)
        await self._finish(task)

    async def _finish(self, task: Task) -> None:
        """End the task and call back; returns when the receiver has answered."""
        failed = self._options.hits("task_failed", task.uuid)
        resource = task.resource
        if not failed and resource.status != "deleted":
            for name, make in task.makers.items():
                self._files.add(name, make, task.content_type)
            resource.files = tuple(task.makers)
        self._move(task, "failed" if failed else "completed")
        silent = failed and self._options.hits("silent_failure", task.uuid)
        if resource.order.callback is not None and not silent:
            # The address is absolute and has a version here, unlike anywhere else.
            body = {"taskUuid": task.uuid, "resourceUrl": f"{resource.base}/v1{task.resource_path}"}
            await self._callbacks.send(task.uuid, resource.order.callback, orjson.dumps(body))

    def _move(self, task: Task, status: Status) -> None:
        now, ended = self._options.clock(), status in ("completed", "failed")
        task.status = status
        task.resource.moved(status, now)
        task.completed_at = now if ended else None
        self._books.task_status(task.uuid, status, finished=ended)

    async def _list_models(self, request: web.Request) -> web.StreamResponse:
        status = _status(request, _MODEL_STATUSES)
        found = (
            shelf.model_row(model)
            for model in self._listed(self._models, request)
            # A deleted model is gone, unless one asks for the deleted ones.
            if (model.status == status if status else model.status != "deleted")
        )
        return _success(shelf.page(found, request.query))

    async def _show_model(self, request: web.Request) -> web.StreamResponse:
        model = self._found(self._models, request)
        return _success(shelf.model_detail(model, self._links(model)))

    async def _delete_model(self, request: web.Request) -> web.StreamResponse:
        model = self._found(self._models, request)
        self._discard(model)
        for picture in [p for p in self._pictures.values() if p.order.model_uuid == model.uuid]:
            self._discard(picture)
        return _json({"success": True, "code": 200, "message": "Model deleted successfully."})

    async def _list_pictures(self, request: web.Request) -> web.StreamResponse:
        status = _status(request, _PICTURE_STATUSES)
        wanted = request.query.get("shotType", "").casefold()
        found = (
            shelf.picture_row(picture, self._shot_type(picture))
            for picture in self._listed(self._pictures, request)
            if (picture.status == status if status else picture.status != "deleted")
            and wanted in ("", self._shot_type(picture))
        )
        return _success(shelf.page(found, request.query))

    async def _show_picture(self, request: web.Request) -> web.StreamResponse:
        picture = self._found(self._pictures, request)
        return _success(shelf.picture_detail(picture, self._shot_type(picture), self._links(picture)))

    async def _list_tasks(self, request: web.Request) -> web.StreamResponse:
        found = (
            shelf.task_row(task) for task in reversed(self._tasks.values()) if self._visible(task.resource)
        )
        return _success(shelf.page(found, request.query))

    async def _show_task(self, request: web.Request) -> web.StreamResponse:
        task = self._tasks.get(request.match_info["uuid"].lower())
        if task is None or not self._visible(task.resource):
            raise Refusal(404)
        return _success(shelf.task_detail(task))

    def _listed(self, held: dict[str, Resource[Order]], request: web.Request) -> Iterator[Resource[Order]]:
        """Return what `filter` finds, newest first."""
        wanted = request.query.get("filter", "")
        for resource in reversed(held.values()):
            if self._visible(resource) and shelf.matches(resource.order.metadata, wanted):
                yield resource

    def _found(self, held: dict[str, Resource[Order]], request: web.Request) -> Resource[Order]:
        resource = held.get(request.match_info["uuid"].lower())
        if resource is None or resource.status == "deleted" or not self._visible(resource):
            raise Refusal(404)
        return resource

    def _visible(self, resource: Model | Picture) -> bool:
        fresh = self._options.clock() - resource.created_at < self._options.lag_s
        return not (fresh and self._options.hits("lookup_lag", resource.uuid))

    def _discard(self, resource: Model | Picture) -> None:
        resource.moved("deleted", self._options.clock())
        for name in resource.files:
            self._files.remove(name)

    def _links(self, resource: Model | Picture) -> list[str]:
        return [self._files.link(f"{resource.base}/files", name) for name in resource.files]

    def _shot_type(self, picture: Picture) -> str:
        return "creative" if self._options.hits("creative", picture.uuid) else picture.order.shot_type

    def _uuid(self, *key: object) -> str:
        return str(uuid.UUID(bytes=self._options.digest("pizi", *key)[:16], version=4))

    def _picture_seed(self, *key: object) -> int:
        return int.from_bytes(self._options.digest("pizi", "picture", *key)[:4], "big") % _LOOKS


def _base(request: web.Request, path: str) -> str:
    """Return the simulator's address as the caller wrote it: without *path*, without a slash at the end."""
    return f"{request.scheme}://{request.host}{request.path.removesuffix(path)}"


def _fingerprint(body: object) -> str:
    """Return a digest of *body* without its callback address, which differs from run to run."""
    told = body
    if isinstance(body, dict):
        told = {key: value for key, value in body.items() if key != "callbackUrl"}
    return blake2b(orjson.dumps(told, option=orjson.OPT_SORT_KEYS), digest_size=16).hexdigest()


def _status(request: web.Request, allowed: tuple[str, ...]) -> str | None:
    status = request.query.get("status")
    if status is not None and status.casefold() not in allowed:
        raise Refusal(400, f"status must be one of {', '.join(allowed)}")
    return status.casefold() if status is not None else None


def _portrait(seed: int, order: ModelOrder) -> bytes:
    traits = {**order.attributes, **({"gender": order.gender} if order.gender else {})}
    return pictures.portrait(seed, traits=traits)


def _shot(product: Source, person: Source, seed: int, order: PictureOrder) -> bytes:
    """Return one picture. A source that begins like a PNG may still be broken; then it is left out."""
    draw = partial(
        pictures.product_shot,
        seed=seed,
        shot_type=order.shot_type,
        aspect_ratio=order.aspect_ratio,
        format=order.format,
    )
    try:
        return draw(product(), model=person())
    except pictures.NotAPicture:
        return draw(None)


def _nobody() -> None:
    return None


async def _nothing_here(request: web.Request) -> web.StreamResponse:
    raise Refusal(404, f"{request.method} {request.path}")


def _refused(refusal: Refusal) -> web.Response:
    body = {"success": False, "code": refusal.status, "message": MESSAGES[refusal.status]}
    details = {"details": refusal.details} if refusal.details else {}
    return _json({**body, **details}, refusal.status)


def _success(data: object) -> web.Response:
    return _json({"success": True, "data": data})


def _json(body: object, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(body), status=status, content_type="application/json")
