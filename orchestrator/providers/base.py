"""
What a connector is: a codec, not a client.

A connector turns our parameters into the provider's requests and the provider's
answers into our outcomes. It opens no connection, reads no clock and no bytes.
What it does with a provider is written as a generator, an *exchange*: it yields
a `Request` and is sent the `Reply`, or yields `Prepare` and is sent an image
that fits. The runtime drives it and owns time-outs, limits, retries, redaction.

The one request that spends money is special, and its shape makes paying twice
hard to write by accident. A submit exchange does not yield it but *returns* it;
the runtime stores it durably, sends it, and gives the reply to `Operation.read`.
So nothing can come after it, what comes before it may be repeated after a crash,
and an answer to a resend is read by the same function as the first one.

What a provider says is data (`Accepted`, `Pending`, `Done`, `Failed`, …), never
an exception: it goes into the log.
"""

import re
from collections.abc import Callable, Collection, Generator, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Annotated, Any, Literal, Protocol, TypeVar
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    SecretStr,
    Tag,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)

from orchestrator import durations
from orchestrator.outcomes import TASK_LOST as TASK_LOST
from orchestrator.outcomes import Accepted as Accepted
from orchestrator.outcomes import Alike as Alike
from orchestrator.outcomes import Callback as Callback
from orchestrator.outcomes import CallbackMeaning as CallbackMeaning
from orchestrator.outcomes import CheckOutcome as CheckOutcome
from orchestrator.outcomes import Done as Done
from orchestrator.outcomes import Failed as Failed
from orchestrator.outcomes import Found as Found
from orchestrator.outcomes import Hint as Hint
from orchestrator.outcomes import LookUpOutcome as LookUpOutcome
from orchestrator.outcomes import Meaningless as Meaningless
from orchestrator.outcomes import Pending as Pending
from orchestrator.outcomes import Rejected as Rejected
from orchestrator.outcomes import ResultFile as ResultFile
from orchestrator.outcomes import Retry as Retry
from orchestrator.outcomes import SubmitOutcome as SubmitOutcome
from orchestrator.outcomes import Unauthorized as Unauthorized
from orchestrator.outcomes import Unclear as Unclear
from orchestrator.outcomes import Unknown as Unknown
from orchestrator.outcomes import Unreadable as Unreadable
from orchestrator.outcomes import Untrusted as Untrusted
from orchestrator.outcomes import Verdict as Verdict
from orchestrator.providers import rates
from orchestrator.providers.parameters import Output as Output
from orchestrator.providers.parameters import ParamProblem as ParamProblem
from orchestrator.providers.parameters import Params as Params
from orchestrator.providers.parameters import check_params as check_params

# --- what goes out ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """
    One HTTP request to a provider.

    *path* is appended to the connection's base URL and gets its credentials. *url*
    instead is an absolute address that the provider gave us (an upload, say): it
    is sent exactly as it is, without re-quoting and without credentials.
    *json* may hold `Hole`s anywhere, *url* and each header may be one; *content* sends the bytes
    of an image, *text* is sent as it is. *follows*: redirects are followed, which no request that
    spends may ask for. *bytes_max*: a longer answer is cut there, and its reply says so.
    """

    method: str
    path: str = ""
    url: "str | Hole | None" = None
    query: Mapping[str, str | int] = field(default_factory=dict)
    headers: "Mapping[str, str | Hole]" = field(default_factory=dict)
    json: Any = None
    text: "str | Hole | None" = None
    content: "PreparedBytes | None" = None
    timeout_s: float | None = None
    follows: bool = False
    bytes_max: int | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back: header names are lower case, *body* is complete unless it was *cut*."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    cut: bool = False


class Hole:
    """A place in a request body that is filled when it is sent, so that the log never holds what fills it."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class CallbackUrl(Hole):
    """
    The job's own callback URL. Left out of the body (its key too) when callbacks are off.

    *slot* is put at its end, for providers that append their id to the text they are given.
    """

    slot: str = ""


@dataclass(frozen=True, slots=True)
class Inline(Hole):
    """The bytes of an image, as text in the body."""

    image: "PreparedBytes"
    form: Literal["data_uri", "base64"]


@dataclass(frozen=True, slots=True)
class Link(Hole):
    """A signed, expiring link on our public listener, for providers that only take URLs."""

    image: "PreparedBytes"


@dataclass(frozen=True, slots=True)
class Credential(Hole):
    """A field of the connection's settings, for providers that want it in the body."""

    name: str


@dataclass(frozen=True, slots=True)
class RequestNumber(Hole):
    """The next integer of the connection's persisted counter; taken once per job, kept for a resend."""


@dataclass(frozen=True, slots=True)
class SharedSecret(Hole):
    """One of the settings' shared secrets, with *prefix* before it."""

    name: str
    prefix: str = ""


@dataclass(frozen=True, slots=True)
class Text(Hole):
    """A text with holes in it."""

    parts: tuple[str | Hole, ...]


# --- images ----------------------------------------------------------------------------------


class ArtifactRef(BaseModel):
    """An artifact we hold, as `steps.x.artifacts[0]` gives it; only the digest matters."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    digest: str = Field(pattern=r"^sha256:[0-9a-f]{64}$")
    media_type: str | None = None
    name: str | None = None


class FileRef(BaseModel):
    """
    A file that the provider already holds: `{file_id: …}`.

    *artifact*: the same image here, which a later attempt uploads should the provider not have it any more.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    file_id: str = Field(min_length=1)
    artifact: ArtifactRef | None = None


_SCHEMES = ("http://", "https://", "data:", "artifact:sha256:")


def _form_of_image(value: Any) -> str | None:
    """Return which of the forms of an image *value* has, or None."""
    if isinstance(value, str):
        return "text" if value.startswith(_SCHEMES) else None
    if isinstance(value, Mapping):
        return "artifact" if "digest" in value else "file" if "file_id" in value else None
    if isinstance(value, ArtifactRef):
        return "artifact"
    return "file" if isinstance(value, FileRef) else None


_WHICH_FORM = Discriminator(
    _form_of_image,
    custom_error_type="image",
    custom_error_message="an image is an http(s) URL, a data URI, or an artifact (artifact:sha256:…)",
)

_IMAGE_SCHEMA: dict[str, Any] = {
    "anyOf": [
        {"type": "string"},
        {"type": "object", "properties": {"digest": {"type": "string"}}, "required": ["digest"]},
    ],
    "format": "image",
    "description": "An image: URL, data URI, artifact, or uploaded file.",
}

_IMAGE_OR_FILE_SCHEMA = {
    **_IMAGE_SCHEMA,
    "anyOf": [
        *_IMAGE_SCHEMA["anyOf"],
        {"type": "object", "properties": {"file_id": {"type": "string"}}, "required": ["file_id"]},
    ],
}

Image = Annotated[
    Annotated[str, Tag("text")] | Annotated[ArtifactRef, Tag("artifact")],
    _WHICH_FORM,
    WithJsonSchema(_IMAGE_SCHEMA),
]
"""An image parameter: http(s) URL, data URI, `artifact:sha256:…`, or an artifact object."""

ImageOrFile = Annotated[
    Annotated[str, Tag("text")] | Annotated[ArtifactRef, Tag("artifact")] | Annotated[FileRef, Tag("file")],
    _WHICH_FORM,
    WithJsonSchema(_IMAGE_OR_FILE_SCHEMA),
]
"""Likewise, or `{file_id: …}` of a file that the provider already holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepts:
    """
    What an operation takes as an image.

    *url*: an http(s) URL is passed on untouched instead of being downloaded.
    *bytes_max* in bytes, *long_side_max* in pixels; None = no limit known.
    *media_types*: what the bytes may be; the first is what others are converted to.
    *grey*: it takes one channel of grey only, as for a mask.
    *invert*: black is white for it, as for a mask whose other side is meant.
    """

    media_types: Sequence[str] = ("image/jpeg", "image/png")
    grey: bool = False
    invert: bool = False
    url: bool = False
    bytes_max: int | None = None
    long_side_max: int | None = None
    resize: bool = True


@dataclass(frozen=True, slots=True)
class Prepare:
    """Asks the runtime for an image in a form that the operation takes."""

    image: str | ArtifactRef
    accepts: Accepts = Accepts()


@dataclass(frozen=True, slots=True)
class PreparedUrl:
    """The image is at a URL that the provider can fetch."""

    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedBytes:
    """The image is an artifact of ours, in a form that fits. Dimensions in pixels, *size* in bytes."""

    digest: str
    media_type: str
    size: int
    width: int | None
    height: int | None
    name: str


T = TypeVar("T")
Exchange = Generator[Request | Prepare, Any, T]
"""Yields `Request` (is sent a `Reply`) or `Prepare` (is sent `PreparedUrl | PreparedBytes`)."""


# --- the connector ---------------------------------------------------------------------------


class Waiting(Enum):
    """How the end of a task becomes known."""

    NONE = "none"
    """The submit's answer is the result; there is nothing to wait for."""
    HINT = "hint"
    """A callback says that something happened; the truth is asked from the API."""
    VERDICT = "verdict"
    """The callback is the truth; there is no API to ask."""
    HEARTBEAT = "heartbeat"
    """Only polls tell, and a task that nobody polls for some seconds is lost."""
    POLL = "poll"
    """Only polls tell; a poll may be held open by the provider."""
    TIMER = "timer"
    """No provider: the task is done when its time has come."""
    PERSON = "person"
    """No provider: a person decides."""
    RUN = "run"
    """No provider: the task is another run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Submit:
    """What an exchange may know about the job it submits."""

    job: str
    attempt: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """
    A submitted job, as its check, look-up and callback need it. *params* as validated at the submit.

    *patient*: an answer may be held back until the task has ended.
    """

    job: str
    task_id: str | None
    resource_id: str | None
    params: Any
    patient: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """
    One thing a provider can do.

    *submit*   makes the exchange that ends with the request that starts it, or with an
               outcome where none is needed (refused on the way, or done without it).
    *read*     says what the reply to that request means; given the parameters too.
    *check*    makes the exchange that asks how it stands; None where nobody can ask.
    *look_up*  makes the exchange that searches for what an uncertain submit created.
    *likeness* what a look-up that finds tasks merely `Alike` goes by: those with the same may be one.
    *resend*   the provider ignores a second submit with the same key or number.
    *spends*   a submit costs money, or has another effect that must not be had twice.
    *gives_files*  its results have files, which become artifacts.
    *makes*    which kinds of file these parameters give, by the first word of a media type (`image`, `video`,
               `model`): a page or a file of another kind is no result. Empty: whatever comes.
    *timeout_s* per attempt (None: as long as its run), *poll_s* between heartbeats, *lost_after_s*
               without one.
    *price*    credits that these parameters cost, where a price list says so.
    *priced*   a price list says what it costs, so that a budget can be kept; None: it costs nothing.
    *files*    how many files a task with these parameters gives, at least and at most; None: nobody knows.
    """

    name: str
    summary: str
    params: type[Params]
    output: type[Output]
    submit: Callable[[Any, Submit], Exchange[Request | SubmitOutcome]]
    read: Callable[[Any, Reply], SubmitOutcome]
    check: Callable[[Task], Exchange[CheckOutcome]] | None = None
    look_up: Callable[[Task], Exchange[LookUpOutcome]] | None = None
    likeness: Callable[[Any], Hashable] = lambda params: None
    waiting: Waiting = Waiting.NONE
    resend: bool = False
    spends: bool = False
    gives_files: bool = False
    makes: Callable[[Any], Collection[str]] = lambda params: ()
    timeout_s: float | None = 1800.0
    poll_s: float | None = None
    lost_after_s: float | None = None
    poll_timeout_s: float | None = None
    price: Callable[[Any], float | None] = lambda params: None
    priced: bool | None = None
    files: Callable[[Any], tuple[int, int]] | None = None


class Budget(BaseModel):
    """At most *credits* for what is submitted within one period; periods are counted from the epoch, UTC."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    credits: float = Field(gt=0, allow_inf_nan=False)
    per: str

    @field_validator("per")
    @classmethod
    def _takes_time(cls, text: str) -> str:
        if not durations.seconds(text):
            raise ValueError("a budget is for a period such as 1h, 1d or 7d")
        return text


class ConnectionSettings(BaseModel):
    """What every connection may set; each kind adds its credentials. Durations are texts such as 30s."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    kind: str
    base_url: str
    rate_limits: list[str]
    max_in_flight: int | None = Field(default=None, ge=1)
    first_check: str = "30s"
    max_check_interval: str = "5m"
    uncertain_grace: str = "5m"
    request_timeout: str = "30s"
    budget: Budget | None = None
    prices: dict[str, Any] = Field(default_factory=dict)

    @field_validator("base_url")
    @classmethod
    def _leads_to_a_host(cls, text: str) -> str:
        parts = urlsplit(text)
        is_plain = not parts.query and not parts.fragment and not re.search(r"\s", text)
        if parts.scheme not in ("http", "https") or not parts.hostname or not is_plain:
            raise ValueError("write the whole address, such as https://api.example.com/v1")
        return text

    @field_validator("rate_limits")
    @classmethod
    def _are_rates(cls, texts: list[str]) -> list[str]:
        for text in texts:
            rates.parse(text)
        return texts

    @field_validator("first_check", "max_check_interval", "uncertain_grace", "request_timeout")
    @classmethod
    def _takes_time(cls, text: str, info: ValidationInfo) -> str:
        # Only looking for an uncertain submit may be left away.
        if not durations.seconds(text) and info.field_name != "uncertain_grace":
            raise ValueError("a duration must be greater than zero")
        return text


@dataclass(frozen=True, slots=True)
class Login:
    """An access token, and for how long it may be used, in seconds."""

    token: str
    valid_s: float


class Connector(Protocol):
    """
    One configured account of a provider. Its methods are pure.

    Made by the kind's `connect(settings)`, with settings already validated.
    """

    kind: str
    settings: ConnectionSettings
    operations: Mapping[str, Operation]

    def headers(self, token: str | None) -> Mapping[str, str]:
        """Return the headers that carry the credentials; *token* is what `login` gave."""
        ...

    def secrets(self) -> Sequence[SecretStr]:
        """Return every credential, so that redaction and tests know what must never be seen."""
        ...

    def login(self, now_ms: int, seal: Callable[..., bytes]) -> Exchange[Login | Failed | Retry] | None:
        """
        Make the exchange that gets an access token, or return None where none is needed.

        *seal(public_key, text)* encrypts with RSA PKCS#1 v1.5, with `oaep=True` with OAEP; it is handed in
        because its padding is random.
        """
        ...

    def read_callback(self, callback: Callback, task: Task) -> CallbackMeaning:
        """Say what a delivery means. Never raises: what cannot be read is `Unreadable`."""
        ...

    def read_credits(self, reply: Reply) -> float | None:
        """Return the balance that *reply* shows, where the provider shows one."""
        ...
