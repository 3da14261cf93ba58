"""What a provider said, as plain data: the words that connectors, engine and runtime share."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from orchestrator.errors import Failure

TASK_LOST = "task_lost"
"""The code of a task that died, unpaid, because nobody asked for it; its class is `provider_error`."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """
    The task is theirs now; its result comes later. *poll_s* asks for the first look this soon.

    *answer*: what came with it and is needed to make the result.
    """

    task_id: str
    poll_s: float | None = None
    answer: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Pending:
    """Still being worked on. *progress* is a word for people; *poll_s* asks for the next look this soon."""

    progress: str | None = None
    poll_s: float | None = None
    resource_id: str | None = None


@dataclass(frozen=True, slots=True)
class ResultFile:
    """One file of a result, to be downloaded at once."""

    url: str
    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """The result. *output* is what workflows see; *files* become artifacts, in this order."""

    output: dict[str, Any]
    files: tuple[ResultFile, ...] = ()
    credits: float | None = None
    task_id: str | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """
    The provider's final word: it will not bring a result.

    *excused*: a stop of this server is to blame, so that another attempt follows, and none is used up.
    """

    failure: Failure
    excused: bool = False


@dataclass(frozen=True, slots=True)
class Rejected:
    """
    The submit was refused and nothing was accepted.

    *wait*: only for now (no credits, too many requests): the same job is tried
    again, after *retry_after_s* where the provider says so.
    """

    failure: Failure
    wait: bool = False
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Unclear:
    """The answer does not tell whether the task was accepted (5xx, unreadable, 2xx without an id)."""

    reason: str


@dataclass(frozen=True, slots=True)
class Retry:
    """A look failed in a way that says nothing about the task (5xx, 429, unreadable): look again."""

    reason: str
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Unknown(Retry):
    """
    The provider answered, and has no such task of this job: none (yet), one of another kind, or another's.

    It ends no task that was accepted; who is about to adopt one learns that it is not the job's.
    """


@dataclass(frozen=True, slots=True)
class Unauthorized:
    """The credentials or the access token were refused; the runtime logs in once more, then gives up."""

    failure: Failure


@dataclass(frozen=True, slots=True)
class Found:
    """A look-up found what an uncertain submit had created. Either id is enough."""

    task_id: str | None = None
    resource_id: str | None = None


@dataclass(frozen=True, slots=True)
class Alike:
    """A look-up found tasks that look like the one that is searched; none of them bears its mark."""

    task_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Callback:
    """
    One delivery on a job's callback URL, as it came.

    *headers* by name in lower case, and *received_at* in microseconds, where its sender has to prove
    who it is. None: a person has it processed once more, so its age says nothing.
    """

    method: str
    query: str
    content_type: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    received_at: int | None = None


@dataclass(frozen=True, slots=True)
class Hint:
    """Something happened: ask the provider. The ids are for comparison and adoption, never followed."""

    task_id: str | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """The callback itself is the truth; only for providers that nobody can ask."""

    task_id: str
    outcome: Done | Failed


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Not what the document promises. The job is looked at all the same."""

    reason: str


@dataclass(frozen=True, slots=True)
class Untrusted:
    """Its sender has not proven to be who may end the job, which goes on waiting."""

    reason: str


@dataclass(frozen=True, slots=True)
class Meaningless:
    """Readable, and says nothing (an empty slot was filled with nothing)."""


SubmitOutcome = Accepted | Done | Failed | Rejected | Unclear | Unauthorized
"""`Failed` here means: refused for good, or broken before anything was sent that could cost money."""
CheckOutcome = Pending | Done | Failed | Retry | Unauthorized
LookUpOutcome = Found | Alike | Retry | Unauthorized | None
CallbackMeaning = Hint | Verdict | Unreadable | Untrusted | Meaningless
