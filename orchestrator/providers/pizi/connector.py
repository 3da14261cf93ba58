"""One account at Pizi: its operations, its credentials, its callbacks."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from orchestrator.providers.at_once import at_once
from orchestrator.providers.base import (
    Accepts,
    Callback,
    CallbackMeaning,
    Connector,
    Done,
    Operation,
    Output,
    Params,
    Reply,
    Request,
    SubmitOutcome,
    Task,
    Waiting,
)
from orchestrator.providers.identifiers import at
from orchestrator.providers.keyed import Keyed
from orchestrator.providers.pizi import answers, exchanges, look_ups, outputs
from orchestrator.providers.pizi.exchanges import MODEL, PICTURES, TASKS
from orchestrator.providers.pizi.params import (
    ByUuid,
    CreateModel,
    CreatePictures,
    ListModels,
    ListPictures,
    ListTasks,
)
from orchestrator.providers.pizi.settings import PiziSettings
from orchestrator.providers.prices import price


def connect(settings: PiziSettings) -> Connector:
    """Return the connector of one account."""
    return PiziConnector(settings)


class PiziConnector(Keyed):
    """One account at Pizi."""

    kind = "pizi"

    def __init__(self, settings: PiziSettings) -> None:
        super().__init__(settings, settings.api_key, (*_tasks(settings), *_at_once()))

    def headers(self, token: str | None) -> Mapping[str, str]:
        """Return the header with the key, and the one that Pizi lists for every request, a GET too."""
        return {**super().headers(token), "Content-Type": "application/json"}

    def read_callback(self, callback: Callback, task: Task) -> CallbackMeaning:
        """Say what a delivery means: a hint at most."""
        return answers.read_callback(callback)

    def read_credits(self, reply: Reply) -> float | None:
        """Return the balance that the response header shows."""
        return answers.credits_left(reply)


def _tasks(settings: PiziSettings) -> Sequence[Operation]:
    accepts = Accepts(media_types=("image/jpeg", "image/png"), url=True, bytes_max=settings.image_bytes_max)
    return (
        Operation(
            name="create_model",
            summary="Make a virtual model from attributes, reference images, or both.",
            params=CreateModel,
            output=outputs.CreatedModel,
            submit=partial(exchanges.create_model, accepts),
            read=lambda params, reply: answers.read_submit(reply),
            check=partial(exchanges.check, MODEL),
            look_up=partial(look_ups.look_up, MODEL),
            waiting=Waiting.HINT,
            spends=True,
            gives_files=True,
            makes=lambda params: ("image",),
            timeout_s=3600.0,
            price=lambda params: price(settings.prices, "create_model", params.model_dump()),
            priced="create_model" in settings.prices,
            files=lambda params: (1, 1),
        ),
        Operation(
            name="create_pictures",
            summary="Make product pictures, with a model or without.",
            params=CreatePictures,
            output=outputs.CreatedPictures,
            submit=partial(exchanges.create_pictures, accepts),
            read=lambda params, reply: answers.read_submit(reply),
            check=partial(exchanges.check, PICTURES),
            look_up=partial(look_ups.look_up, PICTURES),
            waiting=Waiting.HINT,
            spends=True,
            gives_files=True,
            makes=lambda params: ("image",),
            timeout_s=1800.0,
            price=lambda params: price(
                settings.prices, "create_pictures", params.model_dump() | {"variants": params.pictures}
            ),
            priced="create_pictures" in settings.prices,
            files=lambda params: (params.pictures, params.pictures),
        ),
    )


def _at_once() -> Sequence[Operation]:
    return (
        _list(
            "list_models", "List the models of this account.", MODEL.path, ListModels, outputs.ModelPage, 50
        ),
        _get("get_model", "Show one model.", MODEL.path, outputs.Model),
        at_once(
            "delete_model",
            "Delete a model and everything that was generated with it, for good.",
            ByUuid,
            outputs.Deleted,
            lambda params: Request(method="DELETE", path=at(MODEL.path, params.uuid)),
            lambda params, reply: answers.read_deletion(reply),
        ),
        _list(
            "list_pictures",
            "List the pictures of this account.",
            PICTURES.path,
            ListPictures,
            outputs.PicturePage,
        ),
        _get("get_picture", "Show one set of pictures.", PICTURES.path, outputs.Picture),
        _list("list_tasks", "List the tasks of this account.", TASKS, ListTasks, outputs.TaskList),
        _get("get_task", "Show one task.", TASKS, outputs.TaskDetail),
    )


def _get(name: str, summary: str, path: str, output: type[Output]) -> Operation:
    return at_once(
        name,
        summary,
        ByUuid,
        output,
        lambda params: Request(method="GET", path=at(path, params.uuid)),
        lambda params, reply: answers.read_object(reply),
    )


def _list(
    name: str, summary: str, path: str, params: type[Params], output: type[Output], limit: int | None = None
) -> Operation:
    """Make a list operation; *limit* is the documented number of items where the author asks for none."""
    return at_once(
        name,
        summary,
        params,
        output,
        lambda params: Request(method="GET", path=path, query=params.model_dump(exclude_none=True)),
        partial(_read_page, limit),
    )


def _read_page(limit: int | None, params: Params, reply: Reply) -> SubmitOutcome:
    """Pizi tells neither a total nor a next page: after a full page there may be another one."""
    items = answers.read_list(reply)
    if not isinstance(items, list):
        return items
    page: dict[str, Any] = {"items": items}
    per_page = getattr(params, "limit", None) or limit
    if per_page is not None and len(items) >= per_page:
        page["next"] = (getattr(params, "page", None) or 1) + 1
    return Done(output=page)
