"""The simulators' core: faults by name, the books, callbacks that really arrive, files and the server."""

import asyncio
import base64
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from orchestrator.simulators.books import Books
from orchestrator.simulators.callbacks import Callbacks
from orchestrator.simulators.faults import Faults
from orchestrator.simulators.files import KEPT, Files
from orchestrator.simulators.server import SIMULATORS, Options, build, start
from orchestrator.simulators.sources import Sources, Unreadable, UnsupportedFormat
from orchestrator.simulators.timers import Timers


def test_faults_are_named_with_a_probability() -> None:
    faults = Faults.parse(" loss=0.1, duplicate = 1 ,late")

    assert faults.chances == {"loss": 0.1, "duplicate": 1.0, "late": 1.0}
    assert Faults.parse("").chances == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("los=0.1", "did you mean 'loss'"),
        ("xyz=0.1", "no fault 'xyz'. The faults are: answer_lost, creative"),
        ("loss=often", "needs a probability from 0 to 1, not 'often'"),
        ("loss=", "needs a probability"),
        ("loss=1.5", "from 0 to 1, not 1.5"),
        ("loss=nan", "from 0 to 1"),
        ("loss=0.1,loss=0.2", "given twice"),
    ],
)
def test_a_fault_that_cannot_be_read_is_explained(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Faults.parse(text)


def test_asking_for_a_fault_that_does_not_exist_is_a_mistake_of_ours() -> None:
    with pytest.raises(ValueError, match="no fault 'losss'"):
        Faults().hits("losss", "task", seed=0)


def test_the_same_task_meets_the_same_fate_in_any_order() -> None:
    faults = Faults.parse("loss=0.5,late=0.5")
    tasks = [f"task {n}" for n in range(200)]

    forwards = {task: faults.hits("loss", task, seed=7) for task in tasks}
    backwards = {task: faults.hits("loss", task, seed=7) for task in reversed(tasks)}

    assert forwards == backwards
    assert forwards != {task: faults.hits("loss", task, seed=8) for task in tasks}
    assert forwards != {task: faults.hits("late", task, seed=7) for task in tasks}


def test_a_fault_happens_about_as_often_as_asked() -> None:
    faults = Faults.parse("loss=0.1")

    hits = sum(faults.hits("loss", n, seed=1) for n in range(10_000))

    assert 850 < hits < 1150


def test_certain_faults_always_happen_and_others_never() -> None:
    always, never = Faults.parse("loss=1"), Faults.parse("loss=0")

    assert all(always.hits("loss", n, seed=1) for n in range(100))
    assert not any(never.hits("loss", n, seed=1) for n in range(100))


def test_latency_lies_in_its_range_and_scales() -> None:
    options = Options(latency_s=(1.0, 2.0))

    waits = [options.latency(n) for n in range(100)]

    assert 1.0 <= min(waits) < 1.2
    assert 1.8 < max(waits) < 2.0
    assert options.latency(5, scale=2.0) == 2 * options.latency(5)
    assert Options(latency_s=0.5).latency("any") == 0.5


def test_the_books_balance() -> None:
    books = Books("pizi", 10, clock=lambda: 100.0)
    books.open_task("t1", "create_model", status="processing", mark="a")
    books.open_task("t2", "create_model", status="processing", mark="a")
    books.charge("t1", 3)
    books.charge("t2", 3)
    books.charge("t2", -3)
    books.top_up(5)
    books.task_status("t1", "completed", finished=True)

    assert (books.balance, books.charged) == (12, 3)
    assert (books.tasks["t1"].charged, books.tasks["t2"].charged) == (3, 0)
    assert (books.tasks["t1"].status, books.tasks["t1"].finished_at) == ("completed", 100.0)
    assert books.repeated() == {"a": ("t1", "t2")}


def test_a_task_can_not_be_opened_twice() -> None:
    books = Books("pizi", 10)
    books.open_task("t1", "create_model", status="processing")

    with pytest.raises(ValueError, match="t1"):
        books.open_task("t1", "create_model", status="processing")


async def _sent(receiver: Any, faults: str, tasks: int = 1, **options: Any) -> Books:
    """Send a callback for each task, and return the books when all is over."""
    chosen = Options(faults=Faults.parse(faults), lag_s=0.0)
    books, timers = Books("pizi", 0), Timers()
    callbacks = Callbacks(chosen, books, backoff_s=0.0, **options)
    app = web.Application()
    app.cleanup_ctx.append(callbacks.context)
    runner = web.AppRunner(app)
    await runner.setup()
    for number in range(tasks):
        timers.spawn(callbacks.send(f"task {number}", receiver.url, b'{"number": %d}' % number))
    await timers.idle()
    await runner.cleanup()
    return books


async def test_a_callback_arrives_and_stands_in_the_books(receiver: Any) -> None:
    books = await _sent(receiver, "")

    assert receiver.bodies == [{"number": 0}]
    assert receiver.content_types == ["application/json"]
    assert [(sent.task, sent.attempt, sent.status) for sent in books.callbacks] == [("task 0", 1, 204)]


async def test_a_lost_callback_never_arrives(receiver: Any) -> None:
    books = await _sent(receiver, "loss")

    assert receiver.bodies == []
    assert [(sent.status, sent.error) for sent in books.callbacks] == [(None, "never sent (fault loss)")]


async def test_a_duplicated_callback_arrives_twice(receiver: Any) -> None:
    books = await _sent(receiver, "duplicate")

    assert receiver.bodies == [{"number": 0}, {"number": 0}]
    assert len(books.callbacks) == 2


async def test_a_callback_held_back_is_overtaken_by_the_next(receiver: Any) -> None:
    seed = next(n for n in range(100) if _fates(n) == [True, False])
    timers, order = Timers(), []

    async def deliver(url: str, body: bytes) -> int:
        order.append(body)
        return 204

    chosen = Options(faults=Faults.parse("reorder=0.5"), lag_s=60.0, seed=seed, deliver=deliver)
    callbacks = Callbacks(chosen, Books("pizi", 0))
    timers.spawn(callbacks.send("task 0", receiver.url, b"first"))
    timers.spawn(callbacks.send("task 1", receiver.url, b"second"))
    await timers.idle()

    assert order == [b"second", b"first"]


def _fates(seed: int) -> list[bool]:
    faults = Faults.parse("reorder=0.5")
    return [faults.hits("reorder", f"task {n}", seed=seed) for n in range(2)]


async def test_the_last_callback_is_not_held_back_for_ever(receiver: Any) -> None:
    await _sent(receiver, "reorder", tasks=3)

    assert sorted(body["number"] for body in receiver.bodies) == [0, 1, 2]


async def test_a_refused_callback_is_tried_once_unless_the_provider_retries(receiver: Any) -> None:
    receiver.statuses = [500, 500]

    once = await _sent(receiver, "")
    thrice = await _sent(receiver, "", attempts=3)

    assert [sent.status for sent in once.callbacks] == [500]
    assert [(sent.attempt, sent.status) for sent in thrice.callbacks] == [(1, 500), (2, 204)]


async def test_a_receiver_that_is_not_there_stands_in_the_books(receiver: Any, unused_tcp_port: int) -> None:
    receiver.url = f"http://127.0.0.1:{unused_tcp_port}/hook"

    books = await _sent(receiver, "")

    assert books.callbacks[0].status is None
    assert "ClientConnectorError" in str(books.callbacks[0].error)


def _maker(made: list[str], name: str) -> Callable[[], bytes]:
    """Return a maker that notes that it worked."""

    def make() -> bytes:
        made.append(name)
        return name.encode()

    return make


async def test_a_file_is_made_at_its_first_download_and_only_once() -> None:
    made: list[str] = []
    files = Files(Options())
    files.add("a", _maker(made, "a"), "image/png")
    before = list(made)

    both = await asyncio.gather(files.content("a"), files.content("a"))

    assert (before, list(both), made) == ([], [b"a", b"a"], ["a"])


async def test_only_some_files_are_kept_and_the_others_made_again() -> None:
    made: list[str] = []
    files = Files(Options())
    names = [str(number) for number in range(KEPT + 1)]
    for name in names:
        files.add(name, _maker(made, name), "image/png")
        await files.content(name)

    await files.content(names[-1])
    await files.content(names[0])

    assert made == [*names, names[0]]


async def test_a_file_whose_making_failed_is_tried_again() -> None:
    results: list[bytes] = []
    files = Files(Options())
    files.add("a", lambda: results.pop(), "image/png")
    with pytest.raises(IndexError):
        await files.content("a")
    results.append(b"A")

    assert await files.content("a") == b"A"


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("data:image/gif;base64,R0lGODlh", UnsupportedFormat),
        ("data:image/png;base64,R0lGODlh", UnsupportedFormat),
        ("data:image/png;base64,%%%", Unreadable),
        ("data:image/png,abc", Unreadable),
        ("https://cdn.example.com/shirt.webp", UnsupportedFormat),
        ("ftp://cdn.example.com/shirt.png", Unreadable),
        ("shirt.png", Unreadable),
        ("http://127.0.0.1:1/shirt.png", Unreadable),
        ("http://[oops/shirt.png", Unreadable),
    ],
)
async def test_what_is_no_jpg_or_png_is_not_taken(source: str, error: type[Exception]) -> None:
    sources, app = Sources(Files(Options())), web.Application()
    app.cleanup_ctx.append(sources.context)
    async with TestServer(app):
        with pytest.raises(error):
            await sources.take(source, own="http://127.0.0.1:9/files")


async def test_a_webp_is_taken_only_where_the_provider_takes_one() -> None:
    source = "data:image/webp;base64," + base64.b64encode(b"RIFF\x04\0\0\0WEBPVP8 ").decode()

    taken = await Sources(Files(Options()), takes_webp=True).take(source, own="http://x/files")

    assert taken() == b"RIFF\x04\0\0\0WEBPVP8 "
    with pytest.raises(UnsupportedFormat):
        await Sources(Files(Options())).take(source, own="http://x/files")


async def test_an_address_elsewhere_is_believed_and_not_fetched() -> None:
    picture = await Sources(Files(Options())).take("https://cdn.example.com/shirt.jpg", own="http://x/files")

    assert picture() is None


async def test_the_work_of_a_stopped_simulator_ends() -> None:
    timers, app = Timers(), web.Application()
    app.cleanup_ctx.append(timers.context)
    runner = web.AppRunner(app)
    await runner.setup()
    timers.spawn(asyncio.sleep(3600))

    await runner.cleanup()

    await asyncio.wait_for(timers.idle(), 1)


def test_every_kind_runs_unless_others_are_asked_for() -> None:
    assert set(Options().kinds) == set(SIMULATORS)


def test_a_kind_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="no simulator 'pixi'; there are: "):
        build(Options(kinds=("pixi",)))


async def test_a_taken_port_is_an_os_error(begin: Any) -> None:
    running = await begin()
    port = int(running.url.rpartition(":")[2])

    with pytest.raises(OSError, match="address already in use"):
        await start(Options(kinds=("pizi",)), port=port)


async def test_an_address_for_everybody_is_told_as_one_to_call(begin: Any) -> None:
    running = await start(Options(kinds=("pizi",)), host="0.0.0.0")
    await running.stop()

    assert running.url.startswith("http://127.0.0.1:")


async def test_a_stop_does_not_wait_for_answers_on_their_way(pizi: Any, receiver: Any) -> None:
    client = await pizi("early,slow_answer", lag_s=3600.0)
    accepted = asyncio.Event()
    receiver.on_call = accepted.set
    body = {"gender": "male", "callbackUrl": receiver.url}
    answer = asyncio.ensure_future(client.call("POST", "/models", body))
    await accepted.wait()

    await asyncio.wait_for(client.running.stop(), 5)

    with pytest.raises(aiohttp.ClientError):
        await answer


async def test_the_books_are_served(begin: Any) -> None:
    running = await begin(credits=5)
    async with aiohttp.ClientSession() as http:
        await http.get(f"{running.url}/pizi/models")
        everything = await (await http.get(f"{running.url}/books")).json()
        own = await (await http.get(f"{running.url}/pizi/books")).json()

    assert everything == {"pizi": own}
    assert (own["balance"], own["requests"]["counts"]) == (5, {"GET /models 401": 1})


async def test_credentials_depend_on_the_seed(begin: Any) -> None:
    first, same, other = await begin(seed=1), await begin(seed=1), await begin(seed=2)

    keys = [running.client_settings("pizi")["api_key"] for running in (first, same, other)]

    assert keys[0] == keys[1] != keys[2]
