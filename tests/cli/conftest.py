"""A small server of canned answers, and a way to call the command as a user does."""

import json
import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import structlog
from click.testing import CliRunner, Result

from orchestrator.cli import cli


@dataclass
class Asked:
    """One request that arrived."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Answer:
    """What is answered; *body* is JSON unless it is bytes."""

    body: Any = None
    status: int = 200
    content_type: str = "application/json"

    def encoded(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


@dataclass
class Stage:
    """The server: *answers* by path without query, one after the other, the last one again and again."""

    url: str = ""
    answers: dict[str, list[Answer]] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)

    def on(self, path: str, *answers: Answer) -> None:
        """Answer requests for *path* below `/api/v1`."""
        self.answers[f"/api/v1{path}"] = list(answers)


@pytest.fixture(autouse=True)
def untouched() -> Iterator[None]:
    """Leave logging as it was found: commands set it up for their process, which here is everybody's."""
    handlers, level, chain = logging.root.handlers[:], logging.root.level, structlog.get_config()
    yield
    logging.root.handlers, logging.root.level = handlers, level
    structlog.configure(**chain)


@pytest.fixture
def stage() -> Iterator[Stage]:
    """A server on loopback that answers what it was told to."""
    played = Stage()

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            played.asked.append(Asked(self.command, self.path, dict(self.headers), self.rfile.read(length)))
            queue = played.answers.get(self.path.partition("?")[0])
            if not queue:
                self.send_error(404)
                return
            answer = queue.pop(0) if len(queue) > 1 else queue[0]
            data = answer.encoded()
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.content_type)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = _answer

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    played.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=lambda: server.serve_forever(poll_interval=0.01))
    thread.start()
    yield played
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def answer() -> type[Answer]:
    """What a canned answer is made with: body, status, content type."""
    return Answer


Call = Callable[..., Result]


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch) -> Call:
    """Call the command in this process, with nothing of this machine's settings."""
    for name in ("ORCHESTRATOR_CONFIG", "ORCHESTRATOR_SERVER", "ORCHESTRATOR_API_KEY"):
        monkeypatch.delenv(name, raising=False)

    def call(*args: str, env: dict[str, str] | None = None) -> Result:
        return CliRunner().invoke(cli, args, env=env)

    return call
