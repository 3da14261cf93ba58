"""The API itself: routes, one handler an operation kind, and the faults that befall them."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from hashlib import blake2b
from typing import Any, Final

import orjson
from aiohttp import web
from yarl import URL

from orchestrator.simulators.books import Books
from orchestrator.simulators.files import Files, cut
from orchestrator.simulators.options import Occasions, Options
from orchestrator.simulators.perfect import results, styles
from orchestrator.simulators.perfect.features import FEATURES, PRICE, Feature
from orchestrator.simulators.perfect.gate import Gate
from orchestrator.simulators.perfect.orders import Order, read_files, read_order
from orchestrator.simulators.perfect.refusal import Refusal, invalid
from orchestrator.simulators.perfect.results import Product
from orchestrator.simulators.perfect.storage import RESULT_LIFE_S, Source, Storage, opaque
from orchestrator.simulators.perfect.tasks import Task
from orchestrator.simulators.timers import Timers

LINK_LIFE_S: Final = 2 * 3600
BURST: Final = 5
"""How many requests in a row one `rate_limit` fault refuses."""

_Answer = Callable[[web.Request], Awaitable[object]]
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_RequestKey = tuple[str, frozenset[tuple[str, str]], int]


class Simulator:
    """One Perfect account behind the API."""

    def __init__(self, options: Options, books: Books) -> None:
        self._options = options
        self._books = books
        self._gate = Gate(options)
        self._files = Files(options)
        self._storage = Storage(options)
        self._timers = Timers()
        self._occasions = Occasions()
        self._tasks: dict[str, Task] = {}
        self._running: dict[str, Task] = {}
        self._made_at: dict[str, float] = {}
        self._seen: dict[_RequestKey, str] = {}
        self._repeats_give_the_original = options.fraction("perfect", "repeat") >= 0.5

    def build(self) -> web.Application:
        """Return the application with Perfect's 48 operations, its storage and its result files."""
        app = web.Application()
        app.cleanup_ctx.append(self._timers.context)
        add = app.router.add_route
        add("POST", "/s2s/v1.0/client/auth", self._api(self._log_in, is_open=True))
        for feature in FEATURES.values():
            self._add_feature(app, feature)
        add("*", "/storage/{key}", self._storage.receive)
        add("GET", "/results/{name}", self._download)
        add("GET", "/thumbs/{name}", self._files.serve)
        add("*", "/{anything:.*}", self._api(_nothing_here, is_open=True))
        return app

    def settings(self, base_url: str) -> dict[str, Any]:
        """Return the settings of a client: address, key and secret."""
        return {
            "base_url": base_url,
            "client_id": self._gate.client_id,
            "client_secret": self._gate.client_secret,
        }

    async def idle(self) -> None:
        """Return when no task is running; one that nobody asks about is lost within ten seconds."""
        await self._timers.idle()

    def _add_feature(self, app: web.Application, feature: Feature) -> None:
        task = f"/s2s/v1.0/task/{feature.slug}"
        add = app.router.add_route
        if feature.takes_files:
            add("POST", f"/s2s/v1.0/file/{feature.slug}", self._api(partial(self._create_files, feature)))
        if feature.has_styles:
            group_path = f"/s2s/v1.0/task/style-group/{feature.slug}"
            style_path = f"/s2s/v1.0/task/style/{feature.slug}"
            add("GET", group_path, self._api(partial(self._list_groups, feature)))
            add("GET", style_path, self._api(partial(self._list_styles, feature)))
            self._offer_thumbnails(feature)
        add("POST", task, self._run_handler(feature))
        add("GET", task, self._api(partial(self._check, feature)))

    def _offer_thumbnails(self, feature: Feature) -> None:
        for group in styles.groups(feature.name):
            for style in group.styles:
                make = partial(results.thumbnail, feature.name, style)
                self._files.add(styles.thumb_name(feature.name, style), make, "image/jpeg")

    def _api(self, answer: _Answer, *, is_open: bool = False) -> _Handler:
        """Return *answer* behind the gate and in the envelope; *is_open* needs no token."""

        async def handle(request: web.Request) -> web.StreamResponse:
            try:
                self._admit(request, is_open)
                result = await answer(request)
            except Refusal as refusal:
                return _json(refusal.to_json(), refusal.status)
            return _json({"status": 200, "result": result})

        return handle

    def _run_handler(self, feature: Feature) -> _Handler:
        """Return the handler of run: the one operation whose answer may get lost on the way."""
        run = self._api(partial(self._run, feature))

        async def handle(request: web.Request) -> web.StreamResponse:
            response = await run(request)
            task_id = request.get(_ACCEPTED)
            if task_id is None:
                return response
            if self._options.hits("slow_answer", task_id):
                await asyncio.sleep(self._options.lag_s)
            if self._options.hits("answer_lost", task_id):
                return cut(request)
            if self._options.hits("error_after", task_id):
                return _json(_broken().to_json(), 500)
            return response

        return handle

    def _admit(self, request: web.Request, is_open: bool) -> None:
        self._settle_all()
        self._gate.admit_address(request.remote or "unknown")
        if not is_open:
            self._gate.admit_token(request.headers.get("Authorization"))
        burst = (self._occasions.next("request") - 1) // BURST
        if self._options.hits("rate_limit", "perfect", burst):
            raise Refusal(429, "TooManyRequests", "Too Many Requests")
        if request.method != "POST":
            self._may_break(request, request.query_string)

    def _may_break(self, request: web.Request, *about: object) -> None:
        """Answer 500 if the fault is due to this request, each time anew."""
        if self._options.faults.chance("error_before") > 0:
            key = (request.method, request.path, *about)
            occasion = self._occasions.next("error_before", *key)
            if self._options.hits("error_before", "perfect", *key, occasion):
                raise _broken()

    async def _log_in(self, request: web.Request) -> object:
        body = await _read(request)
        # The id_token is another one each time; the key is what stays.
        self._may_break(request, "log in")
        return {"access_token": self._gate.log_in(body)}

    async def _create_files(self, feature: Feature, request: web.Request) -> object:
        body = await _read(request)
        told = _fingerprint(body)
        self._may_break(request, told)
        wanted = read_files(feature, body)
        turn = self._occasions.next("file", feature.name, told)
        base = _base(request)
        slots = [self._storage.slot(file, feature.name, told, turn, n) for n, file in enumerate(wanted)]
        return {
            "files": [
                {
                    "content_type": file.content_type,
                    "file_name": file.name,
                    "file_id": slot.file_id,
                    "requests": [self._storage.instructions(slot, base)],
                }
                for file, slot in zip(wanted, slots, strict=True)
            ]
        }

    async def _list_groups(self, feature: Feature, request: web.Request) -> object:
        return styles.list_groups(feature.name, request.query)

    async def _list_styles(self, feature: Feature, request: web.Request) -> object:
        return styles.list_styles(feature.name, request.query, f"{_base(request)}/thumbs/")

    async def _run(self, feature: Feature, request: web.Request) -> object:
        body = await _read(request)
        told = _fingerprint(body.get("payload"))
        self._may_break(request, told)
        order = read_order(feature, body)
        original = self._original(order)
        if original is not None:
            return {"task_id": original} if self._repeats_give_the_original else {}
        turn = self._occasions.next("run", feature.name, told)
        self._afford(feature.name, told, turn)
        task_id = self._new_id(feature.name, told, turn)
        # Remembered before the files are read: a repetition may arrive meanwhile.
        self._remember(order, task_id)
        try:
            sources = self._sources(order)
        except Refusal:
            self._forget(order)
            raise
        contents = {name: await source.read() for name, source in sources.items()}
        error = await asyncio.to_thread(results.fault_in, order, contents)
        inputs = {name: source.again for name, source in sources.items()}
        self._start(task_id, order, inputs, error, _base(request), told)
        request[_ACCEPTED] = task_id
        return {"task_id": task_id}

    def _original(self, order: Order) -> str | None:
        """Return the id of the task that this request_id already made with these files."""
        key = _request_key(order)
        return self._seen.get(key) if key is not None else None

    def _remember(self, order: Order, task_id: str) -> None:
        key = _request_key(order)
        if key is not None:
            self._seen[key] = task_id

    def _forget(self, order: Order) -> None:
        key = _request_key(order)
        if key is not None:
            self._seen.pop(key, None)

    def _afford(self, *key: object) -> None:
        needed = PRICE * (len(self._running) + 1)
        if self._books.balance < needed or self._options.hits("no_credits", "perfect", *key):
            raise Refusal(400, "CreditInsufficiency", "not enough credits")

    def _sources(self, order: Order) -> dict[str, Source]:
        sources: dict[str, Source] = {}
        for name, file_id in order.files.items():
            source = self._storage.find(file_id)
            if source is None:
                code = "error_download_mask" if name == "mask_ids" else "error_download_image"
                raise Refusal(404, code, f"{name}: there is no file {file_id}, or it was never uploaded")
            sources[name] = source
        return sources

    def _start(
        self, task_id: str, order: Order, inputs: results.Inputs, error: str | None, base: str, told: str
    ) -> None:
        now = self._options.clock()
        is_early = self._options.hits("early", task_id)
        due_at = now if is_early else now + self._options.latency("perfect", task_id)
        seed = int.from_bytes(self._options.digest("perfect", "picture", task_id)[:4], "big")
        made = results.products(order, inputs, seed) if error is None else []
        error = error or self._injected_error(task_id, order.feature)
        task = Task(task_id, order, now, due_at, now, error, base, seed, made)
        self._tasks[task_id] = self._running[task_id] = task
        mark = f"{order.feature.name} {order.request_id}" if order.request_id is not None else ""
        self._books.open_task(task_id, order.feature.name, status="running", digest=told, mark=mark)
        self._settle(task)
        self._timers.spawn(self._watch(task))

    def _injected_error(self, task_id: str, feature: Feature) -> str | None:
        if not self._options.hits("task_failed", task_id):
            return None
        share = self._options.fraction("perfect", "error code", task_id)
        return feature.errors[int(share * len(feature.errors))]

    async def _watch(self, task: Task) -> None:
        """See a task to its end even when nobody asks: what succeeded is charged in any case."""
        while task.status == "running":
            await asyncio.sleep(max(0.05, task.changes_at - self._options.clock()))
            self._settle(task)

    def _settle_all(self) -> None:
        for task in list(self._running.values()):
            self._settle(task)

    def _settle(self, task: Task) -> None:
        if not task.settle(self._options.clock()):
            return
        del self._running[task.id]
        self._books.task_status(task.id, task.status, finished=True)
        if task.status == "success":
            self._books.charge(task.id, PRICE)
            self._offer(task)
        else:
            task.made = ()

    def _offer(self, task: Task) -> None:
        """Make the result files available for download, and as input of other tasks."""
        for index, product in enumerate(task.made):
            name = self._file_name(task, index)
            self._files.add(name, product.make, results.CONTENT_TYPES[task.order.output_ext])
            self._made_at[name] = task.due_at
            source = Source(partial(self._files.content, name), partial(self._again, name, product))
            self._storage.keep_result(self._dst_id(task, index), source, task.due_at)

    def _again(self, name: str, product: Product) -> bytes:
        """Return a result's bytes for a later task, even after its own file is gone."""
        return self._files.make(name) or product.make()

    def _results(self, task: Task) -> list[dict[str, Any]]:
        """Return a task's results as the answer shows them."""
        if task.status != "success":
            return []
        data = [
            {
                "dst_id": self._dst_id(task, index),
                "url": self._link(task.base, self._file_name(task, index)),
                **product.extra,
            }
            for index, product in enumerate(task.made)
        ]
        return [
            {"id": task.order.action_id, "data": data, **results.extras(task.order, task.made, task.seed)}
        ]

    def _link(self, base: str, name: str) -> str:
        url = URL(self._files.link(f"{base}/results", name), encoded=True)
        expires = int(self._made_at[name] + LINK_LIFE_S)
        return str(url.update_query(Expires=str(expires)))

    async def _check(self, feature: Feature, request: web.Request) -> object:
        task_id = request.query.get("task_id")
        if not task_id:
            raise invalid("task_id is required")
        task = self._tasks.get(task_id)
        if task is None or task.order.feature is not feature or task.status == "lost":
            raise _no_such_task(task_id)
        now = self._options.clock()
        if task.status == "running":
            task.seen_at = now
        fresh = now - task.created_at < self._options.lag_s
        if fresh and self._options.hits("lookup_lag", task_id):
            raise _no_such_task(task_id)
        if now - task.due_at > RESULT_LIFE_S:
            raise _no_such_task(task_id)
        return task.to_json(self._results(task))

    async def _download(self, request: web.Request) -> web.StreamResponse:
        """Answer a result link: for two hours; the file itself is kept for thirty days."""
        if "Authorization" in request.headers:
            return web.Response(status=400, text="the address is signed; no Authorization header beside it")
        name = request.match_info["name"]
        age = self._options.clock() - self._made_at.get(name, 0.0)
        if name in self._made_at and age > RESULT_LIFE_S:
            self._files.remove(name)
        elif name in self._made_at and age > LINK_LIFE_S:
            return web.Response(status=403, text="Request has expired")
        return await self._files.serve(request)

    def _new_id(self, *key: object) -> str:
        first, second = (self._options.digest("perfect", half, *key) for half in ("id", "id, second half"))
        return opaque(first + second)

    def _dst_id(self, task: Task, index: int) -> str:
        return self._new_id("result", task.id, index)

    def _file_name(self, task: Task, index: int) -> str:
        digest = self._options.digest("perfect", "name", task.id, index)
        return f"{digest.hex()[:32]}.{task.order.output_ext}"


_ACCEPTED: Final = web.RequestKey("ACCEPTED", str)


def _request_key(order: Order) -> _RequestKey | None:
    """Return what a repeated request is recognised by: the feature, its files and its request_id."""
    if order.request_id is None:
        return None
    return order.feature.name, frozenset(order.files.items()), order.request_id


async def _read(request: web.Request) -> dict[str, Any]:
    if request.content_type != "application/json":
        raise invalid("Content-Type must be application/json")
    try:
        body = orjson.loads(await request.read())
    except orjson.JSONDecodeError as error:
        raise invalid(f"the body is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise invalid("the body must be an object")
    return body


def _fingerprint(body: object) -> str:
    return blake2b(orjson.dumps(body, option=orjson.OPT_SORT_KEYS), digest_size=16).hexdigest()


def _base(request: web.Request) -> str:
    """Return the address of this simulator as the caller wrote it."""
    return f"{request.scheme}://{request.host}{request.path.partition('/s2s/')[0]}"


def _no_such_task(task_id: str) -> Refusal:
    return Refusal(404, "InvalidTaskId", f"there is no task {task_id}")


def _broken() -> Refusal:
    return Refusal(500, "unknown_internal_error", "Internal server error")


async def _nothing_here(request: web.Request) -> object:
    raise Refusal(404, "NotFound", f"{request.method} {request.path}")


def _json(body: object, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(body), status=status, content_type="application/json")
