"""The API itself: five endpoints, the ledger of credits, and what goes wrong with them."""

import asyncio
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import islice
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
from orchestrator.simulators.pixza import results
from orchestrator.simulators.pixza.models import MODELS
from orchestrator.simulators.pixza.orders import Order, read_order
from orchestrator.simulators.pixza.plans import Allowance, Plan
from orchestrator.simulators.sources import Picture, Sources, Unreadable, UnsupportedFormat
from orchestrator.simulators.timers import Timers

AT_ONCE_S: Final = 3.0
"""What takes longer is never answered as finished; the page speaks of three seconds on average."""

RECENT: Final = 50
"""How many generations are listed; the page says "recent" and has no paging."""

_SCALES: Final = {"image": 1.0, "video": 3.0, "3d": 2.0}
_LOOKS: Final = 6
"""How many different pictures the same prompt gives: enough to the eye, few enough to remember."""

_CODES: Final = {
    401: ("unauthorized", "Missing or invalid API key"),
    404: ("not_found", "Not found"),
    422: ("validation_error", "Invalid request parameters"),
    429: ("rate_limited", "Too many requests — slow down"),
    500: ("server_error", "Something went wrong on our end"),
}
_ID_LETTERS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Refusal(Exception):
    """The request is answered with an error *status*; *details* are for people, *wait_s* for Retry-After."""

    def __init__(self, status: int, details: str = "", *, wait_s: float | None = None) -> None:
        super().__init__(details)
        self.status = status
        self.details = details
        self.wait_s = wait_s


class _OutOfCredits(Exception):
    """There are not enough credits left."""


@dataclass(slots=True)
class Generation:
    """
    One generation.

    Shape:   *base* is the address of this simulator as the caller knew it; *file* is its result's
             name, under which *source* and *style* are turned into the result.
    """

    id: str
    order: Order
    base: str
    created_at: float
    file: str
    source: Picture
    style: int
    status: Literal["processing", "completed", "failed"] = "processing"


class Simulator:
    """One Pixza account behind the API."""

    def __init__(self, options: Options, books: Books, *, plan: Plan = "pro") -> None:
        self._options = options
        self._books = books
        self._api_key = f"pk_live_{options.digest('pixza', 'api_key').hex()[:32]}"
        self._allowance = Allowance(options, plan)
        self._timers = Timers()
        self._callbacks = Callbacks(options, books)
        self._files = Files(options)
        self._sources = Sources(self._files, takes_webp=True)
        self._mishaps = Mishaps(options, "pixza")
        self._occasions = Occasions()
        self._generations: dict[str, Generation] = {}

    def build(self) -> web.Application:
        """Return the application with Pixza's paths; its base URL already ends with /api/v1."""
        app = web.Application()
        # They end in the opposite order: first the timers, then the sessions they use.
        app.cleanup_ctx.extend((self._callbacks.context, self._sources.context, self._timers.context))
        route = app.router.add_route
        route("POST", "/generate", self._api(self._generate))
        route("GET", "/generate/{id}", self._api(self._show))
        route("GET", "/generations", self._api(self._list))
        route("GET", "/models", self._api(_list_models))
        route("GET", "/credits", self._api(self._show_credits))
        route("GET", "/gen/{name}", self._files.serve)
        route("*", "/{anything:.*}", self._api(_nothing_here))
        return app

    def settings(self, base_url: str) -> dict[str, Any]:
        """Return the settings of a client: address and key."""
        return {"base_url": base_url, "api_key": self._api_key}

    async def idle(self) -> None:
        """Return when no generation is running and no webhook is on its way."""
        await self._timers.idle()

    def _api(self, handler: _Handler) -> _Handler:
        """Return *handler* behind the key and the plan's limit, with errors as documented."""

        async def answer(request: web.Request) -> web.StreamResponse:
            try:
                self._admit(request)
                return await handler(request)
            except Wrong as wrong:
                return _refused(Refusal(422, str(wrong)))
            except _OutOfCredits:
                return self._out_of_credits()
            except Refusal as refusal:
                return _refused(refusal)

        return answer

    def _admit(self, request: web.Request) -> None:
        if request.headers.get("Authorization") != f"Bearer {self._api_key}":
            raise Refusal(401)
        if self._mishaps.is_rate_limited():
            raise Refusal(429, wait_s=self._options.lag_s)
        if not self._allowance.takes():
            raise Refusal(429)
        if request.method != "POST" and self._mishaps.breaks(request.method, request.path):
            raise Refusal(500)

    async def _generate(self, request: web.Request) -> web.StreamResponse:
        body = await bodies.read(request)
        told = bodies.fingerprint(body, without=("webhook_url",))
        # Equal bodies are told apart by their turn, so that the same ones always meet the same fate.
        key = (told, self._occasions.next("submit", told))
        if self._options.hits("error_before", "pixza", *key):
            raise Refusal(500)
        order = read_order(body)
        base = _base(request, "/generate")
        source = await self._source(order, base)
        self._afford(order.model.credits, key)
        generation = self._open(order, base, source, key)
        await self._begin(generation)
        answer = _json(self._shown(generation))
        return await self._mishaps.answer(request, answer, task=generation.id, broken=_refused(Refusal(500)))

    async def _source(self, order: Order, base: str) -> Picture:
        if order.input_image is None:
            return _nothing
        try:
            return await self._sources.take(order.input_image, own=f"{base}/gen")
        except (UnsupportedFormat, Unreadable) as error:
            raise Wrong(f"input_image: {error}") from error

    def _afford(self, price: int, key: tuple[str, int]) -> None:
        if self._books.balance < price or self._options.hits("no_credits", "pixza", *key):
            raise _OutOfCredits

    def _open(self, order: Order, base: str, source: Picture, key: tuple[str, int]) -> Generation:
        """Write a generation down and take its credits; from here on it happens whatever the caller sees."""
        digest = self._options.digest("pixza", "generation", *key)
        name = f"{digest.hex()[32:44]}.{results.FORMATS[order.type].suffix}"
        generation = Generation(
            id=f"gen_{_letters(digest[:8])}",
            order=order,
            base=base,
            created_at=self._options.clock(),
            file=name,
            source=source,
            style=digest[8] % _LOOKS,
        )
        self._generations[generation.id] = generation
        operation = f"generate {order.type}"
        self._books.open_task(
            generation.id, operation, status="processing", digest=key[0], mark=order.webhook or ""
        )
        self._books.charge(generation.id, order.model.credits)
        return generation

    async def _begin(self, generation: Generation) -> None:
        """Start a generation, and wait for its end if it is one that is answered as finished."""
        order = generation.order
        pause = self._options.latency("pixza", generation.id, scale=_SCALES[order.type])
        if self._options.hits("early", generation.id):
            self._end(generation)
            await self._notify(generation)
            return
        ended = asyncio.Event()
        self._timers.spawn(self._work(generation, pause, ended))
        is_lucky = self._options.fraction("pixza", "at once", generation.id) < 0.5
        if order.type == "image" and pause <= AT_ONCE_S and is_lucky:
            await ended.wait()

    async def _work(self, generation: Generation, pause: float, ended: asyncio.Event) -> None:
        await asyncio.sleep(pause)
        self._end(generation)
        ended.set()
        await self._notify(generation)

    def _end(self, generation: Generation) -> None:
        if self._options.hits("task_failed", generation.id):
            generation.status = "failed"
        else:
            generation.status = "completed"
            make = partial(results.made, generation.order, generation.source, generation.style)
            self._files.add(generation.file, make, results.FORMATS[generation.order.type].content_type)
        self._books.task_status(generation.id, generation.status, finished=True)

    async def _notify(self, generation: Generation) -> None:
        """Call the webhook: as the page prints it, or with the result, as its table says."""
        url = generation.order.webhook
        is_silent = generation.status == "failed" and self._options.hits("silent_failure", generation.id)
        if url is None or is_silent:
            return
        is_short = self._options.fraction("pixza", "webhook", generation.id) < 0.5
        short = {"id": generation.id, "status": generation.status}
        body = short if is_short else self._shown(generation)
        await self._callbacks.send(generation.id, url, orjson.dumps(body))

    async def _show(self, request: web.Request) -> web.StreamResponse:
        generation = self._generations.get(request.match_info["id"])
        if generation is None or self._mishaps.lags(generation.id, generation.created_at):
            raise Refusal(404, "no such generation")
        return _json(self._shown(generation))

    async def _list(self, request: web.Request) -> web.StreamResponse:
        visible = (
            self._shown(generation)
            for generation in reversed(self._generations.values())
            if not self._mishaps.lags(generation.id, generation.created_at)
        )
        return _json({"generations": list(islice(visible, RECENT))})

    async def _show_credits(self, request: web.Request) -> web.StreamResponse:
        return _json({"credits_remaining": self._books.balance})

    def _shown(self, generation: Generation) -> dict[str, Any]:
        order, url = generation.order, None
        if generation.status == "completed":
            url = self._files.link(f"{generation.base}/gen", generation.file)
        created = datetime.fromtimestamp(generation.created_at, UTC)
        return {
            "id": generation.id,
            "status": generation.status,
            "type": order.type,
            "model": order.model.id,
            "prompt": order.prompt,
            "output_url": url,
            "width": order.width,
            "height": order.height,
            "credits_used": order.model.credits,
            "created_at": f"{created:%Y-%m-%dT%H:%M:%SZ}",
        }

    def _out_of_credits(self) -> web.Response:
        left = self._books.balance
        body = {
            "error": "insufficient_credits",
            "message": f"Your account has {left} credits remaining. Upgrade your plan to continue.",
            "credits_remaining": left,
        }
        return _json(body, 402)


async def _list_models(request: web.Request) -> web.StreamResponse:
    return _json({"models": [model.to_json() for model in MODELS.values()]})


async def _nothing_here(request: web.Request) -> web.StreamResponse:
    raise Refusal(404, f"{request.method} {request.path}")


def _base(request: web.Request, path: str) -> str:
    """Return the simulator's address as the caller wrote it: without *path*, without a slash at the end."""
    return f"{request.scheme}://{request.host}{request.path.removesuffix(path)}"


def _letters(digest: bytes) -> str:
    """Return twelve letters and digits, as in `gen_abc123xyz`."""
    number, letters = int.from_bytes(digest, "big"), ""
    for _ in range(12):
        number, rest = divmod(number, len(_ID_LETTERS))
        letters += _ID_LETTERS[rest]
    return letters


def _nothing() -> None:
    return None


def _refused(refusal: Refusal) -> web.Response:
    code, message = _CODES[refusal.status]
    told = f"{message}: {refusal.details}" if refusal.details else message
    response = _json({"error": code, "message": told}, refusal.status)
    if refusal.wait_s is not None:
        response.headers["Retry-After"] = str(math.ceil(refusal.wait_s))
    return response


def _json(body: object, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(body), status=status, content_type="application/json")
