"""What a Pizi account holds: models, pictures and tasks, and how each is shown in an answer."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Generic, Literal, TypeVar

from orchestrator.simulators.pizi_rules import Json, ModelOrder, PictureOrder, Refusal

Status = Literal["queued", "processing", "completed", "failed", "deleted"]
Order = TypeVar("Order", ModelOrder, PictureOrder)


@dataclass(slots=True)
class Resource(Generic[Order]):
    """
    A model or a set of pictures.

    Shape:   *base* is the address of this simulator as the caller knew it; *files* are the names of
             its results, empty until it is completed.
    """

    uuid: str
    order: Order
    base: str
    status: Status
    created_at: float
    updated_at: float
    files: tuple[str, ...] = ()

    def moved(self, status: Status, at: float) -> None:
        """Note a new status; a deleted one stays deleted."""
        if self.status != "deleted":
            self.status, self.updated_at = status, at


Model = Resource[ModelOrder]
Picture = Resource[PictureOrder]


@dataclass(slots=True)
class Task:
    """
    One generation task. A picture's task has the picture's own uuid, a model's has another one.

    Shape:   *makers* draw its result files, by name; *content_type* is theirs.
    """

    uuid: str
    type: Literal["model", "photo"]
    resource: Model | Picture
    status: Status
    created_at: float
    makers: Mapping[str, Callable[[], bytes]]
    content_type: str
    completed_at: float | None = None

    @property
    def resource_path(self) -> str:
        """The path in `resourceUrl`: it says photos where the endpoints say pictures."""
        return f"/{self.type}s/{self.resource.uuid}"


def model_row(model: Model) -> dict[str, Any]:
    """Return a model as GET /models lists it."""
    return {
        "uuid": model.uuid,
        "name": model_name(model),
        "status": model.status,
        "metadata": model.order.metadata,
        "createdAt": stamp(model.created_at),
        "updatedAt": stamp(model.updated_at),
    }


def model_detail(model: Model, links: list[str]) -> dict[str, Any]:
    """Return a model as GET /models/{uuid} shows it; *links* is empty until it is completed."""
    return {
        "uuid": model.uuid,
        "status": model.status,
        "name": model_name(model),
        "gender": model.order.gender,
        "attributes": model.order.attributes,
        "mediaUrl": links[0] if links else None,
        "metadata": model.order.metadata,
        "createdAt": stamp(model.created_at),
        "updatedAt": stamp(model.updated_at),
    }


def picture_row(picture: Picture, shot_type: str) -> dict[str, Any]:
    """Return a picture set as GET /pictures lists it; *shot_type* as the reader shall see it."""
    return {
        "uuid": picture.uuid,
        "shotType": shot_type,
        "status": picture.status,
        "metadata": picture.order.metadata,
        "createdAt": stamp(picture.created_at),
    }


def picture_detail(picture: Picture, shot_type: str, links: list[str]) -> dict[str, Any]:
    """Return a picture set as GET /pictures/{uuid} shows it; *links* is empty until it is completed."""
    order = picture.order
    return {
        "uuid": picture.uuid,
        "shotType": shot_type,
        "status": picture.status,
        "variants": order.variants,
        "result": links,
        "output": {"aspectRatio": order.aspect_ratio, "format": order.format},
        "modelUuid": order.model_uuid,
        "metadata": order.metadata,
        "createdAt": stamp(picture.created_at),
    }


def task_row(task: Task) -> dict[str, Any]:
    """Return a task as GET /tasks lists it."""
    return {
        "uuid": task.uuid,
        "type": task.type,
        "status": task.status,
        "resourceUrl": task.resource_path,
        "createdAt": stamp(task.created_at),
    }


def task_detail(task: Task) -> dict[str, Any]:
    """Return a task as GET /tasks/{uuid} shows it: with metadata, and a time once it ended."""
    completed = None if task.completed_at is None else stamp(task.completed_at)
    row = task_row(task)
    created = row.pop("createdAt")
    return {**row, "metadata": task.resource.order.metadata, "createdAt": created, "completedAt": completed}


def model_name(model: Model) -> str:
    """Return the model's name: its own, or `Model {DateTime}`."""
    if model.order.name is not None:
        return model.order.name
    return f"Model {datetime.fromtimestamp(model.created_at, UTC):%Y-%m-%d %H:%M:%S}"


def stamp(at: float) -> str:
    """Return a time as Pizi writes it: `2025-10-28T08:00:00Z`."""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ}"


def matches(metadata: Json, wanted: str) -> bool:
    """
    Return whether the full-text filter *wanted* finds *metadata*.

    Every word must be found. `project:Autumn` finds `AutumnCollection` under
    `project`, as in the document; a word without a colon is looked for everywhere.
    """
    text = {str(key).casefold(): str(value).casefold() for key, value in metadata.items()}
    return all(_finds(text, word) for word in wanted.casefold().split())


def _finds(text: Mapping[str, str], word: str) -> bool:
    key, colon, value = word.partition(":")
    if colon and value in text.get(key, ""):
        return key in text
    return any(word in key or word in value for key, value in text.items())


Row = TypeVar("Row")


def page(rows: Iterator[Row], query: Mapping[str, str]) -> list[Row]:
    """Return the page of *rows* that `page` and `limit` ask for. Errors: Refusal 400."""
    limit = _count(query, "limit", 50)
    start = (_count(query, "page", 1) - 1) * limit
    return list(islice(rows, start, start + limit))


def _count(query: Mapping[str, str], name: str, default: int) -> int:
    text = query.get(name, str(default))
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 1_000_000):
        raise Refusal(400, f"{name} must be a whole number from 1")
    return int(text)
