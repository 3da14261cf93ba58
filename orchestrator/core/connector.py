"""The connection named `core`: our own operations behind the same shape as a provider's."""

from collections.abc import Callable, Mapping, Sequence

from pydantic import Field, SecretStr

from orchestrator.core import http
from orchestrator.core.approve import Approve, Approved
from orchestrator.core.run_workflow import Outputs, RunWorkflow
from orchestrator.core.sleep import Sleep, Slept
from orchestrator.definition.workflow import CORE
from orchestrator.providers.base import (
    Accepted,
    Callback,
    CallbackMeaning,
    ConnectionSettings,
    Exchange,
    Failed,
    Login,
    Meaningless,
    Operation,
    Params,
    Reply,
    Request,
    Retry,
    Submit,
    SubmitOutcome,
    Task,
    Unclear,
    Waiting,
)


class CoreSettings(ConnectionSettings):
    """*shared*: the settings' `[secrets]`, by name."""

    shared: dict[str, SecretStr] = Field(default_factory=dict)


class CoreConnector:
    """No provider: its tasks are this server's own, and nothing of them costs credits."""

    kind = CORE

    def __init__(self, secrets: Mapping[str, SecretStr] | None = None) -> None:
        """*secrets*: the shared ones, by name."""
        # Never asked: the name is one that cannot exist.
        shared = dict(secrets or {})
        self._secrets = tuple(shared.values())
        self.settings: ConnectionSettings = CoreSettings(
            kind=CORE, base_url="http://core.invalid", rate_limits=[], shared=shared
        )
        self.operations: Mapping[str, Operation] = {one.name: one for one in (_sleep, _approve, _run, _http)}

    def headers(self, token: str | None) -> Mapping[str, str]:
        return {}

    def secrets(self) -> Sequence[SecretStr]:
        return self._secrets

    def login(self, now_ms: int, seal: Callable[..., bytes]) -> Exchange[Login | Failed | Retry] | None:
        return None

    def read_callback(self, callback: Callback, task: Task) -> CallbackMeaning:
        return Meaningless()

    def read_credits(self, reply: Reply) -> float | None:
        return None


def _at_once(params: Params, submit: Submit) -> Exchange[Request | SubmitOutcome]:
    """There is nobody to ask: the task exists as soon as it is written down."""
    yield from ()
    return Accepted(task_id=submit.job)


def _no_reply(params: Params, reply: Reply) -> SubmitOutcome:
    return Unclear("nothing was sent, and something answered")


_sleep = Operation(
    name="sleep",
    summary="Waits for a while, or until a moment.",
    params=Sleep,
    output=Slept,
    submit=_at_once,
    read=_no_reply,
    waiting=Waiting.TIMER,
    timeout_s=None,
)

_approve = Operation(
    name="approve",
    summary="Asks a person to approve, and to choose.",
    params=Approve,
    output=Approved,
    submit=_at_once,
    read=_no_reply,
    waiting=Waiting.PERSON,
    timeout_s=None,
    gives_files=True,
    files=lambda params: (0, params.pick if params.choices else 0),
)

_run = Operation(
    name="run_workflow",
    summary="Runs another workflow and waits for its end.",
    params=RunWorkflow,
    output=Outputs,
    submit=_at_once,
    read=_no_reply,
    waiting=Waiting.RUN,
    timeout_s=None,
    gives_files=True,
)

_http = Operation(
    name="http",
    summary="Sends a request of your own; its answer, or a callback, is the result.",
    params=http.Http,
    output=http.Gained,
    submit=http.submit,
    read=http.read,
    waiting=Waiting.VERDICT,
    spends=True,
    gives_files=True,
)
