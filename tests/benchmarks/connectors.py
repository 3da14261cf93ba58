"""
Two connectors to the provider of the benchmarks, which has no limits and no prices.

*verdict*   its callback is the truth; there is nothing to fetch and nothing to download
*hint*      its callback is a hint: the result is fetched, and its one file downloaded
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import orjson
from pydantic import Field, SecretStr

from orchestrator.errors import Failure
from orchestrator.providers.base import (
    Accepted,
    Callback,
    CallbackMeaning,
    CallbackUrl,
    CheckOutcome,
    ConnectionSettings,
    Connector,
    Done,
    Exchange,
    Failed,
    Hint,
    Login,
    Operation,
    Output,
    Params,
    Rejected,
    Reply,
    Request,
    ResultFile,
    Retry,
    Submit,
    SubmitOutcome,
    Task,
    Unclear,
    Unreadable,
    Verdict,
    Waiting,
)


def connectors(provider_url: str) -> dict[str, Connector]:
    """Return both, by the names of their connections."""
    settings = BenchSettings(base_url=provider_url)
    return {
        "verdict": BenchConnector(settings, fetches=False),
        "hint": BenchConnector(settings, fetches=True),
    }


class BenchSettings(ConnectionSettings):
    """The account: it has no credentials."""

    kind: str = "bench"
    rate_limits: list[str] = Field(default_factory=list)


class Make(Params):
    """What a task is given: its place in the chain, and the result of the task before it."""

    step: int
    after: str = ""


class Made(Output):
    """What a task gives."""

    image: str


class BenchConnector:
    """One account at the provider of the benchmarks."""

    kind = "bench"

    def __init__(self, settings: BenchSettings, *, fetches: bool) -> None:
        self.settings: ConnectionSettings = settings
        self._fetches = fetches
        make = partial(
            Operation,
            name="make",
            summary="Make a picture.",
            params=Make,
            output=Made,
            submit=_submit,
            read=_read,
            spends=True,
        )
        operation = make(waiting=Waiting.HINT, check=_check) if fetches else make(waiting=Waiting.VERDICT)
        self.operations: Mapping[str, Operation] = {"make": operation}

    def headers(self, token: str | None) -> Mapping[str, str]:
        """Return nothing: there are no credentials."""
        return {}

    def secrets(self) -> Sequence[SecretStr]:
        """Return nothing: there are no credentials."""
        return []

    def login(self, now_ms: int, seal: Callable[..., bytes]) -> Exchange[Login | Failed | Retry] | None:
        """Return None: no access token is needed."""
        return None

    def read_callback(self, callback: Callback, task: Task) -> CallbackMeaning:
        """Say what a delivery means."""
        try:
            told = orjson.loads(callback.body)
            if self._fetches:
                return Hint(told["id"])
            return Verdict(told["id"], Done(output={"image": told["image"]}))
        except (ValueError, TypeError, KeyError):
            return Unreadable("not what the provider sends")

    def read_credits(self, reply: Reply) -> float | None:
        """Return None: nothing is charged."""
        return None


def _submit(params: Make, submit: Submit) -> Exchange[Request | SubmitOutcome]:
    yield from ()
    body = {"job": submit.job, "step": params.step, "after": params.after, "callbackUrl": CallbackUrl()}
    return Request(method="POST", path="/tasks", json=body)


def _read(params: Any, reply: Reply) -> SubmitOutcome:
    if reply.status != 200:
        return Rejected(Failure("provider_error", f"answered with {reply.status}"))
    answer = orjson.loads(reply.body)
    return Accepted(answer["id"]) if "id" in answer else Unclear("an answer without an id")


def _check(task: Task) -> Exchange[CheckOutcome]:
    reply = yield Request(method="GET", path=f"/tasks/{task.task_id}")
    if reply.status != 200:
        return Retry(f"answered with {reply.status}")
    image = orjson.loads(reply.body)["image"]
    return Done(output={"image": image}, files=(ResultFile(image),))


def workflow(connection: str, steps: int) -> str:
    """Return a definition of *steps* steps in a chain, each using what the one before it made."""
    lines = [f"name: {workflow_name(connection, steps)}", "steps:"]
    for step in range(1, steps + 1):
        after = f", after: '${{{{ steps.step{step - 1}.output.image }}}}'" if step > 1 else ""
        lines += [f"  step{step}:", f"    uses: {connection}/make", f"    with: {{step: {step}{after}}}"]
    lines += ["outputs:", f"  image: ${{{{ steps.step{steps}.output.image }}}}"]
    return "\n".join(lines) + "\n"


FAN = """
name: fan
inputs:
  items: {type: integer}
steps:
  each:
    for_each: ${{ range(inputs.items) }}
    uses: verdict/make
    with: {step: 1, after: "image ${{ item }}"}
"""
"""A definition of one step over a list."""


def workflow_name(connection: str, steps: int) -> str:
    """Return the name of that definition."""
    return f"{connection}-{steps}"
