"""
`core/http`: a request of the author's own, whose answer or callback is the step's result.

The request is sent by the same protocol as a provider's: written down first, sent once, and never
sent again blindly where it spends. What is made of the answer is the author's too: `result` and
`artifacts` are evaluated when everything is there.
"""

import re
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator
from pydantic_core import PydanticCustomError

from orchestrator.core.answers import EMPTY, Answer, Heard, files_of
from orchestrator.definition.scopes import CALLBACK_MARK
from orchestrator.definition.workflow import Value
from orchestrator.errors import ErrorClass, Failure
from orchestrator.outcomes import Accepted, Done, Failed, Rejected, SubmitOutcome, Unclear
from orchestrator.providers.base import (
    CallbackUrl,
    Exchange,
    Hole,
    Output,
    Params,
    Reply,
    Request,
    SharedSecret,
    Submit,
    Text,
)
from orchestrator.providers.replies import is_success, retry_after_s

BYTES_MAX = 1 << 20
"""Of an answer; what is longer cannot be a result."""

EXCERPT_MAX = 200
"""Of the body of a refusal, in the message that tells of it; characters."""

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
Method = Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]

_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,200}")
_SPELT = {name.lower(): name for name in ("Content-Type", "User-Agent", "Accept")}
_OURS = frozenset({"host", "content-length", "transfer-encoding", "connection", "upgrade", "expect", "te"})
_SECRET_NAME = r"^[a-z][a-z0-9]*(?:[_-][a-z0-9]+)*$"


class SecretHeader(BaseModel):
    """A header's value that is one of the settings' secrets."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    secret: str = Field(pattern=_SECRET_NAME, description="The name of one of [secrets] in the settings.")
    prefix: str = Field(default="", max_length=100, description="What stands before it, such as 'Bearer '.")


class Verify(BaseModel):
    """How the sender of the callback proves who it is."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    scheme: Literal["standard", "hmac", "token"] = Field(
        description="`standard`: Standard Webhooks; `hmac`: HMAC-SHA256 of the body; `token`: the secret."
    )
    secret: str = Field(pattern=_SECRET_NAME, description="The name of one of [secrets] in the settings.")
    header: str | None = Field(
        default=None, description="Where `hmac` and `token` stand, instead of X-Signature and Authorization."
    )


class Http(Params):
    """The request, and what its answer is good for."""

    url: str = Field(description="The whole address.")
    method: Method | None = Field(default=None, description="POST where there is a body, else GET.")
    headers: dict[str, str | SecretHeader] = Field(
        default_factory=dict,
        description="Texts, or `{secret: name, prefix: 'Bearer '}` for what must not be in the log.",
    )
    document: Any = Field(default=None, alias="json", description="The body, sent as JSON.")
    body: str | None = Field(default=None, description="The body as a text.")
    spends: bool | None = Field(
        default=None,
        description="Whether it must not be sent twice. Without it: all but GET and HEAD must not.",
    )
    idempotency_header: str | None = Field(
        default=None,
        description="A header that gets the job's id: by it the other side knows a request that is repeated.",
    )
    wait: Literal["none", "callback"] = Field(
        default="none", description="Whether the answer is the result, or a callback on `callback.url`."
    )
    verify: Verify | None = Field(
        default=None, description="Who sends the callback; without it, whoever knows its address may."
    )
    result: Any = Field(
        default=None, description="The step's output: an expression over `response` and `callback`."
    )
    artifacts: Any = Field(
        default=None, description="Addresses of files to keep: an expression over `response` and `callback`."
    )

    @field_validator("url")
    @classmethod
    def _is_an_address(cls, url: str) -> str:
        if not url.startswith(("http://", "https://")):
            raise PydanticCustomError("url", "write the whole address, as in https://example.com/tasks")
        return url

    @field_validator("headers", "idempotency_header")
    @classmethod
    def _are_headers(cls, given: Any) -> Any:
        for name in [given] if isinstance(given, str) else given or ():
            if not _TOKEN.fullmatch(name):
                raise PydanticCustomError("header", "'{name}' cannot be the name of a header", {"name": name})
            if name.lower() in _OURS:
                raise PydanticCustomError("header", "the header '{name}' is not yours to set", {"name": name})
        return given

    @classmethod
    def conflicts(cls, given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        if given.get("verify") is not None and given.get("wait") == "none":
            yield "verify", "there is no callback to verify: add 'wait: callback'"

    @classmethod
    def presence(cls, there: Set[str], perhaps: Set[str]) -> Iterator[tuple[str, str]]:
        if "body" in there and there & {"json", "document"}:
            yield "body", "give either 'json' or 'body', not both"

    @classmethod
    def needs(cls, given: Mapping[str, Any], there: Set[str]) -> Iterator[tuple[str, str]]:
        if given.get("verify") is not None and "wait" not in there:
            yield "verify", "there is no callback to verify: add 'wait: callback'"

    @property
    def verb(self) -> str:
        """The method that is used."""
        return self.method or ("GET" if self.document is None and self.body is None else "POST")

    @property
    def is_spending(self) -> bool:
        """Whether it must not be sent twice."""
        return self.spends if self.spends is not None else self.verb not in ("GET", "HEAD")

    @property
    def secrets(self) -> frozenset[str]:
        """The names of the secrets that it needs."""
        named = {value.secret for value in self.headers.values() if isinstance(value, SecretHeader)}
        return frozenset(named | ({self.verify.secret} if self.verify is not None else set()))

    @property
    def asks_for_callback(self) -> bool:
        """Whether anything that is sent holds the callback's address."""
        texts = [self.url, self.body or "", *(v for v in self.headers.values() if isinstance(v, str))]
        return any(CALLBACK_MARK in text for text in texts) or _is_marked(self.document)


class Gained(Output):
    """What `result` gives; without it the answer, or the callback, as expressions see it."""


def submit(params: Http, submit: Submit) -> Exchange[Request | SubmitOutcome]:
    """Make the request. It needs nothing to be done before."""
    yield from ()
    return Request(
        method=params.verb,
        url=_with_holes(params.url),
        headers=_headers(params, submit.job),
        json=None if params.document is None else _with_holes(params.document),
        text=None if params.body is None else _with_holes(params.body),
        follows=not params.is_spending and params.wait == "none",
        bytes_max=BYTES_MAX,
    )


def _headers(params: Http, job: str) -> dict[str, str | Hole]:
    headers: dict[str, str | Hole] = {"User-Agent": "callback-orchestrator", "Accept": "*/*"}
    if params.body is not None:
        headers["Content-Type"] = "text/plain; charset=utf-8"
    elif params.document is not None:
        headers["Content-Type"] = "application/json"
    for name, value in params.headers.items():
        # The same header in other letters would be a second one.
        name = _SPELT.get(name.lower(), name)
        if isinstance(value, SecretHeader):
            headers[name] = SharedSecret(value.secret, value.prefix)
        else:
            headers[name] = _with_holes(value)
    if params.idempotency_header is not None:
        headers[params.idempotency_header] = job
    return headers


def _with_holes(value: Any) -> Any:
    """Return *value* with a hole wherever the callback's address belongs."""
    if isinstance(value, dict):
        return {name: _with_holes(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_with_holes(inner) for inner in value]
    if not isinstance(value, str) or CALLBACK_MARK not in value:
        return value
    if value == CALLBACK_MARK:
        return CallbackUrl()
    parts: list[str | Hole] = []
    for piece in value.split(CALLBACK_MARK):
        parts += [piece, CallbackUrl()]
    return Text(tuple(part for part in parts[:-1] if part != ""))


def _is_marked(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_is_marked, value.values()))
    if isinstance(value, list):
        return any(map(_is_marked, value))
    return isinstance(value, str) and CALLBACK_MARK in value


def read(params: Http, reply: Reply) -> SubmitOutcome:
    """Say what the answer means; `Accepted` here: it is one of success, and its `answer` what it holds."""
    if is_success(reply):
        if reply.cut and params.wait == "none":
            message = f"the answer is longer than {BYTES_MAX} bytes"
            return Failed(Failure("result_unavailable", message))
        return Accepted(task_id="", answer=Answer.of(reply).to_json())
    waits = retry_after_s(reply)
    if reply.status in (425, 429) or (reply.status == 503 and waits is not None):
        return Rejected(Failure("rate_limited", _told(reply)), wait=True, retry_after_s=waits)
    if reply.status >= 500 or reply.status == 408:
        return Unclear(_told(reply))
    return Failed(Failure(_class_of(reply.status), _told(reply), code=str(reply.status)))


def _class_of(status: int) -> ErrorClass:
    classes: dict[int, ErrorClass] = {401: "unauthorized", 402: "insufficient_credits", 403: "unauthorized"}
    return classes.get(status, "invalid_request")


def _told(reply: Reply) -> str:
    """Return the status, and the beginning of what was said with it."""
    if 300 <= reply.status < 400:
        return f"it was answered with {reply.status}, and a redirect of what spends is not followed"
    words = " ".join(Answer.of(reply).text.split())
    words = "".join(c for c in words if c.isprintable())
    cut = f"{words[:EXCERPT_MAX]}…" if len(words) > EXCERPT_MAX else words
    return f"it was answered with {reply.status}" + (f": {cut}" if cut else "")


@dataclass(frozen=True, slots=True)
class Result:
    """What becomes of what came: the author's own expressions."""

    deferred: Mapping[str, Value]

    def of(self, answer: Answer, heard: Heard | None = None) -> Done:
        """
        Return the result of an answer, and of the callback where one was waited for.

        Errors:  InvalidValue, naming the parameter.
        """
        response, callback = answer.scope(), (heard or EMPTY).scope()
        scope = {"response": response, "callback": callback}
        output = response if heard is None else callback
        if "result" in self.deferred:
            output = self.deferred["result"].evaluate(scope)
        found = self.deferred["artifacts"].evaluate(scope) if "artifacts" in self.deferred else None
        # Null would be "not known yet"; an object without fields says that there is nothing.
        return Done(output={} if output is None else output, files=files_of(found))
