"""One account at Pixu: its operations, its credentials, its callbacks."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from orchestrator.providers.base import (
    Callback,
    CallbackMeaning,
    Connector,
    Exchange,
    Operation,
    Output,
    Params,
    Request,
    Submit,
    SubmitOutcome,
    Task,
    Waiting,
)
from orchestrator.providers.keyed import Keyed
from orchestrator.providers.pixu import answers, exchanges, outputs
from orchestrator.providers.pixu.params import Composition, CreateModel, CreateModelFromUrl, StrictPortrait
from orchestrator.providers.pixu.settings import PixuSettings
from orchestrator.providers.prices import price


def connect(settings: PixuSettings) -> Connector:
    """Return the connector of one account."""
    return PixuConnector(settings)


class PixuConnector(Keyed):
    """One account at Pixu."""

    kind = "pixu"

    def __init__(self, settings: PixuSettings) -> None:
        super().__init__(settings, settings.api_key, _operations(settings))

    def headers(self, token: str | None) -> Mapping[str, str]:
        """Return no header: the key travels in the body."""
        return {}

    def read_callback(self, callback: Callback, task: Task) -> CallbackMeaning:
        """Say what a delivery means: the verdict, as nobody can be asked."""
        return answers.read_callback(callback, task.params)


def _operations(settings: PixuSettings) -> Sequence[Operation]:
    make = partial(_operation, settings)
    return (
        make(
            "create_model",
            "Train a model of a person from a picture of the face.",
            CreateModel,
            outputs.TrainedModel,
            partial(exchanges.create_model, settings),
        ),
        make(
            "create_model_from_url",
            "Train a model of a person from a photo.",
            CreateModelFromUrl,
            outputs.TrainedModel,
            exchanges.create_model_from_url,
        ),
        make(
            "txt2img_strict_portrait",
            "Make portraits from a prompt, with a model or a random face.",
            StrictPortrait,
            outputs.RequestedImages,
            partial(exchanges.txt2img, "txt2img_strict_portrait"),
        ),
        make(
            "txt2img_composition",
            "Make images from a prompt that follow a composition, with a model or a random face.",
            Composition,
            outputs.RequestedImages,
            partial(exchanges.txt2img, "txt2img_composition"),
        ),
    )


def _operation(
    settings: PixuSettings,
    name: str,
    summary: str,
    params: type[Params],
    output: type[Output],
    submit: Callable[[Any, Submit], Exchange[Request | SubmitOutcome]],
) -> Operation:
    return Operation(
        name=name,
        summary=summary,
        params=params,
        output=output,
        submit=submit,
        read=lambda params, reply: answers.read_submit(reply),
        waiting=Waiting.VERDICT,
        spends=True,
        price=lambda params: price(settings.prices, name, params.model_dump()),
        priced=name in settings.prices,
    )
