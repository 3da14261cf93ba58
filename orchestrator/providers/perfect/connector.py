"""
The connector for Perfect: twelve features that only polls tell the end of.

A task that nobody polls for ten seconds is lost, uncharged, and a charge is made
only when a task succeeds. A submit may be repeated with the same request number.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any

from pydantic import SecretStr

from orchestrator.providers.base import (
    Callback,
    CallbackMeaning,
    CheckOutcome,
    ConnectionSettings,
    Connector,
    Exchange,
    Failed,
    Login,
    Meaningless,
    Operation,
    Output,
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
from orchestrator.providers.perfect import answers, exchanges, outputs
from orchestrator.providers.perfect.features import FEATURES, Feature
from orchestrator.providers.perfect.params import ListStyleGroups, ListStyles, UploadFile
from orchestrator.providers.perfect.settings import LOST_AFTER_S, PerfectSettings
from orchestrator.providers.prices import price

# A task that meets all documented limits takes seconds; what is still running then never ends.
_TASK_TIMEOUT_S = 300.0


def connect(settings: PerfectSettings) -> Connector:
    """Return the connector of one account."""
    return PerfectConnector(settings)


class PerfectConnector:
    """One account at Perfect."""

    kind = "perfect"
    settings: ConnectionSettings
    operations: Mapping[str, Operation]

    def __init__(self, settings: PerfectSettings) -> None:
        self.settings = settings
        self.operations = MappingProxyType({made.name: made for made in _operations(settings)})
        self._settings = settings

    def headers(self, token: str | None) -> Mapping[str, str]:
        """Return the access token's header."""
        return {} if token is None else {"Authorization": f"Bearer {token}"}

    def secrets(self) -> Sequence[SecretStr]:
        """Return the API key, which is as good as half a login, and the secret key."""
        return (self._settings.client_id, self._settings.client_secret)

    def login(self, now_ms: int, seal: Callable[..., bytes]) -> Exchange[Login | Failed | Retry] | None:
        """Make the exchange that gets an access token. *now_ms* has to be right: the provider looks at it."""
        return exchanges.log_in(self._settings, now_ms, seal)

    def read_callback(self, callback: Callback, task: Task) -> CallbackMeaning:
        """Perfect calls nobody back, so whoever does is not Perfect."""
        return Meaningless()

    def read_credits(self, reply: Reply) -> float | None:
        """Perfect documents no balance."""
        return None


def _operations(settings: PerfectSettings) -> Sequence[Operation]:
    return (
        *(_feature(feature, settings) for feature in FEATURES.values()),
        _at_once(
            "upload_file",
            "Upload an image for later tasks of a feature.",
            UploadFile,
            outputs.UploadedFile,
            lambda params: exchanges.upload_file(FEATURES[params.feature], settings, params),
        ),
        _at_once(
            "list_style_groups",
            "List the groups of styles that a feature has.",
            ListStyleGroups,
            outputs.StylePage,
            lambda params: exchanges.list_style_groups(settings, params),
        ),
        _at_once(
            "list_styles",
            "List the styles that a feature has.",
            ListStyles,
            outputs.StylePage,
            lambda params: exchanges.list_styles(settings, params),
        ),
    )


def _feature(feature: Feature, settings: PerfectSettings) -> Operation:
    def submit(params: Any, submit: Submit) -> Exchange[Request | SubmitOutcome]:
        return exchanges.submit(feature, settings, params, submit.attempt)

    def check(task: Task) -> Exchange[CheckOutcome]:
        return exchanges.check(settings.paths[f"{feature.name}.check"], task, settings.poll_timeout_s)

    return Operation(
        name=feature.name,
        summary=feature.summary,
        params=feature.params,
        output=feature.output,
        submit=submit,
        read=lambda params, reply: answers.read_run(reply),
        check=check,
        waiting=Waiting.HEARTBEAT,
        resend=True,
        spends=True,
        gives_files=True,
        makes=lambda params: ("image",),
        timeout_s=_TASK_TIMEOUT_S,
        poll_s=settings.poll_interval_s,
        lost_after_s=LOST_AFTER_S,
        poll_timeout_s=settings.poll_timeout_s,
        price=partial(_price, settings, feature.name),
        priced=feature.name in settings.prices,
    )


def _price(settings: PerfectSettings, operation: str, params: Params) -> float | None:
    return price(settings.prices, operation, params.model_dump())


def _at_once(
    name: str,
    summary: str,
    params: type[Params],
    output: type[Output],
    ask: Callable[[Any], Exchange[Request | SubmitOutcome]],
) -> Operation:
    """Make an operation whose exchange ends with its outcome: nothing spends, so nothing is left to read."""
    return Operation(
        name=name,
        summary=summary,
        params=params,
        output=output,
        submit=lambda given, submit: ask(given),
        read=lambda given, reply: Unclear("this operation has no request that spends"),
    )
