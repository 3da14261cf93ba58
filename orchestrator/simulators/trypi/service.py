"""The API itself: five endpoints in one envelope, keys that make repeating safe, and long polls."""

import asyncio
import math
import uuid
from collections.abc import Awaitable, Callable, Mapping
from hashlib import blake2b
from typing import Any, Final

import orjson
from aiohttp import web

from orchestrator.simulators import bodies
from orchestrator.simulators.bodies import NotJson, Wrong
from orchestrator.simulators.books import Books
from orchestrator.simulators.files import Files
from orchestrator.simulators.mishaps import Mishaps
from orchestrator.simulators.options import Occasions, Options
from orchestrator.simulators.timers import Timers
from orchestrator.simulators.trypi import orders
from orchestrator.simulators.trypi.orders import Order
from orchestrator.simulators.trypi.shelf import Job, Saved

PRICE: Final = 1
"""Credits in the books; the page names none."""

FAILURE: Final = "generation_failed: the image could not be generated"
NOT_TRIGGERED: Final = "job_trigger_failed: the job was never started"

_QUEUED_SHARE: Final = 0.2
_LOOKS: Final = 6
"""How many different people there are: enough to the eye, few enough to remember."""

_TYPES: Final = {
    401: "authentication_error",
    402: "permission_error",
    429: "rate_limit_error",
    500: "api_error",
    502: "api_error",
}
"""Status → the error's type; all others are `invalid_request_error`."""

_REQUEST_ID: Final = web.RequestKey("REQUEST_ID", str)
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Refusal(Exception):
    """The request is answered with an error: *code* says which, the message is for people."""

    def __init__(
        self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.headers = headers


class Simulator:
    """One organisation at trypi behind the API."""

    def __init__(self, options: Options, books: Books) -> None:
        self._options = options
        self._books = books
        self._api_key = f"pi_live_{options.digest('trypi', 'api_key').hex()[:32]}"
        self._timers = Timers()
        self._files = Files(options)
        self._mishaps = Mishaps(options, "trypi")
        self._occasions = Occasions()
        self._jobs: dict[str, Job] = {}
        self._saved: dict[str, Saved] = {}
        self._replies: dict[str, tuple[bytes, bytes]] = {}
        """Idempotency-Key → a digest of the request's bytes, and the answer's bytes."""

    def build(self) -> web.Application:
        """Return the application with trypi's paths; its base URL already ends with /api/v1."""
        app = web.Application()
        app.cleanup_ctx.append(self._timers.context)
        route = app.router.add_route
        route("POST", "/avatars/generate", self._api(self._generate))
        route("POST", "/avatars/save", self._api(self._save))
        route("GET", "/avatars", self._api(self._list_saved))
        route("GET", "/avatars/{id}", self._api(self._show_saved))
        route("GET", "/jobs/{id}", self._api(self._show_job))
        route("GET", "/images/{name}", self._files.serve)
        route("*", "/{anything:.*}", self._api(_nothing_here))
        return app

    def settings(self, base_url: str) -> dict[str, Any]:
        """Return the settings of a client: address and key."""
        return {"base_url": base_url, "api_key": self._api_key}

    async def idle(self) -> None:
        """Return when no job is running."""
        await self._timers.idle()

    def _api(self, handler: _Handler) -> _Handler:
        """Return *handler* behind the key, with errors in their envelope and a request id on every answer."""

        async def answer(request: web.Request) -> web.StreamResponse:
            request[_REQUEST_ID] = f"req_pi_{self._uuid('request', self._occasions.next('request'))}"
            try:
                self._admit(request)
                response = await handler(request)
            except NotJson as error:
                response = _refused(request, Refusal(400, "invalid_json_body", str(error)))
            except Wrong as wrong:
                response = _refused(request, Refusal(400, "invalid_request_body", str(wrong)))
            except Refusal as refusal:
                response = _refused(request, refusal)
            response.headers["X-Request-Id"] = request[_REQUEST_ID]
            return response

        return answer

    def _admit(self, request: web.Request) -> None:
        authorization = request.headers.get("Authorization")
        if authorization is None:
            raise Refusal(
                401, "missing_authorization_header", "Authorization: Bearer <your_api_key> is missing"
            )
        if authorization != f"Bearer {self._api_key}":
            raise Refusal(401, "invalid_api_key", "the API key is not valid")
        if self._mishaps.is_rate_limited():
            reset = math.ceil(self._options.clock() + self._options.lag_s)
            headers = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(reset)}
            raise Refusal(429, "rate_limit_exceeded", "too many requests", headers)
        if request.method != "POST" and self._mishaps.breaks(request.method, request.path):
            raise _broken()

    async def _generate(self, request: web.Request) -> web.StreamResponse:
        body = await bodies.read(request)
        told = bodies.fingerprint(body)
        # Equal bodies are told apart by their turn, so that the same ones always meet the same fate.
        key = (told, self._occasions.next("submit", told))
        if self._options.hits("error_before", "trypi", *key):
            raise Refusal(500, "job_create_failed", "the job could not be created")
        is_short = self._options.hits("short_prompts", "trypi", told)
        order = orders.read_order(
            body, prompt_most=orders.SHORT_PROMPT_MOST if is_short else orders.PROMPT_MOST
        )
        repeatable = request.headers.get("Idempotency-Key")
        sent = blake2b(await request.read(), digest_size=16).digest()
        replay = self._replay(repeatable, sent)
        if replay is not None:
            return replay
        self._afford(key)
        job = self._open(order, _base(request, "/avatars/generate"), key, repeatable)
        if self._options.hits("trigger_failed", job.id):
            self._give_up(job)
            raise Refusal(502, "job_trigger_failed", "the job was created but could not be started")
        content = _envelope(request, "job", "queued", job.created_at, {"job_id": job.id})
        if repeatable is not None:
            self._replies[repeatable] = (sent, content)
        self._begin(job)
        broken = _refused(request, _broken())
        return await self._mishaps.answer(request, _json(content, 202), task=job.id, broken=broken)

    def _replay(self, repeatable: str | None, sent: bytes) -> web.Response | None:
        """Return the first answer for a key that was seen, byte for byte. Errors: Refusal 400, 409."""
        if repeatable == "":
            raise Refusal(400, "invalid_request_body", "Idempotency-Key is empty")
        if repeatable is None or repeatable not in self._replies:
            return None
        first, content = self._replies[repeatable]
        if first != sent:
            message = "this Idempotency-Key was used with another body"
            raise Refusal(409, "idempotency_key_mismatch", message)
        response = _json(content, 202)
        response.headers["X-Idempotency-Replayed"] = "true"
        return response

    def _afford(self, key: tuple[str, int]) -> None:
        if self._books.balance < PRICE or self._options.hits("no_credits", "trypi", *key):
            raise Refusal(402, "insufficient_credits", "no credits are left")

    def _open(self, order: Order, base: str, key: tuple[str, int], repeatable: str | None) -> Job:
        now = self._options.clock()
        look = self._options.digest("trypi", "look", order.references or key[0])[0] % _LOOKS
        job = Job(self._uuid("job", *key), order, base, now, now, look)
        self._jobs[job.id] = job
        mark = order.client_reference_id or repeatable or ""
        self._books.open_task(job.id, "generate_avatar", status="queued", digest=key[0], mark=mark)
        return job

    def _give_up(self, job: Job) -> None:
        """Leave a job behind that was never started, as the service does: failed, free, under no key."""
        job.moved("failed", self._options.clock(), NOT_TRIGGERED)
        self._books.task_status(job.id, "failed", finished=True)

    def _begin(self, job: Job) -> None:
        self._books.charge(job.id, PRICE)
        if self._options.hits("early", job.id):
            self._finish(job)
        else:
            self._timers.spawn(self._work(job))

    async def _work(self, job: Job) -> None:
        pause = self._options.latency("trypi", job.id)
        await asyncio.sleep(pause * _QUEUED_SHARE)
        job.moved("processing", self._options.clock())
        self._books.task_status(job.id, "processing")
        await asyncio.sleep(pause * (1 - _QUEUED_SHARE))
        self._finish(job)

    def _finish(self, job: Job) -> None:
        if self._options.hits("task_failed", job.id):
            job.moved("failed", self._options.clock(), FAILURE)
        else:
            self._files.add(job.file, job.draw, "image/png")
            job.moved("completed", self._options.clock())
        self._books.task_status(job.id, job.status, finished=True)

    async def _show_job(self, request: web.Request) -> web.StreamResponse:
        look = orders.read_look(request.query)
        job = self._found(request.match_info["id"])
        if look.wait_s:
            await _ended(job, look.wait_s)
        data = job.to_json(self._org_id)
        if look.has_avatar:
            self._expand(job, data)
        return _json(_envelope(request, "job", job.status, job.created_at, data))

    @property
    def _org_id(self) -> str:
        return self._uuid("organisation")

    def _expand(self, job: Job, data: dict[str, Any]) -> None:
        """Add what `expand=avatar` shows."""
        if job.status != "completed":
            data["avatar"] = None
            return
        job.looks += 1
        is_missing = job.looks == 1 and self._options.hits("link_missing", job.id)
        image_url = None if is_missing else self._link(job)
        data["payload"]["image_url"] = image_url
        data["avatar"] = {"image_url": image_url}

    def _found(self, id: str) -> Job:
        job = self._jobs.get(id.lower())
        if job is None or self._mishaps.lags(job.id, job.created_at):
            raise Refusal(404, "job_not_found", f"there is no job {id}")
        return job

    async def _save(self, request: web.Request) -> web.StreamResponse:
        body = await bodies.read(request)
        told = bodies.fingerprint(body)
        turn = self._occasions.next("save", told)
        if self._options.hits("error_before", "trypi", "save", told, turn):
            raise _broken()
        job_id, label = orders.read_save(body)
        job = self._found(job_id)
        if job.status != "completed":
            raise Refusal(422, "job_not_completed", f"the job is {job.status}")
        saved = Saved(self._uuid("saved", told, turn), label, job, self._options.clock())
        self._saved[saved.id] = saved
        answer = _json(self._saved_envelope(request, saved), 201)
        return await self._mishaps.answer(request, answer, task=saved.id, broken=_refused(request, _broken()))

    async def _show_saved(self, request: web.Request) -> web.StreamResponse:
        saved = self._saved.get(request.match_info["id"].lower())
        if saved is None:
            raise Refusal(404, "avatar_not_found", "there is no such avatar")
        return _json(self._saved_envelope(request, saved))

    async def _list_saved(self, request: web.Request) -> web.StreamResponse:
        limit, offset = orders.read_page(request.query)
        newest_first = list(reversed(self._saved.values()))
        shown = newest_first[offset : offset + limit]
        data = {
            "object": "list",
            "data": [saved.to_json(self._link(saved.job)) for saved in shown],
            "has_more": offset + limit < len(newest_first),
            "total_count": len(newest_first),
        }
        return _json(_envelope(request, "list", "completed", self._options.clock(), data))

    def _saved_envelope(self, request: web.Request, saved: Saved) -> bytes:
        data = saved.to_json(self._link(saved.job))
        return _envelope(request, "saved_avatar", "completed", saved.created_at, data)

    def _link(self, job: Job) -> str:
        return self._files.link(f"{job.base}/images", job.file)

    def _uuid(self, *key: object) -> str:
        return str(uuid.UUID(bytes=self._options.digest("trypi", *key)[:16], version=4))


async def _ended(job: Job, wait_s: float) -> None:
    """Return when *job* has ended, or after *wait_s* seconds."""
    try:
        await asyncio.wait_for(job.ended.wait(), wait_s)
    except TimeoutError:
        return


def _base(request: web.Request, path: str) -> str:
    """Return the simulator's address as the caller wrote it: without *path*, without a slash at the end."""
    return f"{request.scheme}://{request.host}{request.path.removesuffix(path)}"


def _envelope(request: web.Request, object: str, status: str, at: float, data: dict[str, Any]) -> bytes:
    """Return an answer's bytes. Its `id` is that of the request, never that of what is asked about."""
    whole = {"id": request[_REQUEST_ID], "object": object, "status": status, "created_at": int(at)}
    return orjson.dumps({**whole, "data": data})


async def _nothing_here(request: web.Request) -> web.StreamResponse:
    raise Refusal(404, "not_found", f"{request.method} {request.path}")


def _broken() -> Refusal:
    return Refusal(500, "internal_error", "something went wrong")


def _refused(request: web.Request, refusal: Refusal) -> web.Response:
    error = {
        "type": _TYPES.get(refusal.status, "invalid_request_error"),
        "code": refusal.code,
        "message": str(refusal),
        "request_id": request[_REQUEST_ID],
    }
    response = _json(orjson.dumps({"error": error}), refusal.status)
    response.headers.update(refusal.headers or {})
    return response


def _json(content: bytes, status: int = 200) -> web.Response:
    return web.Response(body=content, status=status, content_type="application/json")
