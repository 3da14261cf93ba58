"""Requests on the hooks of workflows: only those whose sender could prove who it is reach the disk."""

import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
import pytest

from orchestrator.store.rows import Delivery

PROOF = ("X-Proof: right",)


@dataclass(frozen=True)
class Hook:
    """Believes who sends the right proof; remembers what it was asked."""

    secret_header: str | None = None

    def refusal(self, headers: Mapping[str, str], body: bytes, now: int) -> str | None:
        return None if headers.get("x-proof") == "right" else "there is no proof of it"


@pytest.fixture
async def public(make_public: Callable[..., Any]) -> Any:
    return await make_public(hooks={"orders": Hook(), "secret orders": Hook("x-proof")}.get)


async def kept(public: Any) -> list[Delivery]:
    return list(await public.store.pending())


async def test_a_request_that_was_verified_is_kept_as_it_came_and_answered_with_its_delivery(
    public: Any,
) -> None:
    body = b'{"id": 7}'

    reply = await public.ask("POST", "/hooks/orders?a=1&a=%20", body, (*PROOF, "Content-Type: text/json"))

    (one,) = await kept(public)
    assert reply.status == 202
    assert orjson.loads(reply.body) == {"ok": True, "delivery": one.id}
    assert one.id.startswith("dlv_")
    assert (one.hook, one.job, one.connection, one.run) == ("orders", "", "", None)
    assert (one.method, one.query, one.body, one.size) == ("POST", "a=1&a=%20", body, 9)
    assert (one.content_type, one.verdict, one.remote) == ("text/json", "pending", "127.0.0.1")
    assert ["X-Proof", "right"] in orjson.loads(one.headers)


async def test_a_header_that_is_the_secret_itself_is_not_kept(public: Any) -> None:
    await public.ask("POST", "/hooks/secret%20orders", b"", (*PROOF, "Authorization: Bearer right"))

    (one,) = await kept(public)
    assert one.hook == "secret orders"
    assert b"right" not in one.headers


async def test_an_empty_body_is_kept_like_any_other(public: Any) -> None:
    reply = await public.ask("POST", "/hooks/orders", b"", PROOF)

    (one,) = await kept(public)
    assert (reply.status, one.body, one.size) == (202, b"", 0)


async def test_who_cannot_prove_who_he_is_leaves_nothing_on_the_disk(public: Any) -> None:
    reply = await public.ask("POST", "/hooks/orders", b"junk", ("X-Proof: wrong",))

    assert (reply.status, reply.body) == (403, b'{"error":"the sender could not be verified"}')
    assert await kept(public) == []
    (remembered,) = public.receiver.rejects
    assert (remembered.reason, remembered.detail) == ("hook", "there is no proof of it")
    assert remembered.path == "/hooks/orders"
    assert public.receiver.stats.rejected["hook"] == 1


@pytest.mark.parametrize("path", ["/hooks/others", "/hooks/", "/hooks/orders/", "/hooks/orders/1", "/hooks"])
async def test_whether_there_is_a_workflow_without_a_hook_nobody_can_tell(public: Any, path: str) -> None:
    reply = await public.ask("POST", path, b"{}", PROOF)

    assert (reply.status, reply.body) == (404, b'{"error":"not found"}')
    assert await kept(public) == []


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "HEAD"])
@pytest.mark.parametrize("name", ["orders", "others"])
async def test_a_hook_takes_post_alone(public: Any, method: str, name: str) -> None:
    reply = await public.ask(method, f"/hooks/{name}", b"", PROOF)

    assert (reply.status, reply.headers["allow"]) == (405, "POST")
    assert await kept(public) == []


async def test_a_header_that_is_sent_twice_is_verified_as_one(public: Any) -> None:
    reply = await public.ask("POST", "/hooks/orders", b"", (*PROOF, *PROOF))

    assert reply.status == 403


async def test_what_cannot_be_stored_is_to_be_sent_again(public: Any, tmp_path: Any) -> None:
    blocker = sqlite3.connect(tmp_path / "x.db", isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")

    reply = await public.ask("POST", "/hooks/orders", b"{}", PROOF)

    blocker.execute("ROLLBACK")
    blocker.close()
    assert (reply.status, reply.headers["retry-after"]) == (503, "5")
    assert await kept(public) == []


async def test_bodies_and_headers_have_the_bounds_of_callbacks(make_public: Callable[..., Any]) -> None:
    public = await make_public(hooks={"orders": Hook()}.get, body_limit=10)

    assert (await public.ask("POST", "/hooks/orders", b"x" * 10, PROOF)).status == 202
    assert (await public.ask("POST", "/hooks/orders", b"x" * 11, PROOF)).status == 413
    many = tuple(f"X-{n}: 1" for n in range(120))
    assert (await public.ask("POST", "/hooks/orders", b"", (*PROOF, *many))).status == 431
    assert len(await kept(public)) == 1


async def test_more_than_a_hundred_bodies_of_one_hook_are_kept(public: Any) -> None:
    for n in range(102):
        await public.ask("POST", "/hooks/orders", b"%d" % n, PROOF)

    assert [one.body for one in await kept(public)] == [b"%d" % n for n in range(102)]
