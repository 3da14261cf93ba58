"""What Pizi's objects hold, for workflows that refer to fields. Only what is always there is required."""

from typing import Any

from orchestrator.providers.base import Output


class ModelSummary(Output):
    """A model as the list shows it."""

    uuid: str
    name: str | None = None
    status: str | None = None
    metadata: dict[str, Any] | None = None
    createdAt: str | None = None
    updatedAt: str | None = None


class Model(ModelSummary):
    """A model; `mediaUrl` is its picture once it is completed."""

    gender: str | None = None
    attributes: dict[str, Any] | None = None
    mediaUrl: str | None = None


class CreatedModel(Model):
    """A completed model."""

    mediaUrl: str


class PictureSummary(Output):
    """A set of pictures as the list shows it. `shotType` may be one that Pizi does not take in requests."""

    uuid: str
    shotType: str | None = None
    status: str | None = None
    metadata: dict[str, Any] | None = None
    createdAt: str | None = None


class Picture(PictureSummary):
    """A set of pictures; `result` holds the URL of each once it is completed."""

    variants: int | None = None
    result: list[str] | None = None
    output: dict[str, Any] | None = None
    modelUuid: str | None = None


class CreatedPictures(Picture):
    """A completed set of pictures."""

    result: list[str]


class TaskSummary(Output):
    """A task as the list shows it; `type` is photo or model."""

    uuid: str
    type: str | None = None
    status: str | None = None
    resourceUrl: str | None = None
    createdAt: str | None = None


class TaskDetail(TaskSummary):
    """A task."""

    metadata: dict[str, Any] | None = None
    completedAt: str | None = None


class _Page(Output):
    next: int | None = None


class ModelPage(_Page):
    """A page of models; `next` is the number of the page after it, if there may be one."""

    items: list[ModelSummary]


class PicturePage(_Page):
    """A page of pictures; `next` is the number of the page after it, if there may be one."""

    items: list[PictureSummary]


class TaskList(Output):
    """All tasks that Pizi shows."""

    items: list[TaskSummary]


class Deleted(Output):
    """A model is gone, and everything that was generated with it."""

    deleted: bool
