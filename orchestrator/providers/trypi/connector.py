"""One account at Trypi: its operations and its credentials."""

from collections.abc import Sequence

from orchestrator.providers.at_once import at_once
from orchestrator.providers.base import (
    Connector,
    Operation,
    Request,
    Waiting,
)
from orchestrator.providers.identifiers import at
from orchestrator.providers.keyed import Keyed
from orchestrator.providers.prices import price
from orchestrator.providers.trypi import answers, exchanges, outputs
from orchestrator.providers.trypi.params import ByAvatarId, ByJobId, GenerateAvatar, ListAvatars, SaveAvatar
from orchestrator.providers.trypi.settings import TrypiSettings

POLL_TIMEOUT_S = exchanges.HELD_S + 15.0
"""For the answer to a poll, which may be held open all that time and then has to travel."""


def connect(settings: TrypiSettings) -> Connector:
    """Return the connector of one account."""
    return TrypiConnector(settings)


class TrypiConnector(Keyed):
    """One account at Trypi, which is given no callback URL and documents no balance."""

    kind = "trypi"

    def __init__(self, settings: TrypiSettings) -> None:
        super().__init__(settings, settings.api_key, (_generate(settings), _save(), *_at_once()))


def _generate(settings: TrypiSettings) -> Operation:
    return Operation(
        name="generate_avatar",
        summary="Make an avatar image from a prompt, with reference images or without.",
        params=GenerateAvatar,
        output=outputs.GeneratedAvatar,
        submit=exchanges.generate,
        read=answers.read_submit,
        check=exchanges.check,
        waiting=Waiting.POLL,
        resend=True,
        spends=True,
        gives_files=True,
        makes=lambda params: ("image",),
        poll_timeout_s=POLL_TIMEOUT_S,
        price=lambda params: price(settings.prices, "generate_avatar", params.model_dump()),
        priced="generate_avatar" in settings.prices,
        files=lambda params: (1, 1),
    )


def _save() -> Operation:
    return Operation(
        name="save_avatar",
        summary="Keep the avatar of a completed job, so that its URL can be had later.",
        params=SaveAvatar,
        output=outputs.Avatar,
        submit=exchanges.save,
        read=lambda params, reply: answers.read_avatar(reply),
    )


def _at_once() -> Sequence[Operation]:
    return (
        at_once(
            "list_avatars",
            "List the saved avatars of the organisation.",
            ListAvatars,
            outputs.AvatarPage,
            lambda params: Request(
                method="GET", path=exchanges.AVATARS, query=params.model_dump(exclude_none=True)
            ),
            answers.read_page,
        ),
        at_once(
            "get_avatar",
            "Show one saved avatar.",
            ByAvatarId,
            outputs.Avatar,
            lambda params: Request(method="GET", path=at(exchanges.AVATARS, params.id)),
            lambda params, reply: answers.read_avatar(reply),
        ),
        at_once(
            "get_job",
            "Show one job.",
            ByJobId,
            outputs.Job,
            lambda params: Request(
                method="GET", path=at(exchanges.JOBS, params.job_id), query={"expand": "avatar"}
            ),
            lambda params, reply: answers.read_job(reply),
        ),
    )
