"""Log lines are structured, go to one place, and never hold a secret."""

import contextlib
import io
import logging
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
import structlog
from aiohttp import web
from aiohttp.pytest_plugin import AiohttpServer
from aiohttp.test_utils import TestClient
from hypothesis import given
from hypothesis import strategies as st

from orchestrator import telemetry, tokens
from orchestrator.telemetry import redaction
from orchestrator.telemetry.access import AccessLog

JOB = "job_01jd0000000000000000000000"
TOKEN = tokens.Keyring(["k" * 32]).callback_token("pizi", JOB)
TAG = TOKEN.partition(".")[2]


@pytest.fixture(autouse=True)
def untouched() -> Iterator[None]:
    """Leave logging as it was found."""
    handlers, level = logging.root.handlers[:], logging.root.level
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
    logging.root.handlers, logging.root.level = handlers, level
    redaction._known.clear()
    telemetry.redact([])


@pytest.fixture
def stream() -> io.BytesIO:
    """Where JSON lines from info on are sent."""
    stream = io.BytesIO()
    telemetry.configure(json=True, stream=stream)
    return stream


def lines(stream: io.BytesIO) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_is_an_object_with_time_level_and_what_is_bound(stream: io.BytesIO) -> None:
    log = telemetry.logger()

    with structlog.contextvars.bound_contextvars(run_id="run_1", job_id=JOB):
        log.info("job.adopted", task_id="t-1")

    (line,) = lines(stream)
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "job.adopted",
        "level": "info",
        "run_id": "run_1",
        "job_id": JOB,
        "task_id": "t-1",
    }


def test_a_logger_made_before_configuration_obeys_it(stream: io.BytesIO) -> None:
    log = telemetry.logger()
    telemetry.configure(json=True, level="warning", stream=stream)

    log.info("run.created")
    log.warning("job.timed_out")

    assert [line["event"] for line in lines(stream)] == ["job.timed_out"]


def test_people_get_text_with_the_traceback_cleaned() -> None:
    stream = io.BytesIO()
    telemetry.redact(["s3cret-value"])
    telemetry.configure(json=False, stream=stream)

    try:
        raise RuntimeError("refused s3cret-value")
    except RuntimeError:
        telemetry.logger().exception("loop.failed", loop="intake")

    text = stream.getvalue().decode()
    assert "loop.failed" in text
    assert "RuntimeError: refused [redacted]" in text


@pytest.mark.parametrize("buffering", [0, -1])
def test_a_line_that_cannot_be_written_costs_nobody_anything_but_the_line(buffering: int) -> None:
    # Closed by hand: what it holds back cannot be written then either.
    full = open("/dev/full", "wb", buffering=buffering)  # noqa: SIM115
    telemetry.configure(json=True, stream=full)

    for _ in range(1000):
        telemetry.logger().info("server.started", public="p" * 100)
    logging.getLogger("a library").warning("said something")

    with contextlib.suppress(OSError):
        full.close()


def test_lines_of_libraries_go_the_same_way(stream: io.BytesIO) -> None:
    telemetry.redact(["s3cret-value"])
    # Once more, because pytest has put a handler of its own beside ours meanwhile.
    telemetry.configure(json=True, stream=stream)

    logging.getLogger("aiohttp.server").error("cannot send %s", "s3cret-value")
    logging.getLogger("aiohttp.server").debug("too quiet")
    logging.getLogger("sloppy").warning("%d", "not a number")

    assert [(line["library"], line["level"], line["message"]) for line in lines(stream)] == [
        ("aiohttp.server", "error", "cannot send [redacted]"),
        ("sloppy", "warning", "%d"),
    ]


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        (f"POST /callbacks/pizi/{TOKEN}?uid=", f"POST /callbacks/pizi/{JOB}.[redacted]?uid="),
        (
            f"https://h.example/p/callbacks/pizi/{TOKEN}",
            f"https://h.example/p/callbacks/pizi/{JOB}.[redacted]",
        ),
        (f"/callbacks/pizi/{JOB}%2E{TAG}", f"/callbacks/pizi/{JOB}.[redacted]"),
        (f"token {TOKEN} came", f"token {JOB}.[redacted] came"),
        ("/artifacts/sha256:ab?exp=1&sig=AbC-_1", "/artifacts/sha256:ab?exp=1&sig=[redacted]"),
        ("Authorization: Bearer abcdef.ghi", "Authorization: Bearer [redacted]"),
        ("{'authorization': 'raw-key-1'}", "{'authorization': '[redacted]'}"),
        ("X-API-Key=abc123", "X-API-Key=[redacted]"),
        ("http://user:pass@host/a", "http://[redacted]@host/a"),
        ("mail@example.com", "mail@example.com"),
        ("a basic idea", "a basic idea"),
        ("red\x1b[31m\x07", "red\\x1b[31m\\x07"),
        ("lone \ud800", "lone \\ud800"),
    ],
)
def test_what_lets_a_reader_act_in_our_name_is_taken_out_by_its_shape(text: str, seen: str) -> None:
    assert telemetry.scrub(text) == seen


@pytest.mark.parametrize(
    "spelled", ['se+cr/et"ä', "se%2Bcr%2Fet%22%C3%A4", 'se+cr/et\\"\\u00e4', "c2UrY3IvZXQiw6Q="]
)
def test_a_known_secret_is_taken_out_in_every_spelling(spelled: str) -> None:
    telemetry.redact(['se+cr/et"ä'])

    assert telemetry.scrub(f"before {spelled} after").startswith("before [redacted]")
    assert telemetry.scrub(f"before {spelled} after").endswith(" after")


def test_a_secret_inside_another_does_not_leave_its_rest() -> None:
    telemetry.redact(["secret", "secret-and-more"])

    assert telemetry.scrub("secret-and-more") == "[redacted]"


def test_a_word_too_short_to_be_a_secret_does_not_blot_out_lines() -> None:
    telemetry.redact(["", "API"])

    assert telemetry.scrub("API says no") == "API says no"


def test_fields_called_like_a_secret_are_masked_at_any_depth(stream: io.BytesIO) -> None:
    request = {"headers": [{"Authorization": "x", "Accept": "y"}], "api_key": 1, "pizi_api_key": "z"}

    telemetry.logger().info("run.created", request=request, client_secret="q", token=None, tokens=2)

    (line,) = lines(stream)
    assert line["request"] == {
        "headers": [{"Authorization": "[redacted]", "Accept": "y"}],
        "api_key": "[redacted]",
        "pizi_api_key": "[redacted]",
    }
    assert (line["client_secret"], line["token"], line["tokens"]) == ("[redacted]", None, 2)


def test_no_object_carries_a_secret_or_breaks_a_line(stream: io.BytesIO) -> None:
    telemetry.redact(["s3cret-value"])

    class Carrier:
        def __str__(self) -> str:
            return "carries s3cret-value"

    deep: list[Any] = ["s3cret-value"]
    for _ in range(50):
        deep = [deep]
    telemetry.logger().info("run.created", a=Carrier(), b={Carrier(): 2**70}, c=b"s3cret-value", d=deep)

    (line,) = lines(stream)
    assert line["a"] == "carries [redacted]"
    assert line["b"] == {"carries [redacted]": str(2**70)}
    assert line["c"] == "<12 bytes>"
    assert "s3cret" not in stream.getvalue().decode()


@given(st.text(min_size=6, max_size=20), st.text(max_size=20), st.text(max_size=20))
def test_a_known_secret_never_survives(secret: str, before: str, after: str) -> None:
    redaction._known.clear()
    telemetry.redact([secret])

    seen = telemetry.scrub(f"{before} {secret} {after}")

    # The text around it may happen to hold the secret's characters only where the mask does.
    assert secret not in seen or secret in redaction.MASK or secret in f"{before} {after}"


async def test_the_access_log_shows_neither_query_nor_token(
    stream: io.BytesIO, aiohttp_server: AiohttpServer
) -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(text="ok")

    app = web.Application()
    app.router.add_post("/callbacks/{connection}/{token}", answer)
    server = await aiohttp_server(app, access_log_class=AccessLog)

    async with TestClient(server) as client:
        await client.post(f"/callbacks/pizi/{TOKEN}?uid=1&sig=x")

    (line,) = [line for line in lines(stream) if line["event"] == "request.answered"]
    assert (line["method"], line["status"]) == ("POST", 200)
    assert line["path"] == f"/callbacks/pizi/{JOB}.[redacted]"
    assert TAG not in stream.getvalue().decode()
