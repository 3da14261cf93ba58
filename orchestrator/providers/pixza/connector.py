"""One account at Pixza: its operations, its credentials, its callbacks."""

from collections.abc import Mapping, Sequence
from functools import partial

from orchestrator.providers.at_once import at_once
from orchestrator.providers.base import (
    Callback,
    CallbackMeaning,
    Connector,
    Operation,
    Reply,
    Request,
    Task,
    Waiting,
)
from orchestrator.providers.identifiers import at
from orchestrator.providers.keyed import Keyed
from orchestrator.providers.pixza import answers, exchanges, outputs
from orchestrator.providers.pixza.models import MODELS
from orchestrator.providers.pixza.params import ById, Generate, Nothing
from orchestrator.providers.pixza.settings import PixzaSettings
from orchestrator.providers.prices import price


def connect(settings: PixzaSettings) -> Connector:
    """Return the connector of one account."""
    return PixzaConnector(settings)


class PixzaConnector(Keyed):
    """One account at Pixza."""

    kind = "pixza"

    def __init__(self, settings: PixzaSettings) -> None:
        super().__init__(settings, settings.api_key, (_generate(settings), *_at_once()))

    def read_callback(self, callback: Callback, task: Task) -> CallbackMeaning:
        """Say what a delivery means: a hint at most."""
        return answers.read_callback(callback)

    def read_credits(self, reply: Reply) -> float | None:
        """Return the balance that an answer shows."""
        return answers.credits_left(reply)


_KINDS: Mapping[str, tuple[str, ...]] = {"image": ("image",), "video": ("video",)}
"""What kinds of file each type gives; in which of many formats a 3D model comes nobody says."""


def _generate(settings: PixzaSettings) -> Operation:
    return Operation(
        name="generate",
        summary="Make an image, a video or a 3D model from a prompt.",
        params=Generate,
        output=outputs.Generated,
        submit=exchanges.generate,
        read=answers.read_submit,
        check=exchanges.check,
        look_up=exchanges.look_up,
        likeness=exchanges.likeness,
        waiting=Waiting.HINT,
        spends=True,
        gives_files=True,
        makes=lambda params: _KINDS.get(params.type, ()),
        price=partial(_price, settings),
        priced=True,
        files=lambda params: (1, 1),
    )


def _price(settings: PixzaSettings, params: Generate) -> float | None:
    """Return what a generation costs: by the connection's own list, else by the document's."""
    model = MODELS.get(params.model_name)
    listed = price(settings.prices, "generate", params.model_dump())
    return listed if listed is not None or model is None else float(model.credits)


def _at_once() -> Sequence[Operation]:
    return (
        at_once(
            "get_generation",
            "Show one generation.",
            ById,
            outputs.Generation,
            lambda params: Request(method="GET", path=at(exchanges.GENERATE, params.id)),
            lambda params, reply: answers.read_generation(reply),
        ),
        at_once(
            "list_generations",
            "List the recent generations of this account.",
            Nothing,
            outputs.GenerationList,
            lambda params: Request(method="GET", path=exchanges.GENERATIONS),
            lambda params, reply: answers.read_list("generations", reply),
        ),
        at_once(
            "list_models",
            "List the models that Pixza offers.",
            Nothing,
            outputs.ModelList,
            lambda params: Request(method="GET", path="/models"),
            lambda params, reply: answers.read_list("models", reply),
        ),
        at_once(
            "get_credits",
            "Show the balance of this account.",
            Nothing,
            outputs.Credits,
            lambda params: Request(method="GET", path="/credits"),
            lambda params, reply: answers.read_balance(reply),
        ),
    )
