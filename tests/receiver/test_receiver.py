"""The public listener, over real connections: what is kept, what is answered, what is turned away."""

import asyncio
import gzip
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import web

from orchestrator import receiver
from orchestrator.store.rows import Delivery
from orchestrator.store.sqlite import SqliteStore
from orchestrator.store.sqlite.writer import on_thread


async def kept(public: Any) -> list[Delivery]:
    store: SqliteStore = public.store
    return list(await store.pending())


# --- what is kept -----------------------------------------------------------------------------


async def test_a_callback_is_kept_as_it_came_and_acknowledged(public: Any) -> None:
    headers = ("Content-Type: application/json", "X-Forwarded-For: 203.0.113.7", "x-ODD: \xe9")
    body = b'{"taskUuid": "t",\n "n": 1.0}'

    reply = await public.ask("POST", public.path("job_7") + "?a=1&a=%20+", body, headers)

    assert (reply.status, reply.body) == (200, b'{"ok": true}')
    assert reply.headers["content-type"] == "application/json"
    (one,) = await kept(public)
    assert (one.job, one.connection, one.method, one.query) == ("job_7", "pizi", "POST", "a=1&a=%20+")
    assert (one.body, one.size, one.content_type) == (body, len(body), "application/json")
    assert (one.remote, one.verdict) == ("127.0.0.1", "pending")
    assert orjson.loads(one.headers) == [
        ["Host", "hooks.example.com"],
        ["Content-Type", "application/json"],
        ["X-Forwarded-For", "203.0.113.7"],
        ["x-ODD", "\xe9"],
        ["Content-Length", str(len(body))],
    ]
    assert public.receiver.stats.received == 1


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/x-www-form-urlencoded", b"a=1&b=%20"),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--x--',
        ),
        ("text/plain; charset=utf-16", "grün".encode("utf-16")),
        ("application/json", b"{broken"),
        ("nonsense", bytes(range(256))),
        ("", b""),
    ],
)
async def test_any_content_is_kept(public: Any, content_type: str, body: bytes) -> None:
    reply = await public.ask("POST", public.path(), body, (f"Content-Type: {content_type}",))

    assert reply.status == 200
    (one,) = await kept(public)
    assert (one.body, one.content_type) == (body, content_type)


async def test_a_callback_by_get_is_kept(public: Any) -> None:
    reply = await public.ask("GET", public.path() + "?uid=", length=False)

    assert reply.status == 200
    (one,) = await kept(public)
    assert (one.method, one.query, one.body) == ("GET", "uid=", b"")


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "unknown"])
async def test_a_compressed_body_is_kept_compressed(public: Any, coding: str) -> None:
    body = gzip.compress(b'{"a": 1}' * 100)

    reply = await public.ask("POST", public.path(), body, (f"Content-Encoding: {coding}",))

    assert reply.status == 200
    assert [one.body for one in await kept(public)] == [body]


async def test_a_body_may_come_in_pieces(public: Any) -> None:
    line = await public.line()
    head = f"POST {public.path()} HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\n".encode()

    await line.send(head[:10], head[10:40], head[40:], b"ab", b"c", b"def")

    assert (await line.reply()).status == 200
    assert [one.body for one in await kept(public)] == [b"abcdef"]


async def test_a_body_may_come_in_chunks(public: Any) -> None:
    line = await public.line()
    head = f"POST {public.path()} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode()

    await line.send(head, b"3\r\nabc\r\n", b"3;ext=1\r\nd", b"ef\r\n", b"0\r\n\r\n")

    assert (await line.reply()).status == 200
    assert [one.body for one in await kept(public)] == [b"abcdef"]


async def test_a_client_that_asks_first_is_told_to_go_on(public: Any) -> None:
    line = await public.line()
    head = f"POST {public.path()} HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"

    await line.send(head.encode())
    assert (await line.reply()).status == 100
    await line.send(b"{}")

    assert (await line.reply()).status == 200


async def test_credentials_are_not_kept(public: Any) -> None:
    secrets = ("Authorization: Bearer s3cret", "COOKIE: s3cret", "Proxy-Authorization: s3cret")

    await public.ask("POST", public.path(), b"{}", (*secrets, "X-Signature: kept"))

    (one,) = await kept(public)
    assert b"s3cret" not in one.headers
    assert b"X-Signature" in one.headers


async def test_deliveries_sort_by_arrival(public: Any) -> None:
    line = await public.line()
    request = f"POST {public.path()} HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n".encode()

    await line.send(b"".join(request + b"%03d" % n for n in range(100)))
    statuses = [(await line.reply()).status for _ in range(100)]

    assert statuses == [200] * 100
    assert [one.body for one in await kept(public)] == [b"%03d" % n for n in range(100)]


async def test_beyond_a_hundred_bodies_of_one_job_are_not_kept_but_acknowledged(public: Any) -> None:
    statuses = {(await public.ask("POST", public.path(), b"%d" % n)).status for n in range(102)}
    other = await public.ask("POST", public.path("job_2"), b"mine")

    kept = [(d.size, d.body) for d in await public.store.pending()]
    assert statuses == {200}
    assert other.status == 200
    assert kept[99] == (2, b"99")
    assert kept[100:] == [(3, None), (3, None), (4, b"mine")]


async def test_a_token_signed_with_an_older_key_still_counts(public: Any) -> None:
    older = list(public.keyring._keys)[-1]
    token = public.keyring.callback_token("pizi", "job_1", key=older)

    assert (await public.ask("POST", f"/callbacks/pizi/{token}")).status == 200


@pytest.mark.parametrize(
    "change",
    [
        lambda path: "http://hooks.example.com" + path,
        lambda path: path.replace(".", "%2E").replace("_", "%5f"),
    ],
)
async def test_other_spellings_of_the_url_count(public: Any, change: Callable[[str], str]) -> None:
    assert (await public.ask("POST", change(public.path()))).status == 200


# --- acknowledged only when durable -------------------------------------------------------------


async def test_nothing_is_acknowledged_before_it_is_on_disk(public: Any, tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "x.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    asking = asyncio.create_task(public.ask("POST", public.path(), b"{}"))

    done, _ = await asyncio.wait([asking], timeout=0.2)
    assert not done

    other.execute("ROLLBACK")
    assert (await asking).status == 200
    assert other.execute("SELECT body FROM deliveries").fetchall() == [(b"{}",)]
    other.close()


async def test_what_cannot_be_stored_is_not_acknowledged(public: Any, tmp_path: Path) -> None:
    writer = public.store._connections[0]
    await on_thread(writer, lambda db: db.execute("PRAGMA max_page_count = 1").fetchone())
    big = b"x" * 500_000

    refused = await public.ask("POST", public.path(), big)
    await on_thread(writer, lambda db: db.execute("PRAGMA max_page_count = 100000").fetchone())
    taken = await public.ask("POST", public.path(), big)

    assert (refused.status, refused.headers["retry-after"]) == (503, "5")
    assert taken.status == 200
    assert len(await kept(public)) == 1
    assert (public.receiver.stats.unavailable, public.receiver.stats.received) == (1, 1)


async def test_a_client_that_leaves_within_the_body_leaves_nothing(public: Any) -> None:
    line = await public.line()
    await line.send(f"POST {public.path()} HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc".encode())
    line.writer.close()
    await line.writer.wait_closed()

    assert (await public.ask("POST", public.path(), b"{}")).status == 200
    assert [one.body for one in await kept(public)] == [b"{}"]


# --- what is turned away ------------------------------------------------------------------------


def _wrong(path: str) -> dict[str, str]:
    token = path.rsplit("/", 1)[1]
    job, tag = token.split(".")
    return {
        "another job": f"/callbacks/pizi/job_2.{tag}",
        "another connection": f"/callbacks/perfect/{token}",
        "changed tag": f"/callbacks/pizi/{job}.{'A' if tag[0] != 'A' else 'B'}{tag[1:]}",
        "short tag": f"/callbacks/pizi/{job}.{tag[:-1]}",
        "long tag": f"/callbacks/pizi/{job}.{tag}A",
        "no tag": f"/callbacks/pizi/{job}",
        "empty tag": f"/callbacks/pizi/{job}.",
        "no token": "/callbacks/pizi/",
        "no connection": f"/callbacks/{token}",
        "trailing slash": path + "/",
        "beyond ascii": f"/callbacks/pizi/{job}." + "%C3%A9" * 22,
        "nothing": "/callbacks/",
    }


@pytest.mark.parametrize("kind", list(_wrong("/callbacks/pizi/job_1." + "x" * 22)))
async def test_a_wrong_token_is_not_found_and_remembered(public: Any, kind: str) -> None:
    path = _wrong(public.path())[kind]

    reply = await public.ask("POST", path + "?uid=7", b'{"a": 1}', ("Content-Type: application/json",))

    assert reply.status == 404
    assert await kept(public) == []
    (reject,) = public.receiver.rejects
    assert (reject.reason, reject.method, reject.query) == ("signature", "POST", "uid=7")
    assert (reject.body, reject.content_type, reject.remote) == (b'{"a": 1}', "application/json", "127.0.0.1")
    assert public.receiver.stats.rejected == {"signature": 1}


@pytest.mark.parametrize(
    ("spoil", "rest"),
    [
        (lambda path: path, "…"),
        (lambda path: path + "x", "…"),
        (lambda path: path + "/", "…/"),
        (lambda path: path[:-2], "…"),
        (lambda path: path.replace(".", "%2e"), "…"),
        (lambda path: path.replace(".", "%252E"), "…"),
    ],
)
async def test_signatures_are_not_remembered(public: Any, spoil: Any, rest: str) -> None:
    path = public.path().replace("pizi", "perfect")

    await public.ask("POST", spoil(path))

    assert public.receiver.rejects[0].path == f"/callbacks/perfect/job_1.{rest}"


async def test_junk_is_remembered_within_bounds(public: Any) -> None:
    line = await public.line()
    request = b"POST /callbacks/pizi/junk HTTP/1.1\r\nHost: x\r\nContent-Length: 6000\r\n\r\n" + b"x" * 6000
    for _ in range(11):
        await line.send(request * 100)
        replies = [await line.reply() for _ in range(100)]

        assert {reply.status for reply in replies} == {404}

    assert len(public.receiver.rejects) == 1000
    assert {len(reject.body) for reject in public.receiver.rejects} == {4096}
    assert public.receiver.stats.rejected["signature"] == 1100


@pytest.mark.parametrize("method", ["HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_other_methods_are_not_allowed(public: Any, method: str) -> None:
    reply = await public.ask(method, public.path())

    assert (reply.status, reply.headers["allow"]) == (405, "GET, POST")
    assert await kept(public) == []
    assert public.receiver.rejects[0].reason == "method"


@pytest.mark.parametrize("path", ["/", "/callbacks", "/api/v1/runs", "/artifacts/x", "/healthz/x", "/hooks"])
async def test_everything_else_is_not_found(public: Any, path: str) -> None:
    assert (await public.ask("GET", path)).status == 404
    assert public.receiver.rejects[0].reason == "not_found"


async def test_a_body_up_to_the_limit_is_kept(make_public: Callable[..., Any]) -> None:
    public = await make_public(body_limit=100_000)

    assert (await public.ask("POST", public.path(), b"x" * 100_000)).status == 200
    assert (await public.ask("POST", public.path(), b"x" * 100_001)).status == 413
    assert [one.size for one in await kept(public)] == [100_000]


async def test_a_body_that_says_it_is_too_large_is_not_read(make_public: Callable[..., Any]) -> None:
    public = await make_public(body_s=0.2)
    line = await public.line()

    await line.send(
        f"POST {public.path()} HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\nx".encode()
    )

    reply = await line.reply()
    assert (reply.status, reply.closed) == (413, True)


async def test_a_body_that_grows_too_large_is_given_up(make_public: Callable[..., Any]) -> None:
    public = await make_public(body_limit=10_000, body_s=0.5)
    line = await public.line()
    await line.send(
        f"POST {public.path()} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    )

    await line.send(*[b"3e8\r\n" + b"x" * 1000 + b"\r\n"] * 11)

    reply = await line.reply()
    assert (reply.status, reply.closed) == (413, True)
    assert await kept(public) == []


async def test_a_body_that_does_not_come_is_given_up(make_public: Callable[..., Any]) -> None:
    public = await make_public(body_s=0.2)
    line = await public.line()

    await line.send(f"POST {public.path()} HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc".encode())

    reply = await line.reply()
    assert (reply.status, reply.closed) == (408, True)
    assert await kept(public) == []
    assert public.receiver.stats.rejected == {"slow": 1}


async def test_headers_that_do_not_come_end_the_connection(make_public: Callable[..., Any]) -> None:
    public = await make_public(body_s=0.2)
    line = await public.line()

    await line.send(b"POST /callbacks/pizi/x HTTP/1.1\r\nHost:")

    assert await asyncio.wait_for(line.reader.read(), 5) == b""


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (("X-Big: " + "x" * 32_000,), 200),
        (("X-Big: " + "x" * 33_000,), 431),
        (tuple(f"X-{n}: {'x' * 4000}" for n in range(7)), 200),
        (tuple(f"X-{n}: {'x' * 4000}" for n in range(9)), 431),
        (tuple(f"X-{n}: x" for n in range(98)), 200),
        (tuple(f"X-{n}: x" for n in range(99)), 431),
        (("Cookie: " + "x" * 20_000, "Authorization: " + "x" * 20_000), 431),
    ],
    ids=["one", "one too large", "seven", "together too large", "a hundred", "too many", "secret ones"],
)
async def test_headers_are_bounded(public: Any, headers: tuple[str, ...], status: int) -> None:
    reply = await public.ask("POST", public.path(), b"{}", headers)

    assert reply.status == status
    assert len(await kept(public)) == (status == 200)
    assert public.receiver.stats.rejected["headers"] == (status == 431)


async def test_path_and_query_are_bounded(public: Any) -> None:
    assert (await public.ask("POST", public.path() + "?" + "x" * 8000)).status == 200
    assert (await public.ask("POST", public.path() + "?" + "x" * 9000)).status == 414


@pytest.mark.parametrize(
    "raw",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"BREW / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET /callbacks/pizi/x?a=\xe9 HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
)
async def test_what_is_no_request_is_refused_without_a_word_about_the_inside(public: Any, raw: bytes) -> None:
    line = await public.line()

    await line.send(raw)

    reply = await line.reply()
    assert (reply.status, reply.body) == (400, b'{"error":"not a valid HTTP request"}')


async def test_broken_chunks_are_refused(public: Any) -> None:
    line = await public.line()
    await line.send(
        f"POST {public.path()} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    )

    await line.send(b"zz\r\nabc\r\n")

    assert (await line.reply()).status == 400
    assert await kept(public) == []


# --- the connection ---------------------------------------------------------------------------


async def test_a_connection_serves_many_requests(public: Any) -> None:
    line = await public.line()
    for path, status in ((public.path(), 200), ("/nothing", 404), ("/healthz", 200), (public.path(), 200)):
        await line.send(f"POST {path} HTTP/1.1\r\nHost: x\r\n\r\n".replace("POST /h", "GET /h").encode())

        reply = await line.reply()
        assert (reply.status, reply.closed) == (status, False)


@pytest.mark.parametrize("version", ["1.1\r\nConnection: close", "1.0", "1.0\r\nConnection: keep-alive"])
async def test_a_connection_is_closed_when_it_should_be(public: Any, version: str) -> None:
    line = await public.line()

    await line.send(f"GET /healthz HTTP/{version}\r\nHost: x\r\n\r\n".encode())

    reply = await line.reply()
    assert (reply.status, reply.closed) == (200, True)
    assert await line.reader.read() == b""


async def test_no_answer_says_what_serves_it(public: Any) -> None:
    answers = [
        await public.ask("GET", "/healthz"),
        await public.ask("GET", "/nothing"),
        await public.ask("POST", public.path()),
        await public.ask("POST", public.path(), b"", ("X: " + "x" * 40_000,)),
        await public.ask("BREW", "/"),
    ]

    assert [answer.status for answer in answers] == [200, 404, 200, 431, 400]
    assert all("server" not in answer.headers and "date" in answer.headers for answer in answers)


async def test_health_can_be_asked_without_a_body(public: Any) -> None:
    assert (await public.ask("GET", "/healthz")).body == b'{"ok": true}'
    assert (await public.ask("HEAD", "/healthz")).headers["content-length"] == "12"
    assert (await public.ask("POST", "/healthz")).status == 404


# --- artifacts --------------------------------------------------------------------------------


async def test_artifact_links_are_handed_on(make_public: Callable[..., Any]) -> None:
    async def handler(request: web.BaseRequest, digest: str) -> web.StreamResponse:
        return web.Response(text=f"{digest} until {request.query['exp']}")

    public = await make_public(artifact_handler=handler)

    reply = await public.ask("GET", "/artifacts/abc?exp=9&sig=x")
    assert (reply.status, reply.body) == (200, b"abc until 9")
    assert "server" not in reply.headers
    assert (await public.ask("POST", "/artifacts/abc")).status == 405


async def test_a_fault_of_ours_shows_nothing_of_the_inside(
    make_public: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    async def handler(request: web.BaseRequest, digest: str) -> web.StreamResponse:
        raise RuntimeError("an inside story")

    public = await make_public(artifact_handler=handler)

    reply = await public.ask("GET", "/artifacts/abc", headers=("Accept: text/html",))

    assert (reply.status, reply.body) == (500, b'{"error":"internal error"}')
    assert "an inside story" in caplog.text


async def test_the_limits_are_those_of_the_contract() -> None:
    assert (receiver.HEADER_BYTES, receiver.HEADER_FIELDS) == (32 * 1024, 100)
    assert (receiver.BODY_S, receiver.KEPT_REJECTS, receiver.KEPT_BODY_BYTES) == (30, 1000, 4096)


@pytest.mark.parametrize(
    ("raised", "status", "text"),
    [(web.HTTPNotFound, 404, "not found"), (web.HTTPGone, 410, "the link has expired")],
)
async def test_a_link_that_leads_nowhere_is_remembered_without_its_signature(
    make_public: Callable[..., Any], raised: type[web.HTTPException], status: int, text: str
) -> None:
    async def handler(request: web.BaseRequest, digest: str) -> web.StreamResponse:
        raise raised

    public = await make_public(artifact_handler=handler)

    reply = await public.ask("GET", "/artifacts/abc?exp=9&sig=x")

    assert (reply.status, reply.body) == (status, b'{"error":"%s"}' % text.encode())
    (reject,) = public.receiver.rejects
    assert (reject.reason, reject.path, reject.query) == ("link", "/artifacts/abc", "")
