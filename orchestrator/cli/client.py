"""The client of the admin API that every command from `run` on uses."""

import functools
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from pathlib import Path
from typing import IO, Any
from urllib.parse import SplitResult, quote, urlencode, urlsplit

import click

from orchestrator.cli.trouble import FAILED, WRONG, Trouble, Unreachable

DEFAULT_SERVER = "http://127.0.0.1:8081"
VARIABLES = ("ORCHESTRATOR_SERVER", "ORCHESTRATOR_API_KEY")
TIMEOUT_S = 30.0
QUIET_S = 60.0
"""How long a stream may say nothing before it is opened anew; nothing is lost by that."""
RECONNECT_S = (0.5, 1.0, 2.0, 5.0)
PIECE_BYTES = 1 << 16
PAGE = 200

Object = dict[str, Any]


class Refusal(Trouble):
    """The server understood and said no. *status* is that of its answer."""

    def __init__(self, status: int, message: str) -> None:
        # A conflict or a broken server is no fault of what was typed.
        super().__init__(message, FAILED if status == 409 or status >= 500 else WRONG)
        self.status = status


class Client:
    """One server's admin API. Answers of the wrong shape are those of somebody else's server."""

    def __init__(self, server: str, api_key: str | None = None, timeout_s: float = TIMEOUT_S) -> None:
        parts = urlsplit(server)
        if not _is_address(parts):
            raise Trouble(
                f"the server's address '{server}' is none: write it as {DEFAULT_SERVER} "
                "(--server or ORCHESTRATOR_SERVER)"
            )
        self.server = server.rstrip("/")
        self._scheme, self._host, self._prefix = parts.scheme, parts.netloc, parts.path.rstrip("/")
        self._api_key, self._timeout_s = api_key, timeout_s

    def patient(self, timeout_s: float) -> "Client":
        """Return a client of the same server that waits so long for an answer."""
        return Client(self.server, self._api_key, timeout_s)

    # --- requests ---

    def get(self, path: str, **query: Any) -> Any:
        """Return the answer to a GET below `/api/v1`; parameters that are None are left out."""
        return self._json(self._send("GET", path, query))

    def post(self, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Any:
        """Return the answer to a POST of *body* as JSON."""
        data = b"" if body is None else _encoded(body)
        return self._json(
            self._send("POST", path, {}, data, {"Content-Type": "application/json", **(headers or {})})
        )

    def raw(self, path: str) -> bytes:
        """Return the body of the answer to a GET, whatever it is."""
        return self._read(self._send("GET", path, {}))

    def pieces(self, path: str) -> Iterator[bytes]:
        """Yield the body of the answer to a GET as it comes."""
        answer = self._send("GET", path, {})
        try:
            while piece := answer.read(PIECE_BYTES):
                yield piece
        except (OSError, HTTPException) as error:
            raise Unreachable(f"the connection to {self.server} was lost: {_reason(error)}") from error

    def upload(self, path: Path) -> Object:
        """Send a file's bytes and return the artifact that they are now."""
        try:
            with path.open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size)}
                answer = self._send("POST", "/artifacts", {"name": path.name}, file, headers)
        except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
            raise Trouble(f"{path}: cannot be read: {error.strerror}") from error
        except Refusal as refusal:
            raise Refusal(refusal.status, f"{path}: {refusal.message}") from refusal
        return self._object(self._json(answer))

    def items(self, path: str, limit: int | None = None, **query: Any) -> Iterator[Object]:
        """Yield what a list in pages holds, at most *limit*."""
        cursor, left = None, limit
        while left is None or left > 0:
            asked = PAGE if left is None else min(left, PAGE)
            page = self._object(self.get(path, **query, limit=asked, cursor=cursor))
            items = page.get("items") or []
            yield from items
            left = None if left is None else left - len(items)
            cursor = page.get("next_cursor")
            if not items or cursor is None:
                return
            # The cursor stands for the place; the server takes one of the two.
            query.pop("after", None)

    # --- the log ---

    def follow(
        self, last: int | None, *, on_loss: Callable[[str], None] = lambda reason: None, **query: Any
    ) -> Iterator[Object]:
        """
        Yield events as they happen, for ever; a dropped connection is taken up where it ended.

        Shape:   *last* is the sequence after which to begin, None for now.
        Errors:  Unreachable when nobody answers the first time; later ones are told to *on_loss*.
        """
        attempt, is_first = 0, True
        while True:
            try:
                for event in self._stream(last, query):
                    last, attempt = int(event["sequence"]), 0
                    yield event
                reason = "the server ended the stream"
            except Unreachable as error:
                if is_first:
                    raise
                reason = error.message
            is_first = False
            on_loss(reason)
            time.sleep(RECONNECT_S[min(attempt, len(RECONNECT_S) - 1)])
            attempt += 1

    def _stream(self, last: int | None, query: Mapping[str, Any]) -> Iterator[Object]:
        headers = {"Accept": "text/event-stream"}
        if last is not None:
            headers["Last-Event-ID"] = str(last)
        answer = self._send("GET", "/events/stream", query, headers=headers, timeout_s=QUIET_S)
        try:
            yield from _server_sent(answer)
        except (OSError, HTTPException) as error:
            raise Unreachable(f"the connection to {self.server} was lost: {_reason(error)}") from error
        finally:
            answer.close()

    # --- below ---

    def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, Any],
        body: bytes | IO[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
        timeout_s: float | None = None,
    ) -> HTTPResponse:
        """Return the answer, its body unread. Errors: Unreachable; Refusal for a status of 400 and more."""
        given = {name: value for name, value in query.items() if value is not None}
        target = f"{self._prefix}/api/v1{path}" + (f"?{urlencode(given, doseq=True)}" if given else "")
        own = {"Connection": "close"} | (
            {"Authorization": f"Bearer {self._api_key}"} if self._api_key else {}
        )
        make = HTTPSConnection if self._scheme == "https" else HTTPConnection
        connection = make(self._host, timeout=timeout_s or self._timeout_s)
        try:
            connection.request(method, target, body, {**own, **(headers or {})})
            answer = connection.getresponse()
        except (OSError, HTTPException, ValueError) as error:
            raise Unreachable(
                f"no answer from {self.server} ({_reason(error)}); is the server running? start it with "
                "`orchestrator serve`, or say where it is with --server or ORCHESTRATOR_SERVER"
            ) from error
        if answer.status >= 300:
            raise self._refusal(answer)
        return answer

    def _read(self, answer: HTTPResponse) -> bytes:
        try:
            return answer.read()
        except (OSError, HTTPException) as error:
            raise Unreachable(f"the connection to {self.server} was lost: {_reason(error)}") from error

    def _json(self, answer: HTTPResponse) -> Any:
        text = self._read(answer)
        try:
            return json.loads(text) if text else None
        except ValueError as error:
            raise self._stranger(answer.status) from error

    def _object(self, data: Any) -> Object:
        if not isinstance(data, dict):
            raise self._stranger(200)
        return data

    def _refusal(self, answer: HTTPResponse) -> Trouble:
        problem = self._json(answer) if "problem+json" in answer.headers.get("Content-Type", "") else None
        if answer.status == 401:
            return Refusal(401, f"{self.server} wants an API key: put a valid one into ORCHESTRATOR_API_KEY")
        if not isinstance(problem, dict):
            return self._stranger(answer.status)
        return Refusal(answer.status, explained(problem))

    def _stranger(self, status: int) -> Unreachable:
        return Unreachable(
            f"{self.server} answers (status {status}), but not as an orchestrator's admin listener; "
            "check --server or ORCHESTRATOR_SERVER"
        )


def explained(problem: Mapping[str, Any]) -> str:
    """Return what `application/problem+json` says: a sentence, and a line for each place."""
    found = [error for error in problem.get("errors") or () if isinstance(error, dict)]
    places = [f"{error.get('location')}: {error.get('message')}" for error in found]
    # The title only repeats what a status of that number means.
    head = str(problem.get("detail") or problem.get("title") or "the server refused")
    if places and head == "; ".join(places):
        return "\n".join(places)
    return "\n  ".join([head, *places])


def _server_sent(lines: Any) -> Iterator[Object]:
    """Yield the JSON data of each event of an event stream."""
    data: list[str] = []
    for raw in lines:
        line = raw.decode("utf-8", "replace").rstrip("\r\n")
        if line.startswith("data:"):
            data.append(line.removeprefix("data:").removeprefix(" "))
        elif not line and data:
            try:
                event = json.loads("\n".join(data))
            except ValueError:
                event = None
            data = []
            if isinstance(event, dict) and "sequence" in event:
                yield event


def _reason(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "it took too long"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__


def _is_address(parts: SplitResult) -> bool:
    try:
        is_port = parts.port is None or parts.port > 0
    except ValueError:
        return False
    return is_port and parts.scheme in ("http", "https") and bool(parts.hostname) and "@" not in parts.netloc


def _encoded(body: Any) -> bytes:
    """Return *body* as JSON. Errors: Trouble, for texts and numbers that JSON has not."""
    try:
        return json.dumps(body, ensure_ascii=False, allow_nan=False).encode()
    except UnicodeEncodeError as error:
        raise Trouble(f"what was typed is not UTF-8 text: {_around(error)}") from error
    except ValueError as error:
        raise Trouble("one of the numbers is none that JSON knows (NaN, or too large)") from error


def _around(error: UnicodeEncodeError) -> str:
    """Return the place that could not be written as UTF-8, with its bytes spelt out."""
    found = error.object[max(error.start - 20, 0) : error.end]
    return found.encode("utf-8", "backslashreplace").decode()


def part(text: str) -> str:
    """Return *text* as one part of a path. Errors: Trouble, where it can be none."""
    if not text:
        raise Trouble("an empty text was given where an id or a name is needed")
    try:
        return quote(text, safe="")
    except UnicodeEncodeError as error:
        raise Trouble(f"what was typed is not UTF-8 text: {_around(error)}") from error


def with_client(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give *command* the option --server, and the client of that server as its first argument."""

    @click.option(
        "--server",
        envvar="ORCHESTRATOR_SERVER",
        default=DEFAULT_SERVER,
        show_default=True,
        metavar="URL",
        help="The admin listener of the server.",
    )
    @functools.wraps(command)
    def call(*args: Any, server: str, **kwargs: Any) -> Any:
        _check_variables()
        return command(Client(server, os.environ.get("ORCHESTRATOR_API_KEY")), *args, **kwargs)

    return call


def _check_variables() -> None:
    """Refuse a misspelt variable: a command that is not told its server asks, and spends, at another one."""
    if any(name.startswith("ORCHESTRATOR_") and name not in VARIABLES for name in os.environ):
        # Imported here: nearly always there is nothing to check, and this takes its time.
        from orchestrator.settings import check_variables

        check_variables(os.environ)
